"""One step of a design: hyper-parameters, explicit state, pure functions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from maskdesign.errors import ConfigError
from maskdesign.optimize.adversary import Adversary
from maskdesign.optimize.canvas import Canvas
from maskdesign.optimize.control import ControlSettings, reached_interval
from maskdesign.optimize.ensemble import Probe, ProbeSource
from maskdesign.optimize.queries import estimate_gradient

VALIDATION_STREAM = 2**31 - 1
"""Step number under which the validation views are drawn; no design step ever has it."""

RESTART_STRIDE = 1_000_003
"""Between the seeds of two starts of one design."""


@dataclass(frozen=True)
class DesignSettings:
    """Length and pace of a design.

    Attributes:
        steps: optimization steps.
        views_per_step: random views rendered in each.
        bank_steps: steps after which poses, lights and openings come back; camera responses are always new.
        learning_rate, final_learning_rate: Adam's step at the start and at the end, falling geometrically.
        validation_views: fixed views on which the best texture is chosen.
        validate_every: steps between two validations.
        checkpoint_seconds: time between two checkpoints.
        query_pairs: 0 takes the exact gradient; n > 0 estimates it from 2 n answers a step, as black boxes need it.
        query_spread: how far those questions lie from the parameters.
        query_budget: most pictures that a design may show each recognizer; 0 sets no limit.
    """

    steps: int = 300
    views_per_step: int = 8
    bank_steps: int = 40
    learning_rate: float = 0.18
    final_learning_rate: float = 0.027
    validation_views: int = 24
    validate_every: int = 20
    checkpoint_seconds: float = 5.0
    query_pairs: int = 0
    query_spread: float = 0.3
    query_budget: int = 0

    def __post_init__(self) -> None:
        for name in ("steps", "views_per_step", "bank_steps", "validation_views", "validate_every"):
            if not 1 <= getattr(self, name) < VALIDATION_STREAM:
                raise ConfigError(f"design.{name} = {getattr(self, name)} must be at least 1")
        if not 0 < self.final_learning_rate <= self.learning_rate:
            raise ConfigError("design.final_learning_rate must be positive and at most design.learning_rate")
        if not 0 <= self.query_pairs < VALIDATION_STREAM or not self.query_spread > 0 or self.query_budget < 0:
            raise ConfigError("design.query_pairs and design.query_budget must not be negative, query_spread above 0")
        if 0 < self.query_budget < self.queries:
            raise ConfigError(
                f"this design shows each recognizer {self.queries} pictures, design.query_budget allows "
                f"{self.query_budget}; lower design.steps, query_pairs or views_per_step"
            )

    @property
    def queries(self) -> int:
        """Pictures that a whole design shows each recognizer: every step, and every validation."""
        validations = -(-self.steps // self.validate_every)
        return self.steps * self.views_per_step * (2 * self.query_pairs + 1) + validations * self.validation_views


@dataclass(frozen=True)
class Problem:
    """Everything that stays the same while a texture is designed, be it for one wearer or for many.

    Attributes:
        adversary: the recognizers, and how what they say becomes one loss.
        probes: pictures of whoever wears the mask; each one carries whom it claims to show.
        canvas: what the parameters stand for.
        design, seed: how the texture is improved.
        control: when to stop; None for all the steps.
        joined: pictures of the second round, in which new people join; None for a single round.
    """

    adversary: Adversary
    probes: ProbeSource
    canvas: Canvas
    design: DesignSettings
    seed: int
    control: ControlSettings | None = None
    joined: ProbeSource | None = None


@dataclass(frozen=True)
class DesignState:
    """Everything that changes.

    Attributes:
        parameters, first_moment, second_moment: the canvas's parameters and Adam's moments, of one shape.
        best_parameters: a copy of the parameters with the lowest validation loss so far.
        best_loss: that loss; infinite before the first validation.
        step: steps done.
        rates: each recognizer's FNMR on the validation views when they were last looked at.
        second_round: whether the new people have joined.
        handed_over: whether every recognizer's FNMR has reached its interval, so that nothing is left to do.
        restarts: how often the texture collapsed to one color and the design began again from another seed.
    """

    parameters: Tensor
    first_moment: Tensor
    second_moment: Tensor
    best_parameters: Tensor
    best_loss: float
    step: int
    rates: tuple[float, ...] = ()
    second_round: bool = False
    handed_over: bool = False
    restarts: int = 0


def initial_state(problem: Problem, restarts: int = 0) -> DesignState:
    """State before the first step; each restart begins from another seed."""
    parameters = problem.canvas.initial(problem.seed + RESTART_STRIDE * restarts)
    zeros = torch.zeros_like(parameters)
    return DesignState(parameters, zeros, zeros.clone(), parameters.clone(), math.inf, 0, restarts=restarts)


def adam_update(
    parameters: Tensor,
    gradient: Tensor,
    first: Tensor,
    second: Tensor,
    count: int,
    learning_rate: float,
    beta1: float = 0.9,
) -> tuple[Tensor, Tensor, Tensor]:
    """Adam (Kingma and Ba 2015, Algorithm 1) as a pure function, so that the state is all there is to save.

    Args:
        count: number of this update, from 1.
        beta1: decay of the first moment.

    Returns:
        new parameters, first and second moments.
    """
    beta2, epsilon = 0.999, 1e-8
    first = beta1 * first + (1 - beta1) * gradient
    second = beta2 * second + (1 - beta2) * gradient.square()
    corrected = second.sqrt() / math.sqrt(1 - beta2**count) + epsilon
    return parameters - learning_rate / (1 - beta1**count) * first / corrected, first, second


def learning_rate_at(settings: DesignSettings, step: int) -> float:
    """Geometric fall from the first step's rate to the last one's."""
    progress = step / max(1, settings.steps - 1)
    return settings.learning_rate * (settings.final_learning_rate / settings.learning_rate) ** progress


def design_step(problem: Problem, state: DesignState) -> tuple[DesignState, dict[str, float]]:
    """One update of the texture against fresh random views.

    Returns:
        the new state, and this step's figures: loss and each recognizer's mean margin.
    """
    settings = problem.design
    source = problem.joined if state.second_round and problem.joined is not None else problem.probes
    probes = source.probes(state.step, settings.views_per_step)
    slope = _estimated_slope if settings.query_pairs else _exact_slope
    loss, margins, gradient = slope(problem, state, probes)
    rate = learning_rate_at(settings, state.step)
    updated, first, second = adam_update(
        state.parameters, gradient, state.first_moment, state.second_moment, state.step + 1, rate
    )
    state = replace(state, parameters=updated, first_moment=first, second_moment=second, step=state.step + 1)
    return state, {"loss": loss.item(), **_margin_figures(problem, margins)}


def _exact_slope(problem: Problem, state: DesignState, probes: Sequence[Probe]) -> tuple[Tensor, Tensor, Tensor]:
    """Loss, margins and gradient."""
    parameters = state.parameters.clone().requires_grad_(True)
    loss, margins = _loss(problem, parameters, probes)
    return loss, margins, torch.autograd.grad(loss, parameters)[0]


@torch.no_grad()
def _estimated_slope(problem: Problem, state: DesignState, probes: Sequence[Probe]) -> tuple[Tensor, Tensor, Tensor]:
    """The same from answers alone; all questions of a step are about the same probes."""
    settings = problem.design
    gradient = estimate_gradient(
        lambda parameters: _loss(problem, parameters, probes)[0].item(),
        state.parameters,
        settings.query_pairs,
        settings.query_spread,
        problem.seed,
        state.step,
    )
    return *_loss(problem, state.parameters, probes), gradient


def validate(problem: Problem, state: DesignState) -> tuple[DesignState, dict[str, float]]:
    """Measure the texture on the fixed validation views and keep a copy of it where it is the best so far.

    With a control, a reached interval opens the second round, and in the last round hands the texture over to print.
    """
    # Drawn like the design's views, but from a stream of their own: no gradient ever sees them.
    loss, margins = _judged(problem, state.parameters, problem.design.validation_views)
    if loss < state.best_loss:
        state = replace(state, best_parameters=state.parameters.clone(), best_loss=loss)
    rates = tuple((margins < 0).double().mean(dim=1).tolist())
    figures = {"validation_loss": loss, "best_loss": state.best_loss}
    figures |= {f"fnmr_{name}": rate for name, rate in zip(_names(problem), rates, strict=True)}
    return _controlled(problem, state, rates), figures


@torch.no_grad()
def _judged(problem: Problem, parameters: Tensor, count: int) -> tuple[float, Tensor]:
    probes, texture = problem.probes.fixed_probes(VALIDATION_STREAM, count), problem.canvas.texture(parameters)
    loss, margins = 0.0, []
    for start in range(0, len(probes), problem.design.views_per_step):
        part = probes[start : start + problem.design.views_per_step]
        one, row = problem.adversary.judge(part, texture)
        loss += one.item() * len(part) / len(probes)
        margins.append(row)
    return loss, torch.cat(margins, dim=1)


def _controlled(problem: Problem, state: DesignState, rates: tuple[float, ...]) -> DesignState:
    before, state = state.rates, replace(state, rates=rates)
    if problem.control is None:
        return state
    reached, rounds = reached_interval(problem.control, before, rates), problem.joined is not None
    if rounds and not state.second_round:
        late = state.step >= problem.control.second_round_at * problem.design.steps
        return replace(state, second_round=reached or late)
    if reached:
        # What has reached the interval is handed over, not what had a lower loss before.
        return replace(state, handed_over=True, best_parameters=state.parameters.clone())
    return state


def _loss(problem: Problem, parameters: Tensor, probes: Sequence[Probe]) -> tuple[Tensor, Tensor]:
    return problem.adversary.judge(probes, problem.canvas.texture(parameters))


def _names(problem: Problem) -> list[str]:
    return [recognizer.spec.name for recognizer in problem.adversary.recognizers]


def _margin_figures(problem: Problem, margins: Tensor) -> dict[str, float]:
    means = margins.detach().mean(dim=1).tolist()
    return {f"margin_{name}": value for name, value in zip(_names(problem), means, strict=True)}
