"""The chessboard cells of a sheet and where each one goes: the spatial transforms M_theta of the PrivacyMask paper.

The paper's section 3.2 maps the flat sheet to the worn mask cell by cell: four corners of a 15 mm cell and of its
image give one affine matrix (equation 6).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from maskdesign.errors import PatternError
from maskdesign.geometry.refine import locate
from maskdesign.mask.pattern import MaskPattern
from maskdesign.mask.worn import WornMask


@dataclass(frozen=True)
class CellTransforms:
    """One affine map a cell, equation 6: (x_s, y_s) = M (x_t, y_t, 1).

    Attributes:
        matrices: (..., 2, 3) M_theta.
        residual: (...) root mean square distance between the mapped corners and the given ones, in units of the
            source; an affine map of four corners is exact only for parallelograms.
    """

    matrices: NDArray[np.float64]
    residual: NDArray[np.float64]


def board_corners_mm(pattern: MaskPattern) -> NDArray[np.float64]:
    """Corners of all whole cells of the board, which is centered on the sheet.

    Returns:
        (R + 1, C + 1, 2) sheet millimeters; 11 x 12 corners of 10 x 11 cells for the default pattern.

    Raises:
        PatternError: a cell larger than the sheet.
    """
    cell = pattern.board_cell_mm
    columns, rows = int(pattern.width_mm / cell + 1e-9), int(pattern.height_mm / cell + 1e-9)
    if not columns or not rows:
        raise PatternError(f"mask.board_cell_mm = {cell:g} is larger than the sheet; take a smaller cell")
    u = (pattern.width_mm - columns * cell) / 2 + cell * np.arange(columns + 1)
    v = (pattern.height_mm - rows * cell) / 2 + cell * np.arange(rows + 1)
    return np.stack(np.meshgrid(u, v), axis=-1)


def cell_quads(corners: NDArray[np.float64]) -> NDArray[np.float64]:
    """The four corners of each cell.

    Args:
        corners: (R + 1, C + 1, d) of a board, on the sheet, in space or in a picture.

    Returns:
        (R, C, 4, d): upper left, upper right, lower right, lower left.
    """
    return np.stack([corners[:-1, :-1], corners[:-1, 1:], corners[1:, 1:], corners[1:, :-1]], axis=2)


def fit_cells(target: NDArray[np.float64], source: NDArray[np.float64]) -> CellTransforms:
    """The affine map of each cell from its corners in the target to those in the source, by least squares.

    To warp a sheet into a picture, the picture is the target (a regular grid of pixels) and the sheet the source.

    Args:
        target: (..., 4, 2), not all four on a line where the map is wanted.
        source: (..., 4, 2).

    Returns:
        maps; NaN for cells whose target corners lie on a line or are not finite.
    """
    center = target.mean(axis=-2, keepdims=True)
    offset = target - center
    gram = np.einsum("...ni,...nj->...ij", offset, offset)
    determinant = gram[..., 0, 0] * gram[..., 1, 1] - gram[..., 0, 1] ** 2
    trace = gram[..., 0, 0] + gram[..., 1, 1]
    with np.errstate(invalid="ignore"):
        usable = determinant > 1e-12 * trace**2
    inverse = np.full(gram.shape, np.nan)
    inverse[usable] = np.linalg.inv(gram[usable])
    middle = source.mean(axis=-2)
    linear = np.einsum("...ni,...nj->...ij", source - middle[..., None, :], offset) @ inverse
    shift = middle - np.einsum("...ij,...j->...i", linear, center[..., 0, :])
    matrices = np.concatenate([linear, shift[..., None]], axis=-1)
    error = apply_cells(matrices, target) - source
    return CellTransforms(matrices, np.sqrt((error**2).sum(axis=-1).mean(axis=-1)))


def apply_cells(matrices: NDArray[np.float64], points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Equation 6 for n points a cell.

    Args:
        matrices: (..., 2, 3).
        points: (..., n, 2).

    Returns:
        (..., n, 2).
    """
    return np.einsum("...ij,...nj->...ni", matrices[..., :2], points) + matrices[..., None, :, 2]


def worn_points_mm(worn: WornMask, sheet_mm: NDArray[np.float64]) -> NDArray[np.float64]:
    """Where points of the sheet lie on the face.

    Args:
        sheet_mm: (..., 2); those outside the sheet go to its nearest point.

    Returns:
        (..., 3) millimeters in the face frame.
    """
    _, corners, bary = locate(worn.sheet_mm, worn.mesh.triangles, sheet_mm.reshape(-1, 2))
    points = np.einsum("nk,nkd->nd", bary, worn.mesh.vertices[corners])
    return points.reshape(*sheet_mm.shape[:-1], 3)


def chessboard_pixels(pattern: MaskPattern, px_per_mm: float = 4.0) -> NDArray[np.uint8]:
    """The calibration board as a texture: whole cells only, black at the upper left, white around them.

    Returns:
        (h, w, 3) uint8 sRGB on the whole sheet.
    """
    corners = board_corners_mm(pattern)
    rows, columns = corners.shape[0] - 1, corners.shape[1] - 1
    width, height = round(pattern.width_mm * px_per_mm), round(pattern.height_mm * px_per_mm)
    u = (np.arange(width) + 0.5) * pattern.width_mm / width
    v = (np.arange(height) + 0.5) * pattern.height_mm / height
    column = np.floor((u - corners[0, 0, 0]) / pattern.board_cell_mm).astype(int)
    row = np.floor((v - corners[0, 0, 1]) / pattern.board_cell_mm).astype(int)
    on_board = ((row >= 0) & (row < rows))[:, None] & ((column >= 0) & (column < columns))[None, :]
    black = on_board & ((row[:, None] + column[None, :]) % 2 == 0)
    return np.repeat(np.where(black, 0, 255).astype(np.uint8)[..., None], 3, axis=2)
