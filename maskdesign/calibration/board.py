"""Boards as data: the plain chessboard, and the coded one whose dark cells tell by their inks which cells they are."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from maskdesign.config import from_mapping, read_toml
from maskdesign.errors import ConfigError, InputError
from maskdesign.files import data_path
from maskdesign.mask.pattern import MaskPattern

WHITE = "W"
PLAIN, CODED = "board_three_pleat", "board_coded_three_pleat"


@dataclass(frozen=True)
class Board:
    """A chessboard on a sheet.

    Attributes:
        template: the sheet that it is printed on, a TOML with a table [mask].
        cell_mm: side of a cell.
        columns, rows: number of cells.
        origin_mm: upper left corner of the first cell.
        cells: one string a row, one letter a cell: `W` for paper, else the letter of an ink; cells that share a side
            are never both paper or both ink. Empty for black and white that begins with black.
        letters: one for each ink.
        inks: "#rrggbb" of the dark cells.

    Convention: sheet millimeters, u right and v down, printed side; corner (row, column) with 0 < row < rows and
    0 < column < columns is an inner one, where four cells meet.

    Raises:
        ConfigError: cells that are no chessboard, letters without an ink.
    """

    template: str
    cell_mm: float
    columns: int
    rows: int
    origin_mm: tuple[float, float]
    cells: tuple[str, ...] = ()
    letters: str = "K"
    inks: tuple[str, ...] = ("#000000",)

    def __post_init__(self) -> None:
        if not 2 <= self.columns <= 40 or not 2 <= self.rows <= 40 or not 1 <= self.cell_mm <= 100:
            raise ConfigError(
                f"board of {self.columns} x {self.rows} cells of {self.cell_mm} mm: 2 to 40 of 1 to 100 mm"
            )
        if not self.cells:
            lines = ["".join("KW"[(row + column) % 2] for column in range(self.columns)) for row in range(self.rows)]
            object.__setattr__(self, "cells", tuple(lines))
        if len(self.cells) != self.rows or {len(line) for line in self.cells} != {self.columns}:
            raise ConfigError(f"board.cells must be {self.rows} strings of {self.columns} letters")
        unknown = set("".join(self.cells)) - {WHITE, *self.letters}
        if unknown or len(self.inks) != len(self.letters) or len(set(self.letters)) != len(self.letters):
            raise ConfigError(f"board: each letter of cells needs one ink; letters {self.letters}, inks {self.inks}")
        paper = np.array([[letter == WHITE for letter in line] for line in self.cells])
        if (paper[:, 1:] == paper[:, :-1]).any() or (paper[1:] == paper[:-1]).any():
            raise ConfigError("board.cells: paper and ink must alternate like a chessboard")

    @cached_property
    def symbols(self) -> NDArray[np.int8]:
        """(rows, columns) number of each cell's ink in `inks`, -1 for paper."""
        order = {letter: number for number, letter in enumerate(self.letters)} | {WHITE: -1}
        return np.array([[order[letter] for letter in line] for line in self.cells], np.int8)

    @cached_property
    def ink_rgb(self) -> NDArray[np.uint8]:
        """(K, 3) sRGB of the inks."""
        try:
            return np.array([list(bytes.fromhex(ink.removeprefix("#"))) for ink in self.inks], np.uint8)
        except ValueError as error:
            raise ConfigError(f"board.inks = {self.inks}: write each color as #rrggbb") from error

    @cached_property
    def coded(self) -> bool:
        """Whether cells can be told apart by their inks."""
        return len(self.inks) > 1


def load_board(name: str) -> Board:
    """A board of `calibration/` by its name, or from a TOML file with a table [board].

    Raises:
        InputError: no such file.
        ConfigError: no board, an unknown key, or values out of range.
    """
    path = Path(name) if name.endswith(".toml") else _shipped(name)
    values = read_toml(path)
    if not isinstance(values.get("board"), dict) or len(values) != 1:
        raise ConfigError(f"{path}: a board has one table [board]; see calibration/")
    board = from_mapping(Board, values["board"], "board")
    # A pattern of one's own lies beside the board that names it, wherever the program runs.
    beside = path.parent / board.template
    return replace(board, template=str(beside)) if beside.is_file() else board


def _shipped(name: str) -> Path:
    names = board_names()
    if name not in names:
        raise ConfigError(f"board {name}: neither one of {', '.join(names)} nor a .toml file")
    return data_path(f"calibration/{name}.toml")


def board_names() -> list[str]:
    """Names of the boards that this program ships."""
    return sorted(path.stem for path in data_path("calibration").glob("board_*.toml"))


def inner_corners_mm(board: Board) -> NDArray[np.float64]:
    """(rows - 1, columns - 1, 2) sheet millimeters of the corners where four cells meet."""
    u = board.origin_mm[0] + board.cell_mm * np.arange(1, board.columns)
    v = board.origin_mm[1] + board.cell_mm * np.arange(1, board.rows)
    return np.stack(np.meshgrid(u, v), axis=-1)


def board_pixels(board: Board, pattern: MaskPattern, px_per_mm: float) -> NDArray[np.uint8]:
    """The whole sheet with the board on white paper.

    Args:
        pattern: the sheet; cells beyond it are refused.
        px_per_mm: resolution, at most 24 (600 dpi).

    Returns:
        (h, w, 3) uint8 sRGB.

    Raises:
        InputError: the board does not fit on the sheet, or the resolution is out of range.
    """
    end = np.array(board.origin_mm) + board.cell_mm * np.array([board.columns, board.rows])
    if min(board.origin_mm) < 0 or (end > [pattern.width_mm, pattern.height_mm]).any():
        raise InputError(f"a board up to {end[0]:g} x {end[1]:g} mm leaves the sheet; take a smaller cell")
    if not 0.5 <= px_per_mm <= 24:
        raise InputError(f"{px_per_mm:g} pixels per mm: give 0.5 to 24 (600 dpi)")
    width, height = round(pattern.width_mm * px_per_mm), round(pattern.height_mm * px_per_mm)
    u = ((np.arange(width) + 0.5) / px_per_mm - board.origin_mm[0]) // board.cell_mm
    v = ((np.arange(height) + 0.5) / px_per_mm - board.origin_mm[1]) // board.cell_mm
    padded = np.pad(board.symbols, 1, constant_values=-1)
    column, row = (np.clip(i + 1, 0, n + 1).astype(int) for i, n in ((u, board.columns), (v, board.rows)))
    palette = np.vstack([board.ink_rgb, [[255, 255, 255]]]).astype(np.uint8)
    return palette[padded[row[:, None], column[None, :]]]
