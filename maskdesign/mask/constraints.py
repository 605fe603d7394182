"""What holds a folded sheet together: threads that do not stretch, layers in order, welds, hinges, stiffness."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from maskdesign.geometry.mesh import mesh_edges
from maskdesign.mask.pattern import folded_v_mm
from maskdesign.mask.sheet import SheetGrid


@dataclass(frozen=True)
class LayerPairs:
    """Points of two layers of a pleat that lie on each other when the pleat is shut.

    Attributes:
        outer, inner: (P,) int32 vertices; outer is the one nearer to whoever looks at the mask.
        facing: (P,) int32, the one of the two whose panel shows its printed side outward; its normal orders the pair.
        fold: (P,) int32, the vertex between them on their fold.
        pleat: (P,) int64, number of the pleat from the top.
        from_fold_mm: (P,) distance of both from their fold.
        side_mm: (P,) distance of both from the nearer side edge.
        beside_u, beside_v: (P, 2) int32 neighbors of `facing` on its own panel, along +u and along +v.
    """

    outer: NDArray[np.int32]
    inner: NDArray[np.int32]
    facing: NDArray[np.int32]
    fold: NDArray[np.int32]
    pleat: NDArray[np.int64]
    from_fold_mm: NDArray[np.float64]
    side_mm: NDArray[np.float64]
    beside_u: NDArray[np.int32]
    beside_v: NDArray[np.int32]


@dataclass(frozen=True)
class SheetConstraints:
    """Everything that follows from the pattern alone.

    Attributes:
        edges: (E, 2) int32 weft, warp and shear: the edges of the grid's triangles. With both diagonals of each cell
            the cells would be rigid, and a rigid grid folds along its rows or its columns but never along both.
        rest_mm: (E,) their lengths on the flat sheet.
        edge_starts: (n + 1,) int32 where the couples of edges begin; see `couple_starts`.
        bends: (B, 3) int32 triples in a row or in a column, none across a fold.
        bend_weights: (B, 3) coefficients of the triple's second difference, squares summing to 1.
        bend_starts: (m + 1,) int32 where the couples of triples begin.
        pairs: layers in order.
    """

    edges: NDArray[np.int32]
    rest_mm: NDArray[np.float64]
    edge_starts: NDArray[np.int32]
    bends: NDArray[np.int32]
    bend_weights: NDArray[np.float64]
    bend_starts: NDArray[np.int32]
    pairs: LayerPairs


def build_constraints(grid: SheetGrid) -> SheetConstraints:
    """List the constraints of a grid, each list from the middle of the sheet outward, left and right in turn."""
    sheet, lines = grid.sheet_mm, mesh_edges(grid.triangles)
    along_v, along_u = (abs(sheet[lines[:, 0], axis] - sheet[lines[:, 1], axis]) < 1e-9 for axis in (0, 1))
    families = (lines[along_u], lines[along_v], lines[~along_u & ~along_v])
    edges = np.concatenate([_from_middle(grid, family) for family in families])
    rest = np.linalg.norm(sheet[edges[:, 0]] - sheet[edges[:, 1]], axis=1)
    bends = _bending_triples(grid)
    return SheetConstraints(
        edges=edges,
        rest_mm=rest,
        edge_starts=couple_starts(grid, edges),
        bends=bends,
        bend_weights=_bend_weights(grid, bends),
        bend_starts=couple_starts(grid, bends),
        pairs=_layer_pairs(grid),
    )


def _from_middle(grid: SheetGrid, members: NDArray[np.int32]) -> NDArray[np.int32]:
    """Row by row, from the middle outward, each member followed by its mirror image."""
    u = grid.sheet_mm[members, 0].mean(axis=1) - grid.pattern.width_mm / 2
    v = grid.sheet_mm[members, 1].mean(axis=1)
    listed = members[np.lexsort((u, np.round(abs(u), 6), v))]
    starts = couple_starts(grid, listed)
    coupled = starts[:-1][np.diff(starts) == 2]
    listed[coupled + 1] = grid.mirror[listed[coupled]]
    return np.ascontiguousarray(listed)


def couple_starts(grid: SheetGrid, members: NDArray[np.int32]) -> NDArray[np.int32]:
    """Where the couples of a list from `_from_middle` begin.

    A couple is a member and its mirror image. The solver moves both from the same state: one after the other would pull
    a symmetric mask askew. Members that are their own image stand alone.

    Args:
        members: (n, k) vertices.

    Returns:
        (m + 1,) int32; couple c holds the members from the c-th number up to the next.
    """
    image = np.sort(grid.mirror[members[:-1]], axis=1)
    followed = np.append((image == np.sort(members[1:], axis=1)).all(axis=1), False)
    return np.append(np.flatnonzero(~np.append(False, followed[:-1])), len(members)).astype(np.int32)


def _bending_triples(grid: SheetGrid) -> NDArray[np.int32]:
    i = grid.index
    along_u = np.stack([i[:, :-2], i[:, 1:-1], i[:, 2:]], -1).reshape(-1, 3)
    fold_rows = [grid.row_of(v) for v, _ in grid.pattern.fold_rows_mm]
    middle = np.array([r for r in range(1, len(grid.v_mm) - 1) if r not in fold_rows])
    along_v = np.stack([i[middle - 1], i[middle], i[middle + 1]], -1).reshape(-1, 3)
    groups = [along_u, along_v, _weld_triples(grid)]
    return np.concatenate([_from_middle(grid, group) for group in groups])


def _weld_triples(grid: SheetGrid) -> NDArray[np.int32]:
    # In the weld the three layers bend as one: the panel above goes on in the innermost layer.
    side = np.minimum(grid.u_mm, grid.pattern.width_mm - grid.u_mm)
    columns, d = np.flatnonzero(side <= grid.pattern.weld_mm + 1e-9), grid.pattern.pleat_depth_mm
    triples = [np.zeros((0, 3), np.int32)]
    for fold in grid.pattern.pleat_rows_mm:
        behind = int(np.searchsorted(grid.v_mm, fold + d - 1e-6))
        above = int(np.searchsorted(grid.v_mm, fold - d - 1e-6))
        if above > 0:
            triples.append(grid.index[[above - 1, behind, behind + 1]][:, columns].T)
    return np.concatenate(triples)


def _bend_weights(grid: SheetGrid, bends: NDArray[np.int32]) -> NDArray[np.float64]:
    folded = np.column_stack([grid.sheet_mm[:, 0], folded_v_mm(grid.pattern, grid.sheet_mm[:, 1])])
    a, b, c = (folded[bends[:, k]] for k in range(3))
    before, after = np.linalg.norm(b - a, axis=1), np.linalg.norm(c - b, axis=1)
    weights = np.stack([1 / before, -1 / before - 1 / after, 1 / after], -1)
    return weights / np.linalg.norm(weights, axis=1, keepdims=True)


def _layer_pairs(grid: SheetGrid) -> LayerPairs:
    depth, found = grid.pattern.pleat_depth_mm, []
    for number, (fold, kind) in enumerate(grid.pattern.fold_rows_mm):
        row = grid.row_of(fold)
        for above in range(len(grid.v_mm)):
            s = fold - grid.v_mm[above]
            below = grid.row_of(fold + s)
            # The fold itself belongs to both layers.
            if row is None or below is None or not 1e-6 < s < depth + 1e-6:
                continue
            found.append((above, below, above if kind == "mountain" else below, row, number // 2, s))
    return _pairs_of_rows(grid, np.array(found, dtype=np.float64).reshape(-1, 6))


def _pairs_of_rows(grid: SheetGrid, found: NDArray[np.float64]) -> LayerPairs:
    i, columns = grid.index, len(grid.u_mm)
    order = np.argsort(np.round(abs(grid.u_mm - grid.pattern.width_mm / 2), 6), kind="stable")
    left, right = np.maximum(order - 1, 0), np.minimum(order + 1, columns - 1)
    above, below, face, fold = (found[:, k].astype(np.int64)[:, None] for k in range(4))
    towards_fold = face + np.sign(fold - face)
    upper, lower = np.minimum(face, towards_fold), np.maximum(face, towards_fold)
    return LayerPairs(
        outer=i[above, order].ravel(),
        inner=i[below, order].ravel(),
        facing=i[face, order].ravel(),
        fold=i[np.broadcast_to(fold, (len(found), columns)), order].ravel(),
        pleat=np.repeat(found[:, 4], columns).astype(np.int64),
        from_fold_mm=np.repeat(found[:, 5], columns),
        side_mm=np.tile(np.minimum(grid.u_mm, grid.pattern.width_mm - grid.u_mm)[order], len(found)),
        beside_u=np.stack([i[face, left], i[face, right]], -1).reshape(-1, 2),
        beside_v=np.stack([i[upper, order], i[lower, order]], -1).reshape(-1, 2),
    )
