"""The recognizers as one adversary: random views of a wearer in, one margin per recognizer and view out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from maskdesign.faces.scan import FaceScan
from maskdesign.recognition.align import align_faces
from maskdesign.recognition.recognizer import Recognizer
from maskdesign.recognition.score import margins, scores
from maskdesign.render.camera import project_points
from maskdesign.render.renderer import Shot, develop_shots
from maskdesign.render.scene import Scene
from maskdesign.render.view import View


@dataclass(frozen=True)
class Member:
    """A recognizer and whom it knows.

    Attributes:
        recognizer: the network with its specification.
        enrolment: (E,) embedding of the wearer without a mask.
    """

    recognizer: Recognizer
    enrolment: Tensor


@dataclass(frozen=True)
class Wearer:
    """Everything of the wearer that does not change between views.

    Attributes:
        face: the head; its landmarks align the crops.
        scenes: head and mask at several pleat openings; a view names one by its index.
    """

    face: FaceScan
    scenes: tuple[Scene, ...]


def landmark_pixels(face: FaceScan, views: Sequence[View], names: tuple[str, ...]) -> Tensor:
    """Where a head's landmarks lie in each view: known 3D points through the camera, no detector.

    Returns:
        (B, n, 2) float32 pixels.
    """
    points_mm = face.points_mm(names)
    projected = np.stack([project_points(view.camera, points_mm)[:, :2] for view in views])
    return torch.from_numpy(projected.astype(np.float32))


def score_images(member: Member, face: FaceScan, views: Sequence[View], images: Tensor) -> Tensor:
    """Similarity of each rendered view to the enrolled wearer.

    Args:
        images: (B, 3, H, W) sRGB in [0, 1], one for each view.

    Returns:
        (B,) scores, higher means more alike; differentiable with respect to `images`.
    """
    spec = member.recognizer.spec
    crops = align_faces(images, landmark_pixels(face, views, spec.points), spec)
    return scores(spec, member.recognizer.embed(crops), member.enrolment)


def shot_margins(members: Sequence[Member], face: FaceScan, shots: Sequence[Shot], texture: Tensor) -> Tensor:
    """Print a texture into every shot and let every recognizer judge it.

    Args:
        texture: (3, h, w) sRGB in [0, 1].

    Returns:
        (R, B) margins at FMR 1e-3, > 0 = recognized; differentiable with respect to `texture`.
    """
    images, views = develop_shots(shots, texture), [shot.view for shot in shots]
    rows = [margins(member.recognizer.spec, score_images(member, face, views, images)) for member in members]
    return torch.stack(rows)
