"""One design step against the recognizers alone, on the same crops, in one process on one thread."""

from __future__ import annotations

import time
from collections.abc import Callable

import torch

from maskdesign.faces.head import builtin_face
from maskdesign.jobs.config import JobConfig
from maskdesign.jobs.stages import scene_at
from maskdesign.mask.drape import drape_mask
from maskdesign.optimize.ensemble import Member, Wearer, landmark_pixels
from maskdesign.optimize.step import Problem, design_step, initial_state
from maskdesign.optimize.texture import texture_from_parameters
from maskdesign.recognition.align import align_faces
from maskdesign.recognition.registry import load_recognizers
from maskdesign.recognition.score import margins, scores
from maskdesign.render.distribution import sample_views
from maskdesign.render.renderer import render_views

ROUNDS = 7


def figures() -> dict[str, dict]:
    torch.set_num_threads(1)
    problem = _problem()
    state = initial_state(problem)
    step_seconds, floor_seconds = [], []
    for _ in range(ROUNDS):
        # In turn, so that a drift of the machine's speed meets both.
        step_seconds.append(_seconds(lambda: design_step(problem, state)))
        floor_seconds.append(_seconds(_recognizers_alone(problem, state)))
    return {
        "design_step_over_recognizers": {
            "value": min(step_seconds) / min(floor_seconds),
            "goal": 1.5,
            "better": "lower",
            "unit": "ratio",
            "issue": "spine",
        }
    }


def _problem() -> Problem:
    config, face = JobConfig(), builtin_face()
    scene = scene_at(face, drape_mask(face, config.mask, config.drape), config)
    members = tuple(Member(r, torch.zeros(r.spec.embedding_size) + 0.01) for r in load_recognizers(None))
    return Problem(
        wearer=Wearer(face, (scene,)),
        members=members,
        pattern=config.mask,
        style=config.texture,
        ranges=config.views,
        render=config.render,
        objective=config.objective,
        design=config.design,
        seed=config.seed,
    )


def _recognizers_alone(problem: Problem, state) -> Callable[[], object]:
    """Forward and backward of every recognizer on the crops of the same views; the crops are made outside."""
    views = sample_views(problem.ranges, problem.seed, 0, problem.design.views_per_step, 1)
    crops = []
    with torch.no_grad():
        texture = texture_from_parameters(problem.style, problem.pattern, state.parameters)
        images = render_views(problem.wearer.scenes, views, texture, problem.render)
        for member in problem.members:
            spec = member.recognizer.spec
            points = landmark_pixels(problem.wearer.face, views, spec.points)
            crops.append(align_faces(images, points, spec))

    def work() -> None:
        for member, batch in zip(problem.members, crops, strict=True):
            leaf = batch.clone().requires_grad_(True)
            spec = member.recognizer.spec
            value = margins(spec, scores(spec, member.recognizer.embed(leaf), member.enrolment)).sum()
            torch.autograd.grad(value, leaf)

    return work


def _seconds(work: Callable[[], object]) -> float:
    started = time.process_time()
    work()
    return time.process_time() - started
