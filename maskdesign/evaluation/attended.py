"""Where a recognizer looks: the regions whose change would change its score most, drawn over a picture.

PrivacyMask's Fig 5 shows the attention of a recognizer moved away from the face's features by the mask.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - the field's name
from numpy.typing import NDArray
from torch import Tensor

from maskdesign.evaluation.pictures import preview_views
from maskdesign.faces.scan import FaceScan
from maskdesign.optimize.attention import region_energy
from maskdesign.optimize.ensemble import Member, score_images
from maskdesign.optimize.texture import texture_pixels
from maskdesign.render.renderer import RenderSettings, render_views
from maskdesign.render.scene import Scene

CELL_PX, SIDE_PX = 10, 240
FRONT = 2
"""Place of the frontal view among the previews."""
GLOW = (0.95, 0.25, 0.05)


def attended_regions(member: Member, face: FaceScan, images: Tensor) -> Tensor:
    """How strongly each pixel's region decides the score, in [0, 1] of the picture's strongest one.

    Args:
        images: (1, 3, H, W) sRGB of the frontal preview.

    Returns:
        (H, W).
    """
    images = images.detach().clone().requires_grad_(True)
    view = preview_views(images.shape[-1])[FRONT]
    score = score_images(member, face, [view], images).sum()
    (gradient,) = torch.autograd.grad(score, images)
    energy = region_energy(gradient, CELL_PX)
    smooth = F.interpolate(energy, size=images.shape[2:], mode="bilinear", align_corners=False)[0, 0]
    return smooth / smooth.max().clamp_min(1e-30)


def attended_strip(
    member: Member, face: FaceScan, scenes: Sequence[Scene], textures: Sequence[Tensor]
) -> NDArray[np.uint8]:
    """Frontal pictures with what is attended glowing red, side by side.

    Args:
        scenes, textures: of each picture; a scene without a mask does not use its texture.

    Returns:
        (240, 240 n, 3) uint8.
    """
    parts = []
    for scene, texture in zip(scenes, textures, strict=True):
        with torch.no_grad():
            image = render_views((scene,), [preview_views(SIDE_PX)[FRONT]], texture, RenderSettings())
        share = 0.85 * attended_regions(member, face, image)
        gray = image[0].mean(dim=0) * 0.8 + 0.1
        parts.append(texture_pixels((1 - share) * gray + share * torch.tensor(GLOW)[:, None, None]))
    return np.concatenate(parts, axis=1)
