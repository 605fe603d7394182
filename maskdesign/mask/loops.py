"""The ear loops as thin tubes, so that a worn mask is seen to hang on something."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from maskdesign.faces.scan import FaceScan
from maskdesign.faces.topology import outer_skin
from maskdesign.geometry.mesh import TriangleMesh, merge_meshes
from maskdesign.mask.contact import Collider, build_collider, nearest_points
from maskdesign.mask.cut import cut_worn
from maskdesign.mask.pattern import MaskPattern
from maskdesign.mask.worn import WornMask

RADIUS_MM = 1.25
POINTS = 40
SIDES = 6
SMOOTHINGS = 30
REACH_MM = 40.0


def ear_loops(face: FaceScan, worn: WornMask, pattern: MaskPattern) -> TriangleMesh:
    """Both loops: from the top corner of the mask behind the ear to the bottom corner, lying on the skin.

    Returns:
        closed tubes of 2.5 mm in the face frame, no uv.
    """
    collider, worn = build_collider(outer_skin(face.mesh)), cut_worn(worn, pattern)
    tubes = [_tube(_lay_on(collider, _path(face, worn, pattern, side))) for side in ("left", "right")]
    count = len(tubes[0][0])
    return TriangleMesh(np.vstack([vertices for vertices, _ in tubes]), np.vstack([tubes[0][1], tubes[1][1] + count]))


def _path(face: FaceScan, worn: WornMask, pattern: MaskPattern, side: str) -> NDArray[np.float64]:
    """Corner, behind the ear, corner, as POINTS points at equal steps along the polygon."""
    u_mm = 0.0 if side == "left" else pattern.width_mm
    ends = [_vertex_at(worn, u_mm, v_mm) for v_mm in (0.0, pattern.height_mm)]
    corners = np.array([ends[0], face.landmarks[f"ear_{side}"], ends[1]])
    lengths = np.r_[0, np.cumsum(np.linalg.norm(np.diff(corners, axis=0), axis=1))]
    steps = np.linspace(0, lengths[-1], POINTS)
    return np.column_stack([np.interp(steps, lengths, corners[:, axis]) for axis in range(3)])


def _vertex_at(worn: WornMask, u_mm: float, v_mm: float) -> NDArray[np.float64]:
    nearest = np.argmin(((worn.sheet_mm - [u_mm, v_mm]) ** 2).sum(axis=1))
    return worn.mesh.vertices[nearest]


def _lay_on(collider: Collider, path: NDArray[np.float64]) -> NDArray[np.float64]:
    """Pull the path straight and out of the skin, by turns; its ends and the point behind the ear stay."""
    path, held = path.copy(), np.zeros(len(path), bool)
    held[[0, len(path) // 2, -1]] = True
    for _ in range(SMOOTHINGS):
        path[1:-1] = np.where(held[1:-1, None], path[1:-1], (path[:-2] + path[2:]) / 2)
        path = np.where(held[:, None], path, _outside(collider, path))
    return path


def _outside(collider: Collider, points: NDArray[np.float64]) -> NDArray[np.float64]:
    distance_mm, _, direction = nearest_points(collider, points, REACH_MM)
    return points + np.maximum(RADIUS_MM - distance_mm, 0)[:, None] * direction


def _tube(path: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.int32]]:
    """Vertices and triangles of a closed tube around a path."""
    along = np.gradient(path, axis=0)
    along /= np.linalg.norm(along, axis=1, keepdims=True)
    # A loop runs front to back and up and down, never straight sideways, so x is a safe start of the frame.
    across = np.cross(along, [1.0, 0.0, 0.0])
    across /= np.linalg.norm(across, axis=1, keepdims=True)
    beside = np.cross(along, across)
    turn = np.linspace(0, 2 * np.pi, SIDES, endpoint=False)
    rings = path[:, None] + RADIUS_MM * (
        np.cos(turn)[None, :, None] * across[:, None] + np.sin(turn)[None, :, None] * beside[:, None]
    )
    return rings.reshape(-1, 3), _tube_triangles(len(path))


def _tube_triangles(rings: int) -> NDArray[np.int32]:
    first = (np.arange(rings - 1)[:, None] * SIDES + np.arange(SIDES)).ravel()
    beside = (np.arange(rings - 1)[:, None] * SIDES + (np.arange(SIDES) + 1) % SIDES).ravel()
    wall = [np.column_stack([first, beside, beside + SIDES]), np.column_stack([first, beside + SIDES, first + SIDES])]
    fan = np.column_stack([np.zeros(SIDES - 2), np.arange(1, SIDES - 1), np.arange(2, SIDES)]).astype(int)
    caps = [fan[:, ::-1], fan + (rings - 1) * SIDES]
    return np.vstack([*wall, *caps]).astype(np.int32)


def head_with_loops(face: FaceScan, worn: WornMask, pattern: MaskPattern) -> FaceScan:
    """The head with the loops on it, in white: what a camera sees besides the mask.

    The white stands in rows that are added below the color texture.
    """
    loops, white_rows = ear_loops(face, worn, pattern), 4
    height, width, _ = face.texture.shape
    texture = np.vstack([face.texture, np.full((white_rows, width, 3), 240, np.uint8)])
    assert face.mesh.uv is not None
    uv = face.mesh.uv * [1, height / (height + white_rows)]
    white = np.tile([0.5, (height + white_rows / 2) / (height + white_rows)], (len(loops.vertices), 1))
    both = merge_meshes(face.mesh, loops)
    mesh = TriangleMesh(both.vertices, both.triangles, np.vstack([uv, white]))
    return replace(face, mesh=mesh, texture=texture)
