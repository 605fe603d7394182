"""`MaskPattern`: the flat sheet before it is folded."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from maskdesign.errors import PatternError
from maskdesign.mask.outline import check_outline

MAX_CELLS = 200_000
"""Of the simulation grid; the default pattern has 4,340."""


@dataclass(frozen=True)
class MaskPattern:
    """A rectangular sheet with horizontal pleats, welded at both sides.

    The folded sizes on the market (175 x 95 mm) and the unfolded one of the PrivacyMask paper (175 x 155 mm,
    section 3.2) leave no choice of the depth: three pleats hide 60 mm in two layers each, so each is 10 mm deep.

    Attributes:
        width_mm: sheet width, ear to ear.
        height_mm: sheet height, nose to chin, unfolded.
        pleat_rows_mm: v of each pleat's first (mountain) fold; its second (valley) fold lies `pleat_depth_mm` lower.
        pleat_depth_mm: distance between the two folds of a pleat.
        cell_mm: spacing of the simulation grid; divides width, height, rows and depth.
        nose_v_mm: where the tip of the nose touches the sheet, below the top edge at half width.
        weld_mm: width of the strip at each side where the shut pleats are welded.
        board_cell_mm: chessboard cell of the calibration print.
        outline_mm: corners (u, v) of the closed polygon that the mask is cut along; None for the whole rectangle. A
            TOML file names a drawing instead, `outline = "mine.svg"`. The rectangle is draped, then cut (`mask.cut`).

    Convention: sheet millimeters, u to the right and v down, on the printed side; origin at the upper left.

    Raises:
        PatternError: pleats that overlap or leave the sheet, sizes that are not positive or no multiple of the cell,
            a nose beside the sheet, too many cells, an outline that cannot be cut from the sheet, worn or pleated.
    """

    width_mm: float = 175.0
    height_mm: float = 155.0
    pleat_rows_mm: tuple[float, ...] = (35.0, 67.5, 100.0)
    pleat_depth_mm: float = 10.0
    cell_mm: float = 2.5
    nose_v_mm: float = 35.0
    weld_mm: float = 5.0
    board_cell_mm: float = 15.0
    outline_mm: tuple[tuple[float, float], ...] | None = None

    def __post_init__(self) -> None:
        for name in ("width_mm", "height_mm", "cell_mm", "board_cell_mm"):
            if not 0 < getattr(self, name) < 1000:
                raise PatternError(f"mask.{name} = {getattr(self, name)} must lie between 0 and 1000 mm")
        if self.width_mm * self.height_mm > MAX_CELLS * self.cell_mm**2:
            raise PatternError(f"mask.cell_mm = {self.cell_mm} makes more than {MAX_CELLS} cells; take larger ones")
        if not 0 <= self.nose_v_mm < self.height_mm:
            raise PatternError(f"mask.nose_v_mm = {self.nose_v_mm} must lie on the sheet, 0 to {self.height_mm} mm")
        if not 0 <= self.weld_mm < self.width_mm / 2:
            raise PatternError(f"mask.weld_mm = {self.weld_mm} must lie between 0 and half the sheet's width")
        if self.pleat_rows_mm and self.pleat_depth_mm <= 0:
            raise PatternError(f"mask.pleat_depth_mm = {self.pleat_depth_mm} must be positive")
        self._check_rows()
        for name, length in self._grid_lengths():
            if abs(length / self.cell_mm - round(length / self.cell_mm)) > 1e-9:
                raise PatternError(f"mask.{name} = {length} mm is no multiple of cell_mm = {self.cell_mm}")
        check_outline(self)

    def _check_rows(self) -> None:
        free_from = 0.0
        for row in self.pleat_rows_mm:
            # A reversed panel as deep as the pleat must fit behind the panel above it.
            if row - free_from < self.pleat_depth_mm:
                raise PatternError(f"mask.pleat_rows_mm: the pleat at {row} mm overlaps the one above or the top edge")
            free_from = row + self.pleat_depth_mm
        if self.pleat_rows_mm and free_from + self.pleat_depth_mm > self.height_mm:
            raise PatternError(
                f"mask.pleat_rows_mm: the pleat at {self.pleat_rows_mm[-1]} mm leaves the sheet of {self.height_mm} mm"
            )

    def _grid_lengths(self) -> list[tuple[str, float]]:
        rows = [("pleat_rows_mm", row) for row in self.pleat_rows_mm]
        return [
            ("width_mm", self.width_mm),
            ("height_mm", self.height_mm),
            ("pleat_depth_mm", self.pleat_depth_mm),
            *rows,
        ]

    @property
    def folded_height_mm(self) -> float:
        """Height with every pleat shut."""
        return self.height_mm - 2 * self.pleat_depth_mm * len(self.pleat_rows_mm)

    @property
    def hidden_share(self) -> float:
        """Share of the sheet, in [0, 1), that no one sees when every pleat is shut."""
        return 1 - self.folded_height_mm / self.height_mm

    @property
    def fold_rows_mm(self) -> list[tuple[float, str]]:
        """Every fold from the top as (v, "mountain" or "valley"), seen from the printed side."""
        pairs = [((row, "mountain"), (row + self.pleat_depth_mm, "valley")) for row in self.pleat_rows_mm]
        return [fold for pair in pairs for fold in pair]


def folded_v_mm(pattern: MaskPattern, v_mm: NDArray[np.float64]) -> NDArray[np.float64]:
    """Height on the folded mask of a point of the flat sheet, pleats shut: t(v) = v - 2 sum clip(v - m_k, 0, d).

    Args:
        v_mm: any shape, sheet millimeters below the top edge.

    Returns:
        the same shape, millimeters below the top edge of the folded mask.
    """
    folded = np.asarray(v_mm, dtype=np.float64).copy()
    for row in pattern.pleat_rows_mm:
        folded -= 2 * np.clip(v_mm - row, 0, pattern.pleat_depth_mm)
    return folded


def panel_of_row(pattern: MaskPattern, v_mm: NDArray[np.float64]) -> NDArray[np.int8]:
    """Number of the panel between folds, counted from the top; odd panels are reversed.

    Args:
        v_mm: any shape; a point on a fold belongs to the panel above it.
    """
    folds = np.array([v for v, _ in pattern.fold_rows_mm])
    return np.searchsorted(folds, v_mm, side="left").astype(np.int8)
