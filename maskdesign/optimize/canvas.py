"""What a design's parameters stand for: a canvas turns them into a texture on the sheet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

from maskdesign.mask.pattern import MaskPattern
from maskdesign.optimize.texture import (
    TextureStyle,
    grid_shape,
    initial_parameters,
    resampled,
    texture_from_parameters,
)


class Canvas(Protocol):
    """Parameters in, texture out. A design holds the parameters and knows nothing else about them."""

    def initial(self, seed: int) -> Tensor:
        """Parameters to start from; the seed alone decides them."""
        ...

    def texture(self, parameters: Tensor) -> Tensor:
        """(3, h, w) sRGB in [0, 1] at the spacing that cameras resolve; differentiable."""
        ...

    def finished(self, parameters: Tensor) -> Tensor:
        """(3, h, w) sRGB in [0, 1] at the spacing of the print."""
        ...


@dataclass(frozen=True)
class Texels:
    """The parameters are logits of the inks on a grid over one repeat of the sheet; a `Canvas`.

    Attributes:
        style, pattern: inks and spacings, and the sheet.
        begun: (K, rows, columns) logits of a design to continue from, on any grid; None begins from noise.
    """

    style: TextureStyle
    pattern: MaskPattern
    begun: Tensor | None = None

    def initial(self, seed: int) -> Tensor:
        """Normal noise, or the design to continue from, (K, rows, columns)."""
        if self.begun is not None:
            return resampled(self.begun, self.repeat_shape[1:])
        return initial_parameters(self.style, self.pattern, seed)

    def texture(self, parameters: Tensor) -> Tensor:
        """As in `Canvas`."""
        return texture_from_parameters(self.style, self.pattern, parameters, self.style.texel_mm)

    def finished(self, parameters: Tensor) -> Tensor:
        """As in `Canvas`."""
        return texture_from_parameters(self.style, self.pattern, parameters, self.style.print_texel_mm)

    @property
    def repeat_shape(self) -> tuple[int, int, int]:
        """(K, rows, columns) of the parameters."""
        rows, columns = grid_shape(self.pattern, self.style.grid_mm)
        across, down = self.style.repeats
        return len(self.style.inks), max(2, round(rows / down)), max(2, round(columns / across))
