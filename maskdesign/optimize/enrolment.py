"""Whom a recognizer knows: the wearer without a mask, seen from the front in even light."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray

from maskdesign.faces.scan import FaceScan, named_points
from maskdesign.optimize.ensemble import Member, landmark_pixels
from maskdesign.recognition.align import align_faces
from maskdesign.recognition.recognizer import Recognizer
from maskdesign.recognition.score import margins, scores
from maskdesign.render.camera import orbit_camera
from maskdesign.render.light import Light
from maskdesign.render.renderer import render_views
from maskdesign.render.scene import Scene
from maskdesign.render.sensor import CameraResponse
from maskdesign.render.view import View

SIDE_PX = 224
DISTANCE_MM = 1000.0
PX_PER_MM = 0.9


def enrolment_view() -> View:
    """A portrait as an access system asks for: frontal, close, evenly lit, without noise."""
    return View(
        camera=orbit_camera(0.0, 0.0, 0.0, DISTANCE_MM, DISTANCE_MM * PX_PER_MM, SIDE_PX, SIDE_PX),
        light=Light((0.75, 0.75, 0.75), (0.25, 0.25, 0.25), (0.0, 0.0, 1.0)),
        response=CameraResponse(blur_sigma_px=0.0, noise_std=0.0, gain=1.0, white_balance=(1.0, 1.0, 1.0), gamma=1.0),
        scene_index=0,
        background_rgb=(0.5, 0.5, 0.5),
        noise_seed=0,
    )


@torch.no_grad()
def enroll(recognizer: Recognizer, face: FaceScan, bare: Scene) -> Member:
    """Enrol the wearer with a rendered portrait without a mask.

    Probes are rendered too, so enrolment and probe differ by what the mask and the view change, and not by how real the
    head looks: against the photograph itself every mask would seem to protect more than it does. How far the rendered
    portrait is from the photograph is measured apart, by `photo_margin`.

    Args:
        bare: the head without a mask.
    """
    view = enrolment_view()
    image = render_views((bare,), (view,), torch.zeros(3, 2, 2))
    points = landmark_pixels(face, (view,), recognizer.spec.points)
    return Member(recognizer, recognizer.embed(align_faces(image, points, recognizer.spec))[0])


@torch.no_grad()
def photo_margin(member: Member, photo: NDArray[np.uint8], points_px: Mapping[str, NDArray[np.float64]]) -> float:
    """Margin of the real photograph against the rendered enrolment: > 0 where the head passes for its photo.

    Args:
        photo: (H, W, 3) uint8 sRGB.
        points_px: landmark name -> (2,) pixels.
    """
    spec = member.recognizer.spec
    image = torch.from_numpy(np.array(photo)).permute(2, 0, 1)[None].float() / 255
    points = torch.tensor(named_points(points_px, spec.points), dtype=torch.float32)[None]
    embedding = member.recognizer.embed(align_faces(image, points, spec))
    return margins(spec, scores(spec, embedding, member.enrolment)).item()
