"""Which parts of the sheet a set of cameras ever sees, as a map in sheet millimeters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from maskdesign.errors import InputError
from maskdesign.geometry.refine import locate
from maskdesign.mask.cells import CellTransforms, board_corners_mm, cell_quads, fit_cells, worn_points_mm
from maskdesign.mask.outline import inside_outline
from maskdesign.mask.pattern import MaskPattern
from maskdesign.mask.worn import WornMask
from maskdesign.render.camera import PinholeCamera, project_points
from maskdesign.render.scene import PRINTED, Scene
from maskdesign.render.shading import hides_inner_sides, scaled_camera
from maskdesign.render.threads import map_threads
from maskdesign.render.zbuffer import rasterize_view

FINENESS = 3.0
"""Samples of the picture per texel of the map, along each side, where the sheet faces the camera."""
MAX_SAMPLES = 1 << 26
MAX_TEXELS = 1 << 22


@dataclass(frozen=True)
class SheetVisibility:
    """What cameras see of a sheet.

    Attributes:
        seen: (B, h, w) whether camera b sees the middle of a texel from its printed side.
        texel_mm: side of a texel; texel (row, column) is centered at ((column, row) + 0.5) * texel_mm.
        on_sheet: (h, w) whether the middle of a texel lies on the cloth: inside the outline of a pattern that has one.
    """

    seen: NDArray[np.bool_]
    texel_mm: float
    on_sheet: NDArray[np.bool_]

    @property
    def ever(self) -> NDArray[np.bool_]:
        """(h, w) seen by any camera."""
        return self.seen.any(axis=0)

    @property
    def shares(self) -> NDArray[np.float64]:
        """(B,) share of the cloth that each camera sees."""
        return self.seen[:, self.on_sheet].mean(axis=1)

    @property
    def ever_share(self) -> float:
        """Share of the cloth that any camera sees."""
        return float(self.ever[self.on_sheet].mean())


def see_sheet(
    scene: Scene, worn: WornMask, pattern: MaskPattern, cameras: Sequence[PinholeCamera], texel_mm: float = 1.0
) -> SheetVisibility:
    """Ask every camera for every texel of the sheet: is the nearest thing along its ray this very piece of print?

    The answer is by identity, not by depth: layers of a pleat lie a fraction of a millimeter apart in space, but
    two pleat depths apart on the sheet.

    Args:
        scene: head and mask as `build_scene` makes them of `worn`.
        cameras: B, at least one; their resolution plays no part.
        texel_mm: resolution of the map.

    Raises:
        InputError: no camera, or a texel that asks for too large a map.
    """
    if not cameras or not 0 < texel_mm <= min(pattern.width_mm, pattern.height_mm):
        raise InputError(f"visibility needs a camera and a texel smaller than the sheet, not {texel_mm:g} mm")
    if pattern.width_mm * pattern.height_mm > MAX_TEXELS * texel_mm**2:
        raise InputError(f"a texel of {texel_mm:g} mm makes a map of more than {MAX_TEXELS} texels; take a larger one")
    places_mm = texel_centers_mm(pattern, texel_mm)
    spots, on_sheet = _spots(worn, places_mm), inside_outline(pattern, places_mm)
    seen = map_threads(lambda camera: on_sheet & _see(scene, worn, camera, pattern, spots, texel_mm), cameras)
    return SheetVisibility(np.stack(seen), texel_mm, on_sheet)


def texel_centers_mm(pattern: MaskPattern, texel_mm: float) -> NDArray[np.float64]:
    """(h, w, 2) sheet millimeters of the texels that have their middle on the sheet."""
    u = (np.arange(int(np.ceil(pattern.width_mm / texel_mm - 0.5))) + 0.5) * texel_mm
    v = (np.arange(int(np.ceil(pattern.height_mm / texel_mm - 0.5))) + 0.5) * texel_mm
    return np.stack(np.meshgrid(u, v), axis=-1)


@dataclass(frozen=True)
class _Spots:
    """Middles of texels: shape (h, w) of the map, and n = h w rows of what is known of each."""

    shape: tuple[int, int]
    sheet_mm: NDArray[np.float64]
    points_mm: NDArray[np.float64]
    triangle: NDArray[np.int64]


def _spots(worn: WornMask, sheet_mm: NDArray[np.float64]) -> _Spots:
    flat = sheet_mm.reshape(-1, 2)
    triangle, corners, bary = locate(worn.sheet_mm, worn.mesh.triangles, flat)
    points_mm = np.einsum("nk,nkd->nd", bary, worn.mesh.vertices[corners])
    return _Spots((sheet_mm.shape[0], sheet_mm.shape[1]), flat, points_mm, triangle)


def _see(
    scene: Scene, worn: WornMask, camera: PinholeCamera, pattern: MaskPattern, spots: _Spots, texel_mm: float
) -> NDArray[np.bool_]:
    fine = _fine_camera(camera, spots.points_mm, texel_mm)
    shown_mm = _printed_points_mm(scene, fine, pattern)
    x, y, depth = project_points(fine, spots.points_mm).T
    inside = (depth > 0) & (x >= 0) & (x < fine.width_px) & (y >= 0) & (y < fine.height_px)
    column, row = np.where(inside, x, 0).astype(int), np.where(inside, y, 0).astype(int)
    apart = np.linalg.norm(shown_mm[row, column] - spots.sheet_mm, axis=1)
    # The nearest sample is up to half a diagonal away, which is long on the sheet where it is seen at a grazing angle.
    reach = texel_mm / 2 + np.minimum(np.sqrt(0.5) * _mm_per_px(worn, fine), pattern.pleat_depth_mm)
    return (inside & (apart <= reach[spots.triangle])).reshape(spots.shape)


def _mm_per_px(worn: WornMask, camera: PinholeCamera) -> NDArray[np.float64]:
    """(T,) greatest length on the sheet that one pixel spans in each triangle; -inf in those seen from behind."""
    pixels = project_points(camera, worn.mesh.vertices)[:, :2][worn.mesh.triangles]
    sheet = worn.sheet_mm[worn.mesh.triangles]
    p1, p2, s1, s2 = (
        pixels[:, 1] - pixels[:, 0],
        pixels[:, 2] - pixels[:, 0],
        sheet[:, 1] - sheet[:, 0],
        sheet[:, 2] - sheet[:, 0],
    )
    area = p1[:, 0] * p2[:, 1] - p1[:, 1] * p2[:, 0]
    with np.errstate(divide="ignore", invalid="ignore"):
        # Columns of d(sheet) / d(pixel) by Cramer's rule, and the larger singular value of that matrix.
        along_x = (s1 * p2[:, 1:] - s2 * p1[:, 1:]) / area[:, None]
        along_y = (s2 * p1[:, :1] - s1 * p2[:, :1]) / area[:, None]
        a, b, c, d = along_x[:, 0], along_y[:, 0], along_x[:, 1], along_y[:, 1]
        largest = (np.hypot(a + d, c - b) + np.hypot(a - d, c + b)) / 2
    # Pixels count downward, so a triangle that shows its printed side runs clockwise there.
    return np.where(area < 0, largest, -np.inf)


def _fine_camera(camera: PinholeCamera, points_mm: NDArray[np.float64], texel_mm: float) -> PinholeCamera:
    depth = float((points_mm.reshape(-1, 3) @ camera.R[2]).mean() + camera.T[2])
    factor = max(1, int(np.ceil(FINENESS * max(depth, 1.0) / (camera.K[0, 0] * texel_mm))))
    if factor**2 * camera.width_px * camera.height_px > MAX_SAMPLES:
        raise InputError(f"a texel of {texel_mm:g} mm needs more than {MAX_SAMPLES} samples; take a larger one")
    return scaled_camera(camera, factor)


def _printed_points_mm(scene: Scene, camera: PinholeCamera, pattern: MaskPattern) -> NDArray[np.float64]:
    """(H, W, 2) sheet millimeters of the print at each sample, infinite where there is none."""
    faces, barycentrics, _, behind = rasterize_view(scene.clusters, camera, hides_inner_sides(scene, camera))
    printed = (faces >= 0) & (scene.outer_sides[faces] + behind == PRINTED)
    points = np.full((*faces.shape, 2), np.inf)
    corner_uv = scene.corner_uv.numpy()[faces[printed]]
    points[printed] = np.einsum("nk,nkd->nd", barycentrics[printed], corner_uv) * [pattern.width_mm, pattern.height_mm]
    return points


def hidden_heights_mm(visibility: SheetVisibility, pattern: MaskPattern) -> NDArray[np.float64]:
    """Height of what no camera sees, below each pleat's first fold, along the width of the sheet.

    Where pleats fan out from the welds (Fig 8 of the PrivacyMask paper), this falls from two pleat depths at the welds
    towards the middle: the hidden strip ends in a triangle or a trapezoid at either side.

    Returns:
        (pleats, w) millimeters, from 0 to twice the pleat depth.
    """
    v = (np.arange(visibility.seen.shape[1]) + 0.5) * visibility.texel_mm
    hidden, span = visibility.on_sheet & ~visibility.ever, 2 * pattern.pleat_depth_mm
    bands = [hidden[(v > row) & (v < row + span)].mean(axis=0) * span for row in pattern.pleat_rows_mm]
    return np.array(bands).reshape(len(bands), hidden.shape[1])


def see_cells(worn: WornMask, pattern: MaskPattern, camera: PinholeCamera, seen: NDArray[np.bool_]) -> CellTransforms:
    """M_theta (equation 6) of each chessboard cell, from the picture to the sheet.

    Args:
        seen: (h, w) what this camera sees, one map of `SheetVisibility.seen`.

    Returns:
        (R, C) maps from pixels to sheet millimeters; NaN for cells of which less than half is seen. The residual is
        in millimeters. A cell across a fold may fit well and still be squeezed: its map then has a large determinant,
        or a negative one where its lower edge lies above its upper one.
    """
    corners = board_corners_mm(pattern)
    pixels = project_points(camera, worn_points_mm(worn, corners).reshape(-1, 3))[:, :2].reshape(corners.shape)
    quads = cell_quads(corners)
    half_seen = _seen_shares(quads, pattern, seen) >= 0.5
    return fit_cells(np.where(half_seen[..., None, None], cell_quads(pixels), np.nan), quads)


def _seen_shares(quads_mm: NDArray[np.float64], pattern: MaskPattern, seen: NDArray[np.bool_]) -> NDArray[np.float64]:
    # Columns and rows follow from the map's shape, for its last texel may reach beyond the sheet.
    scale = np.array([round(seen.shape[1] / pattern.width_mm, 9), round(seen.shape[0] / pattern.height_mm, 9)])
    low = np.round(quads_mm[:, :, 0] * scale).astype(int)
    high = np.round(quads_mm[:, :, 2] * scale).astype(int)
    summed = np.pad(seen.astype(np.int64), ((1, 0), (1, 0))).cumsum(axis=0).cumsum(axis=1)
    inside = (
        summed[high[..., 1], high[..., 0]]
        - summed[low[..., 1], high[..., 0]]
        - summed[high[..., 1], low[..., 0]]
        + summed[low[..., 1], low[..., 0]]
    )
    return inside / np.maximum((high - low).prod(axis=-1), 1)
