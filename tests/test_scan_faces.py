"""Scans of heads: cleaning against the truth, the nose tip on turned heads, alignment, units, what wins over what."""

from __future__ import annotations

import json
import time
from dataclasses import replace

import numpy as np
import pytest
from scan_heads import ICT_TIP, mesh_scan, pronasale, real_head, synthetic_scan, turned
from scipy.spatial import cKDTree

from maskdesign.errors import FaceError, ScanError
from maskdesign.faces.clean import CleanSettings, clean_range, find_spikes
from maskdesign.faces.formats.abs import write_abs
from maskdesign.faces.formats.ict import ict_vertices, read_ict
from maskdesign.faces.from_scan import face_from_scan
from maskdesign.faces.head import builtin_face
from maskdesign.faces.nose import find_nose
from maskdesign.faces.population import random_ict_head
from maskdesign.faces.raw import RangeImage, RawScan
from maskdesign.faces.read import read_scan
from maskdesign.faces.scan import LANDMARKS, load_face, save_face
from maskdesign.faces.scan_landmarks import detect_on_surface, locate_face, place_given, read_landmarks
from maskdesign.faces.scan_surface import clean_surface
from maskdesign.faces.template import load_template
from maskdesign.faces.units import settle_factor
from maskdesign.faces.unrolled import unroll_face
from maskdesign.geometry.mesh import TriangleMesh


@pytest.fixture(scope="module")
def own_head():
    return builtin_face()


@pytest.fixture(scope="module")
def own_scan(own_head):
    return synthetic_scan(own_head)


@pytest.fixture(scope="module")
def scanned_head(shared):
    return real_head(shared)


@pytest.fixture(scope="module")
def ict(shared):
    return read_ict(shared / "scans/ict_facekit_identities.npz")


def check_cleaning(scan) -> None:
    cleaned, report = clean_range(scan.raw)
    both = cleaned.valid & (scan.truth.triangle >= 0)
    error = np.abs(cleaned.points_mm[..., 2] - scan.truth.points[..., 2])
    assert np.median(error[both]) <= 0.06
    assert np.percentile(error[both], 95) <= 0.4
    assert error[both & ~scan.near_step].max() <= 2.0
    filled = both & ~scan.raw.valid & ~scan.near_step
    assert filled.sum() > 500
    assert error[filled].max() <= 2.0
    assert np.count_nonzero(both) > 0.9 * np.count_nonzero(scan.truth.triangle >= 0), "cleaning must not eat the face"
    spikes = scan.raw.valid & (np.abs(scan.raw.points_mm[..., 2] - scan.truth.points[..., 2]) > 3)
    assert report.spikes_removed + report.island_points_removed > 0.8 * spikes.sum()
    assert report.holes_filled >= 3
    assert report.largest_hole_mm2 == pytest.approx(np.pi * 7**2, rel=0.1)
    assert report.note == "" and 0 < report.filled_share < 0.05


def test_cleaning_the_built_in_head(own_scan):
    check_cleaning(own_scan)


def test_cleaning_the_real_head(scanned_head):
    check_cleaning(synthetic_scan(scanned_head))


def test_much_filling_is_said(own_scan):
    raw = own_scan.raw
    rows, columns = np.indices(raw.valid.shape)
    gap = (rows - 240) ** 2 + (columns - 320) ** 2 < 95**2
    _, report = clean_range(replace(raw, valid=raw.valid & ~gap))
    assert report.note.endswith("% of the surface is filled, not measured; scan again")
    assert report.filled_share > 0.1


def test_a_spike_is_alone_and_a_step_is_not():
    depth = np.zeros((20, 20))
    depth[:, 10:] = 30.0
    depth[5, 5] = 12.0
    depth[0, 0] = 12.0
    spikes = find_spikes(depth, np.ones((20, 20), bool), 3.0)
    assert sorted(map(tuple, np.argwhere(spikes).tolist())) == [(0, 0), (5, 5)]


def test_islands_go_and_the_rim_is_eroded(own_scan):
    raw = own_scan.raw
    points, valid = raw.points_mm.copy(), raw.valid.copy()
    valid[5:15, 5:15] = True
    points[5:15, 5:15] = [0, 0, 50]
    cleaned, report = clean_range(RangeImage(points, valid))
    assert not cleaned.valid[:20, :20].any()
    assert report.island_points_removed >= 100
    thinner, _ = clean_range(raw, CleanSettings(rim_px=5))
    assert thinner.valid.sum() < cleaned.valid.sum()


def test_a_handful_of_points_is_no_face():
    valid = np.zeros((50, 50), bool)
    valid[:10, :10] = True
    points = np.stack([*np.meshgrid(np.arange(50.0), -np.arange(50.0)), np.zeros((50, 50))], axis=-1)
    with pytest.raises(ScanError, match=r"36 points are left after cleaning; a face needs 400"):
        clean_range(RangeImage(points, valid))


def test_an_frgc_scan_becomes_a_face(own_head, own_scan, tmp_path):
    path = tmp_path / "04203d350.abs.gz"
    moved = replace(own_scan.raw, points_mm=own_scan.raw.points_mm + np.array([12.0, -30, -1400]))
    write_abs(path, moved)
    face_from_scan(read_scan(path))
    begin = time.process_time()
    face, report = face_from_scan(read_scan(path))
    assert time.process_time() - begin <= 4.0
    assert report.landmark_source == "detector" and report.unit == "mm"
    assert report.surface_residual_mm < 2.0
    for name in LANDMARKS:
        # A frontal scan ends before the ear's back and sees little of the jaw's corner.
        allowed = {"jaw": 25.0, "ear": 12.0}.get(name.split("_")[0], 6.0)
        off = np.linalg.norm(face.landmarks[name] - own_head.landmarks[name])
        assert off < allowed, f"{name} is off by {off:.1f} mm"
    assert 10_000 < len(face.mesh.triangles) < 60_000
    distance = cKDTree(own_head.mesh.vertices).query(face.mesh.vertices[face.mesh.vertices[:, 2] > -60])[0]
    assert np.median(distance) < 1.5
    save_face(face, tmp_path / "face.npz")
    np.testing.assert_array_equal(load_face(tmp_path / "face.npz").mesh.vertices, face.mesh.vertices)


def test_the_nose_of_the_real_head_turned(scanned_head):
    random = np.random.default_rng(4)
    mesh, tip = scanned_head.mesh, pronasale(scanned_head)
    assert np.linalg.norm(mesh.vertices[tip]) < 3.0, "the origin of the untouched, colored scan"
    for _ in range(4):
        vertices, _ = turned(mesh.vertices, random)
        surface = clean_surface(mesh_scan(vertices, mesh.triangles))
        found = locate_face(surface, "head", True).points_mm["nose_tip"]
        by_shape = find_nose(surface.mesh, "head").tip_mm
        assert np.linalg.norm(found - vertices[tip]) < 3.0
        assert np.linalg.norm(by_shape - vertices[tip]) < 4.5


def test_the_nose_of_heads_turned(ict):
    random, errors = np.random.default_rng(7), []
    for _ in range(8):
        vertices, _ = turned(ict_vertices(ict, random.normal(size=100)), random)
        surface = clean_surface(mesh_scan(vertices, ict.triangles))
        errors.append(np.linalg.norm(locate_face(surface, "head", True).points_mm["nose_tip"] - vertices[ICT_TIP]))
    assert np.median(errors) < 1.5 and max(errors) < 3.0


def test_a_head_lying_on_its_back_is_found(own_head):
    lying = own_head.mesh.vertices @ np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]])
    raw = RawScan(
        TriangleMesh(lying, own_head.mesh.triangles, own_head.mesh.uv), own_head.texture, None, "mm", 1.0, "x"
    )
    face, report = face_from_scan(raw)
    assert report.landmark_source == "detector"
    assert np.linalg.norm(face.landmarks["chin"] - own_head.landmarks["chin"]) < 6
    assert face.landmarks["nasion"][1] > 20


def test_shape_alone_finds_the_pose(own_head):
    vertices, R = turned(own_head.mesh.vertices, np.random.default_rng(1))
    template, corners = load_template().landmarks_mm, ("eye_outer_left", "eye_outer_right")
    size = np.linalg.norm(np.subtract(*(own_head.landmarks[name] for name in corners)))
    size /= np.linalg.norm(np.subtract(*(template[name] for name in corners)))
    found = find_nose(TriangleMesh(vertices, own_head.mesh.triangles), "head")
    off = np.degrees(np.arccos(np.clip((np.trace(found.pose.R.T @ R) - 1) / 2, -1, 1)))
    assert off < 4 and found.residual_mm < 1.5
    assert found.pose.scale == pytest.approx(size, abs=0.03)


def test_a_ball_is_no_face():
    import trimesh

    ball = trimesh.creation.icosphere(subdivisions=4, radius=100.0)
    with pytest.raises(FaceError, match=r"^ball: (no nose found|the surface is)"):
        face_from_scan(replace(mesh_scan(ball.vertices, ball.faces), source="ball"))


def test_the_eyes_settle_the_unit(own_head):
    mesh = own_head.mesh
    grown = RawScan(
        TriangleMesh(mesh.vertices * 1.6, mesh.triangles, mesh.uv), own_head.texture, None, "unknown", 1.0, "x"
    )
    face, report = face_from_scan(grown)
    assert report.unit.startswith("unknown, scaled")
    assert report.eye_corners_mm == pytest.approx(88.8, abs=0.1)
    wide, report = face_from_scan(grown, ipd_mm=70.0)
    assert report.eye_corners_mm == pytest.approx(70 / 0.71, abs=0.1)
    ratio = np.ptp(wide.mesh.vertices[:, 0]) / np.ptp(face.mesh.vertices[:, 0])
    assert ratio == pytest.approx(70 / 0.71 / 88.8, rel=0.02)


UNITS = [
    (90, "mm", 1, "mm"),
    (9, "mm", 10, "cm"),
    (3.5, "mm", 25.4, "inch"),
    (900, "cm", 0.1, "mm"),
    (70, "mm", 1, "mm"),
    (50, "unknown", 1.776, None),
]


@pytest.mark.parametrize(("eyes", "unit", "factor", "name"), UNITS)
def test_units(eyes, unit, factor, name):
    found, called = settle_factor(eyes, unit)
    assert found == pytest.approx(factor)
    assert name in (None, called)


def test_no_unit_fits():
    with pytest.raises(ScanError, match=r"eye corners are 300 mm apart in mm, an adult's 80 to 105; give .* --ipd-mm"):
        settle_factor(300.0, "mm")


@pytest.mark.parametrize("ending", ["toml", "json"])
def test_the_users_landmarks_win(own_head, ending, tmp_path):
    shift = np.array([5.0, -7, 300])
    given = {name: (own_head.landmarks[name] + shift).tolist() for name in LANDMARKS[:10]}
    given["mouth_left"][0] -= 4
    path = tmp_path / f"points.{ending}"
    path.write_text(json.dumps(given) if ending == "json" else "\n".join(f"{k} = {v}" for k, v in given.items()))
    mesh = TriangleMesh(own_head.mesh.vertices + shift, own_head.mesh.triangles)
    face, report = face_from_scan(mesh_scan(mesh.vertices, mesh.triangles), read_landmarks(path))
    assert report.landmark_source == "landmarks file"
    moved = face.landmarks["mouth_left"] - own_head.landmarks["mouth_left"]
    assert moved[0] == pytest.approx(-4, abs=1.0)
    assert np.linalg.norm(face.landmarks["ear_left"] - own_head.landmarks["ear_left"]) < 12


BAD_LANDMARKS = {
    "nose_tpi = [1, 2, 3]": r"unknown landmark nose_tpi; did you mean nose_tip\?",
    "nose_tip = [1, 2]": r"nose_tip = \[1, 2\] is not three numbers",
    "nose_tip = [1, 2, nan]": r"is not three numbers",
    "nose_tip = [1, 2, true]": r"is not three numbers",
    "nose_tip = [1, 2, 3]": r"1 landmarks; give at least 4, the nose_tip among them",
    "nose_tip = ": r"neither TOML nor JSON",
}


@pytest.mark.parametrize("text", BAD_LANDMARKS)
def test_bad_landmarks_are_refused(text, tmp_path):
    (tmp_path / "points.toml").write_text(text)
    with pytest.raises(ScanError, match=BAD_LANDMARKS[text]) as caught:
        read_landmarks(tmp_path / "points.toml")
    assert "points.toml" in str(caught.value)


def test_landmarks_that_are_no_face(own_head):
    names = ("nose_tip", "eye_outer_left", "eye_outer_right", "chin", "mouth_left")
    line = {name: np.array([k, 0.0, 0]) for k, name in enumerate(names)}
    with pytest.raises(FaceError, match=r"^me: the landmarks given lie on a line"):
        place_given(line, "me")
    swapped = {name: own_head.landmarks[name] for name in names}
    swapped["chin"], swapped["eye_outer_left"] = swapped["eye_outer_left"], swapped["chin"]
    with pytest.raises(FaceError, match=r"^me: the landmarks given are no face"):
        place_given(swapped, "me")


def test_the_detector_reads_a_shaded_head(ict):
    surface = clean_surface(mesh_scan(ict_vertices(ict, np.zeros(0)), ict.triangles))
    found = detect_on_surface(surface)
    assert found is not None and found.method == "detector"
    mean = ict_vertices(ict, np.zeros(0))
    assert np.linalg.norm(found.points_mm["mouth_left"] - mean[5708]) < 4


def test_the_unrolled_face_keeps_its_neighborhoods_better_than_its_shadow(own_head):
    unrolled = unroll_face(own_head.mesh)
    assert unrolled.valid.sum() > 2500
    assert np.nanmedian(unrolled.stretch) < 1.2
    assert 2 < np.nanmedian(unrolled.distance_mm) < 20
    far = np.abs(unrolled.points_mm[..., 0]) > 50
    assert np.nanmedian(unrolled.distance_mm[far & unrolled.valid]) > np.nanmedian(unrolled.distance_mm)


def test_heads_with_open_eyes_and_lashes_unroll_too(ict):
    for number in range(4):
        unrolled = unroll_face(random_ict_head(ict, 3, number).mesh)
        seen = unrolled.points_mm[unrolled.valid]
        assert unrolled.valid.sum() > 3000 and np.isfinite(unrolled.distance_mm[unrolled.valid]).all()
        assert 8 < np.nanmedian(unrolled.distance_mm) < 20
        eyes = (np.abs(np.abs(seen[:, 0]) - 31) < 14) & (np.abs(seen[:, 1] - 33) < 12)
        assert eyes.sum() > 200, "the eyes belong to the face"
