"""Faces to train a small recognizer on: the part of each photo around its face, found once and memory mapped."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from itertools import chain
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from maskdesign.errors import FaceError, InputError
from maskdesign.evaluation.pairs import ENDINGS
from maskdesign.faces.landmarks import LANDMARK_INDEX
from maskdesign.files import check_readable, read_image, read_npz, write_npz, write_parts
from maskdesign.jobs.photo_store import middle_face
from maskdesign.jobs.pool import in_processes
from maskdesign.progress import Progress
from maskdesign.render.masked_photo import WINDOW_PX, face_window

POINT_NAMES = tuple(LANDMARK_INDEX)
CHUNK = 64
"""Photos that one file of the cache holds, so that an interrupted preparation loses seconds."""


@dataclass(frozen=True, eq=False)
class Faces:
    """Photos with a face, all in memory maps.

    Attributes:
        windows: (N, S, S, 3) uint8 sRGB around each face; S = `WINDOW_PX`.
        points_px: (N, 12, 2) float32 landmarks in it, in the order of `POINT_NAMES`.
        people: (N,) int64 number of the person.
        photos: path of each photo.
        skipped: photos without a usable face.
        windows_file: the memory map of `windows`, for other processes.
    """

    windows: NDArray[np.uint8]
    points_px: NDArray[np.float32]
    people: NDArray[np.int64]
    photos: tuple[Path, ...]
    skipped: int
    windows_file: Path


def read_people(path: Path, left_out_folds: Sequence[int]) -> list[str]:
    """Names of the people to learn from.

    Args:
        path: people.txt as LFW's View 2 has it (number of folds, then for each fold a count and "NAME<tab>PHOTOS"), or
            one name a line.
        left_out_folds: counted from 1; those kept for tests. A list without folds has none.

    Raises:
        InputError: missing, or of another layout.
    """
    check_readable(path)
    try:
        lines = [line.split("\t")[0].strip() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: no list of names ({error.reason}); write one name a line") from error
    unfit = [name for name in lines if len(Path(name).parts) != 1 or name == ".."]
    if unfit:
        raise InputError(f"{path}: {unfit[0][:60]!r} is no name of a folder of photos; write one name a line")
    if not lines or not lines[0].isdigit():
        return sorted(set(lines))
    names, place = [], 1
    for fold in range(1, int(lines[0]) + 1):
        if place >= len(lines) or not lines[place].isdigit() or place + int(lines[place]) >= len(lines):
            raise InputError(f"{path}: fold {fold} does not begin with the number of its people, or ends too early")
        own = lines[place + 1 : place + 1 + int(lines[place])]
        names += [] if fold in left_out_folds else own
        place += 1 + len(own)
    return sorted(set(names))


def photos_of_people(folder: Path, names: Sequence[str], most: int) -> list[Path]:
    """The first photos of each person, sorted; people without a photo are passed over.

    Args:
        folder: holds PERSON/*.jpg.
        most: photos of one person.

    Raises:
        InputError: no such folder, or a photo of none of them.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; give photos arranged as PERSON/PHOTO.jpg")
    found = []
    for name in names:
        own = sorted(path for path in (folder / name).glob("*") if path.suffix.lower() in ENDINGS)
        found += own[:most]
    if not found:
        raise InputError(f"{folder}: holds photos of none of the {len(names)} people; give PERSON/PHOTO.jpg")
    return found


def prepare_faces(photos: Sequence[Path], cache: Path, progress: Progress) -> Faces:
    """Find the face of every photo, once.

    Photos that cannot be read or show no face are skipped and counted.

    Args:
        photos: PERSON/PHOTO each.
        cache: folder for what is found.
    """
    chunks = [tuple(photos[start : start + CHUNK]) for start in range(0, len(photos), CHUNK)]
    files = [cache / "faces" / f"{_digest(chunk)}.npz" for chunk in chunks]
    lacking = [(chunk, file) for chunk, file in zip(chunks, files, strict=True) if not file.exists()]
    for done, _ in enumerate(in_processes(_find_chunk, lacking), start=1):
        progress.advance(len(chunks) - len(lacking) + done, len(chunks), f"{CHUNK} photos each")
    return _assemble(photos, files, cache)


def _digest(photos: Sequence[Path]) -> str:
    told = [f"{path.parent.name}/{path.name} {path.stat().st_size}" for path in photos]
    return hashlib.sha256("\n".join(told).encode()).hexdigest()[:24]


def _find_chunk(photos: Sequence[Path], file: Path) -> None:
    found = [_find(path) for path in photos]
    kept = [entry for entry in found if entry is not None]
    windows = np.stack([w for w, _ in kept]) if kept else np.zeros((0, WINDOW_PX, WINDOW_PX, 3), np.uint8)
    points = np.stack([p for _, p in kept]) if kept else np.zeros((0, len(POINT_NAMES), 2), np.float32)
    write_npz(file, windows=windows, points_px=points, found=np.array([entry is not None for entry in found]))


def _find(path: Path) -> tuple[NDArray[np.uint8], NDArray[np.float32]] | None:
    try:
        image = read_image(path)
        landmarks = middle_face(image, str(path)).landmarks_px
    except (FaceError, InputError):
        return None
    named = {name: landmarks[index, :2] for name, index in LANDMARK_INDEX.items()}
    window, points_px = face_window(image, named)
    return window, np.stack([points_px[name] for name in POINT_NAMES]).astype(np.float32)


def _assemble(photos: Sequence[Path], files: Sequence[Path], cache: Path) -> Faces:
    """One memory map out of the chunks; made again whenever the list of photos is another one."""
    found, points = [], []
    target = cache / f"windows-{_digest(photos)}.npy"
    parts = [read_npz(file) for file in files] if not target.exists() else None
    for file in files:
        arrays = read_npz(file)
        found.append(arrays["found"])
        points.append(arrays["points_px"])
    if parts is not None:
        write_map(target, [part["windows"] for part in parts])
    kept = np.concatenate(found)
    own = tuple(path for path, seen in zip(photos, kept, strict=True) if seen)
    people = np.unique([path.parent.name for path in own], return_inverse=True)[1].astype(np.int64)
    return Faces(np.load(target, mmap_mode="r"), np.concatenate(points), people, own, int((~kept).sum()), target)


def write_map(target: Path, parts: Sequence[NDArray]) -> None:
    """Write arrays of one shape but for their length, one behind the other, as one .npy that can be mapped.

    Raises:
        OutputError: no space; nothing is left behind.
    """
    header, count = BytesIO(), sum(len(part) for part in parts)
    about = {"descr": parts[0].dtype.str, "fortran_order": False, "shape": (count, *parts[0].shape[1:])}
    np.lib.format.write_array_header_1_0(header, about)
    # Not written through a map: on a full disk that ends the process.
    write_parts(target, chain([header.getvalue()], (np.ascontiguousarray(part).tobytes() for part in parts)))
