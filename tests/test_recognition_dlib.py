from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
import torch
from dlib_chips import Chip, astronaut_chip, dlib_oracle, photo_chips
from torch.nn import functional

from maskdesign.errors import RecognizerError
from maskdesign.recognition import dlib_net
from maskdesign.recognition.dlib_file import (
    AddSkip,
    Affine,
    Convolution,
    FullyConnected,
    ImageInput,
    Pooling,
    read_layers,
)
from maskdesign.recognition.dlib_net import (
    build_network,
    check_digest,
    dlib_spec,
    dlib_weights_path,
    load_dlib_network,
)

PATH = dlib_weights_path(dlib_spec())


@pytest.fixture(scope="module")
def network() -> torch.nn.Module:
    return load_dlib_network()


@pytest.fixture(scope="module")
def data() -> bytes:
    return PATH.read_bytes()


def distance_from_dlib(network: torch.nn.Module, chip: Chip) -> float:
    expected = np.array(dlib_oracle().compute_face_descriptor(chip.pixels))
    with torch.no_grad():
        return float(np.abs(network(chip.tensor)[0].numpy() - expected).max())


def test_parity_with_dlib_on_the_astronaut(network) -> None:
    assert distance_from_dlib(network, astronaut_chip()) <= 1e-5


def test_parity_with_dlib_on_photos(network, shared) -> None:
    chips = photo_chips(shared)
    assert len(chips) >= 10
    assert max(distance_from_dlib(network, chip) for chip in chips) <= 1e-5


def test_portraits_of_one_person_match_and_of_two_do_not(network, shared) -> None:
    with torch.no_grad():
        biden, obama, again = (network(chip.tensor)[0] for chip in photo_chips(shared)[:3])
    threshold = -dlib_spec().thresholds["1e-3"]
    assert (obama - again).norm() < threshold < (obama - biden).norm()


def test_a_slow_twin_with_separate_layers_agrees(network, data) -> None:
    expected = run_layers(list(read_layers(data, PATH.name)), astronaut_chip().tensor.double())
    twin = load_dlib_network().double()
    np.testing.assert_allclose(twin(astronaut_chip().tensor.double()).numpy(), expected.numpy(), atol=1e-6)


def run_layers(layers: list, x: torch.Tensor) -> torch.Tensor:
    """Layer by layer as the file has them, nothing folded; every block begins behind a ReLU or the max pool."""
    skip = x
    for index, layer in enumerate(layers):
        match layer:
            case ImageInput():
                x = (x * 255 - torch.tensor(layer.mean_rgb).double()[:, None, None]) / 256
            case Convolution():
                weight, bias = torch.tensor(layer.weight).double(), torch.tensor(layer.bias).double()
                x = functional.conv2d(x, weight, bias, layer.stride, layer.padding)
            case Affine():
                x = x * torch.tensor(layer.gamma)[:, None, None] + torch.tensor(layer.beta)[:, None, None]
            case Pooling(window=(0, 0)):
                x = x.mean(dim=(2, 3))
            case Pooling(kind="max"):
                x = skip = functional.max_pool2d(x, layer.window, layer.stride)
            case Pooling():
                skip = functional.avg_pool2d(skip, layer.window, layer.stride)
            case AddSkip():
                total = x.new_zeros([max(a, b) for a, b in zip(x.shape, skip.shape, strict=True)])
                for part in (x, skip):
                    total[:, : part.shape[1], : part.shape[2], : part.shape[3]] += part
                x = total
            case FullyConnected():
                x = x @ torch.tensor(layer.weight).double().T
            case _:
                x = x.relu()
                skip = x if isinstance(layers[index - 1], AddSkip) else skip
    return x


def smooth_point() -> torch.Tensor:
    """A face with some noise: equal pixels of the photo tie in the max pool, where no gradient exists."""
    noise = torch.rand(1, 3, 150, 150, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    return astronaut_chip().tensor.double() * 0.98 + 0.02 * noise


def test_gradient_against_central_differences() -> None:
    twin = load_dlib_network().double()
    crop = smooth_point().requires_grad_()
    direction = torch.tensor(np.random.default_rng(0).normal(size=128))
    (gradient,) = torch.autograd.grad((twin(crop) @ direction).sum(), crop)
    # A larger step crosses kinks of the ReLUs, a smaller one drowns in rounding.
    generator, step = np.random.default_rng(1), 1e-9
    for _ in range(6):
        move = torch.tensor(generator.normal(size=crop.shape))
        with torch.no_grad():
            change = float(((twin(crop + step * move) - twin(crop - step * move)) @ direction).sum()) / (2 * step)
        assert float((gradient * move).sum()) == pytest.approx(change, rel=1e-5)


def test_gradients_in_single_precision_agree_with_double(network) -> None:
    single, double = smooth_point().float().requires_grad_(), smooth_point().requires_grad_()
    (rough,) = torch.autograd.grad(network(single).sum(), single)
    (exact,) = torch.autograd.grad(load_dlib_network().double()(double).sum(), double)
    assert float((rough - exact).norm() / exact.norm()) < 1e-4


def test_a_batch_answers_like_its_members(network) -> None:
    crops = torch.rand(3, 3, 150, 150, generator=torch.Generator().manual_seed(0))
    alone = torch.cat([network(crop[None]) for crop in crops])
    np.testing.assert_allclose(network(crops).numpy(), alone.numpy(), atol=2e-6)


def test_parameters_are_frozen(network) -> None:
    assert not any(parameter.requires_grad for parameter in network.parameters())
    assert sum(parameter.numel() for parameter in network.parameters()) > 5e6


def test_layers_of_the_file(data) -> None:
    layers = list(read_layers(data, PATH.name))
    count = {kind: sum(isinstance(layer, kind) for layer in layers) for kind in (Convolution, Affine, AddSkip)}
    assert count == {Convolution: 29, Affine: 29, AddSkip: 14}
    assert layers[0] == ImageInput(pytest.approx((122.782, 117.001, 104.298)), 150, 150)
    assert layers[-1].weight.shape == (128, 256)


# Within the control bytes of a convolution, within its weights, behind all layers but the last.
@pytest.mark.parametrize("length", [340, 10_000, 2_000_000, 22_400_000])
def test_a_truncated_file_is_named(data, length: int) -> None:
    with pytest.raises(RecognizerError, match=r"short\.dat: .*(truncated|stands where)"):
        build_network(read_layers(data[:length], "short.dat"), "short.dat")


@pytest.mark.parametrize("content", [b"", b"not a network", bytes(range(256)) * 40], ids=["empty", "text", "bytes"])
def test_a_foreign_file_is_named(content: bytes) -> None:
    with pytest.raises(
        RecognizerError, match=r"foreign\.dat: NoneType stands where dlib's face network has ImageInput"
    ):
        build_network(read_layers(content, "foreign.dat"), "foreign.dat")


def record(tag: bytes, *body: bytes) -> bytes:
    return bytes([1, len(tag)]) + tag + b"".join(body)


def whole(value: int) -> bytes:
    return b"\x04" + struct.pack("<I", value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (record(b"affine_", b"\x7f"), "no integer .control byte 0x7f. at byte 10"),
        (record(b"affine_", whole(3)), "tensor of version 3 instead of 2"),
        (record(b"affine_", whole(2), *[whole(60_000)] * 4), "a tensor of 60000 x 60000 x 60000 x 60000"),
        (record(b"affine_", whole(2), *map(whole, (1, 4, 1, 1)), bytes(8)), "truncated, 16 more bytes"),
        (
            record(b"affine_", whole(2), *map(whole, (1, 4, 1, 1)), bytes(16), *[whole(1)] * 10),
            "4 parameters where its shape needs 2",
        ),
        (record(b"input_rgb_image_sized", whole(1), whole(60_000)), "exponent 60000"),
        (record(b"fc_2", *map(whole, (2, 3, 2, 1, 4, 1, 1)), bytes(16)), "4 parameters instead of 3 x 2"),
    ],
)
def test_damaged_records_are_named(content: bytes, message: str) -> None:
    with pytest.raises(RecognizerError, match=rf"x\.dat: .*{message}"):
        list(read_layers(content, "x.dat"))


def test_damaged_bytes_never_escape_as_another_error(data) -> None:
    generator = np.random.default_rng(0)
    for _ in range(200):
        damaged = bytearray(data[:60_000])
        for place in generator.integers(0, len(damaged), 20):
            damaged[place] = generator.integers(256)
        with pytest.raises(RecognizerError):
            build_network(read_layers(bytes(damaged), "x.dat"), "x.dat")


def test_another_digest_names_file_and_remedy() -> None:
    with pytest.raises(RecognizerError, match=r"net\.dat: sha256 is 3bc49b.*, expected 00; .*: pip install it"):
        check_digest(Path("net.dat"), b"abcd" * 2, "00", "pip install it")


def test_a_missing_package_says_how_to_install_it(monkeypatch) -> None:
    monkeypatch.setattr(dlib_net, "PACKAGE_NAME", "no_such_package_at_all")
    with pytest.raises(RecognizerError, match="the package is missing; run: pip install no_such_package_at_all"):
        load_dlib_network()
