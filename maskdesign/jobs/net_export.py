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
from maskdesign.optimize.face_batches import BatchSettings, TrainingFaces, put_masks
from maskdesign.optimize.morphs import align_windows
from maskdesign.optimize.training import process_number
from maskdesign.recognition.own_file import save_network
from maskdesign.recognition.recognizer import Recognizer, normalize_crops
from maskdesign.recognition.score import scores
from maskdesign.recognition.spec import RecognizerSpec, save_spec
from maskdesign.recognition.spec_values import FMRS
from maskdesign.recognition.thresholds import threshold_at_fmr

EMBED_BATCH, VALIDATION_STREAM = 32, 6


@dataclass(frozen=True)
class TrainedNet:
    """What a training prints.

    Attributes:
        weights, specification: the files written.
        sha256: of the weights.
        people, faces, skipped: learned from; photos without a usable face.
        calibrated: whether the validation people were enough for thresholds.
        cosine, cosine_masked: mean cosine between the embeddings of validation people's faces and the teachers'
            joint target, bare and with rendered masks lent to them.
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


def export_net(
    network: nn.Module,
    architecture: str,
    out: Path,
    teachers: Sequence[Recognizer],
    data: TrainingFaces,
    skipped: int,
    batch: BatchSettings,
) -> TrainedNet:
    """Write weights and specification of a trained network; of several processes, the first one writes.

    Args:
        skipped: photos without a usable face, to be told.
        batch: how masks are placed in the check.
    """
    network = network.cpu().eval()
    bare, masked = validation_cosines(network, data, batch)
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
        str(out), str(toml), spec.sha256, people, len(data.learned), skipped, spec.is_calibrated, bare, masked
    )


def calibrated(spec: RecognizerSpec, network: nn.Module, data: TrainingFaces) -> RecognizerSpec:
    """Thresholds and means from the faces of people who were not learned from; as it is where these are too few."""
    rows = _not_learned(data)
    embeddings = torch.cat([_answers(network, data, data_crops(data, part)) for part in _batches(rows)])
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


@torch.no_grad()
def _answers(network: nn.Module, data: TrainingFaces, crops: Tensor) -> Tensor:
    return network(normalize_crops(crops, data.spec).contiguous(memory_format=torch.channels_last))


def validation_cosines(network: nn.Module, data: TrainingFaces, batch: BatchSettings) -> tuple[float, float]:
    """Mean cosine to the teachers on people who are not learned from, bare and masked."""
    found: list[list[Tensor]] = [[], []]
    for number, part in enumerate(_batches(_not_learned(data))):
        crops, everyone = data_crops(data, part), np.ones(len(part), bool)
        covered = crops.clone()
        generator = np.random.Generator(np.random.Philox(key=data.seed, counter=[0, 0, VALIDATION_STREAM, number]))
        put_masks(data, batch, covered, part, everyone, everyone, generator)
        for side, pictures in enumerate((crops, covered)):
            targets = torch.from_numpy(data.targets[part])
            found[side].append(functional.cosine_similarity(_answers(network, data, pictures), targets, dim=1))
    bare, masked = (torch.cat(part).mean().item() for part in found)
    return bare, masked
