"""Measure every recognizer's thresholds on a folder of photos laid out like Labeled Faces in the Wild.

The folder holds pairs.txt (View 2) and PERSON/PERSON_0001.jpg. Genuine pairs are those of the first --folds folds;
impostor pairs are all pairs of photos of different people in these folds. Figures go to stdout as JSON.

    python benchmarks/measure_thresholds.py PHOTOS [--models DIR] [--folds 3] [--cache FOLDER]
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from maskdesign.errors import InputError
from maskdesign.faces.landmarks import LANDMARK_INDEX
from maskdesign.faces.scan import named_points
from maskdesign.files import check_readable, read_image, read_npz, write_npz
from maskdesign.recognition.align import align_faces
from maskdesign.recognition.recognizer import Recognizer
from maskdesign.recognition.registry import load_recognizers
from maskdesign.recognition.score import scores
from maskdesign.recognition.thresholds import match_rate, threshold_at_fmr

Photo = tuple[str, int]


@dataclass(frozen=True)
class Faces:
    """Photos with a face: who, and where the named points lie."""

    photos: list[Photo]
    images: list[NDArray[np.uint8]]
    points_px: list[dict[str, NDArray[np.float64]]]


def read_pairs(path: Path, folds: int, first: int = 1) -> tuple[list[Photo], list[tuple[Photo, Photo]]]:
    """The photos of some folds, counted from 1, sorted, and their genuine pairs."""
    check_readable(path)
    header, *lines = path.read_text().splitlines()
    pairs_per_fold = int(header.split()[1])
    genuine, photos = [], set()
    for line in lines[2 * pairs_per_fold * (first - 1) :][: 2 * pairs_per_fold * folds]:
        cells = line.split("\t")
        first = (cells[0], int(cells[1]))
        second = (cells[0], int(cells[2])) if len(cells) == 3 else (cells[2], int(cells[3]))
        photos |= {first, second}
        if len(cells) == 3:
            genuine.append((first, second))
    return sorted(photos), genuine


def find_points(images: list[NDArray[np.uint8]]) -> NDArray[np.float64]:
    """(n, 12, 2) named points of the face nearest to the middle of each photo; nan where none is found."""
    from mediapipe.python.solutions.face_mesh import FaceMesh

    indices = list(LANDMARK_INDEX.values())
    points = np.full((len(images), len(indices), 2), np.nan)
    with FaceMesh(static_image_mode=True, max_num_faces=3, refine_landmarks=True) as mesh:
        for row, image in enumerate(images):
            found = mesh.process(np.ascontiguousarray(image)).multi_face_landmarks or []
            size = np.array([image.shape[1], image.shape[0]])
            faces = [np.array([[point.x, point.y] for point in face.landmark]) * size for face in found]
            if faces:
                nearest = min(faces, key=lambda face: np.linalg.norm(face.mean(axis=0) - size / 2))
                points[row] = nearest[indices]
    return points


def cached_points(images: list[NDArray[np.uint8]], cache: Path | None) -> NDArray[np.float64]:
    """`find_points`, once for the same photos."""
    digest = hashlib.sha256(b"".join(image.tobytes() for image in images)).hexdigest()[:16]
    path = cache / f"points-{digest}.npz" if cache else None
    if path and path.exists():
        return read_npz(path)["points"]
    points = find_points(images)
    if path:
        write_npz(path, points=points)
    return points


def read_faces(folder: Path, photos: list[Photo], cache: Path | None) -> Faces:
    images = [read_image(folder / name / f"{name}_{number:04d}.jpg") for name, number in photos]
    points = cached_points(images, cache)
    kept = np.flatnonzero(np.isfinite(points).all(axis=(1, 2)))
    named = [dict(zip(LANDMARK_INDEX, points[row], strict=True)) for row in kept]
    return Faces([photos[row] for row in kept], [images[row] for row in kept], named)


def embed_faces(recognizer: Recognizer, faces: Faces) -> torch.Tensor:
    """(n, E) embeddings of all faces."""
    embeddings = []
    with torch.no_grad():
        for image, points in zip(faces.images, faces.points_px, strict=True):
            pixels = torch.tensor(image).permute(2, 0, 1)[None].float() / 255
            places = torch.tensor(named_points(points, recognizer.spec.points), dtype=torch.float32)
            embeddings.append(recognizer.embed(align_faces(pixels, places[None], recognizer.spec)))
    return torch.cat(embeddings)


def measure(recognizer: Recognizer, faces: Faces, genuine: list[tuple[Photo, Photo]]) -> dict[str, float]:
    """Thresholds, means, and what they are worth."""
    embeddings = embed_faces(recognizer, faces)
    matrix = torch.stack([scores(recognizer.spec, embeddings, row) for row in embeddings]).double().numpy()
    rows = {photo: row for row, photo in enumerate(faces.photos)}
    own = np.array([matrix[rows[a], rows[b]] for a, b in genuine if a in rows and b in rows])
    people = np.unique([name for name, _ in faces.photos], return_inverse=True)[1]
    upper, right = np.triu_indices(len(people), 1)
    impostor = matrix[upper, right][people[upper] != people[right]]
    loose, strict = threshold_at_fmr(impostor, 1e-2), threshold_at_fmr(impostor, 1e-3)
    stated = recognizer.spec.thresholds["1e-3"]
    return {
        "threshold_1e2": loose,
        "threshold_1e3": strict,
        "genuine_mean": float(own.mean()),
        "impostor_mean": float(impostor.mean()),
        "tpr_1e2": match_rate(own, loose),
        "tpr_1e3": match_rate(own, strict),
        "accuracy": best_accuracy(own, impostor),
        "tpr_at_spec_1e3": match_rate(own, stated),
        "fmr_at_spec_1e3": match_rate(impostor, stated),
        "photos": len(people),
        "people": int(people.max()) + 1,
        "genuine_pairs": len(own),
        "impostor_pairs": len(impostor),
    }


def best_accuracy(genuine: NDArray[np.float64], impostor: NDArray[np.float64]) -> float:
    """Highest mean of TPR and TNR over all thresholds."""
    cuts = np.quantile(np.concatenate([genuine, impostor]), np.linspace(0, 1, 2001))
    tpr = 1 - np.searchsorted(np.sort(genuine), cuts) / len(genuine)
    tnr = np.searchsorted(np.sort(impostor), cuts) / len(impostor)
    return float(((tpr + tnr) / 2).max())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", type=Path, metavar="PHOTOS")
    parser.add_argument("--models", type=Path)
    parser.add_argument("--folds", type=int, default=3)
    parser.add_argument("--cache", type=Path)
    options = parser.parse_args()
    try:
        photos, genuine = read_pairs(options.photos / "pairs.txt", options.folds)
        faces = read_faces(options.photos, photos, options.cache)
        figures = {r.spec.name: measure(r, faces, genuine) for r in load_recognizers(options.models)}
    except InputError as error:
        sys.exit(str(error))
    print(json.dumps({"photos_without_a_face": len(photos) - len(faces.photos), **figures}, indent=2))


if __name__ == "__main__":
    main()
