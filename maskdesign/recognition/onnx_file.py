"""Reading ONNX files into plain nodes and tensors; refuses what is damaged, oversized or reaches for other files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from maskdesign.errors import RecognizerError
from maskdesign.files import check_readable

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto, NodeProto, TensorProto

MAX_ONNX_BYTES = 1 << 30
OPERATOR_SETS = range(7, 22)


@dataclass(frozen=True)
class OnnxNode:
    """An operator between named tensors. An empty name is an input that the graph leaves out.

    Only Split has several outputs here; what other operators answer besides their first output (a mask, indices) nobody
    needs.
    """

    operator: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any]

    @property
    def output(self) -> str:
        """The first output, which names the node in messages."""
        return self.outputs[0]


@dataclass(frozen=True)
class OnnxGraph:
    """A graph with one image and one embedding.

    Attributes:
        nodes: in order of execution.
        constants: weights by name.
        image, embedding: names of the input and of the output.
        input_shape: what the file states for the image, 0 where it leaves an extent open.
        version: of the operator set.
    """

    nodes: tuple[OnnxNode, ...]
    constants: Mapping[str, Tensor]
    image: str
    embedding: str
    input_shape: tuple[int, ...]
    version: int


def read_weights(path: Path) -> bytes:
    """The content of a file of weights, of at most 1 GiB.

    Raises:
        InputError: missing, a folder, or not readable.
        RecognizerError: larger.
    """
    check_readable(path)
    size = path.stat().st_size
    if size > MAX_ONNX_BYTES:
        raise RecognizerError(
            f"{path}: {size >> 20} MiB exceed the limit of {MAX_ONNX_BYTES >> 20} MiB; take a smaller recognizer"
        )
    return path.read_bytes()


def read_graph(path: Path, data: bytes) -> OnnxGraph:
    """Parse an ONNX model.

    Args:
        path: its name, for errors.
        data: its content.

    Raises:
        RecognizerError: damaged, of an unknown operator set, with weights outside the file, or with more than one
            input or output.
    """
    model = _parse(path, data)
    version = _operator_set(path, model)
    constants = {proto.name: _tensor(path, proto) for proto in model.graph.initializer}
    nodes = []
    for proto in model.graph.node:
        if proto.op_type == "Constant" and not proto.domain:
            constants[proto.output[0]] = _constant(path, proto)
        else:
            nodes.append(_node(path, proto))
    image = _only_image(path, model.graph, constants)
    shape = tuple(axis.dim_value for axis in image.type.tensor_type.shape.dim)
    return OnnxGraph(tuple(nodes), constants, image.name, model.graph.output[0].name, shape, version)


def _parse(path: Path, data: bytes) -> ModelProto:
    import onnx
    from google.protobuf.message import DecodeError

    try:
        model = onnx.ModelProto.FromString(data)
    except DecodeError as error:
        raise RecognizerError(f"{path}: not a readable ONNX file ({error}); get it again") from error
    if not model.graph.node or not model.graph.output:
        raise RecognizerError(f"{path}: an ONNX file without a graph; get it again")
    return model


def _operator_set(path: Path, model: ModelProto) -> int:
    version = next((entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")), 0)
    if version not in OPERATOR_SETS:
        known = f"{OPERATOR_SETS.start} to {OPERATOR_SETS.stop - 1}"
        raise RecognizerError(f"{path}: operator set {version} is not one of {known}; export the model again")
    return version


def _only_image(path: Path, graph: GraphProto, constants: Mapping[str, Tensor]) -> Any:
    images = [entry for entry in graph.input if entry.name not in constants]
    if len(images) != 1 or len(graph.output) != 1:
        raise RecognizerError(
            f"{path}: {len(images)} inputs and {len(graph.output)} outputs, but a recognizer has one image and one "
            "embedding; export it so"
        )
    return images[0]


def _tensor(path: Path, proto: TensorProto) -> Tensor:
    from onnx import TensorProto, numpy_helper

    if proto.data_location == TensorProto.EXTERNAL:
        raise RecognizerError(
            f"{path}: the weights {proto.name!r} lie outside the file; save the model with its weights inside"
        )
    try:
        value = torch.from_numpy(numpy_helper.to_array(proto).copy())
    except (ValueError, TypeError, KeyError) as error:
        raise RecognizerError(f"{path}: the weights {proto.name!r} are damaged ({error}); get it again") from error
    return value.float() if value.dtype == torch.float16 else value


def _constant(path: Path, proto: NodeProto) -> Tensor:
    from onnx import helper

    attribute = proto.attribute[0]
    value = helper.get_attribute_value(attribute)
    if attribute.name == "value":
        return _tensor(path, value)
    dtype = {"value_float": torch.float32, "value_floats": torch.float32, "value_int": torch.int64}
    if attribute.name not in (*dtype, "value_ints"):
        raise RecognizerError(
            f"{path}: Constant {proto.output[0]!r} holds {attribute.name}, which is not read; export the model again"
        )
    return torch.tensor(value, dtype=dtype.get(attribute.name, torch.int64))


def _node(path: Path, proto: NodeProto) -> OnnxNode:
    from onnx import helper

    operator = proto.op_type if proto.domain in ("", "ai.onnx") else f"{proto.domain}.{proto.op_type}"
    values = {entry.name: helper.get_attribute_value(entry) for entry in proto.attribute}
    attributes = {key: _attribute(path, value) for key, value in values.items()}
    if operator != "Split":
        return OnnxNode(operator, tuple(proto.input), tuple(proto.output[:1]), attributes)
    return OnnxNode(operator, tuple(proto.input), tuple(proto.output), {"num_outputs": len(proto.output), **attributes})


def _attribute(path: Path, value: Any) -> Any:
    from onnx import TensorProto

    if isinstance(value, TensorProto):
        return _tensor(path, value)
    return value.decode() if isinstance(value, bytes) else value
