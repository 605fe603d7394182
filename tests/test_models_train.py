"""`maskdesign models train` as a user meets it, on a few real photos; only the rendering of masks is left out."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_onnx import tiny_recognizer, write_recognizer

from maskdesign.cli.main import main
from maskdesign.errors import InputError
from maskdesign.jobs import net_covered, net_data, train_net
from maskdesign.jobs.net_data import NetConfig
from maskdesign.jobs.net_faces import Faces
from maskdesign.recognition.own_file import SUFFIX, load_own_recognizer
from maskdesign.recognition.registry import shipped_recognizers
from maskdesign.recognition.spec import load_spec, save_spec
from maskdesign.render.masked_photo import WINDOW_PX

SMALL = (
    "photos_per_person=2", "validation_people=2", "masked_photos=4", "mixtures=6", "covered=8",
    "training.steps=3", "batch.crops=8",
)  # fmt: skip


@pytest.fixture
def people(shared, tmp_path) -> tuple[Path, Path]:
    """A folder of 20 people with two photos each, one of which shows no face, and the list of their names."""
    source, photos = shared / "photos" / "lfw", tmp_path / "photos"
    names = [path.name for path in sorted(source.iterdir()) if len(list(path.glob("*.jpg"))) == 2][:20]
    for name in names:
        (photos / name).mkdir(parents=True)
        for photo in (source / name).glob("*.jpg"):
            (photos / name / photo.name).write_bytes(photo.read_bytes())
    (photos / names[0] / f"{names[0]}_0001.jpg").write_bytes(b"no picture")
    (tmp_path / "people.txt").write_text("\n".join(names))
    return photos, tmp_path / "people.txt"


class PaintedStore:
    """Stands for the store of masked photos."""

    def load(self, key: str) -> str:
        return key


@pytest.fixture
def painted_masks(monkeypatch) -> None:
    """The lower half of some faces painted over, in the place of rendered masks."""

    def paint(masked, prints) -> np.ndarray:
        layers = np.zeros((len(prints), WINDOW_PX, WINDOW_PX, 4), np.uint8)
        layers[:, 100:, :, :3] = 255 * prints.mean(dim=(2, 3))[:, None, None].numpy()
        layers[:, 100:, :, 3] = 255
        return layers

    def prints(plan, cache, progress):
        path = cache / f"prints-{plan.digest}.npy"
        count = 4 if plan.begun is None else 4 + 4 * plan.designs
        np.save(path, np.random.default_rng(0).integers(0, 256, (count, 8, 8, 3)).astype(np.uint8))
        return path

    monkeypatch.setattr(
        net_data, "mask_faces", lambda faces, rows, *rest: (PaintedStore(), [str(row) for row in rows], rows)
    )
    monkeypatch.setattr(net_data, "training_prints", prints)
    monkeypatch.setattr(net_data, "KEPT_PICTURES", 8)
    monkeypatch.setattr(net_covered, "GROUPS_IN_FILE", 2)
    monkeypatch.setattr(net_covered, "in_processes", lambda work, jobs: (work(*job) for job in jobs))
    monkeypatch.setattr(net_covered, "layers_of", paint)


def words(photos: Path, names: Path, out: Path, *more: str) -> list[str]:
    settings = [word for value in SMALL for word in ("--set", value)]
    return ["models", "train", "--photos", str(photos), "--people", str(names), "--out", str(out), *settings, *more]


def test_train_writes_a_recognizer_and_goes_on_where_it_stopped(people, painted_masks, tmp_path, capsys):
    out = tmp_path / "nets" / "own.safetensors"
    assert main(words(*people, out, "--json")) == 0
    made = json.loads(capsys.readouterr().out)
    assert made["skipped"] == 1 and made["people"] == 18 and made["faces"] in (35, 36)
    recognizer = load_own_recognizer(out)
    assert recognizer.spec.sha256 == made["sha256"] and "dlib (CC0-1.0)" in recognizer.spec.training_set
    before = out.read_bytes()
    # The same command finds everything prepared and the training done.
    assert main(words(*people, out, "--json")) == 0
    assert out.read_bytes() == before
    assert main(words(*people, out, "--set", "seed=2")) == 3
    assert "belongs to another job" in capsys.readouterr().err
    assert out.read_bytes() == before


def test_train_begins_with_a_net_and_goes_on_where_it_was_killed(people, painted_masks, tmp_path, monkeypatch):
    (shipped,) = [toml.with_suffix(SUFFIX) for toml in shipped_recognizers() if "attention" in toml.stem]
    more = ["--arch", "attention", "--begin", str(shipped), "--set", "designs=1"]
    whole, cut = tmp_path / "whole" / "own.safetensors", tmp_path / "cut" / "own.safetensors"
    assert main(words(*people, whole, *more)) == 0
    # It still points where the shipped one does: three short steps, and lessons in its own coordinates.
    crops = torch.rand(4, 3, 112, 112, generator=torch.Generator().manual_seed(0))
    told = [load_own_recognizer(path).embed(crops) for path in (shipped, whole)]
    changes = [rows - rows.mean(dim=0) for rows in told]
    assert torch.nn.functional.cosine_similarity(*changes, dim=1).min() > 0.7

    lesson = train_net.draw_lesson

    def killed(data, settings, step, part):
        if step == 2:
            raise KeyboardInterrupt
        return lesson(data, settings, step, part)

    with monkeypatch.context() as patch:
        patch.setattr("maskdesign.optimize.training.CHECKPOINT_SECONDS", 0.0)
        patch.setattr(train_net, "draw_lesson", killed)
        assert main(words(*people, cut, *more)) == 130
    assert not cut.exists()
    assert main(words(*people, cut, *more)) == 0
    assert cut.read_bytes() == whole.read_bytes()
    # A training that begins otherwise is another job.
    assert main(words(*people, cut, "--arch", "attention")) == 3


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--begin", "absent.safetensors"], "no such file"),
        (["--begin", "{folder}/own.safetensors"], "name another file with --out"),
        (["--arch", "huge"], "known are residual"),
        (["--teachers", "dlib,senet"], "neither dlib nor an .onnx file"),
        (["--teachers", "dlib,absent.onnx"], "no such file"),
        (["--teachers", ","], "name at least one"),
    ],
)
def test_bad_words_are_named(tmp_path, capsys, more, message):
    more = [word.format(folder=tmp_path) for word in more]
    assert main(words(tmp_path, tmp_path / "people.txt", tmp_path / "own.safetensors", *more)) == 3
    said = capsys.readouterr().err
    assert message in said and "Traceback" not in said


def test_a_teacher_whose_template_does_not_fit_is_named(tmp_path, capsys):
    tiny = write_recognizer(tmp_path, "tiny", tiny_recognizer())
    save_spec(tiny.with_suffix(".toml"), replace(load_spec(tiny.with_suffix(".toml")), width_px=40))
    assert main(words(tmp_path, tmp_path / "people.txt", tmp_path / "own.safetensors", "--teachers", str(tiny))) == 3
    assert "correct width and height" in capsys.readouterr().err


@pytest.mark.parametrize(("name", "message"), [("own.onnx", "FILE.safetensors"), ("own", "FILE.safetensors")])
def test_the_weights_need_their_ending(tmp_path, capsys, name, message):
    assert main(words(tmp_path, tmp_path / "people.txt", tmp_path / name)) == 3
    assert message in capsys.readouterr().err


def test_too_few_people_are_counted():
    people = np.arange(20) // 2
    faces = Faces(np.zeros((20, 1, 1, 3), np.uint8), np.zeros((20, 12, 2), np.float32), people, (), 3, Path())
    with pytest.raises(InputError, match=r"14 faces of 7 people are left to learn from \(3 photos without a face"):
        net_data.learned_rows(faces, Path("photos"), NetConfig(validation_people=3))


def test_flags_before_the_action_are_a_usage_error(capsys):
    assert main(["models", "--json", "train"]) == 2
    assert "write train first" in capsys.readouterr().err
