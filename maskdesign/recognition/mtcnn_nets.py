"""The three networks of MTCNN in torch, from the weights in the PyPI package mtcnn.

Source: K. Zhang, Z. Zhang, Z. Li and Y. Qiao, Joint face detection and alignment using multi-task cascaded
convolutional networks, 2016. The package runs its networks on TensorFlow and is therefore not imported; only its files
of weights are read.
"""

from __future__ import annotations

import importlib.util
import io
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from maskdesign.errors import RecognizerError
from maskdesign.recognition.dlib_net import check_digest

PACKAGE_NAME = "mtcnn"
REMEDY = f"pip install --force-reinstall {PACKAGE_NAME}==1.0.0"
SHA256: Mapping[str, str] = MappingProxyType(
    {
        "pnet.lz4": "ea6b0c3e685ebee3165326ad6484acc95f2ef78f1c94fbf40a55704fa989f7b5",
        "rnet.lz4": "cb00e6460f3c98b0bfafaba3c0a0ded4bdf6e62cee7174d969e8670d7e757fee",
        "onet.lz4": "94f6ea2f4cf985275ee958cdd762d17b6009348a4fb9d8c6be39ba73ffd22ca3",
    }
)


@dataclass(frozen=True)
class Layer:
    """A convolution, or a dense layer, and the slopes of the PReLU behind it."""

    weight: Tensor
    bias: Tensor
    slope: Tensor


@dataclass(frozen=True)
class CascadeNetwork:
    """One stage of the cascade.

    Attributes:
        convolutions: without padding, a PReLU behind each.
        pools: window of the max pooling of stride 2 behind each convolution, 0 for none.
        dense: layer over the whole patch; None where the network slides over a picture.
        answers: weight and bias of box offsets (4), then landmarks (10) where the network knows them, then of face or
            not (2).
    """

    convolutions: tuple[Layer, ...]
    pools: tuple[int, ...]
    dense: Layer | None
    answers: tuple[tuple[Tensor, Tensor], ...]

    def __call__(self, pictures: Tensor) -> list[Tensor]:
        """(B, 3, h, w) in [-1, 1] -> the answers, (B, k); for a sliding network (B, h', w', k). The last is softmax."""
        x = pictures
        for layer, pool in zip(self.convolutions, self.pools, strict=True):
            x = functional.prelu(functional.conv2d(x, layer.weight, layer.bias), layer.slope)
            # TensorFlow's padding "same" adds its line below and at the right only, as ceil_mode does.
            x = functional.max_pool2d(x, pool, 2, ceil_mode=True) if pool else x
        if self.dense is None:
            x = x.permute(0, 2, 3, 1)
        else:
            # The weights were trained on patches with x and y exchanged, hence columns before rows.
            x = functional.linear(x.permute(0, 3, 2, 1).flatten(1), self.dense.weight, self.dense.bias)
            x = functional.prelu(x, self.dense.slope)
        *others, face = (functional.linear(x, weight, bias) for weight, bias in self.answers)
        return [*others, torch.softmax(face, dim=-1)]


@dataclass(frozen=True)
class Cascade:
    """Proposal network (12 px patches), refinement network (24 px), output network with landmarks (48 px)."""

    proposal: CascadeNetwork
    refinement: CascadeNetwork
    output: CascadeNetwork


def load_cascade() -> Cascade:
    """MTCNN's three networks.

    Raises:
        RecognizerError: the package mtcnn is missing, or its files are not the known ones.
    """
    return Cascade(
        proposal=_network("pnet.lz4", (2, 0, 0), has_dense=False),
        refinement=_network("rnet.lz4", (3, 3, 0), has_dense=True),
        output=_network("onet.lz4", (3, 3, 2, 0), has_dense=True),
    )


def read_arrays(path: Path, sha256: str) -> list[NDArray[np.float32]]:
    """The arrays of a compressed joblib file of known content.

    joblib files hold pickles, which run whatever they name. So the bytes in memory are compared with the SHA-256 of the
    file that was examined, and the same bytes are unpacked; any other file is refused unread.

    Raises:
        RecognizerError: another content.
    """
    import joblib

    data = path.read_bytes()
    check_digest(path, data, sha256, REMEDY)
    return joblib.load(io.BytesIO(data))


def weights_folder() -> Path:
    """Where the package keeps its weights.

    Raises:
        RecognizerError: it is not installed.
    """
    found = importlib.util.find_spec(PACKAGE_NAME)
    if found is None or not found.submodule_search_locations:
        raise RecognizerError(f"{PACKAGE_NAME}: the package is missing; run: {REMEDY}")
    return Path(next(iter(found.submodule_search_locations))) / "assets" / "weights"


def _network(name: str, pools: tuple[int, ...], has_dense: bool) -> CascadeNetwork:
    path = weights_folder() / name
    if not path.is_file():
        raise RecognizerError(f"{path}: missing; run: {REMEDY}")
    arrays = deque(torch.from_numpy(array) for array in read_arrays(path, SHA256[name]))
    convolutions = tuple(_convolution(arrays) for _ in pools)
    dense = _dense(arrays) if has_dense else None
    answers = []
    while arrays:
        answers.append(_answer(arrays))
    return CascadeNetwork(convolutions, pools, dense, tuple(answers))


def _convolution(arrays: deque[Tensor]) -> Layer:
    # TensorFlow stores (rows, columns, in, out), torch wants (out, in, rows, columns).
    weight = arrays.popleft().permute(3, 2, 0, 1).contiguous()
    return Layer(weight, arrays.popleft(), arrays.popleft().reshape(-1))


def _dense(arrays: deque[Tensor]) -> Layer:
    return Layer(arrays.popleft().T.contiguous(), arrays.popleft(), arrays.popleft())


def _answer(arrays: deque[Tensor]) -> tuple[Tensor, Tensor]:
    weight = arrays.popleft()
    return weight.reshape(-1, weight.shape[-1]).T.contiguous(), arrays.popleft()
