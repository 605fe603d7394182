"""Protecting photos: likeness against an oracle, cells, bounds, and the whole verb on a public-domain portrait."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from photo_samples import smooth_picture
from skimage.data import astronaut
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from maskdesign.cli.main import main
from maskdesign.digital import controls
from maskdesign.digital.cells import TemplateSettings, choose_cells, overlap, photo_template
from maskdesign.digital.face_task import bit_bounds
from maskdesign.digital.key import apply_key
from maskdesign.digital.perturb import LADDER, PerturbSettings, visual_gain
from maskdesign.digital.picture import Picture, pixels_digest, read_picture, write_picture
from maskdesign.digital.protect import protect
from maskdesign.digital.region import face_regions, region_around, working_picture
from maskdesign.digital.settings import ProtectSettings
from maskdesign.digital.sight import JitterRanges, draw_jitter
from maskdesign.digital.similarity import reference, ssim, ssim_map, ssim_within
from maskdesign.errors import ConfigError, FaceError
from maskdesign.evaluation.photos import bounded_protection_rate, condition_rows, protection_rate, psnr_db
from maskdesign.recognition.registry import load_dlib_recognizer

QUICK = PerturbSettings(steps=5, further_steps=2, check_views=1)


def oracle(first: np.ndarray, second: np.ndarray) -> float:
    return structural_similarity(
        first, second, channel_axis=2, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=255
    )


@given(st.integers(0, 2**32 - 1), st.integers(11, 60), st.integers(11, 60), st.floats(0, 60))
@settings(max_examples=30, deadline=None)
def test_ssim_agrees_with_scikit_image_wherever_the_pictures_differ(seed, height, width, spread):
    rng = np.random.default_rng(seed)
    first = smooth_picture(rng, height, width).pixels
    second = first.copy()
    top, left = rng.integers(0, height), rng.integers(0, width)
    part = second[top : top + 20, left : left + 15]
    part[:] = np.clip(part + rng.normal(0, spread, part.shape), 0, 255)
    assert ssim(first, second) == pytest.approx(oracle(first, second), abs=1e-9)
    if (first != second).any():
        assert psnr_db(first, second) == pytest.approx(peak_signal_noise_ratio(first, second), abs=1e-9)


def test_ssim_of_a_part_is_that_of_the_part():
    rng = np.random.default_rng(0)
    first, where = smooth_picture(rng, 40, 50).pixels, np.zeros((40, 50), bool)
    second = first.copy()
    second[:, 30:] ^= 16
    where[:, :20] = True
    inside, outside, whole = ssim_within(first, second, (where, ~where, None))
    assert inside == 1.0
    assert outside < whole == ssim(first, second) < 1


def test_the_gradient_of_ssim_is_that_of_finite_differences():
    rng = np.random.default_rng(1)
    first = torch.from_numpy(rng.uniform(0, 255, (2, 13, 14)))
    second = (first + torch.from_numpy(rng.normal(0, 9, (2, 13, 14)))).requires_grad_(True)
    assert torch.autograd.gradcheck(lambda image: ssim_map(reference(first), image), (second,), eps=1e-3, atol=1e-8)


def test_equal_steps_of_visual_gain_cost_about_equal_ssim_in_calm_and_busy_places():
    """Noise scaled by the root of the gain loses as much SSIM on a busy half as on a calm one; plain noise does not."""
    rng = np.random.default_rng(2)
    image = np.full((60, 120, 3), 128.0)
    image[:, 60:] += rng.normal(0, 25, (60, 60, 3))
    pixels = torch.from_numpy(np.clip(image, 0, 255)).permute(2, 0, 1)
    eye, noise = reference(pixels), torch.from_numpy(rng.normal(0, 1, (3, 60, 120)))

    def ratio(change: torch.Tensor) -> float:
        lost = 1 - ssim_map(eye, pixels + change)
        return (lost[:, :45].mean() / lost[:, 65:].mean()).item()

    assert ratio(noise) > 6
    assert 0.4 < ratio(noise * visual_gain(eye).sqrt() / 8) < 2.5


@pytest.mark.parametrize("low_bits", range(1, 9))
def test_xor_with_small_operands_reaches_exactly_the_aligned_block(low_bits):
    values = torch.arange(256.0)
    low, high = bit_bounds(values, low_bits)
    for value in range(256):
        reached = sorted(value ^ operand for operand in range(2**low_bits))
        assert reached == list(range(int(low[value]), int(high[value]) + 1))
        assert max(abs(value - other) for other in reached) <= 2**low_bits - 1


@pytest.fixture(scope="module")
def portrait() -> Picture:
    """A NASA portrait, public domain, shipped with scikit-image."""
    return Picture(np.ascontiguousarray(astronaut()[:300, 60:360]))


@pytest.fixture(scope="module")
def recognizers():
    return [load_dlib_recognizer()]


@pytest.fixture(scope="module")
def region(portrait):
    return face_regions(portrait, "portrait")[0]


def test_cells_are_disjoint_inside_and_as_many_as_asked(region, portrait):
    height, width = working_picture(region, portrait.rgb).shape[1:]
    worth = np.random.default_rng(0).random((height, width))
    for seed in (None, 1, 2):
        corners = choose_cells(region, worth, TemplateSettings(), seed)
        template = photo_template(region, corners, 4)
        assert len(corners) == 500
        assert template.mask(*portrait.shape).sum() == 500 * (4 * region.block_px) ** 2
        np.testing.assert_array_equal(corners, choose_cells(region, worth, TemplateSettings(), seed))


def test_templates_of_two_users_differ(region, portrait):
    worth = np.ones(working_picture(region, portrait.rgb).shape[1:])
    plain, first, second = (
        photo_template(region, choose_cells(region, worth, TemplateSettings(), seed), 4) for seed in (None, 1, 2)
    )
    assert overlap(first, first, *portrait.shape) == 1.0
    assert max(overlap(plain, first, *portrait.shape), overlap(first, second, *portrait.shape)) < 0.8


def test_half_of_the_cells_lie_near_the_features(region, portrait):
    worth = np.zeros(working_picture(region, portrait.rgb).shape[1:])
    near = choose_cells(region, worth, TemplateSettings(salient=0), None)
    eyes = region.working_landmarks_px[[33, 133, 362, 263, 61, 291]]
    reach = np.linalg.norm(near[:, None] + 2 - eyes, axis=2).min(axis=1)
    assert reach.max() < 0.5 * np.ptp(region.working_landmarks_px[:468, 0])


@given(st.integers(20, 3000), st.integers(20, 3000), st.floats(64, 2000), st.floats(0, 1), st.floats(0, 1))
@settings(max_examples=100, deadline=None)
def test_regions_lie_inside_any_photo_in_whole_blocks(height, width, face_px, at_x, at_y):
    square = np.random.default_rng(0).random((478, 2)) * face_px + [at_x * width, at_y * height]
    found = region_around(square, height, width)
    assert found.width_px % found.block_px == found.height_px % found.block_px == 0
    assert found.left_px >= 0 and found.left_px + found.width_px <= width
    assert found.top_px >= 0 and found.top_px + found.height_px <= height
    assert max(found.width_px, found.height_px) / found.block_px <= 1.5 * 256 + 2


def test_a_photo_is_protected_within_its_budget_and_restored(portrait, recognizers):
    done = protect(portrait, recognizers, ProtectSettings("faint", perturb=QUICK), np.random.default_rng(0), "p")
    changed = done.picture.pixels
    assert done.faces == 1 and done.rung == "faint"
    assert done.ssim_face >= LADDER[0].face_ssim - 0.002
    assert done.ssim_photo == pytest.approx(oracle(portrait.pixels, changed), abs=1e-9)
    assert np.abs(changed.astype(int) - portrait.pixels).max() <= LADDER[0].max_change
    assert not (changed != portrait.pixels)[~done.key.template.mask(*portrait.shape)].any()
    np.testing.assert_array_equal(apply_key(done.key, done.picture).pixels, portrait.pixels)
    noise = Picture(controls.random_noise(portrait.pixels, changed, np.random.default_rng(1)))
    regions = face_regions(portrait, "p")
    from maskdesign.digital.protect import own_margins

    by_noise = own_margins(portrait, noise, regions, recognizers)["dlib"]
    assert done.margins["dlib"] < by_noise - 0.5, "five steps already do more than noise of the same size"


def test_the_same_photo_twice_shares_no_stream(portrait, recognizers):
    once, twice = (
        protect(portrait, recognizers, ProtectSettings("faint", perturb=QUICK), np.random.default_rng(), "p")
        for _ in range(2)
    )
    assert pixels_digest(once.picture.pixels) != pixels_digest(twice.picture.pixels)


def test_gray_alpha_two_faces_large_photos_and_low_bits(portrait, recognizers):
    tiny = ProtectSettings("faint", low_bits=3, user_seed=5, perturb=PerturbSettings(steps=1, check_views=1))
    gray = portrait.pixels[..., :1]
    large = np.kron(gray, np.ones((2, 2, 1), np.uint8))
    two = np.concatenate([large, large[:, ::-1]], axis=1)
    alpha = np.arange(two.shape[0] * two.shape[1], dtype=np.uint8).reshape(*two.shape[:2], 1)
    picture = Picture(np.concatenate([two, alpha], axis=2))
    done = protect(picture, recognizers, tiny, np.random.default_rng(0), "p")
    assert done.faces == 2
    assert done.shared is not None and 0.3 < done.shared < 1.0
    assert done.key.operand.max() < 8
    np.testing.assert_array_equal(done.picture.pixels[..., 1], alpha[..., 0])
    np.testing.assert_array_equal(apply_key(done.key, done.picture).pixels, picture.pixels)
    assert (done.picture.pixels != picture.pixels).any()


def test_no_face_is_refused(recognizers):
    with pytest.raises(FaceError, match=r"a\.png: no face found"):
        protect(
            Picture(np.zeros((80, 80, 3), np.uint8)), recognizers, ProtectSettings(), np.random.default_rng(), "a.png"
        )


@pytest.mark.parametrize(
    "wrong", [{"strength": "huge"}, {"low_bits": 0}, {"low_bits": 9}, {"user_seed": -1}], ids=lambda wrong: str(wrong)
)
def test_settings_out_of_range_are_refused(wrong):
    with pytest.raises(ConfigError):
        ProtectSettings(**wrong)


def test_jitter_has_the_spread_it_says():
    rng = np.random.default_rng(0)
    drawn = [draw_jitter(JitterRanges(), rng) for _ in range(2000)]
    assert np.std([view.shift[0] for view in drawn]) == pytest.approx(0.015, rel=0.1)
    assert np.std(np.log(np.abs([view.factor for view in drawn]))) == pytest.approx(0.02, rel=0.1)
    assert np.std(np.angle([view.factor for view in drawn])) == pytest.approx(0.02, rel=0.1)
    assert 0.45 < np.mean([view.mirrored for view in drawn]) < 0.55


def test_controls_keep_what_they_promise():
    rng = np.random.default_rng(3)
    first = smooth_picture(rng, 30, 40).pixels // 2 + 60
    second = (first + rng.integers(-9, 10, first.shape)).astype(np.uint8)
    noise = controls.random_noise(first, second, rng)
    np.testing.assert_array_equal(np.abs(noise.astype(int) - first), np.abs(second.astype(int) - first))
    mask = np.zeros((30, 40), bool)
    mask[3:9] = True
    inverted = controls.inverted_cells(first, mask)
    np.testing.assert_array_equal(inverted[mask], 255 - first[mask])
    np.testing.assert_array_equal(inverted[~mask], first[~mask])


def test_equation_8_and_its_bounded_version():
    assert protection_rate(0.999, 0.918) == pytest.approx(0.849, abs=5e-4), "the paper's Table 2, M_B"
    assert protection_rate(0.965, 0.999) == pytest.approx(1.034, abs=5e-4), "the paper's Table 2, M_D"
    assert bounded_protection_rate(1.0, 1.0) == 1.0
    assert bounded_protection_rate(0.9, 0.1) == pytest.approx(0.0)
    assert bounded_protection_rate(0.0, 1.0) == 0.0


def test_condition_rows_count_by_hand():
    def person(before, after):
        cell = {"found": True, "ssim": [1.0, 1.0, 1.0], "rmse": 0.0, "largest": 0}
        return {
            "unchanged": {**cell, "scores": {"r": before}},
            "all": {**cell, "rmse": 2.55, "scores": {"r": after}},
        }

    table = condition_rows([person([0.9, 0.2], [0.1, 0.1]), person([0.8], [0.7])], {"r": 0.5})
    row = table["conditions"]["all"]["recognizers"]["r"]
    assert (table["people"], table["pairs"]) == (2, 3)
    assert (row["T_o"], row["F_c"], row["gain"]) == (0.75, 0.5, 0.25)
    assert table["conditions"]["all"]["psnr_db"] == pytest.approx(40)
    assert table["conditions"]["unchanged"]["psnr_db"] is None


QUICKLY = ("protect.perturb.steps=1", "protect.perturb.further_steps=1", "protect.perturb.check_views=1")


def run(source, out, *more: str) -> int:
    words = ["protect", str(source), "--out", str(out), "--strength", "faint", "--recognizers", "dlib", *more]
    return main([*words, *(word for setting in QUICKLY for word in ("--set", setting))])


@pytest.fixture
def folder(tmp_path, monkeypatch, portrait):
    monkeypatch.setenv("MASKDESIGN_PASSPHRASE", "secret")
    monkeypatch.delenv("MASKDESIGN_MODELS", raising=False)
    (tmp_path / "in" / "sub").mkdir(parents=True)
    write_picture(tmp_path / "in" / "a.png", portrait)
    return tmp_path


def test_a_mixed_folder_is_done_as_far_as_it_can_and_goes_on(folder, portrait, capsys):
    write_picture(folder / "in" / "sub" / "b.tif", portrait)
    write_picture(folder / "in" / "black.png", Picture(np.zeros((80, 80, 3), np.uint8)))
    (folder / "in" / "broken.jpg").write_text("no photo")
    (folder / "in" / "notes.txt").write_text("not looked at")
    assert run(folder / "in", folder / "out") == 3
    out, err = capsys.readouterr()
    assert len(out.splitlines()) == 2 and "in the face" in out
    assert sorted(line.split(":")[0] for line in err.splitlines()) == ["black.png", "broken.jpg"]
    before = {path: path.read_bytes() for path in (folder / "out").rglob("*.*")}
    assert {str(path.relative_to(folder / "out")) for path in before} == {
        "a.png", "a.key", "sub/b.png", "sub/b.key", "protected.json",
    }  # fmt: skip
    assert run(folder / "in", folder / "out", "--json") == 3
    table = json.loads(capsys.readouterr().out)
    assert [row["photo"] for row in table["photos"]] == ["a.png", "black.png", "broken.jpg", "sub/b.tif"]
    assert before == {path: path.read_bytes() for path in (folder / "out").rglob("*.*")}, "nothing is done twice"
    words = ["restore", str(folder / "out" / "sub" / "b.png"), "--key", str(folder / "out" / "sub" / "b.key")]
    assert main([*words, "--out", str(folder / "r.png")]) == 0
    np.testing.assert_array_equal(read_picture(folder / "r.png").pixels, portrait.pixels)


def test_work_that_was_killed_goes_on_but_no_key_is_ever_replaced(folder, portrait, capsys):
    source, out = folder / "in" / "a.png", folder / "out"
    assert run(source, out) == 0
    kept = (out / "a.key").read_bytes()
    table = json.loads((out / "protected.json").read_text())
    (out / "protected.json").unlink()
    assert run(source, out) == 0, "killed before the table was written"
    again = json.loads((out / "protected.json").read_text())
    assert again[0]["margins"] == pytest.approx(table[0]["margins"], abs=1e-5)
    assert again[0]["ssim_photo"] == table[0]["ssim_photo"]
    (out / "a.png").rename(folder / "moved.png")
    assert run(source, out) == 0, "the photo was moved away, its key is kept"
    assert run(source, out, "--unique", "3") == 3
    assert "other settings" in capsys.readouterr().err
    (out / "protected.json").unlink()
    assert run(source, out) == 3
    assert "a.key exists already" in capsys.readouterr().err
    shutil.copy(source, out / "a.png")
    assert run(source, out) == 3
    assert "a.png exists already" in capsys.readouterr().err
    assert (out / "a.key").read_bytes() == kept


def test_refusals_of_the_verb(folder, capsys, monkeypatch):
    source, out = folder / "in" / "a.png", folder / "out"
    assert run(source, out) == 0
    trials = [
        ((folder / "absent", out), 3, "no such file"),
        ((folder / "in" / "sub", folder / "o2"), 3, "holds no photos"),
        ((folder / "in", folder / "in"), 2, "is the folder of the photos"),
        ((out / "a.png", folder / "o2"), 3, "protected already"),
        ((source, folder / "o2", "--recognizers", "who"), 3, "known are dlib"),
        ((source, folder / "o2", "--set", "protect.stregth=strong"), 2, "strength"),
        ((source, folder / "o2", "--set", "format=gif"), 2, "take one of png"),
        ((source, source / "o2"), 3, "cannot be written"),
    ]
    for words, code, message in trials:
        capsys.readouterr()
        assert run(*words) == code, message
        error = capsys.readouterr().err
        assert message in error and error.count("\n") == 1, error
    monkeypatch.delenv("MASKDESIGN_PASSPHRASE")
    assert run(source, folder / "o2") == 2, "nobody to ask for a passphrase"
    assert not (folder / "o2").exists()


def test_jpeg_warns_and_writes_no_key(folder, capsys):
    assert run(folder / "in" / "a.png", folder / "out", "--set", "format=jpeg") == 0
    assert "nothing can restore" in capsys.readouterr().err
    assert not list((folder / "out").glob("*.key"))
    assert read_picture(folder / "out" / "a.jpg").pixels.shape[2] == 3
