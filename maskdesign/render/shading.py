"""One view of a scene split into what no texture changes and what is linear in the texture (numba)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from maskdesign.errors import ConfigError
from maskdesign.render.camera import PinholeCamera
from maskdesign.render.color import DECODED
from maskdesign.render.light import direction_in_head
from maskdesign.render.print_response import UNCHANGED, PrintResponse
from maskdesign.render.scene import PLAIN_BACK, PRINTED, Scene
from maskdesign.render.texture import AffineView, bilinear_taps, bilinear_weights
from maskdesign.render.view import View
from maskdesign.render.zbuffer import rasterize_view

MAX_SUPERSAMPLE = 8
MAX_SHADOW_MAP_PX = 8192


@dataclass(frozen=True)
class RenderSettings:
    """How pixels are made.

    Attributes:
        supersample: samples along each side of a pixel, averaged in linear light; more is smoother and slower.
        plain_back_rgb: linear color of the side of the mask that is not printed.
        shadow_map_px: side of the map that each lamp casts its shadows with; 0 casts none.
        print_response: what the printer and its cloth make of the texture's colors; by default they stay as they are.

    Raises:
        ConfigError: a value outside its range.
    """

    supersample: int = 2
    plain_back_rgb: tuple[float, float, float] = (0.85, 0.85, 0.85)
    shadow_map_px: int = 0
    print_response: PrintResponse = UNCHANGED

    def __post_init__(self) -> None:
        if not 1 <= self.supersample <= MAX_SUPERSAMPLE:
            raise ConfigError(f"render.supersample = {self.supersample} must lie between 1 and {MAX_SUPERSAMPLE}")
        if not all(0 <= value <= 1 for value in self.plain_back_rgb):
            raise ConfigError(f"render.plain_back_rgb = {list(self.plain_back_rgb)} must lie between 0 and 1")
        if not 0 <= self.shadow_map_px <= MAX_SHADOW_MAP_PX:
            raise ConfigError(f"render.shadow_map_px = {self.shadow_map_px} must lie between 0 and {MAX_SHADOW_MAP_PX}")


def scaled_camera(camera: PinholeCamera, factor: int) -> PinholeCamera:
    """The same camera with each pixel divided into factor x factor samples."""
    K = np.diag([factor, factor, 1.0]) @ camera.K
    return PinholeCamera(camera.R, camera.T, K, camera.width_px * factor, camera.height_px * factor)


def shown_sides(scene: Scene, camera: PinholeCamera) -> NDArray[np.uint8]:
    """What each triangle shows to a camera: (T,), one of `PRINTED`, `PLAIN_BACK`, `SKIN`, `SKIN_BACK`."""
    center = -camera.R.T @ camera.T
    return scene.outer_sides + (scene.planes @ np.array([*center, 1.0]) < 0)


def hides_inner_sides(scene: Scene, camera: PinholeCamera) -> bool:
    """Whether a camera stands outside, from where a closed head never shows its inner side."""
    center = -camera.R.T @ camera.T
    lowest, highest = scene.bounds_mm
    return bool(((center < lowest) | (center > highest)).any())


def shade_view(scene: Scene, view: View, settings: RenderSettings) -> AffineView:
    """Visibility and Lambert's light for one view, in linear light; normals face the camera's side of a triangle."""
    fine = scaled_camera(view.camera, settings.supersample)
    faces, barycentrics, _, behind = rasterize_view(scene.clusters, fine, hides_inner_sides(scene, fine))
    count = _count_printed(faces, behind, scene.outer_sides)
    base = np.empty((3, view.camera.height_px, view.camera.width_px), np.float32)
    pixel, uv, weight = np.empty(count, np.int32), np.empty((count, 2), np.float32), np.empty((count, 3), np.float32)
    lights = np.array([view.light.ambient_rgb, view.light.directional_rgb], np.float32)
    flat_colors = np.array([view.background_rgb, settings.plain_back_rgb], np.float32)
    towards = direction_in_head(view.light, view.camera).astype(np.float32)
    _shade(
        faces, barycentrics, behind, scene.outer_sides, scene.corner_rows, scene.face_pixels,
        DECODED, lights, towards, flat_colors,
        base, pixel, uv, weight,
    )  # fmt: skip
    return AffineView(base, pixel, uv, weight)


@njit(cache=True, nogil=True)
def _count_printed(faces, behind, outer_sides):
    count = 0
    for row in range(faces.shape[0]):
        for column in range(faces.shape[1]):
            face = faces[row, column]
            if face >= 0 and outer_sides[face] + behind[row, column] == PRINTED:
                count += 1
    return count


@njit(cache=True, nogil=True, error_model="numpy")
def _interpolate(faces, barycentrics, rows, towards, cosines, u, v):
    # Of one row of samples. A loop as short as this has several triangles on their way from memory at once.
    for n in range(len(faces)):
        if faces[n] >= 0:
            face = np.uint32(faces[n])
            w0, w1, w2 = barycentrics[n, 0], barycentrics[n, 1], barycentrics[n, 2]
            cosines[n] = _cosine(rows, face, w0, w1, w2, towards)
            u[n] = rows[face, 9] * w0 + rows[face, 11] * w1 + rows[face, 13] * w2
            v[n] = rows[face, 10] * w0 + rows[face, 12] * w1 + rows[face, 14] * w2


@njit(cache=True, nogil=True, inline="always", error_model="numpy")
def _cosine(rows, face, w0, w1, w2, towards):
    x = rows[face, 0] * w0 + rows[face, 3] * w1 + rows[face, 6] * w2
    y = rows[face, 1] * w0 + rows[face, 4] * w1 + rows[face, 7] * w2
    z = rows[face, 2] * w0 + rows[face, 5] * w1 + rows[face, 8] * w2
    length = max(np.sqrt(x * x + y * y + z * z), np.float32(1e-12))
    return (x * towards[0] + y * towards[1] + z * towards[2]) / length


@njit(cache=True, nogil=True, inline="always", error_model="numpy")
def _skin(pixels, decoded, u, v):
    left, right, s = bilinear_taps(u, pixels.shape[1])
    top, bottom, t = bilinear_taps(v, pixels.shape[0])
    k0, k1, k2, k3 = bilinear_weights(s, t)
    a, b, c, d = pixels[top, left], pixels[top, right], pixels[bottom, left], pixels[bottom, right]
    red = k0 * decoded[a[0]] + k1 * decoded[b[0]] + k2 * decoded[c[0]] + k3 * decoded[d[0]]
    green = k0 * decoded[a[1]] + k1 * decoded[b[1]] + k2 * decoded[c[1]] + k3 * decoded[d[1]]
    blue = k0 * decoded[a[2]] + k1 * decoded[b[2]] + k2 * decoded[c[2]] + k3 * decoded[d[2]]
    return red, green, blue


@njit(cache=True, nogil=True, error_model="numpy")
def _shade(
    faces, barycentrics, behind, outer_sides, rows, pixels, decoded, lights, towards, flat_colors,
    base, pixel, uv, weight,
):  # fmt: skip
    _, height, width = base.shape
    samples = faces.shape[0] // height
    share = np.float32(1.0 / (samples * samples))
    ambient, lamp = lights[0] * share, lights[1] * share
    background, back = flat_colors[0] * share, flat_colors[1]
    shape = samples, faces.shape[1]
    cosines, us, vs = np.empty(shape, np.float32), np.empty(shape, np.float32), np.empty(shape, np.float32)
    cursor = 0
    for y in range(height):
        for s in range(samples):
            row = y * samples + s
            _interpolate(faces[row], barycentrics[row], rows, towards, cosines[s], us[s], vs[s])
        for x in range(width):
            # Sums in registers: in the array each addition would wait for the memory.
            red = green = blue = np.float32(0)
            for s in range(samples):
                sy = y * samples + s
                for sx in range(x * samples, (x + 1) * samples):
                    if faces[sy, sx] < 0:
                        red, green, blue = red + background[0], green + background[1], blue + background[2]
                        continue
                    side = outer_sides[np.uint32(faces[sy, sx])] + behind[sy, sx]
                    cosine = max(np.float32(0), -cosines[s, sx] if side % 2 else cosines[s, sx])
                    r, g, b = (
                        ambient[0] + lamp[0] * cosine,
                        ambient[1] + lamp[1] * cosine,
                        ambient[2] + lamp[2] * cosine,
                    )
                    if side == PRINTED:
                        pixel[cursor], uv[cursor, 0], uv[cursor, 1] = y * width + x, us[s, sx], vs[s, sx]
                        weight[cursor, 0], weight[cursor, 1], weight[cursor, 2] = r, g, b
                        cursor += 1
                    elif side == PLAIN_BACK:
                        red, green, blue = red + r * back[0], green + g * back[1], blue + b * back[2]
                    else:
                        skin = _skin(pixels, decoded, us[s, sx], vs[s, sx])
                        red, green, blue = red + r * skin[0], green + g * skin[1], blue + b * skin[2]
            base[0, y, x], base[1, y, x], base[2, y, x] = red, green, blue
