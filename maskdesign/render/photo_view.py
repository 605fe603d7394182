"""`PhotoView`: a photograph as a background, with the camera that sees the head as the photo does."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskdesign.errors import InputError
from maskdesign.faces.scan import FaceScan
from maskdesign.files import check_readable, write_json
from maskdesign.render.camera import PinholeCamera

MAX_BYTES = 1 << 20


@dataclass(frozen=True)
class PhotoView:
    """How a head lies in a photo.

    Attributes:
        photo: the photo's file, as it was named.
        points_px: landmark name -> (2,) pixels.
        camera: sees the head in its face frame as the photo does, found by PnP.
        error_px: root mean square distance between the photo's landmarks and the head's.

    Convention: pixels of the upright photo, as `files.read_image` gives it.
    """

    photo: str
    points_px: Mapping[str, NDArray[np.float64]]
    camera: PinholeCamera
    error_px: float


def view_of_photo(
    face: FaceScan, photo: str, points_px: Mapping[str, NDArray[np.float64]], width_px: int, height_px: int
) -> PhotoView:
    """Fit the camera of a photo to its head; see `photo_pose`."""
    # Brings torch, which reading a scan, and refusing one, does without.
    from maskdesign.render.composite import photo_pose

    pose = photo_pose(face, points_px, width_px, height_px)
    return PhotoView(photo, points_px, pose.camera, pose.error_px)


def save_photo_views(views: list[PhotoView], path: Path) -> None:
    """Write one or several views of a head as JSON."""
    write_json(path, {"photos": [_as_row(view) for view in views]})


def _as_row(view: PhotoView) -> dict[str, Any]:
    camera = view.camera
    return {
        "photo": view.photo,
        "width_px": camera.width_px,
        "height_px": camera.height_px,
        "R": camera.R.tolist(),
        "T_mm": camera.T.tolist(),
        "K_px": camera.K.tolist(),
        "error_px": view.error_px,
        "points_px": {name: [float(x) for x in point] for name, point in view.points_px.items()},
    }


def load_photo_views(path: Path) -> list[PhotoView]:
    """Read what `save_photo_views` wrote.

    Raises:
        InputError: the file is missing or damaged.
    """
    check_readable(path)
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ValueError(f"larger than {MAX_BYTES >> 20} MiB")
        return [_from_row(row) for row in json.loads(path.read_text(encoding="utf-8"))["photos"]]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise InputError(f"{path}: not a file of photo views ({error}); make the head again") from error


def _from_row(row: dict[str, Any]) -> PhotoView:
    points = {str(name): _finite(point, (2,)) for name, point in row["points_px"].items()}
    sizes = int(row["width_px"]), int(row["height_px"])
    camera = PinholeCamera(_finite(row["R"], (3, 3)), _finite(row["T_mm"], (3,)), _finite(row["K_px"], (3, 3)), *sizes)
    return PhotoView(str(row["photo"]), points, camera, float(row["error_px"]))


def _finite(values: Any, shape: tuple[int, ...]) -> NDArray[np.float64]:
    array = np.array(values, dtype=np.float64)
    if array.shape != shape or not np.isfinite(array).all():
        raise ValueError(f"{str(values)[:40]} is not {shape} finite numbers")
    return array
