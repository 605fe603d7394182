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

DEEPEST_MM = 4.0
"""Cloth that starts outside never gets deeper than this; where it seems to, as in front of an eye whose lids fold into
the head, the sign of the distance is wrong."""


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
        hold_patch(x, cloth.nose)
        project_bends(x, cloth.bends, cloth.bend_weights, cloth.bend_starts, cloth.bending, backward)
        project_hinges(x, cloth.hinge_outer, cloth.hinge_inner, cloth.hinge_rest_mm, cloth.hinge_stiffness)
        for _ in range(sweeps):
            project_edges(x, cloth.edges, cloth.rest_mm, cloth.edge_starts, backward)
            backward = not backward
            project_layers(x, cloth)
        project_contacts(x, before, skin)
        velocity[:] = damping * (x - before)
        symmetrize(velocity, cloth.mirror)


@njit(cache=True)
def settle(x, cloth, skin, sweeps):
    """Take out strain that is left, in place, without loads or friction."""
    slippery = Skin(skin.nearest_mm, skin.direction, skin.clearance_mm, 0.0)
    for sweep in range(sweeps):
        project_hinges(x, cloth.hinge_outer, cloth.hinge_inner, cloth.hinge_rest_mm, cloth.hinge_stiffness)
        project_bends(x, cloth.bends, cloth.bend_weights, cloth.bend_starts, cloth.bending, sweep % 2 == 1)
        project_edges(x, cloth.edges, cloth.rest_mm, cloth.edge_starts, sweep % 2 == 1)
        project_layers(x, cloth)
        project_contacts(x, x, slippery)


@njit(cache=True)
def worst_strain(x, edges, rest):
    """Largest relative change of length of an edge."""
    worst = 0.0
    for e in range(len(edges)):
        i, j = edges[e, 0], edges[e, 1]
        d0, d1, d2 = x[i, 0] - x[j, 0], x[i, 1] - x[j, 1], x[i, 2] - x[j, 2]
        worst = max(worst, abs(np.sqrt(d0 * d0 + d1 * d1 + d2 * d2) / rest[e] - 1.0))
    return worst


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
def _missing(x, i, j, rest, stiffness):
    """What to take off x[i] and add to x[j] to bring them to the distance `rest`."""
    d0, d1, d2 = x[i, 0] - x[j, 0], x[i, 1] - x[j, 1], x[i, 2] - x[j, 2]
    length = np.sqrt(d0 * d0 + d1 * d1 + d2 * d2)
    s = 0.5 * stiffness * (length - rest) / max(length, 1e-9)
    return s * d0, s * d1, s * d2


@njit(cache=True)
def _move(x, i, j, move):
    for axis in range(3):
        x[i, axis] -= move[axis]
        x[j, axis] += move[axis]


@njit(cache=True)
def project_edges(x, edges, rest, starts, backward):
    """Bring edges to their rest length, one couple after the other, from either end of the list."""
    count = len(starts) - 1
    for n in range(count):
        c = count - 1 - n if backward else n
        a, b = starts[c], starts[c + 1] - 1
        move = _missing(x, edges[a, 0], edges[a, 1], rest[a], 1.0)
        image = _missing(x, edges[b, 0], edges[b, 1], rest[b], 1.0)
        _move(x, edges[a, 0], edges[a, 1], move)
        if b > a:
            _move(x, edges[b, 0], edges[b, 1], image)


@njit(cache=True)
def project_hinges(x, outer, inner, rest, stiffness):
    """Open or shut folds towards the distance that the wanted angle puts between the two layers."""
    for p in range(len(outer)):
        _move(x, outer[p], inner[p], _missing(x, outer[p], inner[p], rest[p], stiffness[p]))


@njit(cache=True)
def project_bends(x, bends, weights, starts, stiffness, backward):
    """Move triples towards a straight line; linear in the positions, so it neither turns nor moves a triple."""
    count = len(starts) - 1
    for n in range(count):
        c = count - 1 - n if backward else n
        a, b = starts[c], starts[c + 1] - 1
        for axis in range(3):
            bent = stiffness[a] * _second_difference(x, bends[a], weights[a], axis)
            image = stiffness[b] * _second_difference(x, bends[b], weights[b], axis)
            for k in range(3):
                x[bends[a, k], axis] -= weights[a, k] * bent
            for k in range(3 if b > a else 0):
                x[bends[b, k], axis] -= weights[b, k] * image


@njit(cache=True)
def _second_difference(x, triple, weights, axis):
    return weights[0] * x[triple[0], axis] + weights[1] * x[triple[1], axis] + weights[2] * x[triple[2], axis]


@njit(cache=True)
def pair_normals(x, beside_u, beside_v):
    """Unit normals (P, 3) on the printed side at the facing point of each pair."""
    normals = np.zeros((len(beside_u), 3))
    for p in range(len(beside_u)):
        left, right, above, below = beside_u[p, 0], beside_u[p, 1], beside_v[p, 0], beside_v[p, 1]
        a0, a1, a2 = x[right, 0] - x[left, 0], x[right, 1] - x[left, 1], x[right, 2] - x[left, 2]
        b0, b1, b2 = x[below, 0] - x[above, 0], x[below, 1] - x[above, 1], x[below, 2] - x[above, 2]
        n0, n1, n2 = b1 * a2 - b2 * a1, b2 * a0 - b0 * a2, b0 * a1 - b1 * a0
        length = max(np.sqrt(n0 * n0 + n1 * n1 + n2 * n2), 1e-12)
        normals[p, 0], normals[p, 1], normals[p, 2] = n0 / length, n1 / length, n2 / length
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
                move = 0.1 * (side * cloth.gap_mm * n[axis] - (x[o, axis] - x[f, axis]))
                x[o, axis] += move
                x[f, axis] -= move
            continue
        along = d0 * n[0] + d1 * n[1] + d2 * n[2]
        e0, e1, e2 = x[k, 0] - x[f, 0], x[k, 1] - x[f, 1], x[k, 2] - x[f, 2]
        t = max((d0 * e0 + d1 * e1 + d2 * e2) / max(e0 * e0 + e1 * e1 + e2 * e2, 1e-12), 0.0)
        # Beyond the fold the two do not lie on each other.
        if t >= 1.0:
            continue
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
        if depth <= 0 or depth > DEEPEST_MM:
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
