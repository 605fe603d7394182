"""The project's own surrogates beside dlib's recognizer and those of a folder, on people that no net has seen.

Clean rates (folds 7 and 8 of the list of pairs, thresholds from their own impostor pairs), rates under a plain blue
mask that this project renders (thresholds without masks), milliseconds, and the angles between input gradients. Goes on
where it stopped; about 10 minutes of CPU the first time.

Universal designs of `measure_universal` in the folder of --runs are compared pair by pair with the one on dlib alone:

    python -m benchmarks.measure_universal PHOTOS --models DIR --runs FOLDER --styles free --steps 150 \\
        --ensembles dlib dlib,maskdesign_residual dlib,maskdesign_attention \\
        dlib,maskdesign_residual,maskdesign_attention all
    python -m benchmarks.measure_nets PHOTOS --models DIR --runs FOLDER [--out docs/nets.json]
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional

from maskdesign.cli.terminal import shown_progress
from maskdesign.errors import MaskdesignError
from maskdesign.evaluation.calibrate import Calibration, calibrate, embed_photos, photos_of
from maskdesign.evaluation.controls import control_textures
from maskdesign.evaluation.metrics import bootstrap_mean_interval
from maskdesign.evaluation.pairs import Fold, Photo, photo_path, read_pairs
from maskdesign.evaluation.protocol import PhotoProtocol, pairs_to_test
from maskdesign.evaluation.table import DESIGNED
from maskdesign.files import write_json
from maskdesign.jobs import photo_embeddings
from maskdesign.jobs.config import JobConfig
from maskdesign.jobs.photo_store import PhotoStore, fill_store
from maskdesign.optimize.photo_probes import photo_points, photo_view
from maskdesign.progress import Progress
from maskdesign.recognition.align import align_faces
from maskdesign.recognition.recognizer import Recognizer
from maskdesign.recognition.registry import load_recognizers, shipped_recognizers
from maskdesign.recognition.score import scores
from maskdesign.render.masked_photo import MaskedPhoto, affine_view
from maskdesign.render.renderer import Shot, develop_shots

TEST_FOLDS = (7, 8)
BATCH, ROUNDS, GRADIENT_PHOTOS = 32, 3, 24
MASK, ALONE = "plain blue", "free-dlib"


def measure(options: argparse.Namespace, progress: Progress) -> dict:
    torch.set_num_threads(1)
    recognizers = load_recognizers(options.models, [toml.stem for toml in shipped_recognizers()])
    folds = [read_pairs(options.photos / "pairs.txt")[number - 1] for number in TEST_FOLDS]
    progress.stage("Clean photos")
    caches = {options.runs / f"clean-{r.spec.name}-{r.spec.sha256[:12]}.npz": r for r in recognizers}
    clean = embed_photos(caches, options.photos, photos_of(folds), progress)
    measured = [calibrate(r, folds, found) for r, found in zip(recognizers, clean, strict=True)]
    progress.stage("Masked photos")
    masked, photos = masked_scores(options, recognizers, progress)
    gradients = {r.spec.name: likeness_gradients(r, photos) for r in recognizers}
    return {
        "command": "python -m benchmarks.measure_nets PHOTOS --models MODELS",
        "folds": list(TEST_FOLDS),
        "masked_people": options.test_people,
        "people": measured[0].people,
        "recognizers": {
            recognizer.spec.name: {
                "surrogate": recognizer.spec.is_surrogate,
                "sha256": recognizer.spec.sha256,
                **rates(one, masked[recognizer.spec.name]),
                "milliseconds": milliseconds(recognizer),
            }
            for recognizer, one in zip(recognizers, measured, strict=True)
        },
        "designs": design_figures(options.runs),
        "gradient_cosines": cosines({name: pixels for name, (pixels, _) in gradients.items()}),
        "print_gradient_cosines": cosines({name: printed for name, (_, printed) in gradients.items()}),
    }


def cosines(gradients: dict[str, torch.Tensor]) -> dict[str, dict[str, float]]:
    """Mean cosine between the rows of each two."""
    return {a: {b: mean_cosine(gradients[a], gradients[b]) for b in gradients if b != a} for a in gradients}


def design_figures(runs: Path) -> dict:
    """FNMR at FMR 1e-3 of each universal design, and how much more it dodges than the one on dlib alone, by pairs."""
    found = {
        path.name: missed_pairs(path) for path in sorted(runs.glob("free-*")) if (path / "photo-scores.csv").exists()
    }
    alone = found.get(ALONE, {})
    return {
        name: {
            recognizer: {"fnmr_1e3": float(missed.mean()), **_against(missed, alone.get(recognizer), people)}
            for recognizer, (missed, people) in by_recognizer.items()
        }
        for name, by_recognizer in found.items()
    }


def missed_pairs(run: Path) -> dict[str, tuple[np.ndarray, list[str]]]:
    """Recognizer -> whether each pair was missed under the design, and whose it is."""
    limits = json.loads((run / "photo-evaluation.json").read_text())["thresholds"]
    with (run / "photo-scores.csv").open() as stream:
        rows = [row for row in csv.DictReader(stream) if row["texture"] == DESIGNED]
    found = {}
    for name in limits:
        own = [row for row in rows if row["recognizer"] == name]
        missed = np.array([float(row["score"]) < limits[name]["1e-3"] for row in own], float)
        found[name] = missed, [row["probe"].rsplit("_", 1)[0] for row in own]
    return found


def _against(missed: np.ndarray, alone: tuple[np.ndarray, list[str]] | None, people: list[str]) -> dict:
    if alone is None or alone[1] != people:
        return {}
    more = missed - alone[0]
    index = np.unique(people, return_inverse=True)[1]
    by_person = np.bincount(index, more) / np.bincount(index)
    return {"more_than_dlib_alone": float(more.mean()), "interval": list(bootstrap_mean_interval(by_person))}


def rates(clean: Calibration, masked: tuple[np.ndarray, np.ndarray]) -> dict:
    """Clean and masked rates at the threshold of unmasked strangers."""
    values, people = masked
    matched = values >= clean.thresholds["1e-3"]
    by_person = np.array([matched[people == person].mean() for person in np.unique(people)])
    return {
        "accuracy": clean.accuracy,
        "tpr_1e3": clean.tpr["1e-3"],
        "tpr_1e3_ci": list(clean.tpr_1e3_ci),
        "masked_tpr_1e3": float(matched.mean()),
        "masked_tpr_1e3_ci": list(bootstrap_mean_interval(by_person)),
        "masked_pairs": len(values),
        "genuine_pairs": clean.genuine_pairs,
        "impostor_pairs": clean.impostor_pairs,
    }


def masked_scores(
    options: argparse.Namespace, recognizers: Sequence[Recognizer], progress: Progress
) -> tuple[dict[str, tuple[np.ndarray, np.ndarray]], list[MaskedPhoto]]:
    """Scores of genuine pairs whose probe wears a plain mask, by recognizer, and whose they are; and some probes."""
    config = JobConfig()
    folds: list[Fold] = read_pairs(options.photos / "pairs.txt")
    pairs = pairs_to_test(folds, PhotoProtocol(test_people=options.test_people, pairs_per_person=1))
    store = PhotoStore(options.runs / "masked-photos", config.mask, config.drape, config.render)
    named: list[Photo] = sorted({photo for pair in pairs for photo in pair})
    jobs = {photo: (photo_path(options.photos, photo), config.photos.test_opening_mm) for photo in named}
    made = fill_store(store, list(jobs.values()), progress)
    kept = [photo for photo in named if store.reason(made[jobs[photo]]) is None]
    keys = [made[jobs[photo]] for photo in kept]
    row = {photo: number for number, photo in enumerate(kept)}
    texture = control_textures(config.texture, config.mask)[MASK]
    size = (
        round(config.mask.height_mm / config.texture.texel_mm),
        round(config.mask.width_mm / config.texture.texel_mm),
    )
    texture = functional.interpolate(texture[None], size=size, mode="area")[0].contiguous()
    whole = photo_embeddings.Shard()
    textures = {"bare": None, MASK: texture}
    found = photo_embeddings.embed_photos(store, keys, textures, options.models, recognizers, whole, progress)
    places = np.array([(row[a], row[b]) for a, b in pairs if a in row and b in row])
    people = np.array([kept[place][0] for place in places[:, 1]])
    answers = {
        r.spec.name: (scores(r.spec, found[r.spec.name][MASK][places[:, 1]], found[r.spec.name]["bare"][places[:, 0]]))
        for r in recognizers
    }
    probes = [store.load(keys[place]) for place in places[:: max(1, len(places) // GRADIENT_PHOTOS), 1]]
    return {name: (values.double().numpy(), people) for name, values in answers.items()}, probes


def likeness_gradients(recognizer: Recognizer, photos: Sequence[MaskedPhoto]) -> tuple[torch.Tensor, torch.Tensor]:
    """How the likeness to one's own bare photo changes with the masked photo, and with the print that all of them wear.

    Returns:
        (n, 3 S S) gradients with respect to each photo's pixels, (1, m) that of their sum with respect to the print,
        averaged over whole grid cells of a design: what a universal design follows.
    """
    config = JobConfig()
    texture = control_textures(config.texture, config.mask)["random"].requires_grad_(True)
    images = develop_shots([Shot(photo_view(), affine_view(masked)) for masked in photos], texture)
    bare = torch.from_numpy(np.stack([masked.photo for masked in photos])).permute(0, 3, 1, 2).float() / 255
    points = photo_points(photos, recognizer)
    with torch.no_grad():
        own = recognizer.embed(align_faces(bare, points, recognizer.spec))
    probes = recognizer.embed(align_faces(images, points, recognizer.spec))
    likeness = scores(recognizer.spec, probes, own).sum()
    pixels, printed = torch.autograd.grad(likeness, (images, texture))
    cell_px = round(config.texture.grid_mm / config.texture.print_texel_mm)
    return pixels.flatten(1), functional.avg_pool2d(printed[None], cell_px).flatten(1)


def mean_cosine(a: torch.Tensor, b: torch.Tensor) -> float:
    return functional.cosine_similarity(a, b, dim=1).mean().item()


def milliseconds(recognizer: Recognizer) -> float:
    """Forward and backward to the image, a crop and thread, at batch 32: the least of some rounds."""
    spec = recognizer.spec
    crops = torch.rand(BATCH, 3, spec.height_px, spec.width_px).requires_grad_(True)
    spent = []
    for _ in range(ROUNDS + 1):
        started = time.process_time()
        torch.autograd.grad(recognizer.embed(crops).square().sum(), crops)
        spent.append(time.process_time() - started)
    return 1000 * min(spent[1:]) / BATCH


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", type=Path, metavar="PHOTOS")
    parser.add_argument("--models", type=Path)
    parser.add_argument("--runs", type=Path, default=Path("runs/nets"))
    parser.add_argument("--test-people", type=int, default=150, help="people with a masked pair each way; 0 for all")
    parser.add_argument("--out", type=Path, default=Path("docs/nets.json"))
    options = parser.parse_args()
    try:
        with shown_progress() as progress:
            write_json(options.out, measure(options, progress))
    except MaskdesignError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
