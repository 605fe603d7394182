"""The demo as a user runs it: wall time, memory, and the time of `--help`. No figure here is a ratio."""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

MASKDESIGN = [sys.executable, "-m", "maskdesign.cli.main"]


def figures() -> dict[str, dict]:
    help_seconds = min(_timed([*MASKDESIGN, "--help"]) for _ in range(5))
    with tempfile.TemporaryDirectory() as folder:
        demo_seconds = _timed([*MASKDESIGN, "demo", "--out", str(Path(folder) / "demo")])
    # Linux counts kibibytes; the largest child so far is the demo.
    demo_gib = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20
    return {
        "demo_minutes": _figure(demo_seconds / 60, 8, "min"),
        "demo_peak_memory": _figure(demo_gib, 6, "GiB"),
        "help_seconds": _figure(help_seconds, 0.5, "s"),
    }


def _timed(command: list[str]) -> float:
    started = time.monotonic()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.monotonic() - started


def _figure(value: float, goal: float, unit: str) -> dict:
    return {"value": value, "goal": goal, "better": "lower", "unit": unit, "issue": "spine"}
