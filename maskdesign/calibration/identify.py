"""Which corner of the board each saddle is: the inks around the corners of a patch name its place."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from maskdesign.calibration.board import Board
from maskdesign.calibration.lattice import STEPS, Patch, grow_patches, link_saddles
from maskdesign.calibration.saddle import Saddles, find_saddles, linear_light, paper_brightness, ring_samples
from maskdesign.render.color import DECODED

TOWARDS_CELL = np.array([0.16, 0.24, 0.32])
"""Where the ink of a cell is looked at, from a corner towards the one across the cell; near it, for folds cut cells."""
INK_SPREAD = 0.13
"""Standard deviation of an ink's encoded color relative to the paper beside it."""
MISREAD = 0.02
OUTSIDE = 6.0
"""What a patch loses for each corner that would lie beside the board, in nats."""
SURE = 6.0
"""By how much the best place must be likelier than the next one, in nats: about two inks that differ."""
LEAST_AGREEMENT = -0.6
"""Mean logarithm, halved, of how likely the inks are: 0 where all agree, -1.5 on another board."""
SIDES = np.array([[0, 0], [-1, 0], [-1, -1], [0, -1]])
"""Cell at a corner between step k and step k + 1, relative to the corner."""


@dataclass(frozen=True)
class Sight:
    """What the photo shows before any identity is known.

    Attributes:
        saddles: all of them.
        links: (n, 4) neighbors.
        patches: unbroken pieces.
        colors: (n, 4, 3) encoded color of each sector over that of the paper beside it, [0, 1].
    """

    saddles: Saddles
    links: NDArray[np.int64]
    patches: list[Patch]
    colors: NDArray[np.float64]


@dataclass(frozen=True)
class Identified:
    """Corners with their names.

    Attributes:
        saddle: (m,) index of the saddle.
        corner: (m, 2) row and column of the inner corner, from 0.
        lead: (m,) by how much the place of its patch is likelier than the next one, in nats.
        angle_deg: where the board's rows run in the picture, clockwise from the right.
        mirrored: whether the photo shows the board's mirror image.
    """

    saddle: NDArray[np.int64]
    corner: NDArray[np.int64]
    lead: NDArray[np.float64]
    angle_deg: float
    mirrored: bool


def look(pixels: NDArray[np.uint8]) -> Sight:
    """Find saddles, link them, and read the colors around them.

    Args:
        pixels: (H, W, 3) sRGB.
    """
    brightness = paper_brightness(pixels)
    saddles = find_saddles(brightness, linear_light(pixels))
    links = link_saddles(saddles, brightness)
    return Sight(saddles, links, grow_patches(links), _sector_colors(pixels, saddles, links))


def _edge_vectors(saddles: Saddles, links: NDArray[np.int64]) -> NDArray[np.float64]:
    """(n, 4, 2) to the neighbor along each edge; where there is none, as far as the nearest neighbor along another."""
    points = saddles.points_px
    to_neighbor = points[np.maximum(links, 0)] - points[:, None]
    length = np.where(links >= 0, np.hypot(to_neighbor[..., 0], to_neighbor[..., 1]), np.inf)
    shortest = np.minimum(length.min(axis=1, initial=np.inf), 3 * saddles.radius_px)
    straight = np.stack([np.cos(saddles.edges_rad), np.sin(saddles.edges_rad)], axis=-1) * shortest[:, None, None]
    return np.where((links >= 0)[..., None], to_neighbor, straight)


def _sector_colors(pixels: NDArray[np.uint8], saddles: Saddles, links: NDArray[np.int64]) -> NDArray[np.float64]:
    if not len(links):
        return np.zeros((0, 4, 3))
    vectors = _edge_vectors(saddles, links)
    diagonal = vectors + np.roll(vectors, -1, axis=1)
    at = saddles.points_px[:, None, None] + diagonal[:, :, None] * TOWARDS_CELL[:, None] - 0.5
    samples = ring_samples(DECODED[pixels], at.reshape(len(links), -1, 2), np.zeros((1, 2)))
    linear = np.median(samples.reshape(len(links), 4, len(TOWARDS_CELL), 3), axis=2)
    paper = np.maximum((linear[:, 1] + linear[:, 3]) / 2, 1e-3)
    return np.clip(linear / paper[:, None], 0, 1) ** (1 / 2.2)


def ink_loglikelihood(colors: NDArray[np.float64], inks: NDArray[np.float64]) -> NDArray[np.float64]:
    """Logarithm of how likely each ink looks like a color; any ink may be misread.

    Args:
        colors: (..., 3) encoded, relative to paper.
        inks: (K, 3) the same of each ink.

    Returns:
        (..., K), normalized over the inks.
    """
    apart = ((colors[..., None, :] - inks) ** 2).sum(axis=-1) / (2 * INK_SPREAD**2)
    share = np.exp(apart.min(axis=-1, keepdims=True) - apart)
    return np.log(share / share.sum(axis=-1, keepdims=True) + MISREAD)


def identify(sight: Sight, board: Board) -> Identified:
    """Name every corner whose patch the inks place without doubt.

    The surest patch says how the board lies in the picture; the others are placed within an eighth of a turn of it.
    Where two patches claim a corner, the surer one has it.
    """
    placed = [_place(sight, patch, board, paper_relative(board)) for patch in sight.patches if len(patch.saddles) > 1]
    if not placed:
        return Identified(np.zeros(0, np.int64), np.zeros((0, 2), np.int64), np.zeros(0), 0.0, False)
    first = max(placed, key=lambda scores: scores.lead)
    angle_deg, mirrored = first.angles_deg[first.best], first.best >= 4
    named: dict[tuple[int, int], tuple[float, int]] = {}
    for scores in placed:
        corners, lead = scores.settle(angle_deg, mirrored)
        for saddle, (row, column) in zip(scores.patch.saddles, corners, strict=True):
            if lead >= SURE and 0 <= row < board.rows - 1 and 0 <= column < board.columns - 1:
                key = (int(row), int(column))
                named[key] = max(named.get(key, (-np.inf, -1)), (lead, int(saddle)))
    keys = sorted(named)
    return Identified(
        saddle=np.array([named[key][1] for key in keys], np.int64),
        corner=np.array(keys, np.int64).reshape(-1, 2),
        lead=np.array([named[key][0] for key in keys]),
        angle_deg=angle_deg,
        mirrored=mirrored,
    )


def paper_relative(board: Board) -> NDArray[np.float64]:
    """(K, 3) encoded colors of the inks over paper, as `Sight.colors` has them."""
    return DECODED[board.ink_rgb].astype(np.float64) ** (1 / 2.2)


@dataclass(frozen=True)
class _Scores:
    """How likely each place of a patch is, for each of the eight ways that the board may lie in its lattice.

    `tables[way]` is (rows, columns); `corners[way]` are the row and column of each saddle at the table's first entry;
    `angles_deg[way]` is where the board's rows then run in the picture, clockwise from the right.
    """

    patch: Patch
    tables: list[NDArray[np.float64]]
    corners: list[NDArray[np.int64]]
    angles_deg: list[float]

    @property
    def best(self) -> int:
        return int(np.argmax([table.max() for table in self.tables]))

    @property
    def lead(self) -> float:
        return _lead(self.tables)

    def settle(self, angle_deg: float, mirrored: bool) -> tuple[NDArray[np.int64], float]:
        """(m, 2) row and column of the corners with the board lying about so, and the lead of this place."""
        off = [abs((angle - angle_deg + 180) % 360 - 180) for angle in self.angles_deg]
        alike = range(4, 8) if mirrored else range(4)
        ways = [way for way in alike if off[way] <= max(50.0, min(off[k] for k in alike))]
        way = max(ways, key=lambda way: self.tables[way].max())
        # The best of many bad places is no place: the inks themselves must agree.
        if self.tables[way].max() < LEAST_AGREEMENT * 2 * len(self.patch.saddles):
            return self.corners[way], 0.0
        shift = np.unravel_index(int(self.tables[way].argmax()), self.tables[way].shape)
        return self.corners[way] + np.array(shift), _lead([self.tables[way] for way in ways])


def _lead(tables: list[NDArray[np.float64]]) -> float:
    top = np.partition(np.concatenate([table.ravel() for table in tables]), -2)[-2:]
    return float(top[1] - top[0])


def _turned(places: NDArray[np.int64], way: int) -> NDArray[np.int64]:
    """Lattice as the board sees it when it lies in the picture this way: quarters clockwise, mirrored from 4 on."""
    x, y = places[..., 0], places[..., 1]
    if way >= 4:
        x = -x
    for _ in range(way % 4):
        x, y = y, -x
    return np.stack([x, y], axis=-1)


def _place(sight: Sight, patch: Patch, board: Board, inks: NDArray[np.float64]) -> _Scores:
    # Votes of one cell's corners are not independent: each counts half.
    likely = 0.5 * ink_loglikelihood(sight.colors[patch.saddles][:, [0, 2]], inks)
    sector = (np.array([0, 2]) + patch.turns[:, None]) % 4
    # Twice the middle of the cell relative to twice the corner stays whole however the lattice is turned.
    middles = 2 * patch.places[:, None] + 2 * SIDES[sector] + 1
    steps = _mean_steps(sight, patch)
    tables, corners, angles = [], [], []
    for way in range(8):
        lattice = _turned(patch.places, way)
        cells = ((_turned(middles, way) - 1) // 2).reshape(-1, 2)
        table, (x, y) = _score_table(lattice, cells, likely.reshape(-1, likely.shape[-1]), board)
        along_u = steps[[int(np.flatnonzero((_turned(STEPS, way) == [1, 0]).all(axis=1))[0])]][0]
        tables.append(table)
        corners.append(lattice[:, ::-1] + [y, x])
        angles.append(float(np.degrees(np.arctan2(along_u[1], along_u[0]))))
    return _Scores(patch, tables, corners, angles)


def _mean_steps(sight: Sight, patch: Patch) -> NDArray[np.float64]:
    """(4, 2) mean unit vector in the picture of each step of the lattice."""
    edges = sight.saddles.edges_rad[patch.saddles]
    vectors = np.stack([np.cos(edges), np.sin(edges)], axis=-1)
    index = (np.arange(4) - patch.turns[:, None]) % 4
    return np.take_along_axis(vectors, index[..., None], axis=1).mean(axis=0)


def _score_table(
    corners: NDArray[np.int64], cells: NDArray[np.int64], likely: NDArray[np.float64], board: Board
) -> tuple[NDArray[np.float64], tuple[int, int]]:
    """Score of every shift of the lattice; corner (0, 0) of the board lies at the lower right of its first cell."""
    low, high = corners.min(axis=0), corners.max(axis=0)
    # Shifts with at least half of the patch's extent on the board.
    first = -((low + high) // 2) - 1
    size = np.array([board.columns, board.rows]) + 1
    shift_y, shift_x = np.meshgrid(first[1] + np.arange(size[1]), first[0] + np.arange(size[0]), indexing="ij")
    # Cells count from the board's first one: the cell between corners -1 and 0 is cell 0.
    x, y = cells[:, 0] + 1 + shift_x[..., None], cells[:, 1] + 1 + shift_y[..., None]
    inside = (x >= 0) & (x < board.columns) & (y >= 0) & (y < board.rows)
    ink = np.where(inside, board.symbols[np.clip(y, 0, board.rows - 1), np.clip(x, 0, board.columns - 1)], -1)
    score = np.where(ink >= 0, likely[np.arange(len(cells)), np.maximum(ink, 0)], np.log(MISREAD)).sum(axis=-1)
    cx, cy = corners[:, 0] + shift_x[..., None], corners[:, 1] + shift_y[..., None]
    beside = (cx < 0) | (cx > board.columns - 2) | (cy < 0) | (cy > board.rows - 2)
    score = score - OUTSIDE * beside.sum(axis=-1)
    # A shift by one cell puts ink where paper is.
    parity = (ink < 0).all(axis=-1) & inside.any(axis=-1)
    return np.where(parity, -np.inf, score), (int(first[0]), int(first[1]))
