"""What becomes of a color on its way through printer, cloth and ink: printed RGB -> seen RGB, differentiable.

The form is the root polynomial of Finlayson, Mackiewicz and Hurlbert, "Color correction using root-polynomial
regression", IEEE TIP 24(5), 2015, with free exponents, so that a constant (ink that is never quite black) and plain
polynomials fit in too.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from maskdesign.errors import ConfigError
from maskdesign.render.color import srgb_decode

Triple = tuple[float, float, float]

MAX_TERMS = 64
MAX_EXPONENT = 8.0
IDENTITY: tuple[Triple, ...] = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
DARKEST_LINEAR = 1e-8
"""Linear light below this counts as this much: the slope of a root has no bound at 0."""


@dataclass(frozen=True)
class PrintResponse:
    """A printer and its cloth, as cameras see them; the default prints every color as it is.

    With the linear light x = (r, g, b) of the texture, term k is r^e0 g^e1 b^e2 with row k of `exponents`, and the
    seen linear light is the sum over k of term k times row k of `coefficients`, not below 0. Where every row of
    `exponents` adds up to 1, twice the light is seen as twice the light.

    In a configuration it is the table `[render.print_response]`; color calibration writes one.

    Attributes:
        exponents: (K, 3), 0 to 8; K from 1 to 64.
        coefficients: (K, 3), columns are seen red, green and blue.

    Raises:
        ConfigError: tables of different lengths, empty or too long ones, or numbers out of range.
    """

    exponents: tuple[Triple, ...] = IDENTITY
    coefficients: tuple[Triple, ...] = IDENTITY

    def __post_init__(self) -> None:
        if not 1 <= len(self.exponents) == len(self.coefficients) <= MAX_TERMS:
            raise ConfigError(
                f"print_response has {len(self.exponents)} rows of exponents and {len(self.coefficients)} of "
                f"coefficients; it needs as many of both, 1 to {MAX_TERMS}"
            )
        if not all(0 <= value <= MAX_EXPONENT for row in self.exponents for value in row):
            raise ConfigError(f"print_response.exponents = {self.exponents} must lie between 0 and {MAX_EXPONENT:g}")
        if not all(abs(value) < float("inf") for row in self.coefficients for value in row):
            raise ConfigError(f"print_response.coefficients = {self.coefficients} must be finite")


UNCHANGED = PrintResponse()
"""Every color is seen as it was sent to the printer."""


def printed_color(response: PrintResponse, texture_rgb: Tensor) -> Tensor:
    """Linear light that the printed texture sends back where light 1 falls on it.

    Args:
        texture_rgb: (3, h, w) sRGB in [0, 1], as it is sent to the printer.

    Returns:
        (3, h, w) linear light, >= 0; differentiable in `texture_rgb`.
    """
    linear = srgb_decode(texture_rgb)
    if response == UNCHANGED:
        return linear
    exponents, coefficients = (linear.new_tensor(rows) for rows in (response.exponents, response.coefficients))
    logarithms = linear.clamp_min(DARKEST_LINEAR).log()
    terms = torch.einsum("kc,chw->khw", exponents, logarithms).exp()
    return torch.einsum("kc,khw->chw", coefficients, terms).clamp_min(0)
