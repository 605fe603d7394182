"""One step of a design: hyper-parameters, explicit state, pure functions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from maskdesign.errors import ConfigError
from maskdesign.mask.pattern import MaskPattern
from maskdesign.optimize.ensemble import Probe, ProbeSource, probe_margins
from maskdesign.optimize.objective import ObjectiveSettings, objective
from maskdesign.optimize.queries import estimate_gradient
from maskdesign.optimize.texture import TextureStyle, initial_parameters, texture_from_parameters
from maskdesign.recognition.recognizer import Recognizer

VALIDATION_STREAM = 2**31 - 1
"""Step number under which the validation views are drawn; no design step ever has it."""


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
        recognizers: the ensemble.
        probes: pictures of whoever wears the mask; each one carries whom it claims to show.
        pattern, style, objective, design, seed: what is printed where, and how it is improved.
    """

    recognizers: tuple[Recognizer, ...]
    probes: ProbeSource
    pattern: MaskPattern
    style: TextureStyle
    objective: ObjectiveSettings
    design: DesignSettings
    seed: int


@dataclass(frozen=True)
class DesignState:
    """Everything that changes.

    Attributes:
        parameters, first_moment, second_moment: (K, rows, columns), the texture's logits and Adam's moments.
        best_parameters: a copy of the parameters with the lowest validation loss so far.
        best_loss: that loss; infinite before the first validation.
        step: steps done.
    """

    parameters: Tensor
    first_moment: Tensor
    second_moment: Tensor
    best_parameters: Tensor
    best_loss: float
    step: int


def initial_state(problem: Problem) -> DesignState:
    """State before the first step."""
    parameters = initial_parameters(problem.style, problem.pattern, problem.seed)
    zeros = torch.zeros_like(parameters)
    return DesignState(parameters, zeros, zeros.clone(), parameters.clone(), math.inf, 0)


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
    probes = problem.probes.probes(state.step, settings.views_per_step)
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
    """Measure the texture on the fixed validation views and keep a copy of it where it is the best so far."""
    count = problem.design.validation_views
    # Drawn like the design's views, but from a stream of their own: no gradient ever sees them.
    probes, loss = problem.probes.fixed_probes(VALIDATION_STREAM, count), 0.0
    for start in range(0, count, problem.design.views_per_step):
        part = probes[start : start + problem.design.views_per_step]
        with torch.no_grad():
            loss += _loss(problem, state.parameters, part)[0].item() * len(part) / count
    if loss < state.best_loss:
        state = replace(state, best_parameters=state.parameters.clone(), best_loss=loss)
    return state, {"validation_loss": loss, "best_loss": state.best_loss}


def _loss(problem: Problem, parameters: Tensor, probes: Sequence[Probe]) -> tuple[Tensor, Tensor]:
    texture = texture_from_parameters(problem.style, problem.pattern, parameters, problem.style.texel_mm)
    margins = probe_margins(problem.recognizers, probes, texture)
    return objective(margins, texture, problem.objective), margins


def _margin_figures(problem: Problem, margins: Tensor) -> dict[str, float]:
    names = [recognizer.spec.name for recognizer in problem.recognizers]
    return {f"margin_{name}": value for name, value in zip(names, margins.detach().mean(dim=1).tolist(), strict=True)}
