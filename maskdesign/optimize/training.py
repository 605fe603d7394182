"""Training a network: a flat state, a step that sums over processes, checkpoints; killed at any moment, it goes on."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, distributed, nn

from maskdesign.errors import ConfigError, MaskdesignError
from maskdesign.optimize.checkpoint import load_tensors, save_tensors
from maskdesign.optimize.step import adam_update
from maskdesign.progress import Progress

CHECKPOINT_SECONDS = 10.0
Loss = Callable[[int, int], Tensor]
"""From a step and the number of a part of its batch to the scalar loss of the network as it is now."""


@dataclass(frozen=True)
class TrainingSettings:
    """Length and pace; the mask template paper (after DCGAN) trains with Adam, rate 2e-4 and beta1 0.5.

    Attributes:
        steps: updates of the parameters.
        learning_rate, beta1: of Adam.
        final_share: what is left of the learning rate at the end, along half a cosine.
        warm_up: steps in which the learning rate rises from 0.
        ridge: weight of the squared parameters (the mask template paper's Eq 5).
        parts: pieces of a step's batch, each with batch norm of its own; processes share them out, so that their number
            changes nothing but the order of a sum.
    """

    steps: int = 300
    learning_rate: float = 2e-4
    beta1: float = 0.5
    final_share: float = 1.0
    warm_up: int = 0
    ridge: float = 0.0
    parts: int = 1

    def __post_init__(self) -> None:
        if self.steps < 1 or self.learning_rate <= 0 or not 0 <= self.beta1 < 1 or self.ridge < 0:
            raise ConfigError("training: steps >= 1, learning_rate > 0, 0 <= beta1 < 1 and ridge >= 0 are needed")
        if not 0 < self.final_share <= 1 or self.warm_up < 0 or self.parts < 1:
            raise ConfigError("training: final_share in (0, 1], warm_up >= 0 and parts >= 1 are needed")


@dataclass(frozen=True)
class TrainingState:
    """Everything that changes: parameters and Adam's moments, (P,) each, buffers (Q,), and the steps done."""

    parameters: Tensor
    first: Tensor
    second: Tensor
    buffers: Tensor
    step: int


def train(
    network: nn.Module,
    loss_at: Loss,
    settings: TrainingSettings,
    checkpoint: Path,
    job_hash: str,
    progress: Progress,
) -> None:
    """Train a network in place, from its checkpoint or from the start.

    Under torch.distributed every process does its share of the parts, and the first one writes the checkpoints.

    Args:
        loss_at: what is random in it comes from its arguments.
        checkpoint: safetensors file of this job, or a place for it.
        job_hash: what a checkpoint must carry to be continued.

    Raises:
        RunError: the checkpoint is damaged or of another job.
        OutputError: the checkpoint cannot be written; the one before is left as it was.
        MaskdesignError: the loss is not finite.
    """
    state, saved_at = _load(network, checkpoint, job_hash), time.monotonic()
    while state.step < settings.steps:
        state, loss = training_step(network, loss_at, settings, state)
        due = state.step == settings.steps or time.monotonic() - saved_at > CHECKPOINT_SECONDS
        if due and process_number() == 0:
            _save(checkpoint, state, job_hash)
            saved_at = time.monotonic()
        progress.advance(state.step, settings.steps, f"loss {loss:.4f}")
    _put(network, state)


def training_step(
    network: nn.Module, loss_at: Loss, settings: TrainingSettings, state: TrainingState
) -> tuple[TrainingState, float]:
    """One update, from the mean gradient over the parts; the network's own values are scratch.

    Returns:
        the next state and the mean loss.
    """
    sums = torch.zeros(len(state.parameters) + len(state.buffers) + 1, device=state.parameters.device)
    for part in range(process_number(), settings.parts, process_count()):
        _put(network, state)
        loss = loss_at(state.step, part)
        if not math.isfinite(loss.item()):
            raise MaskdesignError(f"the loss became {loss.item()} at step {state.step}; lower training.learning_rate")
        gradient = _flat(torch.autograd.grad(loss, list(network.parameters())))
        sums += torch.cat([gradient, buffers_to_vector(network), loss.detach().reshape(1)])
    if process_count() > 1:
        distributed.all_reduce(sums)
    gradient, buffers, loss = (sums / settings.parts).split([len(state.parameters), len(state.buffers), 1])
    gradient = gradient + 2 * settings.ridge * state.parameters
    rate = learning_rate_at(settings, state.step)
    moments = (state.first, state.second, state.step + 1, rate, settings.beta1)
    return TrainingState(*adam_update(state.parameters, gradient, *moments), buffers, state.step + 1), loss.item()


def learning_rate_at(settings: TrainingSettings, step: int) -> float:
    """Rise over the warm-up, then half a cosine down to the final share."""
    rise = min(1.0, (step + 1) / (settings.warm_up + 1))
    fallen = (1 - math.cos(math.pi * step / settings.steps)) / 2
    return settings.learning_rate * rise * (1 - (1 - settings.final_share) * fallen)


def process_count() -> int:
    """Processes that train together; 1 without torch.distributed."""
    return distributed.get_world_size() if distributed.is_available() and distributed.is_initialized() else 1


def process_number() -> int:
    """This one's number among them, from 0."""
    return distributed.get_rank() if process_count() > 1 else 0


def load_parameters(network: nn.Module, checkpoint: Path, job_hash: str) -> int:
    """Give a network the parameters of a checkpoint; returns the steps it was trained, 0 where there is no file."""
    state = _load(network, checkpoint, job_hash)
    _put(network, state)
    return state.step


def buffers_to_vector(network: nn.Module) -> Tensor:
    """(Q,) running means and variances, in the order of `network.buffers()`; counters of batches are left out."""
    buffers = _buffers(network)
    return _flat(buffers) if buffers else torch.zeros(0, device=next(network.parameters()).device)


def _flat(tensors: Iterable[Tensor]) -> Tensor:
    # Whatever their layout in memory, entries come in the order of their indices.
    return torch.cat([tensor.detach().reshape(-1) for tensor in tensors])


def _buffers(network: nn.Module) -> Sequence[Tensor]:
    return [buffer for buffer in network.buffers() if buffer.is_floating_point()]


@torch.no_grad()
def _put(network: nn.Module, state: TrainingState) -> None:
    # Copied, not replaced: the network's own layout in memory stays.
    sizes = [parameter.numel() for parameter in network.parameters()]
    for parameter, values in zip(network.parameters(), state.parameters.split(sizes), strict=True):
        parameter.copy_(values.reshape(parameter.shape))
    buffers = _buffers(network)
    for buffer, values in zip(buffers, state.buffers.split([b.numel() for b in buffers]), strict=True):
        buffer.copy_(values.reshape(buffer.shape))


def _load(network: nn.Module, checkpoint: Path, job_hash: str) -> TrainingState:
    tensors = load_tensors(checkpoint, job_hash)
    start = _flat(network.parameters())
    if tensors is None:
        return TrainingState(start, torch.zeros_like(start), torch.zeros_like(start), buffers_to_vector(network), 0)
    parts = {name: tensors[name].to(start.device) for name in ("parameters", "first", "second", "buffers")}
    return TrainingState(**parts, step=int(tensors["step"].item()))


def _save(checkpoint: Path, state: TrainingState, job_hash: str) -> None:
    tensors = {name: getattr(state, name).cpu() for name in ("parameters", "first", "second", "buffers")}
    save_tensors(checkpoint, {**tensors, "step": torch.tensor(state.step, dtype=torch.int64)}, job_hash)
