"""The coded targets: their pattern, how they are found in a raster, and what their positions say about the scale."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from math import ceil, floor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskdesign.config import from_mapping
from maskdesign.errors import InputError
from maskdesign.sheets.template import shipped_toml

MODULES = 8
FORM_NAME = "MaskdesignTarget"
LEAST_SIDE_PX = 24


@dataclass(frozen=True)
class CheckRules:
    """Table [check] of print_templates/targets.toml."""

    dpi: float
    tolerance: float
    uneven_mm: float


@dataclass(frozen=True)
class TargetRules:
    """print_templates/targets.toml, where the meaning of each value stands."""

    dictionary: str
    side_mm: float
    first: tuple[int, int, int, int]
    count: int
    least_mm: float
    step_mm: float
    check: CheckRules


@cache
def target_rules() -> TargetRules:
    """What the numbers of the targets mean."""
    return from_mapping(TargetRules, shipped_toml("targets.toml"))


@dataclass(frozen=True)
class TargetFrame:
    """Four coded squares whose centers form a rectangle; their numbers say how large it is.

    Attributes:
        across: number of the width: both upper targets carry it.
        down: number of the height: both lower targets carry it.
    """

    across: int
    down: int

    @property
    def width_mm(self) -> float:
        """Distance of the centers, left to right."""
        return target_rules().least_mm + target_rules().step_mm * self.across

    @property
    def height_mm(self) -> float:
        """Distance of the centers, top to bottom."""
        return target_rules().least_mm + target_rules().step_mm * self.down

    @property
    def ids(self) -> tuple[int, ...]:
        """Codes of the upper left, upper right, lower right and lower left target."""
        numbers = (self.across, self.across, self.down, self.down)
        return tuple(first + number for first, number in zip(target_rules().first, numbers, strict=True))

    @property
    def centers_mm(self) -> list[tuple[float, float]]:
        """The four centers in the order of `ids`; x right and y down from the upper left one."""
        return [(0.0, 0.0), (self.width_mm, 0.0), (self.width_mm, self.height_mm), (0.0, self.height_mm)]

    @property
    def corners_mm(self) -> NDArray[np.float64]:
        """(4, 4, 2) corners of each target, from its upper left one clockwise, in the same frame."""
        half_mm = target_rules().side_mm / 2
        square = half_mm * np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]])
        return np.array(self.centers_mm)[:, None] + square


def frame_within(width_mm: float, height_mm: float) -> TargetFrame | None:
    """The largest frame whose centers lie at most this far apart; None where not even the smallest does."""
    rules = target_rules()
    across = floor((width_mm - rules.least_mm) / rules.step_mm + 1e-9)
    down = floor((height_mm - rules.least_mm) / rules.step_mm + 1e-9)
    most = rules.count - 1
    return TargetFrame(min(across, most), min(down, most)) if min(across, down) >= 0 else None


def step_up_mm(height_mm: float) -> float:
    """The least distance of centers that a frame can have and that is no shorter."""
    rules = target_rules()
    return rules.least_mm + rules.step_mm * max(ceil((height_mm - rules.least_mm) / rules.step_mm - 1e-9), 0)


class NoTargetError(InputError):
    """A page without a single coded target."""


@dataclass(frozen=True)
class Scale:
    """The affine map from the sheet as drawn to the sheet as measured.

    Attributes:
        width: length along u over the drawn length.
        height: length along v over the drawn length.
        skew_deg: departure of the angle between u and v from 90 degrees.
        rotation_deg: direction of u, in (-180, 180], clockwise positive.
        mirrored: whether left and right are exchanged.
        residual_mm: root mean square of what the map leaves.
    """

    width: float
    height: float
    skew_deg: float
    rotation_deg: float
    mirrored: bool
    residual_mm: float


def target_modules(number: int) -> NDArray[np.bool_]:
    """The (8, 8) modules of a target, True = black, border included; row 0 is the upper one."""
    import cv2

    return cv2.aruco.generateImageMarker(_dictionary(), number, MODULES, borderBits=1) == 0


def _dictionary() -> Any:
    import cv2

    return cv2.aruco.getPredefinedDictionary(getattr(cv2.aruco, target_rules().dictionary))


def find_targets(gray: NDArray[np.uint8]) -> dict[int, NDArray[np.float64]]:
    """Corners of the coded targets, found without knowing where they should be.

    A target is a contour whose modules decode; its corners are refined on the gray values from the contour's own
    corners (Garrido-Jurado et al. 2014), never from a prediction, so a scaled page cannot talk itself true.

    Args:
        gray: (H, W) picture.

    Returns:
        (4, 2) x, y per code, from the target's own upper left corner clockwise.

    Raises:
        InputError: one code at two places.

    Convention: pixels, x right and y down, the center of the first pixel at (0.5, 0.5).
    """
    import cv2

    parameters = cv2.aruco.DetectorParameters()
    parameters.cornerRefinementMethod = cv2.aruco.CORNER_REFINE_SUBPIX
    parameters.cornerRefinementMaxIterations = 100
    parameters.cornerRefinementMinAccuracy = 1e-4
    parameters.minMarkerPerimeterRate = 4 * LEAST_SIDE_PX / max(gray.shape)
    parameters.maxMarkerPerimeterRate = 4 * 0.2
    # Noise and slant turn single modules; a stray code would have to agree with another one of its frame.
    parameters.errorCorrectionRate = 0.6
    parameters.perspectiveRemovePixelPerCell = 8
    corners, codes, _ = cv2.aruco.ArucoDetector(_dictionary(), parameters).detectMarkers(gray)
    found: dict[int, NDArray[np.float64]] = {}
    for quadrangle, code in zip(corners, [] if codes is None else codes.ravel(), strict=True):
        if int(code) in found:
            raise InputError(f"target {code} stands at two places; check one sheet at a time")
        found[int(code)] = quadrangle.reshape(4, 2).astype(np.float64) + 0.5
    return found


def frame_of(codes: set[int]) -> TargetFrame:
    """The frame that these codes belong to.

    Raises:
        NoTargetError: no codes.
        InputError: codes of two sheets, or a target missing.
    """
    rules = target_rules()
    corners = [{code - first for code in codes if 0 <= code - first < rules.count} for first in rules.first]
    found = sum(bool(numbers) for numbers in corners)
    if found == 0:
        raise NoTargetError("no maskdesign target on the page; give a sheet that `maskdesign sheet` made")
    across, down = corners[0] & corners[1], corners[2] & corners[3]
    if len(across) == len(down) == 1:
        return TargetFrame(across.pop(), down.pop())
    if found < 4:
        raise InputError(f"{found} of 4 targets on the page; it is cropped, covered or blurred, show it whole")
    raise InputError("targets of two different sheets on one page; check one sheet at a time")


def measure_scale(frame: TargetFrame, measured_mm: dict[int, NDArray[np.float64]]) -> Scale:
    """Least-squares affine map from the frame's drawn centers to the measured ones.

    Four points give eight equations for six unknowns, so the residual is what no affine map explains.

    Args:
        measured_mm: (2,) per code of the frame, y down.
    """
    drawn = np.array(frame.centers_mm)
    measured = np.array([measured_mm[code] for code in frame.ids])
    design = np.column_stack([drawn, np.ones(4)])
    solution, *_ = np.linalg.lstsq(design, measured, rcond=None)
    residual_mm = float(np.sqrt(np.mean(np.sum((design @ solution - measured) ** 2, axis=1))))
    return affine_scale(solution[0], solution[1], residual_mm)


def affine_scale(along_u: NDArray[np.float64], along_v: NDArray[np.float64], residual_mm: float) -> Scale:
    """What an affine map does to lengths and angles.

    Args:
        along_u: (2,) where one millimeter to the right goes.
        along_v: (2,) where one millimeter down goes.
        residual_mm: what the map leaves.
    """
    width, height = float(np.hypot(*along_u)), float(np.hypot(*along_v))
    return Scale(
        width=width,
        height=height,
        skew_deg=float(np.degrees(np.arcsin(np.clip(along_u @ along_v / (width * height), -1, 1)))),
        rotation_deg=float(np.degrees(np.arctan2(along_u[1], along_u[0]))),
        mirrored=bool(along_u[0] * along_v[1] - along_u[1] * along_v[0] < 0),
        residual_mm=residual_mm,
    )
