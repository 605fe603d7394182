"""The main job on a real photograph, small: finished, killed and resumed, evaluated again, refused where it must be."""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import trimesh

from maskdesign.files import read_image

SMALL = (
    "design.steps=12",
    "design.views_per_step=2",
    "design.validation_views=2",
    "design.validate_every=4",
    "design.checkpoint_seconds=0",
    "openings_mm=[110]",
    "evaluation.opening_mm=105",
    "evaluation.yaw_deg=[-30,30]",
    "evaluation.pitch_deg=[0]",
    "evaluation.bootstrap_rounds=200",
    "robustness.yaw_deg=[0]",
    "robustness.pitch_deg=[0,45]",
    "robustness.opening_mm=[105,110,125]",
)


def command(*words: str) -> list[str]:
    settings = [word for setting in SMALL for word in ("--set", setting)]
    return [sys.executable, "-m", "maskdesign.cli.main", "demo", *settings, *words]


def run_demo(folder: Path) -> subprocess.CompletedProcess:
    environment = os.environ | {"MASKDESIGN_MODELS": ""}
    return subprocess.run(command("--out", str(folder), "--json"), env=environment, capture_output=True, text=True)


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> tuple[Path, dict]:
    folder = tmp_path_factory.mktemp("finished") / "demo"
    done = run_demo(folder)
    assert done.returncode == 0, done.stderr
    return folder, json.loads(done.stdout)


def test_summary_names_files_that_exist(finished):
    folder, summary = finished
    files = {"texture", "sheet", "report", "evaluation"}
    assert set(summary) == {"run", "seconds", "steps", "best_loss", "in_interval", "restarts"} | files
    assert summary["steps"] == 12
    for name in ("texture", "sheet", "report", "evaluation"):
        assert Path(summary[name]).is_file()
    assert Path(summary["run"]) == folder


def test_the_best_validated_texture_is_the_one_written(finished):
    folder, summary = finished
    journal = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in journal] == list(range(1, 13))
    validated = [line["validation_loss"] for line in journal if "validation_loss" in line]
    assert len(validated) == 3
    assert summary["best_loss"] == min(validated)


def test_evaluation_has_every_row_and_honest_intervals(finished):
    folder, _ = finished
    evaluation = json.loads((folder / "evaluation.json").read_text())
    assert [row["texture"] for row in evaluation["rows"]] == [
        "no mask", "plain white", "plain blue", "random", "designed", "designed upside down",
    ]  # fmt: skip
    for row in evaluation["rows"]:
        scores = np.array(evaluation["scores"][row["recognizer"]][row["texture"]])
        assert row["views"] == len(scores) == 6
        assert row["mean_score"] == pytest.approx(scores.mean())
        assert row["fnmr_1e3_ci"][0] <= row["fnmr_1e3"] <= row["fnmr_1e3_ci"][1]


def test_the_bare_head_is_recognized_and_looks_like_its_photo(finished):
    folder, _ = finished
    rows = json.loads((folder / "evaluation.json").read_text())["rows"]
    assert next(row for row in rows if row["texture"] == "no mask")["mean_margin"] > 0


def test_worn_glb_opens_with_two_textured_meshes_in_meters(finished):
    scene = trimesh.load(finished[0] / "worn.glb")
    assert set(scene.geometry) == {"head", "mask"}
    assert 0.1 < np.ptp(scene.geometry["mask"].vertices[:, 0]) < 0.18
    texture = np.asarray(scene.geometry["mask"].visual.material.baseColorTexture.convert("RGB"))
    np.testing.assert_array_equal(texture, read_image(finished[0] / "texture.png"))


def test_report_is_one_file_that_loads_nothing(finished):
    page = (finished[0] / "report.html").read_text()
    assert not re.search(r"(src|href)=\"(?!data:|#)", page)
    assert "<svg" in page
    assert page.count("data:image/png") >= 4
    assert "designed upside down" in page


def test_sheets_lie_beside_it_in_both_papers(finished):
    assert (finished[0] / "sheet.pdf").read_bytes().startswith(b"%PDF-")
    assert (finished[0] / "sheet-letter.pdf").is_file()


def test_the_same_command_again_changes_nothing(finished):
    folder, summary = finished
    before = (folder / "texture.png").read_bytes()
    again = run_demo(folder)
    assert again.returncode == 0, again.stderr
    assert json.loads(again.stdout)["best_loss"] == summary["best_loss"]
    assert (folder / "texture.png").read_bytes() == before


def test_evaluate_prints_the_rows_of_the_table(finished):
    words = [sys.executable, "-m", "maskdesign.cli.main", "evaluate", str(finished[0]), "--json"]
    done = subprocess.run(words, env=os.environ | {"MASKDESIGN_MODELS": ""}, capture_output=True, text=True)
    rows = json.loads(done.stdout)
    assert rows == json.loads((finished[0] / "evaluation.json").read_text())["rows"]
    assert {
        "recognizer",
        "texture",
        "views",
        "mean_score",
        "mean_margin",
        "fnmr_1e2",
        "fnmr_1e3",
        "fnmr_1e3_ci",
    } <= set(rows[0])


def test_the_robustness_grid_is_traced_to_its_rows(finished, tmp_path):
    folder = shutil.copytree(finished[0], tmp_path / "demo")
    words = [sys.executable, "-m", "maskdesign.cli.main", "evaluate", str(folder), "--robustness", "--json"]
    done = subprocess.run(words, env=os.environ | {"MASKDESIGN_MODELS": ""}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found = json.loads((folder / "robustness.json").read_text())["recognizers"]["dlib"]
    rows = list(csv.DictReader((folder / "robustness.csv").open()))
    assert len(rows) == 18 * len(found)
    for texture, figures in found.items():
        own = [row for row in rows if row["texture"] == texture]
        assert figures["mean_score"] == pytest.approx(np.mean([float(row["score"]) for row in own]), abs=1e-6)
        far = [row["matched_at_fmr_1e3"] == "0" for row in own if row["distance"] == "1600"]
        assert figures["fnmr_1e3_by_level"]["distance"][2] == pytest.approx(np.mean(far))
        assert list(figures["poses"]) == ["front", "45 degrees up"]
    assert found["no mask"]["mean_confidence"] > found["designed"]["mean_confidence"]
    assert "robustness.csv" in (folder / "report.html").read_text()


def test_another_configuration_in_the_same_folder_is_refused(finished):
    words = command("--out", str(finished[0]), "--set", "seed=9")
    done = subprocess.run(words, env=os.environ | {"MASKDESIGN_MODELS": ""}, capture_output=True, text=True)
    assert done.returncode == 3
    assert "another configuration; name another folder with --out" in done.stderr


def test_killed_at_any_step_the_same_command_ends_with_the_same_bits(finished, tmp_path):
    """Kills with -9 after the face, and then after different numbers of steps, until the design is done."""
    folder = tmp_path / "demo"
    folder.mkdir()
    for name in ("config.toml", "job.json", "environment.json", "face.npz", "photo.png", "photo.json"):
        shutil.copy(finished[0] / name, folder / name)
    for steps in (1, 3, 6, 10):
        kill_after(folder, steps)
    done = run_demo(folder)
    assert done.returncode == 0, done.stderr
    assert (folder / "texture.png").read_bytes() == (finished[0] / "texture.png").read_bytes()
    assert (folder / "metrics.jsonl").read_text() == (finished[0] / "metrics.jsonl").read_text()
    assert not list(folder.glob(".*.part"))


def kill_after(folder: Path, steps: int) -> None:
    """Start the demo and kill it once its journal holds so many steps."""
    environment = os.environ | {"MASKDESIGN_MODELS": ""}
    process = subprocess.Popen(command("--out", str(folder)), env=environment, stderr=subprocess.DEVNULL)
    journal = folder / "metrics.jsonl"
    while process.poll() is None:
        if journal.exists() and journal.read_text().count("\n") >= steps:
            process.send_signal(signal.SIGKILL)
            process.wait()
        time.sleep(0.005)
    assert process.returncode == -signal.SIGKILL
