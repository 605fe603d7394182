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
        design = measured["designs"].get(f"free-dlib+{name}", {})
        for other, row in design.items():
            if other not in ("dlib", name):
                gain = row["more_than_dlib_alone"]
                found[f"{name}_adds_to_the_design_on_{other}"] = _figure(gain, GAIN, "higher", "share")
    return found


def _figure(value: float, goal: float, better: str, unit: str) -> dict:
    return {"value": value, "goal": goal, "better": better, "unit": unit, "issue": "ensemble"}
