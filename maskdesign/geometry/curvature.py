"""Curvature of triangle meshes, and the shape index made of it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

RADIUS = 5
"""Of the neighborhood that a quadric is fitted to, in mean edge lengths."""


def principal_curvatures(
    vertices: NDArray[np.float64], triangles: NDArray[np.int32], radius: int = RADIUS
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Largest and smallest normal curvature at each vertex.

    Panozzo, Puppo and Rocca 2010, "Efficient multi-scale curvature and crease estimation": a quadric fitted to the
    neighborhood, through libigl.

    Args:
        vertices: (V, 3), in any unit; curvatures are one over it.
        triangles: (T, 3), manifold, no vertex unused.
        radius: of the neighborhood, in mean edge lengths, at least 2.

    Returns:
        k1 >= k2, (V,) each; positive where the surface bulges to the side of the normals, 0 where no quadric fits.
    """
    import igl

    found = igl.principal_curvature(vertices, triangles.astype(np.int64), radius)
    first, second = np.nan_to_num(np.stack([found[2], found[3]]), nan=0.0, posinf=0.0, neginf=0.0)
    return np.maximum(first, second), np.minimum(first, second)


def shape_index(k1: NDArray[np.float64], k2: NDArray[np.float64]) -> NDArray[np.float64]:
    """Koenderink's shape index, S = 2 / pi arctan((k1 + k2) / (k1 - k2)), in [-1, 1].

    Koenderink and van Doorn 1992, "Surface shape and curvature scales"; +1 is a cap, 0.5 a ridge, 0 a saddle, -1 a cup.
    The paper on masks filters the nose tip by S in [0.85, 1] (section 3.2).

    Args:
        k1, k2: (V,) principal curvatures, k1 >= k2.

    Returns:
        (V,); 0 where the surface is flat.
    """
    return 2 / np.pi * np.arctan2(k1 + k2, k1 - k2)
