"""Shadow maps by the same rasterizer: what a lamp sees is lit, the rest is not."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from maskdesign.errors import InputError
from maskdesign.render.camera import PinholeCamera, project_points
from maskdesign.render.scene import Scene
from maskdesign.render.zbuffer import rasterize_view

DISTANT_MM = 20_000.0
"""A distant lamp stands this far away: its rays over a head are parallel within half a degree."""

BIAS_MM = 0.3
BIAS_TEXELS = 1.5
"""A point may lie this far behind the map's depth, plus so many texels times the surface's slope, and still be lit."""

STEEPEST = 10.0


@dataclass(frozen=True, eq=False)
class ShadowMap:
    """Depth as a lamp sees it.

    Attributes:
        camera: stands where the lamp does.
        depth_mm: (S, S) float32, -1 where it sees nothing.
    """

    camera: PinholeCamera
    depth_mm: NDArray[np.float32]


def shadow_map(scene: Scene, lamp_mm: NDArray[np.float64], side_px: int) -> ShadowMap:
    """Look at a scene from a lamp.

    Args:
        lamp_mm: (3,) in the face frame.
        side_px: resolution, at least 1.

    Raises:
        InputError: the lamp stands inside the sphere around the scene.
    """
    lowest, highest = (corner.astype(np.float64) for corner in scene.bounds_mm)
    center, radius = (lowest + highest) / 2, float(np.linalg.norm(highest - lowest)) / 2
    distance = float(np.linalg.norm(lamp_mm - center))
    if distance <= 1.01 * radius:
        raise InputError(
            f"a lamp {distance:.0f} mm from the middle of the head casts no shadow map; "
            f"move it beyond {1.01 * radius:.0f} mm or set render.shadow_map_px = 0"
        )
    focal_px = side_px / 2 * np.sqrt(distance**2 - radius**2) / radius
    R = _looking(center - lamp_mm)
    K = np.array([[focal_px, 0.0, side_px / 2], [0.0, focal_px, side_px / 2], [0.0, 0.0, 1.0]])
    camera = PinholeCamera(R, -R @ lamp_mm, K, side_px, side_px)
    return ShadowMap(camera, rasterize_view(scene.clusters, camera)[2])


def _looking(direction: NDArray[np.float64]) -> NDArray[np.float64]:
    forward = direction / np.linalg.norm(direction)
    aside = np.eye(3)[np.argmin(np.abs(forward))]
    right = np.cross(aside, forward)
    right /= np.linalg.norm(right)
    return np.stack([right, np.cross(forward, right), forward])


def lit_share(shadows: ShadowMap, points_mm: NDArray[np.float64], cosine: NDArray[np.float64]) -> NDArray[np.float64]:
    """How much of a lamp's light reaches points: percentage-closer filtering over the four nearest samples.

    Reeves, Salesin and Cook, "Rendering antialiased shadows with depth maps", SIGGRAPH 1987.

    Args:
        points_mm: (n, 3) on the scene's surfaces.
        cosine: (n,) between their normals and the way to the lamp.

    Returns:
        (n,) from 0 to 1.
    """
    x, y, depth = project_points(shadows.camera, points_mm).T
    slope = np.minimum(np.sqrt(1 - np.clip(cosine, 0, 1) ** 2) / np.maximum(cosine, 1e-6), STEEPEST)
    allowed = depth - BIAS_MM - BIAS_TEXELS * depth / shadows.camera.K[0, 0] * slope
    column, row = np.floor(x - 0.5).astype(int), np.floor(y - 0.5).astype(int)
    s, t = x - 0.5 - column, y - 0.5 - row
    lit = np.zeros(len(depth))
    for dx, dy, share in ((0, 0, (1 - s) * (1 - t)), (1, 0, s * (1 - t)), (0, 1, (1 - s) * t), (1, 1, s * t)):
        last = shadows.camera.width_px - 1
        seen = shadows.depth_mm[np.clip(row + dy, 0, last), np.clip(column + dx, 0, last)]
        lit += share * ((seen < 0) | (seen >= allowed))
    return lit
