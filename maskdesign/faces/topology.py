"""Whether a mesh can be a scanned head at all: one main shell, two triangles at an edge, an area."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import connected_components

from maskdesign.errors import ScanError
from maskdesign.geometry.mesh import TriangleMesh, triangle_normals

MAX_CROWDED_SHARE = 0.01
"""Of the edges, how many may have more than two triangles; these triangles are dropped."""
MIN_MAIN_SHARE = 0.6
"""Of the area, what the largest shell must have; ears, eyes and teeth are shells of their own, a second head is not."""


def checked_surface(mesh: TriangleMesh) -> TriangleMesh:
    """Refuse what is no surface of one head; drop triangles without area and those at crowded edges.

    Vertices keep their numbers.

    Raises:
        ScanError: no area, too many edges with more than two triangles, or several shells of similar size.
    """
    area = np.linalg.norm(triangle_normals(mesh.vertices, mesh.triangles), axis=1) / 2
    extent = np.ptp(mesh.vertices, axis=0).max() if len(mesh.vertices) else 0.0
    solid = area > 1e-14 * extent**2
    if not np.isfinite(area).all() or not solid.any():
        raise ScanError("the surface has no area; export the mesh again")
    place = welded_index(mesh.vertices)
    triangles = mesh.triangles[solid]
    crowded = _crowded(place[triangles])
    if np.count_nonzero(crowded) > MAX_CROWDED_SHARE * len(triangles):
        raise ScanError(
            f"{np.count_nonzero(crowded)} of {len(triangles)} triangles meet at edges with more than two; "
            "repair the mesh to a manifold"
        )
    triangles, area = triangles[~crowded], area[solid][~crowded]
    _check_shells(shells(place[triangles]), area)
    return TriangleMesh(mesh.vertices, triangles, mesh.uv)


def welded_index(vertices: NDArray[np.float64]) -> NDArray[np.int64]:
    """(V,) the same number for vertices at the same place, which texture seams double."""
    as_bytes = np.ascontiguousarray(vertices + 0.0).view([("", vertices.dtype)] * 3).ravel()
    return np.unique(as_bytes, return_inverse=True)[1].reshape(-1)


def shells(triangles: NDArray[np.int64]) -> NDArray[np.int64]:
    """(T,) the number of the connected part that each triangle belongs to."""
    count = int(triangles.max()) + 1
    ends = (np.r_[triangles[:, 0], triangles[:, 1]], np.r_[triangles[:, 1], triangles[:, 2]])
    graph = csr_matrix((np.ones(len(ends[0]), np.int8), ends), (count, count))
    return connected_components(graph, directed=False)[1][triangles[:, 0]]


def outer_skin(mesh: TriangleMesh) -> TriangleMesh:
    """What a cloth can touch: the largest sheet and every closed one, vertices at one place welded, no uv.

    A sheet ends at edges that have not exactly two triangles. Lashes and films on the eye are open sheets, often welded
    to the lids: they have no inside that one could be kept out of. Where a texture seam doubles vertices, only the
    welded surface has its true normals.
    """
    place = welded_index(mesh.vertices)
    vertices = np.empty_like(mesh.vertices, shape=(int(place.max()) + 1, 3))
    vertices[place] = mesh.vertices
    triangles = place[mesh.triangles]
    triangles = triangles[(triangles != np.roll(triangles, 1, axis=1)).all(axis=1)].astype(np.int32)
    ends = np.sort(triangles[:, [[1, 2], [2, 0], [0, 1]]].reshape(-1, 2), axis=1)
    _, edge, uses = np.unique(ends, axis=0, return_inverse=True, return_counts=True)
    edge = edge.reshape(-1)
    sheet, open_ends = _sheets(edge, uses)
    kept = open_ends == 0
    kept[np.bincount(sheet, np.linalg.norm(triangle_normals(vertices, triangles), axis=1)).argmax()] = True
    return TriangleMesh(vertices, triangles[kept[sheet]])


def _sheets(edge: NDArray[np.int64], uses: NDArray[np.int64]) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """(T,) the sheet of each triangle, and (n,) how many edges of each sheet end it; `edge` (3 T,) is of each side."""
    order = np.argsort(edge, kind="stable")
    inner = order[uses[edge[order]] == 2]
    owner = np.arange(len(edge)) // 3
    links = (owner[inner[::2]], owner[inner[1::2]])
    count = len(edge) // 3
    graph = csr_matrix((np.ones(len(links[0]), np.int8), links), (count, count))
    sheet = connected_components(graph, directed=False)[1]
    return sheet, np.bincount(sheet, (uses[edge] != 2).reshape(-1, 3).sum(axis=1)).astype(np.int64)


def _crowded(triangles: NDArray[np.int64]) -> NDArray[np.bool_]:
    """(T,) which triangles have an edge with more than two triangles."""
    ends = np.sort(triangles[:, [[1, 2], [2, 0], [0, 1]]].reshape(-1, 2), axis=1).astype(np.int64)
    keys = ends[:, 0] * (int(triangles.max()) + 1) + ends[:, 1]
    _, edge, uses = np.unique(keys, return_inverse=True, return_counts=True)
    return (uses[edge.reshape(-1)] > 2).reshape(-1, 3).any(axis=1)


def _check_shells(part: NDArray[np.int64], area: NDArray[np.float64]) -> None:
    areas = np.bincount(part, weights=area)
    if areas.max() < MIN_MAIN_SHARE * areas.sum():
        raise ScanError(
            f"{np.count_nonzero(areas > 0)} shells, the largest with {areas.max() / areas.sum():.0%} of the surface; "
            "give a mesh with one head"
        )
