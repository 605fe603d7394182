"""Finding the one face, and every way there is none."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import skimage.data

from maskdesign.errors import FaceError
from maskdesign.faces.detect import detect_face


@pytest.fixture(scope="module")
def astronaut() -> np.ndarray:
    return skimage.data.astronaut()


@pytest.fixture(scope="module")
def couple(astronaut) -> np.ndarray:
    """The same woman twice, the right one lower."""
    head = astronaut[:280, 90:370]
    picture = np.full((400, 640, 3), 127, np.uint8)
    picture[10:290, 20:300] = head
    picture[100:380, 340:620] = head
    return picture


def test_landmarks_lie_on_the_face(astronaut):
    landmarks = detect_face(astronaut, "astronaut").landmarks_px
    assert landmarks.shape == (478, 3)
    # Read off the photo by eye.
    for index, expected in {33: (195, 101), 263: (256, 104), 4: (224, 126), 152: (221, 177)}.items():
        np.testing.assert_allclose(landmarks[index, :2], expected, atol=4)


def test_nothing_is_written_to_the_terminal(astronaut, capfd):
    detect_face(astronaut, "astronaut")
    assert capfd.readouterr() == ("", "")


def test_no_face():
    wall = np.full((300, 300, 3), 180, np.uint8)
    with pytest.raises(FaceError, match=r"^wall\.png: no face found; give a sharp, frontal photo"):
        detect_face(wall, "wall.png")


def test_two_faces_need_a_choice(couple):
    with pytest.raises(
        FaceError, match=r"^couple\.png: 2 faces found; choose one with --face N, counted from the left$"
    ):
        detect_face(couple, "couple.png")


@pytest.mark.parametrize(("number", "x_px"), [(1, 150), (2, 470)])
def test_faces_count_from_the_left(couple, number, x_px):
    landmarks = detect_face(couple, "couple.png", number).landmarks_px
    assert abs(landmarks[4, 0] - x_px) < 20


@pytest.mark.parametrize("number", [0, 3])
def test_a_face_that_is_not_there(couple, number):
    with pytest.raises(FaceError, match=rf"^couple\.png: --face {number}, but 2 found; count from 1 at the left$"):
        detect_face(couple, "couple.png", number)


def test_a_face_too_small(astronaut):
    small = cv2.resize(astronaut[:280, 90:370], None, fx=0.55, fy=0.55, interpolation=cv2.INTER_AREA)
    with pytest.raises(FaceError, match=r"^small\.png: the face is \d+ x \d+ pixels, at least 64 are needed"):
        detect_face(small, "small.png")
