from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import trimesh

from maskdesign.cli.main import main
from maskdesign.cli.mask import print_report
from maskdesign.faces.scan import save_face
from maskdesign.files import read_image, read_npz
from maskdesign.mask.worn import DrapeReport, load_worn
from tests.mask_heads import analytic_face


@pytest.fixture(scope="module")
def face(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("face") / "face.npz"
    save_face(analytic_face(), path)
    return path


def refused(capsys, exit_code: int, *words: str) -> str:
    assert main(["mask", *words]) == exit_code
    error = capsys.readouterr().err.splitlines()
    assert len(error) == 1
    return error[0]


def test_list_names_every_pattern_and_mesh_with_its_size(capsys):
    assert main(["mask", "--list", "--json"]) == 0
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
    assert {"three_pleat", "two_pleat", "flat", "head.npz"} <= rows.keys()
    assert "a4" not in rows
    wanted = "175 x 155 mm, 175 x 95 mm folded, 3 pleats 10 mm deep, opening 95 to 130 mm"
    assert rows["three_pleat"]["detail"] == wanted
    assert rows["two_pleat"]["detail"].startswith("175 x 190 mm, 175 x 100 mm folded, 2 pleats 22.5 mm deep")
    assert rows["flat"]["detail"] == "175 x 95 mm, no pleats"
    assert rows["head.npz"]["kind"] == "mesh"
    assert main(["mask", "--list"]) == 0
    assert wanted in capsys.readouterr().out


def test_flat_pattern_is_draped_and_written_as_arrays_with_a_report(face, tmp_path, capsys):
    out = tmp_path / "worn.npz"
    assert main(["mask", "--face", str(face), "--pattern", "flat", "--out", str(out), "--json", "--show"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert (answer["worn"], answer["pattern"]) == (str(out), "flat")
    worn = load_worn(out)
    assert answer["report"]["strain_rms"] == worn.report.strain_rms
    assert {"vertices_mm", "triangles", "sheet_mm", "layer"} <= read_npz(out).keys()
    assert worn.sheet_mm.max(axis=0).tolist() == [175.0, 95.0]
    assert read_image(tmp_path / "worn_sheet.png").std() > 20


def test_a_pattern_of_ones_own_becomes_a_glb_in_meters_with_a_chessboard(face, tmp_path, capsys):
    own = tmp_path / "own.toml"
    own.write_text("[mask]\nwidth_mm = 160.0\nheight_mm = 90.0\npleat_rows_mm = []\nnose_v_mm = 30.0\n")
    out = tmp_path / "worn.glb"
    assert main(["mask", "--face", str(face), "--pattern", str(own), "--out", str(out)]) == 0
    assert "Wrote" in capsys.readouterr().out
    scene = trimesh.load(out)
    mask = scene.geometry["mask"]
    assert 0.08 < mask.extents[0] < 0.16
    texture = np.asarray(mask.visual.material.baseColorTexture.convert("L"))
    assert texture.shape == (360, 640)
    assert 0.4 < (texture < 128).mean() < 0.5


def test_a_sheet_that_cuts_through_itself_carries_a_warning(capsys):
    report = DrapeReport(0.004, 0.01, 0.03, 1.0, 0.0, 107.0, 0, 10, 4.0, 5.0, 2.0)
    print_report("worn.npz", report)
    assert "WARNING: 10 edges of the sheet go through another layer" in capsys.readouterr().out
    print_report("worn.npz", replace(report, crossings=0))
    assert "WARNING" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "exit_code", "part"),
    [
        ([], 2, "name a face and an output, as in `maskdesign mask --face face.npz"),
        (["--face", "FACE"], 2, "name a face and an output"),
        (["--face", "FACE", "--out", "worn.obj"], 2, "--out worn.obj: must end in .npz or .glb"),
        (["--face", "absent.npz", "--out", "OUT"], 3, "absent.npz: no such file"),
        (["--face", "FACE", "--out", "OUT", "--pattern", "pleated"], 2, "--pattern pleated: neither a template"),
        (["--face", "FACE", "--out", "OUT", "--pattern", "absent.toml"], 3, "absent.toml: no such file"),
        (["--face", "FACE", "--out", "OUT", "--pattern", "papers"], 2, "--pattern papers: neither a template"),
        (["--face", "FACE", "--out", "OUT", "--opening-mm", "80"], 2, "must lie between 95 (shut) and 130 mm"),
    ],
)
def test_commands_that_make_no_sense_are_refused_in_one_line(face, tmp_path, capsys, words, exit_code, part):
    out = tmp_path / "worn.npz"
    given = [{"FACE": str(face), "OUT": str(out)}.get(word, word) for word in words]
    assert part in refused(capsys, exit_code, *given)
    assert not out.exists()


@pytest.mark.parametrize(
    ("toml", "exit_code", "part"),
    [
        ("pleat_rows_mm = [35.0, 40.0]", 3, "the pleat at 40.0 mm overlaps the one above"),
        ("pleat_rows_mm = [150.0]", 3, "the pleat at 150.0 mm leaves the sheet of 155.0 mm"),
        ("pleat_depth_mm = -10.0", 3, "mask.pleat_depth_mm = -10.0 must be positive"),
        ("pleat_dept_mm = 10.0", 2, "unknown configuration key mask.pleat_dept_mm; did you mean pleat_depth_mm?"),
        ("height_mm = 156.0", 3, "mask.height_mm = 156.0 mm is no multiple of cell_mm = 2.5"),
    ],
)
def test_patterns_that_cannot_be_folded_are_refused_in_one_line(face, tmp_path, capsys, toml, exit_code, part):
    own, out = tmp_path / "own.toml", tmp_path / "worn.npz"
    own.write_text(f"[mask]\n{toml}\n")
    words = ["--face", str(face), "--out", str(out), "--pattern", str(own)]
    assert part in refused(capsys, exit_code, *words)
    assert not out.exists()


@pytest.mark.parametrize("toml", ["", "mask = 3", "[mask]\n[drape]\nopening_mm = 100.0"])
def test_a_pattern_holds_one_table(face, tmp_path, capsys, toml):
    own = tmp_path / "own.toml"
    own.write_text(toml)
    words = ["--face", str(face), "--out", str(tmp_path / "worn.npz"), "--pattern", str(own)]
    assert "holds one table [mask] and nothing else" in refused(capsys, 2, *words)


def test_a_face_smaller_than_the_mask_is_refused(tmp_path, capsys):
    save_face(analytic_face(0.5), tmp_path / "small.npz")
    words = ["--face", str(tmp_path / "small.npz"), "--out", str(tmp_path / "worn.npz"), "--pattern", "flat"]
    assert "ears are 72 mm apart, too near for a mask 175 mm wide" in refused(capsys, 3, *words)
    assert not (tmp_path / "worn.npz").exists()


@pytest.mark.parametrize(
    ("name", "change", "part"),
    [
        ("landmarks_mm", lambda points: points[:, :2], "must be three finite numbers; find the landmarks again"),
        ("landmarks_mm", lambda points: points * np.nan, "must be three finite numbers; find the landmarks again"),
        ("landmark_names", lambda names: np.array([f"no_{name}" for name in names]), "lacks the landmarks eye_outer"),
    ],
)
def test_a_face_without_its_landmarks_is_refused(face, tmp_path, capsys, name, change, part):
    arrays = read_npz(face)
    np.savez(tmp_path / "face.npz", **{**arrays, name: change(arrays[name])})
    words = ["--face", str(tmp_path / "face.npz"), "--out", str(tmp_path / "worn.npz"), "--show"]
    assert part in refused(capsys, 3, *words)
    assert [path.name for path in tmp_path.iterdir()] == ["face.npz"]


def test_a_drape_that_does_not_settle_says_which_figure_failed_and_writes_nothing(face, tmp_path, capsys):
    own = tmp_path / "own.toml"
    own.write_text("[mask]\nweld_mm = 80.0\n")
    words = ["--face", str(face), "--pattern", str(own), "--out", str(tmp_path / "worn.npz")]
    message = refused(capsys, 3, *words)
    assert "the mask did not settle" in message
    assert "exceeds" in message
    assert not (tmp_path / "worn.npz").exists()
