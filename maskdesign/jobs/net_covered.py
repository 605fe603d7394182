"""Pictures of masked faces for a training, many prints on each, made once and shown to every teacher."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from maskdesign.jobs.net_faces import write_map
from maskdesign.jobs.net_masks import layers_of
from maskdesign.jobs.net_targets import (
    MARGIN_PX,
    SCALE,
    arcface_places,
    canvas_spec,
    mean_colors,
    points_for,
)
from maskdesign.jobs.photo_store import PhotoStore
from maskdesign.jobs.pool import in_processes
from maskdesign.optimize.face_batches import GROUP, Covered
from maskdesign.optimize.morphs import align_windows
from maskdesign.optimize.texture import texture_pixels, texture_tensor
from maskdesign.progress import Progress
from maskdesign.recognition.spec import FIVE_POINTS

GROUPS_IN_FILE = 32
STREAM = 7
MOST_OVERLAID = 0.6
"""Largest share of another print over a design, so that the lesson is the design and not its very texels."""
CANDIDATES = 24
"""Faces out of whom the one most like the wearer of a mask gets it lent."""


@dataclass(frozen=True, eq=False)
class CoverPlan:
    """Which masks go on which faces.

    Attributes:
        store, keys, wearers: masked photos, and the rows of their faces.
        windows, points_px: of all faces; `windows` is the file of the memory map.
        lent_to: rows of the faces that masks are lent to.
        own: share of groups that show the wearer of the mask instead.
        prints: file of (P, h, w, 3) uint8.
        seed: of what is drawn.
        designs: at the end of the prints, `GROUP` steps of each.
    """

    store: PhotoStore
    keys: tuple[str, ...]
    wearers: NDArray[np.int64]
    windows: Path
    points_px: NDArray[np.float32]
    lent_to: NDArray[np.int64]
    own: float
    prints: Path
    seed: int
    designs: int = 0

    @property
    def digest(self) -> str:
        """Of everything that decides the pictures."""
        told = [self.windows.name, self.prints.name, *self.keys, str(self.own), str(self.seed)]
        return hashlib.sha256("\n".join(told).encode() + self.lent_to.tobytes()).hexdigest()[:24]


@dataclass(frozen=True, eq=False)
class Pictures:
    """Masked faces on disk, those of a group one behind the other.

    Attributes:
        files: memory maps of one length each.
        places_px: (K, 12, 2) landmarks in them.
    """

    files: tuple[Path, ...]
    places_px: NDArray[np.float32]


def cover_faces(plan: CoverPlan, count: int, cache: Path, progress: Progress) -> Pictures:
    """Put prints on masks, and masks on faces, once.

    Args:
        count: pictures wanted; rounded up to whole files.
    """
    folder = cache / f"covered-{plan.digest}"
    numbers = range(-(-count // (GROUP * GROUPS_IN_FILE)))
    files = tuple(folder / f"{number:04d}.npy" for number in numbers)
    jobs = [(plan, number, file) for number, file in enumerate(files) if not file.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for done, _ in enumerate(in_processes(_cover, jobs), start=1):
        progress.advance(len(files) - len(jobs) + done, len(files), f"{GROUP * GROUPS_IN_FILE} pictures each")
    places = np.concatenate([_canvas_places(plan.points_px[_drawn(plan, number)[1]]) for number in numbers])
    return Pictures(files, np.repeat(places, GROUP, axis=0))


def joined(learned: Pictures, kept: Pictures) -> Covered:
    """Pictures to learn from, and behind them those of people kept for validation."""
    places = np.concatenate([learned.places_px, kept.places_px])
    chunks = [np.load(file, mmap_mode="r") for file in (*learned.files, *kept.files)]
    return Covered(chunks, points_for(places, FIVE_POINTS), len(learned.places_px))


def _drawn(plan: CoverPlan, number: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The mask of each group of a file, and the row of the face under it: its wearer, or somebody with such a face."""
    generator = _generator(plan, number, 0)
    masks = generator.integers(len(plan.keys), size=GROUPS_IN_FILE)
    rows = plan.wearers[masks].copy()
    shapes = arcface_places(plan.points_px).reshape(len(plan.points_px), -1)
    for place, row in enumerate(rows):
        others = generator.choice(plan.lent_to, size=CANDIDATES)
        if generator.random() >= plan.own:
            rows[place] = others[np.linalg.norm(shapes[others] - shapes[row], axis=1).argmin()]
    return masks, rows


def _generator(plan: CoverPlan, number: int, purpose: int) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(key=plan.seed, counter=[0, purpose, STREAM, number]))


def _canvas_places(points_px: NDArray[np.float32]) -> NDArray[np.float32]:
    return arcface_places(points_px) * np.float32(SCALE) + np.float32(MARGIN_PX)


def _cover(plan: CoverPlan, number: int, file: Path) -> None:
    windows, prints, generator = np.load(plan.windows, mmap_mode="r"), _prints(plan.prints), _generator(plan, number, 1)
    pictures = []
    for mask, row in zip(*_drawn(plan, number), strict=True):
        worn = group_of_prints(prints, plan.designs, generator)
        layers = layers_of(plan.store.load(plan.keys[mask]), worn)
        pictures.append(_composites(windows, plan.points_px, layers, int(plan.wearers[mask]), int(row)))
    write_map(file, pictures)


@lru_cache(maxsize=1)
def _prints(path: Path) -> Tensor:
    return torch.stack([texture_tensor(pixels) for pixels in np.load(path)])


def group_of_prints(prints: Tensor, designs: int, generator: np.random.Generator) -> Tensor:
    """What one face wears in turn, (GROUP, 3, h, w): prints by chance, or one design as it grows, seen through another.

    Args:
        designs: at the end of the prints, `GROUP` steps of each; where there are any, half of the groups show one.
    """
    if not designs or generator.random() < 0.5:
        return torch.stack([blended(prints, generator) for _ in range(GROUP)])
    first = len(prints) - GROUP * int(generator.integers(1, designs + 1))
    share = generator.uniform(0, MOST_OVERLAID) if generator.random() < 0.5 else 0.0
    return (1 - share) * prints[first : first + GROUP] + share * prints[generator.integers(len(prints))]


def blended(prints: Tensor, generator: np.random.Generator) -> Tensor:
    """A print, or something between two of them, upright or not: (3, h, w)."""
    first, second = (prints[place] for place in generator.integers(len(prints), size=2))
    share = generator.uniform() if generator.random() < 0.5 else 1.0
    mixed = share * first + (1 - share) * second
    return mixed.flip(1, 2) if generator.random() < 0.2 else mixed


def _composites(
    windows: NDArray[np.uint8], points_px: NDArray[np.float32], layers: NDArray[np.uint8], wearer: int, row: int
) -> NDArray[np.uint8]:
    """(GROUP, S, S, 3) pictures of one face under one mask with several prints, on the canvas."""
    spec, five = canvas_spec(), points_for(points_px[[wearer, row]], FIVE_POINTS)
    worn = align_windows(layers, np.repeat(five[:1], len(layers), axis=0), spec)
    face = align_windows(windows[[row]], five[1:], spec).expand(len(layers), -1, -1, -1)
    light = light_match(mean_colors(windows[[row]]), mean_colors(windows[[wearer]]))
    return np.stack([texture_pixels(picture) for picture in lay_over(face, worn, light)])


def light_match(wanted: NDArray[np.float32], given: NDArray[np.float32]) -> Tensor:
    """(n, 3, 1, 1) factors that bring given mean colors, (n, 3), to wanted ones, within reason."""
    return torch.from_numpy(np.clip(wanted / np.maximum(given, 1.0), 0.6, 1.6).astype(np.float32))[:, :, None, None]


def lay_over(faces: Tensor, layers: Tensor, light: Tensor) -> Tensor:
    """Faces (n, 3, h, w) under layers (n, 4, h, w), whose last channel says how far each pixel is covered."""
    return faces + layers[:, 3:] * ((layers[:, :3] * light).clamp(0, 1) - faces)
