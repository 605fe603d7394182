"""Light in the room: ambient and one distant lamp, colored by its temperature."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from maskdesign.errors import InputError
from maskdesign.render.camera import FACE_TO_CAMERA, PinholeCamera

KELVIN_RANGE = (1667.0, 25000.0)

XYZ_TO_SRGB = np.array(
    [
        [3.2404541621, -1.5371385128, -0.4985314096],
        [-0.9692660305, 1.8760108454, 0.0415560175],
        [0.0556434310, -0.2040259135, 1.0572251882],
    ]
)
"""Linear sRGB from CIE 1931 XYZ, white point D65 (IEC 61966-2-1)."""


@dataclass(frozen=True)
class Light:
    """Ambient light and one distant lamp.

    Attributes:
        ambient_rgb: light that a white surface reflects whichever way it faces.
        directional_rgb: light that a white surface reflects on top when it faces the lamp; falls with the cosine.
        direction: towards the lamp, not zero; its length does not matter.

    Convention: linear RGB, 1 = the camera's white. `direction` stands in the frame of the un-turned face (+x right,
    +y up, +z towards the camera): the lamp stays in the room while the head turns.

    Raises:
        InputError: a direction of length zero, or light that is negative.
    """

    ambient_rgb: tuple[float, float, float]
    directional_rgb: tuple[float, float, float]
    direction: tuple[float, float, float]

    def __post_init__(self) -> None:
        if not 0 < np.linalg.norm(self.direction) < np.inf:
            raise InputError(f"light.direction = {self.direction} must point somewhere; give a vector that is not zero")
        for name in ("ambient_rgb", "directional_rgb"):
            if not all(0 <= value < np.inf for value in getattr(self, name)):
                raise InputError(f"light.{name} = {getattr(self, name)} must be finite and not negative")


def direction_in_head(light: Light, camera: PinholeCamera) -> NDArray[np.float64]:
    """Unit vector towards the lamp in the frame of the head that the camera sees turned, (3,)."""
    towards = camera.R.T @ FACE_TO_CAMERA @ np.asarray(light.direction, dtype=np.float64)
    return towards / np.linalg.norm(towards)


def color_temperature_rgb(kelvin: float) -> NDArray[np.float64]:
    """Color of a black body.

    The chromaticity is the cubic fit of Kang, Moon, Hong, Lee, Cho and Kim, "Design of advanced color temperature
    control system for HDTV applications", J. Korean Phys. Soc. 41 (2002), equations 9 to 11.

    Args:
        kelvin: 1667 to 25000.

    Returns:
        (3,) linear sRGB with the largest channel 1; what sRGB cannot show (blue below 1900 K) is cut to 0.

    Raises:
        InputError: a temperature outside the range.
    """
    if not KELVIN_RANGE[0] <= kelvin <= KELVIN_RANGE[1]:
        raise InputError(f"color temperature {kelvin} K must lie between {KELVIN_RANGE[0]:g} and {KELVIN_RANGE[1]:g} K")
    x, y = _planckian_chromaticity(kelvin)
    rgb = np.maximum(XYZ_TO_SRGB @ [x / y, 1.0, (1 - x - y) / y], 0.0)
    return rgb / rgb.max()


def _planckian_chromaticity(kelvin: float) -> tuple[float, float]:
    t = 1000.0 / kelvin
    if kelvin <= 4000:
        x = np.polyval([-0.2661239, -0.2343589, 0.8776956, 0.179910], t)
    else:
        x = np.polyval([-3.0258469, 2.1070379, 0.2226347, 0.240390], t)
    if kelvin <= 2222:
        y = np.polyval([-1.1063814, -1.34811020, 2.18555832, -0.20219683], x)
    elif kelvin <= 4000:
        y = np.polyval([-0.9549476, -1.37418593, 2.09137015, -0.16748867], x)
    else:
        y = np.polyval([3.0817580, -5.87338670, 3.75112997, -0.37001483], x)
    return float(x), float(y)
