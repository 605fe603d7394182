"""Thresholds and mean scores of a recognizer from pairs of unmasked photos, with this project's own alignment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from maskdesign.errors import InputError, MaskdesignError
from maskdesign.evaluation.pairs import Fold, Photo, photo_path
from maskdesign.faces.scan import named_points
from maskdesign.files import read_image, read_npz, write_npz
from maskdesign.progress import Progress
from maskdesign.recognition.align import align_faces
from maskdesign.recognition.detectors import middle_face
from maskdesign.recognition.recognizer import Recognizer
from maskdesign.recognition.score import scores
from maskdesign.recognition.spec_values import FMRS
from maskdesign.recognition.thresholds import match_rate, threshold_at_fmr

SAVE_EVERY = 200


@dataclass(frozen=True)
class Calibration:
    """What a recognizer is worth on unmasked photos.

    Attributes:
        thresholds: FMR -> score, from all pairs of photos of different people.
        genuine_mean, impostor_mean: mean scores.
        tpr: FMR -> share of genuine pairs at or above the threshold.
        tpr_1e3_ci: 95 % bootstrap interval of the TPR at FMR 1e-3, drawn by person.
        accuracy: highest mean of true positive and true negative rate over all thresholds.
        genuine_pairs, impostor_pairs, photos, people: how many of each it rests on.
    """

    thresholds: Mapping[str, float]
    genuine_mean: float
    impostor_mean: float
    tpr: Mapping[str, float]
    tpr_1e3_ci: tuple[float, float]
    accuracy: float
    genuine_pairs: int
    impostor_pairs: int
    photos: int
    people: int


def photos_of(folds: Sequence[Fold]) -> list[Photo]:
    """Every photo that a pair names, sorted, each once."""
    return sorted({photo for fold in folds for pair in (*fold.genuine, *fold.impostor) for photo in pair})


def embed_photos(
    recognizers: Mapping[Path, Recognizer], folder: Path, photos: Sequence[Photo], progress: Progress
) -> list[dict[Photo, Tensor]]:
    """Embeddings of all photos that can be read and show a face; the face nearest to the middle counts.

    Args:
        recognizers: cache -> recognizer; the cache is an .npz of what is done, so that an interrupted call goes on.
        folder: holds PERSON/PERSON_0001.jpg.

    Returns:
        for each recognizer photo -> (E,); photos that are missing, damaged or without a face are left out.
    """
    done = {cache: _read_cache(cache) for cache in recognizers}
    for number, photo in enumerate(photos):
        lacking = [cache for cache in recognizers if _key(photo) not in done[cache]]
        found = find_face(photo_path(folder, photo)) if lacking else None
        for cache in lacking:
            done[cache][_key(photo)] = (
                np.zeros(0, np.float32) if found is None else embed_face(recognizers[cache], *found)
            )
        if lacking and number % SAVE_EVERY == SAVE_EVERY - 1:
            _write_caches(done)
        progress.advance(number + 1, len(photos), photo[0])
    _write_caches(done)
    return [{p: torch.from_numpy(rows[_key(p)]) for p in photos if len(rows[_key(p)])} for rows in done.values()]


def _key(photo: Photo) -> str:
    return f"{photo[0]}/{photo[1]}"


def _read_cache(cache: Path) -> dict[str, NDArray[np.float32]]:
    # A damaged cache costs time, nothing else.
    try:
        return read_npz(cache) if cache.exists() else {}
    except InputError:
        return {}


def _write_caches(done: Mapping[Path, Mapping[str, NDArray[np.float32]]]) -> None:
    for cache, rows in done.items():
        write_npz(cache, **rows)


def find_face(path: Path) -> tuple[NDArray[np.uint8], dict[str, NDArray[np.float64]]] | None:
    """A photo and the named landmarks of the face nearest to its middle; None where it cannot be read or shows none."""
    try:
        image = read_image(path)
    except InputError:
        return None
    landmarks = middle_face(image)
    return None if landmarks is None else (image, landmarks)


@torch.no_grad()
def embed_face(
    recognizer: Recognizer, image: NDArray[np.uint8], landmarks: Mapping[str, NDArray[np.float64]]
) -> NDArray[np.float32]:
    """(E,) embedding of the face with these landmarks."""
    pixels = torch.from_numpy(image.copy()).permute(2, 0, 1)[None].float() / 255
    places = torch.from_numpy(named_points(landmarks, recognizer.spec.points)).float()[None]
    return recognizer.embed(align_faces(pixels, places, recognizer.spec))[0].float().numpy()


def calibrate(
    recognizer: Recognizer, folds: Sequence[Fold], embeddings: Mapping[Photo, Tensor], rounds: int = 1000
) -> Calibration:
    """Measure thresholds and means.

    Genuine pairs are those that the folds list; impostor pairs are all pairs of photos of different people, because
    rates of 1e-3 need more pairs than a list has.

    Raises:
        InputError: no genuine pair is left, or too few impostor pairs for the rates.
        MaskdesignError: scores of one person are not above those of different people.
    """
    photos = sorted(embeddings)
    matrix = torch.stack([embeddings[photo] for photo in photos])
    pairs = [pair for fold in folds for pair in fold.genuine if pair[0] in embeddings and pair[1] in embeddings]
    if not pairs:
        raise InputError("no pair of photos of one person is left; look at the folder of --photos")
    row = {photo: index for index, photo in enumerate(photos)}
    first, second = (matrix[[row[pair[side]] for pair in pairs]] for side in (0, 1))
    genuine = scores(recognizer.spec, first, second).double().numpy()
    impostor = _impostor_scores(recognizer, matrix, np.unique([name for name, _ in photos], return_inverse=True)[1])
    thresholds = {fmr: threshold_at_fmr(impostor, float(fmr)) for fmr in FMRS}
    if not genuine.mean() > impostor.mean():
        raise MaskdesignError(
            f"{recognizer.spec.name}: pairs of one person score no higher than others; its template, pixels or metric "
            "must be another"
        )
    return Calibration(
        thresholds=thresholds,
        genuine_mean=float(genuine.mean()),
        impostor_mean=float(impostor.mean()),
        tpr={fmr: match_rate(genuine, threshold) for fmr, threshold in thresholds.items()},
        tpr_1e3_ci=interval_by_person(genuine >= thresholds["1e-3"], [pair[0][0] for pair in pairs], rounds),
        accuracy=best_accuracy(genuine, impostor),
        genuine_pairs=len(genuine),
        impostor_pairs=len(impostor),
        photos=len(photos),
        people=len({name for name, _ in photos}),
    )


def _impostor_scores(recognizer: Recognizer, matrix: Tensor, people: NDArray) -> NDArray[np.float32]:
    """Scores of all pairs of photos of different people, one photo against all later ones at a time."""
    parts = []
    for index in range(len(matrix) - 1):
        others = matrix[index + 1 :][torch.from_numpy(people[index + 1 :] != people[index])]
        parts.append(scores(recognizer.spec, others, matrix[index]).float().numpy())
    return np.concatenate(parts) if parts else np.zeros(0, np.float32)


def best_accuracy(genuine: NDArray[np.floating], impostor: NDArray[np.floating]) -> float:
    """Highest mean of TPR and TNR over all thresholds."""
    cuts = np.quantile(np.concatenate([genuine, impostor]), np.linspace(0, 1, 2001))
    tpr = 1 - np.searchsorted(np.sort(genuine), cuts) / len(genuine)
    tnr = np.searchsorted(np.sort(impostor), cuts) / len(impostor)
    return float(((tpr + tnr) / 2).max())


def interval_by_person(matched: NDArray[np.bool_], people: Sequence[str], rounds: int) -> tuple[float, float]:
    """95 % percentile interval of a rate, resampling people, since pairs of one person are not independent."""
    index = np.unique(people, return_inverse=True)[1]
    hits, counts = np.bincount(index, matched), np.bincount(index)
    drawn = np.random.default_rng(0).integers(0, len(counts), (rounds, len(counts)))
    low, high = np.quantile(hits[drawn].sum(axis=1) / counts[drawn].sum(axis=1), [0.025, 0.975])
    return float(low), float(high)
