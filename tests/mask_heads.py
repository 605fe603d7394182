"""An analytic head, exactly symmetric, for tests of the drape that need no photo and no shipped mesh."""

from __future__ import annotations

import numpy as np

from maskdesign.faces.scan import FaceScan
from maskdesign.geometry.mesh import TriangleMesh


def analytic_face(scale: float = 1.0) -> FaceScan:
    """An ellipsoid with a bridge of the nose and a chin, mirror symmetric about x = 0 to the last bit."""
    yaw = np.radians(np.linspace(0, 110, 56))
    yaw = np.concatenate([-yaw[:0:-1], yaw])
    height = np.linspace(-90, 100, 96)
    y, angle = np.meshgrid(height, yaw, indexing="ij")
    x, z = _head_surface(y, angle)
    points = np.stack([x, y, z], axis=-1)
    nose_row = int(np.argmax(points[:, 55, 2] + 10 * (abs(height) < 10)))
    tip = points[nose_row, 55].copy()
    vertices = (points - tip).reshape(-1, 3) * scale
    i = np.arange(len(vertices)).reshape(y.shape)
    a, b, c, d = i[:-1, :-1], i[:-1, 1:], i[1:, 1:], i[1:, :-1]
    left = np.arange(a.shape[1]) < a.shape[1] // 2
    one = np.where(left[None, :, None], np.stack([a, b, c], -1), np.stack([a, b, d], -1))
    two = np.where(left[None, :, None], np.stack([a, c, d], -1), np.stack([b, c, d], -1))
    triangles = np.concatenate([one.reshape(-1, 3), two.reshape(-1, 3)])
    gray = np.full((4, 4, 3), 160, np.uint8)
    mesh = TriangleMesh(vertices, triangles, np.zeros((len(vertices), 2)))
    return FaceScan(mesh, gray, _landmarks(tip, scale), "analytic head")


def _head_surface(y: np.ndarray, angle: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    narrowing = np.sqrt(np.maximum(1 - (y / 125) ** 2, 0.05))
    x, z = 72 * narrowing * np.sin(angle), 92 * narrowing * np.cos(angle)
    slope = np.clip((40 - y) / 40, 0, 1) * (y > 0) + np.clip(1 + y / 12, 0, 1) * (y <= 0)
    nose = 24 * slope * np.exp(-((x / 11) ** 2))
    chin = 12 * np.exp(-((x / 25) ** 2) - ((y + 65) / 18) ** 2)
    return x, z + np.where(abs(angle) < 1.2, nose + chin, 0.0)


def _landmarks(tip: np.ndarray, scale: float) -> dict[str, np.ndarray]:
    right = {
        "eye_outer": (43.0, 33.0, 72.0),
        "eye_inner": (16.0, 32.0, 84.0),
        "mouth": (25.0, -32.0, 80.0),
        "jaw": (58.0, -40.0, 25.0),
        "ear": (72.0, 32.0, -10.0),
    }
    middle = {"nasion": (0.0, 38.0, 88.0), "nose_tip": tuple(tip), "subnasale": (0, -12, 92), "chin": (0, -70, 85)}
    named = {name: np.array(point, float) for name, point in middle.items()}
    for name, point in right.items():
        named[f"{name}_right"] = np.array(point)
        named[f"{name}_left"] = np.array(point) * [-1, 1, 1]
    return {name: (point - tip) * scale for name, point in named.items()}
