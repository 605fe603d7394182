"""The project's own small recognizers: their size, their weights on disk, and what is refused."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import nn

from maskdesign.errors import InputError, RecognizerError
from maskdesign.recognition.listing import OTHERS, THIS_PROJECT, list_recognizers
from maskdesign.recognition.own_file import (
    SHIPPED,
    SUFFIX,
    build_network,
    load_own_recognizer,
    own_spec,
    save_network,
)
from maskdesign.recognition.registry import load_recognizers, shipped_recognizers
from maskdesign.recognition.small_nets import ARCHITECTURES, EMBEDDING_SIZE, fold_norms
from maskdesign.recognition.spec import save_spec

CALIBRATION = {"thresholds": {"1e-2": 0.3, "1e-3": 0.4}, "genuine_mean": 0.6, "impostor_mean": 0.0}


def multiplications(network: nn.Module) -> int:
    """Of one crop, in convolutions and linear layers; attention's own products by hand."""
    total = 0

    def count(module, inputs, output):
        nonlocal total
        if isinstance(module, nn.Conv2d):
            total += output[0].numel() * module.weight[0].numel()
        elif isinstance(module, nn.Linear):
            total += output[0].numel() * module.in_features

    handles = [module.register_forward_hook(count) for module in network.modules()]
    with torch.no_grad():
        network.eval()(torch.zeros(1, 3, 112, 112))
    for handle in handles:
        handle.remove()
    return total + (4 * 2 * 49 * 49 * 192 if any("Attention" in type(m).__name__ for m in network.modules()) else 0)


def own_files(folder, name: str = "student", architecture: str = "mobile", **changed):
    torch.manual_seed(3)
    network = ARCHITECTURES[architecture]()
    sha256 = save_network(folder / f"{name}{SUFFIX}", network, architecture)
    spec = replace(own_spec(name, architecture, "noise", "MIT"), sha256=sha256, **{**CALIBRATION, **changed})
    save_spec(folder / f"{name}.toml", spec)
    return folder / f"{name}{SUFFIX}", network


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_architectures_are_small(name):
    network = ARCHITECTURES[name]()
    assert sum(parameter.numel() for parameter in network.parameters()) <= 1.5e6
    assert multiplications(network) <= 0.15e9
    assert network(torch.zeros(2, 3, 112, 112)).shape == (2, EMBEDDING_SIZE)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_folded_norms_change_nothing(name):
    torch.manual_seed(1)
    network = ARCHITECTURES[name]()
    for _ in range(2):
        network.train()(torch.rand(4, 3, 112, 112))
    network = network.double().eval()
    crops = torch.rand(2, 3, 112, 112, dtype=torch.float64)
    with torch.no_grad():
        before = network(crops)
        after = fold_norms(network)(crops)
    torch.testing.assert_close(after, before, atol=1e-10, rtol=1e-9)
    assert not any(isinstance(module, nn.BatchNorm2d) for module in network.modules())


def test_weights_come_back_and_give_gradients(tmp_path):
    path, network = own_files(tmp_path)
    recognizer = load_own_recognizer(path)
    crops = torch.rand(2, 3, 112, 112, requires_grad=True)
    embeddings = recognizer.embed(crops)
    expected = network.eval()(2 * crops.detach() - 1)
    # Half precision rounds each weight to 3 or 4 digits.
    assert torch.nn.functional.cosine_similarity(embeddings, expected).min() > 0.999
    (gradient,) = torch.autograd.grad(embeddings.square().sum(), crops)
    assert torch.isfinite(gradient).all() and gradient.abs().sum() > 0
    assert path.stat().st_size <= 3 << 20


def test_own_recognizers_of_a_folder_are_listed_as_the_projects(tmp_path, monkeypatch):
    monkeypatch.delenv("MASKDESIGN_MODELS", raising=False)
    own_files(tmp_path)
    name = shipped_recognizers()[0].stem
    assert name not in [recognizer.spec.name for recognizer in load_recognizers(None)]
    assert [recognizer.spec.name for recognizer in load_recognizers(None, [name])] == ["dlib", name]
    (row,) = [row for row in list_recognizers(tmp_path) if row.name == "student"]
    assert row.maker == THIS_PROJECT and row.status == "ready" and "surrogate" in str(row)
    assert list_recognizers(tmp_path)[0].maker == OTHERS
    found = {recognizer.spec.name: recognizer for recognizer in load_recognizers(tmp_path)}
    assert found["student"].spec.is_surrogate and not found["dlib"].spec.is_surrogate


def test_a_checkpoint_beside_the_weights_is_no_recognizer(tmp_path, monkeypatch):
    monkeypatch.delenv("MASKDESIGN_MODELS", raising=False)
    own_files(tmp_path)
    (tmp_path / f"student.checkpoint{SUFFIX}").write_bytes(b"anything")
    assert [row.name for row in list_recognizers(tmp_path)].count("student") == 1
    assert not any("checkpoint" in row.name for row in list_recognizers(tmp_path))


def test_wrong_weights_are_refused_by_name(tmp_path):
    path, _ = own_files(tmp_path)
    data = path.read_bytes()
    path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    with pytest.raises(RecognizerError, match="sha256"):
        load_own_recognizer(path)
    with pytest.raises(RecognizerError, match="not a readable safetensors file"):
        build_network(_written(tmp_path, data[: len(data) // 2]), data[: len(data) // 2])
    with pytest.raises(InputError, match="no such file"):
        load_own_recognizer(tmp_path / "absent.safetensors")


def test_weights_of_another_architecture_are_refused(tmp_path):
    network = ARCHITECTURES["mobile"]()
    save_network(tmp_path / "a.safetensors", network, "residual")
    with pytest.raises(RecognizerError, match="does not fit the architecture residual"):
        build_network(tmp_path / "a.safetensors", (tmp_path / "a.safetensors").read_bytes())
    save_network(tmp_path / "a.safetensors", network, "unheard")
    with pytest.raises(RecognizerError, match="'unheard', known are residual, large_kernel, mobile, attention"):
        build_network(tmp_path / "a.safetensors", (tmp_path / "a.safetensors").read_bytes())
    next(network.parameters()).data[0] = torch.nan
    save_network(tmp_path / "a.safetensors", network, "mobile")
    with pytest.raises(RecognizerError, match="not finite"):
        build_network(tmp_path / "a.safetensors", (tmp_path / "a.safetensors").read_bytes())


def _written(folder, data: bytes):
    path = folder / "half.safetensors"
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("toml", shipped_recognizers(), ids=lambda toml: toml.stem)
def test_what_is_shipped_is_small_calibrated_and_has_a_card(toml):
    recognizer = load_own_recognizer(toml.with_suffix(SUFFIX))
    assert recognizer.spec.is_calibrated and recognizer.spec.sha256
    assert toml.with_suffix(SUFFIX).stat().st_size <= 3 << 20
    card = (SHIPPED / f"{toml.stem}.md").read_text()
    assert recognizer.spec.sha256 in card and "not" in card and "identify" in card
