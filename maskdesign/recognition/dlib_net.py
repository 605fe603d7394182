"""dlib's face recognition ResNet in torch, with exact gradients to the image.

Source: D. E. King, dlib_face_recognition_resnet_model_v1 (CC0), a ResNet of 29 convolutions after He et al., Deep
residual learning for image recognition, 2016. Batch norms are folded into the convolutions before them.
"""

from __future__ import annotations

import hashlib
import importlib.util
from collections import deque
from collections.abc import Iterable
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from maskdesign.errors import RecognizerError
from maskdesign.recognition.dlib_file import (
    AddSkip,
    Affine,
    Convolution,
    DlibLayer,
    FullyConnected,
    ImageInput,
    Pooling,
    Rectifier,
    read_layers,
)
from maskdesign.recognition.spec import RecognizerSpec, load_spec

PACKAGE_NAME = "face_recognition_models"
DLIB_SPEC = Path(__file__).parent / "specs" / "dlib.toml"

Layer = TypeVar("Layer", bound=DlibLayer)


class ResidualBlock(nn.Module):
    """Two convolutions around a skip; both ways are filled with zeros to the larger extent before they are added."""

    def __init__(self, first: nn.Conv2d, second: nn.Conv2d, skip: nn.Module) -> None:
        super().__init__()
        self.first, self.second, self.skip = first, second, skip

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C', H', W')."""
        main = self.second(functional.relu_(self.first(x)))
        return functional.relu_(_add_filled(main, self.skip(x)))


class DlibNetwork(nn.Module):
    """(B, 3, 150, 150) RGB in [0, 1] -> (B, 128), not normalized; two faces of one person lie less than 0.6 apart."""

    def __init__(self, stem: nn.Conv2d, pool: nn.Module, blocks: list[ResidualBlock], head: nn.Linear) -> None:
        super().__init__()
        self.stem, self.pool, self.blocks, self.head = stem, pool, nn.Sequential(*blocks), head

    def forward(self, crops: Tensor) -> Tensor:
        """Embeddings of aligned crops."""
        x = self.pool(functional.relu_(self.stem(crops)))
        return self.head(self.blocks(x).mean(dim=(2, 3)))


def load_dlib_network() -> nn.Module:
    """Dlib's network with frozen parameters, from the PyPI package face_recognition_models.

    Returns:
        module: (B, 3, 150, 150) float RGB in [0, 1] -> (B, 128).

    Raises:
        RecognizerError: the package is missing, or its file is not the known one.
    """
    path = dlib_weights_path(dlib_spec())
    data = path.read_bytes()
    check_digest(path, data, dlib_spec().sha256, f"pip install --force-reinstall {PACKAGE_NAME}==0.3.0")
    return build_network(read_layers(data, str(path)), str(path))


def dlib_spec() -> RecognizerSpec:
    """The specification that ships with this package."""
    return load_spec(DLIB_SPEC)


def dlib_weights_path(spec: RecognizerSpec) -> Path:
    """Where the PyPI package keeps the weights.

    Raises:
        RecognizerError: it is not installed, or lacks the file.
    """
    # The package is found but not imported: importing it needs pkg_resources, which current setuptools lack.
    found = importlib.util.find_spec(PACKAGE_NAME)
    if found is None or not found.submodule_search_locations:
        raise RecognizerError(f"{PACKAGE_NAME}: the package is missing; run: pip install {PACKAGE_NAME}==0.3.0")
    path = Path(next(iter(found.submodule_search_locations))) / "models" / spec.file
    if not path.is_file():
        raise RecognizerError(f"{path}: missing; run: pip install --force-reinstall {PACKAGE_NAME}==0.3.0")
    return path


def check_digest(path: Path, data: bytes, sha256: str, remedy: str) -> None:
    """Compare a file's content with its expected SHA-256.

    Raises:
        RecognizerError: another content; the message carries both digests and the remedy.
    """
    found = hashlib.sha256(data).hexdigest()
    if found != sha256:
        raise RecognizerError(f"{path}: sha256 is {found}, expected {sha256}; the file is damaged or another: {remedy}")


def build_network(layers: Iterable[DlibLayer], source: str) -> DlibNetwork:
    """Put layers together to the residual network.

    Args:
        layers: in order of execution, as `read_layers` gives them.
        source: name of the file, for errors.

    Raises:
        RecognizerError: the layers form another network.
    """
    queue = deque(layers)
    image, stem = _next(queue, ImageInput, source), _folded(queue, source)
    _next(queue, Rectifier, source)
    pool = _pooling(_next(queue, Pooling, source))
    blocks = []
    while queue and isinstance(queue[0], Convolution):
        blocks.append(_block(queue, source))
    _next(queue, Pooling, source)
    head = _linear(_next(queue, FullyConnected, source))
    network = DlibNetwork(_convolution(_with_image_scale(stem, image)), pool, blocks, head)
    return network.requires_grad_(False).eval()


def _next(queue: deque[DlibLayer], kind: type[Layer], source: str) -> Layer:
    layer = queue.popleft() if queue else None
    if not isinstance(layer, kind):
        raise RecognizerError(
            f"{source}: {type(layer).__name__} stands where dlib's face network has {kind.__name__}; "
            f"take the file of {PACKAGE_NAME}==0.3.0"
        )
    return layer


def _block(queue: deque[DlibLayer], source: str) -> ResidualBlock:
    first = _folded(queue, source)
    _next(queue, Rectifier, source)
    second = _folded(queue, source)
    pools = queue and isinstance(queue[0], Pooling)
    skip = _pooling(_next(queue, Pooling, source)) if pools else nn.Identity()
    _next(queue, AddSkip, source)
    _next(queue, Rectifier, source)
    return ResidualBlock(_convolution(first), _convolution(second), skip)


def _folded(queue: deque[DlibLayer], source: str) -> Convolution:
    """The next convolution with the affine layer behind it: gamma (W x + b) + beta = (gamma W) x + gamma b + beta."""
    layer, affine = _next(queue, Convolution, source), _next(queue, Affine, source)
    weight = layer.weight * affine.gamma[:, None, None, None]
    return Convolution(weight, layer.bias * affine.gamma + affine.beta, layer.stride, layer.padding)


def _with_image_scale(layer: Convolution, image: ImageInput) -> Convolution:
    """(255 x - mean) / 256 folded into the first convolution; exact, since that one pads nothing."""
    mean = np.array(image.mean_rgb, dtype=np.float64) / 256
    bias = layer.bias - np.einsum("oihw,i->o", layer.weight.astype(np.float64), mean)
    scaled = layer.weight.astype(np.float64) * (255 / 256)
    return Convolution(scaled.astype(np.float32), bias.astype(np.float32), layer.stride, layer.padding)


def _convolution(layer: Convolution) -> nn.Conv2d:
    outputs, inputs, height, width = layer.weight.shape
    module = nn.Conv2d(inputs, outputs, (height, width), layer.stride, layer.padding)
    weight = torch.from_numpy(layer.weight).contiguous(memory_format=torch.channels_last)
    module.weight, module.bias = nn.Parameter(weight), nn.Parameter(torch.from_numpy(layer.bias))
    return module


def _linear(layer: FullyConnected) -> nn.Linear:
    module = nn.Linear(layer.weight.shape[1], layer.weight.shape[0], bias=False)
    module.weight = nn.Parameter(torch.from_numpy(layer.weight))
    return module


def _pooling(layer: Pooling) -> nn.Module:
    return _POOLINGS[layer.kind](layer.window, layer.stride, layer.padding)


def _add_filled(a: Tensor, b: Tensor) -> Tensor:
    # In most blocks the extents agree, and filling would only copy.
    if a.shape == b.shape:
        return a + b
    extent = [max(x, y) for x, y in zip(a.shape, b.shape, strict=True)]
    return _filled(a, extent) + _filled(b, extent)


def _filled(x: Tensor, extent: list[int]) -> Tensor:
    channels, height, width = (wanted - given for wanted, given in zip(extent[1:], x.shape[1:], strict=True))
    return functional.pad(x, (0, width, 0, height, 0, channels))


_POOLINGS = {"max": nn.MaxPool2d, "avg": nn.AvgPool2d}
