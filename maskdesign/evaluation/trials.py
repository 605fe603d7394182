"""Trials of one design from several seeds: when each reached its interval, where it ended, how far seeds scatter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from maskdesign.optimize.control import ControlSettings, reached_interval, weakest


@dataclass(frozen=True)
class Trial:
    """One design.

    Attributes:
        ensemble: names of the recognizers that it met.
        fusion: how they were fused.
        seed: of texture, order of the photos and jitter.
        steps: of each look at the validation people.
        rates: FNMR of each recognizer of the ensemble at each look.
        cpu_s_per_step: CPU time of a step, its share of the looks included.
        test: recognizer -> "fnmr", "margin" and more on the tested people.
    """

    ensemble: tuple[str, ...]
    fusion: str
    seed: int
    steps: tuple[int, ...]
    rates: tuple[tuple[float, ...], ...]
    cpu_s_per_step: float
    test: Mapping[str, Mapping[str, Any]]


def step_of_interval(trial: Trial, control: ControlSettings) -> int | None:
    """The step at which every recognizer was in the interval or above it and none had jumped there; None for never."""
    before: tuple[float, ...] = ()
    for step, now in zip(trial.steps, trial.rates, strict=True):
        if reached_interval(control, before, now):
            return step
        before = now
    return None


def summary_rows(trials: Sequence[Trial], control: ControlSettings) -> list[dict[str, Any]]:
    """One row for each ensemble and fusion, over the seeds."""
    groups = dict.fromkeys((trial.ensemble, trial.fusion) for trial in trials)
    return [_row([t for t in trials if (t.ensemble, t.fusion) == group], control) for group in groups]


def _row(trials: Sequence[Trial], control: ControlSettings) -> dict[str, Any]:
    first, found = trials[0], [step_of_interval(trial, control) for trial in trials]
    # A design that never came there took at least all its steps: means are lower bounds then.
    steps = [trial.steps[-1] if step is None else step for trial, step in zip(trials, found, strict=True)]
    seconds = [step * trial.cpu_s_per_step for trial, step in zip(trials, steps, strict=True)]
    worst = [weakest([trial.test[name]["fnmr"] for name in first.ensemble]) for trial in trials]
    margins = [max(trial.test[name]["margin"] for name in first.ensemble) for trial in trials]
    return {
        "ensemble": list(first.ensemble),
        "fusion": first.fusion,
        "seeds": len(trials),
        "reached": sum(step is not None for step in found),
        "steps_to_interval": _spread(steps),
        "cpu_s_to_interval": _spread(seconds),
        "weakest_fnmr": _spread(worst),
        "weakest_margin": _spread(margins),
        "test_fnmr": {name: _spread([trial.test[name]["fnmr"] for trial in trials]) for name in first.test},
    }


def _spread(values: Sequence[float]) -> dict[str, float]:
    return {"mean": float(np.mean(values)), "sd": float(np.std(values, ddof=1)) if len(values) > 1 else 0.0}


def paired_differences(trials: Sequence[Trial], control: ControlSettings, one: str, other: str) -> list[dict[str, Any]]:
    """`one` fusion minus the `other`, seed by seed, for each ensemble: both begin with the same noise and photos."""
    known = {(trial.ensemble, trial.seed, trial.fusion): trial for trial in trials}
    rows = []
    for ensemble in dict.fromkeys(trial.ensemble for trial in trials):
        seeds = [s for e, s, f in known if e == ensemble and f == one and (ensemble, s, other) in known]
        pairs = [(known[ensemble, seed, one], known[ensemble, seed, other]) for seed in seeds]
        if pairs:
            rows.append(_difference(ensemble, pairs, control))
    return rows


def _difference(ensemble: Sequence[str], pairs: Sequence[tuple[Trial, Trial]], control: ControlSettings) -> dict:
    def steps(trial: Trial) -> int:
        return step_of_interval(trial, control) or trial.steps[-1]

    def fnmr(trial: Trial) -> float:
        return weakest([trial.test[name]["fnmr"] for name in ensemble])

    def margin(trial: Trial) -> float:
        return max(trial.test[name]["margin"] for name in ensemble)

    levels = [steps_to_common_level(a, b) for a, b in pairs]
    return {
        "ensemble": list(ensemble),
        "seeds": len(pairs),
        "step_ratio": float(sum(steps(a) for a, _ in pairs) / sum(steps(b) for _, b in pairs)),
        "common_level": float(np.mean([level for level, _, _ in levels])),
        "common_step_ratio": float(sum(one for _, one, _ in levels) / sum(other for _, _, other in levels)),
        "weakest_fnmr": _spread([fnmr(a) - fnmr(b) for a, b in pairs]),
        "weakest_margin": _spread([margin(a) - margin(b) for a, b in pairs]),
    }


def steps_to_common_level(one: Trial, other: Trial) -> tuple[float, int, int]:
    """The highest FNMR of the weakest recognizer that both trials reach, and the step at which each of them does."""
    curves = [[weakest(rates) for rates in trial.rates] for trial in (one, other)]
    level = min(max(curve) for curve in curves)
    places = [next(place for place, rate in enumerate(curve) if rate >= level) for curve in curves]
    return level, one.steps[places[0]], other.steps[places[1]]


def lost_by_joining(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """For each fusion and recognizer: mean FNMR of designs on it alone, and of those on the largest ensemble."""
    largest = max(len(row["ensemble"]) for row in rows)
    lost = []
    for row in rows:
        together = [r for r in rows if r["fusion"] == row["fusion"] and len(r["ensemble"]) == largest > 1]
        if len(row["ensemble"]) == 1 and together:
            name = row["ensemble"][0]
            alone, joined = (r["test_fnmr"][name]["mean"] for r in (row, together[0]))
            lost.append({"fusion": row["fusion"], "recognizer": name, "alone": alone, "together": joined})
    return lost
