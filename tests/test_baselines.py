"""The methods of the literature: what they wear, what they lose by, and how a table tells them apart."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from maskdesign.cli.main import main
from maskdesign.evaluation.method_tables import method_lines
from maskdesign.evaluation.style_tables import style_lines, style_plot
from maskdesign.evaluation.verification import ProbeSet
from maskdesign.faces.head import builtin_face
from maskdesign.jobs.compare_methods import BASELINES
from maskdesign.jobs.compare_styles import FREE, STYLES, kept_gains, left_out_shares, own_picture
from maskdesign.jobs.config import load_config
from maskdesign.jobs.contest import worn_config
from maskdesign.jobs.ground import FREE_STYLE
from maskdesign.jobs.photo_store import PhotoStore
from maskdesign.mask.accessories import EYEGLASSES, FOREHEAD_STICKER
from maskdesign.mask.pattern import MaskPattern
from maskdesign.mask.settings import DrapeSettings
from maskdesign.optimize.baselines.detector_patch import DetectorLoss, face_boxes, face_crops
from maskdesign.optimize.baselines.similarity import SimilarityLoss
from maskdesign.optimize.ensemble import Probe
from maskdesign.optimize.photo_probes import photo_view
from maskdesign.optimize.printability import non_printability, printable_colors
from maskdesign.recognition.dlib_net import dlib_spec
from maskdesign.recognition.mtcnn_nets import load_cascade
from maskdesign.recognition.recognizer import Recognizer
from maskdesign.recognition.registry import load_recognizers
from maskdesign.recognition.score import confidence
from maskdesign.render.renderer import RenderSettings, Shot
from maskdesign.render.texture import AffineView

SIDE = 64
POINTS = {
    "eye_outer_left": (18.0, 24.0), "eye_inner_left": (26.0, 24.0), "eye_inner_right": (38.0, 24.0),
    "eye_outer_right": (46.0, 24.0), "nasion": (32.0, 24.0), "nose_tip": (32.0, 36.0), "subnasale": (32.0, 40.0),
    "mouth_left": (24.0, 46.0), "mouth_right": (40.0, 46.0),
}  # fmt: skip


class Brightness(torch.nn.Module):
    """An embedding of three numbers: the mean color of the crop."""

    def forward(self, crops):
        return crops.mean(dim=(2, 3))


def recognizer(name: str = "brightness") -> Recognizer:
    spec = replace(dlib_spec(), name=name, embedding_size=3, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0), scale=1.0)
    return Recognizer(spec, Brightness(), "test")


def probe(known: torch.Tensor) -> Probe:
    """A black picture whose lower half shows print, all of it in full light."""
    rows, columns = np.mgrid[SIDE // 2 : SIDE, :SIDE]
    pixel = (rows * SIDE + columns).ravel().astype(np.int32)
    uv = np.column_stack([columns.ravel() / SIDE, (rows.ravel() - SIDE // 2) / SIDE * 2]).astype(np.float32)
    view = AffineView(np.zeros((3, SIDE, SIDE), np.float32), pixel, uv, np.ones((len(pixel), 3), np.float32))
    points = {name: np.array(place) for name, place in POINTS.items()}
    return Probe(Shot(photo_view(), view), points, (known,))


@pytest.mark.parametrize("accessory", [FOREHEAD_STICKER, EYEGLASSES], ids=lambda accessory: accessory.name)
def test_accessories_lie_before_the_skin_and_face_the_camera(accessory):
    face = builtin_face()
    worn = accessory.lay(face)
    corners = worn.mesh.vertices[worn.mesh.triangles]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    assert (normals[:, 2] > 0).mean() > 0.99
    assert abs(worn.mesh.vertices[:, 0].mean() - face.landmarks["nasion"][0]) < 3
    assert (worn.sheet_mm >= 0).all()
    assert (worn.sheet_mm <= [accessory.pattern.width_mm, accessory.pattern.height_mm]).all()


def test_the_sticker_keeps_its_size_and_the_brows_free():
    face = builtin_face()
    worn = FOREHEAD_STICKER.lay(face)
    assert worn.report.strain_rms < 0.1
    assert worn.mesh.vertices[:, 1].min() > face.landmarks["nasion"][1] + 10


def test_the_frame_leaves_the_eyes_free():
    face = builtin_face()
    worn = EYEGLASSES.lay(face)
    middles = worn.mesh.vertices[worn.mesh.triangles].mean(axis=1)
    for side in ("left", "right"):
        eye = (face.landmarks[f"eye_outer_{side}"] + face.landmarks[f"eye_inner_{side}"]) / 2
        assert np.linalg.norm(middles[:, :2] - eye[:2], axis=1).min() > 5


def test_a_store_keeps_what_is_worn_apart_and_masks_as_they_were(tmp_path):
    photo = tmp_path / "photo.png"
    photo.write_bytes(b"anything")
    about = (MaskPattern(), DrapeSettings(), RenderSettings())
    mask = PhotoStore(tmp_path, *about)
    assert mask.key(photo, 100.0) != PhotoStore(tmp_path, *about, FOREHEAD_STICKER).key(photo, 100.0)
    assert "sticker" not in mask._about(100.0)


def test_an_accessory_has_a_sheet_of_its_own_and_no_repeat():
    config = load_config(None, ())
    assert worn_config(config, None) is config
    other = worn_config(config, EYEGLASSES)
    assert (other.mask, other.texture.repeats) == (EYEGLASSES.pattern, (1, 1))


def test_printable_colors_are_printable_and_others_are_as_far_as_they_are():
    colors = printable_colors()
    assert colors.shape == (27, 3)
    assert ((colors > 0) & (colors < 1)).all()
    assert non_printability(colors.T[:, :, None]) < 1e-3
    pure = torch.tensor([0.0, 1.0, 0.0])
    wanted = (colors - pure).norm(dim=1).min()
    assert non_printability(pure[:, None, None].expand(3, 4, 5)).item() == pytest.approx(wanted.item(), rel=1e-4)


def test_similarity_falls_away_from_the_wearer_and_rises_to_a_target():
    white, black = torch.ones(3), torch.zeros(3)
    texture = torch.full((3, 8, 8), 0.5, requires_grad=True)
    dodge = SimilarityLoss((recognizer(),), tv_weight=0.0)
    loss, margins = dodge.judge([probe(white)], texture)
    assert loss.item() == pytest.approx(margins.mean().item())
    (gradient,) = torch.autograd.grad(loss, texture)
    # Away from white is darker; towards black is darker too.
    assert gradient.sum() > 0
    toward = SimilarityLoss((recognizer(),), tv_weight=0.0, targets=(black,))
    (gradient,) = torch.autograd.grad(toward.judge([probe(white)], texture)[0], texture)
    assert gradient.sum() > 0
    away = SimilarityLoss((recognizer(),), tv_weight=0.0, targets=(white,))
    (gradient,) = torch.autograd.grad(away.judge([probe(white)], texture)[0], texture)
    assert gradient.sum() < 0


def test_smoothness_and_printability_cost_what_their_weights_say():
    texture = torch.rand(3, 8, 8, generator=torch.Generator().manual_seed(0))
    plain, priced = (SimilarityLoss((recognizer(),), 0.0, weight) for weight in (0.0, 2.0))
    base = plain.judge([probe(torch.ones(3))], texture)[0]
    cost = priced.judge([probe(torch.ones(3))], texture)[0] - base
    assert cost.item() == pytest.approx(2 * non_printability(texture).item(), rel=1e-5)


def test_crops_of_the_detector_show_what_lies_in_the_box():
    rows = torch.arange(SIDE, dtype=torch.float32)[:, None].expand(SIDE, SIDE) / SIDE
    images = torch.stack([rows, rows.T, torch.full_like(rows, 0.25)])[None]
    crop = face_crops(images, torch.tensor([[32.0, 32.0, 16.0]]), 5)[0]
    values = (crop * 128 + 127.5) / 255
    np.testing.assert_allclose(values[0, :, 0], (np.linspace(16, 48, 5) - 0.5) / SIDE, atol=1e-5)
    np.testing.assert_allclose(values[1, 2], (np.linspace(16, 48, 5) - 0.5) / SIDE, atol=1e-5)
    boxes = face_boxes([probe(torch.ones(3))])
    assert boxes[0, 0] == 32
    assert 24 < boxes[0, 1] < 40


def test_the_detector_loss_has_a_gradient_and_recognizers_have_none():
    texture = torch.rand(3, 8, 8, generator=torch.Generator().manual_seed(1)).requires_grad_(True)
    adversary = DetectorLoss((recognizer(),), load_cascade(), tv_weight=0.0, nps_weight=0.0)
    loss, margins = adversary.judge([probe(torch.ones(3))], texture)
    assert loss >= 0
    assert not margins.requires_grad
    (gradient,) = torch.autograd.grad(loss, texture)
    assert gradient.abs().max() > 0


def test_every_method_makes_its_adversary():
    known = [torch.rand(4, 3)]
    for baseline in BASELINES:
        adversary = baseline.adversary((recognizer(),), known)
        loss, margins = adversary.judge([probe(torch.ones(3))], torch.rand(3, 8, 8))
        assert loss.ndim == 0
        assert margins.shape == (1, 1)
    assert len({baseline.name for baseline in BASELINES}) == 5


def test_confidence_runs_from_strangers_to_oneself():
    spec = dlib_spec()
    scores = [spec.impostor_mean - 1, spec.impostor_mean, spec.genuine_mean, spec.genuine_mean + 0.1]
    assert confidence(spec, scores) == pytest.approx(0.5)


def test_a_table_names_everything_that_was_judged():
    found = {"fnmr": 0.5, "fnmr_ci": (0.4, 0.6), "one_minus_confidence": 0.3}
    row = {
        "method": "ours",
        "recognizers": {"a": found, "b": found},
        "faces_found": {"x": 1.0},
        "nps": 0.1,
        "cpu_s": 9.0,
    }
    bare = {key: value for key, value in row.items() if key != "cpu_s"} | {"method": "bare", "nps": None}
    gains = [{"method": "bare", "recognizer": name, "fnmr": 0.1, "fnmr_ci": (0.0, 0.2)} for name in ("a", "b")]
    lines = method_lines({"met": ["a"], "steps": 3, "rows": [row, bare], "gains": gains})
    assert "| method | a | b (left out) | found by x | NPS | CPU s |" in lines
    assert "| bare | +0.10 [+0.00, +0.20] | +0.10 [+0.00, +0.20] |" in lines


def test_kept_gains_are_shares_of_the_free_style():
    def row(method: str, fnmr: float) -> dict:
        return {"method": method, "recognizers": {"a": {"fnmr": fnmr}, "b": {"fnmr": 0.5}}}

    rows = [row("plain mask", 0.2), row("random mask", 0.4)]
    rows += [row(name, 0.7 if name == "camouflage" else 0.9) for name in STYLES]
    kept = {(entry["style"], entry["recognizer"]): entry for entry in kept_gains(rows)}
    assert kept["camouflage", "a"]["share"] == pytest.approx(0.3 / 0.5)
    assert kept["free", "a"]["share"] == 1
    assert kept["free", "b"]["share"] is None


def test_styles_are_configurations_and_drawn_with_their_faces():
    found = {"a": {"fnmr": 0.6, "fnmr_ci": (0.5, 0.7)}}
    counts = {"faces_on_sheet": {"x": 3}, "faces_on_worn_sheet": {"x": 1}}
    rows = [{"method": name, "recognizers": found, **counts} for name in ("plain mask", *STYLES)]
    for own in STYLES.values():
        load_config(None, (*FREE_STYLE, *own))
    kept = [{"style": name, "recognizer": "a", "gain": 0.1, "share": 0.5} for name in STYLES]
    figures = {"met": [], "steps": 3, "seed": 2, "styles": dict.fromkeys(STYLES), "rows": rows, "kept": kept}
    assert "| free | 0.60 [0.50, 0.70]; 50 % | 3; 1 |" in style_lines(figures)
    assert "| plain mask | 0.60 [0.50, 0.70] | 3; 1 |" in style_lines(figures)
    assert style_plot(figures).startswith(b"\x89PNG")


@pytest.mark.parametrize("what", ["methods", "styles"])
def test_seeds_belong_to_another_comparison(tmp_path, capsys, what):
    (tmp_path / "in").mkdir()
    words = ["compare", what, str(tmp_path / "in"), "--out", str(tmp_path / "out")]
    assert main([*words, "--seeds", "2"]) == 2
    assert main(words) == 3
    (tmp_path / "in" / "pairs.txt").write_text("1 1\nAda\t1\t2\nAda\t1\tBo\t1\n")
    assert main(words) == 3
    assert main([*words, "--set", "photos.test_folds=[1]"]) == 3
    errors = capsys.readouterr().err
    assert "Traceback" not in errors
    assert "the list of pairs has 1 folds" in errors
    assert "every fold is tested" in errors
    assert not (tmp_path / "out").exists()


def test_the_share_on_recognizers_left_out_has_an_interval_over_people():
    spec = load_recognizers(None)[0].spec
    people = np.repeat(np.arange(20), 2)
    pairs = ProbeSet(people, np.arange(40), np.arange(40))
    ground = SimpleNamespace(recognizers=[SimpleNamespace(spec=spec)], pairs=pairs)
    contest = SimpleNamespace(
        grounds={None: ground}, met=(), config=load_config(None, ("photos.bootstrap_rounds=100",))
    )

    def row(name, missed):
        scores = np.full(40, spec.thresholds["1e-3"] + 0.1)
        scores[:missed] -= 0.2
        return {"method": name, "recognizers": {spec.name: {"scores": scores.tolist()}}}

    half = [row("plain mask", 10), *(row(name, 30 if name == FREE else 20) for name in STYLES)]
    shares = {entry["style"]: entry for entry in left_out_shares(half, contest)}
    assert shares[FREE]["share"] == 1.0
    assert shares["camouflage"]["share"] == 0.5
    low, high = shares["camouflage"]["share_ci"]
    assert 0.0 < low < 0.5 < high < 1.0
    assert left_out_shares(half, SimpleNamespace(**vars(contest) | {"met": (spec.name,)})) == []


def test_a_picture_of_ones_own_belongs_to_one_style_only():
    settings = ("design.steps=4", "picture.file=mine.png", "picture.departure=30")
    assert own_picture(settings) == ("mine.png", ("design.steps=4", "picture.departure=30"))
    assert own_picture(settings[:1]) == ("", settings[:1])
