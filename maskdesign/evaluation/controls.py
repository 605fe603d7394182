"""Control textures: what a designed one has to beat before it may be said to do anything."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from maskdesign.mask.pattern import MaskPattern
from maskdesign.optimize.texture import TextureStyle, grid_shape, initial_parameters, texture_from_parameters
from maskdesign.render.color import DECODED, srgb_encode
from maskdesign.render.masked_photo import UV_STEPS, MaskedPhoto

PLAIN_COLORS = {"plain white": (0.95, 0.95, 0.95), "plain blue": (0.55, 0.75, 0.88)}
RANDOM_CONTROL_SEED = 20_201


def control_textures(style: TextureStyle, pattern: MaskPattern) -> dict[str, Tensor]:
    """Plain white, plain blue (the common surgical color), and a random pattern of the design's own inks and grid.

    Returns:
        name -> (3, h, w) sRGB in [0, 1].
    """
    height, width = grid_shape(pattern, style.print_texel_mm)
    plain = {name: torch.tensor(rgb)[:, None, None].expand(3, height, width) for name, rgb in PLAIN_COLORS.items()}
    return {**plain, "random": random_texture(style, pattern)}


def random_texture(style: TextureStyle, pattern: MaskPattern) -> Tensor:
    """Strong random parameters through the design's own style: the same inks, grid and contrast, no purpose."""
    # A spread of 3 mixes the inks about as purely as a finished design does.
    parameters = 3 * initial_parameters(style, pattern, RANDOM_CONTROL_SEED) / style.noise
    return texture_from_parameters(style, pattern, parameters, style.print_texel_mm)


def upside_down(texture: Tensor) -> Tensor:
    """The texture turned by 180 degrees: the same colors and contrast, another structure."""
    return texture.flip(1, 2)


def average_face(photos: Iterable[MaskedPhoto], pattern: MaskPattern, texel_mm: float) -> Tensor:
    """The average lower face of many people as a print: their skin under the mask, unwrapped to the sheet.

    A face on the mask is a control of its own: whatever a design does, this is what any face there would do. It is for
    measurement and never leaves a report as a print.

    Args:
        photos: of people who are not tested.

    Returns:
        (3, h, w) sRGB; where no photo shows the sheet, as around it.
    """
    import cv2

    height, width = grid_shape(pattern, texel_mm)
    sums, counts = np.zeros((height, width, 3)), np.zeros((height, width))
    for masked in photos:
        _unwrap(masked, sums, counts)
    share = cv2.GaussianBlur(counts, (0, 0), 1.5)[..., None]
    wide = cv2.GaussianBlur(counts, (0, 0), 12)[..., None]
    near = cv2.GaussianBlur(sums, (0, 0), 1.5) / np.maximum(share, 1e-9)
    far = cv2.GaussianBlur(sums, (0, 0), 12) / np.maximum(wide, 1e-9)
    known = np.clip(share / max(0.2 * float(share.mean()), 1e-9), 0, 1)
    reflected = torch.from_numpy((known * near + (1 - known) * far).transpose(2, 0, 1)).float()
    return srgb_encode(reflected.clamp(0, 1))


def _unwrap(masked: MaskedPhoto, sums: NDArray[np.float64], counts: NDArray[np.float64]) -> None:
    # What a print must reflect to look like the skin behind it: the photo's light over the light that falls there.
    place = masked.uv.astype(np.float64) / UV_STEPS * [counts.shape[1], counts.shape[0]]
    column, row = np.minimum(place.astype(int), [counts.shape[1] - 1, counts.shape[0] - 1]).T
    pixel, samples = np.unique(masked.pixel, return_inverse=True)
    falling = np.bincount(samples.ravel(), masked.weight.astype(np.float64))
    share = np.bincount(samples.ravel())
    # Pixels that the mask only touches would mix in what lies beside it.
    whole = (share == share.max())[samples.ravel()]
    color = DECODED[masked.photo.reshape(-1, 3)[pixel]] / np.maximum(falling, 1e-3)[:, None]
    np.add.at(sums, (row[whole], column[whole]), np.minimum(color, 1)[samples.ravel()][whole])
    np.add.at(counts, (row[whole], column[whole]), 1)


def natural_print(pattern: MaskPattern, texel_mm: float) -> Tensor:
    """A flowered cloth as shops sell it: petals of four colors on a dark ground, from a fixed seed. (3, h, w) sRGB."""
    height, width = grid_shape(pattern, texel_mm)
    y, x = np.mgrid[:height, :width] * texel_mm
    picture = np.full((height, width, 3), (0.13, 0.18, 0.32))
    generator = np.random.Generator(np.random.Philox(key=RANDOM_CONTROL_SEED))
    colors = np.array([(0.86, 0.36, 0.42), (0.95, 0.86, 0.60), (0.93, 0.93, 0.90), (0.45, 0.62, 0.38)])
    for _ in range(90):
        center = generator.uniform((0, 0), (pattern.width_mm, pattern.height_mm))
        radius, turn, petals = generator.uniform(5, 11), generator.uniform(0, 6.3), generator.integers(4, 7)
        away, angle = np.hypot(x - center[0], y - center[1]), np.arctan2(y - center[1], x - center[0])
        picture[away < radius * (0.55 + 0.45 * np.cos(petals * (angle - turn)))] = colors[generator.integers(4)]
        picture[away < 0.18 * radius] = (0.95, 0.75, 0.25)
    return torch.from_numpy(picture.transpose(2, 0, 1)).float().contiguous()
