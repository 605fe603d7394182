"""Faces of a population by color: skin tone and its unevenness, hair, brows, eyes and lips, from the painted portrait.

Convention: textures are sRGB-encoded, float [0, 255], in the layout of the head model's uv.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from maskdesign.faces.head import builtin_face
from maskdesign.faces.head_model import HeadModel, load_head_model
from maskdesign.faces.landmarks import EYE_RINGS, LOWER_LIP, UPPER_LIP
from maskdesign.faces.texture_space import SIZE_PX, interpolate, pull_push

TONE_RANGE = (0.38, 1.12)
"""Brightness of skin relative to the painted portrait's, from dark to light."""
DARK_TONE = 0.75
"""Below it hair and eyes are dark, as they are nearly everywhere in the world."""
HAIRS = ((28, 24, 23), (44, 33, 28), (66, 48, 38), (96, 68, 48), (120, 64, 40), (160, 126, 84), (132, 128, 124))
IRISES = ((48, 30, 20), (84, 54, 30), (104, 86, 50), (96, 112, 92), (104, 128, 146), (120, 132, 138))
DARK_HAIRS, DARK_IRISES = 2, 2
"""How many of these, from the first on, go with dark skin."""
BROWS = ((70, 63, 105, 66, 107, 55, 65, 52, 53, 46), (300, 293, 334, 296, 336, 285, 295, 282, 283, 276))
BROW_STRENGTH = (0.45, 1.0)
LIP_STRENGTH = (0.25, 1.1)
"""How much of the painted redness of the lips stays."""
BLOTCHES = ((60.0, 0.014), (14.0, 0.01), (2.0, 0.012))
"""Reach in texels and standard deviation of the unevenness of skin."""


@dataclass(frozen=True)
class _Portrait:
    """The painted texture, (N, N, 3), and (N, N) in [0, 1] where it shows hair, brows, irises and lips."""

    texture: NDArray[np.float32]
    skin: NDArray[np.float32]
    hair: NDArray[np.float32]
    brows: NDArray[np.float32]
    irises: NDArray[np.float32]
    lips: NDArray[np.float32]


def random_complexion(random: np.random.Generator) -> NDArray[np.uint8]:
    """The texture of a head that is nobody's, (1024, 1024, 3) uint8.

    Darker skin is also redder, for melanin takes most of the blue (Jacques 2013, "Optical properties of biological
    tissues").
    """
    portrait = _portrait()
    brightness = random.uniform(*TONE_RANGE)
    dark = brightness < DARK_TONE
    hair = np.array(HAIRS[random.integers(DARK_HAIRS if dark else len(HAIRS))], np.float32)
    iris = np.array(IRISES[random.integers(DARK_IRISES if dark else len(IRISES))], np.float32)
    brow_share, lip_share = random.uniform(*BROW_STRENGTH), random.uniform(*LIP_STRENGTH)
    tone = brightness ** np.array([0.82, 1.0, 1.12]) * (1 + random.normal(size=3) * 0.006)
    picture = portrait.texture + (portrait.lips * (1 - lip_share))[..., None] * (portrait.skin - portrait.texture)
    picture += portrait.brows[..., None] * (portrait.skin - picture)
    picture = picture * tone * _unevenness(random)
    picture += (portrait.brows * brow_share)[..., None] * (hair - picture)
    picture += portrait.hair[..., None] * (hair - picture)
    shade = portrait.texture.mean(axis=2, keepdims=True) / 95
    # The white of the eye does not darken with the skin.
    eyes = _eye_share()[..., None]
    picture += eyes * (portrait.texture * min(1.0, 0.75 + 0.25 * brightness) - picture)
    picture += portrait.irises[..., None] * (iris * shade - picture)
    return np.clip(np.rint(picture), 0, 255).astype(np.uint8)


def _unevenness(random: np.random.Generator) -> NDArray[np.float32]:
    """(N, N, 3) gains of the skin around 1: blotches and pores, redness varying half as much as brightness."""
    import cv2

    gain = np.ones((SIZE_PX, SIZE_PX, 3), np.float32)
    for reach_px, deviation in BLOTCHES:
        noise = random.standard_normal((SIZE_PX // 2, SIZE_PX // 2, 2)).astype(np.float32)
        smooth = np.asarray(cv2.GaussianBlur(noise, (0, 0), reach_px / 2), np.float32)
        light, red = np.moveaxis(cv2.resize(smooth / smooth.std() * deviation, (SIZE_PX, SIZE_PX)), 2, 0)
        gain *= 1 + light[..., None] + (red / 2)[..., None] * np.array([1, -1, -0.6], np.float32)
    return gain


@lru_cache(maxsize=1)
def _portrait() -> _Portrait:
    import cv2

    model, texture = load_head_model(), builtin_face().texture.astype(np.float32)
    lab = np.asarray(cv2.cvtColor(texture / 255, cv2.COLOR_RGB2LAB), np.float32)
    brows = np.maximum(*(_near(model, ring, 12) for ring in BROWS)) * _ramp(lab[..., 0], 62, 45)
    mouth = _near(model, (*UPPER_LIP, *LOWER_LIP), 36) * _ramp(lab[..., 1], 16, 22)
    irises = _eye_share() * _ramp(texture[..., 1] - texture[..., 0], 2, 12)
    scalp = interpolate(model.scalp[:, None])[..., 0]
    hair = np.asarray(_ramp(lab[..., 0], 60, 35) * (scalp > 0), np.float32)
    known = (1 - np.clip(brows + mouth + _eye_share(), 0, 1)) * (1 - hair)
    return _Portrait(texture, _spread(texture, known), hair, brows, irises, mouth)


def _spread(texture: NDArray[np.float32], known: NDArray[np.float32]) -> NDArray[np.float32]:
    """(N, N, 3): the skin, continued from around over brows, eyes and lips."""
    return pull_push(texture, (known > 0.98).astype(np.float32))


def _ramp(values: NDArray, none: float, full: float) -> NDArray[np.float32]:
    t = np.clip((values - none) / (full - none), 0, 1)
    return np.asarray(t * t * (3 - 2 * t), np.float32)


@lru_cache(maxsize=1)
def _eye_share() -> NDArray[np.float32]:
    model = load_head_model()
    return np.maximum(*(_inside(model, ring) for ring in EYE_RINGS))


def _inside(model: HeadModel, ring: tuple[int, ...], widen_px: int = 0) -> NDArray[np.float32]:
    """(N, N) 1 inside a ring of landmarks, with a soft edge."""
    import cv2

    filled = np.zeros((SIZE_PX, SIZE_PX), np.uint8)
    cv2.fillPoly(filled, [np.rint(model.uv[list(ring)] * SIZE_PX).astype(np.int32)], (255,))
    if widen_px:
        filled = cv2.dilate(filled, np.ones((2 * widen_px + 1, 2 * widen_px + 1), np.uint8))
    return np.asarray(cv2.GaussianBlur(filled, (0, 0), 1.5), np.float32) / 255


def _near(model: HeadModel, points: tuple[int, ...], widen_px: int) -> NDArray[np.float32]:
    """(N, N) 1 in the hull of some landmarks and that far around it."""
    import cv2

    hull = cv2.convexHull((model.uv[list(points)] * SIZE_PX).astype(np.float32), returnPoints=False)
    return _inside(model, tuple(points[int(k)] for k in hull[:, 0]), widen_px)
