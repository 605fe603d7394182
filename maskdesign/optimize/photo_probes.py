"""Many wearers: real photos with the mask rendered before them, shaken anew in every step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from maskdesign.errors import ConfigError
from maskdesign.faces.scan import named_points
from maskdesign.mask.pattern import MaskPattern
from maskdesign.optimize.ensemble import Probe
from maskdesign.recognition.align import align_faces
from maskdesign.recognition.recognizer import Recognizer
from maskdesign.render.camera import orbit_camera
from maskdesign.render.color import srgb_encode
from maskdesign.render.light import Light
from maskdesign.render.masked_photo import WINDOW_PX, MaskedPhoto, affine_view, bare_light
from maskdesign.render.renderer import Shot, develop_shots
from maskdesign.render.sensor import CameraResponse
from maskdesign.render.texture import AffineView
from maskdesign.render.view import View

EMBED_BATCH = 16
STILL = CameraResponse(blur_sigma_px=0.0, noise_std=0.0, gain=1.0, white_balance=(1.0, 1.0, 1.0), gamma=1.0)


@dataclass(frozen=True)
class PhotoJitter:
    """What differs between two pictures of one mask on one photo, each quantity drawn uniformly and by itself.

    Attributes:
        shift_mm, turn_deg, stretch: how far the print lies from its place on the cloth, to either side: another way of
            putting the mask on, as the recognizer sees it.
        print_gain, print_cast: light on the print, in all channels and in each, as a factor 1 +- this.
        landmark_px: by how much the recognizer misses each landmark.
        gain: exposure of the whole picture.
        blur_px, noise_std, gamma: as in `ViewRanges`.
    """

    shift_mm: float = 5.0
    turn_deg: float = 4.0
    stretch: float = 0.04
    print_gain: float = 0.2
    print_cast: float = 0.05
    landmark_px: float = 1.0
    gain: tuple[float, float] = (0.85, 1.15)
    blur_px: tuple[float, float] = (0.0, 1.0)
    noise_std: tuple[float, float] = (0.0, 0.01)
    gamma: tuple[float, float] = (0.9, 1.1)

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            low, high = value if isinstance(value, tuple) else (0.0, value)
            if not 0 <= low <= high <= 45:
                raise ConfigError(f"photos.jitter.{field.name} = {value} must rise and lie between 0 and 45")


@dataclass(frozen=True, eq=False)
class PhotoProbes:
    """Masked photos of many people; a `ProbeSource`.

    Every photo comes once before any comes twice, in an order that the seed and the round decide.

    Attributes:
        photos: for the steps.
        enrolments: for each photo and recognizer, (E,) embedding of the same person in other photos.
        held_out, held_out_enrolments: the same of other people, for `fixed_probes`.
        jitter, pattern, seed: how the pictures are shaken.
    """

    photos: Sequence[MaskedPhoto]
    enrolments: Sequence[tuple[Tensor, ...]]
    held_out: Sequence[MaskedPhoto]
    held_out_enrolments: Sequence[tuple[Tensor, ...]]
    jitter: PhotoJitter
    pattern: MaskPattern
    seed: int

    def probes(self, step: int, count: int) -> list[Probe]:
        """The next photos, shaken."""
        places = [self._place(step * count + index) for index in range(count)]
        return [
            self._shaken(self.photos[place], self.enrolments[place], self._generator(step, index))
            for index, place in enumerate(places)
        ]

    def fixed_probes(self, stream: int, count: int) -> list[Probe]:
        """Photos of the held-out people, spread evenly, shaken the same way at every call."""
        places = np.linspace(0, len(self.held_out) - 1, min(count, len(self.held_out))).round().astype(int)
        return [
            self._shaken(self.held_out[place], self.held_out_enrolments[place], self._generator(stream, index))
            for index, place in enumerate(places)
        ]

    def _place(self, number: int) -> int:
        turn, place = divmod(number, len(self.photos))
        order = np.random.Generator(np.random.Philox(key=self.seed, counter=[0, 1, turn, 0]))
        return int(order.permutation(len(self.photos))[place])

    def _generator(self, step: int, index: int) -> np.random.Generator:
        return np.random.Generator(np.random.Philox(key=self.seed, counter=[0, 0, step, index]))

    def _shaken(self, masked: MaskedPhoto, enrolments: tuple[Tensor, ...], generator: np.random.Generator) -> Probe:
        jitter = self.jitter
        affine = _misplaced(affine_view(masked), self.pattern, jitter, generator)
        response = CameraResponse(
            blur_sigma_px=float(generator.uniform(*jitter.blur_px)),
            noise_std=float(generator.uniform(*jitter.noise_std)),
            gain=float(generator.uniform(*jitter.gain)),
            white_balance=(1.0, 1.0, 1.0),
            gamma=float(generator.uniform(*jitter.gamma)),
        )
        view = replace(photo_view(), response=response, noise_seed=int(generator.integers(2**31)))
        missed = generator.uniform(-jitter.landmark_px, jitter.landmark_px, (len(masked.points_px), 2))
        points = {name: masked.points_px[name] + shift for name, shift in zip(masked.points_px, missed, strict=True)}
        return Probe(Shot(view, affine), points, enrolments)


def photo_view() -> View:
    """What stands for the view of a photo: its pixels are finished, so only the camera's response matters."""
    camera = orbit_camera(0.0, 0.0, 0.0, 1000.0, 1000.0, WINDOW_PX, WINDOW_PX)
    light = Light((0.0, 0.0, 0.0), (0.0, 0.0, 0.0), (0.0, 0.0, 1.0))
    return View(camera, light, STILL, scene_index=0, background_rgb=(0.0, 0.0, 0.0), noise_seed=0)


def _misplaced(
    affine: AffineView, pattern: MaskPattern, jitter: PhotoJitter, generator: np.random.Generator
) -> AffineView:
    """The same picture with the print a little off its place and in a little other light."""
    size_mm = np.array([pattern.width_mm, pattern.height_mm], np.float32)
    turn = np.radians(generator.uniform(-jitter.turn_deg, jitter.turn_deg))
    scale = 1 + generator.uniform(-jitter.stretch, jitter.stretch)
    rotation = scale * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    shift_mm = generator.uniform(-jitter.shift_mm, jitter.shift_mm, 2)
    place_mm = (affine.uv - 0.5) * size_mm @ rotation.T.astype(np.float32) + shift_mm.astype(np.float32)
    gains = 1 + generator.uniform(-jitter.print_gain, jitter.print_gain)
    gains = gains * (1 + generator.uniform(-jitter.print_cast, jitter.print_cast, 3))
    uv = np.clip(place_mm / size_mm + 0.5, 0, 1)
    return replace(affine, uv=uv.astype(np.float32), weight=affine.weight * gains.astype(np.float32))


@torch.no_grad()
def embed_bare(recognizer: Recognizer, photos: Sequence[MaskedPhoto]) -> Tensor:
    """Embeddings of photos without their masks, (n, E)."""
    parts = []
    for start in range(0, len(photos), EMBED_BATCH):
        part = photos[start : start + EMBED_BATCH]
        images = srgb_encode(torch.from_numpy(np.stack([bare_light(masked) for masked in part])))
        parts.append(recognizer.embed(align_faces(images, photo_points(part, recognizer), recognizer.spec)))
    return torch.cat(parts)


@torch.no_grad()
def embed_printed(recognizer: Recognizer, photos: Sequence[MaskedPhoto], texture: Tensor) -> Tensor:
    """Embeddings of photos with a print on their masks and nothing shaken, (n, E).

    Args:
        texture: (3, h, w) sRGB in [0, 1].
    """
    parts = []
    for start in range(0, len(photos), EMBED_BATCH):
        part = photos[start : start + EMBED_BATCH]
        images = develop_photos(part, texture)
        parts.append(recognizer.embed(align_faces(images, photo_points(part, recognizer), recognizer.spec)))
    return torch.cat(parts)


@torch.no_grad()
def develop_photos(photos: Sequence[MaskedPhoto], texture: Tensor) -> Tensor:
    """Pictures of a print on masked photos, nothing shaken: (n, 3, S, S) sRGB."""
    return develop_shots([Shot(photo_view(), affine_view(masked)) for masked in photos], texture)


def photo_points(photos: Sequence[MaskedPhoto], recognizer: Recognizer) -> Tensor:
    """(n, k, 2) float32 landmarks that align crops for a recognizer."""
    points = [named_points(masked.points_px, recognizer.spec.points) for masked in photos]
    return torch.from_numpy(np.stack(points).astype(np.float32))


def mean_of_others(embeddings: Tensor, people: NDArray[np.integer]) -> list[Tensor]:
    """For each photo the mean embedding of the same person's other photos.

    Args:
        embeddings: (n, E).
        people: (n,) number of the person in each photo; everyone has at least two.
    """
    rows = np.arange(len(people))
    return [embeddings[(people == person) & (rows != row)].mean(dim=0) for row, person in enumerate(people)]
