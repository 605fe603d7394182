"""Saddles become patches of a lattice: neighbors along common edges, counted over each unbroken piece of the sheet."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from maskdesign.calibration.saddle import Saddles, ring_samples

FARTHEST_PX = 220.0
NEIGHBORS = 28
ASTRAY_RAD = np.radians(16.0)
"""How far the way to a neighbor may differ from the direction of the edge at either end."""
ALONG = np.array([0.2, 0.35, 0.5, 0.65, 0.8])
BESIDE = 0.13
"""Distance from an edge, as a share of its length, at which its two sides are compared."""
STEPS = np.array([[1, 0], [0, 1], [-1, 0], [0, -1]])


@dataclass(frozen=True)
class Patch:
    """Saddles of one unbroken piece of a board.

    Attributes:
        saddles: (m,) indices.
        places: (m, 2) whole numbers x, y of the lattice; which cell of the board is its origin is not known yet.
        turns: (m,) by how many quarters edge 0 of each saddle is turned against the lattice's x axis.
    """

    saddles: NDArray[np.int64]
    places: NDArray[np.int64]
    turns: NDArray[np.int64]


def link_saddles(saddles: Saddles, brightness: NDArray[np.float32]) -> NDArray[np.int64]:
    """The neighbor of every saddle along each of its edges.

    Two saddles are neighbors when each lies in the direction of an edge of the other, dark and bright lie on the same
    sides at both ends and all along between them, and none is nearer.

    Returns:
        (n, 4) index of the neighbor along each edge, -1 for none.
    """
    from scipy.spatial import KDTree

    count = len(saddles.points_px)
    links = np.full((count, 4), -1, np.int64)
    if count < 2:
        return links
    tree = KDTree(saddles.points_px)
    distance, other = map(
        np.asarray, tree.query(saddles.points_px, k=min(NEIGHBORS + 1, count), distance_upper_bound=FARTHEST_PX)
    )
    near, rank = np.nonzero(np.isfinite(distance) & (distance > 1e-9))
    far = other[near, rank]
    way = saddles.points_px[far] - saddles.points_px[near]
    angle = np.arctan2(way[:, 1], way[:, 0])
    leaving, off_near = _nearest_edge(saddles.edges_rad[near], angle)
    arriving, off_far = _nearest_edge(saddles.edges_rad[far], angle + np.pi)
    # Sectors alternate, so the far end of an edge with its dark side on the right hand is one with it on the left.
    fits = (off_near < ASTRAY_RAD) & (off_far < ASTRAY_RAD) & (leaving % 2 != arriving % 2)
    near, far, leaving, arriving = (values[fits] for values in (near, far, leaving, arriving))
    clean = _clean_edges(saddles.points_px[near], saddles.points_px[far], leaving, brightness)
    length = np.hypot(*(saddles.points_px[far] - saddles.points_px[near]).T)
    best: dict[tuple[int, int], tuple[float, int, int]] = {}
    for i in np.flatnonzero(clean):
        key, entry = (int(near[i]), int(leaving[i])), (float(length[i]), int(far[i]), int(arriving[i]))
        best[key] = min(best.get(key, entry), entry)
    for (a, k), (_, b, m) in best.items():
        # Mutual, so that no saddle has two neighbors along one edge.
        if best.get((b, m), (0, -1, -1))[1:] == (a, k):
            links[a, k] = b
    return links


def _nearest_edge(edges_rad: NDArray[np.float64], angle: NDArray[np.float64]) -> tuple[NDArray, NDArray]:
    off = abs((edges_rad - angle[:, None] + np.pi) % (2 * np.pi) - np.pi)
    return off.argmin(axis=1), off.min(axis=1)


def _clean_edges(
    start: NDArray[np.float64], end: NDArray[np.float64], leaving: NDArray[np.int64], brightness: NDArray[np.float32]
) -> NDArray[np.bool_]:
    """Whether one side is dark and the other bright all the way from start to end."""
    way = end - start
    across = np.column_stack([-way[:, 1], way[:, 0]]) * BESIDE
    middle = start[:, None] + way[:, None] * ALONG[:, None] - 0.5
    zero = np.zeros((1, 2))
    # The sector behind an even edge, towards larger angles, is dark.
    right = ring_samples(brightness, middle + across[:, None], zero)
    left = ring_samples(brightness, middle - across[:, None], zero)
    dark, bright = np.where((leaving % 2 == 0)[:, None], (right, left), (left, right))
    return ((bright - dark) > 0.2 * np.maximum(bright, 0.05)).all(axis=1)


def grow_patches(links: NDArray[np.int64]) -> list[Patch]:
    """Pieces of the lattice, each saddle with whole coordinates.

    Links that close a cell of four corners come first: where a fold cuts cells, links may be wrong, but they close no
    cell. What they leave is grown along the other links by itself, as the single rows that shut pleats show.

    Args:
        links: of `link_saddles`.
    """
    closed = np.where(_closes_cell(links), links, -1)
    patches: list[Patch] = []
    unseen = set(range(len(links)))
    for allowed in (closed, links):
        count = (allowed >= 0).sum(axis=1)
        for root in map(int, np.argsort(-count, kind="stable")):
            if root in unseen and (count[root] or allowed is links):
                patches += [_grow(root, allowed, unseen)]
    return patches


def _closes_cell(links: NDArray[np.int64]) -> NDArray[np.bool_]:
    """(n, 4) whether a link is the side of a cell all of whose sides are links."""
    closes = np.zeros(links.shape, bool)
    for first in range(len(links)):
        for k in range(4):
            path, here, edge = [(first, k)], first, k
            for _ in range(4):
                there = int(links[here, edge])
                if there < 0:
                    break
                # The cell lies in the sector behind the edge that is left and before the one that is arrived on.
                arrived = int(np.flatnonzero(links[there] == here)[0])
                here, edge = there, (arrived - 1) % 4
                path += [(there, arrived), (here, edge)]
            else:
                if (here, edge) == (first, k):
                    for node, side in path:
                        closes[node, side] = True
    return closes


def _grow(root: int, links: NDArray[np.int64], unseen: set[int]) -> Patch:
    known = {root: ((0, 0), 0)}
    taken, queue = {(0, 0): root}, [root]
    unseen.discard(root)
    while queue:
        here = queue.pop(0)
        (x, y), turn = known[here]
        for k in np.flatnonzero(links[here] >= 0):
            there = int(links[here, k])
            if there not in unseen:
                continue
            step = STEPS[(k + turn) % 4]
            place = (x + int(step[0]), y + int(step[1]))
            if place in taken:
                continue
            back = int(np.flatnonzero(links[there] == here)[0])
            known[there] = (place, (int(k) + turn + 2 - back) % 4)
            taken[place] = there
            unseen.discard(there)
            queue.append(there)
    members = np.array(list(known))
    return Patch(members, np.array([known[m][0] for m in members]), np.array([known[m][1] for m in members]))
