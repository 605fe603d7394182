"""Faces that the photo mode's networks learn from: where each recognizer looks, worked out once and kept."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from maskdesign.config import apply_overrides, config_hash, from_mapping
from maskdesign.digital.cells import TemplateSettings, choose_cells, saliency
from maskdesign.digital.networks import GRID, target_distribution
from maskdesign.digital.perturb import visual_gain
from maskdesign.digital.picture import read_picture
from maskdesign.digital.region import FaceRegion, face_regions, working_picture
from maskdesign.digital.sight import Points, enroll_photo
from maskdesign.digital.similarity import reference
from maskdesign.digital.superposition import part_maps
from maskdesign.digital.template import Template
from maskdesign.errors import ConfigError, InputError, MaskdesignError
from maskdesign.files import read_npz, write_npz
from maskdesign.jobs.face_folder import PHOTO_ENDINGS
from maskdesign.optimize.ensemble import Member
from maskdesign.optimize.training import TrainingSettings
from maskdesign.progress import Progress
from maskdesign.recognition.recognizer import Recognizer


@dataclass(frozen=True)
class NetworkConfig:
    """How the networks are trained.

    Attributes:
        seed: of everything random.
        photos: most photos that are used.
        held_out: share of the people kept for the figures.
        low_bits: the XOR operand of the perturbation network stays below 2 ** low_bits; 8 leaves it free.
        max_change: largest change of a channel that it makes, in gray levels.
        template, perturbation: length and pace of each training.
    """

    seed: int = 1
    photos: int = 80
    held_out: float = 0.25
    low_bits: int = 8
    max_change: float = 12.0
    template: TrainingSettings = field(default_factory=lambda: TrainingSettings(ridge=1e-5))
    perturbation: TrainingSettings = field(default_factory=TrainingSettings)

    def __post_init__(self) -> None:
        if self.seed < 0 or self.photos < 2 or not 0 < self.held_out < 1 or not 1 <= self.low_bits <= 8:
            raise ConfigError("seed >= 0, photos >= 2, held_out in (0, 1) and low_bits in 1 to 8 are needed")
        if not 0 < self.max_change <= 255:
            raise ConfigError(f"max_change = {self.max_change} must lie above 0 and not above 255")


@dataclass(frozen=True)
class Sample:
    """A face to learn from.

    Attributes:
        image: (3, h, w) working picture in [0, 255].
        members, points_px: the recognizers that know it, and its landmarks.
        targets: (R, 64, 64), where each recognizer looks.
        template: (h, w) bool, the joint template's cells.
        parts: (64, 64), which part of the face each cell of the targets belongs to.
    """

    image: Tensor
    members: tuple[Member, ...]
    points_px: Points
    targets: Tensor
    template: Tensor
    parts: NDArray[np.int64]


def network_config(settings: Sequence[str]) -> NetworkConfig:
    """Defaults, then `KEY=VALUE` settings."""
    return from_mapping(NetworkConfig, apply_overrides({}, settings))


def job_hash(config: NetworkConfig, recognizers: Sequence[Recognizer]) -> str:
    """Names a training by its configuration and recognizers."""
    return hashlib.sha256(f"{config_hash(config)} {recognizer_hash(recognizers)}".encode()).hexdigest()[:16]


def recognizer_hash(recognizers: Sequence[Recognizer]) -> str:
    """Names a set of recognizers by their weights."""
    known = ",".join(recognizer.spec.sha256 or recognizer.spec.name for recognizer in recognizers)
    return hashlib.sha256(known.encode()).hexdigest()[:16]


def counter_rng(config: NetworkConfig, stream: int, step: int) -> np.random.Generator:
    """Random numbers of one step of one stream, the same in whatever order steps are done."""
    return np.random.Generator(np.random.Philox(key=config.seed, counter=[0, 0, stream, step]))


def read_samples(
    folder: Path, cache: Path, config: NetworkConfig, recognizers: Sequence[Recognizer], progress: Progress
) -> tuple[list[Sample], list[Sample]]:
    """Samples to learn from and samples of other people."""
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in PHOTO_ENDINGS)
    order = counter_rng(config, 0, 0).permutation(len(paths))[: config.photos]
    chosen = [paths[index] for index in sorted(order)]
    people = sorted({path.parent for path in chosen})
    kept = set(people[: max(1, round(config.held_out * len(people)))])
    learned, held_out = [], []
    progress.stage("faces")
    for number, path in enumerate(chosen):
        sample = _sample(path, cache, config, number, recognizers)
        if sample is not None:
            (held_out if path.parent in kept else learned).append(sample)
        progress.advance(number + 1, len(chosen), path.name)
    if not learned or not held_out:
        raise InputError(f"{folder}: too few usable faces; give photos of several people as PERSON/PHOTO.jpg")
    return learned, held_out


def _sample(
    path: Path, cache: Path, config: NetworkConfig, number: int, recognizers: Sequence[Recognizer]
) -> Sample | None:
    try:
        picture = read_picture(path)
        region = face_regions(picture, str(path))[0]
    except MaskdesignError:
        return None
    image = working_picture(region, picture.rgb)
    points = region.points_px()
    members = enroll_photo(recognizers, image, points)
    told = f"{config.seed} {number} {recognizer_hash(recognizers)}".encode()
    kept = cache / f"{hashlib.sha256(path.read_bytes() + told).hexdigest()[:20]}.npz"
    if not kept.exists():
        rng = counter_rng(config, 1, number)
        worths = [saliency([member], image, points, rng) for member in members]
        targets = torch.stack([target_distribution(worth) for worth in worths])
        write_npz(kept, targets=targets.numpy(), cells=_cells(region, image, torch.stack(worths).sum(dim=0)))
    arrays = read_npz(kept)
    mask = Template(arrays["cells"]).mask(*image.shape[1:])
    return Sample(
        image,
        members,
        points,
        torch.from_numpy(arrays["targets"]),
        torch.from_numpy(mask),
        _grid_parts(region, *image.shape[1:]),
    )


def _grid_parts(region: FaceRegion, height_px: int, width_px: int) -> NDArray[np.int64]:
    middle = (np.arange(GRID) + 0.5) / GRID
    rows, columns = (middle * height_px).astype(int), (middle * width_px).astype(int)
    return part_maps(region, height_px, width_px)[np.ix_(rows, columns)]


def _cells(region: FaceRegion, image: Tensor, worth: Tensor) -> np.ndarray:
    settings = TemplateSettings()
    value = (worth * visual_gain(reference(image)).sqrt()).sum(dim=0).double().numpy()
    corners = choose_cells(region, value, settings, None)
    return np.concatenate([corners, np.full((len(corners), 1), settings.cell_px, np.int32)], axis=1)
