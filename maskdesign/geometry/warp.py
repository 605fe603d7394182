"""Smooth warps: displacements known on a part of a surface, spread over the rest."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, diags_array
from scipy.sparse.linalg import spsolve


def spread_smoothly(
    vertices: NDArray[np.float64],
    triangles: NDArray[np.int32],
    known: NDArray[np.int64],
    values: NDArray[np.float64],
) -> NDArray[np.float64]:
    """The smoothest values on a surface that equal given ones at some vertices.

    Minimizes the discrete bi-Laplacian energy (Botsch and Kobbelt 2004, "An intuitive framework for real-time freeform
    modeling"): where the known vertices fill a region, value and slope go on across its rim, so no crease is left.

    Args:
        vertices: (V, 3).
        triangles: (T, 3).
        known: (k,) indices, at least one on each connected part.
        values: (k, d) at the known vertices.

    Returns:
        (V, d), exact at the known vertices.
    """
    stiffness = _bending(vertices, triangles)
    free = np.setdiff1d(np.arange(len(vertices)), known)
    spread = np.zeros((len(vertices), values.shape[1]))
    spread[known] = values
    right = -(stiffness[free][:, known] @ values)
    spread[free] = spsolve(stiffness[free][:, free].tocsc(), right).reshape(len(free), -1)
    return spread


def fair(
    vertices: NDArray[np.float64], triangles: NDArray[np.int32], fixed: NDArray[np.int64], length_mm: float
) -> NDArray[np.float64]:
    """Take creases and ripples out of a surface.

    Minimizes bending plus (distance moved / length^2)^2: features shorter than the length go, longer ones stay.

    Args:
        vertices: (V, 3).
        triangles: (T, 3).
        fixed: (k,) vertices that do not move; their slope goes on across the rim of a fixed region.
        length_mm: > 0.

    Returns:
        (V, 3).
    """
    pull = diags_array(_areas(vertices, triangles) / length_mm**4)
    system = (_bending(vertices, triangles) + pull).tocsr()
    free = np.setdiff1d(np.arange(len(vertices)), fixed)
    right = (pull @ vertices)[free] - system[free][:, fixed] @ vertices[fixed]
    result = vertices.copy()
    result[free] = spsolve(system[free][:, free].tocsc(), right).reshape(len(free), -1)
    return result


def _bending(vertices: NDArray[np.float64], triangles: NDArray[np.int32]) -> csr_array:
    import igl

    laplacian = igl.cotmatrix(vertices, triangles.astype(np.int64))
    return csr_array(laplacian @ diags_array(1 / _areas(vertices, triangles)) @ laplacian)


def _areas(vertices: NDArray[np.float64], triangles: NDArray[np.int32]) -> NDArray[np.float64]:
    import igl

    return igl.massmatrix(vertices, triangles.astype(np.int64), igl.MASSMATRIX_TYPE_VORONOI).diagonal()
