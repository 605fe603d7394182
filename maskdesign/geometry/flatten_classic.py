"""Other maps of a disc to the plane, for comparison: least squares, spectral, and the paper's harmonic map."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from maskdesign.errors import MeshError
from maskdesign.geometry.flatten import Disc


def flatten_lscm(disc: Disc) -> NDArray[np.float64]:
    """Least-squares conformal map with two pins, the boundary vertices farthest apart (libigl).

    Lévy, Petitjean, Ray and Maillot 2002, "Least squares conformal maps for automatic texture atlas generation".

    Returns:
        (V, 2); the pins keep their distance in space.
    """
    import igl

    points = disc.mesh.vertices[disc.boundary]
    near = int(np.linalg.norm(points - points.mean(axis=0), axis=1).argmax())
    far = int(np.linalg.norm(points - points[near], axis=1).argmax())
    pins = disc.boundary[[near, far]]
    apart = float(np.linalg.norm(points[far] - points[near]))
    held = np.array([[0.0, 0.0], [apart, 0.0]])
    flat, _ = igl.lscm(disc.mesh.vertices, disc.mesh.triangles.astype(np.int64), pins, held)
    return _upright(disc, np.asarray(flat))


def flatten_spectral(disc: Disc) -> NDArray[np.float64]:
    """Spectral conformal map (libigl): least conformal energy with no pins at all.

    Mullen, Tong, Alliez and Desbrun 2008, "Spectral conformal parameterization".

    Returns:
        (V, 2) with the area of the surface.
    """
    import igl.spectra

    # igl.spectra's iteration loses digits where coordinates are far from unit size.
    center, size = disc.mesh.vertices.mean(axis=0), np.ptp(disc.mesh.vertices, axis=0).max()
    flat = igl.spectra.lscm((disc.mesh.vertices - center) / size, disc.mesh.triangles.astype(np.int64))
    upright = _upright(disc, np.asarray(flat))
    return upright * np.sqrt(_surface_area(disc) / _signed_area(disc, upright))


def flatten_harmonic(disc: Disc, boundary: NDArray[np.float64]) -> NDArray[np.float64]:
    """The harmonic map with a given boundary: least Dirichlet energy, equation 5 of the PrivacyMask paper.

    It is conformal only if the boundary happens to be the right one.

    Args:
        boundary: (n, 2) where each vertex of `disc.boundary` goes.

    Raises:
        MeshError: a boundary of another length.
    """
    if boundary.shape != (len(disc.boundary), 2):
        raise MeshError(f"the boundary must have shape ({len(disc.boundary)}, 2), not {boundary.shape}")
    return disc.extend(boundary)


def circle_boundary(disc: Disc) -> NDArray[np.float64]:
    """The boundary on a circle by arc length, (n, 2); the circle has the area of the surface."""
    angle = _arc_share(disc) * 2 * np.pi
    return np.sqrt(_surface_area(disc) / np.pi) * np.stack([np.cos(angle), np.sin(angle)], axis=1)


def square_boundary(disc: Disc) -> NDArray[np.float64]:
    """The boundary on a square by arc length, (n, 2); the square has the area of the surface."""
    side, place = np.divmod(_arc_share(disc) * 4, 1)
    corners = np.array([[0, 0], [1, 0], [1, 1], [0, 1], [0, 0]], np.float64)
    side = side.astype(int)
    points = corners[side] + place[:, None] * (corners[side + 1] - corners[side])
    return (points - 0.5) * np.sqrt(_surface_area(disc))


def _arc_share(disc: Disc) -> NDArray[np.float64]:
    reached = np.cumsum(disc.edge_lengths)
    return np.concatenate([[0.0], reached[:-1]]) / reached[-1]


def _surface_area(disc: Disc) -> float:
    from maskdesign.geometry.mesh import triangle_normals

    return float(np.linalg.norm(triangle_normals(disc.mesh.vertices, disc.mesh.triangles), axis=1).sum() / 2)


def _signed_area(disc: Disc, flat: NDArray[np.float64]) -> float:
    curve = flat[disc.boundary]
    following = np.roll(curve, -1, axis=0)
    return float((curve[:, 0] * following[:, 1] - curve[:, 1] * following[:, 0]).sum() / 2)


def _upright(disc: Disc, flat: NDArray[np.float64]) -> NDArray[np.float64]:
    return flat if _signed_area(disc, flat) > 0 else flat * [1, -1]
