"""Visibility by a z-buffer in numba: the default back end.

Every triangle is scan-converted in 2D homogeneous coordinates (Olano and Greer, "Triangle scan conversion using 2D
homogeneous coordinates", Graphics Hardware 1997), so nothing is clipped and cameras may stand inside the mesh.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numba import njit
from numpy.typing import NDArray

from maskdesign.errors import InputError
from maskdesign.render.camera import PinholeCamera
from maskdesign.render.clusters import TRIANGLES, Clusters, cluster_triangles
from maskdesign.render.fragments import Fragments
from maskdesign.render.threads import map_threads

BEHIND_MM = 1e-3
"""A triangle with a corner nearer to the camera's plane than this is tested against every pixel of the image."""

SLACK_PX = 1e-6
"""Boxes around triangles are wider by this, which leaves room for rounding."""

SMALL_BOX_PX = 128
"""Boxes of at most this many pixels are first asked whether all they hold is hidden."""

SPHERE_SLACK = 1.001
"""Bounding spheres grow by this factor, which leaves room for rounding."""

SEEN_FROM_BEHIND = 1 << 30
"""Added to the number of a triangle that shows its inner side, while an image is being filled."""


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

    Raises:
        InputError: no camera.
        MeshError: a vertex that is not finite, or a triangle of one that does not exist.
    """
    if not cameras:
        raise InputError("no cameras to rasterize for; give at least one")
    clusters = cluster_triangles(vertices_mm, triangles)
    views = map_threads(lambda camera: rasterize_view(clusters, camera), cameras)
    faces, barycentrics, depths, _ = (np.stack(arrays) for arrays in zip(*views, strict=True))
    return Fragments(faces, barycentrics, depths)


def rasterize_view(
    clusters: Clusters, camera: PinholeCamera, skip_inner: bool = False
) -> tuple[NDArray[np.int32], NDArray[np.float32], NDArray[np.float32], NDArray[np.bool_]]:
    """One image of `rasterize`, and which side it shows.

    Args:
        skip_inner: leave out the inner side of solid clusters; right for every camera outside of them.

    Returns:
        pix_to_face (H, W), bary_coords (H, W, 3), zbuf (H, W), and (H, W) whether a triangle is seen from behind, that
        is from the side from which its corners run clockwise.
    """
    shape = (camera.height_px, camera.width_px)
    pix_to_face = np.full(shape, -1, np.int32)
    bary_coords = np.empty((*shape, 3), np.float32)
    depth = np.zeros(shape, np.float32)
    behind = np.zeros(shape, np.bool_)
    projection = camera.K @ np.column_stack([camera.R, camera.T])
    _fill(
        clusters.first_triangle, clusters.first_vertex, clusters.vertices_mm, clusters.corners,
        clusters.spheres_mm, clusters.cones, clusters.solid & skip_inner,
        projection, -camera.R.T @ camera.T,
        pix_to_face, bary_coords, depth,
    )  # fmt: skip
    _resolve(pix_to_face, bary_coords, depth, behind)
    return pix_to_face, bary_coords, depth, behind


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
def _line(h, i, j):
    # Through two vertices; the other way around it is the exact negative, so no crack opens between two triangles.
    a = h[1, i] * h[2, j] - h[2, i] * h[1, j]
    b = h[2, i] * h[0, j] - h[0, i] * h[2, j]
    c = h[0, i] * h[1, j] - h[1, i] * h[0, j]
    return a, b, c


@njit(cache=True, nogil=True, inline="always", error_model="numpy")
def _turned_away(spheres, cones, m, eye):
    # Whether the camera sees only the inner side of every triangle of a cluster.
    x, y, z = spheres[m, 0] - eye[0], spheres[m, 1] - eye[1], spheres[m, 2] - eye[2]
    along = x * cones[m, 0] + y * cones[m, 1] + z * cones[m, 2]
    return along >= cones[m, 3] * np.sqrt(x * x + y * y + z * z) + SPHERE_SLACK * spheres[m, 3]


@njit(cache=True, nogil=True, inline="always", error_model="numpy")
def _out_of_sight(spheres, m, p, inverse_depth):
    # Whether a sphere lies behind the camera, beside the picture, or behind what has been drawn.
    height, width = inverse_depth.shape
    x, y, z, reach = spheres[m, 0], spheres[m, 1], spheres[m, 2], SPHERE_SLACK * spheres[m, 3]
    depth = p[2, 0] * x + p[2, 1] * y + p[2, 2] * z + p[2, 3]
    nearest = depth - reach
    if nearest <= BEHIND_MM:
        return depth + reach <= 0
    column = (p[0, 0] * x + p[0, 1] * y + p[0, 2] * z + p[0, 3]) / depth
    row = (p[1, 0] * x + p[1, 1] * y + p[1, 2] * z + p[1, 3]) / depth
    # How far h(q) / depth(q) can move while q moves by the radius, for two linear functions of q.
    a, b, c = p[0, 0] - column * p[2, 0], p[0, 1] - column * p[2, 1], p[0, 2] - column * p[2, 2]
    d, e, f = p[1, 0] - row * p[2, 0], p[1, 1] - row * p[2, 1], p[1, 2] - row * p[2, 2]
    across = reach * np.sqrt(a * a + b * b + c * c) / nearest + SLACK_PX
    down = reach * np.sqrt(d * d + e * e + f * f) / nearest + SLACK_PX
    left, right = max(column - across + 0.5, 0.0), min(column + across + 0.5, float(width))
    top, bottom = max(row - down + 0.5, 0.0), min(row + down + 0.5, float(height))
    if left >= right or top >= bottom:
        return True
    box = np.uint32(top), np.uint32(bottom), np.uint32(left), np.uint32(right)
    return _is_hidden(inverse_depth, box[0], box[1], box[2], box[3], np.float32(1 / nearest))


@njit(cache=True, nogil=True, inline="always", error_model="numpy")
def _project(x, y, z, p, h0, h1, h2):
    # Homogeneous pixel coordinates, whose third is the depth.
    for i in range(len(x)):
        h0[i] = p[0, 0] * x[i] + p[0, 1] * y[i] + p[0, 2] * z[i] + p[0, 3]
        h1[i] = p[1, 0] * x[i] + p[1, 1] * y[i] + p[1, 2] * z[i] + p[1, 3]
        h2[i] = p[2, 0] * x[i] + p[2, 1] * y[i] + p[2, 2] * z[i] + p[2, 3]


@njit(cache=True, nogil=True, inline="always", error_model="numpy")
def _bound(h, depth, size, first, stop):
    # First pixel, and the one after the last, whose centers lie beside each vertex; all of them beside one behind.
    for i in range(len(first)):
        place = h[i] / depth[i] + 0.5
        low, high = (place - SLACK_PX, place + SLACK_PX) if depth[i] > BEHIND_MM else (0.0, size)
        low, high = (low if low > 0 else 0.0), (high if high > 0 else 0.0)
        first[i], stop[i] = np.int32(low if low < size else size), np.int32(high if high < size else size)


@njit(cache=True, nogil=True, error_model="numpy")
def _boxes(bounds, corners, first, stop, boxes):
    # Triangles whose box holds a pixel center: number, then the box as left, right, top, bottom, half open.
    count = np.uint32(0)
    for n in range(first, stop):
        t = np.uint32(n)
        i, j, k = corners[t, 0], corners[t, 1], corners[t, 2]
        left, right = min(bounds[0, i], bounds[0, j], bounds[0, k]), max(bounds[1, i], bounds[1, j], bounds[1, k])
        top, bottom = min(bounds[2, i], bounds[2, j], bounds[2, k]), max(bounds[3, i], bounds[3, j], bounds[3, k])
        boxes[count, 0], boxes[count, 1], boxes[count, 2] = t, left, right
        boxes[count, 3], boxes[count, 4] = top, bottom
        # Always written and kept by counting: a branch here would be mispredicted for every other triangle.
        count += np.uint32((left < right) & (top < bottom))
    return count


@njit(cache=True, nogil=True, error_model="numpy")
def _fill(
    first_triangle, first_vertex, vertices, corners, spheres, cones, one_sided,
    projection, eye, pix_to_face, bary_coords, inverse_depth,
):  # fmt: skip
    homogeneous, bounds = np.empty((3, 3 * TRIANGLES)), np.empty((4, 3 * TRIANGLES), np.int32)
    boxes = np.empty((TRIANGLES + 1, 5), np.uint32)
    height, width = pix_to_face.shape
    for n in range(len(spheres)):
        m = np.uint32(n)
        if one_sided[m] and _turned_away(spheres, cones, m, eye):
            continue
        if _out_of_sight(spheres, m, projection, inverse_depth):
            continue
        own = vertices[:, first_vertex[m] : first_vertex[m + 1]]
        h0, h1, h2 = homogeneous[0, : own.shape[1]], homogeneous[1, : own.shape[1]], homogeneous[2, : own.shape[1]]
        _project(own[0], own[1], own[2], projection, h0, h1, h2)
        _bound(h0, h2, float(width), bounds[0, : own.shape[1]], bounds[1, : own.shape[1]])
        _bound(h1, h2, float(height), bounds[2, : own.shape[1]], bounds[3, : own.shape[1]])
        count = _boxes(bounds, corners, first_triangle[m], first_triangle[m + 1], boxes)
        _draw(corners, homogeneous, boxes, count, one_sided[m], pix_to_face, bary_coords, inverse_depth)


@njit(cache=True, nogil=True, error_model="numpy")
def _draw(corners, h, boxes, count, one_sided, pix_to_face, bary_coords, inverse_depth):
    for n in range(count):
        m = np.uint32(n)
        t, left, right, top, bottom = boxes[m, 0], boxes[m, 1], boxes[m, 2], boxes[m, 3], boxes[m, 4]
        i, j, k = corners[t, 0], corners[t, 1], corners[t, 2]
        z0, z1, z2 = h[2, i], h[2, j], h[2, k]
        nearest = min(z0, z1, z2)
        if nearest > BEHIND_MM and _is_hidden(inverse_depth, top, bottom, left, right, np.float32(1 / nearest)):
            continue
        if max(z0, z1, z2) <= 0:
            continue
        (a0, b0, c0), (a1, b1, c1), (a2, b2, c2) = _line(h, j, k), _line(h, k, i), _line(h, i, j)
        determinant = h[0, i] * a0 + h[1, i] * b0 + h[2, i] * c0
        # Pixels count downward, so the corners of a triangle that faces the camera run clockwise there.
        if determinant == 0 or (one_sided and determinant > 0):
            continue
        name, sign = np.int32(t), -1.0
        if determinant > 0:
            name, sign = np.int32(t + SEEN_FROM_BEHIND), 1.0
        for row in range(top, bottom):
            y = row + 0.5
            r0, r1, r2 = b0 * y + c0, b1 * y + c1, b2 * y + c2
            for column in range(left, right):
                x = column + 0.5
                e0, e1, e2 = sign * (a0 * x + r0), sign * (a1 * x + r1), sign * (a2 * x + r2)
                if (e0 >= 0) & (e1 >= 0) & (e2 >= 0):
                    # The scaled edge functions of a point in front of the camera add up to 1 / depth.
                    scale = sign / determinant
                    inverse = np.float32((e0 + e1 + e2) * scale)
                    if inverse > inverse_depth[row, column]:
                        inverse_depth[row, column] = inverse
                        pix_to_face[row, column] = name
                        bary_coords[row, column, 0] = e0 * scale
                        bary_coords[row, column, 1] = e1 * scale
                        bary_coords[row, column, 2] = e2 * scale


@njit(cache=True, nogil=True, error_model="numpy")
def _resolve(pix_to_face, bary_coords, depth, behind):
    for row in range(pix_to_face.shape[0]):
        for column in range(pix_to_face.shape[1]):
            if pix_to_face[row, column] < 0:
                bary_coords[row, column, :] = -1
                depth[row, column] = -1
                continue
            behind[row, column] = pix_to_face[row, column] >= SEEN_FROM_BEHIND
            pix_to_face[row, column] &= SEEN_FROM_BEHIND - 1
            total = bary_coords[row, column, 0] + bary_coords[row, column, 1] + bary_coords[row, column, 2]
            for k in range(3):
                bary_coords[row, column, k] /= total
            depth[row, column] = np.float32(1) / depth[row, column]
