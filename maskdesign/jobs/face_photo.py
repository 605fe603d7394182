"""Photos that pass the quality gate -> a head, and how each photo sees it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from maskdesign.errors import FaceError, InputError, UsageError
from maskdesign.faces.detect import FaceDetection
from maskdesign.faces.photo import Shot, face_from_photos
from maskdesign.faces.placed import detection_from_points
from maskdesign.faces.quality import PhotoQuality, admit, detect_main_face, measure_quality
from maskdesign.faces.scan import FaceScan
from maskdesign.faces.scan_landmarks import read_landmarks
from maskdesign.files import read_image
from maskdesign.render.photo_view import PhotoView, view_of_photo

PHOTO_ENDINGS = (".jpg", ".jpeg", ".png", ".ppm", ".webp", ".tif", ".tiff", ".bmp")
MAX_PHOTOS = 40
"""Of one head: they are held in memory together."""


@dataclass(frozen=True)
class PhotoHead:
    """A head from photos.

    Attributes:
        face: the head.
        views: how each photo that was used sees it.
        facts: what was found out, ready for JSON.
    """

    face: FaceScan
    views: tuple[PhotoView, ...]
    facts: dict[str, Any]


def head_from_photo(source: Path, ipd_mm: float | None, landmarks: Path | None = None) -> PhotoHead:
    """A head from one photo.

    Args:
        source: the photo.
        ipd_mm: distance between the pupils, where known.
        landmarks: TOML or JSON, `NAME = [x, y]` in pixels; needs no detector, and wins over it.

    Raises:
        ImageError, FaceError: the photo cannot be read, or the gate says why it is not good enough.
    """
    _check_ipd(ipd_mm, source)
    shot, quality = _read_shot(source, landmarks)
    return _build([shot], [source], ipd_mm, {"kind": "photo", **asdict(quality)})


def head_from_photos(sources: Sequence[Path], ipd_mm: float | None) -> PhotoHead:
    """One head from several photos of one person; those that the gate refuses are left out and listed with the reason.

    Raises:
        FaceError: no photo passes.
        UsageError: more than 40 photos.
    """
    if len(sources) > MAX_PHOTOS:
        raise UsageError(f"{len(sources)} photos for one head; choose at most {MAX_PHOTOS}")
    _check_ipd(ipd_mm, sources[0])
    shots, used, refused = [], [], {}
    for source in sources:
        try:
            shots.append(_read_shot(source, None)[0])
            used.append(source)
        except (FaceError, InputError) as error:
            refused[str(source)] = str(error).removeprefix(f"{source}: ")
    if not used:
        first, reason = next(iter(refused.items()))
        raise FaceError(f"{first}: {reason}; none of {len(sources)} photos can be used")
    return _build(shots, used, ipd_mm, {"kind": "photos", "photos_used": len(used), "refused": refused})


def list_photos(sources: Sequence[Path]) -> list[Path]:
    """The photos named, and those of the folders named, each once.

    Raises:
        InputError: a folder without photos.
        UsageError: something else than a photo among several.
    """
    photos: dict[Path, None] = {}
    for source in sources:
        found = photos_in(source) if source.is_dir() else [source]
        if not found:
            raise InputError(f"{source}: holds no photos; they end in {', '.join(PHOTO_ENDINGS)}")
        photos |= dict.fromkeys(found)
    for photo in photos:
        if photo.suffix.lower() not in PHOTO_ENDINGS:
            raise UsageError(f"{photo}: no photo; several files can only be photos of one person")
    return list(photos)


def photos_in(folder: Path) -> list[Path]:
    """Every photo in a folder and its folders, sorted."""
    return sorted(path for path in folder.rglob("*") if path.suffix.lower() in PHOTO_ENDINGS)


def _check_ipd(ipd_mm: float | None, source: Path) -> None:
    if ipd_mm is not None and not 40 <= ipd_mm <= 90:
        raise FaceError(f"{source}: an interpupillary distance of {ipd_mm:g} mm is no adult's; give 40 to 90 mm")


def _read_shot(source: Path, landmarks: Path | None) -> tuple[Shot, PhotoQuality]:
    image = read_image(source)
    detection = detect_main_face(image, str(source)) if landmarks is None else _placed(image.shape, source, landmarks)
    quality = measure_quality(image, detection)
    admit(quality, str(source))
    return Shot(image, detection), quality


def _placed(shape: tuple[int, ...], source: Path, landmarks: Path) -> FaceDetection:
    return detection_from_points(read_landmarks(landmarks, coordinates=2), shape[1], shape[0], str(source))


def _build(shots: list[Shot], sources: list[Path], ipd_mm: float | None, facts: dict[str, Any]) -> PhotoHead:
    found = face_from_photos(shots, ipd_mm)
    face = found[0].scan
    views = tuple(
        view_of_photo(face, str(source), one.points_px, shot.image.shape[1], shot.image.shape[0])
        for one, shot, source in zip(found, shots, sources, strict=True)
    )
    worst = max(view.error_px for view in views)
    return PhotoHead(face, views, facts | {"unit": found[0].scale_source, "photo_error_px": worst})
