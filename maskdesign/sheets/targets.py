"""The coded targets: their pattern, how they are found in a raster, and what their positions say about the scale."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskdesign.errors import InputError
from maskdesign.sheets.template import TargetFrame, sheet_template

MODULES = 8
FORM_NAME = "MaskdesignTarget"
LEAST_SIDE_PX = 24


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

    return cv2.aruco.getPredefinedDictionary(getattr(cv2.aruco, sheet_template().target_dictionary))


def find_targets(gray: NDArray[np.uint8]) -> dict[int, NDArray[np.float64]]:
    """Centers of the coded targets, found without knowing where they should be.

    A target is a contour whose modules decode; its corners are refined on the gray values from the contour's own
    corners (Garrido-Jurado et al. 2014), never from a prediction, so a scaled page cannot talk itself true.

    Args:
        gray: (H, W) picture.

    Returns:
        (2,) x, y per code.

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
    parameters.errorCorrectionRate = 0.2
    corners, codes, _ = cv2.aruco.ArucoDetector(_dictionary(), parameters).detectMarkers(gray)
    found: dict[int, NDArray[np.float64]] = {}
    for quadrangle, code in zip(corners, [] if codes is None else codes.ravel(), strict=True):
        if int(code) in found:
            raise InputError(f"target {code} stands at two places; check one sheet at a time")
        found[int(code)] = quadrangle.reshape(4, 2).astype(np.float64).mean(axis=0) + 0.5
    return found


def frame_of(codes: set[int]) -> TargetFrame:
    """The frame that these codes belong to.

    Raises:
        InputError: no codes, codes of two sheets, or a target missing.
    """
    frames = [frame for frame in sheet_template().frames if codes & set(frame.ids)]
    if not frames:
        raise InputError("no maskdesign target on the page; give a sheet that `maskdesign sheet` made")
    if len(frames) > 1:
        raise InputError("targets of two different sheets on one page; check one sheet at a time")
    missing = set(frames[0].ids) - codes
    if missing:
        raise InputError(f"{4 - len(missing)} of 4 targets on the page; it is cropped or covered, show it whole")
    return frames[0]


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
    along_u, along_v = solution[0], solution[1]
    width, height = float(np.hypot(*along_u)), float(np.hypot(*along_v))
    determinant = float(along_u[0] * along_v[1] - along_u[1] * along_v[0])
    return Scale(
        width=width,
        height=height,
        skew_deg=float(np.degrees(np.arcsin(np.clip(along_u @ along_v / (width * height), -1, 1)))),
        rotation_deg=float(np.degrees(np.arctan2(along_u[1], along_u[0]))),
        mirrored=determinant < 0,
        residual_mm=float(np.sqrt(np.mean(np.sum((design @ solution - measured) ** 2, axis=1)))),
    )
