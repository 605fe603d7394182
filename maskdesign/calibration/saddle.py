"""Corners of a chessboard in a photo, each by itself: saddles of brightness with the edges that meet there."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from maskdesign.render.color import DECODED

RINGS_PX = (3.0, 4.5, 6.5, 9.0)
"""Radii on which the four sectors of a corner are looked for; the largest where they show gives the directions."""
SPOKES = 48
SCALES_PX = (1.5, 2.5)
LEAST_CONTRAST = 0.3
"""Of the dark sectors against the bright ones, as a share of the bright ones."""
NARROWEST_RAD = np.radians(14.0)
BEND_RAD = np.radians(32.0)
"""How far the two halves of an edge may be from one line."""
MOST_CANDIDATES = 4000
WINDOW_PX = 4
"""Half of the window that a corner is refined in: small, for folds cut cells."""


@dataclass(frozen=True)
class Saddles:
    """Places where two dark and two bright sectors meet.

    Attributes:
        points_px: (n, 2) refined places.
        edges_rad: (n, 4) directions of the edges, from x towards y; the sector from edge 0 to edge 1 is dark, the next
            one bright, and so on around.
        contrast: (n,) of dark and bright, in [0, 1].
        radius_px: (n,) of the largest ring that shows four sectors.

    Convention: the center of the first pixel is (0.5, 0.5).
    """

    points_px: NDArray[np.float64]
    edges_rad: NDArray[np.float64]
    contrast: NDArray[np.float64]
    radius_px: NDArray[np.float64]


def paper_brightness(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """The least channel after the photo's brightest paper is made white: inks of any hue are dark, paper is bright.

    Args:
        pixels: (H, W, 3) sRGB.

    Returns:
        (H, W) in [0, 1].
    """
    white = np.maximum(np.percentile(pixels.reshape(-1, 3)[:: max(1, pixels.size // 300_000)], 98, axis=0), 32)
    return np.clip(pixels / white.astype(np.float32), 0, 1).min(axis=2).astype(np.float32)


def linear_light(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Mean linear light of the channels: where a lens blurs an edge, half of its height is its place in light alone.

    Args:
        pixels: (H, W, 3) sRGB.

    Returns:
        (H, W) in [0, 1].
    """
    return DECODED[pixels].mean(axis=2, dtype=np.float32)


def find_saddles(brightness: NDArray[np.float32], light: NDArray[np.float32]) -> Saddles:
    """Every saddle with two dark and two bright sectors around it.

    The determinant of the Hessian finds candidates at two scales (Chen and Zhang 2005, "A new sub-pixel detector for
    X-corners"), the sectors on rings around them decide, and the directions of the gradients of light refine
    (Foerstner and Guelch 1987, as `cv2.cornerSubPix`).

    Args:
        brightness: (H, W) in [0, 1], of `paper_brightness`.
        light: (H, W) of `linear_light`.
    """
    import cv2

    places = _candidates(brightness)
    keep, *_ = _sectors(brightness, places)
    places = places[keep]
    if not len(places):
        return Saddles(np.zeros((0, 2)), np.zeros((0, 4)), np.zeros(0), np.zeros(0))
    criteria = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_MAX_ITER, 40, 1e-3)
    start = places.astype(np.float32).reshape(-1, 1, 2)
    refined = cv2.cornerSubPix(light, start.copy(), (WINDOW_PX, WINDOW_PX), (-1, -1), criteria).reshape(-1, 2)
    moved = np.hypot(*(refined - places).T)
    places = _apart(refined[moved < 3.5].astype(np.float64), 3.0)
    keep, edges, contrast, radius = _sectors(brightness, places)
    return Saddles(places[keep] + 0.5, edges[keep], contrast[keep], radius[keep])


def _candidates(brightness: NDArray[np.float32]) -> NDArray[np.float64]:
    """(n, 2) local maxima of the negative Hessian determinant, pixel centers at whole numbers, strongest first."""
    import cv2

    found, strength = [], []
    for sigma in SCALES_PX:
        smooth = cv2.GaussianBlur(brightness, (0, 0), sigma)
        dxx = cv2.Sobel(smooth, cv2.CV_32F, 2, 0, ksize=3)
        dyy = cv2.Sobel(smooth, cv2.CV_32F, 0, 2, ksize=3)
        dxy = cv2.Sobel(smooth, cv2.CV_32F, 1, 1, ksize=3)
        # Sobel's kernels of second order weigh 4 times as much across as the mixed one.
        saddle = (dxy**2 - dxx * dyy / 16) * sigma**4
        peak = (saddle == cv2.dilate(saddle, np.ones((5, 5), np.uint8))) & (saddle > 1e-4)
        rows, columns = np.nonzero(peak)
        found.append(np.column_stack([columns, rows]).astype(np.float64))
        strength.append(saddle[rows, columns])
    places, order = np.concatenate(found), np.argsort(-np.concatenate(strength), kind="stable")
    return _apart(places[order[:MOST_CANDIDATES]], 2.5)


def _apart(places: NDArray[np.float64], least_px: float) -> NDArray[np.float64]:
    """Those that are not near an earlier one."""
    from scipy.spatial import KDTree

    if not len(places):
        return places
    taken = np.zeros(len(places), bool)
    for first, second in sorted(KDTree(places).query_pairs(least_px)):
        if not taken[first]:
            taken[second] = True
    return places[~taken]


def ring_samples(image: NDArray[np.float32], places: NDArray[np.float64], offsets: NDArray[np.float64]) -> NDArray:
    """Bilinear samples, places and pixel centers at whole numbers.

    Args:
        image: (H, W) or (H, W, 3).
        places: (n, 2) or (n, m, 2) with offsets of shape (m, 2).

    Returns:
        (n, m) or (n, m, 3).
    """
    import cv2

    at = (places[:, None] if places.ndim == 2 else places) + offsets
    shape = at.shape[:2]
    rows = max(1, int(np.ceil(at.shape[0] * at.shape[1] / 16384)))
    flat = np.zeros((rows * 16384, 2), np.float32)
    flat[: shape[0] * shape[1]] = at.reshape(-1, 2)
    grid = flat.reshape(rows, 16384, 2)
    out = cv2.remap(image, grid[..., 0], grid[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return out.reshape(rows * 16384, *image.shape[2:])[: shape[0] * shape[1]].reshape(*shape, *image.shape[2:])


def _sectors(
    brightness: NDArray[np.float32], places: NDArray[np.float64]
) -> tuple[NDArray[np.bool_], NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Which places show two dark and two bright sectors; their edges, contrast, and the largest such ring."""
    count = len(places)
    edges, contrast, radius = np.zeros((count, 4)), np.zeros(count), np.zeros(count)
    if not count:
        return np.zeros(0, bool), edges, contrast, radius
    angles = 2 * np.pi * np.arange(SPOKES) / SPOKES
    for ring in RINGS_PX:
        offsets = ring * np.column_stack([np.cos(angles), np.sin(angles)])
        good, ring_edges, ring_contrast = _four_edges(ring_samples(brightness, places, offsets), angles)
        # A larger ring counts only where the smaller ones agree: beyond a fold there may be other cells.
        agrees = (radius == 0) | (_apart_rad(edges, ring_edges) < np.radians(20)).all(axis=1)
        take = good & agrees & ((radius > 0) | (ring <= RINGS_PX[1]))
        edges[take], radius[take] = ring_edges[take], ring
        contrast[take] = np.maximum(contrast[take], ring_contrast[take])
    return radius > 0, edges, contrast, radius


def _apart_rad(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    # Edge 0 may have wrapped around to another number, but only by two, as the sectors alternate.
    differences = [abs((a - np.roll(b, shift, axis=1) + np.pi) % (2 * np.pi) - np.pi) for shift in (0, 2)]
    return np.where((differences[0].sum(1) < differences[1].sum(1))[:, None], differences[0], differences[1])


def _four_edges(
    profile: NDArray[np.float32], angles: NDArray[np.float64]
) -> tuple[NDArray[np.bool_], NDArray[np.float64], NDArray[np.float64]]:
    """Where a ring changes between dark and bright, if it does so four times as an X does."""
    low, high = np.percentile(profile, (12, 88), axis=1)
    contrast = (high - low) / np.maximum(high, 1e-3)
    level = profile - ((low + high) / 2)[:, None]
    following = np.roll(level, -1, axis=1)
    crosses = (level > 0) != (following > 0)
    good = (crosses.sum(axis=1) == 4) & (contrast >= LEAST_CONTRAST) & (high > 0.08)
    edges = np.zeros((len(profile), 4))
    rows = np.flatnonzero(good)
    if len(rows):
        spoke = np.nonzero(crosses[rows])[1].reshape(-1, 4)
        a, b = (np.take_along_axis(values[rows], spoke, axis=1) for values in (level, following))
        found = angles[spoke] + (a / (a - b)) * (angles[1] - angles[0])
        # The first edge is one behind which it gets dark.
        turn = (b[:, 0] > 0).astype(int)
        edges[rows] = np.take_along_axis(found, (np.arange(4) + turn[:, None]) % 4, axis=1)
        width = (np.roll(edges[rows], -1, axis=1) - edges[rows]) % (2 * np.pi)
        bend = abs((edges[rows, :2] - edges[rows, 2:]) % (2 * np.pi) - np.pi)
        good[rows] = (width.min(axis=1) > NARROWEST_RAD) & (bend.max(axis=1) < BEND_RAD)
    return good, edges, contrast
