from __future__ import annotations

import cv2
import numpy as np
import pytest
from render_scenes import camera

from maskdesign.render.camera import orbit_camera, project_points, rotation_matrix
from maskdesign.render.shading import scaled_camera


@pytest.mark.parametrize("pose", [(0, 0, 0), (40, -15, 8), (-60, 20, -10)])
def test_projection_equals_opencv(pose):
    cam = orbit_camera(*pose, distance_mm=600, focal_px=480, width_px=160, height_px=120)
    points = np.random.default_rng(0).uniform(-80, 80, (50, 3))
    expected, _ = cv2.projectPoints(points, cv2.Rodrigues(cam.R)[0], cam.T, cam.K, None)
    np.testing.assert_allclose(project_points(cam, points)[:, :2], expected[:, 0], atol=1e-8)


def test_the_named_center_lies_in_the_middle_at_the_named_distance():
    cam = orbit_camera(30, 10, 5, distance_mm=800, focal_px=500, width_px=200, height_px=100, center_mm=(1, 2, -30))
    np.testing.assert_allclose(project_points(cam, np.array([[1.0, 2, -30]])), [[100, 50, 800]], atol=1e-9)


@pytest.mark.parametrize(
    ("pose", "point", "axis", "sign"),
    [
        ((30, 0, 0), (0, 0, 0), 0, 1),  # the nose goes to the right of the picture
        ((0, 20, 0), (0, 0, 0), 1, -1),  # the nose goes up
        ((0, 0, 15), (0, 90, -40), 0, 1),  # the top of the head goes to the right: clockwise
    ],
)
def test_signs_of_yaw_pitch_and_roll(pose, point, axis, sign):
    start, turned = (project_points(camera(*p), np.array([point], float))[0, axis] for p in ((0, 0, 0), pose))
    assert sign * (turned - start) > 5


def test_rotations_are_proper():
    R = rotation_matrix(33, -12, 7)
    np.testing.assert_allclose(R @ R.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(R) == pytest.approx(1)


def test_finer_camera_divides_each_pixel():
    cam = camera(20, 5, 3)
    fine = scaled_camera(cam, 3)
    points = np.random.default_rng(1).uniform(-60, 60, (9, 3))
    np.testing.assert_allclose(project_points(fine, points)[:, :2], 3 * project_points(cam, points)[:, :2])
    assert (fine.width_px, fine.height_px) == (3 * cam.width_px, 3 * cam.height_px)
