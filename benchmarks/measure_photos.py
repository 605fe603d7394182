"""How well the photo mode protects LFW's people of folds 7 and 8, whom no tuning ever saw (it used folds 1 to 6).

Draws people with at least two photos with a fixed seed and runs what `maskdesign compare photos` runs. Every person's
scores are kept, so an interrupted measurement goes on.

    python -m benchmarks.measure_photos PHOTOS --models DIR --out docs/photo-mode/figures.json [--people 40]
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from maskdesign.cli.terminal import shown_progress
from maskdesign.files import write_json
from maskdesign.jobs.compare_photos import compare_photos
from maskdesign.recognition.registry import load_recognizers

REPORT_FOLDS = (6, 7)
SEED = 20_409


def people_of_folds(path: Path, folds: Sequence[int]) -> list[tuple[str, int]]:
    """(name, number of photos) of the people in some folds, counted from 0, of people.txt."""
    lines = path.read_text().splitlines()
    blocks, start = [], 1
    for _ in range(int(lines[0])):
        count = int(lines[start])
        blocks.append([line.split("\t") for line in lines[start + 1 : start + 1 + count]])
        start += count + 1
    return [(name, int(photos)) for fold in folds for name, photos in blocks[fold]]


def report_people(folder: Path, wanted: int) -> list[tuple[str, list[Path]]]:
    """Name and photos of people for the report, drawn with a fixed seed."""
    people = [entry for entry in people_of_folds(folder / "people.txt", REPORT_FOLDS) if entry[1] >= 2]
    order = np.random.Generator(np.random.Philox(key=SEED)).permutation(len(people))[:wanted]
    return [
        (people[i][0], [folder / people[i][0] / f"{people[i][0]}_{n:04d}.jpg" for n in range(1, people[i][1] + 1)])
        for i in order
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", type=Path, metavar="PHOTOS")
    parser.add_argument("--models", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--people", type=int, default=40)
    parser.add_argument("--groups", nargs="*", default=(), help="together, left out, alone, others; all else")
    parser.add_argument("--cache", type=Path, default=Path("runs/photo-mode"))
    options = parser.parse_args()
    torch.set_num_threads(1)
    people, recognizers = report_people(options.photos, options.people), load_recognizers(options.models)
    with shown_progress() as progress:
        write_json(options.out, compare_photos(people, recognizers, options.cache, progress, options.groups))


if __name__ == "__main__":
    main()
