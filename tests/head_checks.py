"""What a head must be for masks and pictures: slow, obvious checks on a mesh."""

from __future__ import annotations

import numpy as np
import trimesh
from scipy.spatial import cKDTree

from maskdesign.faces.scan import FaceScan


def welded(scan: FaceScan) -> trimesh.Trimesh:
    """The scan's mesh with equal vertices merged, as they are doubled along seams of the texture."""
    unique, index = np.unique(np.round(scan.mesh.vertices, 6), axis=0, return_inverse=True)
    return trimesh.Trimesh(unique, index.reshape(-1)[scan.mesh.triangles], process=False)


def crossing_triangles(mesh: trimesh.Trimesh) -> int:
    """How many triangles are cut by an edge of another one that shares no corner with them."""
    P, T = mesh.triangles, mesh.faces
    center = P.mean(axis=1)
    radius = np.linalg.norm(P - center[:, None], axis=2).max(axis=1)
    near = cKDTree(center).query_pairs(2 * np.percentile(radius, 99), output_type="ndarray")
    gap = np.linalg.norm(center[near[:, 0]] - center[near[:, 1]], axis=1)
    near = near[gap < radius[near[:, 0]] + radius[near[:, 1]]]
    near = near[~(T[near[:, 0]][:, :, None] == T[near[:, 1]][:, None, :]).any(axis=(1, 2))]
    cut = np.zeros(len(T), bool)
    for cutter, target in (near.T, near[:, ::-1].T):
        for k in range(3):
            hit = _segment_hits(P[cutter, k], P[cutter, (k + 1) % 3], P[target])
            cut[target[hit]] = True
    return int(cut.sum())


def _segment_hits(p: np.ndarray, q: np.ndarray, triangle: np.ndarray) -> np.ndarray:
    normal = np.cross(triangle[:, 1] - triangle[:, 0], triangle[:, 2] - triangle[:, 0])
    at_p, at_q = (((end - triangle[:, 0]) * normal).sum(axis=1) for end in (p, q))
    inside = at_p * at_q < 0
    crossing = p + (at_p / np.where(inside, at_p - at_q, 1))[:, None] * (q - p)
    for k in range(3):
        along = triangle[:, (k + 1) % 3] - triangle[:, k]
        inside &= (np.cross(along, crossing - triangle[:, k]) * normal).sum(axis=1) > 0
    return inside


def sharpest_bend_deg(mesh: trimesh.Trimesh, where: np.ndarray) -> float:
    """99th percentile of the angle between neighboring triangles that meet in edges whose middle is `where`."""
    return float(np.degrees(np.percentile(mesh.face_adjacency_angles[where], 99)))
