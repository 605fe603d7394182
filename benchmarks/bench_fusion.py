"""Figures of the experiments, as the commands of docs/experiments.md last wrote them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

KEPT = Path(__file__).parents[1] / "docs" / "experiments"
LEAST_GAIN = 0.1
"""Of the free style on recognizers left out; a smaller one lies within the interval over people and has no shares."""
NO_FACE = "free, no face"
FACES = ("faces_on_sheet", "faces_on_worn_sheet")
OURS_NAMES = ("this program", "this program, wearable repeat")
NO_BASELINES = ("no mask", "plain ", "random ", *OURS_NAMES)


def figures() -> dict[str, dict]:
    """Every figure that issue 7 names; not measured where a file is missing."""
    found = {**_attention(_read("attention")), **_methods(_read("methods"))}
    found |= _styles([_read("styles"), *_read("styles-repeats")])
    found |= _transform_net(_read("transform-net"))
    return {name: dict(zip(("value", "goal", "better", "unit"), row, strict=True)) | {"issue": "fusion"}
            for name, row in found.items()}  # fmt: skip


def _read(name: str) -> Any:
    path = KEPT / f"{name}.json"
    return json.loads(path.read_text()) if path.exists() else None


def _attention(document: Any) -> dict[str, tuple]:
    """Of the ensemble of all recognizers."""
    whole = max(document["rows"], key=lambda row: len(row["ensemble"]))["ensemble"]
    rows = {row["fusion"]: row for row in document["rows"] if row["ensemble"] == whole}
    (paired,) = [row for row in document["attention_minus_averaging"] if row["ensemble"] == whole]
    spreads = [rows[fusion]["weakest_fnmr"]["sd"] for fusion in ("attention", "averaging")]
    lost = [row["alone"] - row["together"] for row in document["lost_by_joining"] if row["fusion"] == "attention"]
    # Where neither fusion ever arrives, all their steps are no time to the interval.
    arrived = any(rows[fusion]["reached"] for fusion in ("attention", "averaging"))
    ratio = paired["step_ratio"] if arrived else None
    return {
        "fusion_steps_to_interval_attention_over_averaging": (ratio, 0.8, "lower", "x"),
        "fusion_steps_to_common_fnmr_attention_over_averaging": (paired["common_step_ratio"], 0.8, "lower", "x"),
        "fusion_sd_of_weakest_fnmr_attention_over_averaging": (spreads[0] / spreads[1], 1.0, "lower", "x"),
        "fusion_weakest_margin_attention_minus_averaging": (paired["weakest_margin"]["mean"], 0.0, "lower", "margin"),
        "fusion_most_lost_from_one_to_three": (max(lost), 0.05, "lower", "FNMR"),
    }


def _methods(document: Any) -> dict[str, tuple]:
    """The gain over the baselines of the literature that is least: its value, and the lower end of its interval."""
    gains = [gain for gain in document["gains"] if not gain["method"].startswith(NO_BASELINES)]
    return {
        "fusion_least_gain_over_a_baseline": (min(gain["fnmr"] for gain in gains), 0.0, "higher", "FNMR"),
        "fusion_least_lower_bound_of_that_gain": (min(gain["fnmr_ci"][0] for gain in gains), 0.0, "higher", "FNMR"),
    }


def _styles(runs: Sequence[Mapping[str, Any]]) -> dict[str, tuple]:
    """Of the styles that show no detector more faces than a plain sheet, flat or worn, what is kept in the worst run.

    Of these styles the best one, picked on the tested people.
    """
    shown = {style for run in runs for style in run["styles"] if not faceless(run, style)}
    told = [run for run in runs if left_out_gain(run, "free") >= LEAST_GAIN]
    worst = [
        min(left_out_gain(run, style) / left_out_gain(run, "free") for run in told if style in run["styles"])
        for style in (told[0]["styles"] if told else ())
        if style not in shown
    ]
    own = min((left_out_gain(run, NO_FACE) / left_out_gain(run, "free") for run in told), default=None)
    held = sum(faceless(run, NO_FACE) for run in runs) / len(runs)
    return {
        "fusion_wearable_share_kept_on_left_out": (max(worst, default=None), 0.70, "higher", "share"),
        "fusion_no_face_style_share_kept_in_worst_run": (own, 0.70, "higher", "share"),
        "fusion_no_face_style_designs_without_a_face": (held, 1.0, "higher", "share"),
    }


def faceless(document: Mapping[str, Any], style: str) -> bool:
    """Whether no detector finds more faces on a style's sheet, flat or worn, than on the plain one's."""
    plain, own = (next(row for row in document["rows"] if row["method"] == name) for name in ("plain mask", style))
    # Haar takes a plain worn mask for a face in some views: folds and shadow, not the print.
    return all(found <= plain[count][name] for count in FACES for name, found in own[count].items())


def left_out(document: Mapping[str, Any]) -> list[str]:
    """Names of the recognizers that no design of a comparison met."""
    return [name for name in document["rows"][0]["recognizers"] if name not in document["met"]]


def left_out_gain(document: Mapping[str, Any], style: str) -> float:
    """FNMR over the strongest control, mean of the recognizers left out."""
    names = left_out(document)
    gains = [row["gain"] for row in document["kept"] if row["style"] == style and row["recognizer"] in names]
    return sum(gains) / len(names)


def _transform_net(document: Any) -> dict[str, tuple]:
    """The worse of both kinds of heads, landmarks off by 1 % of the distance of the outer eye corners."""
    rows = [by_noise["0.01"] for by_noise in document["kinds"].values()] if document else []
    pnp = "solvePnP, mean head, true camera"
    return {
        "fusion_transform_net_median": (_worst(rows, "T-Net"), 3.0, "lower", "degrees"),
        "fusion_solve_pnp_median": (_worst(rows, pnp), None, "lower", "degrees"),
    }


def _worst(rows: Sequence[Mapping[str, Any]], name: str) -> float | None:
    return max((row[name]["median_deg"] for row in rows), default=None)
