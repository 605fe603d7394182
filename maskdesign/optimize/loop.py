"""The loop around the step: validation, journal, checkpoints; killed at any moment, it goes on bit for bit."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from maskdesign.errors import MaskdesignError, OutputError
from maskdesign.files import write_text
from maskdesign.optimize.checkpoint import load_tensors, save_tensors
from maskdesign.optimize.control import collapsed
from maskdesign.optimize.ensemble import check_ensemble
from maskdesign.optimize.step import VALIDATION_STREAM, DesignState, Problem, design_step, initial_state, validate
from maskdesign.progress import Progress

TENSORS = ("parameters", "first_moment", "second_moment", "best_parameters")
COUNTS = ("step", "restarts")
SIGNS = ("second_round", "handed_over")
MOST_RESTARTS = 3


def run_design(problem: Problem, checkpoint: Path, journal: Path, job_hash: str, progress: Progress) -> DesignState:
    """Design a texture from its checkpoint, or from the start, to the last step or until its control is content.

    Views are drawn from counters, so the state is all that a checkpoint holds, and an interrupted design
    ends with the same bits as an uninterrupted one.

    Args:
        checkpoint: safetensors file of this job, or a place for it.
        journal: `metrics.jsonl`, one JSON object a step.
        job_hash: what a checkpoint must carry to be continued.

    Raises:
        RunError: the checkpoint is damaged or of another job.
        OutputError: a file cannot be written.
        ConfigError, InputError: an ensemble of nobody, or one that disagrees on people.
        MaskdesignError: the loss is not finite, or every start collapses to one color.
    """
    check_ensemble(problem.adversary.recognizers, problem.probes.fixed_probes(VALIDATION_STREAM, 1))
    state = load_state(checkpoint, job_hash) or initial_state(problem)
    truncate_journal(journal, state.step)
    saved_at, total = time.monotonic(), problem.design.steps
    while state.step < total and not state.handed_over:
        state, figures = _advance(problem, state)
        if figures.get("collapsed"):
            progress.stage(f"The texture collapsed to one color; start {state.restarts + 1}, from another seed")
            truncate_journal(journal, 0)
        append_journal(journal, {"step": state.step, **figures})
        last = state.step == total or state.handed_over
        if last or time.monotonic() - saved_at > problem.design.checkpoint_seconds:
            save_state(checkpoint, state, job_hash)
            saved_at = time.monotonic()
        progress.advance(state.step, total, f"loss {figures['loss']:.3f}")
    return state


def _advance(problem: Problem, state: DesignState) -> tuple[DesignState, dict[str, float]]:
    state, figures = design_step(problem, state)
    if not math.isfinite(figures["loss"]):
        raise MaskdesignError(f"the loss became {figures['loss']} at step {state.step}; lower design.learning_rate")
    if state.step % problem.design.validate_every == 0 or state.step == problem.design.steps:
        if collapsed(problem.canvas.texture(state.parameters)):
            return _restarted(problem, state), {"loss": figures["loss"], "collapsed": state.restarts + 1}
        state, more = validate(problem, state)
        figures |= more
    return state, figures


def _restarted(problem: Problem, state: DesignState) -> DesignState:
    """A texture of one color protects nobody and is never a result."""
    if state.restarts == MOST_RESTARTS:
        raise MaskdesignError(
            f"the texture collapsed to one color from {MOST_RESTARTS + 1} seeds; lower objective.tv_weight or "
            "design.learning_rate"
        )
    return initial_state(problem, state.restarts + 1)


def save_state(path: Path, state: DesignState, job_hash: str) -> None:
    """Write a checkpoint atomically."""
    tensors = {name: getattr(state, name) for name in TENSORS}
    tensors["best_loss"] = torch.tensor(state.best_loss, dtype=torch.float64)
    tensors["rates"] = torch.tensor(state.rates, dtype=torch.float64)
    tensors |= {name: torch.tensor(getattr(state, name), dtype=torch.int64) for name in COUNTS + SIGNS}
    save_tensors(path, tensors, job_hash)


def load_state(path: Path, job_hash: str) -> DesignState | None:
    """Read a checkpoint; None where there is none."""
    tensors = load_tensors(path, job_hash)
    if tensors is None:
        return None
    arrays = {name: tensors[name] for name in TENSORS}
    counts = {name: int(tensors[name].item()) for name in COUNTS}
    signs = {name: bool(tensors[name].item()) for name in SIGNS}
    rates = tuple(tensors["rates"].tolist())
    return DesignState(**arrays, **counts, **signs, best_loss=tensors["best_loss"].item(), rates=rates)  # type: ignore[arg-type]


def append_journal(path: Path, line: Mapping[str, Any]) -> None:
    """Add one line; a torn last line is what a kill may leave, and `read_journal` skips it."""
    try:
        with path.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(line) + "\n")
    except OSError as error:
        raise OutputError(
            f"{path}: cannot be written ({error.strerror}); free some space or name another --out"
        ) from error


def read_journal(path: Path) -> list[dict[str, Any]]:
    """Every whole line of a journal."""
    if not path.exists():
        return []
    lines = []
    for text in path.read_text(encoding="utf-8").splitlines():
        try:
            lines.append(json.loads(text))
        except json.JSONDecodeError:
            continue
    return lines


def truncate_journal(path: Path, step: int) -> None:
    """Drop what was written after the checkpoint of `step`: those steps will be done again."""
    kept = [line for line in read_journal(path) if line.get("step", 0) <= step]
    write_text(path, "".join(json.dumps(line) + "\n" for line in kept))
