"""One design step against the recognizers alone, on the same crops, in one process on one thread."""

from __future__ import annotations

import time
from collections.abc import Callable

import torch

from maskdesign.faces.head import builtin_face
from maskdesign.faces.scan import FaceScan
from maskdesign.jobs.config import JobConfig
from maskdesign.jobs.stages import enroll_all, scene_at
from maskdesign.mask.drape import drape_mask
from maskdesign.optimize.adversary import MarginFusion
from maskdesign.optimize.canvas import Texels
from maskdesign.optimize.ensemble import WearerProbes, landmark_pixels
from maskdesign.optimize.step import Problem, design_step, initial_state
from maskdesign.recognition.align import align_faces
from maskdesign.recognition.recognizer import Recognizer
from maskdesign.recognition.registry import load_recognizers
from maskdesign.recognition.score import margins, scores
from maskdesign.render.bank import ShotBank
from maskdesign.render.renderer import develop_shots

FLOOR_EVERY = 20


def figures() -> dict[str, dict]:
    """A whole design of the default length, its validations left out, against the recognizers it has to ask."""
    torch.set_num_threads(1)
    problem = _problem()
    state = initial_state(problem)
    design_step(problem, state)  # numba compiles here
    problem = _problem()
    alone = _recognizers_alone(problem, state)
    alone()
    spent, floor = 0.0, []
    while state.step < problem.design.steps:
        started = time.process_time()
        state, _ = design_step(problem, state)
        spent += time.process_time() - started
        if state.step % FLOOR_EVERY == 0:
            # In turn with the steps, so that a drift of the machine's speed meets both.
            floor.append(_seconds(alone))
    ratio = spent / problem.design.steps / (sum(floor) / len(floor))
    return {
        "design_step_over_recognizers": {
            "value": ratio, "goal": 1.25, "better": "lower", "unit": "ratio", "issue": "render",
        },
        "design_step_milliseconds_a_view": {
            "value": 1000 * spent / problem.design.steps / problem.design.views_per_step,
            "goal": None, "better": "lower", "unit": "ms", "issue": "spine",
        },
    }  # fmt: skip


def _problem() -> Problem:
    return single_wearer_problem(builtin_face(), load_recognizers(None))


def single_wearer_problem(face: FaceScan, recognizers: list[Recognizer]) -> Problem:
    """The default design of one wearer, at one pleat opening."""
    config = JobConfig()
    scene = scene_at(face, drape_mask(face, config.mask, config.drape), config)
    members = enroll_all(face, recognizers, config)
    bank = ShotBank((scene,), config.views, config.render, config.seed, config.design.bank_steps)
    return Problem(
        adversary=MarginFusion(tuple(member.recognizer for member in members), config.objective),
        probes=WearerProbes(face, members, bank),
        canvas=Texels(config.texture, config.mask),
        design=config.design,
        seed=config.seed,
    )


def _recognizers_alone(problem: Problem, state) -> Callable[[], object]:
    """Forward and backward of every recognizer on the crops of the same views; the crops are made outside."""
    source = problem.probes
    shots = source.bank.shots(0, problem.design.views_per_step)
    views, crops = [shot.view for shot in shots], []
    with torch.no_grad():
        texture = problem.canvas.texture(state.parameters)
        images = develop_shots(shots, texture)
        for member in source.members:
            points = landmark_pixels(source.face, views, member.recognizer.spec.points)
            crops.append(align_faces(images, points, member.recognizer.spec))

    def work() -> None:
        for member, batch in zip(source.members, crops, strict=True):
            leaf, spec = batch.clone().requires_grad_(True), member.recognizer.spec
            value = margins(spec, scores(spec, member.recognizer.embed(leaf), member.enrolment)).sum()
            torch.autograd.grad(value, leaf)

    return work


def _seconds(work: Callable[[], object]) -> float:
    started = time.process_time()
    work()
    return time.process_time() - started
