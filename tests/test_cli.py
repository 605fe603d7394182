"""The command line as a user meets it: help without heavy imports, one-line errors, exit codes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from skimage.data import astronaut

from maskdesign.cli.main import VERBS
from maskdesign.files import write_image

HEAVY = ("torch", "mediapipe", "open3d", "cv2", "numba", "scipy", "matplotlib")


def maskdesign(*words: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "maskdesign.cli.main", *words]
    return subprocess.run(command, cwd=cwd, env=os.environ | environment, capture_output=True, text=True, timeout=120)


def assert_one_line(done: subprocess.CompletedProcess, exit_code: int, *parts: str) -> None:
    errors = [line for line in done.stderr.splitlines() if not line.endswith(" ...")]
    assert done.returncode == exit_code, done.stderr
    assert len(errors) == 1, done.stderr
    assert "Traceback" not in done.stderr
    for part in parts:
        assert part in errors[0]


def test_help_names_every_verb_and_imports_nothing_heavy():
    code = (
        "import sys; from maskdesign.cli.main import main; main(['--help']); "
        f"print('LOADED', [name for name in {HEAVY} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "LOADED []" in done.stdout
    assert all(f"  {verb} " in done.stdout for verb in VERBS)


# One wearer, many people, the photo mode's networks and a calibration each brought `design` a flag of its own.
# `face` takes a model of heads (--ict) beside everything else.
MOST_FLAGS = {"design": 10, "face": 9}


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help_with_few_flags_and_starts_light(verb, tmp_path):
    code = (
        f"import sys; from maskdesign.cli.main import main\n"
        f"try: main([{verb!r}, '--help'])\nexcept SystemExit as stop: print('EXIT', stop.code)\n"
        f"print('LOADED', [name for name in {HEAVY} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "EXIT 0" in done.stdout
    assert "LOADED []" in done.stdout
    assert done.stdout.count("│ --") <= MOST_FLAGS.get(verb, 8)


def test_no_verb_is_a_usage_error(tmp_path):
    assert maskdesign(cwd=tmp_path).returncode == 2


def test_unknown_verb_names_the_nearest(tmp_path):
    assert_one_line(maskdesign("desing", cwd=tmp_path), 2, "unknown verb desing; did you mean design?")


def test_unknown_flag_is_a_usage_error(tmp_path):
    done = maskdesign("demo", "--stepps", "4", cwd=tmp_path)
    assert done.returncode == 2
    assert "Unrecognized" in done.stderr


def test_unknown_configuration_key_names_the_nearest(tmp_path):
    done = maskdesign("demo", "--set", "design.stesp=4", cwd=tmp_path)
    assert_one_line(done, 2, "unknown configuration key design.stesp; did you mean steps?")


def test_version(tmp_path):
    assert maskdesign("--version", cwd=tmp_path).stdout.startswith("maskdesign 0.")


@pytest.fixture(scope="module")
def photos(tmp_path_factory) -> Path:
    """A folder of good and bad photos."""
    folder = tmp_path_factory.mktemp("photos")
    face = astronaut()
    write_image(folder / "two.png", np.concatenate([face, face[:, ::-1]], axis=1))
    write_image(folder / "none.png", np.full((300, 300, 3), 127, np.uint8))
    write_image(folder / "small.png", np.ascontiguousarray(face[:400:4, 60:400:4]))
    (folder / "text.jpg").write_text("not a picture")
    write_image(folder / "whole.png", face)
    (folder / "cut.png").write_bytes((folder / "whole.png").read_bytes()[:90_000])
    return folder


@pytest.mark.parametrize(
    ("photo", "parts"),
    [
        ("absent.jpg", ("absent.jpg: no such file",)),
        ("text.jpg", ("text.jpg: not an image",)),
        ("cut.png", ("cut.png: the image is damaged",)),
        ("none.png", ("none.png", "no face")),
        ("two.png", ("two.png", "--face")),
        ("small.png", ("small.png", "64")),
    ],
)
def test_bad_photos_are_refused_in_one_line_and_leave_no_face(photos, tmp_path, photo, parts):
    done = maskdesign("design", "--photo", str(photos / photo), "--out", str(tmp_path / "run"), cwd=tmp_path)
    assert_one_line(done, 3, *parts)
    assert list(tmp_path.iterdir()) == []


def test_output_that_is_a_file_is_refused(photos, tmp_path):
    (tmp_path / "run").write_text("")
    done = maskdesign("design", "--photo", str(photos / "whole.png"), "--out", str(tmp_path / "run"), cwd=tmp_path)
    assert_one_line(done, 3, "is a file; name a folder with --out")


def test_foreign_folder_is_refused(photos, tmp_path):
    (tmp_path / "keep.txt").write_text("mine")
    done = maskdesign("design", "--photo", str(photos / "whole.png"), "--out", str(tmp_path), cwd=tmp_path)
    assert_one_line(done, 3, "holds files but no run")


@pytest.mark.parametrize("words", [("evaluate", "absent"), ("sheet", "absent")])
def test_absent_runs_are_refused(tmp_path, words):
    assert_one_line(maskdesign(*words, cwd=tmp_path), 3, "absent: holds no run")


def test_sheet_wants_a_run_or_a_file_to_check(tmp_path):
    assert_one_line(maskdesign("sheet", cwd=tmp_path), 2, "name either a run folder or a file with --check")


def test_models_list_as_json_is_one_document(tmp_path):
    done = maskdesign("models", "list", "--json", cwd=tmp_path, MASKDESIGN_MODELS="")
    rows = json.loads(done.stdout)
    assert rows[0]["name"] == "dlib"


def test_doctor_finds_this_installation_complete(tmp_path):
    done = maskdesign("doctor", "--json", cwd=tmp_path)
    findings = json.loads(done.stdout)
    assert done.returncode == 0, done.stdout
    assert all(finding["ok"] for finding in findings if finding["required"])
