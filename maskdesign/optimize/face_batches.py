"""Batches to train a recognizer on: bare faces and mixtures, damaged, and masked faces that the teachers have seen.

Masked faces come in groups that differ by nothing but the print. A student that is told what its teachers say about
each of them learns which way a print moves them, and that is what a design against the student has to know.

Everything random is drawn from (seed, part, step), so that resuming and sharing out change nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from maskdesign.optimize.damage import BatchSettings, damage, relit, shaken
from maskdesign.optimize.morphs import Morphs, align_windows, chosen, heights_in_crop, mix_crops
from maskdesign.recognition.spec import RecognizerSpec

BATCH_STREAM, COVERED_STREAM = 4, 8
FEWEST_BARE = 2
GROUP = 4
"""Prints on one face under one mask."""


@dataclass(frozen=True, eq=False)
class Covered:
    """K pictures, those of a group one behind the other.

    Attributes:
        chunks: memory maps of (n, S, S, 3) uint8 each, all of one length.
        five_px: (K, 5, 2) float32 landmarks of the template in the pictures.
        learned: how many of them, from the first on, are learned from; the others show people kept for validation.
    """

    chunks: Sequence[NDArray[np.uint8]]
    five_px: NDArray[np.float32]
    learned: int

    def __len__(self) -> int:
        return len(self.five_px)

    def windows(self, rows: NDArray[np.int64]) -> NDArray[np.uint8]:
        """(n, S, S, 3) pictures of some rows."""
        each = len(self.chunks[0])
        return np.stack([self.chunks[row // each][row % each] for row in rows])


@dataclass(frozen=True, eq=False)
class TrainingFaces:
    """Everything that batches are drawn from.

    Attributes:
        windows: (N, S, S, 3) uint8.
        five_px: (N, 5, 2) float32 landmarks of the template in the windows.
        people: (N,) int64 row of the person among the centers.
        learned: rows that are learned from.
        targets: (N + M + K, E) float32 unit vectors, of faces, mixtures and masked faces.
        morphs: M mixtures.
        covered: K masked faces.
        spec: of the student: its crop.
        seed: of everything random.
    """

    windows: NDArray[np.uint8]
    five_px: NDArray[np.float32]
    people: NDArray[np.int64]
    learned: NDArray[np.int64]
    targets: NDArray[np.float32]
    morphs: Morphs
    covered: Covered
    spec: RecognizerSpec
    seed: int


@dataclass(frozen=True, eq=False)
class Lesson:
    """One part of a batch.

    Attributes:
        crops: (B, 3, h, w) in [0, 1].
        targets: (B, E).
        people: (B,), -1 for mixtures and masked faces.
        groups: (G, GROUP) rows that differ by the print alone.
    """

    crops: Tensor
    targets: Tensor
    people: Tensor
    groups: Tensor


def draw_lesson(faces: TrainingFaces, settings: BatchSettings, step: int, part: int) -> Lesson:
    """One part of a batch: whole groups of masked faces for their share, and bare faces and mixtures."""
    count = min(round(settings.masked * settings.crops / GROUP), (settings.crops - FEWEST_BARE) // GROUP)
    count = count if faces.covered.learned else 0
    crops, targets, people = draw_bare(faces, replace(settings, crops=settings.crops - count * GROUP), step, part)
    if not count:
        return Lesson(crops, targets, people, torch.zeros((0, GROUP), dtype=torch.int64))
    generator = _generator(faces, COVERED_STREAM, step, part)
    pictures, rows = draw_covered(faces.covered, settings, faces.spec, count, generator)
    told = torch.from_numpy(faces.targets[len(faces.targets) - len(faces.covered) + rows])
    nobody = torch.full((len(rows),), -1, dtype=people.dtype)
    groups = (len(crops) + torch.arange(len(rows))).reshape(count, GROUP)
    return Lesson(torch.cat([crops, pictures]), torch.cat([targets, told]), torch.cat([people, nobody]), groups)


def _generator(faces: TrainingFaces, stream: int, step: int, part: int) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(key=faces.seed, counter=[0, part, stream, step]))


def draw_bare(faces: TrainingFaces, settings: BatchSettings, step: int, part: int) -> tuple[Tensor, Tensor, Tensor]:
    """Faces without a mask.

    Returns:
        (B, 3, h, w) crops in [0, 1], (B, E) targets, (B,) people, -1 for mixtures.
    """
    generator, count = _generator(faces, BATCH_STREAM, step, part), settings.crops
    mixed = (generator.random(count) < settings.mixtures) & (len(faces.morphs) > 0)
    recipes = generator.integers(max(1, len(faces.morphs)), size=count)
    rows = generator.choice(faces.learned, size=count)
    rows[mixed] = faces.morphs.first[recipes[mixed]] if mixed.any() else rows[mixed]
    crops = damage(face_crops(faces, settings, rows, mixed, recipes, generator), settings, generator)
    targets = faces.targets[np.where(mixed, len(faces.people) + recipes, rows)]
    people = np.where(mixed, -1, faces.people[rows])
    return crops, torch.from_numpy(targets), torch.from_numpy(people)


def face_crops(
    faces: TrainingFaces,
    settings: BatchSettings,
    rows: NDArray[np.int64],
    mixed: NDArray[np.bool_],
    recipes: NDArray[np.int64],
    generator: np.random.Generator,
) -> Tensor:
    """Bare faces, and mixtures where `mixed`; placed a little differently each time."""
    places = shaken(faces.five_px[rows], settings, generator)
    crops = align_windows(faces.windows[rows], places, faces.spec)
    if mixed.any():
        own = chosen(faces.morphs, recipes[mixed])
        others = align_windows(faces.windows[own.second], faces.five_px[own.second], faces.spec)
        heights = heights_in_crop(faces.spec.height_px)
        crops[torch.from_numpy(mixed)] = mix_crops(crops[torch.from_numpy(mixed)], others, own, heights)
    return crops


def draw_covered(
    covered: Covered, settings: BatchSettings, spec: RecognizerSpec, count: int, generator: np.random.Generator
) -> tuple[Tensor, NDArray[np.int64]]:
    """Whole groups, each placed and lit as one, so that its pictures keep differing by the print alone.

    Args:
        count: groups.

    Returns:
        (count * GROUP, 3, h, w) crops in [0, 1], and their rows.
    """
    groups = generator.integers(covered.learned // GROUP, size=count)
    rows = (groups[:, None] * GROUP + np.arange(GROUP)).ravel()
    places = shaken(covered.five_px[groups * GROUP], settings, generator)
    crops = align_windows(covered.windows(rows), np.repeat(places, GROUP, axis=0), spec)
    turned = torch.from_numpy(np.repeat(generator.random(count) < 0.5, GROUP))
    crops[turned] = crops[turned].flip(3)
    return relit(crops, settings, generator, GROUP), rows
