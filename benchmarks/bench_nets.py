"""The project's own surrogates, as `python -m benchmarks.measure_nets` last wrote them."""

from __future__ import annotations

import json
from pathlib import Path

RESULTS = Path(__file__).parents[1] / "docs" / "nets.json"
GOALS = {"accuracy": 0.96, "tpr_1e3": 0.70, "masked_tpr_1e3": 0.45}
MILLISECONDS, GAIN = 25.0, 0.20


def figures() -> dict[str, dict]:
    """Rates and cost of each shipped net, and what designing against it adds on the recognizers left out."""
    measured = json.loads(RESULTS.read_text())
    found: dict[str, dict] = {}
    for name, one in measured["recognizers"].items():
        if not one["surrogate"]:
            continue
        for key, goal in GOALS.items():
            found[f"{name}_{key}"] = _figure(one[key], goal, "higher", "share")
        found[f"{name}_milliseconds"] = _figure(one["milliseconds"], MILLISECONDS, "lower", "ms/image")
        found |= _gains(measured, f"free-dlib+{name}", f"{name}_adds", {"dlib", name})
    own = [name for name, one in measured["recognizers"].items() if one["surrogate"]]
    if len(own) > 1:
        found |= _gains(measured, "+".join(["free-dlib", *own]), "shipped_nets_add", {"dlib", *own})
    return found


def _gains(measured: dict, design: str, title: str, used: set[str]) -> dict[str, dict]:
    """What a design dodges more than the one on dlib alone, by recognizers that it did not use."""
    rows = {name: row for name, row in measured["designs"].get(design, {}).items() if name not in used}
    return {
        f"{title}_to_the_design_on_{name}": _figure(row["more_than_dlib_alone"], GAIN, "higher", "share")
        for name, row in rows.items()
        if "more_than_dlib_alone" in row
    }


def _figure(value: float, goal: float, better: str, unit: str) -> dict:
    return {"value": value, "goal": goal, "better": better, "unit": unit, "issue": "ensemble"}
