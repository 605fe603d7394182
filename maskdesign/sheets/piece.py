"""What is printed: a piece to cut out, and what covers it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from maskdesign.mask.pattern import MaskPattern

Ring = tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Cell:
    """A flat area of one color.

    Attributes:
        color: "#rrggbb".
        ring_mm: its corners in sheet millimeters, (u, v) each; the last one joins the first.
    """

    color: str
    ring_mm: Ring


@dataclass(frozen=True)
class Label:
    """A short line of type, centered on its point.

    Attributes:
        words: what it says.
        u_mm: of the middle of the line.
        v_mm: of its baseline.
        size_pt: type size.
        color: "#rrggbb".
    """

    words: str
    u_mm: float
    v_mm: float
    size_pt: float = 5.0
    color: str = "#5a5a5a"


@dataclass(frozen=True)
class Artwork:
    """What covers a piece: a picture, then cells, then labels.

    Attributes:
        picture: (H, W, 3) uint8 sRGB from edge to edge of the piece, row 0 along its top; None for none. Coarser ones
            than the template's resolution are enlarged smoothly: give edges that matter as cells.
        cells: drawn as vectors, so exact at every resolution; cells of one color must not overlap.
        labels: on top.
    """

    picture: NDArray[np.uint8] | None = None
    cells: tuple[Cell, ...] = ()
    labels: tuple[Label, ...] = ()


@dataclass(frozen=True)
class Piece:
    """A rectangle, or a part of one, to cut out, with what is marked on it and around it.

    Attributes:
        title: large, in the page's header.
        subtitle: small, beside it.
        width_mm: of the outline.
        height_mm: of the outline.
        fold_rows_mm: (v, "mountain" or "valley") from the top.
        fold_lines: False for boards, whose corners no line may cross: their folds are marked beside them only.
        weld_mm: width of the strips that are welded at both sides; 0 marks no mask: neither welds, loops nor wire.
        chessboard: cells of the layer that shows the mask's calibration board instead of its texture.
        outline_mm: corners of the line to cut along; None for the rectangle.

    Convention: sheet millimeters, u right and v down from the upper left corner, printed side.
    """

    title: str
    subtitle: str
    width_mm: float
    height_mm: float
    fold_rows_mm: tuple[tuple[float, str], ...] = ()
    fold_lines: bool = True
    weld_mm: float = 0.0
    chessboard: tuple[Cell, ...] = ()
    outline_mm: Ring | None = None


def mask_piece(pattern: MaskPattern, title: str = "", fold_lines: bool = True) -> Piece:
    """The piece that a mask is folded from.

    Args:
        title: of the page; the mask's kind and size else.
        fold_lines: as in `Piece`.
    """
    kind = "Pleated" if pattern.pleat_rows_mm else "Flat"
    return Piece(
        title=title or f"{kind} mask {pattern.width_mm:g} × {pattern.height_mm:g} mm",
        subtitle=f"folded {pattern.width_mm:g} × {pattern.folded_height_mm:g} mm",
        width_mm=pattern.width_mm,
        height_mm=pattern.height_mm,
        fold_rows_mm=tuple(pattern.fold_rows_mm),
        fold_lines=fold_lines,
        weld_mm=pattern.weld_mm,
        chessboard=chessboard(pattern.width_mm, pattern.height_mm, pattern.board_cell_mm),
        outline_mm=pattern.outline_mm,
    )


def chessboard(width_mm: float, height_mm: float, cell_mm: float) -> tuple[Cell, ...]:
    """The black cells of the largest board of whole cells in the middle of a sheet; the upper left cell is black."""
    columns, rows = int(width_mm // cell_mm), int(height_mm // cell_mm)
    left_mm, top_mm = (width_mm - columns * cell_mm) / 2, (height_mm - rows * cell_mm) / 2
    return tuple(
        rectangle("#000000", left_mm + cell_mm * column, top_mm + cell_mm * row, cell_mm, cell_mm)
        for row in range(rows)
        for column in range(row % 2, columns, 2)
    )


def rectangle(color: str, u_mm: float, v_mm: float, width_mm: float, height_mm: float) -> Cell:
    """A cell with upright sides, by its upper left corner and its size."""
    right_mm, bottom_mm = u_mm + width_mm, v_mm + height_mm
    return Cell(color, ((u_mm, v_mm), (right_mm, v_mm), (right_mm, bottom_mm), (u_mm, bottom_mm)))
