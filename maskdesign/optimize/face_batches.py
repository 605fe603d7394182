"""Batches to train a recognizer on: faces and mixtures, half of them masked, the others damaged as cameras damage them.

Everything random is drawn from (seed, part, step), so that resuming and sharing out change nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cached_property

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from maskdesign.errors import ConfigError
from maskdesign.optimize.morphs import Morphs, align_windows, chosen, heights_in_crop, mix_crops
from maskdesign.recognition.spec import RecognizerSpec

BATCH_STREAM = 4
DONORS = 12
"""Masks out of whom the one on the most similar face is lent to a face without a mask of its own."""


@dataclass(frozen=True)
class BatchSettings:
    """What a batch is made of; shares are chances of each crop.

    Attributes:
        crops: of one part of a batch.
        mixtures, masked: shares of people who do not exist, and of crops with a mask.
        own_mask: share of masked crops that wear the mask rendered on this very photo, where there is one.
        occluded, low_resolution, blurred, compressed, gray: shares of these damages.
        shift_px, turn_deg, stretch: spread (standard deviation) of the placement of the crop.
        landmark_px: the same for each landmark by itself.
        gain, cast, gamma: exposure, color and contrast change by factors up to exp(+- this).
        noise: largest standard deviation of the sensor's noise.
    """

    crops: int = 32
    mixtures: float = 0.5
    masked: float = 0.5
    own_mask: float = 0.5
    occluded: float = 0.1
    low_resolution: float = 0.1
    blurred: float = 0.1
    compressed: float = 0.1
    gray: float = 0.05
    shift_px: float = 1.2
    turn_deg: float = 2.5
    stretch: float = 0.025
    landmark_px: float = 0.5
    gain: float = 0.25
    cast: float = 0.08
    gamma: float = 0.2
    noise: float = 0.03

    def __post_init__(self) -> None:
        if self.crops < 2:
            raise ConfigError(f"batch.crops = {self.crops} must be at least 2")
        for field in fields(self)[1:]:
            if not 0 <= getattr(self, field.name) <= 45:
                raise ConfigError(f"batch.{field.name} = {getattr(self, field.name)} must lie between 0 and 45")


@dataclass(frozen=True, eq=False)
class Masks:
    """Faces that wear a mask, as layers to lay over others.

    Attributes:
        layers: (K, S, S, 4) uint8 picture with the mask, and how far the mask covers each pixel.
        five_px: (K, 5, 2) float32 landmarks of the template in it.
        faces: (K,) int64 row of the face that wears it.
    """

    layers: NDArray[np.uint8]
    five_px: NDArray[np.float32]
    faces: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class TrainingFaces:
    """Everything that batches are drawn from.

    Attributes:
        windows: (N, S, S, 3) uint8.
        five_px: (N, 5, 2) float32 landmarks of the template in the windows.
        shapes: (N, k) aligned landmarks, to lend masks between similar faces.
        colors: (N, 3) mean color of each face.
        people: (N,) int64 row of the person among the centers.
        learned: rows that are learned from.
        targets: (N + M, E) float32 unit vectors.
        morphs: M mixtures.
        masks: rendered masks on some of the faces that are learned from.
        spec: of the student: its crop.
        seed: of everything random.
    """

    windows: NDArray[np.uint8]
    five_px: NDArray[np.float32]
    shapes: NDArray[np.float32]
    colors: NDArray[np.float32]
    people: NDArray[np.int64]
    learned: NDArray[np.int64]
    targets: NDArray[np.float32]
    morphs: Morphs
    masks: Masks
    spec: RecognizerSpec
    seed: int

    @cached_property
    def masks_of(self) -> dict[int, NDArray[np.int64]]:
        """Face -> its own masks."""
        return {int(face): np.flatnonzero(self.masks.faces == face) for face in np.unique(self.masks.faces)}


def draw_batch(faces: TrainingFaces, settings: BatchSettings, step: int, part: int) -> tuple[Tensor, Tensor, Tensor]:
    """One part of a batch.

    Returns:
        (B, 3, h, w) crops in [0, 1], (B, E) targets, (B,) people, -1 for mixtures.
    """
    generator = np.random.Generator(np.random.Philox(key=faces.seed, counter=[0, part, BATCH_STREAM, step]))
    count = settings.crops
    mixed = (generator.random(count) < settings.mixtures) & (len(faces.morphs) > 0)
    recipes = generator.integers(max(1, len(faces.morphs)), size=count)
    rows = generator.choice(faces.learned, size=count)
    rows[mixed] = faces.morphs.first[recipes[mixed]] if mixed.any() else rows[mixed]
    crops = face_crops(faces, settings, rows, mixed, recipes, generator)
    masked = (generator.random(count) < settings.masked) & (len(faces.masks.faces) > 0)
    if masked.any():
        put_masks(faces, settings, crops, rows, mixed, masked, generator)
    crops = damage(crops, settings, generator)
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


def shaken(
    points_px: NDArray[np.float32], settings: BatchSettings, generator: np.random.Generator
) -> NDArray[np.float32]:
    """Landmarks a little off: all together, and each by itself. (B, n, 2)."""
    count = len(points_px)
    turn = np.radians(generator.normal(0, settings.turn_deg, count))
    size = np.exp(generator.normal(0, settings.stretch, count))
    cos, sin = size * np.cos(turn), size * np.sin(turn)
    linear = np.stack([np.stack([cos, np.negative(sin)], 1), np.stack([sin, cos], 1)], 1)
    center = np.mean(points_px, axis=1)[:, None]
    moved = (points_px - center) @ linear.transpose(0, 2, 1) + center
    moved += generator.normal(0, settings.shift_px, (count, 1, 2))
    return (moved + generator.normal(0, settings.landmark_px, points_px.shape)).astype(np.float32)


def put_masks(
    faces: TrainingFaces,
    settings: BatchSettings,
    crops: Tensor,
    rows: NDArray[np.int64],
    mixed: NDArray[np.bool_],
    masked: NDArray[np.bool_],
    generator: np.random.Generator,
) -> None:
    """Lay rendered masks over some of the crops, in place: their own, or one from a similar face in its own light."""
    places = np.flatnonzero(masked)
    chosen_masks = [choose_mask(faces, settings, int(rows[place]), bool(mixed[place]), generator) for place in places]
    masks = np.array(chosen_masks)
    layers = align_windows(
        faces.masks.layers[masks], shaken(faces.masks.five_px[masks], settings, generator), faces.spec
    )
    light = faces.colors[rows[places]] / np.maximum(faces.colors[faces.masks.faces[masks]], 1.0)
    light = torch.from_numpy(np.clip(light, 0.6, 1.6).astype(np.float32))[:, :, None, None]
    cover, index = layers[:, 3:], torch.from_numpy(places)
    crops[index] += cover * ((layers[:, :3] * light).clamp(0, 1) - crops[index])


def choose_mask(
    faces: TrainingFaces, settings: BatchSettings, row: int, mixed: bool, generator: np.random.Generator
) -> int:
    """A mask for a face."""
    own = faces.masks_of.get(row)
    borrowed = generator.integers(len(faces.masks.faces), size=DONORS)
    if own is not None and not mixed and generator.random() < settings.own_mask:
        return int(generator.choice(own))
    distances = np.linalg.norm(faces.shapes[faces.masks.faces[borrowed]] - faces.shapes[row], axis=1)
    return int(borrowed[distances.argmin()])


def damage(crops: Tensor, settings: BatchSettings, generator: np.random.Generator) -> Tensor:
    """Occlusions, low resolution, blur, compression, light and noise, and the mirror image of every second crop."""
    pictures = (crops.permute(0, 2, 3, 1).numpy() * 255).round().astype(np.uint8)
    steps = (
        (settings.occluded, occlude), (settings.low_resolution, shrink), (settings.blurred, blur),
        (settings.compressed, compress), (settings.gray, discolor), (0.5, mirror),
    )  # fmt: skip
    done = []
    for picture in pictures:
        for share, step in steps:
            if generator.random() < share:
                picture = step(picture, generator)
        done.append(picture)
    return relit(torch.from_numpy(np.stack(done)).permute(0, 3, 1, 2).float() / 255, settings, generator)


def relit(crops: Tensor, settings: BatchSettings, generator: np.random.Generator) -> Tensor:
    """Exposure, color, contrast, light from one side, and noise."""
    count = len(crops)
    gain = np.exp(generator.uniform(-settings.gain, settings.gain, (count, 1)))
    gain = gain * np.exp(generator.uniform(-settings.cast, settings.cast, (count, 3)))
    gamma = np.exp(generator.uniform(-settings.gamma, settings.gamma, (count, 1, 1, 1)))
    slope = generator.normal(0, 0.5 * settings.gain, (count, 2, 1, 1))
    ramp = torch.linspace(-1, 1, crops.shape[2])
    side = 1 + torch.from_numpy(slope[:, :1]).float() * ramp + torch.from_numpy(slope[:, 1:]).float() * ramp[:, None]
    lit = (crops * torch.from_numpy(gain).float()[:, :, None, None] * side).clamp(1e-3, 1)
    noise = generator.uniform(0, settings.noise, (count, 1, 1, 1)).astype(np.float32)
    grain = generator.standard_normal(crops.shape, dtype=np.float32) * noise
    return (lit ** torch.from_numpy(gamma).float() + torch.from_numpy(grain)).clamp(0, 1)


def occlude(picture: NDArray[np.uint8], generator: np.random.Generator) -> NDArray[np.uint8]:
    """A box of one color, or of noise."""
    side = picture.shape[0]
    height, width = generator.integers(side // 8, side // 2, 2)
    top, left = generator.integers(0, side - height), generator.integers(0, side - width)
    box = generator.integers(0, 256, (height, width, 3) if generator.random() < 0.3 else (1, 1, 3))
    covered = picture.copy()
    covered[top : top + height, left : left + width] = box
    return covered


def shrink(picture: NDArray[np.uint8], generator: np.random.Generator) -> NDArray[np.uint8]:
    """As of a camera with fewer pixels."""
    small = int(generator.integers(28, 80))
    reduced = cv2.resize(picture, (small, small), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(reduced, picture.shape[1::-1], interpolation=cv2.INTER_LINEAR), np.uint8)


def blur(picture: NDArray[np.uint8], generator: np.random.Generator) -> NDArray[np.uint8]:
    """Out of focus."""
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), float(generator.uniform(0.5, 1.8))), np.uint8)


def compress(picture: NDArray[np.uint8], generator: np.random.Generator) -> NDArray[np.uint8]:
    """Stored as JPEG."""
    quality = [cv2.IMWRITE_JPEG_QUALITY, int(generator.integers(15, 80))]
    _, data = cv2.imencode(".jpg", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), quality)
    return np.asarray(cv2.cvtColor(cv2.imdecode(data, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB), np.uint8)


def discolor(picture: NDArray[np.uint8], generator: np.random.Generator) -> NDArray[np.uint8]:
    """Black and white."""
    return np.repeat(np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), np.uint8)[..., None], 3, axis=2)


def mirror(picture: NDArray[np.uint8], generator: np.random.Generator) -> NDArray[np.uint8]:
    """Left and right exchanged."""
    return np.ascontiguousarray(picture[:, ::-1])
