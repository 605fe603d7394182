"""People who do not exist: mixtures of two aligned faces, so that a few thousand people teach like many more."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from maskdesign.recognition.align import align_faces
from maskdesign.recognition.spec import RecognizerSpec

CANDIDATES = 24
"""Strangers out of whom the one with the most similar pose and shape is taken."""
SOFTNESS_PX = 2.0
"""Width of the seam between an upper and a lower half, in pixels of the template."""
STREAM = 3


@dataclass(frozen=True, eq=False)
class Morphs:
    """Recipes of M mixtures.

    Attributes:
        first, second: (M,) int64 rows of the two faces.
        above, below: (M,) float32 share of the second face above and below the seam.
        seam_px: (M,) float32 height of the seam in the template, pixels from the top.
        gain: (M, 3) float32 factor on the second face's colors, which brings its mean color to the first one's.
    """

    first: NDArray[np.int64]
    second: NDArray[np.int64]
    above: NDArray[np.float32]
    below: NDArray[np.float32]
    seam_px: NDArray[np.float32]
    gain: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.first)


def draw_morphs(
    count: int,
    people: NDArray[np.int64],
    shapes: NDArray[np.floating],
    colors: NDArray[np.floating],
    eligible: NDArray[np.int64],
    seed: int,
) -> Morphs:
    """Draw recipes: half are a whole face mixed with another, half an upper half over another's lower half.

    Args:
        people: (N,) number of each face's person; both faces of a mixture are of different people.
        shapes: (N, k) aligned landmarks.
        colors: (N, 3) mean color of each face.
        eligible: rows that may be mixed.
        seed: decides all of them, each by its own number.
    """
    rows = [_draw(_generator(seed, number), people, shapes, eligible) for number in range(count)]
    first, second = (np.array([row[side] for row in rows], np.int64).reshape(-1) for side in (0, 1))
    above, below, seam = (np.array([row[k] for row in rows], np.float32).reshape(-1) for k in (2, 3, 4))
    gain = np.clip(colors[first] / np.maximum(colors[second], 1.0), 0.6, 1.7).astype(np.float32)
    return Morphs(first, second, above, below, seam, gain)


def _generator(seed: int, number: int) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(key=seed, counter=[0, 0, STREAM, number]))


def _draw(
    generator: np.random.Generator,
    people: NDArray[np.int64],
    shapes: NDArray[np.floating],
    eligible: NDArray[np.int64],
) -> tuple[int, int, float, float, float]:
    first = int(generator.choice(eligible))
    others = generator.choice(eligible, size=CANDIDATES)
    others = others[people[others] != people[first]]
    second = int(others[np.linalg.norm(shapes[others] - shapes[first], axis=1).argmin()]) if len(others) else first
    share, upper, seam = generator.uniform(0.3, 0.7), generator.random() < 0.5, generator.uniform(58, 84)
    if generator.random() < 0.5:
        return first, second, share, share, seam
    return first, second, float(upper), float(not upper), seam


def second_share(morphs: Morphs, heights_px: Tensor) -> Tensor:
    """How much of the second face shows at heights in the template: (M, n) for (n,) or (M, n) heights."""
    above, below, seam = (torch.from_numpy(part)[:, None] for part in (morphs.above, morphs.below, morphs.seam_px))
    return above + (below - above) * torch.sigmoid((heights_px - seam) / SOFTNESS_PX)


def mix_crops(first: Tensor, second: Tensor, morphs: Morphs, heights_px: Tensor) -> Tensor:
    """The mixtures as pictures.

    Args:
        first, second: (M, 3, h, w) aligned faces in [0, 1].
        heights_px: (h,) height of each row in the template.
    """
    share = second_share(morphs, heights_px)[:, None, :, None]
    matched = (second * torch.from_numpy(morphs.gain)[:, :, None, None]).clamp(0, 1)
    return first + share * (matched - first)


def heights_in_crop(count: int, scale: float = 1.0, margin_px: float = 0.0) -> Tensor:
    """Height in the template of each row of a crop that is `scale` times as large with a margin around it."""
    return (torch.arange(count, dtype=torch.float32) + 0.5 - margin_px) / scale


def chosen(morphs: Morphs, rows: NDArray[np.int64]) -> Morphs:
    """Some of the recipes."""
    return Morphs(**{name: getattr(morphs, name)[rows] for name in Morphs.__dataclass_fields__})


def align_windows(windows: NDArray[np.uint8], points_px: NDArray[np.floating], spec: RecognizerSpec) -> Tensor:
    """Crops of photos for a recognizer.

    Args:
        windows: (B, S, S, 3 or 4) uint8.
        points_px: (B, n, 2) places of `spec.points`.
    """
    images = torch.from_numpy(np.ascontiguousarray(windows)).permute(0, 3, 1, 2).float() / 255
    return align_faces(images, torch.from_numpy(np.ascontiguousarray(points_px)).float(), spec)
