from __future__ import annotations

from pathlib import Path

import pytest
from tiny_onnx import TOML

from maskdesign.errors import InputError, RecognizerError
from maskdesign.recognition.dlib_net import dlib_spec
from maskdesign.recognition.spec import FIVE_POINTS, load_spec

VALID = TOML.format(name="tiny", embedding_size=4, width=16, height=20)


def write(folder: Path, text: str) -> Path:
    path = folder / "tiny.toml"
    path.write_text(text)
    return path


def test_a_specification_is_read_as_it_stands(tmp_path) -> None:
    spec = load_spec(write(tmp_path, VALID))
    assert (spec.name, spec.file, spec.sha256, spec.licence) == ("tiny", "tiny.onnx", "", "MIT")
    assert (spec.width_px, spec.height_px, spec.embedding_size, spec.channels) == (16, 20, 4, "bgr")
    assert (spec.scale, spec.mean, spec.std) == (255.0, (1.0, 2.0, 3.0), (4.0, 5.0, 6.0))
    assert spec.points == FIVE_POINTS and spec.template_px[2] == (8.0, 8.0)
    assert spec.thresholds == {"1e-2": 0.25, "1e-3": 0.5}


def test_the_specification_of_dlib() -> None:
    spec = dlib_spec()
    assert spec.metric == "l2" and len(spec.points) == len(spec.template_px) == 5
    assert spec.impostor_mean < spec.thresholds["1e-2"] < spec.thresholds["1e-3"] < spec.genuine_mean < 0


def test_both_shared_specifications(shared) -> None:
    specs = {path.stem: load_spec(path) for path in (shared / "models").glob("*.toml")}
    assert specs["intel_reid_0095"].template_px[0] == (40.393, 59.081)
    assert specs["mobilefacenet_ms1m"].std == (0.229, 0.224, 0.225)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("metric", "metrik", "unknown key metrik; the nearest known one is metric"),
        ("scale", "scales", r"unknown key input\.scales; the nearest known one is input\.scale"),
        ('licence = "MIT"\n', "", "the key licence is missing"),
        ("height = 20, ", "", r"the key input\.height is missing"),
        ('"cosine"', '"euclid"', "metric = 'euclid' must be one of cosine, l2"),
        ('"bgr"', '"gray"', r"input\.channels = 'gray' must be one of rgb, bgr"),
        ("width = 16", "width = 0", r"input\.width = 0 must be an integer from 1 to 1024"),
        ("width = 16", "width = true", r"input\.width = True must be an integer"),
        ("embedding_size = 4", "embedding_size = 4.5", r"embedding_size = 4\.5 must be an integer"),
        ("scale = 255.0", "scale = nan", r"input\.scale = nan must be a finite number"),
        ("mean = [1, 2, 3]", "mean = [1, 2]", r"input\.mean = \[1, 2\] must be three numbers"),
        ("std = [4, 5, 6]", "std = [4, 0, 6]", r"input\.std = \[4, 0, 6\] must be three numbers above 0"),
        ('"tiny.onnx"', '"../tiny.onnx"', "must be the name of a file beside this one, without folders"),
        ('"MIT"', '" "', "licence = ' ' must be a text that is not empty"),
        ("input = {", "points = []\ninput = {", "template has 5 places for 0 points"),
        (
            "input = {",
            'points = ["ear"]\ninput = {',
            r"points = \['ear'\] must be a list of landmarks out of eye_outer",
        ),
        ("input = {", 'sha256 = "abc"\ninput = {', "sha256 = 'abc' must be 64 lower-case hexadecimal digits"),
        ("[5.0, 5.0], [11.0, 5.0]", "5.0, [11.0, 5.0]", r"must be a list of \[x, y\] pixels"),
        ('"1e-3" = 0.5', '"1e-4" = 0.5', "must be a table with the keys 1e-2 and 1e-3"),
        ('"1e-3" = 0.5', '"1e-3" = 0.1', r"the threshold for FMR 1e-3 \(0\.1\) must not lie below"),
        ("genuine_mean = 0.75", "genuine_mean = 0.2", "genuine_mean 0.2 must exceed impostor_mean 0.25"),
        ('name = "tiny"', "name = ", "not readable as TOML"),
        ("input = {", "input = 3 # {", "input = 3 must be a table"),
    ],
)
def test_mistakes_name_file_and_key(tmp_path, old: str, new: str, message: str) -> None:
    assert old in VALID
    with pytest.raises(RecognizerError, match=r"tiny\.toml: " + ".*" + message):
        load_spec(write(tmp_path, VALID.replace(old, new, 1)))


def test_a_template_needs_two_different_places(tmp_path) -> None:
    text = VALID.replace("[11.0, 5.0], [8.0, 8.0], [6.0, 11.0], [10.0, 11.0]", "[5.0, 5.0]")
    with pytest.raises(RecognizerError, match="at least two different places"):
        load_spec(write(tmp_path, text))


def test_missing_binary_and_huge_files_are_refused(tmp_path) -> None:
    with pytest.raises(InputError, match=r"none\.toml: no such file"):
        load_spec(tmp_path / "none.toml")
    path = tmp_path / "tiny.toml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(RecognizerError, match="not readable as TOML"):
        load_spec(path)
    path.write_bytes(b"#" * (1 << 20) + b"#")
    with pytest.raises(RecognizerError, match="larger than 1 MiB"):
        load_spec(path)
