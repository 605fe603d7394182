"""The color chart: patches as data, and what a photo of the printed chart shows of them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskdesign.config import from_mapping, read_toml
from maskdesign.errors import ImageError
from maskdesign.files import data_path
from maskdesign.render.color import DECODED

CHART = "chart_80"
MODULES = 6
CLIPPED = 250
LEAST_PAPER = 60


@dataclass(frozen=True)
class Chart:
    """Every number of calibration/chart_80.toml, with the meaning that stands there."""

    width_mm: float
    height_mm: float
    columns: int
    rows: int
    origin_mm: tuple[float, float]
    pitch_mm: float
    patch_mm: float
    marker_mm: float
    margin_mm: float
    marker_ids: tuple[int, int, int, int]
    levels: tuple[int, ...]
    extra: tuple[str, ...]

    @property
    def patch_rgb(self) -> NDArray[np.uint8]:
        """(rows * columns, 3) sRGB sent to the printer, row by row; neighbors differ much, so the order is mixed."""
        cube = np.stack(np.meshgrid(self.levels, self.levels, self.levels, indexing="ij"), axis=-1).reshape(-1, 3)
        more = np.array([list(bytes.fromhex(color.removeprefix("#"))) for color in self.extra]).reshape(-1, 3)
        colors = np.concatenate([cube, more]).astype(np.uint8)[: self.rows * self.columns]
        return colors[np.random.Generator(np.random.Philox(key=80)).permutation(len(colors))]

    @property
    def patch_centers_mm(self) -> NDArray[np.float64]:
        """(rows * columns, 2)."""
        row, column = np.divmod(np.arange(self.rows * self.columns), self.columns)
        return np.array(self.origin_mm) + self.patch_mm / 2 + self.pitch_mm * np.column_stack([column, row])

    @property
    def marker_corners_mm(self) -> NDArray[np.float64]:
        """(4, 2) upper left corners of the coded squares in the order of their ids."""
        right = self.width_mm - self.margin_mm - self.marker_mm
        bottom = self.height_mm - self.margin_mm - self.marker_mm
        near = self.margin_mm
        return np.array([[near, near], [right, near], [right, bottom], [near, bottom]])


@cache
def load_chart() -> Chart:
    """The chart that this program ships."""
    return from_mapping(Chart, read_toml(data_path(f"calibration/{CHART}.toml"))["chart"], "chart")


def _dictionary() -> Any:
    import cv2

    return cv2.aruco.getPredefinedDictionary(cv2.aruco.DICT_4X4_50)


def chart_cells(chart: Chart) -> list[tuple[str, float, float, float, float]]:
    """Everything on the chart as (color, u, v, width, height), for drawing."""
    import cv2

    half = chart.patch_mm / 2
    cells = [
        ("#" + bytes(map(int, rgb)).hex(), float(u - half), float(v - half), chart.patch_mm, chart.patch_mm)
        for rgb, (u, v) in zip(chart.patch_rgb, chart.patch_centers_mm, strict=True)
    ]
    module = chart.marker_mm / MODULES
    for code, (u, v) in zip(chart.marker_ids, chart.marker_corners_mm, strict=True):
        black = cv2.aruco.generateImageMarker(_dictionary(), code, MODULES, borderBits=1) == 0
        for row, column in np.argwhere(black):
            cells.append(("#000000", float(u + column * module), float(v + row * module), module, module))
    return cells


def chart_pixels(chart: Chart, px_per_mm: float) -> NDArray[np.uint8]:
    """(h, w, 3) uint8 sRGB of the whole chart."""
    picture = np.full((round(chart.height_mm * px_per_mm), round(chart.width_mm * px_per_mm), 3), 255, np.uint8)
    for color, u, v, width, height in chart_cells(chart):
        rows = slice(round(v * px_per_mm), round((v + height) * px_per_mm))
        columns = slice(round(u * px_per_mm), round((u + width) * px_per_mm))
        picture[rows, columns] = list(bytes.fromhex(color[1:]))
    return picture


def read_chart(pixels: NDArray[np.uint8], chart: Chart) -> NDArray[np.float64]:
    """Linear light of every patch over that of the paper beside it, (n, 3); uneven light cancels.

    Raises:
        ImageError: the chart is not seen whole, mirrored, too dark, or the paper is over-exposed.
    """
    mapping = _find_chart(pixels, chart)
    centers, linear = chart.patch_centers_mm, DECODED[pixels]
    inner = np.linspace(-0.3, 0.3, 9) * chart.patch_mm
    offsets = np.stack(np.meshgrid(inner, inner), axis=-1).reshape(-1, 2)
    gap = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * chart.pitch_mm / 2
    patch, _ = _sample(linear, mapping, centers[:, None] + offsets)
    paper, brightest = _sample(linear, mapping, centers[:, None] + gap)
    if brightest.max() >= DECODED[CLIPPED]:
        raise ImageError("the chart's paper is over-exposed; take it with less light or a shorter exposure")
    if paper.max() < DECODED[LEAST_PAPER]:
        raise ImageError("the chart is too dark; take it in daylight or with more lamps")
    return patch / np.maximum(paper, 1e-3)


def _find_chart(pixels: NDArray[np.uint8], chart: Chart) -> NDArray[np.float64]:
    import cv2

    gray = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
    parameters = cv2.aruco.DetectorParameters()
    parameters.cornerRefinementMethod = cv2.aruco.CORNER_REFINE_SUBPIX
    detector = cv2.aruco.ArucoDetector(_dictionary(), parameters)
    corners, codes, _ = detector.detectMarkers(gray)
    found = {} if codes is None else dict(zip(codes.ravel().tolist(), corners, strict=True))
    missing = [code for code in chart.marker_ids if code not in found]
    if missing:
        _, mirrored, _ = detector.detectMarkers(np.ascontiguousarray(gray[:, ::-1]))
        if mirrored is not None and set(chart.marker_ids) <= set(mirrored.ravel().tolist()):
            raise ImageError("the chart is mirrored; switch off the front camera's mirror image")
        raise ImageError(
            f"{4 - len(missing)} of the chart's 4 coded squares found; show it whole, sharp, flat and without glare"
        )
    square = np.array([[0, 0], [1, 0], [1, 1], [0, 1]]) * chart.marker_mm
    drawn = (chart.marker_corners_mm[:, None] + square).reshape(-1, 2)
    seen = np.concatenate([found[code].reshape(4, 2) for code in chart.marker_ids]).astype(np.float64)
    return np.asarray(cv2.findHomography(drawn, seen, 0)[0], np.float64)


def _sample(linear: NDArray, mapping: NDArray, at_mm: NDArray) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Median and brightest light at points of the chart: (n, m, 2) -> (n, 3) each."""
    import cv2

    places = cv2.perspectiveTransform(at_mm.reshape(-1, 1, 2), mapping).astype(np.float32)
    light = cv2.remap(linear, places[..., 0], places[..., 1], cv2.INTER_LINEAR)[:, 0].astype(np.float64)
    light = light.reshape(*at_mm.shape[:2], 3)
    return np.median(light, axis=1), light.max(axis=1)
