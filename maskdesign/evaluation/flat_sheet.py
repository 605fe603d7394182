"""A surface and its flattening on one picture: the checker of the plane on the surface, areas, the new triangles."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from maskdesign.geometry.distortion import FlattenReport, singular_values
from maskdesign.geometry.mesh import TriangleMesh, triangle_normals, vertex_normals
from maskdesign.geometry.orthographic import facing_rotation, view_from_front
from maskdesign.geometry.refine import PlanarMesh

VIEW_PX = 700
CHECKS = 14
"""Squares of the checker along the longer side of the flattening."""


def flat_sheet(
    mesh: TriangleMesh,
    flat: NDArray[np.float64],
    report: FlattenReport,
    planar: PlanarMesh,
    lifted: NDArray[np.float64],
    dpi: int = 110,
) -> NDArray[np.uint8]:
    """The picture, (H, W, 3) uint8.

    Args:
        mesh, flat, report: a disc, (V, 2) its flattening, and its figures.
        planar, lifted: a triangulation in the plane, and (n, 3) its points on the surface.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(15, 5.2), layout="constrained")
    panels = figure.subplots(1, 4)
    _draw_surface(panels[0], mesh, flat)
    _draw_areas(panels[1], mesh, flat)
    _draw_triangles(panels[2], planar)
    _draw_lifted(panels[3], planar, lifted, mesh)
    figure.suptitle(
        f"sigma1/sigma2 {report.quasi_conformal_mean:.4f} mean, {report.quasi_conformal_max:.3f} at most   "
        f"log area {report.area_log_rms:.3f} rms   {report.flipped} triangles flipped",
        size=11,
    )
    buffer = io.BytesIO()
    figure.savefig(buffer, dpi=dpi, facecolor="white")
    return np.asarray(Image.open(buffer).convert("RGB"))


def _frame(axes: Any, title: str, points: NDArray[np.float64]) -> None:
    low, high = points[:, :2].min(axis=0), points[:, :2].max(axis=0)
    pad = 0.03 * (high - low).max()
    axes.set_title(title, size=10)
    axes.set(xlim=(low[0] - pad, high[0] + pad), ylim=(low[1] - pad, high[1] + pad), aspect="equal")
    axes.tick_params(labelsize=8)
    axes.spines[["top", "right"]].set_visible(False)


def _draw_surface(axes: Any, mesh: TriangleMesh, flat: NDArray[np.float64]) -> None:
    turned = mesh.vertices @ facing_rotation(mesh).T
    low, high = turned[:, :2].min(axis=0), turned[:, :2].max(axis=0)
    view = view_from_front(turned, mesh.triangles, float((high - low).max()) / VIEW_PX, low, high)
    corners = mesh.triangles[view.triangle]
    place = np.einsum("hwk,hwkd->hwd", view.weights, flat[corners])
    square = np.ptp(flat, axis=0).max() / CHECKS
    dark = (np.floor(place / square).sum(axis=2) % 2).astype(bool)
    facing = np.einsum("hwk,hwk->hw", view.weights, vertex_normals(turned, mesh.triangles)[corners][..., 2])
    gray = np.where(dark, 0.35, 1.0) * np.clip(0.25 + 0.75 * facing, 0, 1)
    axes.imshow(np.where(view.triangle >= 0, gray, np.nan), extent=(low[0], high[0], low[1], high[1]), cmap="gray")
    axes.images[0].set_clim(0, 1)
    _frame(axes, "squares of the plane on the surface", turned)


def _draw_areas(axes: Any, mesh: TriangleMesh, flat: NDArray[np.float64]) -> None:
    areas = np.linalg.norm(triangle_normals(mesh.vertices, mesh.triangles), axis=1) / 2
    determinant = np.maximum(abs(singular_values(mesh, flat)[2]), 1e-300)
    ratio = np.log2(determinant * areas.sum() / (areas * determinant).sum())
    drawn = axes.tripcolor(*flat.T, mesh.triangles, facecolors=ratio, cmap="RdBu_r", vmin=-1.5, vmax=1.5)
    axes.figure.colorbar(drawn, ax=axes, shrink=0.6).ax.tick_params(labelsize=8)
    _frame(axes, "doublings of area", flat)


def _draw_triangles(axes: Any, planar: PlanarMesh) -> None:
    from matplotlib.collections import LineCollection

    axes.triplot(*planar.points.T, planar.triangles, color="#33415c", linewidth=0.4)
    axes.add_collection(LineCollection(list(planar.points[planar.kept_edges]), colors="#b3261e", linewidths=1.0))
    _frame(axes, f"{len(planar.points)} points anew; kept edges red", planar.points)


def _draw_lifted(axes: Any, planar: PlanarMesh, lifted: NDArray[np.float64], mesh: TriangleMesh) -> None:
    turned = lifted @ facing_rotation(mesh).T
    ahead = triangle_normals(turned, planar.triangles)[:, 2] > 0
    axes.triplot(turned[:, 0], turned[:, 1], planar.triangles[ahead], color="#33415c", linewidth=0.4)
    _frame(axes, "the same on the surface", turned)
