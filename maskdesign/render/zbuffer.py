"""Visibility by a z-buffer in numba: the default back end.

Every triangle is scan-converted in 2D homogeneous coordinates (Olano and Greer, "Triangle scan conversion using 2D
homogeneous coordinates", Graphics Hardware 1997), so nothing is clipped and cameras may stand inside the mesh.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numba import njit
from numpy.typing import NDArray

from maskdesign.render.camera import PinholeCamera
from maskdesign.render.fragments import Fragments
from maskdesign.render.threads import map_threads

BEHIND_MM = 1e-3
"""A triangle with a corner nearer to the camera's plane than this is tested against every pixel of the image."""

SLACK_PX = 1e-3
"""Boxes around triangles are wider by this, for they are computed in single precision."""

SMALL_BOX_PX = 128
"""Boxes of at most this many pixels are first asked whether all they hold is hidden."""


def rasterize(
    vertices_mm: NDArray[np.float32], triangles: NDArray[np.int32], cameras: Sequence[PinholeCamera]
) -> Fragments:
    """The nearest triangle at each pixel center, both sides visible.

    A pixel center on an edge belongs to the triangle that is nearer to the camera, then to the one listed first.

    Args:
        vertices_mm: (V, 3).
        triangles: (T, 3).
        cameras: B cameras with the same image size.

    Returns:
        fragments of B images.
    """
    views = map_threads(lambda camera: rasterize_view(vertices_mm, triangles, camera), cameras)
    faces, barycentrics, depths = (np.stack(arrays) for arrays in zip(*views, strict=True))
    return Fragments(faces, barycentrics, depths)


def rasterize_view(
    vertices_mm: NDArray[np.float32],
    triangles: NDArray[np.int32],
    camera: PinholeCamera,
    candidates: NDArray[np.bool_] | None = None,
) -> tuple[NDArray[np.int32], NDArray[np.float32], NDArray[np.float32]]:
    """One image of `rasterize`: pix_to_face (H, W), bary_coords (H, W, 3), zbuf (H, W).

    Args:
        candidates: (T,) triangles to look at; all where it is left out.
    """
    chosen = np.arange(len(triangles)) if candidates is None else np.flatnonzero(candidates)
    shape = (camera.height_px, camera.width_px)
    pix_to_face = np.full(shape, -1, np.int32)
    bary_coords = np.empty((*shape, 3), np.float32)
    depth = np.zeros(shape, np.float32)
    projection = camera.K @ np.column_stack([camera.R, camera.T])
    _fill(*_project(vertices_mm, projection), triangles, chosen, pix_to_face, bary_coords, depth)
    _resolve(pix_to_face, bary_coords, depth)
    return pix_to_face, bary_coords, depth


@njit(cache=True, nogil=True, error_model="numpy")
def _project(vertices, projection):
    # Homogeneous pixel coordinates, whose third is the depth; and pixel x, y and depth, small enough to stay in cache.
    homogeneous = np.empty((len(vertices), 3))
    screen = np.empty((len(vertices), 3), np.float32)
    for i in range(len(vertices)):
        x, y, z = np.float64(vertices[i, 0]), np.float64(vertices[i, 1]), np.float64(vertices[i, 2])
        for k in range(3):
            homogeneous[i, k] = projection[k, 0] * x + projection[k, 1] * y + projection[k, 2] * z + projection[k, 3]
        depth = homogeneous[i, 2]
        scale = 1 / depth if depth > BEHIND_MM else 0.0
        screen[i, 0], screen[i, 1], screen[i, 2] = homogeneous[i, 0] * scale, homogeneous[i, 1] * scale, depth
    return homogeneous, screen


@njit(cache=True, nogil=True, inline="always", error_model="numpy")
def _pixel_range(a, b, c, count):
    # First pixel, and the one after the last, whose centers lie between the outermost of three coordinates.
    first = max(min(a, b, c) + np.float32(0.5 - SLACK_PX), np.float32(0))
    stop = max(max(a, b, c) + np.float32(0.5 + SLACK_PX), np.float32(0))
    return np.uint32(min(first, np.float32(count))), np.uint32(min(stop, np.float32(count)))


@njit(cache=True, nogil=True, inline="always")
def _is_hidden(inverse_depth, top, bottom, left, right, bound):
    # Whether something at least as near as the triangle's nearest corner fills its box; asked of small boxes only.
    if (bottom - top) * (right - left) > SMALL_BOX_PX:
        return False
    hidden = True
    for row in range(top, bottom):
        for column in range(left, right):
            hidden &= inverse_depth[row, column] >= bound
    return hidden


@njit(cache=True, nogil=True, inline="always", error_model="numpy")
def _edge_functions(a, b, c):
    # Those of two triangles that share an edge are exact negatives of each other, so no crack opens between them.
    a0, b0, c0 = b[1] * c[2] - b[2] * c[1], b[2] * c[0] - b[0] * c[2], b[0] * c[1] - b[1] * c[0]
    a1, b1, c1 = c[1] * a[2] - c[2] * a[1], c[2] * a[0] - c[0] * a[2], c[0] * a[1] - c[1] * a[0]
    a2, b2, c2 = a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]
    determinant = a[0] * a0 + a[1] * b0 + a[2] * c0
    if determinant < 0:
        return -a0, -b0, -c0, -a1, -b1, -c1, -a2, -b2, -c2, -determinant
    return a0, b0, c0, a1, b1, c1, a2, b2, c2, determinant


@njit(cache=True, nogil=True, error_model="numpy")
def _boxes(screen, triangles, chosen, width, height):
    # Chosen triangles whose box holds a pixel center: number, then the box as left, right, top, bottom, half open.
    boxes = np.empty((len(chosen) + 1, 5), np.uint32)
    count = 0
    for n in range(len(chosen)):
        t = np.uint32(chosen[n])
        # Unsigned indices spare numba the test for Python's negative ones.
        i, j, k = np.uint32(triangles[t, 0]), np.uint32(triangles[t, 1]), np.uint32(triangles[t, 2])
        z0, z1, z2 = screen[i, 2], screen[j, 2], screen[k, 2]
        left, right = _pixel_range(screen[i, 0], screen[j, 0], screen[k, 0], width)
        top, bottom = _pixel_range(screen[i, 1], screen[j, 1], screen[k, 1], height)
        if min(z0, z1, z2) <= BEHIND_MM:
            left, right, top, bottom = np.uint32(0), np.uint32(width), np.uint32(0), np.uint32(height)
        boxes[count, 0], boxes[count, 1], boxes[count, 2] = t, left, right
        boxes[count, 3], boxes[count, 4] = top, bottom
        # Always written and kept by counting: a branch here would be mispredicted for every other triangle.
        count += (left < right) & (top < bottom) & (max(z0, z1, z2) > 0)
    return boxes[:count]


@njit(cache=True, nogil=True, error_model="numpy")
def _fill(homogeneous, screen, triangles, chosen, pix_to_face, bary_coords, inverse_depth):
    boxes = _boxes(screen, triangles, chosen, pix_to_face.shape[1], pix_to_face.shape[0])
    for n in range(len(boxes)):
        t, left, right, top, bottom = boxes[n, 0], boxes[n, 1], boxes[n, 2], boxes[n, 3], boxes[n, 4]
        i, j, k = np.uint32(triangles[t, 0]), np.uint32(triangles[t, 1]), np.uint32(triangles[t, 2])
        nearest = min(screen[i, 2], screen[j, 2], screen[k, 2])
        if nearest > BEHIND_MM and _is_hidden(inverse_depth, top, bottom, left, right, np.float32(1) / nearest):
            continue
        a, b, c = homogeneous[i], homogeneous[j], homogeneous[k]
        a0, b0, c0, a1, b1, c1, a2, b2, c2, determinant = _edge_functions(a, b, c)
        if determinant == 0:
            continue
        scale = 1.0 / determinant
        for row in range(top, bottom):
            y = row + 0.5
            r0, r1, r2 = b0 * y + c0, b1 * y + c1, b2 * y + c2
            for column in range(left, right):
                x = column + 0.5
                e0, e1, e2 = a0 * x + r0, a1 * x + r1, a2 * x + r2
                # The scaled edge functions of a point in front of the camera add up to 1 / depth.
                inverse = np.float32((e0 + e1 + e2) * scale)
                if (e0 >= 0) & (e1 >= 0) & (e2 >= 0) & (inverse > inverse_depth[row, column]):
                    inverse_depth[row, column] = inverse
                    pix_to_face[row, column] = t
                    bary_coords[row, column, 0] = e0 * scale
                    bary_coords[row, column, 1] = e1 * scale
                    bary_coords[row, column, 2] = e2 * scale


@njit(cache=True, nogil=True, error_model="numpy")
def _resolve(pix_to_face, bary_coords, depth):
    for row in range(pix_to_face.shape[0]):
        for column in range(pix_to_face.shape[1]):
            if pix_to_face[row, column] < 0:
                bary_coords[row, column, :] = -1
                depth[row, column] = -1
                continue
            total = bary_coords[row, column, 0] + bary_coords[row, column, 1] + bary_coords[row, column, 2]
            for k in range(3):
                bary_coords[row, column, k] /= total
            depth[row, column] = np.float32(1) / depth[row, column]
