"""A worn mask cut along the outline of its pattern.

An approximation, and what it is: the bounding rectangle is draped, with its welds, wire and loops, and the outline is
cut from the worn sheet afterwards. Near the cut the cloth therefore lies as if it went on, and the report's figures
(strain, penetration, layers) are those of the whole rectangle. Where the cloth lies on the sheet is exact.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from maskdesign.errors import PatternError
from maskdesign.geometry.mesh import TriangleMesh, mesh_edges
from maskdesign.geometry.polygon import polygon_area, signed_distance
from maskdesign.geometry.refine import locate
from maskdesign.mask.pattern import MaskPattern, panel_of_row
from maskdesign.mask.worn import WornMask

LEAST_AREA_MM2 = 1e-9


def cut_worn(worn: WornMask, pattern: MaskPattern) -> WornMask:
    """The part of a worn mask inside the pattern's outline; the mask itself where there is none, or where it is cut.

    Triangles that the outline crosses are replaced by their pieces inside, from a constrained Delaunay triangulation
    that keeps their sides and the outline. Each piece lies within one triangle, so worn positions are interpolated
    linearly and folds stay sharp.

    Raises:
        PatternError: an outline so near to the sheet's grid that their crossings cannot be computed.
    """
    if pattern.outline_mm is None:
        return worn
    ring, triangles = np.array(pattern.outline_mm), worn.mesh.triangles
    distance = signed_distance(ring, worn.sheet_mm)
    if distance.max() < 1e-6 and abs(_areas(worn.sheet_mm, triangles).sum() / polygon_area(ring) - 1) < 1e-9:
        return worn
    edges = worn.sheet_mm[mesh_edges(triangles)]
    reach_mm = np.linalg.norm(edges[:, 0] - edges[:, 1], axis=1).max()
    near = (abs(distance[triangles]) <= reach_mm).any(axis=1)
    points, pieces = _overlay(worn.sheet_mm, triangles[near], ring)
    middles = points[pieces].mean(axis=1)
    inside = (signed_distance(ring, middles) < 0) & (abs(_areas(points, pieces)) > LEAST_AREA_MM2)
    pieces = pieces[inside]
    pieces = pieces[near[locate(worn.sheet_mm, triangles, middles[inside])[0]]]
    whole = triangles[~near & (distance[triangles] < 0).all(axis=1)]
    return _assemble(worn, pattern, points, pieces, whole)


def _areas(points: NDArray[np.float64], triangles: NDArray[np.integer]) -> NDArray[np.float64]:
    """Positive where the triangle shows its printed side, in sheet millimeters with v down."""
    a, b, c = (points[triangles[:, k]] for k in range(3))
    return ((b[:, 1] - a[:, 1]) * (c[:, 0] - a[:, 0]) - (b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1])) / 2


def _overlay(
    sheet_mm: NDArray[np.float64], triangles: NDArray[np.int32], ring: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.int32]]:
    """Points, the sheet's own first, and triangles that respect the sides of some triangles and of the outline."""
    import pythoncdt

    used = np.unique(triangles)
    points, number = np.unique(np.concatenate([sheet_mm[used], ring]), axis=0, return_inverse=True)
    corner = number[len(used) :]
    sides = np.concatenate(
        [number[np.searchsorted(used, mesh_edges(triangles))], np.column_stack([corner, np.roll(corner, -1)])]
    )
    sides = np.unique(np.sort(sides, axis=1), axis=0)
    resolve = pythoncdt.IntersectingConstraintEdges.TRY_RESOLVE
    cdt = pythoncdt.Triangulation(pythoncdt.VertexInsertionOrder.AUTO, resolve, 0.0)
    cdt.insert_vertices(np.ascontiguousarray(points))  # type: ignore[call-overload]
    try:
        cdt.insert_edges(np.ascontiguousarray(sides, np.uint32))  # type: ignore[call-overload]
    except RuntimeError as error:
        raise PatternError(
            "the outline runs within a millionth of a millimeter of the sheet's grid and cannot be cut; "
            "round its corners to .001 mm"
        ) from error
    cdt.erase_super_triangle()
    # The library turns counterclockwise with y up; v points down.
    pieces = cdt.triangles_array()["vertices"].astype(np.int32)[:, ::-1]
    return cdt.vertices_array().view(np.float64).reshape(-1, 2), pieces


def _assemble(
    worn: WornMask,
    pattern: MaskPattern,
    points: NDArray[np.float64],
    pieces: NDArray[np.int32],
    whole: NDArray[np.int32],
) -> WornMask:
    _, corners, bary = locate(worn.sheet_mm, worn.mesh.triangles, points)
    lifted = np.einsum("nk,nkd->nd", bary, worn.mesh.vertices[corners])
    sheet_mm, first = np.unique(np.concatenate([worn.sheet_mm, points]), axis=0, return_inverse=True)
    vertices_mm = np.empty((len(sheet_mm), 3))
    vertices_mm[first[len(worn.sheet_mm) :]] = lifted
    # Last, so that points of the drape stay what they were to the last bit.
    vertices_mm[first[: len(worn.sheet_mm)]] = worn.mesh.vertices
    kept, triangles = np.unique(np.concatenate([first[whole], first[pieces + len(worn.sheet_mm)]]), return_inverse=True)
    mesh = TriangleMesh(vertices_mm[kept], triangles.reshape(-1, 3).astype(np.int32))
    layer = panel_of_row(pattern, sheet_mm[kept, 1])
    return replace(worn, mesh=mesh, sheet_mm=sheet_mm[kept], layer=layer)
