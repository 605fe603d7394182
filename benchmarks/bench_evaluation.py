"""What a test on real photos costs, as `python -m benchmarks.measure_evaluation` last wrote it."""

from __future__ import annotations

import json
from pathlib import Path

RESULTS = Path(__file__).parents[1] / "docs" / "evaluation" / "cost.json"
PAIRS, TEXTURES, RECOGNIZERS = 600, 8, 3


def figures() -> dict[str, dict]:
    """Minutes at the goal's size, and growth of memory from the fewest pairs to the most; else not measured."""
    rows = json.loads(RESULTS.read_text())["rows"] if RESULTS.exists() else []
    minutes = [
        row["wall_s"] / 60
        for row in rows
        if row["pairs"] >= PAIRS and row["textures"] >= TEXTURES and row["recognizers"] >= RECOGNIZERS
    ]
    growth = rows[-1]["largest_process_mib"] / rows[0]["largest_process_mib"] if len(rows) > 1 else None
    return {
        "evaluation_of_600_pairs": _figure(min(minutes, default=None), 15, "minutes"),
        "evaluation_memory_growth": _figure(growth, 1.1, "ratio"),
    }


def _figure(value: float | None, goal: float, unit: str) -> dict:
    return {"value": value, "goal": goal, "better": "lower", "unit": unit, "issue": "recognition"}
