"""The loss that keeps faces off the sheet: windows over all of it, a real face against stripes, and its gradient."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from maskdesign.jobs.config import load_config
from maskdesign.jobs.design import demo_photo
from maskdesign.jobs.design_parts import chosen_adversary
from maskdesign.optimize.adversary import MarginFusion
from maskdesign.optimize.likeness import Unfacelike, facelikeness, sheet_windows
from maskdesign.optimize.texture import texture_tensor
from maskdesign.recognition.mtcnn_nets import load_cascade
from maskdesign.recognition.registry import load_recognizers

CASCADE = load_cascade()


def portrait() -> torch.Tensor:
    """The face of the demo's photo, as large as a sheet would show one."""
    return texture_tensor(np.ascontiguousarray(demo_photo().pixels[60:190, 160:290]))


def test_windows_lie_inside_and_reach_every_corner():
    windows = sheet_windows(124, 140)
    low, high = windows[:, :2] - windows[:, 2:], windows[:, :2] + windows[:, 2:]
    assert (low > -1e-4).all()
    assert (high <= torch.tensor([140.0, 124.0]) + 1e-4).all()
    for corner in ([0.0, 0.0], [140.0, 0.0], [0.0, 124.0], [140.0, 124.0]):
        point = torch.tensor(corner)
        assert ((point >= low - 1e-3) & (point <= high + 1e-3)).all(dim=1).any()


@pytest.mark.parametrize("quarters", range(4))
def test_a_face_is_told_from_stripes_however_it_is_turned(quarters):
    stripes = torch.zeros(3, 130, 130)
    stripes[:, ::8] = stripes[:, 1::8] = 0.8
    face = torch.rot90(portrait(), quarters, (1, 2))
    assert facelikeness(face, CASCADE) > facelikeness(stripes, CASCADE) + 1


def test_following_its_gradient_makes_a_face_less_of_one():
    texture = portrait()
    before = facelikeness(texture, CASCADE)
    for _ in range(10):
        texture = texture.detach().requires_grad_(True)
        (gradient,) = torch.autograd.grad(facelikeness(texture, CASCADE), texture)
        texture = (texture - 0.02 * gradient.sign()).clamp(0, 1)
    assert facelikeness(texture, CASCADE) < 0.3 * before


def test_the_weight_adds_it_to_any_loss():
    dlib, known = load_recognizers(None)[0], torch.randn(20, 128)
    assert isinstance(chosen_adversary([dlib], [known], load_config(None, ())), MarginFusion)
    adversary = chosen_adversary([dlib], [known], load_config(None, ("objective.face_weight=0.5",)))
    assert isinstance(adversary, Unfacelike)
    assert adversary.recognizers == (dlib,)

    class Free:
        recognizers = ()

        def judge(self, probes, texture):
            return torch.tensor(2.0), torch.zeros(0, 1)

    loss, _ = Unfacelike(Free(), CASCADE, 0.5).judge([], portrait())
    assert loss.item() == pytest.approx(2 + 0.5 * facelikeness(portrait(), CASCADE).item())
