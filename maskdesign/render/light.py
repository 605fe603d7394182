"""Light in the room: ambient, a distant lamp, near lamps, spherical harmonics; and the color of a temperature."""

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


HARMONICS = 9
"""Coefficients of spherical harmonics up to the second order."""

LAMP_REFERENCE_MM = 1000.0


@dataclass(frozen=True)
class PointLight:
    """A small lamp near the face.

    Attributes:
        position_mm: where it stands, measured from the camera: +x right in the picture, +y up, +z behind the camera.
            It stays there while the head turns.
        rgb: light that a white surface reflects when it faces the lamp from a meter away; falls with the cosine and
            with the square of the distance.

    Raises:
        InputError: light that is negative, or numbers that are not finite.
    """

    position_mm: tuple[float, float, float]
    rgb: tuple[float, float, float]

    def __post_init__(self) -> None:
        if not np.isfinite(self.position_mm).all():
            raise InputError(f"point light position_mm = {self.position_mm} must be finite")
        if not all(0 <= value < np.inf for value in self.rgb):
            raise InputError(f"point light rgb = {self.rgb} must be finite and not negative")


@dataclass(frozen=True)
class Light:
    """Ambient light, one distant lamp, and what else there may be.

    Attributes:
        ambient_rgb: light that a white surface reflects whichever way it faces.
        directional_rgb: light that a white surface reflects on top when it faces the lamp; falls with the cosine.
        direction: towards the lamp, not zero; its length does not matter.
        points: lamps near the face.
        harmonics_rgb: radiance around the head as 9 coefficients of real spherical harmonics, in the order l, m =
            (0, 0), (1, -1), (1, 0), (1, 1), (2, -2) ... (2, 2), without the Condon-Shortley sign; empty for none. It
            adds to the ambient light.

    Convention: linear RGB, 1 = the camera's white. `direction` stands in the frame of the un-turned face (+x right,
    +y up, +z towards the camera): the lamp stays in the room while the head turns.

    Raises:
        InputError: a direction of length zero, or light that is negative.
    """

    ambient_rgb: tuple[float, float, float]
    directional_rgb: tuple[float, float, float]
    direction: tuple[float, float, float]
    points: tuple[PointLight, ...] = ()
    harmonics_rgb: tuple[tuple[float, float, float], ...] = ()

    def __post_init__(self) -> None:
        if not 0 < np.linalg.norm(self.direction) < np.inf:
            raise InputError(f"light.direction = {self.direction} must point somewhere; give a vector that is not zero")
        for name in ("ambient_rgb", "directional_rgb"):
            if not all(0 <= value < np.inf for value in getattr(self, name)):
                raise InputError(f"light.{name} = {getattr(self, name)} must be finite and not negative")
        if len(self.harmonics_rgb) not in (0, HARMONICS) or not np.isfinite(self.harmonics_rgb).all():
            raise InputError(f"light.harmonics_rgb must be {HARMONICS} finite colors or none, not {self.harmonics_rgb}")


def direction_in_head(light: Light, camera: PinholeCamera) -> NDArray[np.float64]:
    """Unit vector towards the lamp in the frame of the head that the camera sees turned, (3,)."""
    towards = camera.R.T @ FACE_TO_CAMERA @ np.asarray(light.direction, dtype=np.float64)
    return towards / np.linalg.norm(towards)


def position_in_head(lamp: PointLight, camera: PinholeCamera) -> NDArray[np.float64]:
    """Where a near lamp stands in the frame of the head that the camera sees turned, (3,) millimeters."""
    return camera.R.T @ (FACE_TO_CAMERA @ np.asarray(lamp.position_mm, dtype=np.float64) - camera.T)


def harmonic_light(light: Light, normals: NDArray[np.float64]) -> NDArray[np.float64]:
    """Light that white surfaces reflect under `light.harmonics_rgb`.

    Ramamoorthi and Hanrahan, "An efficient representation for irradiance environment maps", SIGGRAPH 2001, Eqs 7 to
    9: each order is multiplied by pi, 2 pi / 3, pi / 4; white reflects the irradiance over pi.

    Args:
        normals: (n, 3) unit vectors in the frame of the un-turned face.

    Returns:
        (n, 3), not below 0.
    """
    if not light.harmonics_rgb:
        return np.zeros((len(normals), 3))
    orders = np.array([1.0] + 3 * [2 / 3] + 5 * [1 / 4])
    return np.maximum((spherical_harmonics(normals) * orders) @ np.asarray(light.harmonics_rgb), 0.0)


def spherical_harmonics(directions: NDArray[np.float64]) -> NDArray[np.float64]:
    """Real spherical harmonics up to the second order, orthonormal over the sphere: (n, 3) unit vectors -> (n, 9)."""
    x, y, z = directions.T
    a, b, c = np.sqrt(3 / (4 * np.pi)), np.sqrt(15 / (4 * np.pi)), np.sqrt(5 / (16 * np.pi))
    constant = np.full_like(x, 1 / np.sqrt(4 * np.pi))
    first = [a * y, a * z, a * x]
    second = [b * x * y, b * y * z, c * (3 * z * z - 1), b * x * z, b / 2 * (x * x - y * y)]
    return np.stack([constant, *first, *second], axis=1)


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
