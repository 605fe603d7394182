"""Boards and the color chart as printable pages."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from maskdesign.calibration.board import WHITE, Board, board_names, load_board
from maskdesign.calibration.chart import CHART, chart_cells, load_chart
from maskdesign.errors import ConfigError
from maskdesign.jobs.calibrate_reading import board_pattern
from maskdesign.sheets.page import SheetInfo
from maskdesign.sheets.paper import find_paper
from maskdesign.sheets.piece import Artwork, Piece, mask_piece, rectangle
from maskdesign.sheets.template import load_template
from maskdesign.sheets.write import write_piece


def print_board(name: str, paper: str, out: Path) -> Path:
    """Write the page of a board or of the chart, in true millimeters.

    Args:
        name: of `calibration/`, or a board's TOML file.
        paper: as `maskdesign sheet --paper` takes it.
        out: folder; the page is NAME.pdf in it.

    Raises:
        ConfigError: no such board.
    """
    if name not in (*board_names(), CHART) and not name.endswith(".toml"):
        raise ConfigError(f"--board {name}: none of {', '.join((*board_names(), CHART))} and no .toml file")
    path = out / f"{Path(name).stem}.pdf"
    piece, artwork = _chart() if name == CHART else _board(load_board(name))
    info = SheetInfo(Path(name).stem, "calibration", date.today().isoformat())
    write_piece(path, piece, artwork, info, find_paper(paper), load_template("board"))
    return path


def _board(board: Board) -> tuple[Piece, Artwork]:
    inks = dict(zip(board.letters, board.inks, strict=True))
    cells = [
        rectangle(inks[letter], *_corner(board, row, column), board.cell_mm, board.cell_mm)
        for row, line in enumerate(board.cells)
        for column, letter in enumerate(line)
        if letter != WHITE
    ]
    kind = "Coded board" if board.coded else "Chessboard"
    return mask_piece(board_pattern(board), f"{kind}, {board.cell_mm:g} mm", fold_lines=False), Artwork(
        cells=tuple(cells)
    )


def _corner(board: Board, row: int, column: int) -> tuple[float, float]:
    return board.origin_mm[0] + column * board.cell_mm, board.origin_mm[1] + row * board.cell_mm


def _chart() -> tuple[Piece, Artwork]:
    chart = load_chart()
    piece = Piece("Color chart", f"{chart.rows * chart.columns} patches", chart.width_mm, chart.height_mm)
    return piece, Artwork(cells=tuple(rectangle(*cell) for cell in chart_cells(chart)))
