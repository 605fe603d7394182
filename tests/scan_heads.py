"""Scans of heads whose truth is known: the real head and ICT identities of the shared data, and the project's own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.ndimage import maximum_filter, minimum_filter
from scipy.spatial.transform import Rotation

from maskdesign.faces.from_scan import face_from_scan
from maskdesign.faces.population import ICT_LANDMARKS
from maskdesign.faces.raw import RangeImage, RawScan
from maskdesign.faces.read import read_scan
from maskdesign.faces.scan import FaceScan
from maskdesign.geometry.mesh import TriangleMesh
from maskdesign.geometry.orthographic import FrontView, view_from_front

PITCH_MM = 0.5
WINDOW_MM = np.array([[-160.0, -120], [160, 120]])
HOLES_PX = ((120, 260, 10), (270, 385, 14), (100, 400, 12))
"""Row, column and radius of three holes: the brow, a cheek, the forehead."""


@dataclass(frozen=True)
class Synthetic:
    """A scan with its truth.

    Attributes:
        raw: with noise, spikes and holes, 480 x 640.
        truth: what a perfect scanner would see.
        near_step: samples within two of the outline or of a step of more than 6 mm in depth.
    """

    raw: RangeImage
    truth: FrontView
    near_step: np.ndarray


def real_head(shared: Path) -> FaceScan:
    return face_from_scan(read_scan(shared / "scans/lee_perry_smith/LeePerrySmith.obj"))[0]


def pronasale(face: FaceScan) -> int:
    """The vertex that stands out furthest near the tip of the nose: its anthropometric definition."""
    near = np.flatnonzero(np.linalg.norm(face.mesh.vertices, axis=1) < 20)
    return int(near[face.mesh.vertices[near, 2].argmax()])


def hole_over(point_mm: np.ndarray, radius_mm: float = 7.0) -> tuple[float, float, float]:
    """Row, column and radius of a hole over a point of the face."""
    x, y = point_mm[:2]
    return (WINDOW_MM[1, 1] - y) / PITCH_MM, (x - WINDOW_MM[0, 0]) / PITCH_MM, radius_mm / PITCH_MM


def synthetic_scan(
    face: FaceScan, seed: int = 0, noise_mm: float = 0.2, spikes: float = 0.003, holes: Sequence = HOLES_PX
) -> Synthetic:
    """A frontal scan as an FRGC scanner would deliver it."""
    truth = view_from_front(face.mesh.vertices, face.mesh.triangles, PITCH_MM, *WINDOW_MM)
    random = np.random.default_rng(seed)
    seen = truth.triangle >= 0
    points = truth.points.copy()
    points[..., 2] += random.normal(size=seen.shape) * noise_mm
    spiky = seen & (random.random(seen.shape) < spikes)
    points[spiky, 2] += random.choice([-1, 1], spiky.sum()) * random.uniform(3, 40, spiky.sum())
    rows, columns = np.indices(seen.shape)
    valid = seen.copy()
    for row, column, radius in holes:
        valid &= (rows - row) ** 2 + (columns - column) ** 2 > radius**2
    depth = np.where(seen, truth.points[..., 2], -1e3)
    near_step = maximum_filter(depth, 5) - minimum_filter(depth, 5) > 6
    return Synthetic(RangeImage(points, valid, frontal_colors(face, truth)), truth, near_step)


def frontal_colors(face: FaceScan, view: FrontView) -> np.ndarray:
    uv = (face.mesh.uv[face.mesh.triangles[view.triangle]] * view.weights[..., None]).sum(axis=2)
    height, width = face.texture.shape[:2]
    at = np.clip((uv * [width, height]).astype(int), 0, [width - 1, height - 1])
    return face.texture[at[..., 1], at[..., 0]]


def turned(vertices: np.ndarray, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Vertices turned by up to 30 degrees of yaw, 15 of pitch and 10 of roll, and moved; and the rotation."""
    angles = [random.uniform(-30, 30), random.uniform(-15, 15), random.uniform(-10, 10)]
    R = Rotation.from_euler("yxz", angles, degrees=True).as_matrix()
    return vertices @ R.T + random.normal(size=3) * 50, R


def mesh_scan(vertices: np.ndarray, triangles: np.ndarray, unit: str = "mm") -> RawScan:
    return RawScan(TriangleMesh(vertices, triangles), None, None, unit, 1.0, "head")


ICT_TIP = ICT_LANDMARKS["nose_tip"]
