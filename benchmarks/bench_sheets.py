"""Figures of the printed sheet: how true it is, what the check notices, what both cost."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pikepdf

from benchmarks.sheet_photos import photograph
from maskdesign.files import read_image
from maskdesign.mask.pattern import MaskPattern
from maskdesign.sheets.check import check_photo, check_raster, check_sheet
from maskdesign.sheets.page import SheetInfo
from maskdesign.sheets.paper import find_paper
from maskdesign.sheets.preview import sheet_preview
from maskdesign.sheets.template import load_template
from maskdesign.sheets.verdict import SheetCheck
from maskdesign.sheets.write import write_sheet

RANDOM_CASES = 200
PDF_CASES = 5
PHOTOS = 10
SEED = 20
KINDS = {
    "a4": ("a4", "sheet"),
    "letter": ("letter", "sheet"),
    "a3": ("a3", "sheet"),
    "tiled a5": ("a5", "sheet"),
    "mirrored": ("a4", "sublimation"),
}


def smooth_texture(height: int = 248, width: int = 280) -> np.ndarray:
    v, u = np.mgrid[0:height, 0:width] / 24.0
    waves = np.stack([np.sin(u + np.cos(v)), np.cos(1.3 * u - v), np.sin(0.7 * v + 0.3 * u)], axis=-1)
    return np.rint(127 + 100 * waves).astype(np.uint8)


def make_sheet(path: Path, paper: str, template: str = "sheet") -> Path:
    info = SheetInfo("bench", "0123456789ab", "2025-01-01")
    write_sheet(path, smooth_texture(), MaskPattern(), info, find_paper(paper), load_template(template))
    return path


def scaled_copy(source: Path, target: Path, width: float, height: float, shift_pt: np.ndarray, quarter: int) -> Path:
    with pikepdf.open(source) as document:
        page = document.pages[0]
        x, y = float(page.mediabox[2]) / 2, float(page.mediabox[3]) / 2
        move = f"{x - width * x + shift_pt[0]} {y - height * y + shift_pt[1]}"
        page.contents_add(f"q {width} 0 0 {height} {move} cm".encode(), prepend=True)
        page.contents_add(b"Q")
        page.rotate(90 * quarter, relative=False)
        document.save(target)
    return target


def random_scale(random: np.random.Generator, case: int, least: float, most: float) -> tuple[float, float]:
    scale = 1 + random.choice((-1, 1)) * random.uniform(least, most)
    return ((scale, scale), (scale, 1.0), (1.0, scale))[case % 3]


def random_checks(sheets: dict[str, Path], folder: Path, least: float, most: float) -> list[tuple[SheetCheck, float]]:
    """Checks of pages scaled by 1 +- [least, most], each with its error in mm over 150 mm.

    A few go through the PDF, shifted and turned by quarters; the others through a scan of 200 dpi at any angle, with
    blur and noise.
    """
    random, results = np.random.default_rng(SEED), []
    for number, path in enumerate(sheets.values()):
        page, count = sheet_preview(path, 200)[..., 1], RANDOM_CASES // len(sheets)
        for case in range(count):
            width, height = random_scale(random, case, least, most)
            if case < PDF_CASES:
                shift_pt, quarter = random.uniform(-8, 8, 2), int(random.integers(4))
                check = check_sheet(scaled_copy(path, folder / f"{number}.pdf", width, height, shift_pt, quarter))
            else:
                check = check_raster(scanned(page, random, width, height), 200)
            error_mm = 150 * max(abs(check.width_scale - width), abs(check.height_scale - height))
            results.append((check, error_mm))
    return results


def scanned(page: np.ndarray, random: np.random.Generator, width: float, height: float) -> np.ndarray:
    """A scan of a print: scaled about its middle, turned by up to 4 degrees, blurred, noisy."""
    angle, center = np.radians(random.uniform(-4, 4)), np.array(page.shape[::-1]) / 2
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    matrix = turn @ np.diag([width, height])
    margin = 80
    # OpenCV counts from the middle of the first pixel.
    shift = center + margin - matrix @ center + (matrix @ [0.5, 0.5] - 0.5)
    size = (page.shape[1] + 2 * margin, page.shape[0] + 2 * margin)
    scan = cv2.warpAffine(page, np.column_stack([matrix, shift]), size, borderValue=255.0)
    scan = cv2.GaussianBlur(scan, (0, 0), random.uniform(0.5, 1.2)) + random.normal(0, 3, scan.shape)
    return np.clip(scan, 0, 255).astype(np.uint8)


def poppler_error_mm(path: Path, paper: str, folder: Path) -> float | None:
    """Raster error of the last page as poppler draws it; None where poppler is not installed."""
    if shutil.which("pdftoppm") is None:
        return None
    subprocess.run(["pdftoppm", "-r", "300", "-png", path, folder / "poppler"], check=True)
    pixels = read_image(sorted(folder.glob("poppler*.png"))[-1])
    sides = sorted((find_paper(paper).width_mm, find_paper(paper).height_mm))
    width_mm, height_mm = sides if pixels.shape[0] > pixels.shape[1] else sides[::-1]
    dpi = (pixels.shape[1] / width_mm * 25.4, pixels.shape[0] / height_mm * 25.4)
    return raster_error_mm(check_raster(pixels, dpi))


def photo_errors(path: Path) -> list[float]:
    """Largest relative error of the scale on simulated phone photos of the mask's page."""
    page, random, errors = sheet_preview(path, 240), np.random.default_rng(SEED), []
    for case in range(PHOTOS):
        width, height = random_scale(random, case, 0.0, 0.03)
        check = check_photo(photograph(page, (210.0, 297.0), (width, height), random))
        errors.append(max(abs(check.width_scale / width - 1), abs(check.height_scale / height - 1)))
    return errors


def seconds(work: Callable[[], object], times: int = 3) -> float:
    """The least process time of a few runs."""
    spent = []
    for _ in range(times):
        start = time.process_time()
        work()
        spent.append(time.process_time() - start)
    return min(spent)


def figure(value: float | None, goal: float, better: str, unit: str, issue: str = "paper") -> dict:
    return {"value": value, "goal": goal, "better": better, "unit": unit, "issue": issue}


def raster_error_mm(check: SheetCheck) -> float:
    return 150 * max(abs(check.width_scale - 1), abs(check.height_scale - 1))


def vector_error_mm(check: SheetCheck) -> float:
    return 150 * max(abs(scale - 1) for scale in check.vector_scale) if check.vector_scale else float("inf")


def share(values: list[bool]) -> float:
    return float(np.mean(values))


def figures() -> dict[str, dict]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        sheets = {kind: make_sheet(folder / f"{kind}.pdf", *how) for kind, how in KINDS.items()}
        checks = {kind: check_sheet(path) for kind, path in sheets.items()}
        off, true = random_checks(sheets, folder, 0.01, 0.03), random_checks(sheets, folder, 0.0, 0.001)
        entries = {}
        for kind, check in checks.items():
            entries[f"sheet raster error {kind}"] = figure(raster_error_mm(check), 0.1, "lower", "mm/150 mm")
        error_mm = poppler_error_mm(sheets["a4"], "a4", folder)
        return entries | {
            "sheet raster error a4, poppler": figure(error_mm, 0.1, "lower", "mm/150 mm"),
            "sheet vector error": figure(max(map(vector_error_mm, checks.values())), 0.01, "lower", "mm/150 mm"),
            "sheet 1 % scale caught": figure(share([not check.passed for check, _ in off]), 1.0, "higher", "share"),
            "sheet false alarms at 0.1 %": figure(
                share([not check.passed for check, _ in true]), 0.0, "lower", "share"
            ),
            "sheet scan error": figure(max(error for _, error in off + true), 0.45, "lower", "mm/150 mm"),
            "sheet photo error": figure(100 * max(photo_errors(sheets["a4"])), 0.3, "lower", "%"),
            "sheet written": figure(seconds(lambda: make_sheet(folder / "timed.pdf", "a4")), 3.0, "lower", "CPU s"),
            "sheet checked": figure(seconds(lambda: check_sheet(sheets["a4"])), 3.0, "lower", "CPU s"),
        }


if __name__ == "__main__":
    for name, entry in figures().items():
        print(f"{name:34s} {entry['value']} {entry['unit']} (goal {entry['goal']})")
