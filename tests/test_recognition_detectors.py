"""Three detectors behind one protocol: MTCNN against the package it comes from, and who finds whom."""

from __future__ import annotations

import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from skimage.data import astronaut

from maskdesign.errors import RecognizerError
from maskdesign.files import read_image
from maskdesign.recognition import mtcnn_nets
from maskdesign.recognition.detectors import DETECTORS, HAAR, MEDIAPIPE, MTCNN, faces_found, found_faces
from maskdesign.recognition.mtcnn import detect_mtcnn, kept_boxes, pyramid_scales, squared
from maskdesign.recognition.mtcnn_nets import SHA256, load_cascade, read_arrays, weights_folder

# What mtcnn 1.0.0 itself answers on tensorflow-cpu 2.18 (detect_faces, "xyxy"): box, score, all x, all y.
# Its pixels have their centers at whole numbers.
PUBLISHED = {
    "astronaut": (
        (181.598, 63.726, 264.553, 171.079, 0.999),
        (203.541, 245.409, 224.224, 201.789, 244.389, 100.103, 102.238, 126.42, 138.587, 140.377),
    ),
    "biden": (
        (433.188, 170.356, 716.052, 558.933, 1.0),
        (533.932, 653.205, 593.413, 521.235, 627.22, 320.324, 342.949, 403.547, 458.701, 477.443),
    ),
}


def picture(name: str, request: pytest.FixtureRequest) -> np.ndarray:
    if name == "astronaut":
        return astronaut()
    return read_image(request.getfixturevalue("shared") / "photos" / "portraits" / f"{name}.jpg")


@pytest.mark.parametrize("name", PUBLISHED)
def test_mtcnn_answers_as_the_published_package(name, request):
    (box, points), (expected_box, expected_points) = detect_mtcnn(picture(name, request)), PUBLISHED[name]
    assert len(box) == 1
    np.testing.assert_allclose(box[0, :4] - 0.5, expected_box[:4], atol=2e-3)
    assert box[0, 4] == pytest.approx(expected_box[4], abs=1e-3)
    np.testing.assert_allclose(points[0].T.reshape(-1) - 0.5, expected_points, atol=2e-3)


@pytest.mark.parametrize("name", ["astronaut", "biden", "obama", "obama2"])
def test_all_three_find_the_one_face_and_its_points(name, request):
    image = picture(name, request)
    factor = max(1, image.shape[0] // 400)
    image = np.asarray(cv2.resize(image, None, fx=1 / factor, fy=1 / factor, interpolation=cv2.INTER_AREA), np.uint8)
    mesh, cascade, haar = (detector.detect(image) for detector in (MEDIAPIPE, MTCNN, HAAR))
    assert len(mesh.scores) == len(cascade.scores) == 1 <= len(haar.scores)
    apart = np.linalg.norm(mesh.points_px - cascade.points_px, axis=2)
    assert apart.max() < 0.1 * np.linalg.norm(mesh.points_px[0, 1] - mesh.points_px[0, 0])
    for found in (mesh, cascade):
        (box,), (points,) = found.boxes_px, found.points_px
        assert (box[:2] < points).all() and (points < box[2:]).all()
    assert np.isnan(haar.points_px).all()


def test_a_mirrored_picture_gives_mirrored_faces():
    image = astronaut()
    boxes, points = detect_mtcnn(image)
    mirrored_boxes, mirrored_points = detect_mtcnn(np.ascontiguousarray(image[:, ::-1]))
    np.testing.assert_allclose(image.shape[1] - mirrored_boxes[0, [2, 0]], boxes[0, [0, 2]], atol=6)
    back = mirrored_points[0, [1, 0, 2, 4, 3]] * [-1, 1] + [image.shape[1], 0]
    np.testing.assert_allclose(back, points[0], atol=3)


def test_two_faces_are_two():
    face = astronaut()[20:260, 100:371]
    boxes, _ = detect_mtcnn(np.concatenate([face, face], axis=1))
    assert len(boxes) == 2 and abs(boxes[0, 0] - boxes[1, 0]) == pytest.approx(271, abs=4)


def test_faces_found_asks_for_the_right_place():
    face, nobody = astronaut()[20:260, 100:371], np.full((240, 271, 3), 120, np.uint8)
    images = [face, nobody, face]
    nose = (124.0, 107.0)
    assert faces_found(iter(images)) == {detector.name: pytest.approx(2 / 3) for detector in DETECTORS}
    rows = found_faces(images, [nose, nose, (20.0, 220.0)])
    assert {name: found.tolist() for name, found in rows.items()} == {
        detector.name: [True, False, False] for detector in DETECTORS
    }
    assert list(faces_found(images, detectors=(HAAR,))) == [HAAR.name]


@pytest.mark.parametrize("shape", [(1, 1), (12, 12), (19, 40), (300, 21), (21, 300)])
def test_small_and_narrow_pictures_hold_nobody(shape):
    boxes, points = detect_mtcnn(np.full((*shape, 3), 90, np.uint8))
    assert boxes.shape == (0, 5) and points.shape == (0, 5, 2)


def test_pyramid_starts_where_20_pixels_become_12_and_never_falls_below_the_network():
    scales = pyramid_scales(400, 300)
    assert scales[0] == pytest.approx(12 / 20) and min(scales) * 300 >= 11
    np.testing.assert_allclose(np.divide(scales[1:], scales[:-1]), 0.709)


def test_boxes_that_a_surer_one_overlaps_fall():
    boxes = np.array([[0, 0, 10, 10, 0.7], [1, 0, 11, 10, 0.9], [20, 20, 30, 30, 0.1]])
    np.testing.assert_array_equal(kept_boxes(boxes, 0.5), boxes[[1, 2]])
    np.testing.assert_array_equal(kept_boxes(boxes, 0.9), boxes[[1, 0, 2]])
    assert kept_boxes(np.zeros((0, 5)), 0.5).shape == (0, 5)


def test_squares_keep_their_middle_and_the_longer_side():
    boxes = np.array([[0.0, 0.0, 4.0, 10.0, 0.3], [5.0, 5.0, 9.0, 6.0, 0.2]])
    made = squared(boxes)
    np.testing.assert_allclose(made[:, 2:4] - made[:, :2], [[10, 10], [4, 4]])
    np.testing.assert_allclose(made[:, :2] + made[:, 2:4], boxes[:, :2] + boxes[:, 2:4])


def test_a_changed_file_is_refused_before_it_is_unpacked(tmp_path, monkeypatch):
    import joblib

    changed = tmp_path / "pnet.lz4"
    shutil.copy(weights_folder() / "pnet.lz4", changed)
    changed.write_bytes(changed.read_bytes()[:-1] + b"x")
    monkeypatch.setattr(joblib, "load", lambda *_: pytest.fail("unpacked"))
    with pytest.raises(RecognizerError, match=r"pnet\.lz4: sha256 is [0-9a-f]{64}, expected ea6b0c3e.*mtcnn==1\.0\.0"):
        read_arrays(changed, SHA256["pnet.lz4"])


def test_a_missing_package_or_file_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(mtcnn_nets, "weights_folder", lambda: tmp_path)
    with pytest.raises(RecognizerError, match=r"pnet\.lz4: missing; run: pip install"):
        load_cascade()
    monkeypatch.undo()
    monkeypatch.setattr(mtcnn_nets, "PACKAGE_NAME", "no_such_package_at_all")
    with pytest.raises(RecognizerError, match="no_such_package_at_all: the package is missing; run: pip install"):
        load_cascade()


def test_tensorflow_stays_out():
    import sys

    detect_mtcnn(np.zeros((40, 40, 3), np.uint8))
    assert not {"tensorflow", "mtcnn"} & set(sys.modules)
    assert Path(mtcnn_nets.weights_folder()).name == "weights"
