"""Run every `bench_*.py` in a process of its own, one thread each, and write bench.json."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from maskdesign.files import write_json

HERE = Path(__file__).parent
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")


def main() -> int:
    wanted = sys.argv[1:] or sorted(path.stem.removeprefix("bench_") for path in HERE.glob("bench_*.py"))
    out = HERE.parent / "bench.json"
    figures = json.loads(out.read_text()) if out.exists() and sys.argv[1:] else {}
    for name in wanted:
        print(f"measuring {name} ...", file=sys.stderr)
        figures |= measure(name)
        write_json(out, figures)
    print_table(figures)
    return 0


def measure(name: str) -> dict[str, dict]:
    code = f"import json; from benchmarks.bench_{name} import figures; print('FIGURES' + json.dumps(figures()))"
    # Whole-command figures of the demo are wall time on every core, as a user sees them.
    environment = os.environ | ({} if name == "demo" else ONE_THREAD)
    done = subprocess.run([sys.executable, "-c", code], cwd=HERE.parent, env=environment, stdout=subprocess.PIPE)
    lines = [line for line in done.stdout.decode().splitlines() if line.startswith("FIGURES")]
    if done.returncode != 0 or not lines:
        raise SystemExit(f"benchmark {name} failed")
    return json.loads(lines[-1].removeprefix("FIGURES"))


def missed(figure: dict) -> bool:
    if figure["goal"] is None:
        return False
    if figure["value"] is None:
        return True
    return figure["value"] > figure["goal"] if figure["better"] == "lower" else figure["value"] < figure["goal"]


def print_table(figures: dict[str, dict]) -> None:
    for name, figure in sorted(figures.items(), key=lambda item: (not missed(item[1]), item[0])):
        sign = {"lower": "<=", "higher": ">="}[figure["better"]]
        goal = "" if figure["goal"] is None else f"{sign} {figure['goal']:g}"
        value = "not measured" if figure["value"] is None else f"{figure['value']:.4g}"
        print(f"{'MISSED' if missed(figure) else 'ok':<7}{name:<58}{value:>12} {figure['unit']:<12}{goal}")


if __name__ == "__main__":
    sys.exit(main())
