"""The built-in head: whole, symmetric, nobody's, and made by the script that says so."""

from __future__ import annotations

import hashlib
import importlib.util
import tomllib
from pathlib import Path

import numpy as np
import pytest
import trimesh
from head_checks import crossing_triangles, welded

from maskdesign.faces.detect import detect_face
from maskdesign.faces.head import builtin_face
from maskdesign.faces.head_model import cap_rows, fit_head, load_head_model
from maskdesign.faces.scan import FaceScan
from maskdesign.files import data_path, read_image
from maskdesign.geometry.align import apply_similarity, fit_similarity

MESHES = Path(__file__).resolve().parents[1] / "meshes"


@pytest.fixture(scope="module")
def scan() -> FaceScan:
    return builtin_face()


def test_every_part_is_closed_and_the_head_does_not_cut_itself(scan):
    parts = welded(scan).split(only_watertight=False)
    assert len(parts) == 3
    assert all(part.is_watertight and part.volume > 0 for part in parts)
    head, *ears = sorted(parts, key=lambda part: -len(part.vertices))
    assert head.euler_number == 2
    assert crossing_triangles(head) == 0
    assert ears[0].center_mass[0] * ears[1].center_mass[0] < 0


def test_it_is_symmetric(scan):
    # Triangles need not be mirrored, the surface must be.
    mirrored = scan.mesh.vertices[::10] * [-1, 1, 1]
    distance = trimesh.proximity.closest_point(welded(scan), mirrored)[1]
    assert np.percentile(distance, 99) < 1.0


def test_head_sizes_are_an_adults(scan):
    # Breadth 155 +- 3 x 6 mm and length 197 +- 3 x 7 (adult averages), with a few millimeters of hair.
    head = max(welded(scan).split(only_watertight=False), key=lambda part: len(part.vertices)).vertices
    assert 137 < np.ptp(head[:, 0]) < 180
    skull = head[head[:, 1] > 20]
    assert 176 < np.ptp(skull[:, 2]) < 225


def test_texture_coordinates_do_not_fold():
    model = load_head_model()
    a, b, c = (model.uv[model.refined[~cap_rows(model), k]] for k in range(3))
    signed = (b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0]
    # v runs down, so counterclockwise in space is clockwise in numbers.
    assert signed.max() < 0
    assert model.uv.min() >= 0 and model.uv.max() <= 1


def test_the_head_passes_through_the_landmarks_it_is_fitted_to():
    model = load_head_model()
    generator = np.random.default_rng(0)
    stretched = model.canonical_mm * [1.06, 0.95, 1.03] + generator.normal(size=(478, 3)) * 0.3
    head = fit_head(model, stretched)
    inner = np.setdiff1d(np.arange(468), np.unique(model.triangles[(model.triangles >= 470).any(axis=1)]))
    off = np.linalg.norm(head.surface_mm[inner] + stretched[4] - stretched[inner], axis=1)
    assert np.median(off) < 0.3 and np.percentile(off, 95) < 1.5


def test_fitting_the_canonical_face_gives_the_model_back():
    model = load_head_model()
    head = fit_head(model, model.canonical_mm)
    shell = np.linalg.norm(head.controls_mm - model.controls_mm, axis=1)[470:]
    # Fairing at each fit rounds the shell by a millimeter or two.
    assert np.median(shell) < 2.5 and shell.max() < 5.0


def test_mediapipe_finds_the_painted_face_where_the_file_says():
    portrait = read_image(data_path("meshes/portrait.png"))
    found = detect_face(portrait, "portrait").landmarks_px
    np.testing.assert_allclose(found, load_head_model().portrait_landmarks_px, atol=0.5)


def test_the_manifest_fits_the_files():
    manifest = tomllib.loads((MESHES / "manifest.toml").read_text())
    assert set(manifest) == {"head.npz", "portrait.png"}
    for name, entry in manifest.items():
        assert hashlib.sha256((MESHES / name).read_bytes()).hexdigest() == entry["sha256"], name
        assert entry["license"] == "MIT"


def test_the_script_makes_the_files_again(tmp_path):
    spec = importlib.util.spec_from_file_location("make_head", MESHES / "make_head.py")
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    script.main(tmp_path)
    np.testing.assert_allclose(
        read_image(tmp_path / "portrait.png").astype(int), read_image(MESHES / "portrait.png"), atol=1
    )
    made, shipped = (np.load(folder / "head.npz") for folder in (tmp_path, MESHES))
    assert set(made.files) == set(shipped.files)
    for name in shipped.files:
        # Another processor may round mediapipe's network differently: by a tenth of a pixel here.
        np.testing.assert_allclose(made[name], shipped[name], atol=0.5, err_msg=name)


def test_it_is_a_face_like_mediapipes_own_mean_but_not_its_copy(shared):
    lines = (shared / "scans/mediapipe_canonical/canonical_face_model.obj").read_text().splitlines()
    reference = np.array([[float(v) for v in line.split()[1:4]] for line in lines if line.startswith("v ")]) * 10
    ours = load_head_model().canonical_mm[:468]
    moved = apply_similarity(fit_similarity(ours, reference), ours)
    off = np.linalg.norm(moved - reference, axis=1)
    assert 1.0 < np.median(off) < 6.0
    assert np.abs((moved - reference)[:, 2]).mean() < 2.5
