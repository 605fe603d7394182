"""`design --photos` and `evaluate --photos` as a user runs them: in one go, in parts, and after an interruption."""

from __future__ import annotations

import json
import shutil

import cv2
import numpy as np
import pytest
from skimage.data import astronaut

from maskdesign.cli.main import main
from maskdesign.jobs.evaluate_photos import evaluate_on_photos
from maskdesign.jobs.photo_embeddings import Shard
from maskdesign.progress import Silent

PAIRS = """2\t3
Ann\t1\t2
Bea\t1\t2
Cleo\t1\t2
Ann\t1\tBea\t2
Bea\t1\tCleo\t2
Cleo\t1\tAnn\t2
Dora\t1\t2
Eve\t1\t2
Fay\t1\t2
Dora\t1\tEve\t2
Eve\t1\tFay\t2
Fay\t1\tDora\t2
"""
SETTINGS = ("design.steps=2", "design.validation_views=2", "photos.test_folds=[2]", "photos.validation_people=1")


@pytest.fixture(autouse=True, scope="module")
def one_core():
    """A machine that starts no second process: two of them take longer to begin than these photos need."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("maskdesign.jobs.pool.available_cores", lambda: 1)
        yield patch


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Six people: one face in six sizes and tints. Eve's second photo shows nobody, Fay's second one is missing."""
    folder = tmp_path_factory.mktemp("people")
    face = astronaut()[:250, 90:340]
    for number, name in enumerate(("Ann", "Bea", "Cleo", "Dora", "Eve", "Fay")):
        (folder / name).mkdir()
        for shot in (1, 2):
            pixels = cv2.resize(face, None, fx=0.8 + 0.08 * number, fy=0.9)[:, :: (-1) ** number]
            tint = np.array([1, 0.85 + 0.03 * number, 0.8]) * (0.8 + 0.1 * shot)
            pixels = np.clip(pixels * tint, 0, 255).astype(np.uint8)
            pixels = np.zeros_like(pixels) if (name, shot) == ("Eve", 2) else pixels
            if (name, shot) != ("Fay", 2):
                cv2.imwrite(str(folder / name / f"{name}_000{shot}.jpg"), pixels[..., ::-1])
    (folder / "pairs.txt").write_text(PAIRS)
    return folder


@pytest.fixture(scope="module")
def run(folder, tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "all"
    words = ["design", "--photos", str(folder), "--people", "2", "--out", str(out)]
    assert main([*words, *(word for setting in SETTINGS for word in ("--set", setting))]) == 0
    return out


@pytest.fixture(scope="module")
def whole(run, folder, one_core):
    """What one undisturbed evaluation in two processes says."""
    one_core.setattr("maskdesign.jobs.pool.available_cores", lambda: 2)
    run = shutil.copytree(run.parent, run.parent.with_name("whole")) / "all"
    assert main(["evaluate", str(run), "--photos", str(folder)]) == 0
    one_core.setattr("maskdesign.jobs.pool.available_cores", lambda: 1)
    return json.loads((run / "photo-evaluation.json").read_text())


def test_nobody_is_both_designed_for_and_tested(run):
    people = json.loads((run / "people.json").read_text())
    assert {*people["design"], *people["validation"]} == {"Ann", "Bea", "Cleo"}


def test_photos_without_a_face_and_missing_ones_count_neither_way(whole):
    ((without_face,), (missing,)) = whole["photos_without_face"], whole["missing_photos"]
    assert "Eve_0002" in without_face and "Fay_0002" in missing
    assert (whole["pairs"], whole["people"]) == (2, 1), "Dora's pair, both ways"


def assert_same(found, wanted):
    """Alike but for what a linear algebra library rounds differently on another number of threads."""
    assert found["mask_fit"] == pytest.approx(wanted["mask_fit"], rel=1e-9)
    assert {**found, "mask_fit": None} == {**wanted, "mask_fit": None}


def test_parts_give_what_the_whole_gives(run, folder, whole):
    run = shutil.copytree(run.parent, run.parent.with_name("parts")) / "all"
    for part in ("1/2", "2/2"):
        assert main(["evaluate", str(run), "--photos", str(folder), "--shard", part]) == 0
    assert main(["evaluate", str(run), "--photos", str(folder)]) == 0
    assert_same(json.loads((run / "photo-evaluation.json").read_text()), whole)


class Interrupting:
    """Progress that is interrupted when a stage begins to move."""

    def __init__(self, title: str) -> None:
        self._wanted, self._title = title, ""

    def stage(self, title: str) -> None:
        self._title = title

    def advance(self, done: int, total: int, note: str = "") -> None:
        if self._title == self._wanted:
            raise KeyboardInterrupt


def test_an_interrupted_evaluation_goes_on(run, folder, whole):
    run = shutil.copytree(run.parent, run.parent.with_name("cut")) / "all"
    words = (run, folder, folder / "pairs.txt", None, Shard())
    for stage in ("Masked photos", "Embeddings"):
        with pytest.raises(KeyboardInterrupt):
            evaluate_on_photos(*words, Interrupting(stage))
    assert not (run / "photo-evaluation.json").exists()
    assert evaluate_on_photos(*words, Silent()) is not None
    assert_same(json.loads((run / "photo-evaluation.json").read_text()), whole)


def test_too_few_people_are_refused(folder, tmp_path, capsys):
    words = ["design", "--photos", str(folder), "--people", "40", "--out", str(tmp_path / "run")]
    assert main([*words, "--set", "photos.test_folds=[2]"]) == 3
    assert "people outside of the test folds" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()
