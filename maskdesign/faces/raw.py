"""What a scanner delivers, before anything is cleaned, measured or aligned."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from maskdesign.errors import ScanError
from maskdesign.geometry.mesh import TriangleMesh

MAX_SAMPLES = 2_000_000
MAX_COORDINATE_MM = 1e5


@dataclass(frozen=True)
class RangeImage:
    """Points on a pixel grid, as structured-light and laser scanners give them.

    Attributes:
        points_mm: (R, C, 3) float64 millimeters, 0 where not valid.
        valid: (R, C) bool.
        rgb: (R, C, 3) uint8 sRGB in register with the points, or None.

    Convention: x grows along the columns, y falls along the rows, z points to the camera.

    Raises:
        ScanError: wrong shapes, no valid point, or valid points that are not finite or further than 100 m away.
    """

    points_mm: NDArray[np.float64]
    valid: NDArray[np.bool_]
    rgb: NDArray[np.uint8] | None = None

    def __post_init__(self) -> None:
        if self.points_mm.ndim != 3 or self.points_mm.shape != (*self.valid.shape, 3):
            raise ScanError(f"points {self.points_mm.shape} do not fit the mask {self.valid.shape}")
        if self.rgb is not None and self.rgb.shape != self.points_mm.shape:
            raise ScanError(
                f"the texture has {self.rgb.shape[1]} x {self.rgb.shape[0]} pixels, the scan "
                f"{self.valid.shape[1]} x {self.valid.shape[0]}; name the picture that belongs to it with --texture"
            )
        if not self.valid.any():
            raise ScanError("no sample is valid; scan again")
        wild = self.valid & ~(np.abs(self.points_mm) < MAX_COORDINATE_MM).all(axis=2)
        if wild.any():
            row, column = np.argwhere(wild)[0]
            raise ScanError(f"sample in row {row}, column {column} is {self.points_mm[row, column]}; not a place")
        object.__setattr__(self, "points_mm", np.where(self.valid[..., None], self.points_mm, 0.0))


@dataclass(frozen=True)
class RawScan:
    """A scan as its file says it.

    Attributes:
        surface: points on a grid or a mesh; millimeters, as far as `unit` is right.
        texture: (H, W, 3) uint8 sRGB for the mesh's uv, or None.
        vertex_rgb: (V, 3) uint8 sRGB of the mesh's vertices, or None.
        unit: "mm", "cm", "m" or "inch"; "unknown" where only the eyes can tell (`faces.units`).
        mm_per_unit: what the file's numbers were multiplied by.
        source: the file's name.
    """

    surface: RangeImage | TriangleMesh
    texture: NDArray[np.uint8] | None
    vertex_rgb: NDArray[np.uint8] | None
    unit: str
    mm_per_unit: float
    source: str


def upright(image: RangeImage) -> RangeImage:
    """Flip rows and columns of a range image until x grows to the right and y upward."""
    rows, columns = np.nonzero(image.valid)
    points = image.points_mm[rows, columns]
    flips = [slice(None), slice(None)]
    if _covariance(points[:, 1], rows) > 0:
        flips[0] = slice(None, None, -1)
    if _covariance(points[:, 0], columns) < 0:
        flips[1] = slice(None, None, -1)
    place = tuple(flips)
    rgb = None if image.rgb is None else np.ascontiguousarray(image.rgb[place])
    return RangeImage(np.ascontiguousarray(image.points_mm[place]), np.ascontiguousarray(image.valid[place]), rgb)


def _covariance(a: NDArray, b: NDArray) -> float:
    return float(((a - a.mean()) * (b - b.mean())).sum())
