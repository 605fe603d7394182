"""`PinholeCamera`: from millimeters in the face frame to pixels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from maskdesign.errors import InputError

ROTATION_TOLERANCE = 1e-4


@dataclass(frozen=True)
class PinholeCamera:
    """A camera without distortion.

    Attributes:
        R: (3, 3) float64 rotation, world to camera.
        T: (3,) float64 translation in millimeters: x_camera = R x_world + T.
        K: (3, 3) float64 intrinsics in pixels.
        width_px, height_px: image size.

    Convention: OpenCV axes, +x right, +y down, +z into the scene. The center of the upper left pixel is (0.5, 0.5).

    Raises:
        InputError: an image without pixels, matrices of another shape or not finite, or R that is no rotation.
    """

    R: NDArray[np.float64]
    T: NDArray[np.float64]
    K: NDArray[np.float64]
    width_px: int
    height_px: int

    def __post_init__(self) -> None:
        if self.width_px < 1 or self.height_px < 1:
            raise InputError(f"camera width_px x height_px = {self.width_px} x {self.height_px} must be at least 1 x 1")
        for name, shape in (("R", (3, 3)), ("T", (3,)), ("K", (3, 3))):
            value = getattr(self, name)
            if value.shape != shape or not np.isfinite(value).all():
                raise InputError(f"camera {name} = {value.tolist()} must be {shape} finite numbers")
        if np.abs(self.R @ self.R.T - np.eye(3)).max() > ROTATION_TOLERANCE or np.linalg.det(self.R) < 0:
            raise InputError(f"camera R = {self.R.tolist()} must be a rotation")


FACE_TO_CAMERA = np.diag([1.0, -1.0, -1.0])
"""The face frame has +y up and +z towards the camera; OpenCV's camera has +y down and +z away."""


def orbit_camera(
    yaw_deg: float,
    pitch_deg: float,
    roll_deg: float,
    distance_mm: float,
    focal_px: float,
    width_px: int,
    height_px: int,
    center_mm: tuple[float, float, float] = (0.0, 0.0, -40.0),
) -> PinholeCamera:
    """A camera that sees the head turned by the given angles, with `center_mm` in the middle of the image.

    Args:
        yaw_deg: > 0 turns the face to the right of the picture.
        pitch_deg: > 0 raises the chin.
        roll_deg: > 0 tilts the head clockwise in the picture.
        distance_mm: camera to `center_mm`, > 0.
        focal_px: focal length.
        center_mm: point of the head frame that the head turns about, inside the head.

    Raises:
        InputError: a distance or a focal length that is not positive.
    """
    if not distance_mm > 0 or not focal_px > 0:
        raise InputError(f"camera distance_mm = {distance_mm} and focal_px = {focal_px} must be positive")
    R = FACE_TO_CAMERA @ rotation_matrix(yaw_deg, pitch_deg, roll_deg)
    T = np.array([0.0, 0.0, distance_mm]) - R @ np.asarray(center_mm)
    K = np.array([[focal_px, 0.0, width_px / 2], [0.0, focal_px, height_px / 2], [0.0, 0.0, 1.0]])
    return PinholeCamera(R, T, K, width_px, height_px)


def rotation_matrix(yaw_deg: float, pitch_deg: float, roll_deg: float) -> NDArray[np.float64]:
    """Rotation of the head in the face frame, applied in the order yaw, pitch, roll; signs as in `orbit_camera`."""
    yaw, pitch, roll = np.radians([yaw_deg, -pitch_deg, -roll_deg])
    about_y = np.array([[np.cos(yaw), 0, np.sin(yaw)], [0, 1, 0], [-np.sin(yaw), 0, np.cos(yaw)]], np.float64)
    about_x = np.array([[1, 0, 0], [0, np.cos(pitch), -np.sin(pitch)], [0, np.sin(pitch), np.cos(pitch)]], np.float64)
    about_z = np.array([[np.cos(roll), -np.sin(roll), 0], [np.sin(roll), np.cos(roll), 0], [0, 0, 1]], np.float64)
    return about_z @ about_x @ about_y


def project_points(camera: PinholeCamera, points_mm: NDArray[np.float64]) -> NDArray[np.float64]:
    """Pixels and depth of points of the world.

    Args:
        points_mm: (n, 3).

    Returns:
        (n, 3): x and y in pixels, z in millimeters in front of the camera.
    """
    in_camera = points_mm @ camera.R.T + camera.T
    homogeneous = in_camera @ camera.K.T
    return np.column_stack([homogeneous[:, :2] / homogeneous[:, 2:], in_camera[:, 2]])
