"""Reading the networks that dlib serializes (.dat), one layer at a time.

dlib writes a network as nested C++ objects. Each layer's own record starts with a tag and is read here strictly; the
bookkeeping of the wrappers between two records (flags, empty tensors, tag numbers) decides nothing and is skipped.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from maskdesign.errors import RecognizerError

MAX_TENSOR_FLOATS = 1 << 28


@dataclass(frozen=True)
class ImageInput:
    """(255 x - mean) / 256 for RGB x in [0, 1]. `mean_rgb`: (3,) in [0, 255]."""

    mean_rgb: tuple[float, float, float]
    height_px: int
    width_px: int


@dataclass(frozen=True)
class Convolution:
    """Cross-correlation. `weight`: (out, in, h, w) float32, `bias`: (out,), `stride` and `padding`: (y, x)."""

    weight: NDArray[np.float32]
    bias: NDArray[np.float32]
    stride: tuple[int, int]
    padding: tuple[int, int]


@dataclass(frozen=True)
class Affine:
    """gamma x + beta for each channel, what dlib makes of a batch norm after training; both (C,) float32."""

    gamma: NDArray[np.float32]
    beta: NDArray[np.float32]


@dataclass(frozen=True)
class Pooling:
    """`kind`: "max" or "avg"; a window of (0, 0) is the whole picture."""

    kind: str
    window: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int]


@dataclass(frozen=True)
class Rectifier:
    """max(x, 0)."""


@dataclass(frozen=True)
class AddSkip:
    """Adds the block's input (through the pooling before it, if there is one) to its output."""


@dataclass(frozen=True)
class FullyConnected:
    """`weight`: (out, in) float32; no bias."""

    weight: NDArray[np.float32]


DlibLayer = ImageInput | Convolution | Affine | Pooling | Rectifier | AddSkip | FullyConnected


class _Stream:
    """dlib's primitive types, read in order; every read past the end or of a foreign byte is a `RecognizerError`."""

    def __init__(self, data: bytes, source: str) -> None:
        self.data = data
        self.source = source
        self.position = 0

    def fail(self, problem: str) -> RecognizerError:
        return RecognizerError(
            f"{self.source}: {problem} at byte {self.position}; the file is damaged or foreign, get it again"
        )

    def take(self, count: int) -> bytes:
        if self.position + count > len(self.data):
            raise self.fail(f"truncated, {count} more bytes expected")
        taken = self.data[self.position : self.position + count]
        self.position += count
        return taken

    def integer(self) -> int:
        """One control byte (low nibble = number of bytes, 0x80 = negative), then the magnitude, little-endian."""
        control = self.take(1)[0]
        if control & 0x70 or not 1 <= control & 0x0F <= 8:
            raise self.fail(f"no integer (control byte {control:#04x})")
        magnitude = int.from_bytes(self.take(control & 0x0F), "little")
        return -magnitude if control & 0x80 else magnitude

    def number(self) -> float:
        """An integer mantissa and an exponent of 2."""
        mantissa, exponent = self.integer(), self.integer()
        if not -2000 < exponent < 2000:
            raise self.fail(f"no number (exponent {exponent})")
        return mantissa * 2.0**exponent

    def dimensions(self) -> tuple[int, int, int, int]:
        sizes = (self.integer(), self.integer(), self.integer(), self.integer())
        if min(sizes) < 0 or int(np.prod(sizes, dtype=object)) > MAX_TENSOR_FLOATS:
            raise self.fail(f"a tensor of {' x '.join(map(str, sizes))}")
        return sizes

    def expect_version(self, version: int, what: str) -> None:
        found = self.integer()
        if found != version:
            raise self.fail(f"{what} of version {found} instead of {version}")

    def tensor(self) -> NDArray[np.float32]:
        """(n,) the floats of a tensor, whatever its shape; the aliases behind it say how to cut it."""
        self.expect_version(2, "tensor")
        count = int(np.prod(self.dimensions()))
        return np.frombuffer(self.take(4 * count), dtype="<f4").astype(np.float32)

    def alias(self) -> tuple[int, int, int, int]:
        self.expect_version(1, "alias tensor")
        return self.dimensions()

    def parts(self, floats: NDArray[np.float32], *shapes: tuple[int, int, int, int]) -> list[NDArray[np.float32]]:
        """Cut a tensor into consecutive aliases."""
        counts = [int(np.prod(shape)) for shape in shapes]
        if sum(counts) != len(floats):
            raise self.fail(f"a layer with {len(floats)} parameters where its shape needs {sum(counts)}")
        pieces = np.split(floats, np.cumsum(counts)[:-1])
        return [piece.reshape(shape) for piece, shape in zip(pieces, shapes, strict=True)]


def read_layers(data: bytes, source: str) -> Iterator[DlibLayer]:
    """The layers of a serialized dlib network, in the order of execution.

    Args:
        data: content of the .dat file.
        source: its name, for errors.

    Yields:
        layers; those that only train (loss, tags) are left out.

    Raises:
        RecognizerError: truncated, or not a dlib network.
    """
    stream = _Stream(data, source)
    while (found := _TAG.search(data, stream.position)) is not None:
        stream.position = found.end()
        yield _READERS[found[0][2:]](stream)


def _read_input(stream: _Stream) -> ImageInput:
    red, green, blue = stream.number(), stream.number(), stream.number()
    height, width = stream.integer(), stream.integer()
    return ImageInput((red, green, blue), height, width)


def _read_convolution(stream: _Stream) -> Convolution:
    floats = stream.tensor()
    # The number of filters and the window; the alias of the weights repeats both.
    for _ in range(3):
        stream.integer()
    stride = stream.integer(), stream.integer()
    padding = stream.integer(), stream.integer()
    weight, bias = stream.parts(floats, stream.alias(), stream.alias())
    return Convolution(weight, bias.reshape(-1), stride, padding)


def _read_affine(stream: _Stream) -> Affine:
    floats = stream.tensor()
    gamma, beta = stream.parts(floats, stream.alias(), stream.alias())
    return Affine(gamma.reshape(-1), beta.reshape(-1))


def _read_fully_connected(stream: _Stream) -> FullyConnected:
    outputs, inputs = stream.integer(), stream.integer()
    floats = stream.tensor()
    if len(floats) != outputs * inputs:
        raise stream.fail(f"a fully connected layer with {len(floats)} parameters instead of {inputs} x {outputs}")
    return FullyConnected(np.ascontiguousarray(floats.reshape(inputs, outputs).T))


def _read_pooling(kind: str) -> Callable[[_Stream], Pooling]:
    def read(stream: _Stream) -> Pooling:
        window = stream.integer(), stream.integer()
        stride = stream.integer(), stream.integer()
        padding = stream.integer(), stream.integer()
        return Pooling(kind, window, stride, padding)

    return read


_READERS: dict[bytes, Callable[[_Stream], DlibLayer]] = {
    b"input_rgb_image_sized": _read_input,
    b"con_4": _read_convolution,
    b"affine_": _read_affine,
    b"fc_2": _read_fully_connected,
    b"max_pool_2": _read_pooling("max"),
    b"avg_pool_2": _read_pooling("avg"),
    b"add_prev_": lambda stream: AddSkip(),
    b"relu_": lambda stream: Rectifier(),
}

# A tag is a string: one byte that says the length takes one byte, the length, the letters.
_TAG = re.compile(b"|".join(re.escape(bytes([1, len(tag)]) + tag) for tag in _READERS))
