"""Corners on rendered photos of the flat and the bent board with their right names, a packaged detector beside.

The worn board's figures cost a quarter of an hour and come from docs/calibration/worn.json, which
`python -m benchmarks.measure_worn_board --cache FOLDER` writes.
"""

from __future__ import annotations

import json
import time
from pathlib import Path

import cv2
import numpy as np

from maskdesign.calibration.board import CODED, PLAIN, load_board
from maskdesign.calibration.chart import load_chart
from maskdesign.calibration.color import color_difference, fit_response, seen_light
from maskdesign.calibration.identify import identify, look
from maskdesign.calibration.saddle import paper_brightness
from maskdesign.calibration.smooth import name_smoothly
from tests.calibration_photos import Conditions, Photo, bent_sheet, random_view, sheet_alone, take_photo
from tests.test_calibration_color import press

WORN = Path(__file__).parent.parent / "docs" / "calibration" / "worn.json"
PHOTOS = 12
RIGHT_PX = 3.0
CLEAR_DEG = 75.0
"""Slant up to which a corner counts as clearly seen; all that are not hidden are counted beside."""


def sheet_figures(radius_mm: float | None, seed: int) -> dict[str, float]:
    """Shares of corners found and rightly named, wrong names, rms, and seconds a photo."""
    board, rng, worn = load_board(CODED), np.random.default_rng(seed), bent_sheet(radius_mm)
    scene, middle = sheet_alone(worn), (0.0, 0.0, 0.0 if radius_mm is None else -30.0)
    clear = right = visible = named = wrong = 0
    errors, seconds = [], []
    for _ in range(PHOTOS):
        photo = take_photo(scene, worn, board, random_view(rng, Conditions(), middle))
        started = time.process_time()
        sight = look(photo.pixels)
        found = name_smoothly(sight, board, identify(sight, board), paper_brightness(photo.pixels))
        seconds.append(time.process_time() - started)
        error = np.linalg.norm(found.points_px - photo.corners_px.reshape(-1, 2)[found.index], axis=1)
        good = np.zeros(photo.visible.size, bool)
        good[found.index] = error < RIGHT_PX
        seen = photo.visible.ravel()
        plain_view = seen & (photo.slant_deg.ravel() < CLEAR_DEG)
        visible, named = visible + seen.sum(), named + (seen & good).sum()
        clear, right = clear + plain_view.sum(), right + (plain_view & good).sum()
        wrong += (error >= RIGHT_PX).sum()
        errors += list(error[error < RIGHT_PX])
    return {
        "clear": right / clear,
        "all": named / visible,
        "wrong": wrong / max(1, len(errors) + wrong),
        "rms_px": float(np.sqrt(np.mean(np.square(errors)))),
        "seconds": float(np.median(seconds)),
    }


def packaged_share(radius_mm: float | None, seed: int) -> float:
    """The same photos of the plain board read by OpenCV's sector-based detector, all corners or none."""
    board, rng, worn = load_board(PLAIN), np.random.default_rng(seed), bent_sheet(radius_mm)
    scene, middle = sheet_alone(worn), (0.0, 0.0, 0.0 if radius_mm is None else -30.0)
    visible = right = 0
    for _ in range(PHOTOS):
        photo = take_photo(scene, worn, board, random_view(rng, Conditions(), middle))
        visible += photo.visible.sum()
        right += packaged_right(photo)
    return right / visible


def packaged_right(photo: Photo) -> int:
    """How many corners of the plain board OpenCV's sector-based detector names rightly; it finds all or none."""
    found, corners = cv2.findChessboardCornersSB(cv2.cvtColor(photo.pixels, cv2.COLOR_RGB2GRAY), (10, 9))
    if not found:
        return 0
    truth = photo.corners_px.reshape(-1, 2)
    ways = [np.linalg.norm(corners.reshape(-1, 2)[::step] + 0.5 - truth, axis=1) for step in (1, -1)]
    return int(max((way < RIGHT_PX).sum() for way in ways))


def color_error() -> float:
    """Mean CIEDE2000 of 500 held-out colors of a simulated press, patches read with 1 % noise."""
    rng, patches = np.random.default_rng(77), load_chart().patch_rgb
    fit = fit_response(patches, press(patches) * rng.normal(1, 0.01, (len(patches), 3)))
    held_out = rng.integers(0, 256, (500, 3)).astype(np.uint8)
    return float(color_difference(seen_light(fit.response, held_out), press(held_out)).mean())


def worn_rows() -> list[tuple]:
    """Held-out figures of the worn board, as `measure_worn_board` left them."""
    worn = json.loads(WORN.read_text())["summary"]
    return [
        ("worn_photos", worn["photos"], 100, "higher", "photos"),
        ("worn_corners", worn["right_share"]["value"], 0.85, "higher", "share"),
        ("worn_wrong", worn["wrong_share"]["value"], 0.02, "lower", "share"),
        ("worn_rms", worn["rms_px"], 1.0, "lower", "px"),
        ("worn_packaged", worn["packaged_right_share"]["value"], None, "higher", "share"),
        ("worn_opening", worn["opening_error_mm"]["median"], 3.0, "lower", "mm"),
        ("worn_placement", worn["placement_error_mm"]["median"], 3.0, "lower", "mm"),
        ("worn_pose", worn["pose_error_deg"]["median"], 2.0, "lower", "deg"),
        ("worn_seconds", worn["seconds"]["median"], 3.0, "lower", "s"),
    ]


def figures() -> dict[str, dict]:
    flat, bent = sheet_figures(None, 901), sheet_figures(70.0, 902)
    rows = [
        ("corners_flat", flat["all"], 0.99, "higher", "share"),
        ("corners_flat_rms", flat["rms_px"], 0.3, "lower", "px"),
        ("corners_flat_packaged", packaged_share(None, 901), None, "higher", "share"),
        ("corners_cylinder_within_75_deg", bent["clear"], 0.97, "higher", "share"),
        ("corners_cylinder_every_slant", bent["all"], None, "higher", "share"),
        ("corners_cylinder_wrong", bent["wrong"], 0.02, "lower", "share"),
        ("corners_cylinder_packaged", packaged_share(70.0, 902), None, "higher", "share"),
        ("corners_seconds", max(flat["seconds"], bent["seconds"]), 3.0, "lower", "s"),
        ("color_held_out", color_error(), 2.0, "lower", "CIEDE2000"),
        *worn_rows(),
    ]
    return {
        f"calibration.{name}": {
            "value": round(float(value), 4),
            "goal": goal,
            "better": better,
            "unit": unit,
            "issue": "sheets",
        }
        for name, value, goal, better, unit in rows
    }
