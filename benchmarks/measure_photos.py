"""How well the photo mode protects: LFW photos of people that were never used in tuning, beside controls.

Takes people of folds 7 and 8 with at least two photos (tuning used folds 1 to 6), protects the first photo of each, and
compares it with up to three others of that person, at thresholds for FMR 1e-3 on unchanged photos. Landmarks of every
probe are found anew in its 8-bit pixels. Every photo's scores are kept in CACHE, so an interrupted measurement goes on.

    python -m benchmarks.measure_photos PHOTOS --models DIR --out docs/photo-mode.json [--people 40] [--cache FOLDER]
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from maskdesign.digital.controls import (
    gaussian_blurred,
    inverted_cells,
    median_filtered,
    random_noise,
    recompressed,
)
from maskdesign.digital.perturb import LADDER, climbed_rungs
from maskdesign.digital.picture import Picture, read_picture
from maskdesign.digital.protect import ProtectSettings, add_change, face_task, photo_face_mask
from maskdesign.digital.region import FaceRegion, face_regions, working_picture
from maskdesign.digital.sight import embed_view
from maskdesign.digital.similarity import ssim
from maskdesign.digital.template import Template
from maskdesign.errors import FaceError
from maskdesign.evaluation.photos import condition_rows
from maskdesign.files import write_json
from maskdesign.recognition.recognizer import Recognizer
from maskdesign.recognition.registry import load_recognizers
from maskdesign.recognition.score import scores

REPORT_FOLDS = (6, 7)
OTHERS = 3
SEED = 20_409


def people_of_folds(path: Path, folds: Sequence[int]) -> list[tuple[str, int]]:
    """(name, number of photos) of the people in some folds of people.txt."""
    lines = path.read_text().splitlines()
    blocks, start = [], 1
    for _ in range(int(lines[0])):
        count = int(lines[start])
        blocks.append([line.split("\t") for line in lines[start + 1 : start + 1 + count]])
        start += count + 1
    return [(name, int(photos)) for fold in folds for name, photos in blocks[fold]]


def report_people(folder: Path, wanted: int) -> list[tuple[str, int]]:
    """People for the report, drawn with a fixed seed."""
    people = [entry for entry in people_of_folds(folder / "people.txt", REPORT_FOLDS) if entry[1] >= 2]
    order = np.random.Generator(np.random.Philox(key=SEED)).permutation(len(people))
    return [people[index] for index in order[:wanted]]


def middle_region(picture: Picture, source: str) -> FaceRegion:
    """The face nearest to the middle of the photo: LFW's photos are of that one."""
    middle = np.array(picture.shape[::-1]) / 2
    return min(face_regions(picture, source), key=lambda face: np.linalg.norm(face.landmarks_px[:468].mean(0) - middle))


@torch.no_grad()
def embeddings(picture: Picture, region: FaceRegion, recognizers: Sequence[Recognizer]) -> list[torch.Tensor]:
    image = working_picture(region, picture.rgb)
    return [embed_view(recognizer, image, region.points_px()) for recognizer in recognizers]


def subsets(recognizers: Sequence[Recognizer]) -> dict[str, list[Recognizer]]:
    """All together, each left out in turn, each alone, each pair being the left-out's complement."""
    named = {recognizer.spec.name: recognizer for recognizer in recognizers}
    sets = {"all": list(recognizers)}
    if len(named) > 1:
        sets |= {f"without {name}": [other for other in recognizers if other.spec.name != name] for name in named}
        sets |= {f"only {name}": [named[name]] for name in named}
    return sets


def variants(
    picture: Picture, region: FaceRegion, recognizers: Sequence[Recognizer]
) -> Iterator[tuple[str, Picture, NDArray[np.bool_]]]:
    """(name, changed photo, template) of every condition."""
    for label, members in subsets(recognizers).items():
        rungs = LADDER if label == "all" else LADDER[:2]
        settings, rng = ProtectSettings(), np.random.Generator(np.random.Philox(key=SEED))
        task, corners = face_task(region, working_picture(region, picture.rgb), members, settings, rng)
        side = np.full((len(corners), 1), settings.template.cell_px * region.block_px)
        cells = corners * region.block_px + [region.left_px, region.top_px]
        mask = Template(np.concatenate([cells, side], axis=1).astype(np.int32)).mask(*picture.shape)
        for rung, change in climbed_rungs(task, rungs, settings.perturb, rng):
            pixels = picture.rgb.copy()
            add_change(region, pixels, change)
            yield f"{label}, {rung.name}", Picture(pixels), mask
            if label == "all":
                yield f"random noise, {rung.name}", Picture(random_noise(picture.rgb, pixels, rng)), mask
                yield from _on_the_way(rung.name, pixels, mask)
        if label == "all":
            yield "inverted cells", Picture(inverted_cells(picture.rgb, mask)), mask


def _on_the_way(rung: str, pixels: NDArray[np.uint8], mask: NDArray[np.bool_]) -> Iterator[tuple]:
    for quality in (95, 85, 75):
        yield f"all, {rung}, JPEG {quality}", Picture(recompressed(pixels, quality)), mask
    yield f"all, {rung}, median 3 x 3", Picture(median_filtered(pixels, 3)), mask
    yield f"all, {rung}, median 5 x 5", Picture(median_filtered(pixels, 5)), mask
    yield f"all, {rung}, blur 1 px", Picture(gaussian_blurred(pixels, 1.0)), mask


def measure_person(folder: Path, name: str, photos: int, recognizers: Sequence[Recognizer]) -> dict | None:
    """Scores of every condition against the person's other photos; None where a photo shows no usable face."""
    paths = [folder / name / f"{name}_{number:04d}.jpg" for number in range(1, min(photos, OTHERS + 1) + 1)]
    pictures = [read_picture(path) for path in paths]
    try:
        regions = [middle_region(picture, str(path)) for picture, path in zip(pictures, paths, strict=True)]
    except FaceError:
        return None
    gallery = [embeddings(picture, region, recognizers) for picture, region in zip(pictures, regions, strict=True)][1:]
    original, region = pictures[0], regions[0]
    box, started, conditions = photo_face_mask(region, *original.shape), time.process_time(), {}
    nowhere = np.zeros(original.shape, bool)
    for label, picture, mask in [("unchanged", original, nowhere), *variants(original, region, recognizers)]:
        try:
            found, seen = True, middle_region(picture, label)
        except FaceError:
            found, seen = False, region
        probe = embeddings(picture, seen, recognizers)
        conditions[label] = {
            "found": found,
            "ssim": [ssim(original.rgb, picture.rgb, where) for where in (None, box, mask if mask.any() else None)],
            "rmse": float(np.sqrt(np.mean((original.rgb.astype(float) - picture.rgb) ** 2))),
            "largest": int(np.abs(original.rgb.astype(int) - picture.rgb).max()),
            "scores": {
                r.spec.name: [scores(r.spec, probe[i][None], other[i])[0].item() for other in gallery]
                for i, r in enumerate(recognizers)
            },
        }
    return {"person": name, "seconds": time.process_time() - started, "conditions": conditions}


def measure(folder: Path, cache: Path, wanted: int, recognizers: Sequence[Recognizer]) -> list[dict]:
    rows = []
    for name, photos in report_people(folder, wanted):
        path = cache / f"{name}.json"
        if not path.exists():
            write_json(path, measure_person(folder, name, photos, recognizers) or {})
            print(f"{len(rows) + 1} of {wanted}: {name}", flush=True)
        row: Mapping = json.loads(path.read_text())
        rows += [row] if row else []
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", type=Path, metavar="PHOTOS")
    parser.add_argument("--models", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--people", type=int, default=40)
    parser.add_argument("--cache", type=Path, default=Path("runs/photo-mode"))
    options = parser.parse_args()
    torch.set_num_threads(1)
    recognizers = load_recognizers(options.models)
    rows = measure(options.photos, options.cache, options.people, recognizers)
    write_json(options.out, condition_rows(rows, {r.spec.name: r.spec.thresholds["1e-3"] for r in recognizers}))


if __name__ == "__main__":
    main()
