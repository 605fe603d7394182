from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import igl
import igl.spectra
import numpy as np
import pytest
import trimesh

from maskdesign.cli.main import main
from maskdesign.faces.scan import save_face
from maskdesign.files import read_image, read_npz
from maskdesign.geometry.distortion import measure_flattening
from maskdesign.geometry.mesh import TriangleMesh
from maskdesign.jobs.flat_surfaces import METHODS
from maskdesign.mask.pattern import MaskPattern, folded_v_mm
from maskdesign.mask.sheet import fine_grid
from maskdesign.mask.worn import DrapeReport, WornMask, save_worn
from tests.flatten_surfaces import bumpy_patch, hemisphere, square_with_hole, torus_with_hole
from tests.mask_heads import analytic_face


def write_obj(mesh: TriangleMesh, path: Path) -> Path:
    rows = [f"v {x!r} {y!r} {z!r}" for x, y, z in mesh.vertices.tolist()]
    rows += [f"f {a} {b} {c}" for a, b, c in (mesh.triangles + 1).tolist()]
    path.write_text("\n".join(rows))
    return path


def shut_mask() -> WornMask:
    """The folded sheet in a plane, layers .1 mm apart."""
    pattern = MaskPattern()
    grid = fine_grid(pattern)
    u, v = grid.sheet_mm.T
    points = np.stack([u - 87.5, -folded_v_mm(pattern, v), -0.1 * grid.layer.astype(float)], axis=1)
    return WornMask(TriangleMesh(points, grid.triangles), grid.sheet_mm, grid.layer, DrapeReport(*[0] * 9))


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("surfaces")
    save_face(analytic_face(), folder / "face.npz")
    save_worn(shut_mask(), folder / "worn.npz")
    write_obj(bumpy_patch(), folder / "bumps.obj")
    write_obj(square_with_hole(), folder / "hole.obj")
    write_obj(torus_with_hole(), folder / "torus.obj")
    ball = trimesh.creation.icosphere(2)
    write_obj(TriangleMesh(ball.vertices, ball.faces), folder / "ball.obj")
    (folder / "empty.obj").touch()
    (folder / "cut.obj").write_text("v 0 0 0\nv 1 0")
    (folder / "damaged.npz").write_bytes(b"PK\x03\x04")
    (folder / "notes.txt").write_text("no mesh")
    return {path.name: str(path) for path in folder.iterdir()}


def flattened(capsys, *words: str) -> dict:
    assert main(["flatten", *words, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_figures_are_those_of_libigls_maps(files, capsys):
    mesh = bumpy_patch()
    reports = flattened(capsys, files["bumps.obj"], "--compare")
    assert list(reports) == ["bff", "lscm", "spectral", "harmonic"]
    flat = igl.spectra.lscm(mesh.vertices / 100, mesh.triangles.astype(np.int64))
    upright = flat if igl.doublearea(flat, mesh.triangles.astype(np.int64)).sum() > 0 else flat * [1, -1]
    peer = measure_flattening(mesh, upright)
    assert reports["bff"]["quasi_conformal_mean"] <= 1.001 * reports["spectral"]["quasi_conformal_mean"]
    assert reports["spectral"]["quasi_conformal_mean"] == pytest.approx(peer.quasi_conformal_mean, abs=1e-4)
    assert reports["harmonic"]["quasi_conformal_mean"] > 1.02 * reports["bff"]["quasi_conformal_mean"]
    assert all(report["flipped"] == 0 for report in reports.values())


@pytest.mark.parametrize("method", ["bff", "lscm", "spectral", "harmonic"])
def test_a_mesh_is_laid_flat_and_triangulated_anew(files, tmp_path, capsys, method):
    out = tmp_path / "flat.npz"
    answer = flattened(capsys, files["bumps.obj"], "--method", method, "--out", str(out), "--points", "300")
    arrays = read_npz(out)
    mesh = TriangleMesh(arrays["vertices"], arrays["triangles"])
    assert asdict(measure_flattening(mesh, arrays["flat"])) == pytest.approx(answer["map"])
    triangulation = answer["triangulation"]
    assert 200 < triangulation["points"] == len(arrays["new_flat"]) == len(arrays["new_vertices"]) < 450
    assert triangulation["least_angle_flat_deg"] >= 20.7
    assert triangulation["not_delaunay"] == 0
    assert triangulation["missed"] < 3.0
    assert answer["method"] == method


def test_a_map_lies_as_its_surface_looks_and_is_readable_as_obj(tmp_path, capsys):
    mesh, _ = hemisphere(12)
    out = tmp_path / "flat.obj"
    answer = flattened(capsys, str(write_obj(mesh, tmp_path / "half.obj")), "--out", str(out), "--show")
    read = trimesh.load(out, process=False)
    assert (len(read.vertices), len(read.faces)) == (len(mesh.vertices), len(mesh.triangles))
    assert np.corrcoef(read.visual.uv[:, 0], read.vertices[:, 0])[0, 1] > 0.95
    assert np.corrcoef(read.visual.uv[:, 1], read.vertices[:, 1])[0, 1] > 0.95
    assert answer["out"] == str(out)
    assert read_image(tmp_path / "flat_flat.png").std() > 20


def test_a_face_is_laid_flat_below_its_mask_free_or_placed(files, capsys):
    free = flattened(capsys, files["face.npz"])
    assert free["method"] == "bff"
    assert free["map"]["quasi_conformal_mean"] < 1.02
    assert flattened(capsys, files["face.npz"], "--method", "placed")["map"]["quasi_conformal_mean"] < 1.03


def test_a_worn_mask_gets_the_papers_key_points_with_its_folds_and_is_isometric(files, capsys):
    answer = flattened(capsys, files["worn.npz"])
    assert (answer["method"], answer["triangulation"]["points"]) == ("sheet", 428)
    assert answer["triangulation"]["kept_edges"] > 6 * 15
    assert answer["map"]["strain_rms"] < 1e-3
    assert answer["triangulation"]["not_delaunay"] == 0


def test_a_patch_with_a_hole_is_repaired_and_says_so(files, capsys):
    assert flattened(capsys, files["hole.obj"])["repair"] == {
        "dropped_triangles": 0,
        "filled_holes": 1,
        "largest_hole_mm": 8.0,
    }
    assert main(["flatten", files["hole.obj"]]) == 0
    assert "filled_holes" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "exit_code", "part"),
    [
        (["absent.obj"], 3, "absent.obj: no such file"),
        (["absent.npz"], 3, "absent.npz: no such file"),
        (["notes.txt"], 2, "name a face or a worn mask (.npz) or a mesh"),
        (["empty.obj"], 3, "no faces"),
        (["cut.obj"], 3, "line 2: 'v 1 0'"),
        (["damaged.npz"], 3, "not a readable .npz file"),
        (["ball.obj"], 3, "the surface is closed; cut a patch out of it first"),
        (["torus.obj"], 3, "the patch has a handle"),
        (["bumps.obj", "--method", "isomap"], 2, "--method isomap: known are bff, lscm"),
        (["bumps.obj", "--method", "placed"], 2, "--method placed is for a face.npz"),
        (["face.npz", "--method", "sheet"], 2, "--method sheet is for a worn mask"),
        (["worn.npz", "--pattern", "two_pleat"], 3, "that of the pattern 175 x 190 mm; name the pattern"),
        (["worn.npz", "--pattern", "rounded"], 3, "cut along an outline of its own"),
        (["worn.npz", "--points", "20"], 3, "20 key points are too few"),
        (["bumps.obj", "--min-angle-deg", "40"], 3, "must lie between 0 and 33"),
        (["bumps.obj", "--points", "2"], 3, "needs three at least"),
        (["bumps.obj", "--show"], 2, "--show writes its picture beside --out"),
        (["bumps.obj", "--out", "flat.ply"], 2, "must end in .npz or .obj"),
    ],
)
def test_what_cannot_be_flattened_is_refused_in_one_line(files, tmp_path, capsys, words, exit_code, part):
    out = tmp_path / "flat.npz"
    given = [files.get(words[0], words[0]), *words[1:]]
    if "--out" not in words and "--show" not in words:
        given += ["--out", str(out)]
    assert main(["flatten", *given]) == exit_code
    error = capsys.readouterr().err.splitlines()
    assert len(error) == 1
    assert part in error[0]
    assert not out.exists()


def test_every_method_is_in_the_help(capsys):
    with pytest.raises(SystemExit):
        main(["flatten", "--help"])
    text = capsys.readouterr().out
    assert all(method in text for method in METHODS)
