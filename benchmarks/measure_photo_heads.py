"""How real heads made from single photos are: does a recognizer match their portraits with other photos of the person?

The folder is laid out like Labeled Faces in the Wild, with pairs.txt (View 2) and PERSON/PERSON_0001.jpg. Of every
genuine pair the first photo becomes a head, whose frontal portrait is compared with the second photo. Impostors are all
portraits against all photos of other people. The plain comparison of both photos stands beside it as a control.
Thresholds at FMR 1e-3 are those of the recognizers' specifications, which `maskdesign models calibrate` measured on
other folds. Each photo's result is kept in --cache, so the same command goes on where it stopped.

    python -m benchmarks.measure_photo_heads PHOTOS --cache FOLDER [--models DIR] [--first 4] [--folds 2]
        [--people N] [--out FILE]
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from maskdesign.errors import InputError
from maskdesign.evaluation.calibrate import embed_face, find_face, interval_by_person
from maskdesign.evaluation.pairs import Photo, photo_path, read_pairs
from maskdesign.files import read_npz, write_json, write_npz
from maskdesign.jobs.face_folder import reason_kind
from maskdesign.jobs.face_photo import head_from_photo
from maskdesign.mask.pattern import MaskPattern
from maskdesign.optimize.enrolment import enroll
from maskdesign.recognition.recognizer import Recognizer
from maskdesign.recognition.registry import load_recognizers
from maskdesign.recognition.score import scores
from maskdesign.recognition.thresholds import match_rate, threshold_at_fmr
from maskdesign.render.scene import build_scene

FMR = 1e-3
ROUNDS = 2000
Embeddings = dict[str, NDArray[np.float32]]


def embed_portrait(path: Path, recognizers: list[Recognizer]) -> tuple[Embeddings, str]:
    """Embeddings of the portrait of a photo's head; or none, and why the photo was refused."""
    try:
        face = head_from_photo(path, None).face
    except InputError as error:
        return {}, reason_kind(str(error).removeprefix(f"{path}: "))
    bare = build_scene(face, None, MaskPattern())
    return {r.spec.name: enroll(r, face, bare).enrolment.numpy() for r in recognizers}, ""


def embed_photo(path: Path, recognizers: list[Recognizer]) -> Embeddings:
    """Embeddings of the face in the middle of a photo; none where no face is found."""
    found = find_face(path)
    return {r.spec.name: embed_face(r, *found) for r in recognizers} if found else {}


def cached(path: Path, make) -> dict[str, NDArray]:
    """What `make` gives as arrays, kept in a file."""
    if not path.exists():
        write_npz(path, **make())
    return read_npz(path)


def collect(folder: Path, cache: Path, photos: list[Photo], heads: list[Photo], recognizers: list[Recognizer]):
    """Embeddings of photos and of portraits by photo, and the reasons of refusals."""
    shown, portraits, reasons = {}, {}, []
    for done, photo in enumerate(photos):
        path, name = photo_path(folder, photo), f"{photo[0]}_{photo[1]:04d}"
        shown[photo] = cached(cache / f"{name}_photo.npz", lambda path=path: embed_photo(path, recognizers))
        if photo in heads:
            kept = cached(
                cache / f"{name}_head.npz", lambda path=path: _with_reason(*embed_portrait(path, recognizers))
            )
            reason = str(kept.pop("reason"))
            portraits |= {photo: kept} if not reason else {}
            reasons += [reason] if reason else []
        if done % 50 == 0:
            print(f"{done} of {len(photos)} photos", file=sys.stderr, flush=True)
    return {photo: found for photo, found in shown.items() if found}, portraits, reasons


def _with_reason(embeddings: Embeddings, reason: str) -> dict[str, NDArray]:
    return {**embeddings, "reason": np.array(reason)}


def compare(recognizer: Recognizer, shown, portraits, genuine: list[tuple[Photo, Photo]]) -> dict[str, object]:
    """Rates of one recognizer."""
    name, threshold = recognizer.spec.name, recognizer.spec.thresholds["1e-3"]
    heads, photos = sorted(portraits), sorted(shown)
    probes = torch.tensor(np.stack([shown[photo][name] for photo in photos]))
    matrix = np.stack(
        [scores(recognizer.spec, probes, torch.tensor(portraits[head][name])).double().numpy() for head in heads]
    )
    row, column = {head: k for k, head in enumerate(heads)}, {photo: k for k, photo in enumerate(photos)}
    pairs = [(a, b) for a, b in genuine if a in row and b in column]
    own = np.array([matrix[row[a], column[b]] for a, b in pairs])
    plain = np.array([_score(recognizer, shown[a][name], shown[b][name]) for a, b in pairs if a in shown])
    same = np.array([matrix[row[head], column[head]] for head in heads if head in column])
    stranger = np.array([[head[0] != photo[0] for photo in photos] for head in heads])
    measured = threshold_at_fmr(matrix[stranger], FMR)
    return {
        "threshold": threshold,
        "accept_rate": match_rate(own, threshold),
        "accept_interval_95": interval_by_person(own >= threshold, [a[0] for a, _ in pairs], ROUNDS),
        "accept_rate_of_the_photos_themselves": match_rate(plain, threshold),
        "fmr_of_portraits": match_rate(matrix[stranger], threshold),
        "accept_rate_at_own_threshold": match_rate(own, measured),
        "own_threshold": measured,
        "accept_rate_of_the_photo_it_came_from": match_rate(same, threshold),
        "pairs": len(pairs),
        "people": len({a[0] for a, _ in pairs}),
        "impostor_pairs": int(stranger.sum()),
    }


def _score(recognizer: Recognizer, first: NDArray[np.float32], second: NDArray[np.float32]) -> float:
    return float(scores(recognizer.spec, torch.tensor(first)[None], torch.tensor(second))[0])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", type=Path, metavar="PHOTOS")
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--models", type=Path)
    parser.add_argument("--first", type=int, default=4)
    parser.add_argument("--folds", type=int, default=2)
    parser.add_argument("--people", type=int, default=10_000, help="only the first so many by name")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    try:
        folds = read_pairs(options.photos / "pairs.txt")[options.first - 1 :][: options.folds]
        genuine = [pair for fold in folds for pair in fold.genuine]
        chosen = set(sorted({a[0] for a, _ in genuine})[: options.people])
        genuine = [pair for pair in genuine if pair[0][0] in chosen]
        heads = sorted({a for a, _ in genuine})
        photos = sorted({photo for pair in genuine for photo in pair})
        recognizers = load_recognizers(options.models)
        shown, portraits, reasons = collect(options.photos, options.cache, photos, heads, recognizers)
    except InputError as error:
        sys.exit(str(error))
    result = {
        "command": f"python -m benchmarks.measure_photo_heads PHOTOS --cache FOLDER --models DIR "
        f"--first {options.first} --folds {options.folds} --people {options.people}",
        "photos": len(heads),
        "refused_share": len(reasons) / len(heads),
        "refused": dict(Counter(reasons).most_common()),
        "recognizers": {r.spec.name: compare(r, shown, portraits, genuine) for r in recognizers},
    }
    if options.out:
        write_json(options.out, result)
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
