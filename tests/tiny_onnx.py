"""Small ONNX models made on the spot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

Weights = Mapping[str, NDArray]

TOML = """name = "{name}"
file = "{name}.onnx"
licence = "MIT"
architecture = "one convolution"
training_set = "none"
embedding_size = {embedding_size}
input = {{ width = {width}, height = {height}, channels = "bgr", scale = 255.0, mean = [1, 2, 3], std = [4, 5, 6] }}
metric = "cosine"
template = [[5.0, 5.0], [11.0, 5.0], [8.0, 8.0], [6.0, 11.0], [10.0, 11.0]]
thresholds = {{ "1e-2" = 0.25, "1e-3" = 0.5 }}
genuine_mean = 0.75
impostor_mean = 0.25
"""


def make_model(
    nodes: Sequence[onnx.NodeProto], weights: Weights, shape: Sequence[int | str], version: int = 13
) -> onnx.ModelProto:
    """A model from input "x" to output "y"."""
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(value, name) for name, value in weights.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", version)], ir_version=8)


def tiny_recognizer(embedding_size: int = 4, height: int = 16, width: int = 16, factor: float = 1.0) -> onnx.ModelProto:
    """Convolution, ReLU, global average, flatten."""
    weight = np.random.default_rng(0).normal(0, 0.01, (embedding_size, 3, 3, 3)).astype(np.float32)
    bias = np.full(embedding_size, factor, np.float32)
    nodes = [
        helper.make_node("Conv", ["x", "w", "b"], ["c"], kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["c"], ["r"]),
        helper.make_node("GlobalAveragePool", ["r"], ["g"]),
        helper.make_node("Flatten", ["g"], ["y"]),
    ]
    return make_model(nodes, {"w": weight, "b": bias}, ["n", 3, height, width])


def write_recognizer(folder: Path, name: str, model: onnx.ModelProto, **values: int) -> Path:
    """NAME.onnx and NAME.toml in a folder; `values` replace embedding_size, width and height of the TOML."""
    path = folder / f"{name}.onnx"
    path.write_bytes(model.SerializeToString())
    sizes = {"embedding_size": 4, "width": 16, "height": 16, **values}
    path.with_suffix(".toml").write_text(TOML.format(name=name, **sizes))
    return path
