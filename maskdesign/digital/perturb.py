"""The change under a face's template: momentum steps against recognizers, shaped and bounded by what an eye sees."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from maskdesign.digital.sight import STEADY, JitterRanges, Points, draw_jitter, view_margins
from maskdesign.digital.similarity import C2, RADIUS_PX, Reference, ssim_map
from maskdesign.errors import ConfigError
from maskdesign.optimize.ensemble import Member
from maskdesign.optimize.objective import ObjectiveSettings, attention_weights, hinge


@dataclass(frozen=True)
class Rung:
    """A budget of visibility.

    Attributes:
        name: of the strength.
        face_ssim: SSIM that the face's box keeps at least.
        max_change: largest change of a channel, in gray levels of 255.
    """

    name: str
    face_ssim: float
    max_change: float


LADDER = (Rung("faint", 0.98, 8.0), Rung("balanced", 0.96, 12.0), Rung("strong", 0.92, 20.0))
STRENGTHS = tuple(rung.name for rung in LADDER)


@dataclass(frozen=True)
class PerturbSettings:
    """Pace of the optimization of one face.

    Attributes:
        steps: on the first rung of the ladder; 0 leaves a network's change as it is.
        further_steps: on every further one, which starts from the last one's change.
        slack: margin beyond the threshold that is still pushed on.
        safe_margin: what every margin must fall below in every checked view before the climb stops.
        check_views: fresh random views of that check.
        momentum: share of the last steps in the next one.
        stride: root mean square of a step under the template, as a share of the rung's largest change.
    """

    steps: int = 24
    further_steps: int = 10
    slack: float = 0.6
    safe_margin: float = -0.1
    check_views: int = 3
    momentum: float = 0.9
    stride: float = 0.06

    def __post_init__(self) -> None:
        if min(self.steps, self.further_steps, self.check_views) < 0:
            raise ConfigError("perturb.steps, perturb.further_steps and perturb.check_views must not be negative")
        if not 0 <= self.momentum < 1 or self.stride <= 0:
            raise ConfigError("perturb.momentum must lie in [0, 1) and perturb.stride above 0")


@dataclass(frozen=True)
class FaceTask:
    """Everything that stays the same while one face is protected.

    Attributes:
        members: recognizers and the unchanged photo that they know.
        points_px: named landmarks in the working picture.
        eye: the unchanged working picture, (C, h, w) in [0, 255], prepared for SSIM.
        low, high: (C, h, w) values that a pixel may take; the unchanged ones outside the template.
        face: (h - 10, w - 10) bool, where `Rung.face_ssim` counts.
        gain: (C, h, w), how large a change the eye forgives at each pixel, relative.
    """

    members: tuple[Member, ...]
    points_px: Points
    eye: Reference
    low: Tensor
    high: Tensor
    face: Tensor
    gain: Tensor


def visual_gain(eye: Reference) -> Tensor:
    """Where texture hides a change: the inverse curvature of 1 - SSIM, up to a factor, (1, h, w).

    To second order the structure term of SSIM loses |change|^2 / (2 variance + C2), so that of all changes of equal
    SSIM the one along gradient x (variance + C2 / 2) moves the recognizers most. Each pixel takes the calmest window
    near it: beside an edge the variance is high, but a change of the calm skin there shows as a halo.
    """
    variance = functional.pad(eye.variance.mean(0)[None, None], (RADIUS_PX,) * 4, mode="replicate")
    calmest = -functional.max_pool2d(-variance, 7, stride=1, padding=3)
    return functional.avg_pool2d(calmest, 5, stride=1, padding=2, count_include_pad=False)[0] + C2 / 2


def changed(task: FaceTask, change: Tensor) -> Tensor:
    """The working picture with a change, inside its bounds."""
    return torch.minimum(torch.maximum(task.eye.pixels + change, task.low), task.high)


def face_ssim(task: FaceTask, image: Tensor) -> float:
    """SSIM in the box of the face."""
    with torch.no_grad():
        return ssim_map(task.eye, image)[task.face].mean().item()


def ascend(
    task: FaceTask, rung: Rung, settings: PerturbSettings, state: tuple[Tensor, Tensor], rng: np.random.Generator
) -> tuple[Tensor, Tensor]:
    """One step of a change away from the recognizers, kept within the rung.

    Args:
        state: change and momentum, (C, h, w) each.

    Returns:
        the same after the step.
    """
    change, momentum = state
    leaf = change.clone().requires_grad_(True)
    margins = view_margins(task.members, changed(task, leaf), task.points_px, draw_jitter(JitterRanges(), rng))
    goal = ObjectiveSettings(slack=settings.slack)
    losses = hinge(margins, goal)
    (gradient,) = torch.autograd.grad((attention_weights(losses, goal.worst_weight) * losses).sum(), leaf)
    momentum = settings.momentum * momentum + gradient / gradient.abs().mean().clamp_min(1e-12)
    free = task.high > task.low
    step = momentum * task.gain * free
    size = step.square().sum().div(free.sum()).sqrt().clamp_min(1e-12)
    change = change - settings.stride * rung.max_change * step / size
    return _within(task, rung, change), momentum


def _within(task: FaceTask, rung: Rung, change: Tensor) -> Tensor:
    change = change.clamp(-rung.max_change, rung.max_change)
    lost = 1 - face_ssim(task, changed(task, change))
    allowed = 1 - rung.face_ssim
    # 1 - SSIM grows with the square of a small change.
    return change if lost <= allowed else change * max(0.5, (allowed / lost) ** 0.5)


def fitted(task: FaceTask, rung: Rung, change: Tensor) -> Tensor:
    """The change in whole gray levels, as large as the rung allows: a bisection on its scale."""
    low, high = 0.0, 2.0
    for _ in range(10):
        middle = (low + high) / 2
        trial = _whole(rung, change * middle)
        low, high = (middle, high) if face_ssim(task, changed(task, trial)) >= rung.face_ssim else (low, middle)
    return _whole(rung, change * low)


def _whole(rung: Rung, change: Tensor) -> Tensor:
    return change.round().clamp(-rung.max_change, rung.max_change)


def worst_margins(task: FaceTask, change: Tensor, settings: PerturbSettings, rng: np.random.Generator) -> Tensor:
    """(R,) the highest margin of each recognizer over a steady view and fresh random ones."""
    views = [STEADY, *(draw_jitter(JitterRanges(), rng) for _ in range(settings.check_views))]
    with torch.no_grad():
        image = changed(task, change)
        return torch.stack([view_margins(task.members, image, task.points_px, view) for view in views]).amax(dim=0)


def climbed_rungs(
    task: FaceTask,
    rungs: Sequence[Rung],
    settings: PerturbSettings,
    rng: np.random.Generator,
    start: Tensor | None = None,
) -> Iterator[tuple[Rung, Tensor]]:
    """The best change on each rung, one after the other; each starts from the last one's.

    Args:
        start: (C, h, w) change to begin with, a network's; faint noise where None.

    Yields:
        the rung and the change, (C, h, w) in whole gray levels.
    """
    if start is None:
        start = faint_noise(task, rng)
    state = start, torch.zeros_like(start)
    for number, rung in enumerate(rungs):
        for _ in range(settings.further_steps if number else settings.steps):
            state = ascend(task, rung, settings, state, rng)
        yield rung, fitted(task, rung, state[0])


def faint_noise(task: FaceTask, rng: np.random.Generator) -> Tensor:
    """(C, h, w) noise of 2 gray levels under the template: at the unchanged photo itself there is no gradient."""
    noise = rng.normal(0, 2, tuple(task.eye.pixels.shape)).astype(np.float32)
    return torch.from_numpy(noise) * (task.high > task.low)


def climb(
    task: FaceTask,
    rungs: Sequence[Rung],
    settings: PerturbSettings,
    rng: np.random.Generator,
    start: Tensor | None = None,
) -> tuple[Rung, Tensor]:
    """Climb from the least visible rung until every recognizer is safely fooled, or the rungs end."""
    for rung, change in climbed_rungs(task, rungs, settings, rng, start):
        if rung == rungs[-1] or worst_margins(task, change, settings, rng).max().item() < settings.safe_margin:
            return rung, change
    raise ValueError("no rungs to climb")
