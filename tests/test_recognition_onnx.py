"""Each operator against onnxruntime and its gradient against finite differences, then whole graphs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from onnx_families import FAMILIES
from tiny_onnx import make_model, tiny_recognizer

from maskdesign.errors import RecognizerError
from maskdesign.recognition.onnx_graph import OnnxNetwork, load_onnx_network
from maskdesign.recognition.onnx_ops import OPERATORS
from maskdesign.recognition.recognizer import Recognizer
from maskdesign.recognition.registry import load_recognizers


def noise(*shape: int) -> NDArray[np.float32]:
    return np.random.default_rng(shape).normal(size=shape).astype(np.float32)


def positive(*shape: int) -> NDArray[np.float32]:
    return np.abs(noise(*shape)) + 0.5


def integers(*values: int) -> NDArray[np.int64]:
    return np.array(values, dtype=np.int64)


@dataclass(frozen=True)
class Case:
    """One node and the image it gets.

    Attributes:
        weights: the node's further inputs.
        positive: the image holds values above 0 only.
        image_at: which of the inputs the image is.
    """

    operator: str
    weights: Sequence[NDArray] = ()
    attributes: Mapping[str, object] = field(default_factory=dict)
    version: int = 13
    shape: tuple[int, ...] = (2, 4, 7, 6)
    positive: bool = False
    image_at: int = 0

    def __str__(self) -> str:
        shown = ",".join(f"{key}={value}" for key, value in self.attributes.items())
        return f"{self.operator}-{self.version}({shown}){[value.shape for value in self.weights]}".replace(" ", "")


def dims(**attributes: object) -> dict[str, object]:
    return attributes


CASES = [
    Case("Abs"),
    Case("Add", [noise(4, 1, 1)]),
    Case("Add", [noise(2, 4, 7, 6)], image_at=1),
    Case("AveragePool", [], dims(kernel_shape=[2, 3], strides=[2, 2])),
    Case("AveragePool", [], dims(kernel_shape=[3, 3], pads=[1, 1, 1, 1])),
    Case("AveragePool", [], dims(kernel_shape=[3, 3], pads=[1, 0, 1, 2], count_include_pad=1)),
    Case("AveragePool", [], dims(kernel_shape=[3, 3], pads=[1, 0, 1, 2], strides=[2, 1])),
    Case("AveragePool", [], dims(kernel_shape=[3, 2], auto_pad="SAME_UPPER", strides=[2, 2])),
    Case("BatchNormalization", [noise(4), noise(4), noise(4), positive(4)], dims(epsilon=1e-3)),
    Case("BatchNormalization", [noise(4), noise(4), noise(4), positive(4)], version=9, shape=(3, 4)),
    Case("Clip", [np.float32(-0.5), np.float32(0.7)]),
    Case("Clip", [np.float32(-0.1)]),
    Case("Clip", [], dims(min=0.0, max=0.6), version=7),
    Case("Concat", [noise(2, 3, 7, 6)], dims(axis=1)),
    Case("Concat", [noise(2, 4, 7, 1)], dims(axis=-1), image_at=1),
    Case("Conv", [noise(5, 4, 3, 3), noise(5)], dims(kernel_shape=[3, 3], pads=[1, 1, 1, 1])),
    Case("Conv", [noise(5, 4, 3, 2)], dims(strides=[2, 1], pads=[0, 1, 2, 0])),
    Case("Conv", [noise(4, 1, 3, 3), noise(4)], dims(group=4, dilations=[2, 1], pads=[2, 1, 2, 1])),
    Case("Conv", [noise(6, 2, 3, 3)], dims(group=2, auto_pad="SAME_UPPER", strides=[2, 2])),
    Case("Conv", [noise(6, 4, 2, 4)], dims(auto_pad="SAME_LOWER")),
    Case("Conv", [noise(6, 4, 2, 4)], dims(auto_pad="VALID")),
    Case("Div", [positive(4, 1, 1)]),
    Case("Div", [noise(2, 4, 7, 6)], image_at=1, positive=True),
    Case("Dropout"),
    Case("Dropout", [], dims(ratio=0.4), version=7),
    Case("Erf"),
    Case("Flatten"),
    Case("Flatten", [], dims(axis=2)),
    Case("Flatten", [], dims(axis=-1)),
    Case("Gather", [integers(2, -1)], dims(axis=1)),
    Case("Gather", [np.int64(1)], dims(axis=-1)),
    Case("Gemm", [noise(5, 3), noise(3)], shape=(4, 5)),
    Case("Gemm", [noise(3, 4), noise(1, 3)], dims(transA=1, transB=1, alpha=0.5, beta=2.0), shape=(4, 5)),
    Case("Gemm", [noise(5, 3)], shape=(4, 5)),
    Case("GlobalAveragePool"),
    Case("Identity"),
    Case("LeakyRelu", [], dims(alpha=0.2)),
    Case("LeakyRelu"),
    Case("MatMul", [noise(6, 3)]),
    Case("MatMul", [noise(2, 1, 3, 7)], image_at=1),
    Case("MaxPool", [], dims(kernel_shape=[2, 2], strides=[2, 2])),
    Case("MaxPool", [], dims(kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])),
    Case("MaxPool", [], dims(kernel_shape=[3, 3], strides=[2, 2], pads=[0, 0, 1, 1])),
    Case("MaxPool", [], dims(kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1)),
    Case("MaxPool", [], dims(kernel_shape=[2, 2], dilations=[2, 3])),
    Case("Mul", [noise(1, 4, 1, 1)]),
    Case("PRelu", [np.full((1, 1, 1), 0.25, np.float32)]),
    Case("PRelu", [noise(4, 1, 1)]),
    Case("PRelu", [noise(5)], shape=(3, 5)),
    Case("PRelu", [noise(4, 7, 6)]),
    Case("Pow", [np.float32(2)]),
    Case("Pow", [np.float32(0.5)], positive=True),
    Case("ReduceL2", [], dims(axes=[1])),
    Case("ReduceL2", [integers(1)], dims(keepdims=0), version=18),
    Case("ReduceMean", [], dims(axes=[2, 3], keepdims=0)),
    Case("ReduceMean", [integers(-1)], version=18),
    Case("ReduceMean"),
    Case("Relu"),
    Case("Reshape", [integers(0, 2, -1)]),
    Case("Reshape", [integers(-1, 6)]),
    Case("Sigmoid"),
    Case("Softmax"),
    Case("Softmax", [], dims(axis=1)),
    Case("Softmax", [], dims(axis=2), version=9),
    Case("Softmax", [], version=9),
    Case("Sqrt", positive=True),
    Case("Squeeze", [integers(2)], shape=(2, 4, 1, 6)),
    Case("Squeeze", [], dims(axes=[0, 2]), version=9, shape=(1, 4, 1, 6)),
    Case("Squeeze", [], shape=(1, 4, 1, 6)),
    Case("Sub", [noise(4, 1, 1)]),
    Case("Sub", [noise(4, 1, 1)], image_at=1),
    Case("Tanh"),
    Case("Transpose", [], dims(perm=[0, 2, 3, 1])),
    Case("Transpose"),
    Case("Unsqueeze", [integers(0, -1)]),
    Case("Unsqueeze", [], dims(axes=[1]), version=9),
    Case("Cast", [], dims(to=1)),
    Case("Cos"),
    Case("Einsum", [noise(2, 4, 6, 5)], dims(equation="bchw,bcwo->bcho")),
    Case("Elu", [], dims(alpha=0.7)),
    Case("Exp"),
    Case("Expand", [integers(2, 4, 3, 6)], shape=(2, 4, 1, 6)),
    Case("Expand", [integers(3, 1, 1, 1, 1)]),
    Case("Gelu", [], version=20),
    Case("Gelu", [], dims(approximate="tanh"), version=20),
    Case("GlobalMaxPool"),
    Case("HardSigmoid"),
    Case("HardSigmoid", [], dims(alpha=1 / 6, beta=0.4)),
    Case("HardSwish", [], version=14),
    Case("InstanceNormalization", [noise(4), noise(4)], dims(epsilon=1e-3)),
    Case("LayerNormalization", [noise(6), noise(6)], version=17),
    Case("LayerNormalization", [noise(4, 7, 6)], dims(axis=1, epsilon=1e-3), version=17),
    Case("Log", positive=True),
    Case("LogSoftmax"),
    Case("LogSoftmax", [], dims(axis=1), version=11),
    Case("LpNormalization", [], dims(axis=1, p=2)),
    Case("LpNormalization", [], dims(p=1), positive=True),
    Case("Max", [noise(4, 1, 1), noise(2, 4, 7, 6) + 1]),
    Case("Min", [noise(4, 1, 1)], image_at=1),
    Case("Mish", version=18),
    Case("Neg"),
    Case("Pad", [integers(0, 0, 1, 2, 0, 0, 3, 0)]),
    Case("Pad", [integers(0, 1, 1, 2, 0, 0, 3, 0), np.float32(0.5)]),
    Case("Pad", [integers(0, 0, 1, 2, 0, 0, 3, 1)], dims(mode="reflect")),
    Case("Pad", [integers(0, 0, 1, 2, 0, 0, 3, 1)], dims(mode="edge")),
    Case("Pad", [integers(1, -2), np.float32(0), integers(-1)], version=18),
    Case("Pad", [], dims(pads=[0, 0, 1, 2, 0, 0, 3, 0], value=0.25), version=10),
    Case("Reciprocal", positive=True),
    Case("ReduceMax", [], dims(axes=[1, -1])),
    Case("ReduceMin", [], dims(keepdims=0)),
    Case("ReduceSum", [integers(2, 3)], dims(keepdims=0)),
    Case("ReduceSum", [integers()], dims(noop_with_empty_axes=1)),
    Case("Resize", [np.float32([]), np.float32([1, 1, 2, 2])], dims(mode="nearest", nearest_mode="floor")),
    Case("Resize", [np.float32([]), np.float32([1, 1, 0.6, 1.7])], dims(mode="linear")),
    Case("Resize", [np.float32([]), np.float32([]), integers(2, 4, 3, 11)], dims(mode="nearest")),
    *(
        Case(
            "Resize",
            [np.float32([]), np.float32([]), integers(2, 4, 12, 9)],
            dims(mode=mode, coordinate_transformation_mode=where),
        )
        for mode in ("nearest", "linear", "cubic")
        for where in ("half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric")
    ),
    Case("Resize", [np.float32([1, 1, 2, 3])], dims(mode="linear"), version=10),
    Case("Resize", [np.float32([1, 1, 1.5, 3])], dims(mode="nearest"), version=10),
    Case("Sin"),
    Case("Slice", [integers(1), integers(-1), integers(2)]),
    Case("Slice", [integers(0, 5), integers(2**62, -(2**62)), integers(1, 3), integers(2, -2)]),
    Case("Slice", [], dims(starts=[1, 0], ends=[3, 9], axes=[1, 3]), version=9),
    Case("Softplus"),
    Case("Sum", [noise(4, 1, 1), noise(6)]),
    Case("Tile", [integers(1, 2, 1, 3)]),
    Case("Where", [noise(2, 4, 7, 6) > 0, noise(4, 1, 1)], image_at=1),
    Case("PRelu", [noise(4, 1, 1)], shape=(1, 4, 5, 5)),
]


def case_model(case: Case) -> onnx.ModelProto:
    names = [f"w{number}" for number in range(len(case.weights))]
    inputs = [*names[: case.image_at], "x", *names[case.image_at :]]
    node = helper.make_node(case.operator, inputs, ["y"], **case.attributes)
    return make_model([node], dict(zip(names, map(np.asarray, case.weights), strict=True)), case.shape, case.version)


def case_image(case: Case) -> NDArray[np.float32]:
    return positive(*case.shape) if case.positive else noise(*case.shape)


def read(model: onnx.ModelProto) -> OnnxNetwork:
    return load_onnx_network(Path("tiny.onnx"), model.SerializeToString())


def run_oracle(model: onnx.ModelProto, image: NDArray[np.float32]) -> NDArray[np.float32]:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(model.SerializeToString(), options).run(None, {"x": image})[0]


def test_every_operator_is_tested() -> None:
    # What answers with integers, truth values or several tensors stands in the graphs below.
    graphs = [*DECISIONS.values(), *(family() for family in FAMILIES.values())]
    assert {case.operator for case in CASES} | {node.op_type for g in graphs for node in g.graph.node} == set(OPERATORS)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_operator_against_onnxruntime(case: Case) -> None:
    model, image = case_model(case), case_image(case)
    expected = run_oracle(model, image)
    found = read(model)(torch.tensor(image)).numpy()
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_operator_gradient(case: Case) -> None:
    network = read(case_model(case)).double()
    image = torch.tensor(case_image(case), dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(network, (image,), fast_mode=True)


def decision(*comparisons: str) -> onnx.ModelProto:
    """Comparisons joined by And, Or, Not choose between the image and a number."""
    nodes = [helper.make_node(operator, ["x", "limit"], [operator]) for operator in comparisons]
    nodes += [
        helper.make_node("Or", list(comparisons), ["either"]),
        helper.make_node("Not", ["either"], ["neither"]),
        helper.make_node("And", ["neither", "mask"], ["chosen"]),
        helper.make_node("Where", ["chosen", "x", "limit"], ["y"]),
    ]
    return make_model(nodes, {"limit": np.float32(0.2), "mask": noise(2, 4, 7, 6) > -1}, (2, 4, 7, 6), 16)


def rounded() -> onnx.ModelProto:
    """Sizes computed in floating point, as exports of older torch do; a range of places picks rows."""
    nodes = [
        helper.make_node("Shape", ["x"], ["shape"], start=2, end=3),
        helper.make_node("Cast", ["shape"], ["size"], to=TensorProto.FLOAT),
        helper.make_node("Div", ["size", "two"], ["half"]),
        helper.make_node("Floor", ["half"], ["low"]),
        helper.make_node("Ceil", ["half"], ["high"]),
        helper.make_node("Add", ["low", "high"], ["whole"]),
        helper.make_node("Cast", ["whole"], ["end"], to=TensorProto.INT64),
        helper.make_node("Squeeze", ["end", "zero"], ["last"]),
        helper.make_node("Range", ["first", "last", "step"], ["places"]),
        helper.make_node("Gather", ["x", "places"], ["y"], axis=2),
    ]
    weights = {"two": np.float32([2]), "zero": integers(0), "first": np.int64(1), "step": np.int64(2)}
    return make_model(nodes, weights, (2, 4, 7, 6), 15)


def split(version: int, sizes: Sequence[int] = (), as_input: bool = False, **attributes: object) -> onnx.ModelProto:
    """Two parts of the channels, one of them changed, in exchanged order."""
    weights = {"two": np.float32(2)} | ({"sizes": integers(*sizes)} if as_input else {})
    nodes = [
        helper.make_node("Split", ["x", "sizes"] if as_input else ["x"], ["a", "b"], axis=1, **attributes),
        helper.make_node("Mul", ["a", "two"], ["c"]),
        helper.make_node("Concat", ["b", "c"], ["y"], axis=1),
    ]
    return make_model(nodes, weights, (2, 4, 7, 6), version)


DECISIONS = {
    "greater_equal": decision("Greater", "Equal"),
    "less": decision("Less", "Equal"),
    "greater_or_less_or_equal": decision("GreaterOrEqual", "LessOrEqual"),
    "rounded": rounded(),
    "split": split(13),
    "split_11": split(11, split=[1, 3]),
    "split_13": split(13, [3, 1], as_input=True),
    "split_18": split(18, num_outputs=2),
}


@pytest.mark.parametrize("name", DECISIONS)
def test_decisions_and_sizes_against_onnxruntime(name: str) -> None:
    model, image = DECISIONS[name], noise(2, 4, 7, 6)
    found = read(model)(torch.tensor(image))
    np.testing.assert_allclose(found.numpy(), run_oracle(model, image), atol=1e-6)


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("batch", [1, 3])
def test_families_against_onnxruntime(name: str, batch: int) -> None:
    model = FAMILIES[name]()
    side = model.graph.input[0].type.tensor_type.shape.dim[2].dim_value
    image = noise(batch, 3, side, side)
    expected = run_oracle(model, image)
    np.testing.assert_allclose(read(model)(torch.tensor(image)).numpy(), expected, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("name", FAMILIES)
def test_family_gradients(name: str) -> None:
    model = FAMILIES[name]()
    side = model.graph.input[0].type.tensor_type.shape.dim[2].dim_value
    image = torch.tensor(noise(2, 3, side, side), dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(read(model).double(), (image,), fast_mode=True)


def test_half_precision_is_computed_in_single() -> None:
    model = tiny_recognizer()
    exact = read(model)(torch.ones(1, 3, 16, 16))
    for tensor in model.graph.initializer:
        tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor).astype(np.float16), tensor.name))
    found = read(model)(torch.ones(1, 3, 16, 16))
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, exact, atol=1e-2, rtol=0)


ACTIVATIONS = {
    "relu": ("Relu", [], {}),
    "clip": ("Clip", [np.float32(-0.3), np.float32(0.4)], {}),
    "leaky": ("LeakyRelu", [], {"alpha": 0.2}),
    "falling": ("LeakyRelu", [], {"alpha": -0.2}),
    "one slope": ("PRelu", [np.full((1, 1, 1), 0.3, np.float32)], {}),
    "slopes": ("PRelu", [noise(5, 1, 1)], {}),
}


@pytest.mark.parametrize("side", [1, 3])
@pytest.mark.parametrize("second_reader", [False, True])
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations_in_place_change_nothing_else(name: str, second_reader: bool, side: int) -> None:
    operator, weights, attributes = ACTIVATIONS[name]
    names = [f"a{number}" for number in range(len(weights))]
    nodes = [
        helper.make_node("Conv", ["x", "w", "b"], ["c"], pads=[side // 2] * 4),
        helper.make_node(operator, ["c", *names], ["d"], **attributes),
        helper.make_node("Add", ["d", "c" if second_reader else "d"], ["y"]),
    ]
    model = make_model(
        nodes, {"w": noise(5, 4, side, side), "b": noise(5)} | dict(zip(names, weights, strict=True)), (2, 4, 7, 6)
    )
    image, network = noise(2, 4, 7, 6), read(model)
    np.testing.assert_allclose(network(torch.tensor(image)).numpy(), run_oracle(model, image), atol=1e-5)
    exact = torch.tensor(image, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(network.double(), (exact,), fast_mode=True)
    folds = not second_reader and name not in ("falling", "slopes")
    assert len(network.steps) == (2 if folds else 3)


def batch_norm_graph(after: str) -> onnx.ModelProto:
    """Convolution -> bias -> batch norm -> factor, with a second reader of the convolution where `after` names it."""
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["c"], pads=[1, 1, 1, 1]),
        helper.make_node("Add", ["b", "c"], ["a"]),
        helper.make_node("BatchNormalization", ["a", "gamma", "beta", "mean", "variance"], ["n"]),
        helper.make_node("Mul", ["n", "m"], ["s"]),
        helper.make_node("Add", ["s", after], ["y"]),
    ]
    weights = {"w": noise(4, 4, 3, 3), "b": noise(1, 4, 1, 1), "m": noise(4, 1, 1), "variance": positive(4)}
    return make_model(nodes, weights | {key: noise(4) for key in ("gamma", "beta", "mean")}, (2, 4, 7, 6))


@pytest.mark.parametrize(("after", "steps"), [("x", 2), ("c", 5), ("a", 4), ("n", 3), ("s", 2)])
def test_channel_operators_fold_only_where_nobody_else_reads(after: str, steps: int) -> None:
    model, image = batch_norm_graph(after), noise(2, 4, 7, 6)
    network = read(model)
    assert len(network.steps) == steps
    np.testing.assert_allclose(network(torch.tensor(image)).numpy(), run_oracle(model, image), atol=2e-5)


def test_batch_norm_of_an_open_input_is_kept() -> None:
    nodes = [helper.make_node("BatchNormalization", ["x", *"abcd"], ["y"])]
    model = make_model(nodes, {"a": noise(4), "b": noise(4), "c": noise(4), "d": positive(4)}, (2, 4, 7, 6))
    assert len(read(model).steps) == 1


def test_shapes_computed_in_the_graph() -> None:
    """What exporters write for x.view(x.size(0), -1)."""
    nodes = [
        helper.make_node("Shape", ["x"], ["s"]),
        helper.make_node("Gather", ["s", "zero"], ["n"], axis=0),
        helper.make_node("Unsqueeze", ["n", "zeros"], ["n1"]),
        helper.make_node("Concat", ["n1", "rest"], ["target"], axis=0),
        helper.make_node("Reshape", ["x", "target"], ["y"]),
    ]
    model = make_model(nodes, {"zero": np.int64(0), "zeros": integers(0), "rest": integers(-1)}, ("n", 4, 7, 6))
    image = noise(3, 4, 7, 6)
    np.testing.assert_array_equal(read(model)(torch.tensor(image)).numpy(), run_oracle(model, image))


def test_integers_divide_to_integers() -> None:
    nodes = [
        helper.make_node("Shape", ["x"], ["s"]),
        helper.make_node("Div", ["s", "two"], ["half"]),
        helper.make_node("Reshape", ["x", "wanted"], ["r"]),
        helper.make_node("Gather", ["r", "half"], ["y"], axis=0),
    ]
    model = make_model(nodes, {"two": np.int64(2), "wanted": integers(-1)}, (2, 3, 7, 6))
    image = noise(2, 3, 7, 6)
    np.testing.assert_array_equal(read(model)(torch.tensor(image)).numpy(), run_oracle(model, image))


@pytest.mark.parametrize(
    ("name", "value"),
    [("value_float", 1.5), ("value_floats", [1.0, 2, 3, 4, 5, 6]), ("value", helper.make_tensor("t", 1, [1], [0.5]))],
)
def test_constants_are_weights(name: str, value: object) -> None:
    nodes = [helper.make_node("Constant", [], ["k"], **{name: value}), helper.make_node("Add", ["x", "k"], ["y"])]
    model, image = make_model(nodes, {}, (2, 4, 7, 6)), noise(2, 4, 7, 6)
    np.testing.assert_allclose(read(model)(torch.tensor(image)).numpy(), run_oracle(model, image), atol=1e-6)


def test_what_does_not_depend_on_the_image_is_computed_once() -> None:
    nodes = [
        helper.make_node("Sqrt", ["a"], ["b"]),
        helper.make_node("Transpose", ["b"], ["c"]),
        helper.make_node("MatMul", ["x", "c"], ["y"]),
    ]
    network = read(make_model(nodes, {"a": positive(3, 6)}, (2, 6)))
    assert len(network.steps) == 1 and len(list(network.buffers())) == 1


def broken(change) -> bytes:
    model = tiny_recognizer()
    change(model)
    return model.SerializeToString()


def outside(model: onnx.ModelProto) -> None:
    tensor = model.graph.initializer[0]
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="../../etc/passwd")


def short(model: onnx.ModelProto) -> None:
    model.graph.initializer[0].raw_data = b"1234"


def rename(model: onnx.ModelProto) -> None:
    model.graph.node[1].input[0] = "nowhere"


def second_input(model: onnx.ModelProto) -> None:
    model.graph.input.add().CopyFrom(helper.make_tensor_value_info("z", TensorProto.FLOAT, [1]))


def set_node(operator: str, domain: str = "", **attributes: object):
    def change(model: onnx.ModelProto) -> None:
        model.graph.node[1].CopyFrom(helper.make_node(operator, ["c"], ["r"], domain=domain, **attributes))

    return change


def set_version(version: int):
    def change(model: onnx.ModelProto) -> None:
        model.opset_import[0].version = version

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (set_node("GridSample"), "the operator GridSample of 'r' is not known; export the model without it, known are"),
        (set_node("Relu", "com.microsoft"), r"the operator com\.microsoft\.Relu of 'r' is not known"),
        (
            set_node("AveragePool", kernel_shape=[2, 2], ceil_mode=1),
            "AveragePool of 'r' has ceil_mode = 1 or dilations other than 1; export it without",
        ),
        (set_node("MaxPool", kernel_shape=[2, 2, 2]), r"MaxPool of 'r' has kernel_shape = \[2, 2, 2\]; only two"),
        (set_node("MaxPool"), "MaxPool of 'r' has damaged attributes .*kernel_shape"),
        (outside, "the weights 'w' lie outside the file; save the model with its weights inside"),
        (short, "the weights 'w' are damaged"),
        (rename, "Relu of 'r' reads 'nowhere', which nothing computes"),
        (second_input, "2 inputs and 1 outputs, but a recognizer has one image and one embedding"),
        (lambda model: model.graph.node.pop(), "nothing computes the output 'y'"),
        (lambda model: model.graph.ClearField("node"), "an ONNX file without a graph"),
        (set_version(3), "operator set 3 is not one of 7 to 21"),
        (set_version(99), "operator set 99 is not one of 7 to 21"),
    ],
)
def test_what_cannot_be_read_is_named(change, message: str) -> None:
    with pytest.raises(RecognizerError, match=r"tiny\.onnx: .*" + message) as caught:
        load_onnx_network(Path("tiny.onnx"), broken(change))
    assert "\n" not in str(caught.value)


def test_damaged_bytes_never_escape_as_another_error() -> None:
    whole = batch_norm_graph("x").SerializeToString()
    random, refused = np.random.default_rng(0), 0
    for _ in range(300):
        damaged = bytearray(whole[: random.integers(1, len(whole) + 1)])
        for place in random.integers(0, len(damaged), 3):
            damaged[place] = random.integers(256)
        try:
            load_onnx_network(Path("x.onnx"), bytes(damaged))
        except RecognizerError:
            refused += 1
    assert refused > 200


@pytest.fixture(scope="module")
def real(shared):
    return load_recognizers(shared / "models")[1:]


@pytest.mark.parametrize("index", [0, 1], ids=["intel_reid_0095", "mobilefacenet_ms1m"])
def test_real_recognizers_against_onnxruntime(real, index: int) -> None:
    recognizer = real[index]
    spec = recognizer.spec
    low, high = (0.0, 255.0) if spec.scale == 255 else (-2.2, 2.6)
    image = np.random.default_rng(0).uniform(low, high, (4, 3, spec.height_px, spec.width_px)).astype(np.float32)
    expected = onnxruntime.InferenceSession(recognizer.origin).run(None, {"image": image})[0]
    np.testing.assert_allclose(recognizer.network(torch.tensor(image)).numpy(), expected, atol=1e-4)


@pytest.mark.parametrize("index", [0, 1], ids=["intel_reid_0095", "mobilefacenet_ms1m"])
def test_real_recognizers_gradients(real, index: int) -> None:
    spec, path = real[index].spec, Path(real[index].origin)
    recognizer = Recognizer(spec, load_onnx_network(path, path.read_bytes()).double(), path.name)
    size = (1, 3, spec.height_px, spec.width_px)
    crop = torch.tensor(np.random.default_rng(0).random(size), requires_grad=True)
    (gradient,) = torch.autograd.grad(recognizer.embed(crop).sum(), crop)
    for seed in range(3):
        move = torch.tensor(np.random.default_rng(seed).normal(size=size))
        with torch.no_grad():
            ahead, behind = recognizer.embed(crop + 1e-9 * move), recognizer.embed(crop - 1e-9 * move)
        change = float((ahead - behind).sum()) / 2e-9
        assert float((gradient * move).sum()) == pytest.approx(change, rel=1e-4)
