"""Color of a head from photos: what they show well, continued smoothly over what they do not show.

Convention: colors are float, sRGB-encoded, [0, 255]; the texture is square with the layout of the head model's uv.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from maskdesign.faces.head_model import CAP_UV, EAR_PATCH, HeadModel
from maskdesign.faces.landmarks import FACE_OVAL
from maskdesign.faces.texture_space import SIZE_PX, depth_inside, interpolate, pull_push

NEUTRAL_HAIR = (62.0, 50.0, 43.0)
HAIR_BANDS = ((-0.05, 0.0), (0.0, 0.06), (0.06, 0.13), (0.13, 0.2))
"""Above the top of the forehead, in heights of the face; the first finds bangs."""
RIM_PX = 30.0
"""Over this many texels inside the face's oval the photo fades into the fill."""
FACING_FROM, FACING_TO = 0.3, 0.5
"""Cosine of the angle between surface and camera below which the photo is not used, and above which it is fully."""
SKIN_CHROMA, HAIR_DISTANCE = 11.0, 30.0
"""CIELAB distances up to which a color passes as skin (chroma only) and as hair."""
GAIN_RANGE = (0.5, 2.0)
"""Within which another photo's skin is toned like the first one's."""
MIN_SKIN_LIGHTNESS = 0.5
"""Of the face's own median; darker is hair."""


@dataclass(frozen=True)
class PhotoMap:
    """Where each vertex of the head lies in the photo.

    Attributes:
        vertex_px: (W, 2) x, y in pixels.
        facing: (W,) cosine between the surface normal and the direction to the camera.
    """

    vertex_px: NDArray[np.float64]
    facing: NDArray[np.float64]


@dataclass(frozen=True)
class _Layer:
    """What one photo gives to the texture: (N, N, 3) colors, their (N, N) weight, and its colors of skin and hair."""

    colors: NDArray[np.float32]
    weight: NDArray[np.float32]
    skin: NDArray
    hair: NDArray


def paint_head(
    model: HeadModel, photos: Sequence[NDArray[np.uint8]], mappings: Sequence[PhotoMap]
) -> NDArray[np.uint8]:
    """The texture of a head: the photos on the face, skin and hair colors elsewhere.

    Args:
        model: gives the texture's layout.
        photos: (H, W, 3) uint8, the best first; later ones show only what earlier ones do not, toned like the first.
        mappings: for each photo, for each vertex of the model's subdivision.

    Returns:
        (1024, 1024, 3) uint8.
    """
    layers = [_layer(model, photo, mapping) for photo, mapping in zip(photos, mappings, strict=True)]
    colors, weight = layers[0].colors, layers[0].weight
    for layer in layers[1:]:
        added = (1 - weight) * layer.weight
        gain = np.clip(layers[0].skin / np.maximum(layer.skin, 1), *GAIN_RANGE)
        share = (added / np.maximum(weight + added, 1e-6))[..., None]
        colors, weight = colors + share * (layer.colors * gain - colors), weight + added
    return _completed(model, colors, np.asarray(weight, np.float32), layers[0].skin, layers[0].hair)


def _layer(model: HeadModel, photo: NDArray[np.uint8], mapping: PhotoMap) -> _Layer:
    import cv2

    maps = interpolate(np.column_stack([mapping.vertex_px, mapping.facing, model.side]))
    colors = _sample_photo(photo, maps[..., :2], _texels_per_photo_px(model, mapping))
    oval = model.uv[list(FACE_OVAL)] * SIZE_PX
    inside = _smoothstep(depth_inside(oval) / RIM_PX)
    weight = inside * _smoothstep((maps[..., 2] - FACING_FROM) / (FACING_TO - FACING_FROM))
    skin = _skin_color(colors, weight > 0.99, oval)
    hair = _hair_color(photo, mapping, skin)
    weight = weight * _plausible(colors, skin, hair, maps[..., 3])
    weight = np.asarray(cv2.GaussianBlur(weight, (0, 0), 3) * np.minimum(weight * 4, 1), np.float32)
    return _Layer(colors, weight, skin, hair)


def _completed(
    model: HeadModel, colors: NDArray[np.float32], weight: NDArray[np.float32], skin: NDArray, hair: NDArray
) -> NDArray[np.uint8]:
    scalp = interpolate(model.scalp[:, None])
    depth_px = depth_inside(model.uv[list(FACE_OVAL)] * SIZE_PX)
    filled = pull_push(colors, weight)
    far = _smoothstep((-depth_px - 10) / 110)[..., None]
    around = filled + far * (skin - filled)
    around += scalp * (hair - around)
    picture = around + weight[..., None] * (colors - around)
    _paint_extras(model, picture, skin)
    return np.clip(np.rint(picture), 0, 255).astype(np.uint8)


def _smoothstep(t: NDArray) -> NDArray:
    t = np.clip(t, 0, 1)
    return t * t * (3 - 2 * t)


def _texels_per_photo_px(model: HeadModel, mapping: PhotoMap) -> float:
    ends = [FACE_OVAL[0], FACE_OVAL[18]]
    in_texture = np.linalg.norm(np.diff(model.uv[ends], axis=0)) * SIZE_PX
    return float(in_texture / np.linalg.norm(np.diff(mapping.vertex_px[ends], axis=0)))


def _sample_photo(photo: NDArray[np.uint8], at_px: NDArray[np.float32], enlargement: float) -> NDArray[np.float32]:
    import cv2

    # A photo much finer than the texture is shrunk first, or bilinear samples would alias.
    shrink = min(1.0, 1.5 * enlargement)
    if shrink < 1:
        photo = np.asarray(cv2.resize(photo, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA), np.uint8)
    at = at_px * shrink - 0.5
    how = cv2.INTER_CUBIC if enlargement > 1 else cv2.INTER_LINEAR
    sampled = cv2.remap(photo, at[..., 0], at[..., 1], how, borderMode=cv2.BORDER_REPLICATE)
    return sampled.astype(np.float32)


def _skin_color(
    colors: NDArray[np.float32], seen: NDArray[np.bool_], oval_px: NDArray[np.float64]
) -> NDArray[np.float32]:
    """(3,) median of the middle of the face."""
    rows, columns = np.indices(seen.shape)
    low, high = oval_px.min(axis=0), oval_px.max(axis=0)
    middle, reach = (low + high) / 2, (high - low) / 2
    near = ((columns - middle[0]) / reach[0]) ** 2 + ((rows - middle[1]) / reach[1]) ** 2 < 0.6
    return np.median(colors[seen & near] if (seen & near).any() else colors[near], axis=0)


def _plausible(
    colors: NDArray[np.float32], skin: NDArray, hair: NDArray, doubtful: NDArray[np.float32]
) -> NDArray[np.float32]:
    """(SIZE, SIZE) in [0, 1]: 0 where in doubtful places a color is neither skin nor hair in its place."""
    import cv2

    lab, skin_lab, hair_lab = (_to_lab(c) for c in (cv2.GaussianBlur(colors, (0, 0), 4), skin, hair))
    chroma_off = np.linalg.norm(lab[..., 1:] - skin_lab[..., 1:], axis=-1)
    skinlike = _smoothstep((SKIN_CHROMA - chroma_off) / 5 + 0.5)
    skinlike = skinlike * _smoothstep((lab[..., 0] / skin_lab[..., 0] - MIN_SKIN_LIGHTNESS) / 0.1 + 0.5)
    hairlike = _smoothstep((HAIR_DISTANCE - np.linalg.norm(lab - hair_lab, axis=-1)) / 8 + 0.5)
    above_eyes = _smoothstep((0.42 - np.arange(SIZE_PX) / SIZE_PX) / 0.06)[:, None]
    likely = np.maximum(skinlike, hairlike * above_eyes)
    # Colors bleed over the edge of what is not skin.
    likely = cv2.erode(likely.astype(np.float32), np.ones((15, 15)))
    return 1 - doubtful * (1 - likely)


def _to_lab(colors: NDArray) -> NDArray[np.float32]:
    import cv2

    as_image = (np.asarray(colors, np.float32) / 255).reshape(-1, 1, 3)
    return np.asarray(cv2.cvtColor(as_image, cv2.COLOR_RGB2LAB), np.float32).reshape(np.shape(colors))


def _hair_color(photo: NDArray[np.uint8], mapping: PhotoMap, skin: NDArray) -> NDArray:
    """(3,) the darkest color of four bands around the hairline; a neutral brown where none is darker than skin."""
    top, chin = mapping.vertex_px[FACE_OVAL[0]], mapping.vertex_px[FACE_OVAL[18]]
    along = top - chin
    across = np.array([-along[1], along[0]])
    candidates = [np.array(NEUTRAL_HAIR)]
    for low, high in HAIR_BANDS:
        steps = np.meshgrid(np.linspace(low, high, 12), np.linspace(-0.2, 0.2, 24))
        at = np.floor(top + steps[0].reshape(-1, 1) * along + steps[1].reshape(-1, 1) * across).astype(int)
        at = at[((at >= 0) & (at < [photo.shape[1], photo.shape[0]])).all(axis=1)]
        color = np.median(photo[at[:, 1], at[:, 0]], axis=0) if len(at) > 50 else skin
        if color.mean() < 0.85 * skin.mean() and color[2] < color[0] + 10:
            candidates.append(color)
    return min(candidates[1:] or candidates, key=np.mean)


def ear_uv(model: HeadModel) -> NDArray[np.float64]:
    """(2, E, 2) texture coordinates of the left and the right ear, in the upper corners of the texture."""
    right = model.ear_uv * EAR_PATCH
    return np.stack([right, [1 - EAR_PATCH, 0] + right * [1, 1]])


def _paint_extras(model: HeadModel, picture: NDArray[np.float32], skin: NDArray) -> None:
    from scipy.interpolate import LinearNDInterpolator

    edge = int(EAR_PATCH * SIZE_PX)
    steps = (np.arange(edge) + 0.5) / edge
    front = model.ear_shade
    shade = LinearNDInterpolator(model.ear_uv, front, fill_value=1)(*np.meshgrid(steps, steps))[..., None]
    picture[:edge, :edge] = skin * shade
    picture[:edge, -edge:] = skin * shade
    row, column = int(CAP_UV[1] * SIZE_PX), int(CAP_UV[0] * SIZE_PX)
    picture[row - 2 : row + 2, column - 2 : column + 2] = skin * 0.6
