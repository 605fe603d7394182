"""Training that begins with a net: its lessons in that net's coordinates, and prints that were designed against it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn import functional

from maskdesign.errors import RecognizerError
from maskdesign.jobs import net_prints
from maskdesign.jobs.config import JobConfig
from maskdesign.jobs.net_begin import load_begun
from maskdesign.jobs.net_covered import group_of_prints
from maskdesign.jobs.net_prints import PrintPlan, training_prints
from maskdesign.optimize.distillation import turned
from maskdesign.optimize.face_batches import GROUP
from maskdesign.progress import Silent
from maskdesign.recognition.own_file import SUFFIX, load_own_recognizer
from maskdesign.recognition.presets import TEMPLATES
from maskdesign.recognition.registry import load_dlib_recognizer, shipped_recognizers
from maskdesign.recognition.spec import load_spec, save_spec
from maskdesign.render.masked_photo import UV_STEPS, WINDOW_PX, MaskedPhoto

(SHIPPED, *_) = [toml.with_suffix(SUFFIX) for toml in shipped_recognizers() if "attention" in toml.stem]


def test_targets_are_turned_to_a_net_and_keep_their_angles():
    torch.manual_seed(0)
    targets = functional.normalize(torch.randn(60, 16), dim=1)
    rotation = torch.linalg.qr(torch.randn(16, 16))[0]
    found = turned(targets, targets @ rotation)
    torch.testing.assert_close(found, rotation, atol=1e-5, rtol=1e-4)
    # A net that knows half of it: the targets come closer to it, and their cosines stay.
    known = functional.normalize(targets @ rotation + 0.3 * torch.randn(60, 16), dim=1)
    moved = targets @ turned(targets, known)
    assert (moved * known).sum(dim=1).mean() > max(0.5, (targets * known).sum(dim=1).mean())
    torch.testing.assert_close(moved @ moved.T, targets @ targets.T, atol=1e-5, rtol=1e-4)


def test_half_of_the_groups_show_one_design_as_it_grows():
    prints = torch.arange(12.0).reshape(12, 1, 1, 1).expand(12, 3, 2, 2)
    generator, whole, first = np.random.default_rng(0), 0, set()
    for _ in range(200):
        values = group_of_prints(prints, 2, generator)[:, 0, 0, 0]
        steps = values.diff()
        if (steps > 0).all() and torch.allclose(steps, steps[:1].expand_as(steps)):
            whole += 1
            first |= {values[0].item()} if steps[0] == 1 else set()
    assert 70 < whole < 130 and first == {4.0, 8.0}, "each group shows the steps of one of the two designs, in order"


def test_without_designs_prints_are_drawn_as_ever():
    prints = torch.rand(5, 3, 2, 2)
    drawn = group_of_prints(prints, 0, np.random.default_rng(3))
    again = group_of_prints(prints, 0, np.random.default_rng(3))
    assert drawn.shape == (GROUP, 3, 2, 2) and torch.equal(drawn, again)


class Photos:
    """A store of masked photos that were never taken."""

    def load(self, key: str) -> MaskedPhoto:
        generator, count = np.random.default_rng(int(key)), 4000
        pixel = np.sort(generator.choice(WINDOW_PX**2, count, replace=False)).astype(np.uint16)
        places = dict(zip(load_dlib_recognizer().spec.points, _places(), strict=True))
        return MaskedPhoto(
            photo=generator.integers(0, 255, (WINDOW_PX, WINDOW_PX, 3), dtype=np.uint8), touched=pixel,
            base=np.zeros((count, 3), np.float16), pixel=pixel,
            uv=(generator.random((count, 2)) * UV_STEPS).astype(np.uint16), weight=np.full(count, 0.8, np.float16),
            points_px=places, pose_error_px=1.0, strain_rms=0.01,
        )  # fmt: skip


def _places() -> np.ndarray:
    return np.asarray(TEMPLATES["dlib"].template_px) + 30


def plan(begun, **changes) -> PrintPlan:
    dlib = load_dlib_recognizer()
    made = PrintPlan(JobConfig(), (dlib,), Photos(), ("0", "1", "2"), 4, 1, begun, 2)  # pyright: ignore[reportArgumentType]
    return replace(made, **changes)


def test_designs_against_the_net_come_last_and_once(tmp_path, monkeypatch):
    monkeypatch.setattr(net_prints, "KEPT_STEPS", (1,))
    monkeypatch.setattr(net_prints, "RIVAL_STEPS", (1, 2, 3, 4))
    dlib = load_dlib_recognizer()
    plain, with_net = (training_prints(plan(net), tmp_path, Silent()) for net in (None, dlib))
    fewer, more = np.load(plain), np.load(with_net)
    assert len(more) == len(fewer) + 2 * GROUP
    np.testing.assert_array_equal(more[: len(fewer)], fewer)
    steps = np.abs(np.diff(more[len(fewer) : len(fewer) + GROUP].astype(int), axis=0)).mean(axis=(1, 2, 3))
    assert (steps > 0.5).all(), "a design changes from step to step"
    before = with_net.stat().st_mtime_ns
    assert training_prints(plan(dlib), tmp_path, Silent()) == with_net and with_net.stat().st_mtime_ns == before


def test_who_is_designed_against():
    net = load_own_recognizer(SHIPPED)
    dlib, other = load_dlib_recognizer(), replace(net, spec=replace(net.spec, name="teacher", sha256="f" * 64))
    names = [[one.spec.name for one in net_prints._ensemble((dlib, other), net, number)] for number in range(8)]
    own = net.spec.name
    assert names[:4] == [["dlib", own], [own], ["dlib", own], ["dlib"]]
    assert names[4:] == [["dlib", own], [own], ["dlib", own], ["dlib", "teacher"]]


def test_nets_that_cannot_be_begun_with_are_named(tmp_path):
    assert load_begun(SHIPPED, "attention").spec.is_calibrated
    with pytest.raises(RecognizerError, match="is of the architecture attention; say --arch attention"):
        load_begun(SHIPPED, "residual")
    path = tmp_path / SHIPPED.name
    path.write_bytes(SHIPPED.read_bytes())
    save_spec(path.with_suffix(".toml"), replace(load_spec(SHIPPED.with_suffix(".toml")), thresholds={}))
    with pytest.raises(RecognizerError, match="has no thresholds; run `maskdesign models calibrate`"):
        load_begun(path, "attention")
