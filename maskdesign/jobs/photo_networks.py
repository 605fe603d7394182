"""Train the photo mode's two networks on a folder of photos, resumable, with figures on people they never saw."""

from __future__ import annotations

import functools
import hashlib
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from maskdesign.config import apply_overrides, config_hash, from_mapping, read_toml, to_toml
from maskdesign.digital import controls
from maskdesign.digital.cells import TemplateSettings, choose_cells, saliency
from maskdesign.digital.networks import (
    PerturbationNetwork,
    TemplateNetwork,
    network_picture,
    target_distribution,
    template_loss,
)
from maskdesign.digital.perturb import visual_gain
from maskdesign.digital.picture import read_picture
from maskdesign.digital.region import FaceRegion, face_regions, working_picture
from maskdesign.digital.sight import JitterRanges, Points, draw_jitter, enroll_photo, view_margins
from maskdesign.digital.similarity import reference, ssim
from maskdesign.digital.template import Template
from maskdesign.digital.training import TrainingSettings, load_parameters, train
from maskdesign.errors import ConfigError, InputError, MaskdesignError, RunError
from maskdesign.files import read_npz, write_json, write_npz, write_text
from maskdesign.jobs.face_folder import PHOTO_ENDINGS
from maskdesign.optimize.ensemble import Member
from maskdesign.optimize.objective import ObjectiveSettings, attention_weights, hinge
from maskdesign.progress import Progress
from maskdesign.recognition.recognizer import Recognizer

GOAL = ObjectiveSettings(slack=0.6)
CONFIG, GENERATOR = "config.toml", "perturbation.safetensors"


@dataclass(frozen=True)
class NetworkConfig:
    """How the networks are trained.

    Attributes:
        seed: of everything random.
        photos: most photos that are used.
        held_out: share of the people kept for the figures.
        low_bits: the XOR operand of the perturbation network stays below 2 ** low_bits.
        template, perturbation: length and pace of each training.
    """

    seed: int = 1
    photos: int = 80
    held_out: float = 0.25
    low_bits: int = 4
    template: TrainingSettings = field(default_factory=lambda: TrainingSettings(ridge=1e-5))
    perturbation: TrainingSettings = field(default_factory=TrainingSettings)

    def __post_init__(self) -> None:
        if self.seed < 0 or self.photos < 2 or not 0 < self.held_out < 1 or not 1 <= self.low_bits <= 8:
            raise ConfigError("seed >= 0, photos >= 2, held_out in (0, 1) and low_bits in 1 to 8 are needed")


@dataclass(frozen=True)
class Sample:
    """A face to learn from.

    Attributes:
        image: (3, h, w) working picture in [0, 255].
        members, points_px: the recognizers that know it, and its landmarks.
        targets: (R, 64, 64), where each recognizer looks.
        template: (h, w) bool, the joint template's cells.
    """

    image: Tensor
    members: tuple[Member, ...]
    points_px: Points
    targets: Tensor
    template: Tensor


def network_config(settings: Sequence[str]) -> NetworkConfig:
    """Defaults, then `KEY=VALUE` settings."""
    return from_mapping(NetworkConfig, apply_overrides({}, settings))


def train_networks(
    folder: Path, out: Path, config: NetworkConfig, recognizers: Sequence[Recognizer], progress: Progress
) -> dict[str, Any]:
    """Train a template network for each recognizer and one perturbation network against all of them.

    Args:
        folder: photos as PERSON/PHOTO.jpg; people, not photos, are held out.
        out: folder for template-NAME.safetensors, perturbation.safetensors, faces/ and figures.json.

    Returns:
        the figures on the people held out, ready for JSON.

    Raises:
        InputError: too few photos with a usable face.
        RunError: `out` holds another training.
    """
    _begin(out, config)
    learned, held_out = _samples(folder, out / "faces", config, recognizers, progress)
    job = _job_hash(config, recognizers)
    figures: dict[str, Any] = {"learned_from": len(learned), "held_out": len(held_out), "templates": {}}
    for row, recognizer in enumerate(recognizers):
        network, name = _seeded(TemplateNetwork, config.seed), recognizer.spec.name
        progress.stage(f"template, {name}")
        loss = functools.partial(_template_step, network, learned, row, config)
        train(network, loss, config.template, out / f"template-{name}.safetensors", job, progress)
        figures["templates"][name] = _template_figures(network, learned, held_out, row)
    generator = _seeded(lambda: PerturbationNetwork(config.low_bits), config.seed)
    progress.stage("perturbation")
    loss = functools.partial(_perturbation_step, generator, learned, config)
    train(generator, loss, config.perturbation, out / GENERATOR, job, progress)
    figures["perturbation"] = _perturbation_figures(generator, held_out, recognizers, config)
    write_json(out / "figures.json", figures)
    return figures


def _begin(out: Path, config: NetworkConfig) -> None:
    if (out / CONFIG).exists() and (out / CONFIG).read_text() != to_toml(config):
        raise RunError(f"{out}: holds a training with another configuration; name another folder with --out")
    write_text(out / CONFIG, to_toml(config))


def load_generator(out: Path, recognizers: Sequence[Recognizer]) -> PerturbationNetwork:
    """The perturbation network of a training.

    Raises:
        InputError: there is none.
        RunError: it was trained against other recognizers.
    """
    if not (out / CONFIG).is_file():
        raise InputError(f"{out}: holds no trained network; make one with `maskdesign train PHOTOS --out {out}`")
    config = from_mapping(NetworkConfig, read_toml(out / CONFIG))
    network = PerturbationNetwork(config.low_bits)
    if not load_parameters(network, out / GENERATOR, _job_hash(config, recognizers)):
        raise InputError(f"{out}: its training has not come to the perturbation network; run the same command again")
    return network


def _seeded(make: Any, seed: int) -> Any:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return make()


def _job_hash(config: NetworkConfig, recognizers: Sequence[Recognizer]) -> str:
    known = ",".join(recognizer.spec.sha256 or recognizer.spec.name for recognizer in recognizers)
    return hashlib.sha256(f"{config_hash(config)} {known}".encode()).hexdigest()[:16]


def _generator(config: NetworkConfig, stream: int, step: int) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(key=config.seed, counter=[0, 0, stream, step]))


def _samples(
    folder: Path, cache: Path, config: NetworkConfig, recognizers: Sequence[Recognizer], progress: Progress
) -> tuple[list[Sample], list[Sample]]:
    """Samples to learn from and samples of other people."""
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in PHOTO_ENDINGS)
    order = _generator(config, 0, 0).permutation(len(paths))[: config.photos]
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
    kept = cache / f"{hashlib.sha256(path.read_bytes() + _job_hash(config, recognizers).encode()).hexdigest()[:20]}.npz"
    if not kept.exists():
        rng = _generator(config, 1, number)
        worths = [saliency([member], image, points, rng) for member in members]
        targets = torch.stack([target_distribution(worth) for worth in worths])
        write_npz(kept, targets=targets.numpy(), cells=_cells(region, image, torch.stack(worths).sum(dim=0)))
    arrays = read_npz(kept)
    mask = Template(arrays["cells"]).mask(*image.shape[1:])
    return Sample(image, members, points, torch.from_numpy(arrays["targets"]), torch.from_numpy(mask))


def _cells(region: FaceRegion, image: Tensor, worth: Tensor) -> np.ndarray:
    settings = TemplateSettings()
    value = (worth * visual_gain(reference(image)).sqrt()).sum(dim=0).double().numpy()
    corners = choose_cells(region, value, settings, None)
    return np.concatenate([corners, np.full((len(corners), 1), settings.cell_px, np.int32)], axis=1)


def _template_step(
    network: TemplateNetwork, samples: Sequence[Sample], row: int, config: NetworkConfig, step: int
) -> Tensor:
    rng = _generator(config, 2 + row, step)
    sample = samples[rng.integers(len(samples))]
    # The paper's augmentation: the same map must come out at other scales and places.
    scale, shift = np.exp(rng.normal(0, 0.08)), rng.normal(0, 0.06, 2)
    grid = torch.tensor([[[scale, 0, shift[0]], [0, scale, shift[1]]]], dtype=torch.float32)
    picture = _warped(network_picture(sample.image), grid)
    target = _warped(sample.targets[row][None, None], grid)[0, 0]
    return template_loss(network(picture)[0], target / target.sum().clamp_min(1e-12))


def _warped(images: Tensor, transform: Tensor) -> Tensor:
    places = functional.affine_grid(transform, list(images.shape), align_corners=False)
    return functional.grid_sample(images, places, align_corners=False)


@torch.no_grad()
def _template_figures(
    network: TemplateNetwork, learned: Sequence[Sample], held_out: Sequence[Sample], row: int
) -> dict[str, float]:
    """Share of the 500 most looked-at cells that the network names, beside the mean map of those it learned from."""
    mean = torch.stack([sample.targets[row] for sample in learned]).mean(dim=0)
    found = [_shared(network(network_picture(sample.image))[0], sample.targets[row]) for sample in held_out]
    plain = [_shared(mean, sample.targets[row]) for sample in held_out]
    return {"cells_found": float(np.mean(found)), "cells_found_by_the_mean_map": float(np.mean(plain))}


def _shared(predicted: Tensor, target: Tensor, count: int = 500) -> float:
    first, second = (set(x.reshape(-1).topk(count).indices.tolist()) for x in (predicted, target))
    return len(first & second) / count


def _noise(rng: np.random.Generator, image: Tensor) -> Tensor:
    return torch.from_numpy(rng.normal(size=(1, *image.shape[1:])).astype(np.float32))


def _perturbation_step(
    network: PerturbationNetwork, samples: Sequence[Sample], config: NetworkConfig, step: int
) -> Tensor:
    rng = _generator(config, 1000, step)
    sample = samples[rng.integers(len(samples))]
    changed = network(sample.image.round(), _noise(rng, sample.image), sample.template)
    margins = view_margins(sample.members, changed, sample.points_px, draw_jitter(JitterRanges(), rng))
    losses = hinge(margins, GOAL)
    return (attention_weights(losses, GOAL.worst_weight) * losses).sum()


@torch.no_grad()
def _perturbation_figures(
    network: PerturbationNetwork, samples: Sequence[Sample], recognizers: Sequence[Recognizer], config: NetworkConfig
) -> dict[str, Any]:
    """Share of held-out photos no longer taken for themselves, with SSIM, seconds and random noise of the same size."""
    hidden, noisy, likeness, spent = [], [], [], 0.0
    for number, sample in enumerate(samples):
        rng, started = _generator(config, 1001, number), time.process_time()
        changed = network(sample.image.round(), _noise(rng, sample.image), sample.template)
        spent += time.process_time() - started
        first, second = (x.round().byte().permute(1, 2, 0).numpy() for x in (sample.image, changed))
        control = torch.from_numpy(controls.random_noise(first, second, rng)).permute(2, 0, 1).float()
        hidden.append(view_margins(sample.members, changed, sample.points_px) < 0)
        noisy.append(view_margins(sample.members, control, sample.points_px) < 0)
        likeness.append(ssim(first, second))
    return {
        "hidden_from": _shares(hidden, recognizers),
        "hidden_by_random_noise": _shares(noisy, recognizers),
        "ssim": float(np.mean(likeness)),
        "seconds": spent / len(samples),
    }


def _shares(rows: Sequence[Tensor], recognizers: Sequence[Recognizer]) -> dict[str, float]:
    shares = torch.stack(list(rows)).float().mean(dim=0).tolist()
    return {recognizer.spec.name: share for recognizer, share in zip(recognizers, shares, strict=True)}
