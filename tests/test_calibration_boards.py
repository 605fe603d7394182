"""Boards are chessboards whose places can be told; the page that is printed is the board."""

from __future__ import annotations

import numpy as np
import pytest

from maskdesign.calibration.board import CODED, PLAIN, Board, board_names, board_pixels, inner_corners_mm, load_board
from maskdesign.calibration.chart import chart_pixels, load_chart, read_chart
from maskdesign.calibration.code import anneal_code, least_distance, strip_windows
from maskdesign.errors import ConfigError, ImageError, InputError
from maskdesign.files import data_path
from maskdesign.jobs.calibrate_board import print_board
from maskdesign.jobs.calibrate_reading import board_pattern
from maskdesign.mask.pattern import MaskPattern
from maskdesign.render.color import DECODED
from maskdesign.sheets.check import check_sheet
from maskdesign.sheets.raster import open_pages, pixels_per_mm, render_page

PATTERN = MaskPattern()


def test_shipped_boards_have_ten_by_nine_inner_corners_on_the_sheet():
    assert {CODED, PLAIN} <= set(board_names())
    for name in (CODED, PLAIN):
        corners = inner_corners_mm(load_board(name))
        assert corners.shape == (9, 10, 2)
        assert (np.diff(corners[0, :, 0]) == 15).all() and (np.diff(corners[:, 0, 1]) == 15).all()
        assert (corners > 0).all() and (corners < [PATTERN.width_mm, PATTERN.height_mm]).all()


def test_every_strip_of_four_corners_is_unlike_every_other_in_any_direction():
    """What one row between shut pleats shows names its place; five corners survive one ink that is misread."""
    symbols = load_board(CODED).symbols
    for corners, least in ((4, 1), (5, 1)):
        windows = strip_windows(symbols, corners)
        assert least_distance(windows[: len(windows) // 2]).min() >= least
    windows = strip_windows(symbols, 5)
    assert (least_distance(windows[: len(windows) // 2]) >= 2).mean() > 0.8


def test_annealing_betters_a_random_code():
    def costly(symbols: np.ndarray) -> int:
        return int((least_distance(strip_windows(symbols, 4)) == 0).sum())

    assert costly(anneal_code(6, 7, 4, 60, seed=3)) <= costly(anneal_code(6, 7, 4, 0, seed=3))


@pytest.mark.parametrize(
    "change",
    [
        {"columns": 1},
        {"cells": ("KW", "KW"), "columns": 2, "rows": 2},
        {"cells": ("KQ", "WK"), "columns": 2, "rows": 2},
        {"letters": "KK", "inks": ("#000000", "#111111")},
    ],
)
def test_no_chessboard_is_refused(change):
    with pytest.raises(ConfigError):
        Board(**{"template": "t", "cell_mm": 15.0, "columns": 4, "rows": 4, "origin_mm": (0.0, 0.0)} | change)


def test_unknown_board_names_those_at_hand():
    with pytest.raises(ConfigError, match=CODED):
        load_board("board_of_directors")
    with pytest.raises(InputError, match="leaves the sheet"):
        board_pixels(Board("t", 15.0, 12, 10, (5.0, 2.5)), PATTERN, 2.0)


def test_printed_page_shows_the_board_in_true_millimeters(tmp_path):
    path = print_board(CODED, "a4", tmp_path)
    assert check_sheet(path).passed
    with open_pages(path) as (page,):
        pixels = render_page(page, 100, grayscale=False)
        scale = pixels_per_mm(page, pixels)[0]
    red = (abs(pixels.astype(int) - [200, 30, 40]) < 12).all(axis=2)
    drawn = sum(line.count("R") for line in load_board(CODED).cells) * 15.0**2
    assert red.sum() / scale**2 == pytest.approx(drawn, rel=0.04)


def test_chart_reads_back_what_was_drawn_and_says_what_is_wrong():
    chart = load_chart()
    assert len(chart.patch_rgb) >= 64 and len(np.unique(chart.patch_rgb, axis=0)) == len(chart.patch_rgb)
    picture = np.rint(chart_pixels(chart, 5.0) * 0.9).astype(np.uint8)
    seen = read_chart(picture, chart)
    expected = DECODED[np.rint(chart.patch_rgb * 0.9).astype(np.uint8)] / DECODED[round(0.9 * 255)]
    np.testing.assert_allclose(seen, expected, atol=0.02)
    for bad, words in (
        (picture[:, ::-1], "mirrored"),
        (picture[:, : picture.shape[1] // 2], "show it whole"),
        (chart_pixels(chart, 5.0), "over-exposed"),
        (picture // 6, "dark"),
    ):
        with pytest.raises(ImageError, match=words):
            read_chart(np.ascontiguousarray(bad), chart)


def test_a_board_finds_the_pattern_and_outline_that_lie_beside_it(tmp_path, monkeypatch):
    folder = tmp_path / "own"
    folder.mkdir()
    for name in ("rounded.toml", "rounded.svg"):
        (folder / name).write_bytes(data_path(f"print_templates/{name}").read_bytes())
    text = data_path(f"calibration/{CODED}.toml").read_text()
    (folder / "board.toml").write_text(text.replace("print_templates/three_pleat.toml", "rounded.toml"))
    monkeypatch.chdir(tmp_path)
    assert board_pattern(load_board("own/board.toml")).outline_mm is not None
    assert print_board("own/board.toml", "a4", tmp_path / "out").is_file()
