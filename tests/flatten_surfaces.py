"""Surfaces whose flattening is known in closed form, patches that are no discs, and a clean patch of a face."""

from __future__ import annotations

import numpy as np

from maskdesign.faces.head import builtin_face
from maskdesign.geometry.disc import check_disc
from maskdesign.geometry.flatten import flatten_free, open_disc
from maskdesign.geometry.height_field import height_field_mesh, sample_heights
from maskdesign.geometry.mesh import TriangleMesh
from maskdesign.geometry.remesh import remesh_disc


def grid_mesh(points: np.ndarray) -> TriangleMesh:
    """(R, C, 3) points, rows upward, as a mesh that is counterclockwise where columns run right."""
    i = np.arange(points.shape[0] * points.shape[1]).reshape(points.shape[:2])
    a, b, c, d = (part.ravel() for part in (i[:-1, :-1], i[:-1, 1:], i[1:, 1:], i[1:, :-1]))
    triangles = np.concatenate([np.stack([a, b, c], 1), np.stack([a, c, d], 1)])
    return TriangleMesh(points.reshape(-1, 3), triangles)


def disk_points(rings: int) -> tuple[np.ndarray, np.ndarray]:
    """Unit disk in rings of 6 k points, nearly equilateral: (n, 2) and (T, 3)."""
    points, triangles, start = [np.zeros((1, 2))], [], 0
    for k in range(1, rings + 1):
        angle = 2 * np.pi * np.arange(6 * k) / (6 * k)
        points.append(k / rings * np.stack([np.cos(angle), np.sin(angle)], 1))
        inner, outer = start, 1 + 3 * k * (k - 1)
        for side in range(6):
            for j in range(k):
                p, q = outer + (side * k + j), outer + (side * k + j + 1) % (6 * k)
                below = 0 if k == 1 else inner + (side * (k - 1) + j) % (6 * (k - 1))
                triangles.append([p, q, below])
                if j < k - 1:
                    triangles.append([q, inner + (side * (k - 1) + j + 1) % (6 * (k - 1)), below])
        start = outer
    return np.concatenate(points), np.array(triangles)


def hemisphere(rings: int, radius: float = 50.0) -> tuple[TriangleMesh, np.ndarray]:
    """Half a sphere and its stereographic projection from the other pole, (V, 2) with boundary on the unit circle."""
    plane, triangles = disk_points(rings)
    square = (plane**2).sum(1, keepdims=True)
    return TriangleMesh(radius * np.hstack([2 * plane, 1 - square]) / (1 + square), triangles), plane


def cylinder() -> tuple[TriangleMesh, np.ndarray]:
    """Part of a cylinder with facets along its rulings, and its isometric development."""
    angle, height = np.meshgrid(np.radians(np.linspace(0, 200, 41)), np.linspace(0, 60, 21))
    chord = 2 * 40 * np.sin((angle[0, 1] - angle[0, 0]) / 2)
    flat = np.stack([chord * np.arange(41) + 0 * height, height], -1)
    return grid_mesh(np.stack([40 * np.cos(angle), 40 * np.sin(angle), height], -1)), flat.reshape(-1, 2)


def cone() -> tuple[TriangleMesh, np.ndarray]:
    """Part of a truncated cone with facets along its rulings, and its isometric development, a sector of a ring."""
    turn, slant = np.meshgrid(np.radians(np.linspace(0, 150, 31)), np.linspace(90, 30, 25))
    opening = np.radians(35)
    chord_angle = 2 * np.arcsin(np.sin(opening) * np.sin((turn[0, 1] - turn[0, 0]) / 2))
    flat_angle = chord_angle * np.arange(31) + 0 * slant
    flat = np.stack([slant * np.cos(flat_angle), slant * np.sin(flat_angle)], -1)
    radius = slant * np.sin(opening)
    space = np.stack([radius * np.cos(turn), radius * np.sin(turn), -slant * np.cos(opening)], -1)
    # Seen from outside rows go inward, so that the development keeps its orientation.
    return _upright(grid_mesh(space), flat.reshape(-1, 2))


def bumpy_patch(seed: int = 0, bumps: float = 4.0) -> TriangleMesh:
    """A disk with smooth random hills."""
    plane, triangles = disk_points(24)
    generator = np.random.default_rng(seed)
    waves, phase = generator.normal(0, 3, (6, 2)), generator.uniform(0, 6, 6)
    height = np.sin(plane @ waves.T + phase).sum(1) * bumps
    return TriangleMesh(np.column_stack([plane * 50, height]), triangles)


def square_with_hole() -> TriangleMesh:
    mesh = flat_square(9)
    middle = mesh.vertices[mesh.triangles].mean(1)
    used, triangles = np.unique(mesh.triangles[(abs(middle[:, :2] - 4) > 1).any(1)], return_inverse=True)
    return TriangleMesh(mesh.vertices[used], triangles.reshape(-1, 3))


def flat_square(side: int) -> TriangleMesh:
    x, y = np.meshgrid(np.arange(side, dtype=float), np.arange(side, dtype=float))
    return grid_mesh(np.stack([x, y, 0 * x], -1))


def torus_with_hole() -> TriangleMesh:
    side = 12
    u, v = np.meshgrid(np.arange(side), np.arange(side), indexing="ij")
    a, b = 2 * np.pi * u / side, 2 * np.pi * v / side
    points = np.stack([(3 + np.cos(b)) * np.cos(a), (3 + np.cos(b)) * np.sin(a), np.sin(b)], -1).reshape(-1, 3)

    def at(i: np.ndarray, j: np.ndarray) -> np.ndarray:
        return (i % side) * side + j % side

    p, q, r, s = at(u, v), at(u + 1, v), at(u + 1, v + 1), at(u, v + 1)
    triangles = np.concatenate([np.stack([p, q, r], -1).reshape(-1, 3), np.stack([p, r, s], -1).reshape(-1, 3)])
    return TriangleMesh(points, triangles[1:])


def face_patch(spacing_mm: float = 1.0) -> TriangleMesh:
    """The built-in head around nose and mouth as a clean mesh: sampled as a range image, then remeshed."""
    heights = sample_heights(builtin_face().mesh, np.arange(-50, 50.5, 1.0), np.arange(32, -72.5, -1.0))
    sampled = height_field_mesh(heights)
    return remesh_disc(sampled, flatten_free(open_disc(sampled)), spacing_mm)[0]


def _upright(mesh: TriangleMesh, flat: np.ndarray) -> tuple[TriangleMesh, np.ndarray]:
    a, b, c = (flat[mesh.triangles[0, k]] for k in range(3))
    turned = np.cross(b - a, c - a) > 0
    fixed = mesh if turned else TriangleMesh(mesh.vertices, mesh.triangles[:, ::-1])
    check_disc(fixed)
    return fixed, flat
