"""A disc with new triangles of even size and good angles, made in its own flattening."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree

from maskdesign.errors import MeshError
from maskdesign.geometry.disc import check_disc
from maskdesign.geometry.mesh import TriangleMesh, triangle_normals
from maskdesign.geometry.refine import RUPPERT_DEG, PlanarMesh, locate, refine

CANDIDATES = 6.0
"""Random points tried per square of `spacing`; more of them leave fewer gaps."""
CLOSEST = 0.8
"""Least distance of two points over `spacing`."""
MAX_CANDIDATES = 2_000_000


def remesh_disc(
    mesh: TriangleMesh,
    flat: NDArray[np.float64],
    spacing: float,
    min_angle_deg: float = RUPPERT_DEG,
    seed: int = 0,
) -> tuple[TriangleMesh, PlanarMesh]:
    """Cover a disc with nearly equilateral triangles.

    Points are spread evenly over the surface (dart throwing: Cook 1986, "Stochastic sampling in computer graphics"),
    triangulated and refined in the flattening, and lifted. As far as the flattening is conformal, angles survive the
    lift.

    Args:
        mesh: a disc.
        flat: (V, 2) a flattening of it without flips.
        spacing: length of an edge on the surface, in the unit of the vertices.
        min_angle_deg: least angle in the flattening.
        seed: of the darts; the same seed gives the same bits.

    Returns:
        the new surface, and its triangulation in the flattening.

    Raises:
        MeshError: no disc, a spacing that asks for too many points, or an angle that cannot be reached.
    """
    rim_flat, rim_space = _even_boundary(mesh, flat, check_disc(mesh), spacing)
    tried = _random_points(mesh, flat, spacing, np.random.Generator(np.random.Philox(key=seed)))
    places = np.concatenate([rim_space, tried[1]])
    kept = thin_points(places, CLOSEST * spacing, always=len(rim_flat))
    count = len(rim_flat)
    rim = np.stack([np.arange(count), np.roll(np.arange(count), -1)], axis=1)
    planar = refine(np.concatenate([rim_flat, tried[0]])[kept], rim, min_angle_deg)
    _, corners, bary = locate(flat, mesh.triangles, planar.points)
    return TriangleMesh(np.einsum("nk,nkd->nd", bary, mesh.vertices[corners]), planar.triangles), planar


def _even_boundary(
    mesh: TriangleMesh, flat: NDArray[np.float64], loop: NDArray[np.int64], spacing: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    closed = np.append(loop, loop[0])
    steps = np.linalg.norm(np.diff(mesh.vertices[closed], axis=0), axis=1)
    reached = np.concatenate([[0.0], np.cumsum(steps)])
    wanted = np.linspace(0, reached[-1], max(3, round(reached[-1] / spacing)), endpoint=False)

    def along(values: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.stack([np.interp(wanted, reached, column) for column in values[closed].T], axis=1)

    return along(flat), along(mesh.vertices)


def _random_points(
    mesh: TriangleMesh, flat: NDArray[np.float64], spacing: float, generator: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    areas = np.linalg.norm(triangle_normals(mesh.vertices, mesh.triangles), axis=1) / 2
    wanted = CANDIDATES * areas.sum() / spacing**2
    if not 1 <= wanted <= MAX_CANDIDATES:
        raise MeshError(f"a spacing of {spacing:g} on an area of {areas.sum():.4g} is no sensible choice; take another")
    owner = generator.choice(len(areas), int(wanted), p=areas / areas.sum())
    root, second = np.sqrt(generator.random(len(owner))), generator.random(len(owner))
    bary = np.stack([1 - root, root * (1 - second), root * second], axis=1)
    corners = mesh.triangles[owner]
    return np.einsum("nk,nkd->nd", bary, flat[corners]), np.einsum("nk,nkd->nd", bary, mesh.vertices[corners])


def thin_points(points: NDArray[np.float64], least: float, always: int = 0) -> NDArray[np.int64]:
    """A subset of points of which no two are nearer than `least`; earlier ones win.

    Args:
        points: (n, d).
        always: the first so many are kept whatever their distance.

    Returns:
        rising indices.
    """
    pairs = KDTree(points).query_pairs(least, output_type="ndarray")
    pairs = pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))]
    starts = np.searchsorted(pairs[:, 0], np.arange(len(points) + 1))
    kept = np.ones(len(points), np.bool_)
    later = pairs[:, 1]
    for index in range(len(points)):
        if kept[index]:
            # query_pairs lists each pair with its lower index first, so only later points are dropped.
            kept[later[starts[index] : starts[index + 1]]] = False
            kept[:always] = True
    return np.flatnonzero(kept)
