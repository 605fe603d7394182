"""How sure a coded board is of itself: the windows of dark cells that a strip of corners shows, and their distances.

A pleat leaves strips of a single row of corners in sight. Such a strip of n corners touches n + 1 dark cells in a
zigzag, so those must name the place. This is the idea of perfect maps and of De Bruijn sequences (every window once),
with the distance between windows maximized by annealing, for the shape of the windows suits neither construction.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def strip_windows(symbols: NDArray[np.int8], corners: int) -> NDArray[np.int8]:
    """Dark cells that each straight strip of inner corners touches, in reading order, every way that it may be read.

    Args:
        symbols: (rows, columns) number of the ink, -1 for paper.
        corners: length of the strips.

    Returns:
        (n, corners + 2): first whether the zigzag begins on the strip's left hand, then the inks. The first half of
        the rows are the strips of the board as it is, in all four directions of reading; the second half those of its
        mirror image.
    """
    windows = []
    for image in (symbols, symbols[:, ::-1]):
        for turn in range(4):
            turned = np.rot90(image, turn)
            for row in range(turned.shape[0] - 1):
                pair = turned[row : row + 2]
                zigzag, upper = pair.max(axis=0), pair[0] >= 0
                starts = range(turned.shape[1] - corners)
                windows += [[upper[start], *zigzag[start : start + corners + 1]] for start in starts]
    return np.array(windows, np.int8)


def least_distance(windows: NDArray[np.int8]) -> NDArray[np.int64]:
    """For each window the number of inks in which it differs from the window most like it; parity tells apart, too."""
    apart = (windows[:, None, 1:] != windows[None, :, 1:]).sum(axis=2)
    apart[windows[:, None, 0] != windows[None, :, 0]] = windows.shape[1]
    np.fill_diagonal(apart, windows.shape[1])
    return apart.min(axis=1)


def _cost(symbols: NDArray[np.int8]) -> float:
    short = least_distance(strip_windows(symbols, 3))
    longer = least_distance(strip_windows(symbols, 4))
    return 4.0 * (longer == 0).sum() + 1.0 * (short == 0).sum() + 1.0 * (longer == 1).sum() + 0.1 * (short == 1).sum()


def anneal_code(rows: int, columns: int, inks: int, steps: int, seed: int) -> NDArray[np.int8]:
    """A chessboard whose strips differ as much as they can.

    Args:
        inks: number of inks of the dark cells.
        steps: changes of one cell that are tried.

    Returns:
        (rows, columns) number of the ink, -1 for paper; the first cell is dark.
    """
    rng = np.random.default_rng(seed)
    dark = np.argwhere((np.arange(rows)[:, None] + np.arange(columns)) % 2 == 0)
    symbols = np.full((rows, columns), -1, np.int8)
    symbols[tuple(dark.T)] = rng.integers(inks, size=len(dark))
    cost = _cost(symbols)
    for step in range(steps):
        cell = tuple(dark[rng.integers(len(dark))])
        before = symbols[cell]
        symbols[cell] = (before + rng.integers(1, inks)) % inks
        changed = _cost(symbols)
        if changed <= cost or rng.random() < np.exp((cost - changed) / (6.0 * (1 - step / steps) + 1e-9)):
            cost = changed
        else:
            symbols[cell] = before
    return symbols
