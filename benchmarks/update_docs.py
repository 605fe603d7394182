"""Copies what a finished run shows into docs/ and the README: pictures, figures, the table. `make docs` runs it."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SHOWN = ROOT / "docs" / "demo"
BEGIN, END = "<!-- demo table: written by `make docs` from a run -->", "<!-- end of demo table -->"


def main(run: Path) -> int:
    SHOWN.mkdir(parents=True, exist_ok=True)
    for name in ("face.png", "plain.png", "designed.png"):
        shutil.copy(run / "previews" / name, SHOWN / name)
    shutil.copy(run / "texture.png", SHOWN / "texture.png")
    evaluation = json.loads((run / "evaluation.json").read_text())
    evaluation.pop("scores")
    (SHOWN / "evaluation.json").write_text(json.dumps(evaluation, indent=1) + "\n")
    readme = ROOT / "README.md"
    readme.write_text(with_table(readme.read_text(), evaluation))
    return 0


def with_table(readme: str, evaluation: dict) -> str:
    before, _, rest = readme.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{table(evaluation)}\n{END}{after}"


def table(evaluation: dict) -> str:
    lines = [
        "| recognizer | texture | score | margin | FNMR at FMR 1e-2 | FNMR at FMR 1e-3 | 95 % interval |",
        "|---|---|---|---|---|---|---|",
    ]
    lines += [_row(row) for row in evaluation["rows"]]
    lines += ["", *(_gain(gain) for gain in evaluation["gains"] if gain["control"] == "plain blue")]
    for name, margin in evaluation["photo_margins"].items():
        lines.append(f"* {name}: the real photograph against the rendered head has a margin of {margin:+.2f}.")
    found = ", ".join(f"{name} {count}" for name, count in evaluation["faces_on_sheet"].items())
    lines.append(f"* Faces that detectors find on the flat sheet alone, in 8 pictures of it: {found}.")
    return "\n".join(lines)


def _row(row: dict) -> str:
    low, high = row["fnmr_1e3_ci"]
    bold = "**" if row["texture"] == "designed" else ""
    return (
        f"| {row['recognizer']} | {bold}{row['texture']}{bold} | {row['mean_score']:.3f} | {row['mean_margin']:+.2f} "
        f"| {row['fnmr_1e2']:.2f} | {row['fnmr_1e3']:.2f} | {low:.2f} to {high:.2f} |"
    )


def _gain(gain: dict) -> str:
    (low, high), (margin_low, margin_high) = gain["fnmr_1e3_ci"], gain["margin_ci"]
    return (
        f"* **{gain['recognizer']}: {gain['fnmr_1e3']:+.2f} FNMR over a {gain['control']} mask** "
        f"[{low:+.2f}, {high:+.2f}], margin lower by {gain['margin']:.2f} [{margin_low:.2f}, {margin_high:.2f}]."
    )


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1] if len(sys.argv) > 1 else "runs/demo")))
