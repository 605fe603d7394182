"""A trained net becomes a recognizer: checked and calibrated on people it did not learn from, then written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from maskdesign.errors import InputError
from maskdesign.optimize.face_batches import GROUP, TrainingFaces
from maskdesign.optimize.morphs import align_windows
from maskdesign.optimize.training import process_number
from maskdesign.recognition.own_file import save_network
from maskdesign.recognition.recognizer import Recognizer, normalize_crops
from maskdesign.recognition.score import scores
from maskdesign.recognition.small_nets import Head
from maskdesign.recognition.spec import RecognizerSpec, save_spec
from maskdesign.recognition.spec_values import FMRS
from maskdesign.recognition.thresholds import threshold_at_fmr

EMBED_BATCH, CENTER_FACES = 32, 1024


@dataclass(frozen=True)
class TrainedNet:
    """What a training prints.

    Attributes:
        weights, specification: the files written.
        sha256: of the weights.
        people, faces, skipped: learned from; photos without a usable face.
        calibrated: whether the validation people were enough for thresholds.
        cosine, cosine_masked: mean cosine between the embeddings of validation people's faces and what the teachers say
            about the same picture, bare and masked.
        cosine_prints: the same of what changes from print to print under one mask.
    """

    weights: str
    specification: str
    sha256: str
    people: int
    faces: int
    skipped: int
    calibrated: bool
    cosine: float
    cosine_masked: float
    cosine_prints: float


def export_net(
    network: nn.Module,
    architecture: str,
    out: Path,
    teachers: Sequence[Recognizer],
    data: TrainingFaces,
    skipped: int,
) -> TrainedNet:
    """Write weights and specification of a trained network; of several processes, the first one writes.

    Args:
        skipped: photos without a usable face, to be told.
    """
    network = network.cpu().eval()
    center_embeddings(network, data)
    cosines = validation_cosines(network, data)
    told = ", ".join(f"{teacher.spec.name} ({teacher.spec.licence})" for teacher in teachers)
    people = len(np.unique(data.people[data.learned]))
    count = sum(parameter.numel() for parameter in network.parameters())
    spec = replace(
        data.spec,
        name=out.stem,
        file=out.name,
        architecture=f"{architecture}, {count / 1e6:.1f} M parameters",
        training_set=f"{len(data.learned)} faces of {people} people; teachers {told}",
    )
    spec = calibrated(spec, network, data)
    toml = out.with_suffix(".toml")
    if process_number() == 0:
        spec = replace(spec, sha256=save_network(out, network, architecture))
        save_spec(toml, spec)
    return TrainedNet(
        str(out), str(toml), spec.sha256, people, len(data.learned), skipped, spec.is_calibrated, *cosines
    )


@torch.no_grad()
def center_embeddings(network: nn.Module, data: TrainingFaces) -> None:
    """Take the mean embedding of the bare faces that were learned from off every embedding, in the last bias.

    What all faces share tells nobody apart; a student that also hears of masked faces keeps some of it.
    """
    rows = data.learned[:: max(1, len(data.learned) // CENTER_FACES)]
    total = torch.stack([_answers(network, data, data_crops(data, part)).sum(dim=0) for part in _batches(rows)])
    head = [module for module in network.modules() if isinstance(module, Head)][-1]
    head.embed.bias.sub_(total.sum(dim=0) / len(rows))


def calibrated(spec: RecognizerSpec, network: nn.Module, data: TrainingFaces) -> RecognizerSpec:
    """Thresholds and means from the faces of people who were not learned from; as it is where these are too few."""
    rows = _not_learned(data)
    embeddings = bare_embeddings(network, data, rows)
    people = data.people[rows]
    same, upper = people[:, None] == people, np.triu(np.ones((len(rows), len(rows)), bool), 1)
    values = torch.stack([scores(spec, embeddings, row) for row in embeddings]).numpy()
    genuine, impostor = values[same & upper], values[~same & upper]
    try:
        limits = {fmr: round(threshold_at_fmr(impostor, float(fmr)), 4) for fmr in FMRS}
    except InputError:
        return spec
    if not len(genuine) or genuine.mean() <= impostor.mean():
        return spec
    means = {"genuine_mean": float(genuine.mean()), "impostor_mean": float(impostor.mean())}
    return replace(spec, thresholds=limits, **{name: round(value, 4) for name, value in means.items()})


def _not_learned(data: TrainingFaces) -> NDArray[np.int64]:
    return np.setdiff1d(np.arange(len(data.people)), data.learned)


def _batches(rows: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    return [rows[start : start + EMBED_BATCH] for start in range(0, len(rows), EMBED_BATCH)]


def data_crops(data: TrainingFaces, rows: NDArray[np.int64]) -> Tensor:
    """Undamaged crops of some faces."""
    return align_windows(data.windows[rows], data.five_px[rows], data.spec)


def bare_embeddings(network: nn.Module, data: TrainingFaces, rows: NDArray[np.int64]) -> Tensor:
    """(n, E) of the undamaged crops of some faces."""
    return torch.cat([_answers(network, data, data_crops(data, part)) for part in _batches(rows)])


@torch.no_grad()
def _answers(network: nn.Module, data: TrainingFaces, crops: Tensor) -> Tensor:
    return network(normalize_crops(crops, data.spec).contiguous(memory_format=torch.channels_last))


def validation_cosines(network: nn.Module, data: TrainingFaces) -> tuple[float, float, float]:
    """Mean cosine to the teachers on people who are not learned from: bare, masked, and from print to print."""
    rows, covered = _not_learned(data), data.covered
    bare = bare_embeddings(network, data, rows)
    kept = np.arange(covered.learned, len(covered))
    crops = (align_windows(covered.windows(part), covered.five_px[part], data.spec) for part in _batches(kept))
    masked = torch.cat([_answers(network, data, part) for part in crops])
    told = torch.from_numpy(data.targets[len(data.targets) - len(kept) :])
    changes = [_changes(side) for side in (functional.normalize(masked, dim=1), told)]
    pairs = ((bare, torch.from_numpy(data.targets[rows])), (masked, told), changes)
    bare, masked, prints = (functional.cosine_similarity(*pair, dim=-1).mean().item() for pair in pairs)
    return bare, masked, prints


def _changes(embeddings: Tensor) -> Tensor:
    """(K, E) -> (groups, GROUP, E), less the mean of each group."""
    grouped = embeddings.reshape(-1, GROUP, embeddings.shape[1])
    return grouped - grouped.mean(dim=1, keepdim=True)
