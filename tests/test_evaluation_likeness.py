"""The face-likeness of a sheet: a printed face is found, plain and striped sheets are not."""

from __future__ import annotations

import cv2
import numpy as np
from skimage.data import astronaut

from maskdesign.evaluation.likeness import faces_on_sheet


def test_a_printed_face_is_found_by_every_detector_even_upside_down():
    face = cv2.resize(astronaut()[:240, 100:371], (280, 248))
    assert min(faces_on_sheet(face).values()) >= 1
    assert min(faces_on_sheet(np.ascontiguousarray(face[::-1, ::-1])).values()) >= 1


def test_plain_and_striped_sheets_show_nobody():
    plain = np.full((248, 280, 3), 180, np.uint8)
    stripes = plain.copy()
    stripes[::16] = 40
    assert sum(faces_on_sheet(plain).values()) == 0
    assert sum(faces_on_sheet(stripes).values()) == 0
