"""The shapes `make_head.py` builds from: mediapipe's topology closed at eyes and mouth, the implicit head, the ear.

Millimeters in the face frame: origin at the nose tip, +x right of the picture, +y up, +z out of the face.
Sizes follow adult averages (head breadth 155, length 197, neck breadth 116, ear 62).
"""

from __future__ import annotations

from itertools import combinations, pairwise

import numpy as np
from numpy.typing import NDArray

from maskdesign.faces.landmarks import EYE_RINGS, LOWER_LIP, UPPER_LIP
from maskdesign.faces.landmarks import FACE_OVAL as OVAL

NECK_CUT_MM = -150.0


def mirror_of(points: NDArray) -> NDArray:
    """(n,) index of each landmark's partner on the other side, from positions nearly symmetric about x = 0."""
    from scipy.optimize import linear_sum_assignment
    from scipy.spatial.distance import cdist

    middle = points[[10, 152, 1, 168, 0, 17], 0].mean()
    centered = points - [middle, 0, 0]
    return linear_sum_assignment(cdist(centered, centered * [-1, 1, 1]))[1]


def face_triangles(face: NDArray) -> NDArray:
    """(902, 3) triangles of mediapipe's tessellation, eyes and mouth closed, counterclockwise seen from the front.

    Args:
        face: (470, 3); rows 468 and 469 are the middles of the eyes.
    """
    from mediapipe.python.solutions.face_mesh_connections import FACEMESH_TESSELATION

    triangles = list(_triangles_of_edges(FACEMESH_TESSELATION))
    for middle, ring in zip((468, 469), EYE_RINGS, strict=True):
        triangles += [(a, b, middle) for a, b in zip(ring, ring[1:] + ring[:1], strict=True)]
    for k in range(10):
        corners = [UPPER_LIP[k], UPPER_LIP[k + 1], LOWER_LIP[k + 1], LOWER_LIP[k]]
        quads = [(corners[0], corners[1], corners[2]), (corners[0], corners[2], corners[3])]
        triangles += [t for t in quads if len(set(t)) == 3]
    return _facing_front(np.array(sorted(triangles)), face)


def with_open_mouth(face: NDArray, triangles: NDArray) -> NDArray:
    """(470, 3) the face with its lips 14 mm further apart and its nose pushed in, to be flattened evenly."""
    upper, lower = list(UPPER_LIP[1:-1]), list(LOWER_LIP[1:-1])
    across = set(upper) | set(lower) | {UPPER_LIP[0], UPPER_LIP[-1]}
    skin = triangles[~np.isin(triangles, list(across)).all(axis=1)]
    still = [*OVAL, *EYE_RINGS[0], *EYE_RINGS[1], UPPER_LIP[0], UPPER_LIP[-1], 4]
    known = np.array(upper + lower + still)
    bow = np.sin(np.linspace(0, np.pi, 11))[1:-1]
    moves = np.zeros((len(known), 1))
    moves[: len(upper), 0], moves[len(upper) : len(upper) + len(lower), 0] = 5 * bow, -9 * bow
    opened = face.copy()
    opened[:, 1:2] += relaxed(skin, known, moves, len(face))
    opened[:, 2] = np.minimum(opened[:, 2], -8)
    return opened


def relaxed(triangles: NDArray, known: NDArray, values: NDArray, count: int) -> NDArray:
    """(count, d) values given at some vertices, elsewhere the mean of the neighbors (Tutte 1963)."""
    edges = np.unique(np.sort(triangles[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2), axis=1), axis=0)
    adjacency = np.zeros((count, count))
    adjacency[edges[:, 0], edges[:, 1]] = adjacency[edges[:, 1], edges[:, 0]] = 1
    laplacian = np.diag(adjacency.sum(axis=1)) - adjacency
    inner = np.setdiff1d(np.arange(count), known)
    result = np.zeros((count, values.shape[1]))
    result[known] = values
    result[inner] = np.linalg.solve(laplacian[np.ix_(inner, inner)], -laplacian[np.ix_(inner, known)] @ values)
    return result


def _triangles_of_edges(edges: frozenset[tuple[int, int]]) -> set[tuple[int, int, int]]:
    neighbors: dict[int, set[int]] = {}
    for a, b in edges:
        neighbors.setdefault(a, set()).add(b)
        neighbors.setdefault(b, set()).add(a)
    cliques = {tuple(sorted((a, b, c))) for a, b in edges for c in neighbors[a] & neighbors[b]}
    # A vertex with three neighbors makes one clique too many: the triangle of the neighbors themselves.
    for vertex, around in neighbors.items():
        if len(around) == 3 and all(tuple(sorted((vertex, *pair))) in cliques for pair in combinations(around, 2)):
            cliques.discard(tuple(sorted(around)))
    return cliques


def _facing_front(triangles: NDArray, face: NDArray) -> NDArray:
    import igl

    oriented, _ = igl.bfs_orient(triangles.astype(np.int64))
    a, b, c = (face[oriented[:, k], :2] for k in range(3))
    area = ((b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0]).sum()
    return oriented if area > 0 else oriented[:, ::-1]


def shell_triangles(first: int, rows: int) -> NDArray:
    """Triangles of the shell: rows of 36 vertices from `first` on, joined to the oval, and a fan over the neck cut."""
    grid = np.vstack([np.array(OVAL), first + np.arange(rows * 36).reshape(rows, 36)])
    a, b = grid[:-1], np.roll(grid, -1, axis=1)[:-1]
    c, d = np.roll(grid, -1, axis=1)[1:], grid[1:]
    # Diagonals run alike on both sides of the face.
    right = (np.arange(36) < 18)[None, :] & np.ones_like(a, bool)
    one = np.where(right[..., None], np.stack([a, d, c], -1), np.stack([a, d, b], -1))
    two = np.where(right[..., None], np.stack([a, c, b], -1), np.stack([b, d, c], -1))
    cap = np.stack([grid[-1], np.full(36, first + rows * 36), np.roll(grid[-1], -1)], axis=-1)
    return np.vstack([one.reshape(-1, 3), two.reshape(-1, 3), cap])[:, ::-1]


def neck_ring(column: int) -> NDArray:
    """(3,) where a meridian of the shell ends on the neck cut; column 0 comes over the crown, 18 from the chin."""
    angle = 2 * np.pi * column / 36
    return np.array([58 * np.sin(angle), NECK_CUT_MM, -128 - 58 * np.cos(angle)])


def implicit_head(p: NDArray) -> NDArray:
    """(n,) signed distance, roughly, to cranium, face, jaw and neck melted together; negative inside."""
    parts = [
        _ellipsoid(p, (0, 48, -113), (77, 96, 97)),
        _ellipsoid(p, (0, 5, -70), (70, 80, 56)),
        _ellipsoid(p, (0, -38, -66), (50, 34, 46)),
        _ellipsoid(p, (0, -8, -102), (67, 50, 40)),
        _capsule(p, (-14, -52, -34), (-47, -38, -84), 13),
        _capsule(p, (14, -52, -34), (47, -38, -84), 13),
    ]
    head = parts[0]
    for part in parts[1:]:
        head = _smooth_min(head, part, 16)
    return _smooth_min(head, _neck(p), 36)


def _ellipsoid(p: NDArray, center: tuple, radii: tuple) -> NDArray:
    scaled = (p - np.array(center, float)) / np.array(radii, float)
    k0, k1 = np.linalg.norm(scaled, axis=1), np.linalg.norm(scaled / np.array(radii, float), axis=1)
    return k0 * (k0 - 1) / np.maximum(k1, 1e-9)


def _capsule(p: NDArray, a: tuple, b: tuple, radius: float) -> NDArray:
    a, b = np.array(a, float), np.array(b, float)
    t = np.clip((p - a) @ (b - a) / ((b - a) @ (b - a)), 0, 1)
    return np.linalg.norm(p - a - t[:, None] * (b - a), axis=1) - radius


def _neck(p: NDArray) -> NDArray:
    t = np.clip((-20 - p[:, 1]) / 130, -0.2, 1.6)
    across = np.hypot(p[:, 0], (p[:, 2] + 116 + 12 * t) * 0.98) - 57
    return np.maximum(across, p[:, 1] + 10)


def _smooth_min(a: NDArray, b: NDArray, k: float) -> NDArray:
    """Polynomial smooth minimum (Quilez)."""
    h = np.maximum(k - np.abs(a - b), 0) / k
    return np.minimum(a, b) - h * h * k / 4


def ear() -> tuple[NDArray, NDArray]:
    """The ear at the picture's right as a closed shell: (n, 3) in its own frame, (t, 3).

    Convention: x backward from the root at the tragus, y up, z away from the head; millimeters.
    """
    from skimage.measure import marching_cubes

    step = 3.0
    low, counts = np.array([-12.0, -38, -16]), (20, 26, 12)
    axes = [low[k] + step * np.arange(counts[k]) for k in range(3)]
    p = np.stack(np.meshgrid(*axes, indexing="ij"), -1).reshape(-1, 3)
    vertices, triangles, _, _ = marching_cubes(_implicit_ear(p).reshape(counts), 0, spacing=(step,) * 3)
    return vertices + low, triangles


def _outline(turn: NDArray, inset: float) -> NDArray:
    """(n, 3) points on the rim; turn 0 points backward, pi / 2 up."""
    wide = 18 + 2.5 * np.sin(turn) - inset
    return np.stack(
        [13 + wide * np.cos(turn) + 2 * np.sin(turn), (31 - inset) * np.sin(turn), 1 + 2 * np.cos(turn)], -1
    )


def _implicit_ear(p: NDArray) -> NDArray:
    helix = _outline(np.linspace(-1.0, 3.3, 24), 3)
    antihelix = _outline(np.linspace(-0.9, 1.5, 12), 10) - [0, 0, 1]
    shape = _ellipsoid(p, (12, 2, -1.6), (18, 28, 3.0))
    shape = _smooth_min(shape, _polyline(p, helix, 2.7), 4)
    shape = _smooth_min(shape, _polyline(p, antihelix, 2.2), 5)
    shape = _smooth_min(shape, _ellipsoid(p, (8, -26, -0.5), (8, 8, 3.2)), 4)
    shape = _smooth_min(shape, _ellipsoid(p, (0, -3, 0), (3.5, 7, 3.5)), 4)
    root = _ellipsoid(p, (2, 0, -8), (9, 22, 7))
    shape = _smooth_min(shape, root, 5)
    bowl = _ellipsoid(p, (9, -4, 3.5), (7.0, 11, 5.5))
    return -_smooth_min(-shape, bowl, 2)


def _polyline(p: NDArray, points: NDArray, radius: float) -> NDArray:
    return np.min([_capsule(p, a, b, radius) for a, b in pairwise(points)], axis=0)
