"""Pictures of heads as a camera would take them, and how far a head made from one is from the truth."""

from __future__ import annotations

import numpy as np
import torch

from maskdesign.faces.scan import FaceScan
from maskdesign.geometry.align import Similarity, apply_similarity
from maskdesign.geometry.icp import IcpSettings, make_target, move_onto
from maskdesign.geometry.mesh import vertex_normals
from maskdesign.geometry.orthographic import view_from_front
from maskdesign.mask.pattern import MaskPattern
from maskdesign.render.camera import orbit_camera
from maskdesign.render.light import Light
from maskdesign.render.renderer import render_views
from maskdesign.render.scene import build_scene
from maskdesign.render.sensor import CameraResponse
from maskdesign.render.view import View

WINDOW_MM = ((-55.0, -70.0), (55.0, 50.0))
"""The face between brows, chin and the sides of the cheeks, in the face frame."""


def picture_of(scan: FaceScan, yaw_deg: float = 0.0, side_px: int = 320, distance_mm: float = 700.0) -> np.ndarray:
    """A bare head under soft light, (side, side, 3) uint8; it fills the same part of the picture at any distance."""
    focal_px = side_px * 2.5 * distance_mm / 700
    camera = orbit_camera(yaw_deg, 0, 0, distance_mm, focal_px, side_px, side_px)
    light = Light((0.85,) * 3, (0.25,) * 3, (0, 0.4, 1))
    view = View(camera, light, CameraResponse(0.5, 0.0, 1.0, (1.0, 1.0, 1.0), 1.0), 0, (0.2,) * 3, 0)
    pixels = render_views([build_scene(scan, None, MaskPattern())], [view], torch.zeros(3, 4, 4))
    return np.ascontiguousarray((pixels[0].permute(1, 2, 0).numpy() * 255).round().astype(np.uint8))


def depth_errors(head: FaceScan, truth: FaceScan) -> np.ndarray:
    """(n,) absolute differences in depth over the face, in mm, after the head was laid onto the truth.

    A photo tells neither place nor turn nor, but for the iris, size: rigid ICP with scale takes these out first.
    """
    mesh = truth.mesh
    near = np.flatnonzero((np.abs(mesh.vertices) < [70, 80, 90]).all(axis=1))
    target = make_target(mesh.vertices[near], vertex_normals(mesh.vertices, mesh.triangles)[near])
    inside = (np.abs(head.mesh.vertices - [0, -10, -30]) < [50, 60, 60]).all(axis=1)
    found = move_onto(
        head.mesh.vertices[inside], target, _first_guess(head, truth), IcpSettings(rounds=40, scale_range=(0.85, 1.18))
    )
    moved = apply_similarity(found.similarity, head.mesh.vertices)
    low, high = np.array(WINDOW_MM)
    seen = [
        view_from_front(v, t, 1.0, low, high)
        for v, t in ((moved, head.mesh.triangles), (mesh.vertices, mesh.triangles))
    ]
    both = (seen[0].triangle >= 0) & (seen[1].triangle >= 0)
    return np.abs(seen[0].points[..., 2] - seen[1].points[..., 2])[both]


def _first_guess(head: FaceScan, truth: FaceScan) -> Similarity:
    return Similarity(1.0, np.eye(3), truth.landmarks["nose_tip"] - head.landmarks["nose_tip"])
