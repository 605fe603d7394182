"""What the teachers say about every face and every mixture, computed once: the targets of a distillation."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from maskdesign.errors import RecognizerError
from maskdesign.faces.scan import named_points
from maskdesign.files import read_npz, write_npz
from maskdesign.jobs.net_faces import POINT_NAMES, Faces
from maskdesign.jobs.pool import in_processes
from maskdesign.optimize.morphs import (
    Morphs,
    align_windows,
    chosen,
    draw_morphs,
    heights_in_crop,
    mix_crops,
    second_share,
)
from maskdesign.progress import Progress
from maskdesign.recognition.align import align_faces, similarity_from_points
from maskdesign.recognition.presets import TEMPLATES
from maskdesign.recognition.recognizer import Recognizer
from maskdesign.recognition.registry import load_dlib_recognizer, load_onnx_recognizer
from maskdesign.recognition.spec import FIVE_POINTS, RecognizerSpec

CHUNK, BATCH = 256, 32
SCALE, MARGIN_PX = 1.5, 24.0
"""Mixtures are made on a canvas finer and wider than the template, so that every teacher finds its own crop in it."""


def load_teacher(word: str) -> Recognizer:
    """A teacher by the word that names it: "dlib", or an .onnx file with its .toml beside it.

    Raises:
        InputError: no such file.
        RecognizerError: damaged, or of another size than its template says.
    """
    if word == "dlib":
        return load_dlib_recognizer()
    if not word.endswith(".onnx"):
        raise RecognizerError(f"--teachers {word}: neither dlib nor an .onnx file; name dlib or FILE.onnx, by commas")
    return load_onnx_recognizer(Path(word))


@lru_cache(maxsize=4)
def _teacher(word: str) -> Recognizer:
    return load_teacher(word)


def points_for(points_px: NDArray[np.floating], names: tuple[str, ...]) -> NDArray[np.float32]:
    """(B, 12, 2) in the order of `POINT_NAMES` -> (B, n, 2) of other names."""
    rows = [named_points(dict(zip(POINT_NAMES, points, strict=True)), names) for points in points_px]
    return np.stack(rows).astype(np.float32)


def arcface_places(points_px: NDArray[np.floating]) -> NDArray[np.float32]:
    """Where all twelve landmarks of each face lie in the crop of the ArcFace template, (B, 12, 2)."""
    five = torch.from_numpy(points_for(points_px, FIVE_POINTS))
    transform = similarity_from_points(five, torch.tensor(TEMPLATES["arcface"].template_px))
    places = torch.from_numpy(np.asarray(points_px, np.float32)) @ transform[:, :, :2].transpose(1, 2)
    return (places + transform[:, None, :, 2]).numpy()


def morphs_of(faces: Faces, eligible: NDArray[np.int64], count: int, seed: int) -> Morphs:
    """The mixtures of a training, of the rows that may be learned from."""
    shapes = arcface_places(faces.points_px).reshape(len(faces.people), -1)
    return draw_morphs(count, faces.people, shapes, mean_colors(faces.windows), eligible, seed)


def training_rows(faces: Faces, validation_people: int, seed: int) -> NDArray[np.bool_]:
    """(N,) whether a face is learned from; the others are of people kept for choosing and watching."""
    order = np.random.Generator(np.random.Philox(key=seed, counter=[0, 0, 0, 2])).permutation(faces.people.max() + 1)
    return ~np.isin(faces.people, order[:validation_people])


def mean_colors(windows: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(N, 3) mean of the middle of each window."""
    side = windows.shape[1]
    middle = slice(side // 4, side - side // 4)
    return np.array([window[middle, middle].mean(axis=(0, 1)) for window in windows], np.float32).reshape(-1, 3)


@dataclass(frozen=True, eq=False)
class _Job:
    """Some faces, or mixtures of them, before one teacher, and where its answers go.

    Attributes:
        windows: memory map of all faces, which a worker opens by itself.
        rows, points_px: the faces, and their landmarks.
        recipes, second_points_px: of mixtures; None for plain faces.
    """

    teacher: str
    windows: Path
    rows: NDArray[np.int64]
    points_px: NDArray[np.float32]
    recipes: Morphs | None
    second_points_px: NDArray[np.float32] | None
    file: Path


def teacher_embeddings(word: str, faces: Faces, morphs: Morphs, cache: Path, progress: Progress) -> NDArray[np.float32]:
    """Embeddings by one teacher of all faces, then of all mixtures: (N + M, E)."""
    jobs = [_job(word, faces, np.arange(*span), None, cache) for span in _spans(len(faces.people))]
    for span in _spans(len(morphs)):
        recipes = chosen(morphs, np.arange(*span))
        jobs.append(_job(word, faces, recipes.first, recipes, cache))
    return _answers(jobs, progress)


def covered_embeddings(
    word: str, files: Sequence[Path], places_px: NDArray[np.float32], cache: Path, progress: Progress
) -> NDArray[np.float32]:
    """Embeddings by one teacher of pictures that lie in several files, (K, E).

    Args:
        files: of memory maps; each one's path says what it holds.
        places_px: (K, 12, 2) landmarks in them.
    """
    jobs = []
    for file, places in zip(files, np.split(places_px, len(files)), strict=True):
        about = f"{_teacher(word).spec.sha256} {file.parent.name}/{file.name}"
        target = cache / "teachers" / f"{hashlib.sha256(about.encode()).hexdigest()[:24]}.npz"
        jobs.append(_Job(word, file, np.arange(len(places)), places, None, None, target))
    return _answers(jobs, progress)


def _answers(jobs: Sequence[_Job], progress: Progress) -> NDArray[np.float32]:
    lacking = [job for job in jobs if not job.file.exists()]
    for done, _ in enumerate(in_processes(_embed_job, [(job,) for job in lacking]), start=1):
        progress.advance(len(jobs) - len(lacking) + done, len(jobs), "some hundred faces each")
    return np.concatenate([read_npz(job.file)["embeddings"] for job in jobs])


def _spans(count: int) -> list[tuple[int, int]]:
    return [(start, min(start + CHUNK, count)) for start in range(0, count, CHUNK)]


def _job(word: str, faces: Faces, rows: NDArray[np.int64], recipes: Morphs | None, cache: Path) -> _Job:
    digest = hashlib.sha256(_teacher(word).spec.sha256.encode())
    for side in (rows,) if recipes is None else (rows, recipes.second):
        digest.update("\n".join(f"{faces.photos[row].parent.name}/{faces.photos[row].name}" for row in side).encode())
    if recipes is not None:
        for part in (recipes.above, recipes.below, recipes.seam_px, recipes.gain):
            digest.update(part.tobytes())
    file = cache / "teachers" / f"{digest.hexdigest()[:24]}.npz"
    second = None if recipes is None else faces.points_px[recipes.second]
    return _Job(word, faces.windows_file, rows, faces.points_px[rows], recipes, second, file)


def _embed_job(job: _Job) -> None:
    windows, teacher, parts = np.load(job.windows, mmap_mode="r"), _teacher(job.teacher), []
    for start in range(0, len(job.rows), BATCH):
        part = np.arange(start, min(start + BATCH, len(job.rows)))
        if job.recipes is None or job.second_points_px is None:
            places = points_for(job.points_px[part], teacher.spec.points)
            crops = align_windows(windows[job.rows[part]], places, teacher.spec)
        else:
            own = chosen(job.recipes, part)
            sides = windows[own.first], job.points_px[part], windows[own.second], job.second_points_px[part]
            canvas, places = _canvas(*sides, own)
            crops = align_faces(canvas, torch.from_numpy(points_for(places, teacher.spec.points)), teacher.spec)
        parts.append(_embed(teacher, crops))
    write_npz(job.file, embeddings=np.concatenate(parts))


@torch.no_grad()
def _embed(teacher: Recognizer, crops: Tensor) -> NDArray[np.float32]:
    return teacher.embed(crops).float().numpy()


def canvas_spec() -> RecognizerSpec:
    """The template of a canvas, in the place of a recognizer's."""
    template, side = TEMPLATES["arcface"], round(112 * SCALE + 2 * MARGIN_PX)
    places = tuple((x * SCALE + MARGIN_PX, y * SCALE + MARGIN_PX) for x, y in template.template_px)
    return replace(_teacher("dlib").spec, width_px=side, height_px=side, points=FIVE_POINTS, template_px=places)


def _canvas(
    first: NDArray[np.uint8],
    first_px: NDArray[np.float32],
    second: NDArray[np.uint8],
    second_px: NDArray[np.float32],
    morphs: Morphs,
) -> tuple[Tensor, NDArray[np.float32]]:
    """Mixtures and where their landmarks lie."""
    spec = canvas_spec()
    a, b = (align_windows(w, points_for(p, FIVE_POINTS), spec) for w, p in ((first, first_px), (second, second_px)))
    mixed = mix_crops(a, b, morphs, heights_in_crop(spec.height_px, SCALE, MARGIN_PX))
    mine, others = arcface_places(first_px), arcface_places(second_px)
    share = second_share(morphs, torch.from_numpy((mine[..., 1] + others[..., 1]) / 2)).numpy()[..., None]
    return mixed, (mine + share * (others - mine)) * np.float32(SCALE) + np.float32(MARGIN_PX)


def joint_targets(
    embeddings: Sequence[NDArray[np.float32]], real: int, size: int, covered: int = 0
) -> NDArray[np.float32]:
    """One vector for all teachers: their centered unit embeddings side by side, in their `size` main directions.

    Cosines of these vectors are close to the mean of the teachers' own cosines, so that a student whose embedding
    points the same way knows what all of them know.

    Args:
        embeddings: of each teacher, (N + M + K, E).
        real: N, the rows that are real faces; they decide the center.
        size: length of a target.
        covered: K, the last rows, of masked faces; with the real ones they decide the directions.

    Returns:
        (N + M + K, size) unit vectors.
    """
    sides = []
    for rows in embeddings:
        centered = rows - rows[:real].mean(axis=0)
        sides.append(centered / np.maximum(np.linalg.norm(centered, axis=1, keepdims=True), 1e-9))
    joint = np.concatenate(sides, axis=1).astype(np.float64)
    seen = np.concatenate([joint[:real], joint[len(joint) - covered :]])
    _, directions = np.linalg.eigh(seen.T @ seen)
    # The sign of an eigenvector is anybody's choice: take the one with its largest entry above 0.
    main = directions[:, ::-1][:, :size]
    main = main * np.sign(main[np.abs(main).argmax(axis=0), np.arange(main.shape[1])])
    projected = joint @ main
    # Few teachers may have fewer directions than a target has places.
    projected = np.pad(projected, ((0, 0), (0, size - projected.shape[1])))
    return (projected / np.linalg.norm(projected, axis=1, keepdims=True)).astype(np.float32)
