"""Universal designs on real photos, as `python -m benchmarks.measure_universal` last wrote them."""

from __future__ import annotations

import json
from pathlib import Path

RESULTS = Path(__file__).parents[1] / "docs" / "evaluation" / "universal.json"
DESIGNED = "designed"


def figures() -> dict[str, dict]:
    """Figures of each style; not measured where the command has not been run."""
    designs = json.loads(RESULTS.read_text())["designs"] if RESULTS.exists() else {"free": {}, "repeat": {}}
    found: dict[str, dict] = {}
    for style, by_ensemble in designs.items():
        rows = [row for row in by_ensemble.get("all", {}).get("rows", []) if row["texture"] == DESIGNED]
        left_out = [
            gain for title, one in by_ensemble.items() if title != "all" for gain in one["gains"] if not gain["used"]
        ]
        seconds = [one["design_cpu_s"] for one in by_ensemble.values()]
        values = {
            "fnmr_1e3_of_the_weakest_member": (_least(row["fnmr_1e3"] for row in rows), 0.90, "higher", "share"),
            "fmr_1e3_under_the_mask": (_most(row["fmr_1e3"] for row in rows), 3e-3, "lower", "share"),
            "least_gain_on_a_left_out_one": (_least(g["fnmr_1e3"] for g in left_out), 0.25, "higher", "share"),
            "least_lower_bound_of_that_gain": (_least(g["fnmr_1e3_ci"][0] for g in left_out), 0.15, "higher", "share"),
            "design_cpu_seconds": (_most(seconds), 300, "lower", "s"),
        }
        for name, (value, goal, better, unit) in values.items():
            found[f"universal_{style}_{name}"] = {
                "value": value, "goal": goal, "better": better, "unit": unit, "issue": "recognition",
            }  # fmt: skip
    return found


def _least(values) -> float | None:
    return min(values, default=None)


def _most(values) -> float | None:
    return max(values, default=None)
