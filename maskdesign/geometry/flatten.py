"""Boundary first flattening: a conformal map of a disc from data on its boundary.

Sawhney and Crane 2017, "Boundary first flattening", ACM Transactions on Graphics 37(1): scale factors and turning
angles of the boundary determine each other through one Laplace equation (their section 4), a closed curve is fitted
to them (section 5) and extended to the inside (section 6). Own code on scipy's sparse LU.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csc_matrix
from scipy.sparse.linalg import splu

from maskdesign.errors import MeshError
from maskdesign.geometry.disc import check_disc
from maskdesign.geometry.mesh import TriangleMesh


@dataclass(frozen=True, eq=False)
class Disc:
    """A disc with its Laplacian, factored once for any number of maps.

    Attributes:
        mesh: the surface.
        boundary: (n,) vertex indices, the surface to the left.
        laplacian: (V, V) with cotangent weights, positive semidefinite.

    Convention: u is the logarithm of the scale factor at a vertex; k is the turning angle of the boundary at a vertex,
    pi minus the angles of the triangles there; sums of k over a flat disc are 2 pi.
    """

    mesh: TriangleMesh
    boundary: NDArray[np.int64]
    laplacian: csc_matrix

    @cached_property
    def interior(self) -> NDArray[np.int64]:
        """(V - n,) the other vertices."""
        return np.setdiff1d(np.arange(len(self.mesh.vertices)), self.boundary)

    @cached_property
    def defect(self) -> NDArray[np.float64]:
        """(V,) curvature: 2 pi minus the angles at inner vertices, pi minus them at the boundary."""
        import igl

        angles = np.asarray(igl.internal_angles(self.mesh.vertices, self.mesh.triangles.astype(np.int64)))
        total = np.zeros(len(self.mesh.vertices))
        np.add.at(total, self.mesh.triangles, angles)
        straight = np.full(len(total), 2 * np.pi)
        straight[self.boundary] = np.pi
        return straight - total

    @cached_property
    def edge_lengths(self) -> NDArray[np.float64]:
        """(n,) length of the boundary edge from each boundary vertex to the next."""
        points = self.mesh.vertices[self.boundary]
        return np.linalg.norm(np.roll(points, -1, axis=0) - points, axis=1)

    @cached_property
    def _to_boundary(self) -> csc_matrix:
        return self.laplacian[self.interior][:, self.boundary]

    @cached_property
    def _inner_factors(self) -> Any:
        return _factor(self.laplacian[self.interior][:, self.interior])

    @cached_property
    def _grounded_factors(self) -> Any:
        return _factor(self.laplacian[1:, 1:])

    def extend(self, on_boundary: NDArray[np.float64], source: NDArray[np.float64] | float = 0.0) -> NDArray:
        """Solve A x = source inside with x given on the boundary.

        Args:
            on_boundary: (n,) or (n, d).
            source: (V - n,), or 0 for a harmonic function.

        Returns:
            (V,) or (V, d).
        """
        x = np.empty((len(self.mesh.vertices), *on_boundary.shape[1:]))
        x[self.boundary] = on_boundary
        x[self.interior] = self._inner_factors.solve(source - self._to_boundary @ on_boundary)
        return x

    def solve_free(self, source: NDArray[np.float64]) -> NDArray[np.float64]:
        """Solve A x = source with nothing held; of all solutions the one that is 0 at vertex 0.

        Args:
            source: (V,), adding up to 0.
        """
        return np.concatenate([[0.0], self._grounded_factors.solve(source[1:])])


def _factor(matrix: csc_matrix) -> Any:
    try:
        # Symmetric and positive, so the diagonal serves as pivots and the ordering keeps its sparsity.
        return splu(matrix.tocsc(), permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options={"SymmetricMode": True})
    except RuntimeError as error:
        raise MeshError("the patch's Laplacian is singular; remove its slivers or cut it again") from error


def open_disc(mesh: TriangleMesh) -> Disc:
    """A surface, checked to be a disc, with the cotangents of its own triangles.

    Raises:
        MeshError: it is none; says why. `maskdesign.geometry.disc.make_disc` repairs many.
    """
    import igl

    boundary = check_disc(mesh)
    return Disc(mesh, boundary, csc_matrix(-igl.cotmatrix(mesh.vertices, mesh.triangles.astype(np.int64))))


def open_sliver_disc(mesh: TriangleMesh) -> Disc:
    """As `open_disc`, with the cotangents of the intrinsic Delaunay triangulation of the same surface.

    Fisher, Springborn, Bobenko and Schröder 2007, "An algorithm for the construction of intrinsic Delaunay
    triangulations": no weight is negative, so slivers flip far fewer triangles. The map is a little less conformal on
    the triangles as they are.
    """
    import igl

    boundary = check_disc(mesh)
    weights = igl.intrinsic_delaunay_cotmatrix(mesh.vertices, mesh.triangles.astype(np.int64))[0]
    return Disc(mesh, boundary, csc_matrix(-weights))


def flatten_free(disc: Disc) -> NDArray[np.float64]:
    """The conformal map of least area distortion: scale 1 all along the boundary (u = 0).

    Springborn, Schröder and Pinkall 2008, "Conformal equivalence of triangle meshes", section 5: of all conformal
    maps this one varies the scale least.

    Returns:
        (V, 2) in the unit of the vertices.

    Convention: counterclockwise triangles stay counterclockwise, first coordinate right, second up.
    """
    turning = turning_of_scales(disc, np.zeros(len(disc.boundary)))
    curve = closed_curve(turning, disc.edge_lengths, disc.edge_lengths)
    return extend_conjugate(disc, curve[:, 0])


def flatten_straight(disc: Disc, start: int, stop: int) -> NDArray[np.float64]:
    """A conformal map that makes one stretch of the boundary a straight line.

    The rest of the boundary keeps the turning of `flatten_free` but for what the straight stretch leaves over, which
    is spread along it evenly. Fig 7 of the PrivacyMask paper holds the first outer edge of the mask this way.

    Args:
        start, stop: boundary vertices; the straight stretch runs from start to stop with the surface to its left.

    Returns:
        (V, 2); the stretch from start to stop lies on the line through both, its direction is that of the first
        boundary edge of the stretch.

    Raises:
        MeshError: start or stop is no boundary vertex, or both are the same.
    """
    inside = stretch_between(disc, start, stop)[1:-1]
    on_stretch = np.isin(disc.boundary, inside)
    turning = turning_of_scales(disc, np.zeros(len(disc.boundary)))
    share = np.where(on_stretch, 0.0, (disc.edge_lengths + np.roll(disc.edge_lengths, 1)) / 2)
    turning = np.where(on_stretch, 0.0, turning) + turning[on_stretch].sum() * share / share.sum()
    u = scales_of_turning(disc, turning)
    lengths = np.exp((u + np.roll(u, -1)) / 2) * disc.edge_lengths
    return disc.extend(closed_curve(turning, lengths, disc.edge_lengths))


def stretch_between(disc: Disc, start: int, stop: int) -> NDArray[np.int64]:
    """Boundary vertices from start to stop, both included, the surface to the left.

    Raises:
        MeshError: start or stop is no boundary vertex, or both are the same.
    """
    places = {int(vertex): place for place, vertex in enumerate(disc.boundary)}
    missing = [vertex for vertex in (start, stop) if vertex not in places]
    if missing or start == stop:
        raise MeshError(f"the stretch from vertex {start} to {stop} needs two different vertices of the boundary")
    count = (places[stop] - places[start]) % len(disc.boundary)
    return np.roll(disc.boundary, -places[start])[: count + 1]


def turning_of_scales(disc: Disc, u: NDArray[np.float64]) -> NDArray[np.float64]:
    """Turning angles (n,) of the flat boundary for given log scale factors (n,) along it (BFF section 4.3)."""
    everywhere = disc.extend(u, -disc.defect[disc.interior])
    return disc.defect[disc.boundary] + (disc.laplacian @ everywhere)[disc.boundary]


def scales_of_turning(disc: Disc, turning: NDArray[np.float64]) -> NDArray[np.float64]:
    """Log scale factors (n,) along the boundary for given turning angles (n,) that add up to 2 pi (BFF section 4.4).

    They are known up to a constant; the total length of the boundary is kept.
    """
    source = -disc.defect.copy()
    source[disc.boundary] += turning
    u = disc.solve_free(source)[disc.boundary]
    scaled = (np.exp((u + np.roll(u, -1)) / 2) * disc.edge_lengths).sum()
    return u - np.log(scaled / disc.edge_lengths.sum())


def closed_curve(
    turning: NDArray[np.float64], lengths: NDArray[np.float64], weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    """A closed polygon with given turning angles and, in the least-squares sense, given lengths (BFF section 5.3).

    Args:
        turning: (n,) at each vertex, adding up to 2 pi.
        lengths: (n,) wanted, of the edge from each vertex to the next.
        weights: (n,) how much an edge may change its length in proportion to the others; > 0.

    Returns:
        (n, 2) vertices, the first at the origin, its edge along +x.
    """
    directions = np.concatenate([[0.0], np.cumsum(turning[1:])])
    tangents = np.stack([np.cos(directions), np.sin(directions)])
    gap = tangents @ lengths
    fitted = lengths - weights * (tangents.T @ np.linalg.solve((tangents * weights) @ tangents.T, gap))
    return np.concatenate([np.zeros((1, 2)), np.cumsum(fitted * tangents, axis=1).T[:-1]])


def extend_conjugate(disc: Disc, first: NDArray[np.float64]) -> NDArray[np.float64]:
    """The holomorphic function whose first coordinate is given on the boundary (BFF section 6.2).

    Args:
        first: (n,) first coordinate of the boundary vertices.

    Returns:
        (V, 2): the harmonic extension and its harmonic conjugate.
    """
    source = np.zeros(len(disc.mesh.vertices))
    # Cauchy and Riemann: the conjugate's derivative across the boundary is minus that of the function along it.
    source[disc.boundary] = (np.roll(first, 1) - np.roll(first, -1)) / 2
    return np.stack([disc.extend(first), disc.solve_free(source)], axis=1)
