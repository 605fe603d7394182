"""Where a recognizer looks, on a recognizer that is known to look at the left half of its crop only."""

from __future__ import annotations

from dataclasses import replace

import torch

from maskdesign.evaluation.attended import SIDE_PX, attended_regions, attended_strip
from maskdesign.evaluation.pictures import preview_views
from maskdesign.faces.head import builtin_face
from maskdesign.mask.pattern import MaskPattern
from maskdesign.optimize.ensemble import Member
from maskdesign.recognition.dlib_net import dlib_spec
from maskdesign.recognition.recognizer import Recognizer
from maskdesign.render.renderer import RenderSettings, render_views
from maskdesign.render.scene import build_scene


class LeftHalf(torch.nn.Module):
    def forward(self, crops):
        return crops[..., : crops.shape[3] // 2].square().mean(dim=(2, 3))


def member() -> Member:
    spec = replace(dlib_spec(), name="left half", embedding_size=3, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))
    return Member(Recognizer(replace(spec, scale=1.0), LeftHalf(), "test"), torch.tensor([9.0, 9.0, 9.0]))


def test_attention_is_found_where_the_recognizer_looks():
    face = builtin_face()
    bare = build_scene(face, None, MaskPattern())
    image = render_views((bare,), [preview_views(SIDE_PX)[2]], torch.zeros(3, 2, 2), RenderSettings())
    seen = attended_regions(member(), face, image)
    assert seen.shape == (SIDE_PX, SIDE_PX)
    assert seen.max() == 1
    left, right = seen[:, : SIDE_PX // 2].sum(), seen[:, SIDE_PX // 2 :].sum()
    assert left > 10 * right


def test_strips_stand_side_by_side():
    face = builtin_face()
    bare = build_scene(face, None, MaskPattern())
    strip = attended_strip(member(), face, (bare, bare), (torch.zeros(3, 2, 2),) * 2)
    assert strip.shape == (SIDE_PX, 2 * SIDE_PX, 3)
    assert (strip[:, :SIDE_PX] == strip[:, SIDE_PX:]).all()
    # The wearer's right side glows, the left one stays gray.
    red = strip[..., 0].astype(int) - strip[..., 2]
    assert red[:, : SIDE_PX // 2].max() > 100
    assert red[:, SIDE_PX // 2 + 30 : SIDE_PX].max() < 20
