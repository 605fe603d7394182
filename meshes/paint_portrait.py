"""Paints the portrait of nobody: a face drawn from anthropometric averages with formulas, no photograph involved.

A height field with brow, sockets, nose, lips and chin is shaded softly and colored; mediapipe then finds on it the
landmarks from which `make_head.py` builds the head of canonical size.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import PchipInterpolator

SIZE_PX = 1024
PX_PER_MM = 3.6
ORIGIN_PX = (512.0, 560.0)
"""The tip of the nose in the picture."""

SKIN = (214, 172, 147)
BLUSH = (212, 145, 128)
LIP = (176, 98, 92)
HAIR = (74, 55, 44)
WALL = (176, 182, 186)
IRIS = (92, 112, 104)
SCLERA = (228, 222, 216)
LID = (150, 106, 88)

# Half width of the face in millimeters at heights above the nose tip, from the top of the forehead to the chin.
OUTLINE_MM = (
    (100, 30),
    (92, 48),
    (78, 60),
    (55, 67),
    (30, 70.5),
    (5, 70),
    (-20, 66),
    (-40, 58),
    (-55, 45),
    (-66, 28),
    (-71, 12),
    (-72.5, 1),
)


def paint_portrait() -> NDArray[np.uint8]:
    """Paint the face seen from far in front.

    Returns:
        (1024, 1024, 3) uint8 sRGB, 3.6 pixels per millimeter, nose tip at `ORIGIN_PX`.
    """
    columns, rows = np.meshgrid(np.arange(SIZE_PX) + 0.5, np.arange(SIZE_PX) + 0.5)
    x, y = (columns - ORIGIN_PX[0]) / PX_PER_MM, (ORIGIN_PX[1] - rows) / PX_PER_MM
    picture = _background(x, y)
    picture = _over(picture, _face_colors(x, y), _face_mask(x, y))
    picture = _hairline(picture, x, y)
    return np.clip(np.rint(picture), 0, 255).astype(np.uint8)


def _step(value: NDArray, width: float) -> NDArray:
    """0 to 1 over a band of `width` around 0."""
    t = np.clip(value / width + 0.5, 0, 1)
    return t * t * (3 - 2 * t)


def _bump(
    x: NDArray, y: NDArray, center: tuple[float, float], radii: tuple[float, float], turn_deg: float = 0
) -> NDArray:
    turn = np.radians(turn_deg)
    dx, dy = x - center[0], y - center[1]
    along, across = dx * np.cos(turn) + dy * np.sin(turn), dy * np.cos(turn) - dx * np.sin(turn)
    return np.exp(-((along / radii[0]) ** 2) - (across / radii[1]) ** 2)


def _over(picture: NDArray, color: NDArray | tuple[int, int, int], alpha: NDArray) -> NDArray:
    return picture + (np.asarray(color, float) - picture) * alpha[..., None]


def _half_width(y: NDArray) -> NDArray:
    heights, widths = np.array(OUTLINE_MM[::-1]).T
    inside = (y > heights[0]) & (y < heights[-1])
    return np.where(inside, PchipInterpolator(heights, widths)(np.clip(y, heights[0], heights[-1])), 0)


def _face_mask(x: NDArray, y: NDArray) -> NDArray:
    inside = (np.abs(x) < _half_width(y)).astype(np.float64)
    return _step(cv2.GaussianBlur(inside, (0, 0), 9) - 0.5, 0.35)


def _background(x: NDArray, y: NDArray) -> NDArray:
    picture = np.empty((*x.shape, 3))
    picture[:] = WALL
    hair = _step(1 - np.hypot(x / 84, (y - 42) / 92), 0.03) * _step(y + 25, 30)
    neck = _step(50 + np.maximum(-95 - y, 0) * 0.5 - np.abs(x), 3) * _step(-30 - y, 5)
    shirt = _step(-128 - 10 * np.cos(x / 40) - y, 3)
    picture = _over(picture, np.array(SKIN) * 0.74, neck)
    picture = _over(picture, (96, 104, 118), shirt)
    ears = sum(_bump(x, y, (side * 75, 12), (7, 24), -side * 6) for side in (-1, 1))
    picture = _over(picture, np.array(SKIN) * 0.86, _step(ears - 0.35, 0.15))
    return _over(picture, HAIR, hair)


def _hairline(picture: NDArray, x: NDArray, y: NDArray) -> NDArray:
    above = _step(y - (92 - (x / 66) ** 2 * 34), 7)
    return _over(picture, HAIR, above * _step(1 - np.hypot(x / 84, (y - 42) / 92), 0.03))


def _heights_mm(x: NDArray, y: NDArray) -> NDArray:
    """The height field, towards the viewer."""
    width = cv2.GaussianBlur(np.maximum(_half_width(y), 30), (0, 0), 18)
    z = 62 * np.sqrt(np.clip(1 - (x / (width + 6)) ** 2, 0.01, 1)) - 14 * (y / 70) ** 2
    ridge = np.interp(y, [-18, -8, 0, 12, 38, 46], [0, 7, 15, 12, 5, 0])
    z += cv2.GaussianBlur(ridge, (0, 0), 9) * np.exp(-((x / np.interp(y, [-8, 0, 40], [13, 11, 8])) ** 2))
    for side in (-1, 1):
        z += 5 * _bump(x, y, (side * 13, -4), (6, 6)) - 9 * _bump(x, y, (side * 31, 34), (17, 10))
        z += 4 * _bump(x, y, (side * 30, 52), (22, 6)) + 6 * _bump(x, y, (side * 42, 8), (18, 14))
        z += 5 * _bump(x, y, (side * 31, 32), (12, 8)) - 2.5 * _bump(x, y, (side * 27, -20), (5, 16), side * 60)
    z += 4.5 * _bump(x, y, (0, -24), (22, 5)) + 5 * _bump(x, y, (0, -36), (19, 5)) - 4 * _bump(x, y, (0, -46), (22, 5))
    return z + 7 * _bump(x, y, (0, -60), (16, 10)) - 1.5 * _bump(x, y, (0, -16), (3, 6))


def _shade(z: NDArray) -> NDArray:
    dy, dx = np.gradient(cv2.GaussianBlur(z, (0, 0), 3) * PX_PER_MM)
    normal = np.stack([-dx, dy, np.ones_like(z)], -1) / np.sqrt(1 + dx * dx + dy * dy)[..., None]
    light = np.array([0.0, 0.3, 0.95])
    return 0.55 + 0.5 * np.clip(normal @ (light / np.linalg.norm(light)), 0, 1)


def _face_colors(x: NDArray, y: NDArray) -> NDArray:
    color = np.broadcast_to(np.array(SKIN, float), (*x.shape, 3))
    for side in (-1, 1):
        color = _over(color, BLUSH, 0.5 * _bump(x, y, (side * 43, -4), (20, 18)))
    color = _over(color, BLUSH, 0.35 * _bump(x, y, (0, -1), (14, 10)))
    color = color * _shade(_heights_mm(x, y))[..., None]
    for side in (-1, 1):
        color = _paint_eye(color, side * x, y)
        color = _paint_nostril(color, side * x, y)
    return _paint_mouth(color, x, y)


def _paint_eye(color: NDArray, x: NDArray, y: NDArray) -> NDArray:
    # x grows towards the temple: inner corner at 15.5 mm, outer corner at 44.
    t = np.clip((x - 15.5) / 28.5, 0, 1)
    middle = 32.3 + 2.0 * t
    arch = np.sqrt(np.clip(4 * t * (1 - t), 0, 1))
    upper, lower = middle + 5.6 * arch, middle - 4.6 * arch
    opening = _step(np.minimum(upper - y, y - lower), 0.8) * (t > 0) * (t < 1)
    color = _over(color, LID, 0.55 * np.exp(-(((y - upper - 3.2) / 1.3) ** 2)) * _step(arch - 0.35, 0.5))
    color = _over(color, LID, 0.35 * np.exp(-(((y - lower + 2.2) / 1.6) ** 2)) * _step(arch - 0.3, 0.5))
    radius = np.hypot(x - 30.2, y - 33.6)
    eye = _over(np.broadcast_to(np.array(SCLERA, float), color.shape), IRIS, _step(5.85 - radius, 0.8))
    eye = _over(eye, np.array(IRIS) * 0.5, 0.7 * np.exp(-(((radius - 5.6) / 0.6) ** 2)))
    eye = _over(eye, (24, 20, 20), _step(2.4 - radius, 0.6))
    eye = _over(eye, (250, 250, 250), _step(0.9 - np.hypot(x - 31.6, y - 35.4), 0.5))
    eye = eye * (1 - 0.35 * _step(y - upper + 2.2, 3))[..., None]
    color = _over(color, eye, opening)
    color = _over(color, (52, 36, 32), 0.85 * np.exp(-(((y - upper) / 0.9) ** 2)) * _step(arch - 0.15, 0.3))
    color = _over(color, (110, 72, 62), 0.5 * np.exp(-(((y - lower) / 0.6) ** 2)) * _step(arch - 0.2, 0.3))
    brow = 46.5 + 4.5 * np.sin(np.clip((x - 14) / 40, 0, 1) * 2.5)
    thick = np.interp(x, [13, 18, 38, 54], [1.5, 3.6, 2.8, 0.6])
    return _over(color, HAIR, 0.85 * _step(thick - np.abs(y - brow), 2.2) * _step(x - 13.5, 3) * _step(54 - x, 4))


def _paint_nostril(color: NDArray, x: NDArray, y: NDArray) -> NDArray:
    hole = _bump(x, y, (6.6, -9.2), (4.2, 1.7), 14)
    wing = np.exp(-(((np.hypot((x - 10.5) / 0.9, y + 3.5) - 7.2) / 0.9) ** 2)) * _step(x - 12.5, 3) * _step(4 - y, 5)
    color = _over(color, (98, 56, 50), 0.9 * _step(hole - 0.45, 0.4))
    color = _over(color, LID, 0.45 * wing)
    return _over(
        color, LID, 0.35 * np.exp(-(((x - 15 - (-8 - y) * 0.75) / 1.8) ** 2)) * _step(-7 - y, 4) * _step(y + 24, 8)
    )


def _paint_mouth(color: NDArray, x: NDArray, y: NDArray) -> NDArray:
    t = np.clip(np.abs(x) / 25.5, 0, 1)
    line = -30.5 + 0.9 * t * t - 0.5 * np.exp(-((x / 4) ** 2))
    upper = line + 6.2 * (1 - t**1.7) * (1 - 0.22 * np.exp(-((x / 4.5) ** 2)))
    lower = line - 8.2 * np.sqrt(np.clip(1 - t**2.2, 0, 1))
    lips = _step(np.minimum(upper - y, y - lower), 1.4) * (t < 1)
    tone = np.where(y > line, 0.86, 1.0 + 0.12 * _bump(x, y, (0, -35), (12, 2)))
    color = _over(color, np.array(LIP) * tone[..., None], 0.8 * lips)
    color = _over(color, (92, 42, 42), 0.85 * np.exp(-(((y - line) / 0.75) ** 2)) * _step(0.94 - t, 0.12))
    return color * (1 - 0.16 * _bump(x, y, (0, -43.5), (15, 2.6)))[..., None]
