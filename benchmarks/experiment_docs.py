"""Write the tables of the comparisons into docs/experiments.md, from the figures.json that `compare` leaves.

    python -m benchmarks.experiment_docs [--attention FOLDER] [--methods FOLDER] [--styles FOLDER] [--heads FOLDER]
        [--styles-repeats FOLDER FOLDER ...]

Repeats are `compare styles` with other seeds and other recognizers left out.
`python -m benchmarks.measure_transform_net` writes the figures of the transform network itself.
Without a folder a table is written again from docs/experiments/*.json.
"""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path
from typing import Any

from benchmarks.bench_fusion import FACES, KEPT, LEAST_GAIN, left_out, left_out_gain
from maskdesign.evaluation.crossed import crossed_lines
from maskdesign.evaluation.likeness import FLAT_PICTURES, WORN_PICTURES
from maskdesign.evaluation.method_tables import method_lines
from maskdesign.evaluation.style_tables import style_lines
from maskdesign.evaluation.trial_tables import attention_lines
from maskdesign.files import write_text

PAGE = KEPT.with_suffix(".md")
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


def repeat_lines(repeats: list[dict[str, Any]]) -> list[str]:
    """What each style gained and kept on the recognizers left out, and its faces, in every run of `compare styles`."""
    runs = [json.loads((KEPT / "styles.json").read_text()), *repeats]
    titles = [f"{' and '.join(left_out(run))} left out, seed {run['seed']}" for run in runs]
    header = ["style", *titles]
    rows = [[row["method"], *(_repeat_cell(run, row["method"]) for run in runs)] for row in runs[0]["rows"]]
    about = (
        "FNMR gained over the strongest control; share of the free gain kept [95 % over people], where that gain is at "
        f"least {LEAST_GAIN}; pictures with a face (of the detector that finds most): flat, of {FLAT_PICTURES}, and "
        f"worn, of {WORN_PICTURES}"
    )
    return [about, "", *("| " + " | ".join(row) + " |" for row in [header, ["---"] * len(header), *rows])]


def _repeat_cell(run: dict[str, Any], style: str) -> str:
    row = next((row for row in run["rows"] if row["method"] == style), None)
    if row is None:
        return "not designed"
    faces = " and ".join(str(max(row[count].values())) for count in FACES)
    if style not in run["styles"]:
        return faces
    (kept,) = [row for row in run["left_out"] if row["style"] == style]
    low, high = kept["share_ci"]
    told = left_out_gain(run, "free") >= LEAST_GAIN
    share = f"; {100 * kept['share']:.0f} % [{100 * low:.0f}, {100 * high:.0f}]" if told else ""
    return f"{left_out_gain(run, style):+.3f}{share}; {faces}"


SEVERAL = ("styles-repeats",)
"""Tables of more than one run."""
TABLES = {
    "attention": attention_lines,
    "methods": method_lines,
    "styles": style_lines,
    "styles-repeats": repeat_lines,
    "heads": crossed_lines,
    "transform-net": pose_lines,
}


def with_table(page: str, name: str, figures: Any) -> str:
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
        parser.add_argument(f"--{name}", type=Path, metavar="FOLDER", nargs="+" if name in SEVERAL else 1)
    options = parser.parse_args()
    for name in TABLES:
        folders, kept = getattr(options, name.replace("-", "_")), KEPT / f"{name}.json"
        if folders is not None:
            runs = [without_scores(json.loads((folder / "figures.json").read_text())) for folder in folders]
            write_text(kept, json.dumps(runs if name in SEVERAL else runs[0]) + "\n")
            for plot in () if name in SEVERAL else folders[0].glob("*.png"):
                shutil.copy(plot, KEPT / f"{name}-{plot.name}")
        if kept.exists():
            write_text(PAGE, with_table(PAGE.read_text(), name, json.loads(kept.read_text())))


if __name__ == "__main__":
    main()
