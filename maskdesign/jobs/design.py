"""The main job: one photo in, a printable mask out."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from maskdesign.config import config_hash, to_toml
from maskdesign.faces.photo import PhotoFace, face_from_photo
from maskdesign.files import read_image, write_bytes, write_image
from maskdesign.jobs.config import JobConfig
from maskdesign.jobs.design_parts import begun_identity, chosen_adversary, chosen_canvas, chosen_control
from maskdesign.jobs.evaluate import evaluation_stage
from maskdesign.jobs.held_out import held_out_stage
from maskdesign.jobs.picture import keep_picture, on_picture, picture_identity
from maskdesign.jobs.report import report_stage
from maskdesign.jobs.sheet import make_sheet
from maskdesign.jobs.stages import (
    Subject,
    chosen_recognizers,
    drape_stage,
    enroll_all,
    face_stage,
    job_identity,
    scene_at,
)
from maskdesign.mask.loops import head_with_loops
from maskdesign.mask.misplaced import misplaced
from maskdesign.mask.pattern import MaskPattern
from maskdesign.mask.worn import WornMask
from maskdesign.optimize.agreement import check_wearer
from maskdesign.optimize.ensemble import Member, WearerProbes
from maskdesign.optimize.loop import run_design
from maskdesign.optimize.step import DesignState, Problem
from maskdesign.optimize.texture import texture_pixels
from maskdesign.optimize.unseen import without_unseen
from maskdesign.progress import Progress
from maskdesign.recognition.recognizer import Recognizer
from maskdesign.recognition.registry import load_recognizers
from maskdesign.render.bank import ShotBank
from maskdesign.render.gltf import worn_glb
from maskdesign.render.scene import build_scene
from maskdesign.run import Run, begin_run, locked


@dataclass(frozen=True)
class Photo:
    """A photograph and what the user says about it.

    Attributes:
        pixels: (H, W, 3) uint8 sRGB, upright.
        source: its name, for messages and the report.
        ipd_mm: distance between the pupils, where the user knows it.
        face_number: which face, counted from the left from 1, where there are several.
    """

    pixels: NDArray[np.uint8]
    source: str
    ipd_mm: float | None = None
    face_number: int | None = None


@dataclass(frozen=True)
class DesignSummary:
    """What `--json` prints after a demo or a design.

    Attributes:
        in_interval: whether every recognizer's FNMR reached the interval of `until = "interval"`; None without one.
        restarts: how often the texture collapsed to one color and began again from another seed.
    """

    run: str
    seconds: float
    steps: int
    best_loss: float
    in_interval: bool | None
    restarts: int
    texture: str
    sheet: str
    report: str
    evaluation: str


def read_photo(path: Path, ipd_mm: float | None = None, face_number: int | None = None) -> Photo:
    """Read a photo from a file, upright."""
    return Photo(read_image(path), str(path), ipd_mm, face_number)


def demo_photo() -> Photo:
    """NASA's portrait of the astronaut Eileen Collins (public domain), as scikit-image carries it."""
    from skimage.data import astronaut

    return Photo(astronaut(), "skimage.data.astronaut")


def find_face(photo: Photo) -> PhotoFace:
    """The head of a photo's one face, or of the one the user chose."""
    return face_from_photo(photo.pixels, photo.source, photo.ipd_mm, photo.face_number)


def design_mask(
    photo: Photo, config: JobConfig, out: Path, models_dir: Path | None, progress: Progress
) -> DesignSummary:
    """Photo -> head -> draped mask -> texture -> table -> sheets -> report, in a run folder.

    Whatever a stage has finished stays: after a kill the same call goes on where it stopped.

    Args:
        models_dir: folder of ONNX recognizers that join dlib's.

    Raises:
        MaskdesignError: anything a user can cause, in one line with the remedy.
    """
    started = time.monotonic()
    progress.stage("Recognizers")
    recognizers = chosen_recognizers(load_recognizers(models_dir, config.recognizers), config)
    identity = job_identity(photo.pixels, recognizers, photo.ipd_mm, photo.face_number) | begun_identity(config)
    identity |= picture_identity(config)
    progress.stage("Face")
    # Before the folder is made: a photo that is refused leaves nothing behind.
    found = None if Run(out).photo_facts.exists() else find_face(photo)
    run = begin_run(out, to_toml(config), identity)
    with locked(run):
        keep_picture(run, config)
        subject = face_stage(run, found, photo.pixels)
        state = _run_stages(run, subject, config, recognizers, progress)
    return DesignSummary(
        run=str(run.folder),
        seconds=round(time.monotonic() - started, 1),
        steps=state.step,
        best_loss=state.best_loss,
        in_interval=None if chosen_control(config) is None else state.handed_over,
        restarts=state.restarts,
        texture=str(run.texture),
        sheet=str(run.sheet(config.papers[0])),
        report=str(run.report),
        evaluation=str(run.evaluation),
    )


def _run_stages(
    run: Run, subject: Subject, config: JobConfig, recognizers: list[Recognizer], progress: Progress
) -> DesignState:
    progress.stage("Mask")
    worn = drape_stage(run, subject.face, config, progress)
    progress.stage("Views")
    members = enroll_all(subject.face, recognizers, config)
    bare = build_scene(subject.face, None, config.mask)
    check_wearer(members, subject.face, bare, config.views, config.seed)
    repeated = config.texture.repeats != (1, 1)
    problem = without_unseen(build_problem(subject, worn, members, config), repeated, progress)
    progress.stage("Design")
    state = run_design(problem, run.checkpoint, run.metrics, config_hash(config), progress)
    _write_design(run, problem, state, subject, worn[config.drape.opening_mm], config.mask)
    progress.stage("Evaluation")
    evaluation = evaluation_stage(run, config, subject, worn, members, progress)
    held_out_stage(run, config, subject, worn, members, progress)
    progress.stage("Sheets and report")
    for paper in config.papers:
        make_sheet(run, config, paper, run.sheet(paper))
    report_stage(run, config, subject, worn[config.drape.opening_mm], members, evaluation)
    return state


def build_problem(
    subject: Subject, worn: Mapping[float, WornMask], members: tuple[Member, ...], config: JobConfig
) -> Problem:
    """The design problem of a run."""
    scenes = tuple(
        scene_at(subject.face, placed, config)
        for number, opening in enumerate(config.openings_mm)
        for placed in misplaced(subject.face, worn[opening], config.placement, config.seed + number)
    )
    bank = ShotBank(scenes, config.views, config.render, config.seed, config.design.bank_steps)
    recognizers = [member.recognizer for member in members]
    return Problem(
        adversary=chosen_adversary(recognizers, [member.enrolment[None] for member in members], config),
        probes=WearerProbes(subject.face, members, bank),
        canvas=on_picture(chosen_canvas(config), config),
        design=config.design,
        seed=config.seed,
        control=chosen_control(config),
    )


def _write_design(
    run: Run, problem: Problem, state: DesignState, subject: Subject, worn: WornMask, pattern: MaskPattern
) -> None:
    pixels = texture_pixels(problem.canvas.finished(state.best_parameters))
    write_image(run.texture, pixels)
    write_bytes(run.worn_glb, worn_glb(head_with_loops(subject.face, worn, pattern), worn, pattern, pixels))
