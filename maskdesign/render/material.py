"""How a surface shines: a Phong lobe and the sheen of fabric, on top of Lambert's law."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from maskdesign.errors import InputError

RANGES = {"specular": (0.0, 1.0), "shininess": (0.0, 1000.0), "sheen": (0.0, 1.0)}


@dataclass(frozen=True)
class Finish:
    """What a surface reflects without its own color.

    Attributes:
        specular: share of the light that a lamp in front of the surface loses to the highlight, 0 to 1.
        shininess: exponent of the highlight, 0 to 1000; higher is smaller and brighter.
        sheen: strength of the glow of fibers where light passes them at a grazing angle, 0 to 1.

    Raises:
        InputError: a value outside its range.
    """

    specular: float = 0.0
    shininess: float = 20.0
    sheen: float = 0.0

    def __post_init__(self) -> None:
        for name, (lowest, highest) in RANGES.items():
            if not lowest <= getattr(self, name) <= highest:
                raise InputError(f"finish {name} = {getattr(self, name)} must lie between {lowest:g} and {highest:g}")


MATTE = Finish()
NONWOVEN = Finish(specular=0.02, shininess=8.0, sheen=0.15)
"""A spun-bonded sheet, by eye: nearly matte."""
SKIN = Finish(specular=0.04, shininess=12.0)
"""Skin with a little oil, by eye."""


def gloss(
    finish: Finish, normals: NDArray[np.float64], to_light: NDArray[np.float64], to_eye: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Highlight and sheen, relative to the light that a white matte surface reflects when it faces the lamp.

    The highlight is the energy-conserving Phong lobe (n + 2) / (2 pi) cos^n of Lafortune and Willems, "Using the
    modified Phong reflectance model for physically based rendering", 1994, Eq 3; the sheen is (1 - l.h)^5 of Burley,
    "Physically based shading at Disney", 2012, section 5.

    Args:
        normals, to_light, to_eye: (n, 3) unit vectors; normals face the eye's side.

    Returns:
        (n,) >= 0, the cosine towards the lamp included.
    """
    cosine = np.einsum("nd,nd->n", normals, to_light)
    mirrored = 2 * cosine[:, None] * normals - to_light
    lobe = np.clip(np.einsum("nd,nd->n", mirrored, to_eye), 0, 1) ** finish.shininess
    half = to_light + to_eye
    half /= np.maximum(np.linalg.norm(half, axis=1, keepdims=True), 1e-12)
    grazing = np.clip(1 - np.einsum("nd,nd->n", to_light, half), 0, 1) ** 5
    return np.maximum(cosine, 0) * (finish.specular * (finish.shininess + 2) / 2 * lobe + finish.sheen * grazing)
