"""Small deformations of the cloth in its own plane: the print moves by a thin-plate spline in sheet millimeters."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import numpy as np
from numba import njit
from numpy.typing import NDArray

from maskdesign.errors import InputError
from maskdesign.render.texture import AffineView

CONTROL_POINTS = (4, 4)
"""Rows and columns of the spline's control points, spread from edge to edge of the sheet."""
CONTROLS = CONTROL_POINTS[0] * CONTROL_POINTS[1]
FIELD_STEP_MM = 5.0
"""Between these the spline is interpolated linearly: within 2 % of the largest displacement."""


def deform_cloth(view: AffineView, cloth_mm: tuple[float, ...], sheet_size_mm: tuple[float, float]) -> AffineView:
    """A view of the same cloth, stretched and sheared a little; it stays exactly affine in the texture.

    Args:
        cloth_mm: where each control point's print comes from, as (du, dv) one after the other, rows first; empty
            leaves the view as it is.
        sheet_size_mm: width and height.

    Raises:
        InputError: another number of displacements, or ones that are not finite.
    """
    if not cloth_mm:
        return view
    if len(cloth_mm) != 2 * CONTROLS or not np.isfinite(cloth_mm).all():
        raise InputError(f"view.cloth_mm = {cloth_mm} must be {2 * CONTROLS} finite millimeters or none")
    field = displacement_field(np.reshape(cloth_mm, (CONTROLS, 2)), sheet_size_mm)
    uv = np.empty_like(view.uv)
    _displace(view.uv, (field / sheet_size_mm).astype(np.float32), uv)
    return replace(view, uv=uv)


def displacement_field(control_mm: NDArray[np.float64], sheet_size_mm: tuple[float, float]) -> NDArray[np.float64]:
    """The spline (Bookstein, "Principal warps", IEEE TPAMI 11(6), 1989) on a grid over the sheet.

    Args:
        control_mm: (16, 2) displacement at each control point.

    Returns:
        (rows, columns, 2) millimeters, the grid's corners in the sheet's.
    """
    spread = _spreading_matrix(sheet_size_mm)
    return np.einsum("hwk,kd->hwd", spread, control_mm)


@lru_cache(maxsize=8)
def _spreading_matrix(sheet_size_mm: tuple[float, float]) -> NDArray[np.float64]:
    from scipy.interpolate import RBFInterpolator

    columns, rows = (max(2, round(length / FIELD_STEP_MM) + 1) for length in sheet_size_mm)
    control, grid = (_lattice(shape, sheet_size_mm) for shape in (CONTROL_POINTS, (rows, columns)))
    spline = RBFInterpolator(control, np.eye(CONTROLS), kernel="thin_plate_spline")
    return spline(grid).reshape(rows, columns, CONTROLS)


def _lattice(shape: tuple[int, int], sheet_size_mm: tuple[float, float]) -> NDArray[np.float64]:
    v, u = (np.linspace(0, length, count) for length, count in zip(sheet_size_mm[::-1], shape, strict=True))
    return np.stack(np.meshgrid(u, v), axis=-1).reshape(-1, 2)


@njit(cache=True, nogil=True, error_model="numpy")
def _displace(uv, field, out):
    rows, columns = field.shape[0] - 1, field.shape[1] - 1
    for n in range(len(uv)):
        x = min(max(uv[n, 0], np.float32(0)), np.float32(1)) * np.float32(columns)
        y = min(max(uv[n, 1], np.float32(0)), np.float32(1)) * np.float32(rows)
        j, i = min(int(x), columns - 1), min(int(y), rows - 1)
        s, t = x - np.float32(j), y - np.float32(i)
        for k in range(2):
            upper = field[i, j, k] + s * (field[i, j + 1, k] - field[i, j, k])
            lower = field[i + 1, j, k] + s * (field[i + 1, j + 1, k] - field[i + 1, j, k])
            out[n, k] = uv[n, k] + upper + t * (lower - upper)
