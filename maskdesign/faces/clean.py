"""Range images cleaned: spikes and islands out, the rim off, holes filled, noise smoothed; with a report of it all."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from maskdesign.errors import ScanError
from maskdesign.faces.raw import RangeImage
from maskdesign.geometry.grid import enclosed_holes, fill_hole, local_quadratics, nearest_valid

MIN_POINTS = 400
MUCH_FILLED = 0.1
MIN_COMPANY = 4
MIN_PART = 0.02
"""Of the largest part; smaller ones are islands."""


@dataclass(frozen=True)
class CleanSettings:
    """How a range image is cleaned.

    Attributes:
        spike_mm: points further than this in depth from nearly all their neighbors are removed.
        step_mm: neighbors further apart in depth than this are not connected.
        rim_px: rows of samples taken off the outer rim, where scanners are least exact.
        smoothing_px: standard deviation of the local quadratics; larger smooths more and rounds features off.
        outlier_mm: residual at which a point counts half in the smoothing.
        keep_mm: where smoothing would move a measured point further than this there is a step, and the
            median of the 3 x 3 stands.
    """

    spike_mm: float = 3.0
    step_mm: float = 6.0
    rim_px: int = 2
    smoothing_px: float = 2.0
    outlier_mm: float = 0.5
    keep_mm: float = 0.8


@dataclass(frozen=True)
class CleanReport:
    """What cleaning did.

    Attributes:
        points: valid points of the raw scan.
        spikes_removed, island_points_removed, rim_points_removed: how many of them went, and why.
        holes_filled: enclosed holes closed.
        largest_hole_mm2: area of the largest, seen from the front.
        filled_share: share of the cleaned surface's points that are invented.
        note: one sentence where more than a tenth is invented; else empty.
    """

    points: int
    spikes_removed: int
    island_points_removed: int
    rim_points_removed: int
    holes_filled: int
    largest_hole_mm2: float
    filled_share: float
    note: str


def clean_range(raw: RangeImage, settings: CleanSettings | None = None) -> tuple[RangeImage, CleanReport]:
    """Clean a range image.

    Args:
        raw: as read.
        settings: the defaults where left out.

    Returns:
        the cleaned image on the same grid, and what was done.

    Raises:
        ScanError: too few points are left for a face.
    """
    settings = settings or CleanSettings()
    whole = _without_islands(raw.points_mm[..., 2], raw.valid, settings.step_mm)
    steady = whole & ~find_spikes(raw.points_mm[..., 2], whole, settings.spike_mm)
    kept = _without_rim(_without_islands(raw.points_mm[..., 2], steady, settings.step_mm), settings.rim_px)
    if np.count_nonzero(kept) < MIN_POINTS:
        raise ScanError(f"{np.count_nonzero(kept)} points are left after cleaning; a face needs {MIN_POINTS}")
    points, filled, hole_px = _fill_holes(raw.points_mm, kept)
    points[..., 2] = smooth_depth(points[..., 2], kept, kept | filled, settings)
    report = _report(raw, whole, steady, kept, filled, hole_px)
    return RangeImage(points, kept | filled, raw.rgb), report


def find_spikes(depth_mm: NDArray[np.float64], valid: NDArray[np.bool_], spike_mm: float) -> NDArray[np.bool_]:
    """(R, C) which samples have next to no company: at most `MIN_COMPANY` of the 24 around them at nearly their depth.

    A sample at a step in depth still has company on its own side, which a comparison with the median would overlook.
    """
    padded = np.pad(np.where(valid, depth_mm, np.inf), 2, constant_values=np.inf)
    rows, columns = valid.shape
    company = np.zeros(valid.shape, np.int8)
    for row in range(5):
        for column in range(5):
            company += (
                np.abs(padded[row : row + rows, column : column + columns] - np.where(valid, depth_mm, 0)) < spike_mm
            )
    # Each sample is its own company, too.
    return valid & (company - 1 <= MIN_COMPANY)


def _without_islands(depth_mm: NDArray[np.float64], valid: NDArray[np.bool_], step_mm: float) -> NDArray[np.bool_]:
    """The largest part connected without a step in depth, and those not much smaller, such as an ear."""
    from scipy.sparse import csr_matrix
    from scipy.sparse.csgraph import connected_components

    index = np.arange(valid.size).reshape(valid.shape)
    ends = []
    for first, second in ((np.s_[:, :-1], np.s_[:, 1:]), (np.s_[:-1], np.s_[1:])):
        joined = valid[first] & valid[second] & (np.abs(depth_mm[first] - depth_mm[second]) < step_mm)
        ends.append((index[first][joined], index[second][joined]))
    rows, columns = (np.concatenate(end) for end in zip(*ends, strict=True))
    graph = csr_matrix((np.ones(len(rows), np.int8), (rows, columns)), (valid.size, valid.size))
    labels = connected_components(graph, directed=False)[1]
    counts = np.bincount(labels[valid.ravel()], minlength=labels.max() + 1)
    return valid & (counts >= MIN_PART * counts.max())[labels].reshape(valid.shape)


def _without_rim(valid: NDArray[np.bool_], rim_px: int) -> NDArray[np.bool_]:
    from scipy.ndimage import binary_erosion

    if rim_px == 0:
        return valid
    labels, _ = enclosed_holes(valid)
    body = binary_erosion(valid | (labels > 0), np.ones((3, 3)), iterations=rim_px)
    return valid & np.asarray(body, bool)


def _fill_holes(
    points: NDArray[np.float64], valid: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[np.int64]]:
    """Points with every enclosed hole filled, where they were filled, and the size of each hole in samples."""
    from scipy.ndimage import find_objects

    labels, count = enclosed_holes(valid)
    result, reach = points.copy(), 6
    for number, box in enumerate(find_objects(labels), start=1):
        window = tuple(slice(max(side.start - reach, 0), side.stop + reach) for side in box)
        hole = labels[window] == number
        result[window][hole] = fill_hole(points[window], valid[window], hole)
    return result, labels > 0, np.bincount(labels.ravel(), minlength=count + 1)[1:]


def smooth_depth(
    depth_mm: NDArray[np.float64], measured: NDArray[np.bool_], wanted: NDArray[np.bool_], settings: CleanSettings
) -> NDArray[np.float64]:
    """Depth of the local quadratics, fitted twice: the second time points that stood out count less (Cauchy's weight).

    Args:
        depth_mm: (R, C).
        measured: (R, C) samples of the scanner; the filled ones among `wanted` count a fifth.
        wanted: (R, C) samples that get a new depth.
    """
    weights = np.where(measured, 1.0, np.where(wanted, 0.2, 0.0))
    first = local_quadratics(depth_mm, weights, settings.smoothing_px)[..., 0]
    trust = weights / (1 + ((depth_mm - first) / settings.outlier_mm) ** 2)
    second = local_quadratics(depth_mm, trust, settings.smoothing_px)[..., 0]
    stepping = measured & (np.abs(second - depth_mm) > settings.keep_mm)
    return np.where(stepping, _median_3(depth_mm, measured), np.where(wanted, second, depth_mm))


def _median_3(depth_mm: NDArray[np.float64], valid: NDArray[np.bool_]) -> NDArray[np.float64]:
    import cv2

    # Beyond the rim the nearest valid depth goes on, so that a median there is one of valid samples.
    return np.asarray(cv2.medianBlur(depth_mm[nearest_valid(valid)].astype(np.float32), 3), np.float64)


def pixel_pitch_mm(image: RangeImage) -> float:
    """Median distance of neighboring samples along x and y."""
    across = image.valid[:, :-1] & image.valid[:, 1:]
    down = image.valid[:-1] & image.valid[1:]
    steps_x = np.abs(np.diff(image.points_mm[..., 0], axis=1)[across])
    steps_y = np.abs(np.diff(image.points_mm[..., 1], axis=0)[down])
    steps = np.concatenate([steps_x, steps_y])
    pitch = float(np.median(steps)) if len(steps) else 0.0
    if not 0.05 < pitch < 10:
        raise ScanError(f"neighboring samples are {pitch:.3g} mm apart; a scan of a face has 0.05 to 10")
    return pitch


def _report(
    raw: RangeImage,
    whole: NDArray[np.bool_],
    steady: NDArray[np.bool_],
    kept: NDArray[np.bool_],
    filled: NDArray[np.bool_],
    hole_px: NDArray[np.int64],
) -> CleanReport:
    share = float(np.count_nonzero(filled) / np.count_nonzero(kept | filled))
    spikes = int(np.count_nonzero(whole & ~steady))
    islands = int(np.count_nonzero(raw.valid & ~whole))
    rim = int(np.count_nonzero(steady & ~kept))
    largest = float(hole_px.max(initial=0)) * pixel_pitch_mm(raw) ** 2
    note = f"{share:.0%} of the surface is filled, not measured; scan again" if share > MUCH_FILLED else ""
    return CleanReport(int(raw.valid.sum()), spikes, islands, rim, len(hole_px), largest, share, note)
