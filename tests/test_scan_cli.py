"""`maskdesign face` as a user meets it: scans, photos, folders, populations; one line where it must refuse."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import trimesh
from PIL import Image
from scan_heads import synthetic_scan
from scan_samples import as_trimesh, write_ict, write_obj
from skimage.data import astronaut

from maskdesign.cli.main import main
from maskdesign.faces.formats.abs import write_abs
from maskdesign.faces.head import builtin_face
from maskdesign.faces.scan import load_face
from maskdesign.files import read_image, write_image


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("faces")
    write_abs(folder / "scan.abs.gz", synthetic_scan(builtin_face()).raw)
    write_image(folder / "astronaut.png", astronaut())
    return folder


def run(capsys, *words: object) -> tuple[int, str, str]:
    code = main(["face", *map(str, words)])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_a_scan(folder, tmp_path, capsys):
    code, out, _ = run(capsys, folder / "scan.abs.gz", "--out", tmp_path / "face.npz", "--show", "--json")
    facts = json.loads(out)
    assert code == 0
    assert facts["unit"] == "mm" and facts["landmark_source"] == "detector"
    assert 80 < facts["eye_corners_mm"] < 105
    assert facts["cleaning"]["holes_filled"] >= 3
    assert load_face(tmp_path / "face.npz").source == "scan.abs.gz"
    sheet = read_image(Path(facts["sheet"]))
    assert sheet.shape[1] > 1200 and sheet.std() > 20


def test_a_glb_comes_out_and_goes_in_again(folder, tmp_path, capsys):
    assert run(capsys, folder / "astronaut.png", "--out", tmp_path / "face.npz")[0] == 0
    assert run(capsys, tmp_path / "face.npz", "--out", tmp_path / "face.glb")[0] == 0
    loaded = trimesh.load(tmp_path / "face.glb").to_geometry()
    face = load_face(tmp_path / "face.npz")
    assert np.ptp(loaded.vertices, axis=0) * 1000 == pytest.approx(np.ptp(face.mesh.vertices, axis=0), rel=1e-4)
    code, out, _ = run(capsys, tmp_path / "face.glb", "--out", tmp_path / "again.npz", "--json")
    facts = json.loads(out)
    assert code == 0 and facts["unit"] == "m"
    again = load_face(tmp_path / "again.npz")
    for name in ("chin", "eye_outer_left", "mouth_right", "ear_left"):
        assert np.linalg.norm(again.landmarks[name] - face.landmarks[name]) < 12, name
    np.testing.assert_array_equal(again.texture, face.texture)


def test_a_population_is_resumed(tmp_path, capsys):
    assert run(capsys, "--population", 2, "--seed", 4, "--out", tmp_path)[0] == 0
    first = sorted(tmp_path.glob("*.npz"))
    stamps = [path.stat().st_mtime_ns for path in first]
    code, out, _ = run(capsys, "--population", 3, "--seed", 4, "--out", tmp_path, "--json")
    assert code == 0 and json.loads(out)["heads"] == 3
    assert [path.stat().st_mtime_ns for path in first] == stamps
    assert len(list(tmp_path.glob("*.npz"))) == 3


def test_a_folder_of_photos_gets_a_table_and_is_resumed(folder, tmp_path, capsys):
    photos, out = tmp_path / "photos", tmp_path / "heads"
    (photos / "Eileen_Collins").mkdir(parents=True)
    (photos / "Nobody").mkdir()
    write_image(photos / "Eileen_Collins/Eileen_Collins_0001.png", astronaut())
    write_image(photos / "Nobody/Nobody_0001.png", np.full((200, 200, 3), 90, np.uint8))
    (photos / "Nobody/Nobody_0002.jpg").write_bytes(b"no picture")
    code, text, _ = run(capsys, photos, "--out", out, "--json")
    summary = json.loads(text)
    assert code == 0 and summary["photos"] == 3 and summary["made"] == 1
    assert sum(summary["refused"].values()) == 2
    table = {row["photo"]: row for row in json.loads((out / "outcomes.json").read_text())}
    assert table["Nobody/Nobody_0001.png"]["reason"].startswith("no face found")
    assert table["Eileen_Collins/Eileen_Collins_0001.png"]["face_px"] > 80
    made = out / "Eileen_Collins/Eileen_Collins_0001.npz"
    stamp = made.stat().st_mtime_ns
    assert load_face(made).texture.shape == (1024, 1024, 3)
    code, text, _ = run(capsys, photos, "--out", out, "--json")
    assert json.loads(text) == summary and made.stat().st_mtime_ns == stamp


def test_a_model(tmp_path, capsys):
    # The tiny model has too few vertices for the landmarks of the real one.
    write_ict(tmp_path / "ict.npz")
    code, _, err = run(capsys, "--ict", tmp_path / "ict.npz", "--out", tmp_path / "face.npz")
    assert code == 3 and "ict.npz: 120 vertices are not ICT-FaceKit's topology" in err
    code, _, err = run(capsys, tmp_path / "ict.npz", "--out", tmp_path / "face.npz")
    assert code == 2 and "name it as --ict" in err


def test_the_real_model(shared, tmp_path, capsys):
    model = shared / "scans/ict_facekit_identities.npz"
    for name in ("a.npz", "b.npz"):
        assert run(capsys, "--ict", model, "--seed", 7, "--out", tmp_path / name)[0] == 0
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    (tmp_path / "mean.json").write_text("[0]")
    words = (tmp_path / "mean.json", "--ict", model, "--out", tmp_path / "mean.npz", "--json")
    code, out, _ = run(capsys, *words)
    assert code == 0 and json.loads(out)["coefficients"] == 1
    assert run(capsys, "--ict", model, "--population", 2, "--out", tmp_path / "heads")[0] == 0
    assert len(list((tmp_path / "heads").glob("head_1_*.npz"))) == 2
    for text, message in BAD_COEFFICIENTS.items():
        (tmp_path / "mean.json").write_text(text)
        code, _, err = run(capsys, *words)
        assert code == 3 and message in err


BAD_COEFFICIENTS = {
    "": "mean.json: not a JSON list of numbers (",
    "{}": "mean.json: not a JSON list of numbers; write [0.5, -1.2, ...]",
    "[true]": "mean.json: not a JSON list of numbers; write",
    "[NaN]": "1 coefficients; give at most 100, from -10 to 10",
    "[1e400, 1]": "2 coefficients; give at most 100, from -10 to 10",
    str([0] * 101): "101 coefficients; give at most 100, from -10 to 10",
    "[" * 100_000: "mean.json: not a JSON list of numbers (",
}


def refusals(folder: Path, tmp_path: Path) -> list[tuple[list[object], int, str]]:
    (tmp_path / "noise.ply").write_bytes(os.urandom(500))
    (tmp_path / "empty").mkdir()
    write_image(tmp_path / "gray.png", np.full((200, 200, 3), 90, np.uint8))
    (tmp_path / "head.npz").touch()
    out = tmp_path / "x.npz"
    return [
        ([tmp_path / "none.obj", "--out", out], 3, "no such file"),
        ([tmp_path / "noise.ply", "--out", out], 3, "noise.ply: line 1: not a PLY file"),
        ([tmp_path / "gray.png", "--out", out], 3, "no face found"),
        ([tmp_path / "empty", "--out", tmp_path / "heads"], 3, "holds no photos"),
        ([folder / "scan.abs.gz", "--out", tmp_path / "x.obj"], 2, "name a file that ends in .npz or .glb"),
        ([folder / "scan.abs.gz", "--out", out, "--ipd-mm", 5], 3, "an interpupillary distance of 5 mm is no adult's"),
        ([folder / "astronaut.png", "--out", out, "--ipd-mm", 500], 3, "is no adult's"),
        (
            [folder / "astronaut.png", "--out", out, "--texture", folder / "astronaut.png"],
            2,
            "--texture belongs to scans",
        ),
        (["--out", out], 2, "name a scan, a photo or a folder of photos"),
        (["--population", 2, "--ipd-mm", 60, "--out", tmp_path / "heads"], 2, "--ipd-mm does nothing for a population"),
        ([tmp_path / "empty", "--show", "--out", tmp_path / "heads"], 2, "--show does nothing for a folder of photos"),
        (
            [tmp_path / "head.npz", "--texture", tmp_path / "gray.png", "--out", out],
            2,
            "--texture does nothing",
        ),
        (["--ict", tmp_path / "none.npz", "--out", out], 3, "none.npz: no such file"),
        ([folder / "astronaut.png", "--population", 2, "--out", tmp_path / "heads"], 2, "made without an input"),
        (["--population", 0, "--out", tmp_path / "heads"], 2, "from 1 to 10000 heads"),
        (["--population", 2, "--seed", -1, "--out", tmp_path / "heads"], 2, "--seed -1 must not be negative"),
    ]


def test_refusals_are_one_line_and_leave_nothing(folder, tmp_path, capsys):
    for words, expected, message in refusals(folder, tmp_path):
        before = sorted(tmp_path.rglob("*"))
        code, out, err = run(capsys, *words)
        lines = [line for line in err.splitlines() if not line.endswith(" ...")]
        assert (code, out, len(lines)) == (expected, "", 1), (words, err)
        assert message in lines[0]
        assert sorted(tmp_path.rglob("*")) == before


def test_an_untextured_mesh_in_centimeters(tmp_path, capsys):
    head = builtin_face().mesh
    mesh = type(head)(head.vertices / 10, head.triangles, head.uv)
    write_obj(tmp_path / "head.obj", mesh)
    code, out, _ = run(capsys, tmp_path / "head.obj", "--out", tmp_path / "face.npz", "--json")
    facts = json.loads(out)
    assert code == 0 and facts["unit"] == "cm"
    face = load_face(tmp_path / "face.npz")
    assert np.ptp(face.mesh.vertices[:, 0]) == pytest.approx(np.ptp(head.vertices[:, 0]), rel=0.03)
    assert (np.ptp(face.texture.reshape(-1, 3), axis=0) == 0).all(), "plain skin"
    Image.fromarray(builtin_face().texture).save(tmp_path / "skin.png")
    code, _, _ = run(capsys, tmp_path / "head.obj", "--texture", tmp_path / "skin.png", "--out", tmp_path / "face.npz")
    assert code == 0 and load_face(tmp_path / "face.npz").texture.shape == (1024, 1024, 3)


REFUSED = """
import sys, time
from pathlib import Path
from maskdesign.cli.main import main
code = main(["face", *sys.argv[1:]])
status = Path("/proc/self/status")
peak_kb = [line.split()[1] for line in status.read_text().splitlines() if "VmHWM" in line] if status.exists() else []
print(code, time.process_time(), int(*peak_kb) / 1024, *({"torch", "mediapipe", "open3d"} & set(sys.modules)))
"""


def bad_scans(folder: Path, tmp_path: Path) -> list[tuple[list[object], str]]:
    """Files of a usual size that are no scan of one face."""
    head = as_trimesh(builtin_face().mesh)
    other, planet = head.copy(), head.copy()
    other.apply_translation([300, 0, 0])
    planet.vertices = head.vertices * 1e6
    third = np.column_stack([head.faces[:, :2], np.full(len(head.faces), len(head.vertices))])
    fins = trimesh.Trimesh(np.vstack([head.vertices, [[0, 0, 300]]]), np.vstack([head.faces, third]), process=False)
    for name, mesh in (("two", trimesh.util.concatenate([head, other])), ("fins", fins), ("planet", planet)):
        mesh.export(tmp_path / f"{name}.ply")
    write_image(tmp_path / "small.png", np.zeros((240, 320, 3), np.uint8))
    (tmp_path / "index.obj").write_text("v 0 0 0\nv 200 0 0\nv 0 200 0\nf 1 2 2147483648\n")
    (tmp_path / "claim.stl").write_bytes(bytes(80) + b"\xff\xff\xff\x7f" + bytes(50))
    return [
        ([folder / "scan.abs.gz", "--texture", tmp_path / "small.png"], "the texture has 320 x 240 pixels"),
        ([tmp_path / "two.ply"], "shells, the largest with 47% of the surface; give a mesh with one head"),
        ([tmp_path / "fins.ply"], "triangles meet at edges with more than two; repair the mesh to a manifold"),
        ([tmp_path / "planet.ply"], "units long; this cannot be a face: scale it to millimeters"),
        ([tmp_path / "index.obj"], "line 4: 'f 1 2 2147483648' (vertex 2147483648 of 3 so far)"),
        ([tmp_path / "claim.stl"], "byte 80: 2147483647 triangles in 134 bytes"),
    ]


def test_a_bad_scan_is_refused_within_a_second_and_without_torch(folder, tmp_path):
    for words, message in bad_scans(folder, tmp_path):
        command = [sys.executable, "-c", REFUSED, *map(str, words), "--out", str(tmp_path / "x.npz")]
        seconds = []
        # A busy machine can double the seconds: the best of five tries is the command's own.
        while len(seconds) < 5 and min(seconds, default=9.0) > 1:
            done = subprocess.run(command, capture_output=True, text=True)
            code, used, megabytes, *heavy = done.stdout.split()
            seconds.append(float(used))
        lines = [line for line in done.stderr.splitlines() if not line.endswith(" ...")]
        assert (code, heavy, len(lines)) == ("3", [], 1), (message, done.stderr)
        assert message in lines[0]
        assert min(seconds) < 1 and float(megabytes) < 500, (message, seconds, megabytes)
        assert not (tmp_path / "x.npz").exists()
