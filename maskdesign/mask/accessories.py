"""Prints that other methods wear, laid on a head and not draped: a sticker on the forehead, the frame of glasses.

Both are flat sheets whose points are placed before the head: the sticker follows the skin, the frame stands on the
bridge of the nose. How far that stretches them stands in the report, as for a mask.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, map_coordinates

from maskdesign.errors import FaceError
from maskdesign.faces.scan import FaceScan
from maskdesign.geometry.mesh import TriangleMesh, mesh_edges
from maskdesign.geometry.orthographic import view_from_front
from maskdesign.mask.crossings import find_crossings
from maskdesign.mask.pattern import MaskPattern
from maskdesign.mask.worn import DrapeReport, WornMask

PITCH_MM, STIFFNESS_MM, CLEARANCE_MM = 1.25, 4.0, 1.0
STICKER = MaskPattern(width_mm=100.0, height_mm=45.0, pleat_rows_mm=(), nose_v_mm=22.5)
ABOVE_NASION_MM = 14.0
"""Lower edge of the sticker, just above the brows."""
FRAME = MaskPattern(width_mm=140.0, height_mm=50.0, pleat_rows_mm=(), cell_mm=1.25, nose_v_mm=25.0)
LENS_APART_MM, LENS_HALF_MM, RIM_MM, BRIDGE_HALF_MM, CORNER = 33.0, (23.0, 15.0), 9.0, (10.0, 5.0), 4.0
FRAME_BEFORE_NASION_MM, FRAME_RADIUS_MM = 5.0, 160.0


@dataclass(frozen=True)
class Accessory:
    """Something printed that is worn in place of a mask.

    Attributes:
        name: for reports, and for the store of its photos.
        pattern: the flat sheet, without pleats.
        lay: puts it on a head.
    """

    name: str
    pattern: MaskPattern
    lay: Callable[[FaceScan], WornMask]


def lay_sticker(face: FaceScan) -> WornMask:
    """The sticker on the forehead; along its middle row and column, arc length along the skin is sheet length."""
    sheet, triangles = _sheet(STICKER)
    nasion = face.landmarks["nasion"]
    low_mm = nasion[1] + ABOVE_NASION_MM
    depth_at = _skin_depth(face, 0.62 * STICKER.width_mm, low_mm - 5, low_mm + STICKER.height_mm + 5)
    up = np.linspace(0, STICKER.height_mm, 91)
    y = low_mm + _walked(up, depth_at(np.zeros_like(up), low_mm + up), STICKER.height_mm - sheet[:, 1])
    across = np.linspace(-0.6, 0.6, 289) * STICKER.width_mm
    row = np.full_like(across, low_mm + STICKER.height_mm / 2)
    x = _walked(across, depth_at(across, row), sheet[:, 0] - STICKER.width_mm / 2)
    return _worn(np.column_stack([x + nasion[0], y, depth_at(x, y) + CLEARANCE_MM]), sheet, triangles)


def _walked(
    places: NDArray[np.float64], depth: NDArray[np.float64], length_mm: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Places that lie so far along a profile from where `places` is 0."""
    walked = np.concatenate([[0.0], np.cumsum(np.hypot(np.diff(places), np.diff(depth)))])
    return np.interp(length_mm, walked - np.interp(0.0, places, walked), places)


def lay_frame(face: FaceScan) -> WornMask:
    """The frame before the eyes, bent around the face, and before whatever would stand through it."""
    sheet, triangles = _sheet(FRAME)
    middle = sheet - [FRAME.width_mm / 2, FRAME.height_mm / 2]
    triangles = triangles[_on_frame(middle[triangles].mean(axis=1))]
    eyes = [face.landmarks[f"eye_{part}_{side}"] for part in ("outer", "inner") for side in ("left", "right")]
    eye_line_mm, nasion = float(np.mean([eye[1] for eye in eyes])), face.landmarks["nasion"]
    x, y = middle[:, 0], eye_line_mm - middle[:, 1]
    depth_at = _skin_depth(face, 0.55 * FRAME.width_mm, eye_line_mm - 30, eye_line_mm + 30)
    standing = nasion[2] + FRAME_BEFORE_NASION_MM - x**2 / (2 * FRAME_RADIUS_MM)
    points = np.column_stack([x + nasion[0], y, np.maximum(standing, depth_at(x, y) + CLEARANCE_MM)])
    used, places = np.unique(triangles, return_inverse=True)
    return _worn(points[used], sheet[used], places.reshape(-1, 3).astype(np.int32))


def _on_frame(middle_mm: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Whether points, seen from the middle of the frame, lie on a rim or on the bridge."""
    x, y = abs(middle_mm[:, 0]) - LENS_APART_MM, middle_mm[:, 1]

    def inside(grown_mm: float) -> NDArray[np.bool_]:
        across, down = (half + grown_mm for half in LENS_HALF_MM)
        return abs(x / across) ** CORNER + abs(y / down) ** CORNER < 1

    bridge = (abs(middle_mm[:, 0]) < BRIDGE_HALF_MM[0]) & (abs(y) < BRIDGE_HALF_MM[1])
    return (inside(RIM_MM) | bridge) & ~inside(0.0)


def _sheet(pattern: MaskPattern) -> tuple[NDArray[np.float64], NDArray[np.int32]]:
    """Points (V, 2) in sheet millimeters and triangles of a grid, counterclockwise seen from the printed side."""
    columns, rows = (round(length / pattern.cell_mm) + 1 for length in (pattern.width_mm, pattern.height_mm))
    v, u = np.mgrid[:rows, :columns] * pattern.cell_mm
    number = np.arange(rows * columns).reshape(rows, columns)
    a, b, c, d = (part.ravel() for part in (number[:-1, :-1], number[:-1, 1:], number[1:, :-1], number[1:, 1:]))
    triangles = np.concatenate([np.column_stack([a, c, b]), np.column_stack([b, c, d])]).astype(np.int32)
    return np.column_stack([u.ravel(), v.ravel()]), triangles


def _skin_depth(face: FaceScan, half_mm: float, low_mm: float, high_mm: float) -> Callable:
    """Depth z of the skin over (x, y), x from the nasion, smoothed as a stiff sheet would bridge it.

    Raises:
        FaceError: the head has no skin there.
    """
    left = face.landmarks["nasion"][0] - half_mm
    corners = np.array([left, low_mm]), np.array([left + 2 * half_mm, high_mm])
    view = view_from_front(face.mesh.vertices, face.mesh.triangles, PITCH_MM, *corners)
    seen = view.triangle >= 0
    if seen.mean() < 0.5:
        raise FaceError(f"{face.source}: shows too little of the forehead or the eyes")
    depth = np.where(seen, view.points[..., 2], view.points[..., 2][seen].min())
    smooth = gaussian_filter(depth, STIFFNESS_MM / PITCH_MM, mode="nearest")

    def depth_at(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
        places = [(high_mm - y) / PITCH_MM - 0.5, (x + half_mm) / PITCH_MM - 0.5]
        return map_coordinates(smooth, places, order=1, mode="nearest")

    return depth_at


def _worn(points: NDArray[np.float64], sheet_mm: NDArray[np.float64], triangles: NDArray[np.int32]) -> WornMask:
    edges = mesh_edges(triangles)
    flat, worn = (np.linalg.norm(p[edges[:, 0]] - p[edges[:, 1]], axis=1) for p in (sheet_mm, points))
    strain = worn / flat - 1
    report = DrapeReport(
        strain_rms=float(np.sqrt(np.mean(strain**2))),
        strain_p99=float(np.quantile(abs(strain), 0.99)),
        strain_max=float(abs(strain).max()),
        area_ratio=float(np.mean(worn / flat) ** 2),
        penetration_mm=0.0,
        opening_mm=0.0,
        layer_violations=0,
        crossings=len(find_crossings(points, triangles)),
        seconds=0.0,
    )
    return WornMask(TriangleMesh(points, triangles), sheet_mm, np.zeros(len(points), np.int8), report)


FOREHEAD_STICKER = Accessory("forehead sticker", STICKER, lay_sticker)
EYEGLASSES = Accessory("eyeglass frame", FRAME, lay_frame)
