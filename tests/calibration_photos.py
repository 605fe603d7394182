"""Photographs of boards with everything known: rendered by this project, visibility by Embree, no detector involved."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from maskdesign.calibration.board import Board, board_pixels, inner_corners_mm
from maskdesign.geometry.mesh import TriangleMesh
from maskdesign.mask.cells import worn_points_mm
from maskdesign.mask.pattern import MaskPattern
from maskdesign.mask.sheet import fine_grid
from maskdesign.mask.worn import DrapeReport, WornMask
from maskdesign.render.camera import PinholeCamera, orbit_camera, project_points
from maskdesign.render.embreex_rays import EmbreexScene
from maskdesign.render.light import Light, color_temperature_rgb
from maskdesign.render.renderer import RenderSettings, render_views
from maskdesign.render.scene import MASK, Scene, _mask_part
from maskdesign.render.sensor import CameraResponse
from maskdesign.render.view import View

PATTERN = MaskPattern()


@dataclass(frozen=True)
class Photo:
    """A picture of a board and the truth about it."""

    pixels: NDArray[np.uint8]
    corners_px: NDArray[np.float64]
    visible: NDArray[np.bool_]
    slant_deg: NDArray[np.float64]
    camera: PinholeCamera


def bent_sheet(radius_mm: float | None, pattern: MaskPattern = PATTERN) -> WornMask:
    """The flat sheet, or the sheet around an upright cylinder; the middle of the sheet at the origin, facing +z."""
    grid = fine_grid(pattern)
    u, v = grid.sheet_mm[:, 0] - pattern.width_mm / 2, pattern.height_mm / 2 - grid.sheet_mm[:, 1]
    if radius_mm is None:
        points = np.stack([u, v, np.zeros_like(u)], -1)
    else:
        points = np.stack([radius_mm * np.sin(u / radius_mm), v, radius_mm * (np.cos(u / radius_mm) - 1)], -1)
    mesh = TriangleMesh(points, grid.triangles)
    return WornMask(mesh, grid.sheet_mm, grid.layer, DrapeReport(0, 0, 0, 1, 0, 155, 0, 0, 0))


def sheet_alone(worn: WornMask, pattern: MaskPattern = PATTERN) -> Scene:
    """A scene of the sheet without anybody in it."""
    vertices, triangles, normals, uv = _mask_part(worn, pattern)
    return Scene(
        vertices.astype(np.float32),
        triangles.astype(np.int32),
        torch.from_numpy(normals.astype(np.float32)),
        torch.from_numpy(uv.astype(np.float32)),
        torch.full((len(triangles),), MASK, dtype=torch.uint8),
        torch.full((3, 2, 2), 0.5),
    )


def seen_by_embree(scene: Scene, points_mm: NDArray[np.float64], camera: PinholeCamera) -> NDArray[np.bool_]:
    """Whether nothing lies between the points, moved a little towards the camera, and the camera; inside the picture.

    A point on the far side of the sheet it lies on is hidden by this sheet itself.
    """
    eye = -camera.R.T @ camera.T
    toward = eye - points_mm
    toward /= np.linalg.norm(toward, axis=1, keepdims=True)
    occluded = EmbreexScene(scene.vertices_mm, scene.triangles).are_occluded(points_mm + 0.1 * toward, toward)
    x, y, _ = project_points(camera, points_mm).T
    return ~occluded & (x > 4) & (y > 4) & (x < camera.width_px - 4) & (y < camera.height_px - 4)


def corner_truth(
    scene: Scene, worn: WornMask, board: Board, camera: PinholeCamera, ring_mm: float = 1.0
) -> tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[np.float64]]:
    """Where each inner corner is in the picture, whether it is to be seen, and from how far aside.

    A corner counts as seen when it and the four points a millimeter away from it, one in each cell, are seen: where a
    fold runs through the corner itself, no four cells meet.

    Returns:
        (R, C, 2) pixels, (R, C), and (R, C) degrees between the printed side's normal and the line of sight.
    """
    corners = inner_corners_mm(board)
    offsets = np.array([[0, 0], [1, 1], [1, -1], [-1, 1], [-1, -1]]) * ring_mm / np.sqrt(2)
    spots = worn_points_mm(worn, corners[..., None, :] + offsets)
    seen = seen_by_embree(scene, spots.reshape(-1, 3), camera).reshape(*corners.shape[:2], 5)
    pixels = project_points(camera, spots[..., 0, :].reshape(-1, 3))[:, :2].reshape(*corners.shape[:2], 2)
    slant = _slant_deg(spots, camera)
    return pixels, seen.all(axis=-1) & (slant < 90), slant


def _slant_deg(spots: NDArray[np.float64], camera: PinholeCamera) -> NDArray[np.float64]:
    along_u = spots[..., 1, :] + spots[..., 2, :] - spots[..., 3, :] - spots[..., 4, :]
    along_v = spots[..., 1, :] + spots[..., 3, :] - spots[..., 2, :] - spots[..., 4, :]
    normal, sight = np.cross(along_v, along_u), -camera.R.T @ camera.T - spots[..., 0, :]
    cosine = (normal * sight).sum(axis=-1) / np.linalg.norm(normal, axis=-1) / np.linalg.norm(sight, axis=-1)
    return np.degrees(np.arccos(np.clip(cosine, -1, 1)))


@dataclass(frozen=True)
class Conditions:
    """What random photos are drawn from."""

    side_px: int = 1200
    yaw_deg: float = 45.0
    pitch_deg: float = 20.0
    roll_deg: float = 12.0
    px_per_mm: tuple[float, float] = (4.0, 5.5)
    blur_px: tuple[float, float] = (0.4, 1.4)
    noise_std: tuple[float, float] = (0.0, 0.02)
    gain: tuple[float, float] = (0.65, 1.1)


def random_view(rng: np.random.Generator, conditions: Conditions, center_mm: tuple[float, float, float]) -> View:
    """A random pose, light, exposure, blur, noise and color cast."""
    c = conditions
    distance = float(rng.uniform(350, 900))
    yaw, pitch, roll = (float(rng.uniform(-b, b)) for b in (c.yaw_deg, c.pitch_deg, c.roll_deg))
    focal = distance * float(rng.uniform(*c.px_per_mm))
    camera = orbit_camera(yaw, pitch, roll, distance, focal, c.side_px, c.side_px, center_mm)
    tint = color_temperature_rgb(float(rng.uniform(2800, 7500))) ** float(rng.uniform(0, 0.5))
    tint /= tint.mean()
    ambient, lamp = float(rng.uniform(0.3, 0.6)) * tint, float(rng.uniform(0.2, 0.6)) * tint
    azimuth, elevation = np.radians([rng.uniform(-70, 70), rng.uniform(-10, 70)])
    direction = (np.sin(azimuth) * np.cos(elevation), np.sin(elevation), np.cos(azimuth) * np.cos(elevation))
    response = CameraResponse(
        blur_sigma_px=float(rng.uniform(*c.blur_px)),
        noise_std=float(rng.uniform(*c.noise_std)),
        gain=float(rng.uniform(*c.gain)),
        white_balance=(1.0, 1.0, 1.0),
        gamma=float(rng.uniform(0.92, 1.08)),
        jpeg_quality=int(rng.integers(75, 98)),
    )
    light = Light(tuple(map(float, ambient)), tuple(map(float, lamp)), tuple(map(float, direction)))
    background = tuple(map(float, rng.uniform(0.05, 0.6, 3)))
    return View(camera, light, response, 0, background, int(rng.integers(2**31)))


def take_photo(scene: Scene, worn: WornMask, board: Board, view: View, pattern: MaskPattern = PATTERN) -> Photo:
    """Print the board on the sheet and take its picture."""
    texture = torch.from_numpy(board_pixels(board, pattern, 8.0).copy()).permute(2, 0, 1).float() / 255
    picture = render_views([scene], [view], texture, RenderSettings(3))[0]
    corners, visible, slant = corner_truth(scene, worn, board, view.camera)
    pixels = (picture * 255).round().to(torch.uint8).permute(1, 2, 0).contiguous().numpy()
    return Photo(pixels, corners, visible, slant, view.camera)
