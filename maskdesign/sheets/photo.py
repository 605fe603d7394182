"""The scale of a printed page from one photo: the edges of the paper, whose size is known, are the measure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from maskdesign.errors import InputError
from maskdesign.sheets.paper import Paper, known_papers
from maskdesign.sheets.targets import Scale, TargetFrame, affine_scale, target_rules

RAYS = 80
STEP_MM = 0.25
FARTHEST_MM = 260.0
LINEAR = (np.arange(256, dtype=np.float64) / 255) ** 2.2
DROP = 0.75
"""The table must be darker than this share of the paper beside it, and stay so for `DARK_MM`."""
DARK_MM = 12.0
SUPPORT = 0.8
"""Share of the rays that must agree on a line."""
STEEPEST = 0.06
NARROW_MM = 2.0
DISTORTION_SIGMA = 0.1
LARGEST_ERROR = 0.35
EDGES_UNSEEN = (
    "the edges of the paper are not seen all around: lay the page flat and whole on a plain table darker than it and "
    "photograph it from above, or scan it and give --dpi"
)


@dataclass(frozen=True)
class Side:
    """One edge of the paper.

    Attributes:
        axis: 0 for the left and the right edge, whose x is constant; 1 for the others.
        far: the right or the lower one.
        at_mm: where it lies, in the frame of the targets as drawn.
        points_px: (N, 2) points on it in the picture.
    """

    axis: int
    far: bool
    at_mm: float
    points_px: NDArray[np.float64]


def measure_photo(
    gray: NDArray[np.uint8], frame: TargetFrame, corners_px: dict[int, NDArray[np.float64]], paper: Paper | None
) -> tuple[Scale, Paper]:
    """Scale of the print on its paper.

    The targets give a first homography. Rays from their frame outward find where the paper ends; then camera, lens
    and print are fitted together: a homography from the paper to the picture, one radial term, and the affine map
    from the sheet as drawn to the paper, so that neither slant nor lens is taken for a wrong scale.

    Args:
        gray: (H, W), not mirrored.
        corners_px: (4, 2) of each target.
        paper: recognized by its proportions where None.

    Returns:
        the scale, and the paper that it rests on.

    Raises:
        InputError: the paper's edges are not seen, or fit no known paper.
    """
    import cv2

    drawn_mm = frame.corners_mm
    seen_px = np.concatenate([corners_px[code] for code in frame.ids])
    found, _ = cv2.findHomography(drawn_mm.reshape(-1, 2), seen_px)
    if found is None:
        raise InputError("the targets lie on a line; photograph the page from above")
    homography, size_mm = np.asarray(found, dtype=np.float64), (frame.width_mm, frame.height_mm)
    sides = [_find_side(gray, homography, size_mm, axis, far) for axis in (0, 1) for far in (False, True)]
    extent_mm = (sides[1].at_mm - sides[0].at_mm, sides[3].at_mm - sides[2].at_mm)
    paper = _which_paper(extent_mm, paper)
    return _fit(gray.shape, drawn_mm, seen_px, homography, sides, paper), paper


def _find_side(
    gray: NDArray[np.uint8], homography: NDArray, size_mm: tuple[float, float], axis: int, far: bool
) -> Side:
    """Where rays across one side of the frame leave the paper."""
    start_mm = size_mm[axis] if far else 0.0
    along_mm = np.linspace(0, size_mm[1 - axis], RAYS)
    steps_mm = np.arange(target_rules().side_mm / 2, FARTHEST_MM, STEP_MM)
    outward_mm = start_mm + (1 if far else -1) * steps_mm
    points_mm = np.empty((RAYS, len(steps_mm), 2))
    points_mm[..., axis], points_mm[..., 1 - axis] = outward_mm, along_mm[:, None]
    points_px = _project(homography, points_mm)
    profiles = _sample(gray, points_px)
    line = _outline(profiles, along_mm)
    if line is None:
        raise InputError(EDGES_UNSEEN)
    rays, at = _refine(profiles, line)
    if len(rays) < SUPPORT * RAYS:
        raise InputError(EDGES_UNSEEN)
    on_edge_mm = points_mm[rays, 0].copy()
    on_edge_mm[:, axis] = start_mm + (1 if far else -1) * (steps_mm[0] + STEP_MM * at)
    return Side(axis, far, float(np.median(on_edge_mm[:, axis])), _project(homography, on_edge_mm))


def _sample(gray: NDArray[np.uint8], points_px: NDArray[np.float64]) -> NDArray[np.float64]:
    """Linear light at points (pixel centers at +0.5), NaN outside the picture."""
    from scipy.ndimage import map_coordinates

    rows, columns = np.moveaxis(points_px - 0.5, -1, 0)[::-1]
    # Blur mixes light, not its code: on encoded values a bright paper would reach out over its edge.
    return map_coordinates(LINEAR[gray], [rows, columns], order=1, cval=np.nan)


def _outline(profiles: NDArray[np.float64], along_mm: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """The innermost straight line beyond which every ray stays darker than the paper; index of the step per ray."""
    leaves = _leaves_paper(profiles)
    offsets = (along_mm - along_mm.mean()) / STEP_MM
    best: tuple[int, NDArray[np.float64]] | None = None
    for slope in np.linspace(-STEEPEST, STEEPEST, 61):
        shifts = np.rint(slope * offsets).astype(int)
        shifted = np.stack([np.roll(ray, -shift) for ray, shift in zip(leaves, shifts, strict=True)])
        (found,) = np.nonzero(shifted.mean(axis=0) >= SUPPORT)
        if len(found) and (best is None or found[0] < best[0]):
            # The middle of the run of steps that the rays agree on.
            run = found[found - found[0] == np.arange(len(found))]
            best = int(found[0]), run.mean() + slope * offsets
    return None if best is None else best[1]


def _leaves_paper(profiles: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Steps at which a ray may leave the paper: bright for 2 mm before, darker for 12 mm after."""
    near, dark = round(NARROW_MM / STEP_MM), round(DARK_MM / STEP_MM)
    filled = np.where(np.isnan(profiles), -np.inf, profiles)
    length = profiles.shape[1]
    before = np.full_like(profiles, np.inf)
    after = np.full_like(profiles, -np.inf)
    for shift in range(2, near + 1):
        before[:, shift:] = np.minimum(before[:, shift:], filled[:, : length - shift])
    for shift in range(2, dark + 1):
        after[:, : length - shift] = np.maximum(after[:, : length - shift], filled[:, shift:])
    # What lies outside the picture is no table: at least 2 mm of it must be seen.
    seen = ~np.isnan(np.roll(profiles, -near, axis=1))
    seen[:, -near:] = False
    return seen & np.isfinite(before) & (after < DROP * before)


def _refine(profiles: NDArray[np.float64], line: NDArray[np.float64]) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Where each ray's brightness falls fastest near the line, to a fraction of a step.

    Returns:
        the rays that show it, and the step of each.
    """
    from scipy.ndimage import gaussian_filter1d

    fall = -gaussian_filter1d(np.nan_to_num(profiles), 1.5, axis=1, order=1)
    reach = round(NARROW_MM / STEP_MM)
    rays, at = [], []
    for ray, middle in enumerate(np.rint(line).astype(int)):
        low, high = max(middle - reach, 1), min(middle + reach, fall.shape[1] - 2)
        if low >= high:
            continue
        peak = low + int(np.argmax(fall[ray, low:high]))
        left, top, right = fall[ray, peak - 1 : peak + 2]
        curvature = left - 2 * top + right
        if low < peak < high - 1 and curvature < 0:
            rays.append(ray)
            at.append(peak + 0.5 * (left - right) / curvature)
    return np.array(rays, dtype=np.intp), np.array(at)


def _which_paper(extent_mm: tuple[float, float], paper: Paper | None) -> Paper:
    """The paper whose proportions and size explain the edges best, as it lies."""
    known = known_papers() if paper is None else [paper]

    def unlikely(candidate: Paper) -> float:
        across, down = np.log(candidate.width_mm / extent_mm[0]), np.log(candidate.height_mm / extent_mm[1])
        # Printers scale both ways alike far more often than not.
        return 3 * abs(across - down) + max(abs(across), abs(down))

    best = min((turned for each in known for turned in (each, each.lying)), key=unlikely)
    if unlikely(best) > LARGEST_ERROR:
        size = f"{extent_mm[0]:.0f} x {extent_mm[1]:.0f} mm"
        raise InputError(f"the paper measures about {size}, which fits no known paper; name yours with --paper WxH")
    return best


def _fit(
    shape: tuple[int, ...],
    drawn_mm: NDArray[np.float64],
    seen_px: NDArray[np.float64],
    homography: NDArray[np.float64],
    sides: list[Side],
    paper: Paper,
) -> Scale:
    """Least squares over homography (8), print (6), radial term and size of the targets; residuals in pixels.

    Blur rounds the corners of a target and moves all four inward, so how large it seems is left free.
    """
    from scipy.optimize import least_squares

    paper_mm = (paper.width_mm, paper.height_mm)
    first = [paper_mm[axis] / (sides[2 * axis + 1].at_mm - sides[2 * axis].at_mm) for axis in (0, 1)]
    shift = [-sides[2 * axis].at_mm * first[axis] for axis in (0, 1)]
    to_paper = np.array([[first[0], 0, shift[0]], [0, first[1], shift[1]], [0, 0, 1.0]])
    start = homography @ np.linalg.inv(to_paper)
    centers_mm = drawn_mm.mean(axis=1, keepdims=True)
    px_per_mm = np.linalg.norm(seen_px[0] - seen_px[1]) / target_rules().side_mm
    center = np.array(shape[1::-1]) / 2
    edges = [(side, float(side.far) * paper_mm[side.axis]) for side in sides]

    def straight(points_px: NDArray[np.float64], radial: float) -> NDArray[np.float64]:
        from_center = (points_px - center) / np.linalg.norm(center)
        return points_px + radial * (points_px - center) * (from_center**2).sum(axis=1, keepdims=True)

    def residuals(unknown: NDArray[np.float64]) -> NDArray[np.float64]:
        camera = np.append(unknown[:8], 1.0).reshape(3, 3)
        affine, radial, seeming = unknown[8:14].reshape(2, 3), unknown[14], unknown[15]
        corners_mm = (centers_mm + seeming * (drawn_mm - centers_mm)).reshape(-1, 2)
        printed_mm = corners_mm @ affine[:, :2].T + affine[:, 2]
        parts = [(_project(camera, printed_mm) - straight(seen_px, radial)).ravel()]
        inverse = np.linalg.inv(camera)
        for side, at_mm in edges:
            on_paper_mm = _project(inverse, straight(side.points_px, radial))[:, side.axis]
            parts.append((on_paper_mm - at_mm) * px_per_mm)
        return np.append(np.concatenate(parts), radial / DISTORTION_SIGMA)

    unknown = np.concatenate([(start / start[2, 2]).ravel()[:8], to_paper[:2].ravel(), [0.0, 1.0]])
    fitted = least_squares(residuals, unknown, loss="soft_l1", x_scale="jac", max_nfev=200)
    affine = fitted.x[8:14].reshape(2, 3)
    left_px = residuals(fitted.x)[: seen_px.size].reshape(-1, 2)
    return affine_scale(affine[:, 0], affine[:, 1], float(np.sqrt((left_px**2).sum(axis=1).mean()) / px_per_mm))


def _project(homography: NDArray[np.float64], points: NDArray[np.float64]) -> NDArray[np.float64]:
    """(..., 2) points through a homography."""
    mapped = points @ homography[:, :2].T + homography[:, 2]
    return mapped[..., :2] / mapped[..., 2:]
