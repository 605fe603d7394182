"""The face-likeness of a sheet, flat and worn: a printed face is found, plain and striped sheets are not."""

from __future__ import annotations

import cv2
import numpy as np
import torch
from skimage.data import astronaut

from maskdesign.evaluation import likeness
from maskdesign.evaluation.likeness import WORN_PICTURES, faces_on_sheet, faces_on_worn_sheet
from maskdesign.evaluation.pictures import preview_views
from maskdesign.render.renderer import render_views
from maskdesign.render.scene import MASK, build_scene
from tests.render_scenes import PATTERN, curved_mask, egg_face


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


def test_a_printed_face_is_found_on_the_worn_sheet_too_and_a_plain_one_shows_nobody(monkeypatch):
    # The larger pictures take most of the time.
    monkeypatch.setattr(likeness, "WORN_SIDES_PX", (320,))
    scene = build_scene(None, curved_mask(), PATTERN)
    face = cv2.resize(astronaut()[:240, 100:371], (280, 248))
    found = faces_on_worn_sheet(scene, face)
    assert min(found.values()) >= 1
    assert max(found.values()) <= WORN_PICTURES
    assert sum(faces_on_worn_sheet(scene, np.full_like(face, 180)).values()) == 0


def test_a_worn_sheet_alone_looks_as_it_does_before_a_head():
    alone, worn = (build_scene(head, curved_mask(), PATTERN) for head in (None, egg_face()))
    assert (alone.material == MASK).all()
    view = preview_views(160)[2]
    texture = torch.zeros(3, 8, 8)
    texture[2] = 1.0
    pictures = [render_views((scene,), (view,), texture)[0] for scene in (alone, worn)]
    blue = pictures[1][2] - pictures[1][0] > 0.4
    assert blue.sum() > 1000
    differing = ((pictures[0] - pictures[1])[:, blue].abs() > 1e-4).any(dim=0)
    # What is left are pixels on the edge of the sheet, with skin in the one and background in the other.
    assert differing.float().mean() < 0.1
    torch.testing.assert_close(pictures[0][:, 0, 0], pictures[1][:, 0, 0])
