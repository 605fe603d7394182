"""Write the tables of the comparisons into docs/experiments.md, from the figures.json that `compare` leaves.

    python -m benchmarks.experiment_docs [--attention FOLDER] [--methods FOLDER] [--styles FOLDER] [--heads FOLDER]

`python -m benchmarks.measure_transform_net` writes the figures of the transform network itself.
Without a folder a table is written again from docs/experiments/*.json.
"""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path
from typing import Any

from maskdesign.evaluation.crossed import crossed_lines
from maskdesign.evaluation.method_tables import method_lines
from maskdesign.evaluation.style_tables import style_lines
from maskdesign.evaluation.trial_tables import attention_lines
from maskdesign.files import write_text

DOCS = Path(__file__).resolve().parents[1] / "docs"
PAGE, KEPT = DOCS / "experiments.md", DOCS / "experiments"
END = "<!-- end -->"


def pose_lines(figures: dict[str, Any]) -> list[str]:
    """Median angular error of T-Net and solvePnP, by kind of head and noise."""
    first = next(iter(figures["kinds"].values()))
    names = list(next(iter(first.values())))
    lines = [
        f"Median angular error in degrees, yaw within {figures['yaw_deg']:g} (beyond); {figures['views']} views of "
        f"{figures['heads']} heads each; noise in distances of the outer eye corners",
        "",
        f"| heads | noise | {' | '.join(names)} |",
        "| --- " * (len(names) + 2) + "|",
    ]
    for kind, by_noise in figures["kinds"].items():
        for noise, row in by_noise.items():
            cells = [f"{row[name]['median_deg']:.2f} ({row[name]['median_beyond_deg']:.2f})" for name in names]
            lines.append(f"| {kind} | {100 * float(noise):g} % | {' | '.join(cells)} |")
    return lines


TABLES = {
    "attention": attention_lines,
    "methods": method_lines,
    "styles": style_lines,
    "heads": crossed_lines,
    "transform-net": pose_lines,
}


def with_table(page: str, name: str, figures: dict[str, Any]) -> str:
    """The page with one block written anew; a page without it stays as it is."""
    begin = f"<!-- table: {name} -->\n"
    before, found, rest = page.partition(begin)
    if not found:
        return page
    return before + begin + "\n".join(TABLES[name](figures)) + "\n" + END + rest.partition(END)[2]


def without_scores(values: Any) -> Any:
    """Figures but for the single scores, which stay with the run."""
    if isinstance(values, dict):
        return {key: without_scores(value) for key, value in values.items() if key != "scores"}
    return [without_scores(value) for value in values] if isinstance(values, list) else values


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in TABLES:
        parser.add_argument(f"--{name}", type=Path, metavar="FOLDER")
    options = parser.parse_args()
    for name in TABLES:
        folder, kept = getattr(options, name.replace("-", "_")), KEPT / f"{name}.json"
        if folder is not None:
            write_text(kept, json.dumps(without_scores(json.loads((folder / "figures.json").read_text()))) + "\n")
            for plot in folder.glob("*.png"):
                shutil.copy(plot, KEPT / f"{name}-{plot.name}")
        if kept.exists():
            write_text(PAGE, with_table(PAGE.read_text(), name, json.loads(kept.read_text())))


if __name__ == "__main__":
    main()
