"""Everything that a small recognizer learns from, prepared once beside its weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from maskdesign.config import apply_overrides, from_mapping
from maskdesign.errors import ConfigError, InputError
from maskdesign.jobs.config import JobConfig
from maskdesign.jobs.net_covered import CoverPlan, Pictures, cover_faces, joined
from maskdesign.jobs.net_faces import Faces, photos_of_people, prepare_faces, read_people
from maskdesign.jobs.net_masks import mask_faces, masked_rows
from maskdesign.jobs.net_prints import PrintPlan, training_prints
from maskdesign.jobs.net_targets import (
    covered_embeddings,
    joint_targets,
    morphs_of,
    points_for,
    teacher_embeddings,
    training_rows,
)
from maskdesign.optimize.damage import BatchSettings
from maskdesign.optimize.distillation import DistillationSettings
from maskdesign.optimize.face_batches import TrainingFaces
from maskdesign.optimize.training import TrainingSettings
from maskdesign.progress import Progress
from maskdesign.recognition.own_file import own_spec
from maskdesign.recognition.recognizer import Recognizer
from maskdesign.recognition.small_nets import EMBEDDING_SIZE
from maskdesign.recognition.spec import FIVE_POINTS

FEWEST_PEOPLE, FEWEST_FACES = 8, 32
KEPT_PICTURES = 256
"""Masked faces of people kept for validation."""
LICENCE = "MIT; its photos and teachers have licences of their own"


@dataclass(frozen=True)
class NetConfig:
    """How a small recognizer is trained.

    Attributes:
        seed: of everything random.
        left_out_folds: folds of the list of people that are never looked at, for tests.
        photos_per_person: most photos of one person.
        validation_people: people whose faces are watched and not learned from.
        masked_photos, prints: faces on which a mask is rendered, and prints besides the designed ones.
        mixtures: people who do not exist.
        covered: pictures of masked faces that the teachers see as they are.
        own_mask: share of them that wear the mask rendered on that very photo; the others have one lent.
        designs: against the net that a training begins with, `--begin`; their prints join the others.
        begin_as_dlib: without one, begin with dlib's weights where the architecture has such layers (`residual`,
            `attention`).
        batch, loss, training: see there.
    """

    seed: int = 1
    left_out_folds: tuple[int, ...] = (7, 8)
    photos_per_person: int = 5
    validation_people: int = 160
    masked_photos: int = 300
    prints: int = 96
    mixtures: int = 4096
    covered: int = 12288
    own_mask: float = 0.5
    designs: int = 16
    begin_as_dlib: bool = True
    batch: BatchSettings = field(default_factory=BatchSettings)
    loss: DistillationSettings = field(default_factory=DistillationSettings)
    training: TrainingSettings = field(
        default_factory=lambda: TrainingSettings(
            steps=1800, learning_rate=3e-4, beta1=0.9, final_share=0.01, warm_up=60
        )
    )

    def __post_init__(self) -> None:
        counts = ("photos_per_person", "validation_people", "masked_photos", "prints", "covered", "designs")
        for name in counts:
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} = {getattr(self, name)} must be at least 1")
        if min(self.seed, self.mixtures) < 0 or not 0 <= self.own_mask <= 1:
            raise ConfigError("seed and mixtures must not be negative, and own_mask must lie between 0 and 1")


def net_config(settings: Sequence[str]) -> NetConfig:
    """Defaults, then `KEY=VALUE` settings."""
    return from_mapping(NetConfig, apply_overrides({}, settings))


def prepare_data(
    photos: Path,
    people: Path,
    teachers: Sequence[str],
    known: Sequence[Recognizer],
    begun: Recognizer | None,
    cache: Path,
    config: NetConfig,
    progress: Progress,
) -> tuple[Faces, TrainingFaces]:
    """Find the faces, ask the teachers, render and print masks, and ask the teachers about those.

    Args:
        teachers, known: words, and what they name.
        begun: the net to begin with, if any: prints are designed against it, too.
        cache: folder that keeps it all.
    """
    names = read_people(people, config.left_out_folds)
    progress.stage("faces")
    faces = prepare_faces(photos_of_people(photos, names, config.photos_per_person), cache, progress)
    learned = learned_rows(faces, photos, config)
    morphs = morphs_of(faces, learned, config.mixtures, config.seed)
    answers = []
    for word, teacher in zip(teachers, known, strict=True):
        progress.stage(f"teacher {teacher.spec.name}")
        answers.append(teacher_embeddings(word, faces, morphs, cache, progress))
    learned_from, kept = _masked_faces(faces, learned, known, begun, cache, config, progress)
    for number, (word, teacher) in enumerate(zip(teachers, known, strict=True)):
        progress.stage(f"teacher {teacher.spec.name} on masked faces")
        more = [covered_embeddings(word, p.files, p.places_px, cache, progress) for p in (learned_from, kept)]
        answers[number] = np.concatenate([answers[number], *more])
    covered = joined(learned_from, kept)
    data = TrainingFaces(
        windows=faces.windows,
        five_px=points_for(faces.points_px, FIVE_POINTS),
        people=faces.people,
        learned=learned,
        targets=joint_targets(answers, len(faces.people), EMBEDDING_SIZE, len(covered)),
        morphs=morphs,
        covered=covered,
        spec=own_spec("student", "student", "photos", LICENCE),
        seed=config.seed,
    )
    return faces, data


def _masked_faces(
    faces: Faces,
    learned: NDArray[np.int64],
    known: Sequence[Recognizer],
    begun: Recognizer | None,
    cache: Path,
    config: NetConfig,
    progress: Progress,
) -> tuple[Pictures, Pictures]:
    """Pictures of masked people to learn from, and of people who are kept for validation."""
    progress.stage("masks")
    job, rows = JobConfig(), masked_rows(faces, learned, config.masked_photos, config.seed)
    store, keys, wearers = mask_faces(faces, rows, cache, job, progress)
    progress.stage("prints")
    wanted = PrintPlan(job, tuple(known), store, tuple(keys), config.prints, config.seed, begun, config.designs)
    prints, designs = training_prints(wanted, cache, progress), config.designs if begun is not None else 0
    progress.stage("masked faces")
    common = (store, tuple(keys), wearers, faces.windows_file, faces.points_px)
    plan = CoverPlan(*common, learned, config.own_mask, prints, config.seed, designs)
    others = replace(plan, lent_to=np.setdiff1d(np.arange(len(faces.people)), learned), own=0.0)
    return cover_faces(plan, config.covered, cache, progress), cover_faces(others, KEPT_PICTURES, cache, progress)


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
