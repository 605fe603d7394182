"""Texture coordinates and a texture for scans that bring none: the head unrolled as a cylinder."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from maskdesign.geometry.grid import nearest_valid
from maskdesign.geometry.mesh import TriangleMesh
from maskdesign.geometry.orthographic import view_from_front

AXIS_Z_MM = -95.0
"""The upright axis of a head lies about this far behind the nose tip."""
BAKED_PX = 1024
MARGIN = 0.01


def unroll_cylinder(mesh: TriangleMesh) -> tuple[TriangleMesh, NDArray[np.int64]]:
    """Unroll a head about its upright axis; the seam runs down the back.

    Args:
        mesh: in the face frame, millimeters; its own uv is dropped.

    Returns:
        the mesh with uv, its vertices doubled along the seam, and for each of them the vertex it was.

    Convention: uv as in `TriangleMesh`; u = 0.5 is the middle of the face, as far to both sides as up and down.
    """
    x, y, z = mesh.vertices.T
    turn = np.arctan2(x, z - AXIS_Z_MM) / (2 * np.pi)
    corners = turn[mesh.triangles]
    # Across the seam one corner lies at +0.5 and another at -0.5: it is wound on to the far side of both.
    over = np.ptp(corners, axis=1, keepdims=True) > 0.5
    wound = np.where(over & (corners < 0), corners + 1, corners)
    keys = mesh.triangles.astype(np.int64) * 2 + (over & (corners < 0))
    used, renumbered = np.unique(keys, return_inverse=True)
    u = np.zeros(len(used))
    u[renumbered.reshape(-1)] = wound.ravel()
    low, high = y.min(), y.max()
    v = (high - y[used // 2]) / max(high - low, 1e-9)
    span = max(float(np.ptp(u)), 1e-9)
    u = (u - u.min()) / span
    uv = MARGIN + (1 - 2 * MARGIN) * np.column_stack([u, v])
    return TriangleMesh(mesh.vertices[used // 2], renumbered.reshape(-1, 3), uv), used // 2


def bake_colors(mesh: TriangleMesh, vertex_rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A texture that shows the colors of the vertices, linear between them.

    Args:
        mesh: with uv that does not overlap.
        vertex_rgb: (V, 3) uint8.

    Returns:
        (BAKED_PX, BAKED_PX, 3) uint8; outside of the triangles the nearest color goes on.
    """
    assert mesh.uv is not None
    flat = np.column_stack([mesh.uv * [1, -1], np.zeros(len(mesh.uv))])
    view = view_from_front(flat, mesh.triangles, 1 / BAKED_PX, np.array([0.0, -1.0]), np.array([1.0, 0.0]))
    colors = (vertex_rgb[mesh.triangles[view.triangle]] * view.weights[..., None]).sum(axis=2)
    return np.clip(np.rint(colors[nearest_valid(view.triangle >= 0)]), 0, 255).astype(np.uint8)
