"""Relaxation of the sheet, in numba: position-based dynamics with heavy damping.

Source: Macklin, Mueller, Chentanez 2016, "XPBD: position-based simulation of compliant constrained dynamics".
Multipliers start at zero in each step (Macklin et al. 2019, "Small steps in physics simulation"), so the compliance a
of a constraint with weight w acts as one factor, the stiffness w / (w + a / step^2) in [0, 1]. Threads, layers and skin
have none.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray


class Cloth(NamedTuple):
    """What holds the sheet together, as arrays for the compiled code; see `SheetConstraints` for the shapes.

    `bending` (B,) and `hinge_stiffness` are in [0, 1]; `hinge_rest_mm` (H,) is what the wanted angle puts between the
    layers of a pair; layers farther apart than `overlap_mm` along the sheet do not lie on each other.
    """

    edges: NDArray[np.int32]
    rest_mm: NDArray[np.float64]
    bends: NDArray[np.int32]
    bend_weights: NDArray[np.float64]
    bending: NDArray[np.float64]
    outer: NDArray[np.int32]
    inner: NDArray[np.int32]
    facing: NDArray[np.int32]
    fold: NDArray[np.int32]
    beside_u: NDArray[np.int32]
    beside_v: NDArray[np.int32]
    welded: NDArray[np.bool_]
    gap_mm: float
    overlap_mm: float
    hinge_outer: NDArray[np.int32]
    hinge_inner: NDArray[np.int32]
    hinge_rest_mm: NDArray[np.float64]
    hinge_stiffness: NDArray[np.float64]
    nose: NDArray[np.int32]
    mirror: NDArray[np.int32]


class Skin(NamedTuple):
    """Contact planes of each vertex, the distance kept from them, and Coulomb's coefficient."""

    nearest_mm: NDArray[np.float64]
    direction: NDArray[np.float64]
    clearance_mm: float
    friction: float


@njit(cache=True)
def relax(x, velocity, load, cloth, skin, damping, steps, sweeps):
    """Advance positions (V, 3) and velocities (V, 3) in place by `steps` steps of unit time."""
    for step in range(steps):
        before = x.copy()
        velocity += load
        x += velocity
        backward = step % 2 == 1
        project_bends(x, cloth.bends, cloth.bend_weights, cloth.bending, backward)
        project_hinges(x, cloth.hinge_outer, cloth.hinge_inner, cloth.hinge_rest_mm, cloth.hinge_stiffness)
        for _ in range(sweeps):
            project_edges(x, cloth.edges, cloth.rest_mm, backward)
            backward = not backward
            project_layers(x, cloth)
        hold_patch(x, cloth.nose)
        project_contacts(x, before, skin)
        velocity[:] = damping * (x - before)
        symmetrize(velocity, cloth.mirror)


@njit(cache=True)
def symmetrize(velocity, mirror):
    """Keep only the motion that is the same on the left and on the right, in place.

    Momentum that sways a pleat to one side makes it buckle there; projections, which are free to be lopsided, suffice
    to follow a lopsided face.
    """
    for i in range(len(velocity)):
        j = mirror[i]
        if j < i:
            continue
        across = 0.5 * (velocity[i, 0] - velocity[j, 0])
        up, out = 0.5 * (velocity[i, 1] + velocity[j, 1]), 0.5 * (velocity[i, 2] + velocity[j, 2])
        velocity[i, 0], velocity[i, 1], velocity[i, 2] = across, up, out
        velocity[j, 0], velocity[j, 1], velocity[j, 2] = -across, up, out


@njit(cache=True)
def _pull_together(x, i, j, rest, stiffness):
    d0, d1, d2 = x[i, 0] - x[j, 0], x[i, 1] - x[j, 1], x[i, 2] - x[j, 2]
    length = np.sqrt(d0 * d0 + d1 * d1 + d2 * d2)
    s = 0.5 * stiffness * (length - rest) / max(length, 1e-9)
    x[i, 0] -= s * d0
    x[i, 1] -= s * d1
    x[i, 2] -= s * d2
    x[j, 0] += s * d0
    x[j, 1] += s * d1
    x[j, 2] += s * d2


@njit(cache=True)
def project_edges(x, edges, rest, backward):
    """Bring edges to their rest length, one after the other, from either end of the list."""
    count = len(edges)
    for n in range(count):
        e = count - 1 - n if backward else n
        _pull_together(x, edges[e, 0], edges[e, 1], rest[e], 1.0)


@njit(cache=True)
def project_hinges(x, outer, inner, rest, stiffness):
    """Open or shut folds towards the distance that the wanted angle puts between the two layers."""
    for p in range(len(outer)):
        _pull_together(x, outer[p], inner[p], rest[p], stiffness[p])


@njit(cache=True)
def project_bends(x, bends, weights, stiffness, backward):
    """Move each triple towards a straight line; linear in the positions, so it neither turns nor moves the triple."""
    count = len(bends)
    for n in range(count):
        b = count - 1 - n if backward else n
        i, j, k = bends[b, 0], bends[b, 1], bends[b, 2]
        wi, wj, wk = weights[b, 0], weights[b, 1], weights[b, 2]
        for axis in range(3):
            c = stiffness[b] * (wi * x[i, axis] + wj * x[j, axis] + wk * x[k, axis])
            x[i, axis] -= wi * c
            x[j, axis] -= wj * c
            x[k, axis] -= wk * c


@njit(cache=True)
def pair_normals(x, beside_u, beside_v):
    """Unit normals (P, 3) on the printed side at the facing point of each pair."""
    normals = np.zeros((len(beside_u), 3))
    for p in range(len(beside_u)):
        a = x[beside_u[p, 1]] - x[beside_u[p, 0]]
        b = x[beside_v[p, 1]] - x[beside_v[p, 0]]
        normals[p, 0] = b[1] * a[2] - b[2] * a[1]
        normals[p, 1] = b[2] * a[0] - b[0] * a[2]
        normals[p, 2] = b[0] * a[1] - b[1] * a[0]
        normals[p] /= max(np.sqrt((normals[p] ** 2).sum()), 1e-12)
    return normals


@njit(cache=True)
def project_layers(x, cloth):
    """Keep layers that lie on each other apart and in order; in the weld they also stay straight above each other.

    A pair acts on the point of the facing panel that the other layer lies on, not on the facing vertex itself: a push
    that is not in line with the two points would turn the sheet and feed it energy.
    """
    normals = pair_normals(x, cloth.beside_u, cloth.beside_v)
    for p in range(len(cloth.outer)):
        f, k, n = cloth.facing[p], cloth.fold[p], normals[p]
        o, side = (cloth.inner[p], -1.0) if f == cloth.outer[p] else (cloth.outer[p], 1.0)
        d0, d1, d2 = x[o, 0] - x[f, 0], x[o, 1] - x[f, 1], x[o, 2] - x[f, 2]
        if cloth.welded[p]:
            for axis in range(3):
                move = 0.5 * (side * cloth.gap_mm * n[axis] - (x[o, axis] - x[f, axis]))
                x[o, axis] += move
                x[f, axis] -= move
            continue
        along = d0 * n[0] + d1 * n[1] + d2 * n[2]
        if d0 * d0 + d1 * d1 + d2 * d2 - along * along > cloth.overlap_mm**2:
            continue
        e0, e1, e2 = x[k, 0] - x[f, 0], x[k, 1] - x[f, 1], x[k, 2] - x[f, 2]
        t = min(max((d0 * e0 + d1 * e1 + d2 * e2) / max(e0 * e0 + e1 * e1 + e2 * e2, 1e-12), 0.0), 1.0)
        clear = side * (along - t * (e0 * n[0] + e1 * n[1] + e2 * n[2]))
        if clear >= cloth.gap_mm:
            continue
        push = side * (cloth.gap_mm - clear) / (1.0 + (1.0 - t) ** 2 + t**2)
        for axis in range(3):
            x[o, axis] += push * n[axis]
            x[f, axis] -= push * (1.0 - t) * n[axis]
            x[k, axis] -= push * t * n[axis]


@njit(cache=True)
def hold_patch(x, patch):
    """Shift the points of a patch together so that their mean lies at x = y = 0, the tip of the nose."""
    for axis in range(2):
        mean = 0.0
        for i in patch:
            mean += x[i, axis]
        mean /= len(patch)
        for i in patch:
            x[i, axis] -= mean


@njit(cache=True)
def project_contacts(x, before, skin):
    """Push points out of the skin and hold back what slid on it by Coulomb's law, relative to `before`."""
    for i in range(len(x)):
        n = skin.direction[i]
        if n[0] == 0 and n[1] == 0 and n[2] == 0:
            continue
        above = 0.0
        for axis in range(3):
            above += (x[i, axis] - skin.nearest_mm[i, axis]) * n[axis]
        depth = skin.clearance_mm - above
        if depth <= 0:
            continue
        normal, squared = 0.0, 0.0
        for axis in range(3):
            x[i, axis] += depth * n[axis]
            slid = x[i, axis] - before[i, axis]
            normal += slid * n[axis]
            squared += slid * slid
        along = np.sqrt(max(squared - normal * normal, 0.0))
        held = min(1.0, skin.friction * depth / max(along, 1e-12))
        for axis in range(3):
            x[i, axis] -= held * (x[i, axis] - before[i, axis] - normal * n[axis])
