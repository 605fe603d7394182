"""Universal designs on real photos: everything that docs/evaluation.md reports about them, from one command.

For each style (`free`, a research control that nobody should wear, and `repeat`, the default) one texture is designed
against all recognizers at hand and one against all but each; every one of them is tested on people whom no design saw.
About an hour of CPU at the full size; it goes on where it stopped.

    python -m benchmarks.measure_universal PHOTOS --models DIR [--runs FOLDER] [--people 120] [--steps 200]
        [--test-people 150] [--styles free repeat] [--out docs/evaluation/universal.json]
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import asdict
from pathlib import Path

from maskdesign.cli.terminal import shown_progress
from maskdesign.errors import MaskdesignError
from maskdesign.files import write_json
from maskdesign.jobs.config import JobConfig, load_config
from maskdesign.jobs.evaluate_photos import PhotoEvaluation, evaluate_on_photos
from maskdesign.jobs.photo_embeddings import Shard
from maskdesign.jobs.universal import design_for_many
from maskdesign.progress import Progress
from maskdesign.recognition.registry import load_recognizers

INKS = ["#000000", "#ffffff", "#ff0000", "#00ff00", "#0000ff", "#ffff00", "#00ffff", "#ff00ff"]
STYLES = {"free": ["texture.repeats=[1,1]", f"texture.inks={INKS}"], "repeat": []}


def measure(options: argparse.Namespace, progress: Progress) -> dict:
    names = [recognizer.spec.name for recognizer in load_recognizers(options.models)]
    ensembles = {"all": names} | {f"without {left}": [n for n in names if n != left] for left in names}
    ensembles |= {title: title.split(",") for title in options.ensembles or () if title not in ensembles}
    found = {
        style: {
            title: _one(
                options, f"{style}-{title.replace(' ', '-').replace(',', '+')}", STYLES[style], members, progress
            )
            for title, members in ensembles.items()
            if options.ensembles is None or title in options.ensembles
        }
        for style in options.styles
    }
    return {"command": command(options), "designs": found}


def command(options: argparse.Namespace) -> str:
    return (
        f"python -m benchmarks.measure_universal PHOTOS --models MODELS --people {options.people} "
        f"--steps {options.steps} --test-people {options.test_people} --pairs-per-person {options.pairs_per_person} "
        f"--styles {' '.join(options.styles)}"
        + (" --ensembles " + " ".join(f'"{title}"' for title in options.ensembles) if options.ensembles else "")
        + "".join(f" --set '{setting}'" for setting in options.set)
    )


def _one(options: argparse.Namespace, name: str, style: list[str], members: list[str], progress: Progress) -> dict:
    run, config = options.runs / name, _config(options, style, members)
    progress.stage(name)
    pairs, spent = options.photos / "pairs.txt", run / "spent.json"
    # Kept beside the run: a later call finds the design finished and would count nothing.
    if not spent.exists():
        started, cpu = time.monotonic(), time.process_time()
        design_for_many(options.photos, pairs, options.people, config, run, options.models, progress)
        write_json(spent, {"design_cpu_s": time.process_time() - cpu, "design_wall_s": time.monotonic() - started})
    evaluation = evaluate_on_photos(run, options.photos, pairs, options.models, Shard(), progress)
    assert evaluation is not None
    return {"recognizers": members, **json.loads(spent.read_text()), **summary(evaluation)}


def _config(options: argparse.Namespace, style: list[str], members: list[str]) -> JobConfig:
    return load_config(
        None,
        [
            *style,
            f"recognizers={members}",
            f"design.steps={options.steps}",
            "design.validate_every=25",
            f"photos.test_people={options.test_people}",
            f"photos.pairs_per_person={options.pairs_per_person}",
            *options.set,
        ],
    )


def summary(evaluation: PhotoEvaluation) -> dict:
    """What the docs show; the run folders hold the rest."""
    rows = [
        {
            "recognizer": row.recognizer, "texture": row.texture, "mean_score": row.mean_score,
            "fnmr_1e2": row.fnmr_1e2, "fnmr_1e3": row.fnmr_1e3, "fnmr_1e3_ci": row.fnmr_1e3_ci,
            "fmr_1e3": row.fmr_1e3, "rank1": row.rank1,
        }
        for row in evaluation.rows
    ]  # fmt: skip
    gains = [asdict(gain) for gain in evaluation.gains]
    return {
        "pairs": evaluation.pairs, "people": evaluation.people, "thresholds": evaluation.thresholds,
        "photos_without_face": len(evaluation.photos_without_face), "missing_photos": len(evaluation.missing_photos),
        "faces_found": evaluation.faces_found, "faces_on_sheet": evaluation.faces_on_sheet,
        "mask_fit": evaluation.mask_fit, "rows": rows, "gains": gains,
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", type=Path, metavar="PHOTOS")
    parser.add_argument("--models", type=Path)
    parser.add_argument("--runs", type=Path, default=Path("runs/universal"))
    parser.add_argument("--people", type=int, default=120)
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--test-people", type=int, default=150)
    parser.add_argument("--pairs-per-person", type=int, default=1)
    parser.add_argument("--styles", nargs="+", choices=sorted(STYLES), default=sorted(STYLES))
    parser.add_argument(
        "--ensembles", nargs="+", help='"all", "without NAME" or "NAME,NAME"; the first two for all where left out'
    )
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--out", type=Path, default=Path("docs/evaluation/universal.json"))
    options = parser.parse_args()
    try:
        with shown_progress() as progress:
            write_json(options.out, measure(options, progress))
    except MaskdesignError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
