"""T-Net: what comes out is a rotation, what must be exact is exact, and on heads it never saw it is near."""

import hashlib

import numpy as np
import pytest
import torch

from maskdesign.errors import ConfigError, FaceError, InputError
from maskdesign.faces import transform_net as net
from maskdesign.faces.landmarks import LANDMARK_INDEX
from maskdesign.faces.placed import detection_from_points
from maskdesign.faces.population import random_head
from maskdesign.faces.posed_landmarks import (
    FEWEST,
    NAMES,
    PARTNERS,
    PoseRanges,
    mean_landmarks_mm,
    pose_landmarks,
    random_landmarks,
    turned,
)
from maskdesign.render.camera import FACE_TO_CAMERA, orbit_camera, project_points, rotation_matrix


@pytest.fixture(scope="module")
def views():
    return pose_landmarks(random_landmarks(40, 77), PoseRanges(noise=(0.01, 0.01)), 400, np.random.default_rng(5))


def turned_as(points, visible):
    with torch.no_grad():
        return net.rotations(net.load_transform_net(), torch.from_numpy(points), torch.from_numpy(visible)).numpy()


def degrees_between(one, other):
    return np.degrees(2 * np.arcsin(np.clip(np.sqrt(np.square(one - other).sum(axis=(-2, -1)) / 8), 0, 1)))


def test_the_answers_are_rotations(views):
    found = turned_as(views.points, views.visible)
    np.testing.assert_allclose(found @ found.transpose(0, 2, 1), np.broadcast_to(np.eye(3), found.shape), atol=1e-12)
    np.testing.assert_allclose(np.linalg.det(found), 1, atol=1e-12)


def test_near_on_heads_that_it_never_saw(views):
    errors = degrees_between(turned_as(views.points, views.visible), views.rotations)
    yaw = np.degrees(np.arctan2(views.rotations[:, 0, 2], views.rotations[:, 2, 2]))
    assert np.median(errors[np.abs(yaw) < 60]) < 3.0
    assert np.quantile(errors, 0.95) < 9


def test_a_picture_moved_scaled_and_turned_turns_the_answer_exactly(views):
    angle = 0.7
    plane = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    about_z = np.eye(3)
    about_z[:2, :2] = plane
    moved = 3.5 * views.points @ plane.T + [120.0, -40.0]
    found, other = turned_as(views.points, views.visible), turned_as(moved, views.visible)
    np.testing.assert_allclose(other, about_z @ found, atol=1e-9)


def test_a_mirrored_picture_mirrors_the_answer_exactly(views):
    flip = np.diag([-1.0, 1.0, 1.0])
    partners = list(PARTNERS)
    mirrored = turned_as(views.points[:, partners] * [-1, 1], views.visible[:, partners])
    np.testing.assert_allclose(mirrored, flip @ turned_as(views.points, views.visible) @ flip, atol=1e-9)


def test_hidden_points_say_nothing(views):
    elsewhere = np.where(views.visible[..., None], views.points, 1e4)
    np.testing.assert_allclose(turned_as(elsewhere, views.visible), turned_as(views.points, views.visible), atol=1e-9)


def test_views_are_what_the_camera_sees(views):
    angles = np.array([[20.0, -10.0, 5.0], [-60.0, 30.0, -40.0]])
    for rotation, row in zip(turned(*angles.T), angles, strict=True):
        np.testing.assert_allclose(rotation, rotation_matrix(*row), atol=1e-12)
    heads = random_landmarks(3, 1)
    seen = pose_landmarks(heads, PoseRanges(noise=(0, 0), hidden=0), 5, np.random.default_rng(2))
    assert (views.visible.sum(axis=1) >= FEWEST).all() and not views.visible.all()
    for row in range(5):
        middle, distance = heads[seen.heads[row]].mean(axis=0), seen.distance_mm[row]
        camera = orbit_camera(0, 0, 0, distance, distance, 2, 2, center_mm=(0, 0, 0))
        turned_mm = (heads[seen.heads[row]] - middle) @ seen.rotations[row].T
        pixels = (project_points(camera, turned_mm)[:, :2] - 1) * [1, -1]
        np.testing.assert_allclose(seen.points[row][seen.visible[row]], pixels[seen.visible[row]], atol=1e-9)


def test_heads_of_the_population_have_these_landmarks():
    # The landmarks of a whole head, laid over the mean head as training heads are.
    from maskdesign.geometry.align import apply_similarity, fit_similarity

    head, quick = random_head(77, 3), random_landmarks(4, 77)[3]
    points = np.stack([head.landmarks[name] for name in NAMES])
    apart = apply_similarity(fit_similarity(points, quick), points) - quick
    assert np.linalg.norm(apart, axis=1).max() < 4


def test_landmarks_in_a_picture_place_a_turned_face():
    camera = orbit_camera(30, 8, -12, 900, 900, 400, 400)
    points_px = {
        name: pixel[:2] for name, pixel in zip(NAMES, project_points(camera, mean_landmarks_mm()), strict=True)
    }
    assert degrees_between(net.head_rotation(points_px, "me"), FACE_TO_CAMERA @ camera.R) < 6
    some = {name: points_px[name] for name in NAMES if name not in ("jaw_left", "eye_outer_left")}
    placed = detection_from_points(some, 400, 400, "me").landmarks_px
    for name in ("jaw_left", "eye_outer_left"):
        # What is hidden is where the pose says.
        assert np.linalg.norm(placed[LANDMARK_INDEX[name], :2] - points_px[name]) < 12


def test_what_no_pose_can_be_told_from():
    points = {name: np.array([10.0 * k, k * k]) for k, name in enumerate(NAMES)}
    for wrong, message in (
        (dict(list(points.items())[:5]), "5 landmarks of the face; give at least 6"),
        (points | {"chin": np.array([1.0, np.nan])}, "chin = .* is not x, y in pixels"),
        (points | {"chin": np.array([1.0, 2, 3])}, "chin = .* is not x, y in pixels"),
        (dict.fromkeys(NAMES, np.array([5.0, 5])), "all landmarks lie in one place"),
    ):
        with pytest.raises(FaceError, match=message):
            net.head_rotation(wrong, "me")
    for ranges in ({"distance_mm": (0.0, 5.0)}, {"noise": (0.2, 0.1)}, {"hidden": 0.7}):
        with pytest.raises(ConfigError):
            PoseRanges(**ranges)


def test_only_the_measured_weights_are_taken(tmp_path):
    data = bytearray(net.WEIGHTS.read_bytes())
    assert len(data) < 300_000 and hashlib.sha256(data).hexdigest() == net.SHA256
    data[-1] ^= 1
    (tmp_path / "t.safetensors").write_bytes(data)
    with pytest.raises(InputError, match="is not the network of this version"):
        net.load_transform_net(tmp_path / "t.safetensors")
    again = net.save_transform_net(net.load_transform_net().float(), tmp_path / "again.safetensors")
    net.load_transform_net.cache_clear()
    assert again == net.SHA256
