"""The paper's experiments: baselines do what they say, tables count what was measured."""

from __future__ import annotations

import json

import numpy as np
import pytest
from skimage.data import astronaut

from benchmarks import photo_docs
from maskdesign.cli.main import main
from maskdesign.digital import baselines
from maskdesign.digital.perturb import PerturbSettings
from maskdesign.digital.picture import Picture, write_picture
from maskdesign.digital.region import face_regions
from maskdesign.digital.similarity import ssim
from maskdesign.evaluation import photo_plots
from maskdesign.evaluation.photo_tables import PAPER_TABLE_2, baselines_table, controls_table, table_2, table_3
from maskdesign.evaluation.photos import feature_planes, protection_rate
from maskdesign.jobs import compare_photos as job
from maskdesign.jobs import photo_conditions
from maskdesign.recognition.registry import load_dlib_recognizer

QUICK = PerturbSettings(steps=2, further_steps=1, check_views=1)


@pytest.fixture(scope="module")
def pixels():
    return np.ascontiguousarray(astronaut()[:250, 90:340])


@pytest.fixture(scope="module")
def region(pixels):
    return face_regions(Picture(pixels), "portrait")[0]


def test_the_papers_rates_follow_its_own_formula():
    for true_rate, false_rate, rate in PAPER_TABLE_2.values():
        assert protection_rate(true_rate, false_rate) == pytest.approx(rate, abs=1.5e-3)


def test_confusion_and_twist_deepen_with_their_strength_and_stay_in_the_face(pixels, region):
    rng = np.random.default_rng
    confused = [baselines.pixel_confusion(pixels, region, p, rng(0)) for p in (0, 20, 325)]
    twisted = [baselines.feature_twist(pixels, region, p) for p in (0, 50, 72)]
    for family in (confused, twisted):
        np.testing.assert_array_equal(family[0], pixels)
        assert 1 > ssim(pixels, family[1]) > ssim(pixels, family[2])
        outside = np.ones(pixels.shape[:2], bool)
        low, high = region.landmarks_px[:468].min(0) - 20, region.landmarks_px[:468].max(0) + 20
        outside[max(int(low[1]), 0) : int(high[1]), max(int(low[0]), 0) : int(high[0])] = False
        np.testing.assert_array_equal(family[2][outside], pixels[outside])


def test_scaled_to_ssim_meets_its_target_from_above(pixels, region):
    found = baselines.scaled_to_ssim(lambda p: baselines.feature_twist(pixels, region, p), pixels, 0.985, 90)
    assert 0.985 <= ssim(pixels, found) < 0.987


def test_learned_baselines_keep_their_budget_and_their_place(pixels, region):
    dlib, rng = load_dlib_recognizer(), np.random.default_rng(0)
    cloaked = baselines.fawkes_like(pixels, region, dlib, 0.98, rng, QUICK)
    assert 0.98 <= ssim(pixels, cloaked) < 1
    stuck = baselines.sticker_like(pixels, region, dlib, rng, QUICK)
    rows, columns = np.nonzero((stuck != pixels).any(axis=2))
    eyes = region.landmarks_px[[33, 263]]
    assert len(rows) and rows.max() < eyes[:, 1].min()
    assert np.ptp(columns) < np.ptp(region.landmarks_px[:468, 0])


def conditions(fnmr: dict[str, float]) -> dict:
    def row(rate):
        rates = {"fnmr": rate, "interval": (rate, rate), "T_o": 0.9, "F_c": rate, "r_s": 0.5, "r_s_bounded": 0.4}
        likeness = {"ssim_photo": 0.99, "ssim_face": 0.97, "ssim_template": 0.96, "dssim": 0.005}
        return {**likeness, "recognizers": {"r": rates}}

    return {name: row(rate) for name, rate in fnmr.items()}


def test_tables_and_plots_show_what_was_measured():
    rates = {"unchanged": 0.1, "all, faint": 0.8, "all, balanced": 1.0, "only r, balanced": 0.7}
    rates |= {"stacked, balanced": 0.6, "random noise, faint": 0.2, "Fawkes-like, DSSIM 0.012": 0.3}
    table = conditions(rates)
    assert table_2(table)[2] == "| r, balanced | 0.900 | 0.700 | 0.900 | 0.500 | 0.400 | 0.990 / 0.970 / 0.960 |"
    assert [line.split("|")[1].strip() for line in table_3(table)[2:]] == [
        "all, balanced", "only r, balanced", "stacked, balanced",
    ]  # fmt: skip
    assert "0.20 [0.20, 0.20]" in "\n".join(controls_table(table))
    assert "Fawkes-like, DSSIM 0.012" in "\n".join(baselines_table(table))
    assert photo_plots.budget_plot(table).startswith(b"\x89PNG")


def test_feature_planes_keep_the_two_largest_directions_of_change():
    rng = np.random.default_rng(0)
    before, after = rng.normal(size=(9, 5)) * (9, 5, 0.1, 0.1, 0.1), rng.normal(size=(9, 5)) * (9, 5, 0.1, 0.1, 0.1)
    people = [
        {"unchanged": {"features": {"r": a.tolist()}}, "all, balanced": {"features": {"r": b.tolist()}}}
        for a, b in zip(before, after, strict=True)
    ]
    planes = feature_planes([*people, {"unchanged": {"features": {}}}])
    moved = np.linalg.norm(np.subtract(*planes["r"]), axis=1)
    np.testing.assert_allclose(moved, np.linalg.norm((before - after)[:, :2], axis=1), rtol=0.02)
    assert photo_plots.feature_plot(planes).startswith(b"\x89PNG")
    assert feature_planes(people[:0]) == {}


def test_compare_runs_every_condition_and_goes_on(tmp_path, pixels, monkeypatch, capsys):
    monkeypatch.setattr(photo_conditions, "PerturbSettings", lambda: QUICK)
    monkeypatch.setattr(photo_conditions, "_on_the_way", lambda *_: iter(()))
    monkeypatch.setattr(photo_conditions, "DSSIM_BUDGETS", (0.003,))
    monkeypatch.delenv("MASKDESIGN_MODELS", raising=False)
    for name in ("1", "2"):
        write_picture(tmp_path / "in" / "ann" / f"{name}.png", Picture(pixels))
    (tmp_path / "in" / "nobody").mkdir()
    for name in ("1", "2"):
        write_picture(tmp_path / "in" / "nobody" / f"{name}.png", Picture(np.zeros((60, 60, 3), np.uint8)))
    words = ["compare", "photos", str(tmp_path / "in"), "--out", str(tmp_path / "out"), "--json"]
    assert main(words) == 0
    figures = json.loads(capsys.readouterr().out)
    assert (figures["people"], figures["pairs"]) == (1, 1)
    assert figures["conditions"]["unchanged"]["recognizers"]["dlib"]["fnmr"] == 0
    assert {"all, faint", "random noise, balanced", "only dlib, balanced", "inverted cells", "AdvHat-like"} <= set(
        figures["conditions"]
    )
    monkeypatch.setattr(job, "measure_person", lambda *_: pytest.fail("measured again"))
    assert main(words) == 0
    assert main(["compare", "photos", str(tmp_path / "absent"), "--out", str(tmp_path / "o")]) == 3
    assert main(["compare", "photos", str(tmp_path / "out"), "--out", str(tmp_path / "o")]) == 3


def test_the_docs_tables_are_those_of_the_measured_figures():
    if photo_docs.FIGURES.exists():
        page = photo_docs.PAGE.read_text()
        assert photo_docs.with_tables(page, json.loads(photo_docs.FIGURES.read_text())) == page
