"""`FaceScan`: whoever wears the mask, in millimeters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from maskdesign.errors import FaceError, InputError
from maskdesign.files import read_npz, write_npz
from maskdesign.geometry.mesh import TriangleMesh

LANDMARKS = (
    "eye_outer_left",
    "eye_inner_left",
    "eye_inner_right",
    "eye_outer_right",
    "nasion",
    "nose_tip",
    "subnasale",
    "mouth_left",
    "mouth_right",
    "chin",
    "jaw_left",
    "jaw_right",
    "ear_left",
    "ear_right",
)
"""Points every scan names. Left and right are the picture's: left has x < 0 and is the wearer's right side.
`ear_*` is where a loop hooks in behind the top of the ear, `jaw_*` the corner of the jaw below it."""


@dataclass(frozen=True)
class FaceScan:
    """A head with a face.

    Attributes:
        mesh: surface in millimeters with uv into `texture`.
        texture: (H, W, 3) uint8, sRGB.
        landmarks: every name of `LANDMARKS` -> (3,) float64 in millimeters.
        source: where it came from, for reports.

    Convention: origin at the nose tip; +x to the right of the picture when the face looks at the camera,
    +y up, +z out of the face.
    """

    mesh: TriangleMesh
    texture: NDArray[np.uint8]
    landmarks: Mapping[str, NDArray[np.float64]]
    source: str

    def __post_init__(self) -> None:
        missing = [name for name in LANDMARKS if name not in self.landmarks]
        if missing:
            raise FaceError(f"{self.source}: the scan lacks the landmarks {', '.join(missing)}")
        wrong = [name for name in LANDMARKS if not _is_place(self.landmarks[name])]
        if wrong:
            raise FaceError(f"{self.source}: {', '.join(wrong)} must be three finite numbers; find the landmarks again")
        if self.mesh.uv is None:
            raise FaceError(f"{self.source}: the scan has no texture coordinates")
        if self.texture.ndim != 3 or self.texture.shape[2] != 3 or self.texture.dtype != np.uint8:
            raise FaceError(f"{self.source}: the color texture must be (H, W, 3) uint8, not {self.texture.shape}")

    def points_mm(self, names: tuple[str, ...]) -> NDArray[np.float64]:
        """The named landmarks as rows, (n, 3) millimeters; see `named_points`."""
        return named_points(self.landmarks, names)


def _is_place(point: NDArray[np.float64]) -> bool:
    return point.shape == (3,) and bool(np.isfinite(point).all())


def named_points(points: Mapping[str, NDArray[np.float64]], names: tuple[str, ...]) -> NDArray[np.float64]:
    """Landmarks as rows, in space or in a picture; `eye_left` and `eye_right` are the midpoints of their corners.

    Args:
        points: name -> (d,) for names of `LANDMARKS`.
        names: n names out of these plus `eye_left` and `eye_right`.

    Returns:
        (n, d), in the unit of `points`.
    """
    return np.stack([_named_point(points, name) for name in names])


def _named_point(points: Mapping[str, NDArray[np.float64]], name: str) -> NDArray[np.float64]:
    if name in ("eye_left", "eye_right"):
        side = name.removeprefix("eye_")
        return (points[f"eye_outer_{side}"] + points[f"eye_inner_{side}"]) / 2
    return points[name]


def save_face(face: FaceScan, path: Path) -> None:
    """Write `face.npz`: vertices_mm, triangles, uv, landmark_names, landmarks_mm, texture, source."""
    write_npz(
        path,
        vertices_mm=face.mesh.vertices,
        triangles=face.mesh.triangles,
        uv=np.asarray(face.mesh.uv),
        landmark_names=np.array(LANDMARKS),
        landmarks_mm=np.stack([face.landmarks[name] for name in LANDMARKS]),
        texture=face.texture,
        source=np.array(face.source),
    )


def load_face(path: Path) -> FaceScan:
    """Read what `save_face` wrote.

    Raises:
        InputError: the file is missing, damaged, or lacks an array.
        MeshError, FaceError: its content is no valid scan.
    """
    arrays = read_npz(path)
    try:
        mesh = TriangleMesh(arrays["vertices_mm"], arrays["triangles"], arrays["uv"])
        landmarks = dict(zip(arrays["landmark_names"].tolist(), arrays["landmarks_mm"], strict=True))
        return FaceScan(mesh, arrays["texture"], landmarks, str(arrays["source"]))
    except (KeyError, ValueError) as error:
        raise InputError(f"{path}: not a face file of this program ({error}); make it again") from error
