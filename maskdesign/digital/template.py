"""Where a photo is changed: square cells, and the XOR operand under them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Template:
    """Cells of a picture, each wholly inside it.

    Attributes:
        cells_px: (n, 3) int32: left and upper edge, and side. Cells may overlap where faces do.

    Convention: x right, y down, pixels counted from 0.
    """

    cells_px: NDArray[np.int32]

    def mask(self, height_px: int, width_px: int) -> NDArray[np.bool_]:
        """(H, W), True under a cell."""
        covered = np.zeros((height_px, width_px), dtype=bool)
        for x, y, side in self.cells_px.tolist():
            covered[y : y + side, x : x + side] = True
        return covered


def joined(templates: list[Template]) -> Template:
    """Cells of several faces in one picture."""
    return Template(np.concatenate([np.zeros((0, 3), np.int32), *(template.cells_px for template in templates)]))


def values_under(template: Template, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """What lies under the cells, (total,), cell by cell, row by row, channel by channel."""
    parts = [pixels[y : y + side, x : x + side].reshape(-1) for x, y, side in template.cells_px.tolist()]
    return np.concatenate([np.zeros(0, np.uint8), *parts])


def operand_image(template: Template, values: NDArray[np.uint8], shape: tuple[int, int, int]) -> NDArray[np.uint8]:
    """The operand as a picture, 0 outside the cells; the inverse of `values_under`.

    Args:
        values: as `values_under` gives them.
        shape: height, width and color channels.
    """
    image, start = np.zeros(shape, dtype=np.uint8), 0
    for x, y, side in template.cells_px.tolist():
        count = side * side * shape[2]
        image[y : y + side, x : x + side] = values[start : start + count].reshape(side, side, shape[2])
        start += count
    return image


def value_count(template: Template, channels: int) -> int:
    """Length of what `values_under` gives."""
    return int((template.cells_px[:, 2].astype(np.int64) ** 2).sum()) * channels
