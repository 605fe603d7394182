"""A user's own picture as the prior: a canvas draws over it, and no color moves further than a stated distance."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from maskdesign.errors import ConfigError
from maskdesign.optimize.canvas import Canvas
from maskdesign.render.color import srgb_decode

D65_FROM_SRGB = (
    (0.4124564 / 0.95047, 0.3575761 / 0.95047, 0.1804375 / 0.95047),
    (0.2126729, 0.7151522, 0.0721750),
    (0.0193339 / 1.08883, 0.1191920 / 1.08883, 0.9503041 / 1.08883),
)
"""Linear sRGB -> CIE XYZ relative to the white D65."""
ROUNDS, STRIDE = 14, 0.02
"""Halvings of the way that a color may go, and the part of it over which the distance's growth is taken."""


@dataclass(frozen=True)
class PictureSettings:
    """A picture that a design departs from.

    Attributes:
        file: PNG, JPEG or another photo file; empty for none. Laid on the sheet so that it covers it, middle on middle.
        departure: how far each color may move from the picture's, CIELAB (Delta E of 1976); about 2 can just be seen.
        allow_face: whether a picture in which two detectors find a face is taken.
    """

    file: str = ""
    departure: float = 20.0
    allow_face: bool = False

    def __post_init__(self) -> None:
        if not 1 <= self.departure <= 100:
            raise ConfigError(f"picture.departure = {self.departure} must lie between 1 and 100")


def lab(colors: Tensor) -> Tensor:
    """CIELAB (D65) of sRGB colors; differentiable.

    Args:
        colors: (3, h, w) in [0, 1].

    Returns:
        (3, h, w): L in [0, 100], a, b.
    """
    x, y, z = torch.einsum("kc,chw->khw", torch.tensor(D65_FROM_SRGB).to(colors), srgb_decode(colors))
    x, y, z = (_cube_root(value) for value in (x, y, z))
    return torch.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def _cube_root(value: Tensor) -> Tensor:
    knee = (6 / 29) ** 3
    return torch.where(value > knee, value.clamp_min(knee) ** (1 / 3), value / (3 * (6 / 29) ** 2) + 4 / 29)


def apart(colors: Tensor, others: Tensor) -> Tensor:
    """(h, w) Delta E (CIE 1976) of two sRGB pictures, (3, h, w); its gradient is finite where they are alike."""
    return ((lab(colors) - lab(others)).square().sum(dim=0) + 1e-8).sqrt()


def towards(picture: Tensor, wanted: Tensor, departure: float) -> Tensor:
    """Each color of a picture moved towards a wanted one until it gets there or is `departure` away.

    On the straight line between the two in sRGB, so that what lies between printable colors is printable.

    Args:
        picture, wanted: (3, h, w) sRGB in [0, 1].
        departure: Delta E (CIE 1976).

    Returns:
        (3, h, w); differentiable in `wanted`.
    """
    share, slope = _furthest(picture, wanted.detach(), departure)
    # The share follows `wanted` so that the distance stays the same: by the derivative of an implicit function.
    distance = apart(picture, picture + share * (wanted - picture))
    share = share - torch.where(share < 1, (distance - distance.detach()) / slope, 0.0)
    return picture + share * (wanted - picture)


@torch.no_grad()
def _furthest(picture: Tensor, wanted: Tensor, departure: float) -> tuple[Tensor, Tensor]:
    """The share of the way on which the distance stays within the departure, by halves, and how fast it grows there."""
    low, high = torch.zeros_like(wanted[0]), torch.ones_like(wanted[0])
    whole = apart(picture, wanted)
    for _ in range(ROUNDS):
        middle = (low + high) / 2
        within = apart(picture, picture + middle * (wanted - picture)) <= departure
        low, high = torch.where(within, middle, low), torch.where(within, high, middle)
    ends = [apart(picture, picture + low * scale * (wanted - picture)) for scale in (1.0, 1 - STRIDE)]
    slope = ((ends[0] - ends[1]) / (STRIDE * low).clamp_min(1e-9)).clamp_min(1e-3)
    return torch.where(whole <= departure, 1.0, low), slope


@dataclass(frozen=True, eq=False)
class PictureCanvas:
    """Another canvas, whose texture says where the colors of a picture move; a `Canvas`.

    Attributes:
        canvas: says where to.
        laid: (h, w) of a texture -> the picture on it, (3, h, w) sRGB, at the spacings that `canvas` has.
        departure: as in `towards`.
    """

    canvas: Canvas
    laid: Mapping[tuple[int, int], Tensor]
    departure: float

    def initial(self, seed: int) -> Tensor:
        """As in `Canvas`."""
        return self.canvas.initial(seed)

    def texture(self, parameters: Tensor) -> Tensor:
        """As in `Canvas`."""
        return self._moved(self.canvas.texture(parameters))

    def finished(self, parameters: Tensor) -> Tensor:
        """As in `Canvas`."""
        return self._moved(self.canvas.finished(parameters))

    def _moved(self, wanted: Tensor) -> Tensor:
        picture = self.laid[wanted.shape[1], wanted.shape[2]].to(wanted)
        return towards(picture, wanted, self.departure)
