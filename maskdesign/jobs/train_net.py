"""Train a small recognizer on a folder of photos from what larger ones say, resumable, in one process or several."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, distributed, nn

from maskdesign.config import config_hash
from maskdesign.errors import InputError
from maskdesign.files import sweep_partial_files
from maskdesign.jobs.net_begin import load_begun, turn_targets
from maskdesign.jobs.net_data import NetConfig, prepare_data
from maskdesign.jobs.net_export import TrainedNet, export_net
from maskdesign.jobs.net_faces import Faces
from maskdesign.jobs.net_targets import load_teacher
from maskdesign.optimize.distillation import distillation_loss, person_centers
from maskdesign.optimize.face_batches import TrainingFaces, draw_lesson
from maskdesign.optimize.training import process_number, train
from maskdesign.progress import Progress, Silent
from maskdesign.recognition.own_file import SUFFIX, build_network, read_own_weights
from maskdesign.recognition.recognizer import Recognizer, normalize_crops
from maskdesign.recognition.small_nets import ARCHITECTURES, begin_as_dlib

PREPARED = "prepared"
"""Folder beside the weights that keeps faces, masks and the teachers' answers for every net trained there."""
PREPARATION_HOURS = 12


def train_net(
    photos: Path,
    people: Path,
    teachers: Sequence[str],
    architecture: str,
    begin: Path | None,
    out: Path,
    config: NetConfig,
    progress: Progress,
) -> TrainedNet:
    """Distill teachers into one small network.

    Args:
        photos: folder with PERSON/PHOTO.jpg.
        people: list as `read_people` takes it.
        teachers: "dlib" and .onnx files.
        architecture: name in `ARCHITECTURES`.
        begin: weights of such a net to begin with; it also meets prints that were designed against it.
        out: file of the weights; its specification is written beside it, what is prepared and the checkpoint too.

    Raises:
        MaskdesignError: anything a user can cause; the last checkpoint stays intact.
    """
    if out.suffix != SUFFIX:
        raise InputError(f"{out}: weights are written as {SUFFIX}; name FILE{SUFFIX} with --out")
    if architecture not in ARCHITECTURES:
        raise InputError(f"--arch {architecture}: known are {', '.join(ARCHITECTURES)}")
    if begin is not None and begin.resolve() == out.resolve():
        raise InputError(f"--begin and --out are both {out}; name another file with --out")
    if not teachers:
        raise InputError("--teachers: name at least one, as in dlib or dlib,FILE.onnx")
    known = [load_teacher(word) for word in teachers]
    begun = None if begin is None else load_begun(begin, architecture)
    _join_processes()
    if process_number() > 0:
        progress = Silent()
    out.parent.mkdir(parents=True, exist_ok=True)
    sweep_partial_files(out.parent)
    faces, data = _in_turn(
        lambda: prepare_data(photos, people, teachers, known, begun, out.parent / PREPARED, config, progress)
    )
    network = _network(architecture, begin, config)
    if begun is not None:
        data = turn_targets(network, data)
    network, device = _placed(network)
    progress.stage(f"train {architecture}")
    job = _job_hash(architecture, config, [*known, *([begun] if begun else [])], faces)
    loss = _Loss(network, data, config, device)
    train(network, loss, config.training, out.with_suffix(".checkpoint" + SUFFIX), job, progress)
    return export_net(network, architecture, out, known, data, faces.skipped)


def _join_processes() -> None:
    """Under torchrun, find the other processes."""
    if "WORLD_SIZE" in os.environ and not distributed.is_initialized():
        distributed.init_process_group("gloo", timeout=timedelta(hours=PREPARATION_HOURS))


def _in_turn(prepare) -> Any:
    """The first process prepares, the others then read what it left."""
    if process_number() == 0:
        made = prepare()
    if distributed.is_initialized():
        distributed.barrier()
    return made if process_number() == 0 else prepare()


def _network(architecture: str, begin: Path | None, config: NetConfig) -> nn.Module:
    if begin is not None:
        return build_network(begin, read_own_weights(begin))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        network = ARCHITECTURES[architecture]()
    if config.begin_as_dlib:
        begin_as_dlib(network)
    return network


def _placed(network: nn.Module) -> tuple[nn.Module, str]:
    device = "cuda" if torch.cuda.is_available() else "cpu"
    network = network.to(device).to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    return network, device


def _job_hash(architecture: str, config: NetConfig, known: Sequence[Recognizer], faces: Faces) -> str:
    told = [architecture, config_hash(config), *(one.spec.sha256 for one in known)]
    told += [f"{path.parent.name}/{path.name}" for path in faces.photos]
    return hashlib.sha256("\n".join(told).encode()).hexdigest()[:16]


class _Loss:
    """The loss of one part of a step."""

    def __init__(self, network: nn.Module, data: TrainingFaces, config: NetConfig, device: str) -> None:
        self.network, self.data, self.config, self.device = network, data, config, device
        known = data.learned
        numbers = np.unique(data.people[known], return_inverse=True)[1]
        self.row_of_person = np.full(int(data.people.max()) + 1, -1)
        self.row_of_person[data.people[known]] = numbers
        centers = person_centers(torch.from_numpy(data.targets[known]), torch.from_numpy(numbers))
        self.centers = centers.to(device)

    def __call__(self, step: int, part: int) -> Tensor:
        lesson = draw_lesson(self.data, self.config.batch, step, part)
        people = lesson.people.numpy()
        rows = torch.from_numpy(np.where(people >= 0, self.row_of_person[people], -1)).to(self.device)
        self.network.train()
        crops = normalize_crops(lesson.crops, self.data.spec).contiguous(memory_format=torch.channels_last)
        with torch.autocast("cuda", torch.bfloat16, enabled=self.device == "cuda"):
            embeddings = self.network(crops.to(self.device))
        targets = lesson.targets.to(self.device)
        return distillation_loss(self.config.loss, embeddings, targets, rows, self.centers, lesson.groups)
