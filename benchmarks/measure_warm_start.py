"""What a trained network is worth as the start of a photo's optimization, beside a start from noise with as many steps.

One rung (balanced) for every way, photos of LFW's folds 7 and 8, whom neither the networks nor any setting has seen;
judged in views that no optimization saw, against the very photo that was changed.

    python -m benchmarks.measure_warm_start PHOTOS --networks DIR --models DIR --out docs/photo-mode/warm-start.json
"""

from __future__ import annotations

import argparse
import contextlib
import time
from pathlib import Path

import numpy as np
import torch

from benchmarks.measure_photos import report_people
from maskdesign.cli.terminal import shown_progress
from maskdesign.digital.face_task import face_task, generated_change
from maskdesign.digital.networks import TrainedNetworks
from maskdesign.digital.perturb import LADDER, PerturbSettings, changed, climbed_rungs, face_ssim, worst_margins
from maskdesign.digital.picture import read_picture
from maskdesign.digital.region import face_regions, working_picture
from maskdesign.digital.settings import ProtectSettings
from maskdesign.errors import FaceError
from maskdesign.evaluation.metrics import bootstrap_mean_interval
from maskdesign.files import write_json
from maskdesign.jobs.photo_networks import load_networks
from maskdesign.recognition.recognizer import Recognizer
from maskdesign.recognition.registry import load_recognizers

RUNG = LADDER[1]
FEW_STEPS, FRESH_VIEWS = 8, 8
WAYS = {
    f"noise, {PerturbSettings().steps} steps": (False, PerturbSettings().steps),
    f"noise, {FEW_STEPS} steps": (False, FEW_STEPS),
    f"network, {FEW_STEPS} steps": (True, FEW_STEPS),
    "network alone": (True, 0),
}
Row = dict[str, float]


def measure_photo(path: Path, recognizers: list[Recognizer], networks: TrainedNetworks) -> dict[str, Row]:
    """Way -> processor seconds from landmarks to change, SSIM in the face, and from whom the face is hidden."""
    picture = read_picture(path)
    region = face_regions(picture, str(path))[0]
    image = working_picture(region, picture.rgb)
    rows = {}
    for way, (warm, steps) in WAYS.items():
        rng, started = np.random.Generator(np.random.Philox(key=1)), time.process_time()
        task, _ = face_task(region, image, recognizers, ProtectSettings(), rng, networks if warm else None)
        start = generated_change(networks.generator, task, rng) if warm else None
        ((_, change),) = climbed_rungs(task, (RUNG,), PerturbSettings(steps=steps), rng, start)
        seconds = time.process_time() - started
        fresh = np.random.Generator(np.random.Philox(key=2))
        worst = worst_margins(task, change, PerturbSettings(check_views=FRESH_VIEWS), fresh).tolist()
        hidden = {entry.spec.name: float(margin < 0) for entry, margin in zip(recognizers, worst, strict=True)}
        rows[way] = {"seconds": seconds, "ssim_face": face_ssim(task, changed(task, change)), **hidden}
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", type=Path, metavar="PHOTOS")
    parser.add_argument("--networks", type=Path, required=True)
    parser.add_argument("--models", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--people", type=int, default=24)
    options = parser.parse_args()
    torch.set_num_threads(1)
    recognizers = load_recognizers(options.models)
    networks, rows = load_networks(options.networks, recognizers), []
    with shown_progress() as progress:
        progress.stage("warm start")
        for number, (name, photos) in enumerate(report_people(options.photos, options.people)):
            with contextlib.suppress(FaceError):
                rows.append(measure_photo(photos[0], recognizers, networks))
            progress.advance(number + 1, options.people, name)
    table = {way: {key: _mean([row[way][key] for row in rows]) for key in figures} for way, figures in rows[0].items()}
    command = f"python -m benchmarks.measure_warm_start PHOTOS --networks DIR --models DIR --people {options.people}"
    write_json(options.out, {"command": command, "rung": RUNG.name, "photos": len(rows), "ways": table})


def _mean(values: list[float]) -> dict[str, object]:
    return {"mean": float(np.mean(values)), "interval": bootstrap_mean_interval(np.asarray(values))}


if __name__ == "__main__":
    main()
