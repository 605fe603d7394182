"""The drape: the built-in head at three openings, a symmetric head, and the worst figure over a population of heads.

The population is measured by `python benchmarks/measure_drapes.py`, which takes too long for here; its rows are read
from docs/drape-population.json.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from maskdesign.faces.head import builtin_face
from maskdesign.mask.drape import drape_mask
from maskdesign.mask.pattern import MaskPattern
from maskdesign.mask.settings import DrapeSettings
from maskdesign.mask.worn import WornMask
from tests.mask_heads import analytic_face

OPENINGS_MM = (95.0, 112.5, 130.0)
POPULATION = Path(__file__).parent.parent / "docs" / "drape-population.json"
GOALS = {
    "strain_rms": 0.005,
    "strain_p99": 0.02,
    "strain_max": 0.05,
    "penetration_mm": 0.1,
    "layer_violations": 0,
    "crossings": 0,
    "side_gap_mm": 10.0,
}
UNITS = {"penetration_mm": "mm", "layer_violations": "pairs", "crossings": "edges", "side_gap_mm": "mm"}


def figures() -> dict[str, dict]:
    face, pattern = builtin_face(), MaskPattern()
    drape_mask(face, pattern, DrapeSettings(opening_mm=OPENINGS_MM[0]))  # compiles
    worn = [drape_mask(face, pattern, DrapeSettings(opening_mm=opening)) for opening in OPENINGS_MM]
    rows = [
        {"opening_mm": opening, "figures": vars(mask.report)} for opening, mask in zip(OPENINGS_MM, worn, strict=True)
    ]
    symmetric = drape_mask(analytic_face(), pattern, DrapeSettings(opening_mm=115.0))
    return {
        **_worst("drape_builtin", rows),
        "drape_symmetric_head_left_right": _figure(_asymmetry_mm(symmetric), 1.0, "mm"),
        **_population(),
    }


def _figure(value: float, goal: float | None, unit: str) -> dict:
    return {"value": float(value), "goal": goal, "better": "lower", "unit": unit, "issue": "mask"}


def _worst(name: str, rows: Sequence[dict]) -> dict[str, dict]:
    """The worst of each figure over drapes."""
    reports = [row["figures"] for row in rows]
    worst = {f"{name}_{key}": _figure(max(r[key] for r in reports), GOALS[key], UNITS.get(key, "")) for key in GOALS}
    errors = [abs(row["figures"]["opening_mm"] - row["opening_mm"]) for row in rows]
    return worst | {
        f"{name}_area_error": _figure(max(abs(r["area_ratio"] - 1) for r in reports), 0.005, ""),
        f"{name}_opening_error": _figure(max(errors), None, "mm"),
        f"{name}_seconds": _figure(max(r["seconds"] for r in reports), 10.0, "s"),
    }


def _asymmetry_mm(worn: WornMask) -> float:
    columns = len(np.unique(worn.sheet_mm[:, 0]))
    surface = worn.mesh.vertices.reshape(-1, columns, 3)
    return float(np.linalg.norm(surface - surface[:, ::-1] * [-1, 1, 1], axis=2).max())


def _population() -> dict[str, dict]:
    if not POPULATION.exists():
        return {}
    rows = json.loads(POPULATION.read_text())["drapes"]
    settled = [row for row in rows if "refused" not in row["figures"]]
    worst = _worst("drape_population", settled)
    # They were measured beside other work, so their time says nothing.
    worst.pop("drape_population_seconds")
    heads = {row["head"] for row in rows}
    return worst | {
        "drape_population_heads": _figure(len(heads), 50, "heads") | {"better": "higher"},
        "drape_population_refused": _figure(len(rows) - len(settled), 0, "drapes"),
    }
