"""The counterpart of PrivacyMask's Table 1: its methods, this program's and controls on one ground."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from maskdesign.evaluation.controls import PLAIN_COLORS, random_texture
from maskdesign.evaluation.verification import people_interval
from maskdesign.jobs.config import JobConfig
from maskdesign.jobs.contest import Contest, designed_row, judged_row, open_contest, prepared_contest, worn_config
from maskdesign.jobs.ground import without_scores
from maskdesign.mask.accessories import EYEGLASSES, FOREHEAD_STICKER
from maskdesign.optimize.baselines.adversarial_mask import ADVERSARIAL_MASK
from maskdesign.optimize.baselines.advhat import ADVHAT
from maskdesign.optimize.baselines.detector_patch import DETECTOR_PATCH
from maskdesign.optimize.baselines.eyeglasses import GLASSES
from maskdesign.optimize.baselines.universal_patch import UNIVERSAL_PATCH
from maskdesign.optimize.texture import TextureStyle, grid_shape
from maskdesign.progress import Progress
from maskdesign.recognition.registry import load_recognizers
from maskdesign.run import locked

BASELINES = (ADVHAT, GLASSES, DETECTOR_PATCH, UNIVERSAL_PATCH, ADVERSARIAL_MASK)
WORN = (None, FOREHEAD_STICKER, EYEGLASSES)
OURS, WEARABLE = "this program", "this program, wearable repeat"


def compare_methods(
    folder: Path, people: int, config: JobConfig, out: Path, models_dir: Path | None, progress: Progress
) -> dict[str, Any]:
    """Design with every method for the same people and judge all of them on the same tested people.

    Args:
        folder: photos as PERSON/PERSON_0001.jpg, and pairs.txt.
        people: to design for.
        config: `recognizers` are those that designs meet; the others at hand are left out and only judge.
        out: folder of the comparison; the same call goes on there.

    Returns:
        one row a method and control, and this program's gain over each of them.

    Raises:
        MaskdesignError: anything a user can cause, in one line with the remedy.
    """
    every = load_recognizers(models_dir, config.recognizers)
    run = open_contest(folder, people, config, out, every)
    with locked(run):
        contest = prepared_contest(run, folder, people, config, models_dir, every, WORN, progress)
        rows = []
        progress.stage("Methods")
        for number, row in enumerate(_rows(contest)):
            rows.append(row)
            progress.advance(number + 1, len(BASELINES) + 9, row["method"])
    shown = [row | {"recognizers": without_scores(row["recognizers"])} for row in rows]
    return {"met": list(contest.met), "steps": config.design.steps, "rows": shown, "gains": _gains(rows, contest)}


def _rows(contest: Contest) -> Iterator[dict[str, Any]]:
    yield judged_row(contest, "no mask", None, None)
    yield from control_rows(contest)
    ours = designed_row(contest, OURS, None)
    yield ours
    wearable = replace(contest, config=replace(contest.config, texture=TextureStyle()))
    yield designed_row(wearable, WEARABLE, None)
    for baseline in BASELINES:
        row = designed_row(contest, baseline.name, baseline)
        yield row
        # Whoever pays less for a step gets more of them.
        steps = round(row["steps"] * ours["cpu_s"] / row["cpu_s"])
        if steps > 1.25 * row["steps"]:
            longer = replace(contest.config, design=replace(contest.config.design, steps=steps))
            yield designed_row(replace(contest, config=longer), f"{baseline.name}, same CPU seconds", baseline)


def control_rows(contest: Contest) -> Iterator[dict[str, Any]]:
    """A plain and a random print on everything that is worn."""
    style = contest.config.texture
    for worn, title in zip(WORN, ("mask", "sticker", "frame"), strict=True):
        if worn not in contest.grounds:
            continue
        pattern = worn_config(contest.config, worn).mask
        height, width = grid_shape(pattern, style.texel_mm)
        plain = torch.tensor(PLAIN_COLORS["plain blue" if worn is None else "plain white"])
        plain_texture = plain[:, None, None].expand(3, height, width)
        yield judged_row(contest, f"plain {title}", worn, plain_texture)
        yield judged_row(contest, f"random {title}", worn, random_texture(replace(style, repeats=(1, 1)), pattern))


def _gains(rows: Sequence[dict[str, Any]], contest: Contest) -> list[dict[str, Any]]:
    """FNMR of this program minus that of every other row, paired over the tested people."""
    ours = next(row for row in rows if row["method"] == OURS)
    gains = []
    for row in rows:
        ground = contest.grounds[None]
        if row is ours or row["pairs"] != ours["pairs"]:
            continue
        for recognizer in ground.recognizers:
            spec = recognizer.spec
            missed = [np.array(r["recognizers"][spec.name]["scores"]) < spec.thresholds["1e-3"] for r in (ours, row)]
            owners = ground.pairs.people[ground.pairs.probe]
            gains.append(
                {
                    "method": row["method"],
                    "recognizer": spec.name,
                    "fnmr": float(missed[0].mean() - missed[1].mean()),
                    "fnmr_ci": people_interval(missed, owners, contest.config.photos.bootstrap_rounds),
                }
            )
    return gains
