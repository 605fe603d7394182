"""Train the photo mode's two networks on a folder of photos, resumable, with figures on people they never saw."""

from __future__ import annotations

import functools
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from maskdesign.config import from_mapping, read_toml, to_toml
from maskdesign.digital import controls
from maskdesign.digital.networks import (
    PerturbationNetwork,
    TemplateNetwork,
    TrainedNetworks,
    network_picture,
    template_loss,
)
from maskdesign.digital.sight import JitterRanges, draw_jitter, view_margins
from maskdesign.digital.similarity import ssim
from maskdesign.errors import InputError, RunError
from maskdesign.files import write_json, write_text
from maskdesign.jobs.photo_figures import template_figures
from maskdesign.jobs.photo_samples import NetworkConfig, Sample, counter_rng, job_hash, read_samples
from maskdesign.optimize.objective import ObjectiveSettings, attention_weights, hinge
from maskdesign.optimize.training import load_parameters, train
from maskdesign.progress import Progress
from maskdesign.recognition.recognizer import Recognizer

GOAL = ObjectiveSettings(slack=0.6)
CONFIG, GENERATOR = "config.toml", "perturbation.safetensors"


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
    learned, held_out = read_samples(folder, out / "faces", config, recognizers, progress)
    job, networks = job_hash(config, recognizers), []
    for row, recognizer in enumerate(recognizers):
        network, name = _seeded(TemplateNetwork, config.seed), recognizer.spec.name
        network.begin_at(torch.stack([sample.targets[row] for sample in learned]).mean(dim=0))
        progress.stage(f"template, {name}")
        loss = functools.partial(_template_step, network, learned, row, config)
        train(network, loss, config.template, out / f"template-{name}.safetensors", job, progress)
        networks.append(network)
    figures: dict[str, Any] = {"learned_from": len(learned), "held_out": len(held_out)}
    found = template_figures(networks, learned, held_out)
    figures["templates"] = {entry.spec.name: row for entry, row in zip(recognizers, found, strict=True)}
    generator = _seeded(lambda: PerturbationNetwork(config.low_bits, config.max_change), config.seed)
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


def load_networks(out: Path, recognizers: Sequence[Recognizer]) -> TrainedNetworks:
    """The networks of a finished training.

    Raises:
        InputError: there is none.
        RunError: it was trained against other recognizers.
    """
    if not (out / CONFIG).is_file():
        raise InputError(f"{out}: holds no trained network; make one with `maskdesign train PHOTOS --out {out}`")
    config = from_mapping(NetworkConfig, read_toml(out / CONFIG))
    job, generator = job_hash(config, recognizers), PerturbationNetwork(config.low_bits, config.max_change)
    if not load_parameters(generator, out / GENERATOR, job):
        raise InputError(f"{out}: its training has not come to the perturbation network; run the same command again")
    templates = {recognizer.spec.name: TemplateNetwork() for recognizer in recognizers}
    for name, network in templates.items():
        load_parameters(network, out / f"template-{name}.safetensors", job)
    return TrainedNetworks(templates, generator)


def _seeded(make: Any, seed: int) -> Any:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return make()


def _template_step(
    network: TemplateNetwork, samples: Sequence[Sample], row: int, config: NetworkConfig, step: int, part: int
) -> Tensor:
    rng = counter_rng(config, 2 + row, step)
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


def _noise(rng: np.random.Generator, image: Tensor) -> Tensor:
    return torch.from_numpy(rng.normal(size=(1, *image.shape[1:])).astype(np.float32))


def _perturbation_step(
    network: PerturbationNetwork, samples: Sequence[Sample], config: NetworkConfig, step: int, part: int
) -> Tensor:
    rng = counter_rng(config, 1000, step)
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
        rng, started = counter_rng(config, 1001, number), time.process_time()
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
