"""A `face_landmarker.task` built from the models in mediapipe's wheel, to stand for the file that a user downloads."""

from __future__ import annotations

import zipfile
from pathlib import Path

import flatbuffers
import mediapipe
import numpy as np
from mediapipe.tasks.metadata import schema_py_generated as schema
from mediapipe.tasks.python.metadata.metadata_writers.metadata_writer import MetadataWriter

MODULES = Path(mediapipe.__file__).parent / "modules"
LANDMARKS, WANTED = 468 * 3, 478 * 3


def write_task(path: Path) -> Path:
    """Detector and face mesh as the bundle that mediapipe's tasks read; the ten points of the irises are zeros."""
    models = {
        "face_detector.tflite": (MODULES / "face_detection/face_detection_short_range.tflite").read_bytes(),
        "face_landmarks_detector.tflite": _padded((MODULES / "face_landmark/face_landmark.tflite").read_bytes()),
    }
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name, model in models.items():
            archive.writestr(name, _described(model))
    return path


def _described(model: bytes) -> bytes:
    writer = MetadataWriter.create(bytearray(model))
    writer.add_general_info("face", "from the wheel")
    writer.add_image_input([127.5], [127.5])
    return bytes(writer.populate()[0])


def _padded(model: bytes) -> bytes:
    """The mesh with its first output padded from 468 to 478 points."""
    tree = schema.ModelT.InitFromObj(schema.Model.GetRootAs(bytearray(model), 0))
    graph = tree.subgraphs[0]
    paddings = schema.BufferT()
    paddings.data = np.frombuffer(np.array([[0, 0]] * 3 + [[0, WANTED - LANDMARKS]], np.int32).tobytes(), np.uint8)
    tree.buffers += [paddings, schema.BufferT()]
    widths = schema.TensorT()
    widths.shape, widths.type, widths.buffer, widths.name = [4, 2], schema.TensorType.INT32, len(tree.buffers) - 2, b"p"
    result = schema.TensorT()
    result.shape, result.buffer, result.name = [1, 1, 1, WANTED], len(tree.buffers) - 1, b"mesh"
    graph.tensors += [widths, result]
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.PAD
    code.version = 1
    tree.operatorCodes.append(code)
    pad = schema.OperatorT()
    pad.opcodeIndex = len(tree.operatorCodes) - 1
    pad.inputs, pad.outputs = [graph.outputs[0], len(graph.tensors) - 2], [len(graph.tensors) - 1]
    graph.operators.append(pad)
    graph.outputs = [len(graph.tensors) - 1, *graph.outputs[1:]]
    builder = flatbuffers.Builder(1 << 21)
    builder.Finish(tree.Pack(builder), b"TFL3")
    return bytes(builder.Output())
