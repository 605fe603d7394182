"""Loop subdivision as a matrix, so that positions, texture coordinates and colors all pass through the same one."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, diags_array, eye_array, vstack

from maskdesign.errors import MeshError


def loop_operator(triangles: NDArray[np.int32], vertex_count: int, levels: int) -> tuple[csr_matrix, NDArray[np.int32]]:
    """The linear map from a closed control mesh to its Loop subdivision.

    Loop 1987, "Smooth subdivision surfaces based on triangles", master's thesis, University of Utah.

    Args:
        triangles: (T, 3) of the control mesh: closed, two triangles at each edge.
        vertex_count: V of the control mesh.
        levels: how many times each triangle is cut in four.

    Returns:
        S (W, V), whose first V rows are the control vertices smoothed, and the triangles (4^levels T, 3); triangle i
        is a piece of the control triangle i mod T.

    Raises:
        MeshError: an edge without exactly two triangles.
    """
    total, current, count = csr_matrix(eye_array(vertex_count)), triangles, vertex_count
    for _ in range(levels):
        step, current = _loop_step(current, count)
        total, count = step @ total, count + len(current) * 3 // 8
    return total, current


def midpoint_operator(triangles: NDArray[np.int32], vertex_count: int, levels: int) -> csr_matrix:
    """The map from control vertices to the same triangles cut in four without smoothing: edges get their midpoints.

    Rows and triangles come in the order of `loop_operator`; for texture coordinates, which must not shrink or fold.
    """
    total, current, count = csr_matrix(eye_array(vertex_count)), triangles, vertex_count
    for _ in range(levels):
        edges, edge_of = _edges(current)
        odd = _scatter(np.arange(len(edges)), edges, 1 / 2, (len(edges), count))
        current = _cut_in_four(current, count + edge_of)
        total, count = csr_matrix(vstack([total, odd @ total])), count + len(edges)
    return total


def _loop_step(triangles: NDArray[np.int32], vertex_count: int) -> tuple[csr_matrix, NDArray[np.int32]]:
    edges, edge_of = _edges(triangles)
    shape = (len(edges), vertex_count)
    odd = _scatter(np.arange(len(edges)), edges, 3 / 8, shape)
    odd += _scatter(edge_of.ravel(), triangles.reshape(-1, 1), 1 / 8, shape)
    valence = np.bincount(edges.ravel(), minlength=vertex_count)
    n = np.maximum(valence, 1)
    beta = (40 - (3 + 2 * np.cos(2 * np.pi / n)) ** 2) / (64 * n)
    both = np.vstack([edges, edges[:, ::-1]])
    even = csr_matrix((beta[both[:, 0]], (both[:, 0], both[:, 1])), (vertex_count, vertex_count))
    even += diags_array(1 - valence * beta)
    return csr_matrix(vstack([even, odd])), _cut_in_four(triangles, vertex_count + edge_of)


def _edges(triangles: NDArray[np.int32]) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    # Edge k of a triangle lies opposite its corner k.
    ends = np.sort(triangles[:, [[1, 2], [2, 0], [0, 1]]].reshape(-1, 2), axis=1)
    edges, edge_of, uses = np.unique(ends, axis=0, return_inverse=True, return_counts=True)
    if (uses != 2).any():
        raise MeshError(f"{np.count_nonzero(uses != 2)} edges lack two triangles; only closed meshes can be subdivided")
    return edges, edge_of.reshape(-1, 3)


def _scatter(rows: NDArray, columns: NDArray, weight: float, shape: tuple[int, int]) -> csr_matrix:
    repeated = np.repeat(rows, columns.shape[1])
    return csr_matrix((np.full(columns.size, weight), (repeated, columns.ravel())), shape)


def _cut_in_four(corner: NDArray[np.int32], middle: NDArray[np.int64]) -> NDArray[np.int32]:
    parts = [
        [corner[:, 0], middle[:, 2], middle[:, 1]],
        [corner[:, 1], middle[:, 0], middle[:, 2]],
        [corner[:, 2], middle[:, 1], middle[:, 0]],
        [middle[:, 0], middle[:, 1], middle[:, 2]],
    ]
    return np.concatenate([np.stack(part, axis=1) for part in parts]).astype(np.int32)


def interpolating_controls(
    operator: csr_matrix, points: NDArray[np.float64], share: NDArray[np.float64] | None = None, rounds: int = 4
) -> NDArray[np.float64]:
    """Control vertices whose subdivision passes (nearly) through given points.

    Loop subdivision shrinks; each round adds what is still missing, which a few rounds bring below a tenth of the
    shrink without the ripples of the exact inverse.

    Args:
        operator: S (W, V) of `loop_operator`.
        points: (V, d) that the subdivided control vertices should reach.
        share: (V,) in [0, 1] how much of what is missing to add; 1 where None.
        rounds: Richardson iterations; more lie closer, and ripple more.

    Returns:
        (V, d) control vertices.
    """
    at_controls, controls = operator[: len(points)], points.copy()
    weight = np.ones((len(points), 1)) if share is None else share[:, None]
    for _ in range(rounds):
        controls += weight * (points - at_controls @ controls)
    return controls
