"""Training a network of the photo mode: a flat state and checkpoints; killed at any moment, it goes on bit for bit."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.utils import parameters_to_vector, vector_to_parameters

from maskdesign.errors import ConfigError, MaskdesignError
from maskdesign.optimize.checkpoint import load_tensors, save_tensors
from maskdesign.optimize.step import adam_update
from maskdesign.progress import Progress

CHECKPOINT_SECONDS = 10.0


@dataclass(frozen=True)
class TrainingSettings:
    """Length and pace; the paper (after DCGAN) trains with Adam, rate 2e-4 and beta1 0.5.

    Attributes:
        steps: one photo each.
        learning_rate, beta1: of Adam.
        ridge: weight of the squared parameters (the paper's Eq 5).
    """

    steps: int = 300
    learning_rate: float = 2e-4
    beta1: float = 0.5
    ridge: float = 0.0

    def __post_init__(self) -> None:
        if self.steps < 1 or self.learning_rate <= 0 or not 0 <= self.beta1 < 1 or self.ridge < 0:
            raise ConfigError("training: steps >= 1, learning_rate > 0, 0 <= beta1 < 1 and ridge >= 0 are needed")


@dataclass(frozen=True)
class TrainingState:
    """Everything that changes: parameters and Adam's moments, (P,) each, and the steps done."""

    parameters: Tensor
    first: Tensor
    second: Tensor
    step: int


def train(
    network: nn.Module,
    loss_at: Callable[[int], Tensor],
    settings: TrainingSettings,
    checkpoint: Path,
    job_hash: str,
    progress: Progress,
) -> None:
    """Train a network in place, from its checkpoint or from the start.

    Args:
        loss_at: step -> scalar loss of the network as it is now; what is random in it comes from the step.
        checkpoint: safetensors file of this job, or a place for it.
        job_hash: what a checkpoint must carry to be continued.

    Raises:
        RunError: the checkpoint is damaged or of another job.
        MaskdesignError: the loss is not finite.
    """
    state, saved_at = _load(network, checkpoint, job_hash), time.monotonic()
    vector_to_parameters(state.parameters, network.parameters())
    while state.step < settings.steps:
        loss = loss_at(state.step)
        if not math.isfinite(loss.item()):
            raise MaskdesignError(f"the loss became {loss.item()} at step {state.step}; lower training.learning_rate")
        gradient = parameters_to_vector(torch.autograd.grad(loss, list(network.parameters())))
        gradient = gradient + 2 * settings.ridge * state.parameters
        updated = adam_update(
            state.parameters,
            gradient,
            state.first,
            state.second,
            state.step + 1,
            settings.learning_rate,
            settings.beta1,
        )
        state = TrainingState(*updated, state.step + 1)
        vector_to_parameters(state.parameters, network.parameters())
        if state.step == settings.steps or time.monotonic() - saved_at > CHECKPOINT_SECONDS:
            _save(checkpoint, state, job_hash)
            saved_at = time.monotonic()
        progress.advance(state.step, settings.steps, f"loss {loss.item():.4f}")


def load_parameters(network: nn.Module, checkpoint: Path, job_hash: str) -> int:
    """Give a network the parameters of a checkpoint; returns the steps it was trained, 0 where there is no file."""
    state = _load(network, checkpoint, job_hash)
    vector_to_parameters(state.parameters, network.parameters())
    return state.step


def _load(network: nn.Module, checkpoint: Path, job_hash: str) -> TrainingState:
    tensors = load_tensors(checkpoint, job_hash)
    if tensors is None:
        start = parameters_to_vector(network.parameters()).detach()
        return TrainingState(start, torch.zeros_like(start), torch.zeros_like(start), 0)
    return TrainingState(tensors["parameters"], tensors["first"], tensors["second"], int(tensors["step"].item()))


def _save(checkpoint: Path, state: TrainingState, job_hash: str) -> None:
    tensors = {"parameters": state.parameters, "first": state.first, "second": state.second}
    save_tensors(checkpoint, {**tensors, "step": torch.tensor(state.step, dtype=torch.int64)}, job_hash)
