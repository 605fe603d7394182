"""PrivacyMask's experiment A (its Figs 14 and 15) on recognizers that exist here: attention against plain averaging."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from itertools import product
from pathlib import Path
from typing import Any

from maskdesign.config import config_hash, to_toml
from maskdesign.evaluation.trials import Trial, lost_by_joining, paired_differences, summary_rows
from maskdesign.files import write_json
from maskdesign.jobs.config import JobConfig
from maskdesign.jobs.ground import (
    FREE_STYLE,
    Ground,
    choose_people,
    judge_texture,
    of_recognizers,
    prepare_ground,
    without_scores,
)
from maskdesign.jobs.groups import group_problem
from maskdesign.jobs.stages import chosen_recognizers
from maskdesign.jobs.universal import store_beside
from maskdesign.optimize.loop import read_journal, run_design
from maskdesign.progress import Progress, Silent
from maskdesign.recognition.recognizer import Recognizer
from maskdesign.recognition.registry import load_recognizers
from maskdesign.run import Run, begin_run, locked

SETTINGS = (
    *FREE_STYLE,
    "design.steps=80",
    "design.views_per_step=6",
    "design.validate_every=5",
    "design.validation_views=32",
    "photos.validation_people=16",
    "photos.test_people=50",
    "photos.pairs_per_person=1",
)
"""What this experiment changes in the defaults; settings of one's own win."""
FUSIONS = ("averaging", "attention")
ABLATED = "attention on recognizers only"
"""Attention that is paid neither to features nor to regions: tells which of the three does the work."""
DEFAULT = "the default of a design"
"""Averaging that heeds the worst recognizer more (`objective.worst_weight`): what `design` does by itself."""
SMALLER_SEEDS, ABLATED_SEEDS = 1, 2
"""Most designs of a kind on fewer recognizers than all, and of ablation and default: many seeds are for the main
question."""


def compare_attention(
    folder: Path, people: int, seeds: int, config: JobConfig, out: Path, models_dir: Path | None, progress: Progress
) -> dict[str, Any]:
    """Design with both fusions, on each recognizer alone, on the first two and on all, from several seeds.

    Every design has the same people, photos, steps and views; both fusions of a seed begin with the same noise. Time to
    the interval is read from the looks at the validation people, everything else from people whom no design saw.

    Args:
        folder: photos as PERSON/PERSON_0001.jpg, and pairs.txt.
        people: to design for.
        seeds: designs of each kind; at most `SMALLER_SEEDS` of those on fewer recognizers than all, and
            `ABLATED_SEEDS` with attention on recognizers only and with a design's default.
        out: folder of the comparison; the same call goes on there.

    Raises:
        MaskdesignError: anything a user can cause, in one line with the remedy.
    """
    recognizers = chosen_recognizers(load_recognizers(models_dir, config.recognizers), config)
    choose_people(folder, people, config)
    job = {"people": people, "recognizers": {r.spec.name: r.spec.sha256 for r in recognizers}}
    run = begin_run(out, to_toml(config), job)
    with locked(run):
        ground = prepare_ground(folder, people, config, models_dir, recognizers, store_beside(out, config), progress)
        plans = planned(recognizers, seeds)
        progress.stage("Designs")
        trials = []
        for number, (seed, names, fusion) in enumerate(plans):
            progress.advance(number + 1, len(plans), f"{' + '.join(names)}, {fusion}, seed {seed}")
            trials.append(_trial(run, ground, names, fusion, _trial_config(config, names, fusion, seed)))
    return attention_figures(trials, ground, config)


def ensembles(recognizers: Sequence[Recognizer]) -> list[tuple[str, ...]]:
    """Each recognizer alone, the first two, and all."""
    names = tuple(recognizer.spec.name for recognizer in recognizers)
    return list(dict.fromkeys([*((name,) for name in names), names[:2], names]))


def planned(recognizers: Sequence[Recognizer], seeds: int) -> list[tuple[int, tuple[str, ...], str]]:
    """Seed, ensemble and fusion of every design, seed by seed."""
    plans = list(product(range(seeds), ensembles(recognizers), FUSIONS))
    whole = ensembles(recognizers)[-1]
    kept = [plan for plan in plans if plan[0] < SMALLER_SEEDS or plan[1] == whole]
    ablated = range(min(seeds, ABLATED_SEEDS)) if len(recognizers) > 1 else ()
    return [*kept, *((seed, whole, fusion) for fusion in (ABLATED, DEFAULT) for seed in ablated)]


def _trial_config(config: JobConfig, names: tuple[str, ...], fusion: str, seed: int) -> JobConfig:
    plain = fusion == "averaging"
    attention = config.attention
    if fusion == ABLATED:
        attention = replace(attention, feature_weight=0.0, region=0.0)
    return replace(
        config,
        recognizers=names,
        seed=config.seed + seed,
        fusion="mean" if plain or fusion == DEFAULT else "attention",
        attention=attention,
        # Plain averaging heeds nobody more than anybody else.
        objective=replace(config.objective, worst_weight=0.0) if plain else config.objective,
    )


def _trial(run: Run, ground: Ground, names: tuple[str, ...], fusion: str, config: JobConfig) -> Trial:
    folder = run.path("trials") / f"{'+'.join(names)}-{fusion.replace(' ', '-')}-{config.seed}"
    path = folder / "trial.json"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        write_json(path, asdict(_designed(folder, ground, names, fusion, config)))
    return from_trial(json.loads(path.read_text()))


def from_trial(values: dict[str, Any]) -> Trial:
    """A trial from its JSON."""
    return Trial(**values | {"ensemble": tuple(values["ensemble"]), "rates": tuple(map(tuple, values["rates"]))})


def _designed(folder: Path, ground: Ground, names: tuple[str, ...], fusion: str, config: JobConfig) -> Trial:
    met, own = of_recognizers(ground, names), Run(folder)
    problem = group_problem(met.design, met.held_out, met.recognizers, config)
    done, cpu = len(read_journal(own.metrics)), time.process_time()
    state = run_design(problem, own.checkpoint, own.metrics, config_hash(config), Silent())
    spent = time.process_time() - cpu
    looks = [line for line in read_journal(own.metrics) if "validation_loss" in line]
    texture = problem.canvas.texture(state.best_parameters).detach()
    return Trial(
        ensemble=names,
        fusion=fusion,
        seed=config.seed,
        steps=tuple(look["step"] for look in looks),
        rates=tuple(tuple(look[f"fnmr_{name}"] for name in names) for look in looks),
        cpu_s_per_step=spent / max(1, state.step - done),
        test=judge_texture(ground, texture, config.photos.bootstrap_rounds),
    )


def attention_figures(trials: Sequence[Trial], ground: Ground, config: JobConfig) -> dict[str, Any]:
    """Everything that the experiment says, for JSON."""
    rows = summary_rows(trials, config.control)
    return {
        "people": {
            "design": int(ground.design.people.max()) + 1,
            "validation": int(ground.held_out.people.max()) + 1,
            "tested": len(set(ground.pairs.people.tolist())),
            "pairs": len(ground.pairs.probe),
        },
        "steps": config.design.steps,
        "views_per_step": config.design.views_per_step,
        "interval": [config.control.lowest, config.control.highest],
        "rows": rows,
        "attention_minus_averaging": paired_differences(trials, config.control, "attention", "averaging"),
        "ablated_minus_averaging": paired_differences(trials, config.control, ABLATED, "averaging"),
        "default_minus_averaging": paired_differences(trials, config.control, DEFAULT, "averaging"),
        "lost_by_joining": lost_by_joining(rows),
        "trials": [asdict(replace(trial, test=without_scores(trial.test))) for trial in trials],
    }
