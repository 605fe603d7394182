"""What the search of sigma is worth: the paper's chimps, a plain search of equal length, and one sigma for all parts.

Each photo of LFW's folds 7 and 8 is changed as `protect` does; every search then takes back as much of the change as
still hides the face in the same views. Judged in views that no search saw.

    python -m benchmarks.measure_sigma PHOTOS --models DIR --out docs/photo-mode/sigma.json [--people 16]
"""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from benchmarks.measure_photos import report_people
from maskdesign.cli.terminal import shown_progress
from maskdesign.digital.chimp import SearchSettings, chimp_search, plain_search
from maskdesign.digital.face_task import face_task
from maskdesign.digital.perturb import LADDER, PerturbSettings, changed, climb, face_ssim, worst_margins
from maskdesign.digital.picture import read_picture
from maskdesign.digital.region import face_regions, working_picture
from maskdesign.digital.settings import ProtectSettings
from maskdesign.digital.sigma import SigmaTask, intercepted, searched_sigma, sigma_task, uniform_sigma
from maskdesign.digital.superposition import PARTS
from maskdesign.errors import FaceError
from maskdesign.evaluation.metrics import bootstrap_mean_interval
from maskdesign.files import write_json
from maskdesign.recognition.recognizer import Recognizer
from maskdesign.recognition.registry import load_recognizers

SEARCH, FRESH_VIEWS = SearchSettings(chimps=8, rounds=8), 8


def measure_photo(path: Path, recognizers: list[Recognizer]) -> dict[str, dict[str, float]]:
    """Way -> loss of SSIM in the face, highest margin in fresh views, and whether the face is hidden there."""
    rng = np.random.Generator(np.random.Philox(key=1))
    picture = read_picture(path)
    region = face_regions(picture, str(path))[0]
    settings = PerturbSettings()
    task, _ = face_task(region, working_picture(region, picture.rgb), recognizers, ProtectSettings(), rng)
    _, change = climb(task, LADDER, settings, rng)
    search = sigma_task(region, task, change, settings, rng)
    ways = {
        "sigma = 1": np.ones(len(PARTS)),
        "one sigma": uniform_sigma(search, 10),
        "plain search": searched_sigma(search, SEARCH, 1, plain_search),
        "chimps": searched_sigma(search, SEARCH, 1, chimp_search),
    }
    return {name: _judged(search, sigma) for name, sigma in ways.items()}


def _judged(search: SigmaTask, sigma: np.ndarray) -> dict[str, float]:
    change = intercepted(search.change, search.parts, sigma)
    fresh = PerturbSettings(check_views=FRESH_VIEWS)
    worst = worst_margins(search.face, change, fresh, np.random.Generator(np.random.Philox(key=2))).max().item()
    lost = 1 - face_ssim(search.face, changed(search.face, change))
    return {"ssim_lost": lost, "highest_margin": worst, "hidden": float(worst < 0)}


def _mean(values: Sequence[float] | np.ndarray) -> dict[str, object]:
    return {"mean": float(np.mean(values)), "interval": bootstrap_mean_interval(np.asarray(values, float))}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", type=Path, metavar="PHOTOS")
    parser.add_argument("--models", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--people", type=int, default=16)
    options = parser.parse_args()
    torch.set_num_threads(1)
    rows, recognizers = [], load_recognizers(options.models)
    with shown_progress() as progress:
        progress.stage("sigma")
        for number, (name, photos) in enumerate(report_people(options.photos, options.people)):
            with contextlib.suppress(FaceError):
                rows.append(measure_photo(photos[0], recognizers))
            progress.advance(number + 1, options.people, name)
    ways = {way: {key: [row[way][key] for row in rows] for key in rows[0][way]} for way in rows[0]}
    table = {way: {key: _mean(values) for key, values in figures.items()} for way, figures in ways.items()}
    gain = _mean(np.subtract(ways["plain search"]["ssim_lost"], ways["chimps"]["ssim_lost"]))
    command = f"python -m benchmarks.measure_sigma PHOTOS --models DIR --people {options.people}"
    evaluations = SEARCH.evaluations
    write_json(
        options.out,
        {"command": command, "photos": len(rows), "evaluations": evaluations, "ways": table, "chimps_save": gain},
    )


if __name__ == "__main__":
    main()
