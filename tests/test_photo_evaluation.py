"""Real photos: pairs, the split by people, rates with intervals, masked photos, the probes of a universal design."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from maskdesign.errors import ConfigError, FaceError, InputError
from maskdesign.evaluation.controls import average_face, natural_print
from maskdesign.evaluation.pairs import Fold, photo_path, read_pairs
from maskdesign.evaluation.protocol import PhotoProtocol, choose_design_people, pairs_to_test
from maskdesign.evaluation.table import DESIGNED
from maskdesign.evaluation.verification import ProbeSet, calibrate, people_interval, photo_gain, photo_row, rank_one
from maskdesign.faces.head import builtin_face
from maskdesign.faces.photo import mean_face
from maskdesign.jobs.photo_embeddings import Shard, parse_shard
from maskdesign.mask.carry import carry_mask, prepare_carrying
from maskdesign.mask.drape import drape_mask
from maskdesign.mask.pattern import MaskPattern
from maskdesign.mask.settings import DrapeSettings
from maskdesign.optimize.photo_probes import PhotoJitter, PhotoProbes, mean_of_others
from maskdesign.recognition.dlib_net import dlib_spec
from maskdesign.recognition.score import scores
from maskdesign.render.composite import composite, composite_view, estimate_light, photo_pose
from maskdesign.render.masked_photo import (
    UV_STEPS,
    WINDOW_PX,
    MaskedPhoto,
    affine_view,
    face_window,
    load_masked,
    mask_photo,
    save_masked,
)
from maskdesign.render.renderer import RenderSettings
from maskdesign.render.scene import build_scene

PATTERN = MaskPattern()
NAMES = ("eye_outer_left", "eye_inner_left", "eye_inner_right", "eye_outer_right", "subnasale", "nose_tip", "chin",
         "mouth_left", "mouth_right", "nasion", "jaw_left", "jaw_right")  # fmt: skip


def pairs_text(folds: int = 2, each: int = 3) -> str:
    lines = [f"{folds}\t{each}"]
    for fold in range(folds):
        lines += [f"P{fold}{person}\t1\t2" for person in range(each)]
        lines += [f"P{fold}{person}\t1\tP{fold}{(person + 1) % each}\t2" for person in range(each)]
    return "\n".join(lines) + "\n"


def test_pairs_are_read_and_split_by_kind(tmp_path):
    path = tmp_path / "pairs.txt"
    path.write_text(pairs_text())
    folds = read_pairs(path)
    assert [len(fold.genuine) for fold in folds] == [3, 3]
    assert folds[1].impostor[0] == (("P10", 1), ("P11", 2))


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (lambda text: text.replace("2\t3", "two folds", 1), "line 1"),
        (lambda text: text.replace("P01\t1\t2", "P01\tone\t2", 1), "line 3"),
        (lambda text: "\n".join(text.splitlines()[:5]), "promises"),
        (lambda text: text.replace("P10\t1\t2", "P00\t1\t2", 1), "P00 is in folds 1 and 2"),
    ],
)
def test_broken_lists_of_pairs_are_named(tmp_path, broken, message):
    path = tmp_path / "pairs.txt"
    path.write_text(broken(pairs_text()))
    with pytest.raises(InputError, match=message):
        read_pairs(path)


def test_pairs_that_come_twice_count_once(tmp_path):
    path = tmp_path / "pairs.txt"
    path.write_text(pairs_text().replace("P01\t1\t2", "P00\t1\t2", 1))
    assert len(read_pairs(path)[0].genuine) == 2


def many_folds() -> list[Fold]:
    return [
        Fold(tuple(((f"P{fold}_{person}", 1), (f"P{fold}_{person}", 2)) for person in range(10)), ())
        for fold in range(4)
    ]


@given(st.integers(0, 10**6), st.integers(1, 12))
def test_nobody_is_designed_for_chosen_on_and_tested(seed, count):
    protocol = PhotoProtocol(test_folds=(3, 4), validation_people=5)
    people = choose_design_people(many_folds(), protocol, count, seed)
    tested = {pair[0][0] for pair in pairs_to_test(many_folds(), protocol)}
    assert len(people.design) == count
    assert len(people.validation) == 5
    assert not set(people.design) & set(people.validation)
    assert not tested & {*people.design, *people.validation}
    assert people == choose_design_people(many_folds(), protocol, count, seed)


def test_split_says_what_is_lacking():
    with pytest.raises(InputError, match="20 people"):
        choose_design_people(many_folds(), PhotoProtocol(test_folds=(3, 4)), 100, 1)
    with pytest.raises(InputError, match=r"names \[7\]"):
        pairs_to_test(many_folds(), PhotoProtocol(test_folds=(1, 7)))
    with pytest.raises(InputError, match="every fold is tested"):
        choose_design_people(many_folds(), PhotoProtocol(test_folds=(1, 2, 3, 4)), 1, 1)


def test_each_pair_is_tested_both_ways_and_may_be_limited():
    protocol = PhotoProtocol(test_folds=(1, 2), test_people=7, pairs_per_person=1)
    pairs = pairs_to_test(many_folds(), protocol)
    assert len(pairs) == 14
    assert pairs[0] == pairs[1][::-1]


def test_interval_over_people_widens_when_pairs_repeat_people():
    """A hundred copies of each person's result are no more evidence than one."""
    generator = np.random.default_rng(0)
    one = generator.random(40) < 0.6
    narrow = people_interval([np.repeat(one, 100)], np.arange(4000), 1000)
    wide = people_interval([np.repeat(one, 100)], np.repeat(np.arange(40), 100), 1000)
    single = people_interval([one], np.arange(40), 1000)
    assert np.diff(wide)[0] == pytest.approx(np.diff(single)[0], rel=1e-9)
    assert np.diff(wide)[0] > 5 * np.diff(narrow)[0]


def test_interval_of_a_mean_has_the_normal_width():
    values = np.random.default_rng(1).random(400)
    low, high = people_interval([values], np.arange(400), 4000)
    wanted = 2 * 1.96 * values.std() / np.sqrt(400)
    assert high - low == pytest.approx(wanted, rel=0.05)


def test_gain_is_over_the_strongest_control():
    scores = {
        "plain blue": np.array([0.1, 0.4, 0.4, 0.4]),
        "random": np.array([0.25, 0.25, 0.4, 0.4]),
        DESIGNED: np.array([0.1, 0.1, 0.1, 0.4]),
        "designed upside down": np.zeros(4),
        "no mask": np.ones(4),
    }
    gain = photo_gain("net", True, scores, {"1e-3": 0.3, "1e-2": 0.2}, np.arange(4), 200)
    assert (gain.control, gain.control_1e2) == ("random", "plain blue")
    assert (gain.fnmr_1e3, gain.fnmr_1e2) == (pytest.approx(0.25), pytest.approx(0.5))


def test_rank_one_counts_right_names():
    people = np.array([0, 0, 1, 1, 2, 2])
    matrix = np.eye(6)
    matrix[1, 0], matrix[3, 2], matrix[5, 0] = 2, 2, 2
    assert rank_one(matrix, people) == pytest.approx(2 / 3)


def clustered(people: int, each: int, spread: float, seed: int) -> tuple[torch.Tensor, np.ndarray]:
    generator = torch.Generator().manual_seed(seed)
    centers = torch.randn(people, 128, generator=generator) * 0.075
    rows = centers.repeat_interleave(each, 0)
    return rows + spread * torch.randn(people * each, 128, generator=generator), np.repeat(np.arange(people), each)


def test_rows_agree_with_counting_by_hand():
    spec = dlib_spec()
    bare, people = clustered(80, 2, 0.02, 0)
    probes = bare + 0.04 * torch.randn(160, 128, generator=torch.Generator().manual_seed(1))
    limits = calibrate(spec, bare, people)
    test = ProbeSet(people, np.arange(0, 160, 2), np.arange(1, 160, 2))
    row = photo_row(spec, DESIGNED, limits, bare, probes, test, 100)
    by_hand, impostors = [], []
    for probe in range(160):
        values = scores(spec, bare, probes[probe]).numpy()
        impostors += list(values[people != people[probe]])
        if probe % 2:
            by_hand.append(values[probe - 1])
    assert row.fnmr_1e3 == pytest.approx(np.mean(np.array(by_hand) < limits["1e-3"]))
    assert row.fmr_1e2 == pytest.approx(np.mean(np.array(impostors) >= limits["1e-2"]), abs=1e-9)
    fmr, fnmr = np.array(row.det).T
    assert (np.diff(fmr) < 0).all()
    assert (np.diff(fnmr) >= 0).all()


def test_calibrated_thresholds_have_their_rates():
    spec = dlib_spec()
    bare, people = clustered(150, 1, 0.0, 3)
    limits = calibrate(spec, bare, people)
    values = np.concatenate([scores(spec, bare[i + 1 :], bare[i]).double().numpy() for i in range(149)])
    assert (values >= limits["1e-2"]).mean() <= 0.01
    assert (values >= limits["1e-3"]).mean() <= 0.001
    with pytest.raises(InputError, match="too few"):
        calibrate(spec, bare[:20], people[:20])


@pytest.mark.parametrize("text", ["", "3", "0/2", "3/2", "a/b", "1/2/3"])
def test_shards_are_written_as_one_of_many(text):
    with pytest.raises(ConfigError, match="I/N"):
        parse_shard(text)
    assert parse_shard("2/4") == Shard(2, 4)


def test_photos_may_have_any_ending(tmp_path):
    (tmp_path / "Ann").mkdir()
    (tmp_path / "Ann/Ann_0002.png").touch()
    assert photo_path(tmp_path, ("Ann", 2)).suffix == ".png"
    assert photo_path(tmp_path, ("Ann", 1)).suffix == ".jpg"


# --- masked photos -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def draped():
    return prepare_carrying(mean_face(), drape_mask(mean_face(), PATTERN, DrapeSettings()))


@pytest.fixture(scope="module")
def portrait(draped):
    """A picture of the built-in head, its landmarks, and the mask on it."""
    from maskdesign.faces.detect import FaceDetection
    from maskdesign.faces.head_model import load_head_model
    from maskdesign.faces.photo import uncolored_face
    from maskdesign.files import data_path, read_image

    image = read_image(data_path("meshes/portrait.png"))
    found = uncolored_face(image, FaceDetection(load_head_model().portrait_landmarks_px, "built-in head"))
    worn = carry_mask(draped, found.scan, PATTERN, DrapeSettings())
    window, points = face_window(image, found.points_px)
    return found.scan, worn, window, points


@pytest.fixture(scope="module")
def masked(portrait) -> MaskedPhoto:
    face, worn, window, points = portrait
    return mask_photo(window, points, face, worn, PATTERN, RenderSettings())


def test_carried_mask_stays_a_sheet_on_the_face(draped, portrait):
    worn = portrait[1]
    assert worn.report.strain_rms < 0.035
    assert worn.report.penetration_mm < 0.5
    moved = np.linalg.norm(worn.mesh.vertices - draped.worn.mesh.vertices, axis=1)
    assert moved.max() < 25
    # On its own head, carrying is but a short relaxation.
    same = carry_mask(draped, draped.head, PATTERN, DrapeSettings())
    assert np.sqrt((np.linalg.norm(same.mesh.vertices - draped.worn.mesh.vertices, axis=1) ** 2).mean()) < 2.5


def test_carrying_refuses_other_topologies(draped):
    face = builtin_face()
    cut = replace(face, mesh=replace(face.mesh, vertices=face.mesh.vertices[:-3], triangles=face.mesh.triangles[:100],
                                     uv=face.mesh.uv[:-3]))  # fmt: skip
    with pytest.raises(FaceError, match="topology"):
        carry_mask(draped, cut, PATTERN, DrapeSettings())


def test_window_keeps_pixels_and_moves_landmarks_with_them():
    rng = np.random.default_rng(0)
    image = rng.integers(0, 255, (250, 240, 3), dtype=np.uint8)
    points = {name: np.array([100.0 + 3 * i, 110.0]) for i, name in enumerate(NAMES)}
    points |= {"eye_outer_left": np.array([95.0, 100.0]), "eye_inner_left": np.array([105.0, 100.0]),
               "eye_inner_right": np.array([135.0, 100.0]), "eye_outer_right": np.array([145.0, 100.0])}  # fmt: skip
    window, moved = face_window(image, points)
    shift = (points["chin"] - moved["chin"]).astype(int)
    assert window.shape == (WINDOW_PX, WINDOW_PX, 3)
    x, y = moved["nasion"].astype(int)
    np.testing.assert_array_equal(window[y, x], image[y + shift[1], x + shift[0]])
    doubled = {name: 2 * point for name, point in points.items()}
    small, halved = face_window(np.repeat(np.repeat(image, 2, 0), 2, 1), doubled)
    np.testing.assert_array_equal(small, window)
    np.testing.assert_allclose(halved["chin"], moved["chin"])


def test_compact_form_shows_what_the_composite_shows(portrait, masked, tmp_path):
    face, worn, window, points = portrait
    pose = photo_pose(face, points, WINDOW_PX, WINDOW_PX)
    light = estimate_light(build_scene(face, None, PATTERN), pose.camera, window)
    whole = composite_view(build_scene(face, worn, PATTERN), pose.camera, light, window, RenderSettings())
    texture = torch.rand(3, 60, 70, generator=torch.Generator().manual_seed(0))
    path = tmp_path / "masked.npz"
    save_masked(masked, path)
    again = load_masked(path)
    difference = composite(whole, texture) - composite(affine_view(again), texture)
    assert difference.abs().max().item() < 1.5 / 255
    assert path.stat().st_size < 400_000
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(InputError, match=r"masked\.npz"):
        load_masked(path)


def test_average_face_is_the_skin_under_the_mask(masked):
    """Printed on the same photo, one person's unwrapped face looks as if there were no mask."""
    texture = average_face([masked], PATTERN, 1.25)
    printed = composite(affine_view(masked), texture).permute(1, 2, 0).numpy()
    inside = np.unique(masked.pixel, return_counts=True)
    whole = inside[0][inside[1] == 4]
    apart = (printed - masked.photo / 255).reshape(-1, 3)[whole]
    plain = composite(affine_view(masked), torch.full((3, 4, 4), 0.9)).permute(1, 2, 0).numpy()
    apart_plain = (plain - masked.photo / 255).reshape(-1, 3)[whole]
    assert np.abs(apart).mean() < 0.04
    assert np.abs(apart).mean() < 0.3 * np.abs(apart_plain).mean()


def test_natural_print_is_the_same_every_time():
    first, second = natural_print(PATTERN, 1.25), natural_print(PATTERN, 1.25)
    assert torch.equal(first, second)
    assert 0 <= first.min() < first.max() <= 1


# --- probes --------------------------------------------------------------------------------------------------------


def fake_photo(number: int) -> MaskedPhoto:
    rng = np.random.default_rng(number)
    pixel = rng.integers(0, WINDOW_PX**2, 300).astype(np.uint16)
    points = {name: np.array([60.0 + 5 * i, 90.0 + number]) for i, name in enumerate(NAMES)}
    return MaskedPhoto(
        photo=rng.integers(0, 255, (WINDOW_PX, WINDOW_PX, 3), dtype=np.uint8), touched=np.unique(pixel),
        base=np.zeros((len(np.unique(pixel)), 3), np.float16), pixel=pixel,
        uv=(rng.random((300, 2)) * UV_STEPS).astype(np.uint16), weight=np.full(300, 0.2, np.float16),
        points_px=points, pose_error_px=1.0, strain_rms=0.01,
    )  # fmt: skip


@pytest.fixture(scope="module")
def source() -> PhotoProbes:
    photos = [fake_photo(number) for number in range(7)]
    enrolments = [(torch.full((4,), float(number)),) for number in range(7)]
    return PhotoProbes(photos[:5], enrolments[:5], photos[5:], enrolments[5:], PhotoJitter(), PATTERN, 3)


def whose(probe) -> int:
    return int(probe.enrolments[0][0].item())


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 200), st.integers(1, 5))
def test_probes_depend_on_the_step_alone(source, step, count):
    first, second = source.probes(step, count), source.probes(step, count)
    for a, b in zip(first, second, strict=True):
        assert whose(a) == whose(b) < 5
        np.testing.assert_array_equal(a.shot.affine.uv, b.shot.affine.uv)
        assert a.shot.view.response == b.shot.view.response
        assert a.shot.view.noise_seed == b.shot.view.noise_seed


def test_every_photo_comes_once_before_any_comes_twice(source):
    seen = [whose(probe) for step in range(6) for probe in source.probes(step, 5)]
    assert all(sorted(seen[start : start + 5]) == [0, 1, 2, 3, 4] for start in range(0, 30, 5))
    assert len({tuple(seen[start : start + 5]) for start in range(0, 30, 5)}) > 1


def test_held_out_people_are_never_printed_on_in_a_step(source):
    assert {whose(probe) for probe in source.fixed_probes(9, 10)} == {5, 6}
    assert {whose(probe) for step in range(10) for probe in source.probes(step, 3)} == set(range(5))


def test_without_jitter_a_probe_is_the_photo(source):
    still = PhotoJitter(0, 0, 0, 0, 0, 0, (1, 1), (0, 0), (0, 0), (1, 1))
    probe = replace(source, jitter=still).probes(0, 1)[0]
    plain = affine_view(source.photos[whose(probe)])
    np.testing.assert_allclose(probe.shot.affine.uv, plain.uv, atol=1e-6)
    np.testing.assert_array_equal(probe.shot.affine.weight, plain.weight)


def test_enrolment_leaves_the_photo_itself_out():
    embeddings = torch.arange(5.0)[:, None]
    others = mean_of_others(embeddings, np.array([0, 0, 0, 1, 1]))
    assert [value.item() for value in others] == [1.5, 1.0, 0.5, 4.0, 3.0]


def test_jitter_and_protocol_refuse_what_makes_no_sense():
    with pytest.raises(ConfigError, match="shift_mm"):
        PhotoJitter(shift_mm=-1)
    with pytest.raises(ConfigError, match="gain"):
        PhotoJitter(gain=(1.2, 0.8))
    with pytest.raises(ConfigError, match="test_folds"):
        PhotoProtocol(test_folds=())
