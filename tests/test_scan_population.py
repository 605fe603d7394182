"""Populations: spread of adults, all different, the same bits from the same seed; and which photos pass the gate."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import skimage.data

from maskdesign.errors import ConfigError, FaceError
from maskdesign.faces.detect import detect_face
from maskdesign.faces.formats.ict import read_ict
from maskdesign.faces.head_model import load_head_model
from maskdesign.faces.population import check_population, random_head, random_ict_head
from maskdesign.faces.quality import PhotoQuality, admit, detect_main_face, measure_quality
from maskdesign.faces.shape_modes import MODES, TARGETS, adult_mean, measure, vary_shape


@pytest.fixture(scope="module")
def heads():
    return [random_head(5, number) for number in range(8)]


def test_measures_have_the_spread_of_adults():
    mean = adult_mean(load_head_model().canonical_mm)
    shapes = [vary_shape(mean, np.random.default_rng([1, number])) for number in range(400)]
    for name, (target, spread) in TARGETS.items():
        values = np.array([measure(shape, name) for shape in shapes])
        assert abs(values.mean() - target) < 0.25 * spread, name
        assert 0.75 * spread < values.std() < 1.25 * spread, name
        assert (np.abs(values - target) < 4 * spread).all(), name


def test_every_mode_moves_the_face_by_millimeters_and_smoothly():
    points = load_head_model().canonical_mm
    for mode in MODES:
        moved = mode.field(points)
        size = np.linalg.norm(moved[:468], axis=1)
        assert 0.5 < size.max() < 8.0, mode.name
        mirrored = mode.field(points * [-1, 1, 1]) * [-1, 1, 1]
        if mode.name != "lean":
            np.testing.assert_allclose(mirrored, moved, atol=1e-9, err_msg=mode.name)


def test_heads_differ(heads):
    vertices = np.stack([head.mesh.vertices for head in heads])
    face = (vertices[0][:, 2] > -80) & (np.abs(vertices[0][:, 1]) < 70)
    pairs = [(a, b) for a in range(8) for b in range(a)]
    everywhere = [np.linalg.norm(vertices[a] - vertices[b], axis=1) for a, b in pairs]
    assert np.mean(everywhere) >= 4.0
    assert np.mean([distance[face].mean() for distance in everywhere]) >= 3.0
    assert min(distance.mean() for distance in everywhere) > 1.5
    assert len({head.texture.tobytes() for head in heads}) == 8


def test_heads_are_whole_scans(heads):
    for head in heads:
        np.testing.assert_allclose(head.landmarks["nose_tip"], 0, atol=1e-6)
        assert head.mesh.uv.min() >= 0 and head.mesh.uv.max() <= 1
        red, green, blue = np.median(head.texture.reshape(-1, 3), axis=0)
        assert red > green > blue, "skin is redder than blue, whatever its tone"


def test_the_same_seed_gives_the_same_bits_and_another_does_not(heads):
    again = random_head(5, 3)
    np.testing.assert_array_equal(again.mesh.vertices, heads[3].mesh.vertices)
    np.testing.assert_array_equal(again.texture, heads[3].texture)
    assert not np.array_equal(random_head(6, 3).mesh.vertices, heads[3].mesh.vertices)


def test_a_population_has_limits():
    for count in (0, 10_001):
        with pytest.raises(ConfigError, match=rf"--population {count}: from 1 to 10000"):
            check_population(count)


def test_ict_heads_have_the_spread_that_was_measured(shared):
    model = read_ict(shared / "scans/ict_facekit_identities.npz")
    heads = [random_ict_head(model, 1, number) for number in range(12)]
    corners = [np.linalg.norm(np.subtract(*head.points_mm(("eye_outer_left", "eye_outer_right")))) for head in heads]
    assert 85 < np.mean(corners) < 93 and 2 < np.std(corners) < 8
    for head in heads:
        assert head.landmarks["ear_left"][0] < -50 < 50 < head.landmarks["ear_right"][0]
        assert head.landmarks["nasion"][1] > 20 > 0 > head.landmarks["chin"][1]


@pytest.fixture(scope="module")
def photo():
    return skimage.data.astronaut()


def test_the_gate_lets_a_good_photo_pass(photo):
    quality = measure_quality(photo, detect_main_face(photo, "astronaut"))
    assert abs(quality.yaw_deg) < 15 and quality.face_px > 80
    admit(quality, "astronaut")


def test_blur_is_noticed(photo):
    detection = detect_face(photo, "astronaut")
    blurred = [measure_quality(cv2.GaussianBlur(photo, (0, 0), sigma), detection).sharpness for sigma in (0.5, 1, 2, 4)]
    assert all(np.diff(blurred) < 0)
    assert measure_quality(photo, detection).sharpness > 3 * blurred[-1]


def test_yaw_has_the_sign_of_the_picture(photo):
    mirrored = np.ascontiguousarray(photo[:, ::-1])
    there = measure_quality(photo, detect_face(photo, "a")).yaw_deg
    back = measure_quality(mirrored, detect_face(mirrored, "b")).yaw_deg
    assert there == pytest.approx(-back, abs=3)


@pytest.mark.parametrize(
    ("quality", "message"),
    [
        (PhotoQuality(-41.0, 200, 0.2), r"^me: the head is turned by 41 degrees, at most 35 are used"),
        (PhotoQuality(0.0, 40, 0.2), r"^me: the face is 40 pixels wide, at least 64 are needed"),
        (PhotoQuality(0.0, 200, 0.01), r"^me: the face is blurred \(sharpness 0\.010, at least 0\.03 is needed\)"),
    ],
)
def test_the_gate_says_why(quality, message):
    with pytest.raises(FaceError, match=message):
        admit(quality, "me")


def test_the_larger_of_two_faces_is_taken_and_twins_are_refused(photo):
    face = photo[:300, 60:380]
    small = cv2.resize(face, None, fx=0.62, fy=0.62, interpolation=cv2.INTER_AREA)
    beside = np.zeros((300, 320 + small.shape[1], 3), np.uint8)
    beside[:, :320], beside[: small.shape[0], 320:] = face, small
    assert detect_main_face(beside, "two").landmarks_px[4, 0] < 320
    twins = np.ascontiguousarray(np.concatenate([face, face], axis=1))
    with pytest.raises(FaceError, match=r"^two: 2 faces of similar size; crop the photo to one"):
        detect_main_face(twins, "two")
