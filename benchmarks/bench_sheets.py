"""Figures of the printed sheet: how true it is, what the check notices, what both cost."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pikepdf

from maskdesign.mask.pattern import MaskPattern
from maskdesign.sheets.check import SheetCheck, check_sheet
from maskdesign.sheets.layout import SheetInfo
from maskdesign.sheets.paper import find_paper
from maskdesign.sheets.write import write_sheet

CASES = 40
SEED = 20


def smooth_texture(height: int = 248, width: int = 280) -> np.ndarray:
    v, u = np.mgrid[0:height, 0:width] / 24.0
    waves = np.stack([np.sin(u + np.cos(v)), np.cos(1.3 * u - v), np.sin(0.7 * v + 0.3 * u)], axis=-1)
    return np.rint(127 + 100 * waves).astype(np.uint8)


def make_sheet(path: Path, paper: str) -> Path:
    write_sheet(
        path, smooth_texture(), MaskPattern(), SheetInfo("bench", "0123456789ab", "2025-01-01"), find_paper(paper)
    )
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


def random_checks(source: Path, folder: Path, least: float, most: float) -> list[tuple[SheetCheck, float]]:
    """Checks of copies scaled by 1 +- [least, most], shifted and turned, each with its error in mm over 150 mm."""
    random = np.random.default_rng(SEED)
    results = []
    for case in range(CASES):
        scale = 1 + random.choice((-1, 1)) * random.uniform(least, most)
        width, height = ((scale, scale), (scale, 1.0), (1.0, scale))[case % 3]
        shift_pt = random.uniform(-8, 8, 2)
        copy = scaled_copy(source, folder / "copy.pdf", width, height, shift_pt, int(random.integers(4)))
        check = check_sheet(copy)
        error_mm = 150 * max(abs(check.width_scale - width), abs(check.height_scale - height))
        results.append((check, error_mm))
    return results


def seconds(work: Callable[[], object], times: int = 3) -> float:
    """The least process time of a few runs."""
    spent = []
    for _ in range(times):
        start = time.process_time()
        work()
        spent.append(time.process_time() - start)
    return min(spent)


def figure(value: float, goal: float, better: str, unit: str) -> dict:
    return {"value": value, "goal": goal, "better": better, "unit": unit, "issue": "spine"}


def raster_error_mm(check: SheetCheck) -> float:
    return 150 * max(abs(check.width_scale - 1), abs(check.height_scale - 1))


def vector_error_mm(check: SheetCheck) -> float:
    return 150 * max(abs(scale - 1) for scale in check.vector_scale) if check.vector_scale else float("inf")


def figures() -> dict[str, dict]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        sheets = {paper: make_sheet(folder / f"{paper}.pdf", paper) for paper in ("a4", "letter")}
        checks = {paper: check_sheet(path) for paper, path in sheets.items()}
        off = random_checks(sheets["a4"], folder, 0.01, 0.03)
        true = random_checks(sheets["letter"], folder, 0.0, 0.0002)
        return {
            **{
                f"sheet raster error {paper}": figure(raster_error_mm(check), 0.1, "lower", "mm/150 mm")
                for paper, check in checks.items()
            },
            "sheet vector error": figure(max(map(vector_error_mm, checks.values())), 0.01, "lower", "mm/150 mm"),
            "sheet 1 % scale caught": figure(
                np.mean([not check.passed for check, _ in off]).item(), 1.0, "higher", "share"
            ),
            "sheet false alarms": figure(
                np.mean([not check.passed for check, _ in true]).item(), 0.0, "lower", "share"
            ),
            "sheet raster error moved": figure(max(error for _, error in off + true), 0.1, "lower", "mm/150 mm"),
            "sheet written": figure(seconds(lambda: make_sheet(folder / "timed.pdf", "a4")), 3.0, "lower", "CPU s"),
            "sheet checked": figure(seconds(lambda: check_sheet(sheets["a4"])), 3.0, "lower", "CPU s"),
        }


if __name__ == "__main__":
    for name, entry in figures().items():
        print(f"{name:28s} {entry['value']:.5f} {entry['unit']} (goal {entry['goal']})")
