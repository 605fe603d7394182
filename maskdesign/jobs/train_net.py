"""Train a small recognizer on a folder of photos from what larger ones say, resumable, in one process or several."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, distributed, nn

from maskdesign.config import apply_overrides, config_hash, from_mapping
from maskdesign.errors import ConfigError, InputError
from maskdesign.files import sweep_partial_files
from maskdesign.jobs.config import JobConfig
from maskdesign.jobs.net_export import TrainedNet, export_net
from maskdesign.jobs.net_faces import Faces, photos_of_people, prepare_faces, read_people
from maskdesign.jobs.net_masks import lay_masks, mask_faces, masked_rows, training_prints
from maskdesign.jobs.net_targets import (
    arcface_places,
    joint_targets,
    load_teacher,
    mean_colors,
    morphs_of,
    points_for,
    teacher_embeddings,
    training_rows,
)
from maskdesign.optimize.distillation import DistillationSettings, distillation_loss, person_centers
from maskdesign.optimize.face_batches import BatchSettings, TrainingFaces, draw_batch
from maskdesign.optimize.training import TrainingSettings, process_number, train
from maskdesign.progress import Progress, Silent
from maskdesign.recognition.own_file import SUFFIX, own_spec
from maskdesign.recognition.recognizer import Recognizer, normalize_crops
from maskdesign.recognition.small_nets import ARCHITECTURES, EMBEDDING_SIZE, begin_as_dlib
from maskdesign.recognition.spec import FIVE_POINTS

PREPARED = "prepared"
"""Folder beside the weights that keeps faces, masks and the teachers' answers for every net trained there."""
FEWEST_PEOPLE, FEWEST_FACES = 8, 32
PREPARATION_HOURS = 12
LICENCE = "MIT; its photos and teachers have licences of their own"


@dataclass(frozen=True)
class NetConfig:
    """How a small recognizer is trained.

    Attributes:
        seed: of everything random.
        left_out_folds: folds of the list of people that are never looked at, for tests.
        photos_per_person: most photos of one person.
        validation_people: people whose faces are watched and not learned from.
        masked_photos, prints, prints_per_photo: faces on which a mask is rendered, prints besides the designed ones,
            and how many of them each masked face wears.
        mixtures: people who do not exist.
        begin_as_dlib: begin with dlib's weights where the architecture has layers of their shapes (`residual`).
        batch, loss, training: see there.
    """

    seed: int = 1
    left_out_folds: tuple[int, ...] = (7, 8)
    photos_per_person: int = 5
    validation_people: int = 160
    masked_photos: int = 300
    prints: int = 24
    prints_per_photo: int = 8
    mixtures: int = 4096
    begin_as_dlib: bool = True
    batch: BatchSettings = field(default_factory=BatchSettings)
    loss: DistillationSettings = field(default_factory=DistillationSettings)
    training: TrainingSettings = field(
        default_factory=lambda: TrainingSettings(
            steps=1800, learning_rate=3e-4, beta1=0.9, final_share=0.01, warm_up=60
        )
    )

    def __post_init__(self) -> None:
        counts = ("photos_per_person", "validation_people", "masked_photos", "prints", "prints_per_photo")
        for name in counts:
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} = {getattr(self, name)} must be at least 1")
        if min(self.seed, self.mixtures) < 0:
            raise ConfigError("seed and mixtures must not be negative")


def net_config(settings: Sequence[str]) -> NetConfig:
    """Defaults, then `KEY=VALUE` settings."""
    return from_mapping(NetConfig, apply_overrides({}, settings))


def train_net(
    photos: Path,
    people: Path,
    teachers: Sequence[str],
    architecture: str,
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
        out: file of the weights; its specification is written beside it, what is prepared and the checkpoint too.

    Raises:
        MaskdesignError: anything a user can cause; the last checkpoint stays intact.
    """
    if out.suffix != SUFFIX:
        raise InputError(f"{out}: weights are written as {SUFFIX}; name FILE{SUFFIX} with --out")
    if architecture not in ARCHITECTURES:
        raise InputError(f"--arch {architecture}: known are {', '.join(ARCHITECTURES)}")
    if not teachers:
        raise InputError("--teachers: name at least one, as in dlib or dlib,FILE.onnx")
    known = [load_teacher(word) for word in teachers]
    _join_processes()
    if process_number() > 0:
        progress = Silent()
    out.parent.mkdir(parents=True, exist_ok=True)
    sweep_partial_files(out.parent)
    faces, data = _in_turn(lambda: _prepare(photos, people, teachers, known, out.parent / PREPARED, config, progress))
    network, device = _network(architecture, config)
    progress.stage(f"train {architecture}")
    job = _job_hash(architecture, config, known, faces)
    loss = _Loss(network, data, config, device)
    train(network, loss, config.training, out.with_suffix(".checkpoint" + SUFFIX), job, progress)
    return export_net(network, architecture, out, known, data, faces.skipped, config.batch)


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


def _prepare(
    photos: Path,
    people: Path,
    teachers: Sequence[str],
    known: Sequence[Recognizer],
    cache: Path,
    config: NetConfig,
    progress: Progress,
) -> tuple[Faces, TrainingFaces]:
    names = read_people(people, config.left_out_folds)
    progress.stage("faces")
    faces = prepare_faces(photos_of_people(photos, names, config.photos_per_person), cache, progress)
    learned = learned_rows(faces, photos, config)
    morphs = morphs_of(faces, learned, config.mixtures, config.seed)
    answers = []
    for word, teacher in zip(teachers, known, strict=True):
        progress.stage(f"teacher {teacher.spec.name}")
        answers.append(teacher_embeddings(word, faces, morphs, cache, progress))
    progress.stage("masks")
    job = JobConfig()
    rows = masked_rows(faces, learned, config.masked_photos, config.seed)
    store, keys, rows = mask_faces(faces, rows, cache, job, progress)
    progress.stage("prints")
    prints = training_prints(job, known, [store.load(key) for key in keys[:48]], config.prints, config.seed)
    masks = lay_masks(store, keys, rows, prints, config.prints_per_photo, cache)
    data = TrainingFaces(
        windows=faces.windows,
        five_px=points_for(faces.points_px, FIVE_POINTS),
        shapes=arcface_places(faces.points_px).reshape(len(faces.people), -1),
        colors=mean_colors(faces.windows),
        people=faces.people,
        learned=learned,
        targets=joint_targets(answers, len(faces.people), EMBEDDING_SIZE),
        morphs=morphs,
        masks=masks,
        spec=own_spec("student", "student", "photos", LICENCE),
        seed=config.seed,
    )
    return faces, data


def learned_rows(faces: Faces, photos: Path, config: NetConfig) -> NDArray[np.int64]:
    """Rows of the faces to learn from.

    Raises:
        InputError: too few faces or people.
    """
    learned = np.flatnonzero(training_rows(faces, config.validation_people, config.seed)) if len(faces.people) else []
    count = len(np.unique(faces.people[learned])) if len(learned) else 0
    if count < FEWEST_PEOPLE or len(learned) < FEWEST_FACES:
        raise InputError(
            f"{photos}: {len(learned)} faces of {count} people are left to learn from ({faces.skipped} photos without "
            f"a face, {config.validation_people} people kept for validation); at least {FEWEST_FACES} of "
            f"{FEWEST_PEOPLE} are needed"
        )
    return np.asarray(learned)


def _network(architecture: str, config: NetConfig) -> tuple[nn.Module, str]:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        network = ARCHITECTURES[architecture]()
    if config.begin_as_dlib and architecture == "residual":
        begin_as_dlib(network)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    network = network.to(device).to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    return network, device


def _job_hash(architecture: str, config: NetConfig, teachers: Sequence[Recognizer], faces: Faces) -> str:
    told = [architecture, config_hash(config), *(teacher.spec.sha256 for teacher in teachers)]
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
        crops, targets, people = draw_batch(self.data, self.config.batch, step, part)
        rows = torch.from_numpy(np.where(people >= 0, self.row_of_person[people], -1))
        self.network.train()
        inputs = normalize_crops(crops, self.data.spec).contiguous(memory_format=torch.channels_last).to(self.device)
        with torch.autocast("cuda", torch.bfloat16, enabled=self.device == "cuda"):
            embeddings = self.network(inputs)
        targets, rows = targets.to(self.device), rows.to(self.device)
        return distillation_loss(self.config.loss, embeddings, targets, rows, self.centers)
