"""Everything about a head on one picture: five views, wireframe, landmarks, shape index, texture layout, equation 4."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from maskdesign.errors import MeshError
from maskdesign.evaluation.pictures import PREVIEW_POSES_DEG, preview_strip
from maskdesign.faces.nose import cap_measures, front_surface
from maskdesign.faces.scan import LANDMARKS, FaceScan
from maskdesign.faces.unrolled import WINDOW_MM as UNROLLED_MM
from maskdesign.faces.unrolled import unroll_face
from maskdesign.geometry.mesh import TriangleMesh, triangle_normals, vertex_normals
from maskdesign.geometry.orthographic import FrontView, view_from_front
from maskdesign.mask.pattern import MaskPattern
from maskdesign.render.scene import build_scene

WINDOW_MM = ((-95.0, -125.0), (95.0, 95.0))
GRID_MM = 1.5


def contact_sheet(face: FaceScan, dpi: int = 110) -> NDArray[np.uint8]:
    """The sheet as a picture, (H, W, 3) uint8."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(15, 6.6), layout="constrained")
    grid = figure.add_gridspec(2, 5, height_ratios=(3, 3))
    _draw_views(figure.add_subplot(grid[0, :]), face)
    draw = (_draw_wireframe, _draw_landmarks, _draw_shape_index, _draw_layout, _draw_neighborhood)
    for column, panel in enumerate(draw):
        panel(figure.add_subplot(grid[1, column]), face)
    figure.suptitle(
        f"{Path(face.source).name}   {len(face.mesh.vertices)} vertices, {len(face.mesh.triangles)} triangles", size=11
    )
    buffer = io.BytesIO()
    figure.savefig(buffer, dpi=dpi, facecolor="white")
    return np.asarray(Image.open(buffer).convert("RGB"))


def _draw_views(axes: Any, face: FaceScan) -> None:
    strip = preview_strip(build_scene(face, None, MaskPattern()), torch.zeros(3, 4, 4), side_px=360)
    axes.imshow(strip)
    step = strip.shape[1] / len(PREVIEW_POSES_DEG)
    axes.set_xticks((np.arange(len(PREVIEW_POSES_DEG)) + 0.5) * step, list(PREVIEW_POSES_DEG))
    axes.set_yticks([])
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)


def _frame(axes: Any, title: str) -> None:
    axes.set_title(title, size=10)
    axes.set(xlim=(WINDOW_MM[0][0], WINDOW_MM[1][0]), ylim=(WINDOW_MM[0][1], WINDOW_MM[1][1]), aspect="equal")
    axes.set_xlabel("mm", size=8)
    axes.tick_params(labelsize=8)
    axes.spines[["top", "right"]].set_visible(False)


def _front_triangles(mesh: TriangleMesh) -> NDArray[np.int32]:
    view = _look(mesh)
    seen = np.unique(view.triangle[view.triangle >= 0])
    ahead = triangle_normals(mesh.vertices, mesh.triangles[seen])[:, 2] > 0
    return mesh.triangles[seen[ahead]]


def _look(mesh: TriangleMesh) -> FrontView:
    return view_from_front(mesh.vertices, mesh.triangles, GRID_MM, np.array(WINDOW_MM[0]), np.array(WINDOW_MM[1]))


def _draw_wireframe(axes: Any, face: FaceScan) -> None:
    triangles = _front_triangles(face.mesh)
    x, y, _ = face.mesh.vertices.T
    axes.triplot(x, y, triangles, color="#33415c", linewidth=min(0.3, 2500 / len(triangles)))
    _frame(axes, "wireframe")


def _draw_landmarks(axes: Any, face: FaceScan) -> None:
    view = _look(face.mesh)
    corners = face.mesh.triangles[view.triangle]
    uv = (np.asarray(face.mesh.uv)[corners] * view.weights[..., None]).sum(axis=2)
    height, width = face.texture.shape[:2]
    pixels = np.clip((uv * [width, height]).astype(int), 0, [width - 1, height - 1])
    colors = face.texture[pixels[..., 1], pixels[..., 0]].astype(float)
    if np.ptp(face.texture.reshape(-1, 3), axis=0).max() == 0:
        colors *= _plaster(face.mesh, view)
    picture = np.where((view.triangle >= 0)[..., None], colors, 255).astype(np.uint8)
    axes.imshow(picture, extent=(WINDOW_MM[0][0], WINDOW_MM[1][0], WINDOW_MM[0][1], WINDOW_MM[1][1]))
    points = face.points_mm(LANDMARKS)
    axes.scatter(points[:, 0], points[:, 1], s=16, color="#e63946", edgecolors="white", linewidths=0.7, zorder=3)
    _frame(axes, "landmarks")


def _plaster(mesh: TriangleMesh, view: FrontView) -> NDArray[np.float64]:
    """(R, C, 1) shading of a surface without colors, so that its features show."""
    normals = vertex_normals(mesh.vertices, mesh.triangles)[mesh.triangles[view.triangle]]
    seen = (normals * view.weights[..., None]).sum(axis=2)
    facing = seen @ np.array([-0.3, 0.5, 0.81]) / np.maximum(np.linalg.norm(seen, axis=2), 1e-9)
    return 0.35 + 0.75 * np.clip(facing, 0, 0.85)[..., None]


def _draw_shape_index(axes: Any, face: FaceScan) -> None:
    front = front_surface(_cropped(face.mesh))
    index, bulge = cap_measures(front)
    x, y, _ = front.vertices.T
    drawn = axes.tripcolor(x, y, front.triangles, index, cmap="RdBu_r", vmin=-1, vmax=1, shading="gouraud")
    caps = (index >= 0.85) & (bulge > 1 / 25)
    axes.scatter(x[caps], y[caps], s=1.0, color="black")
    axes.figure.colorbar(drawn, ax=axes, shrink=0.6)
    _frame(axes, "shape index, caps black")


def _cropped(mesh: TriangleMesh) -> TriangleMesh:
    low, high = np.array(WINDOW_MM)
    inside = ((mesh.vertices[:, :2] > low) & (mesh.vertices[:, :2] < high)).all(axis=1)
    used, renumbered = np.unique(mesh.triangles[inside[mesh.triangles].all(axis=1)], return_inverse=True)
    return TriangleMesh(mesh.vertices[used], renumbered.reshape(-1, 3))


def _draw_layout(axes: Any, face: FaceScan) -> None:
    axes.imshow(face.texture, extent=(0, 1, 1, 0))
    u, v = np.asarray(face.mesh.uv).T
    axes.triplot(u, v, face.mesh.triangles, color="white", linewidth=0.08, alpha=0.6)
    axes.set(xlim=(0, 1), ylim=(1, 0), aspect="equal")
    axes.set_title("texture layout", size=10)
    axes.tick_params(labelsize=8)


def _draw_neighborhood(axes: Any, face: FaceScan) -> None:
    _frame(axes, "equation 4, unrolled")
    try:
        unrolled = unroll_face(face.mesh)
    except MeshError:
        axes.text(
            0,
            0,
            "not measured: the front of the\nsurface has gaps, as at the eyes,\nand cannot be unrolled",
            ha="center",
            size=9,
        )
        return
    low, high = UNROLLED_MM
    drawn = axes.imshow(unrolled.distance_mm, extent=(low[0], high[0], low[1], high[1]), cmap="viridis", vmin=0)
    axes.figure.colorbar(drawn, ax=axes, shrink=0.6)
    axes.set_title(f"equation 4, median {np.nanmedian(unrolled.distance_mm):.1f} mm", size=10)
