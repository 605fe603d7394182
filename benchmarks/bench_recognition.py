"""Recognizers against their own reference implementations, and what a gradient costs."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from maskdesign.recognition.recognizer import Recognizer, normalize_crops
from maskdesign.recognition.registry import MODELS_VARIABLE, load_dlib_recognizer, load_recognizers
from tests.dlib_chips import astronaut_chip, dlib_oracle

DOCS = Path(__file__).resolve().parents[1] / "docs"
# Accuracy and TPR at FMR 1e-3 measured while planning, on 806 photos of 433 other people, aligned from 68 points.
LFW_GOALS = {"dlib": (0.987, 0.914), "intel_reid_0095": (0.998, 0.993), "mobilefacenet_ms1m": (0.994, 0.986)}
BATCH = 8
ROUNDS = 7


def figures(models_dir: Path | None = None) -> dict[str, dict]:
    """Figures of dlib, and of the ONNX recognizers in a folder or in MASKDESIGN_MODELS."""
    torch.set_num_threads(1)
    found = {
        "dlib_parity": _figure(dlib_parity(), 1e-5, "abs"),
        "dlib_gradient_error": _figure(gradient_error(load_dlib_recognizer()), 1e-5, "relative"),
        "dlib_forward_backward": _figure(milliseconds_per_image(load_dlib_recognizer()), 30.0, "ms/image"),
    }
    found |= lfw_figures()
    if models_dir or os.environ.get(MODELS_VARIABLE):
        for recognizer in load_recognizers(models_dir)[1:]:
            found |= onnx_figures(recognizer)
    return found


def lfw_figures() -> dict[str, dict]:
    """Clean rates on LFW, as `maskdesign models calibrate` measured them (docs/lfw.json says on which photos)."""
    measured = json.loads((DOCS / "lfw.json").read_text())["recognizers"]
    figures = {}
    for name, (accuracy, tpr) in LFW_GOALS.items():
        for kind, value, goal in (
            ("accuracy", measured[name]["accuracy"], accuracy),
            ("tpr_at_fmr_1e3", measured[name]["tpr"]["1e-3"], tpr),
        ):
            figures[f"lfw_{name}_{kind}"] = _figure(value, goal, "share", "recognition") | {"better": "higher"}
    return figures


def onnx_figures(recognizer: Recognizer) -> dict[str, dict]:
    name = recognizer.spec.name
    parity, ratio = against_onnxruntime(recognizer)
    return {
        f"{name}_parity": _figure(parity, 1e-4, "abs"),
        f"{name}_forward_backward": _figure(milliseconds_per_image(recognizer), None, "ms/image"),
        f"{name}_forward_over_onnxruntime": _figure(ratio, 1.3, "ratio", "recognition"),
    }


def dlib_parity() -> float:
    """Largest difference of an embedding's entry from dlib's own, on dlib's own chip of the astronaut."""
    chip = astronaut_chip()
    expected = np.array(dlib_oracle().compute_face_descriptor(chip.pixels))
    with torch.no_grad():
        return float(np.abs(load_dlib_recognizer().embed(chip.tensor)[0].numpy() - expected).max())


def gradient_error(recognizer: Recognizer) -> float:
    """Single precision gradient against central differences in float64, relative, worst of six directions."""
    noise = torch.tensor(np.random.default_rng(0).random((1, 3, 150, 150)))
    crop = (astronaut_chip().tensor.double() * 0.98 + 0.02 * noise).requires_grad_()
    single = crop.detach().float().requires_grad_()
    (gradient,) = torch.autograd.grad(recognizer.embed(single).sum(), single)
    exact = Recognizer(recognizer.spec, load_dlib_recognizer().network.double(), recognizer.origin)
    errors = []
    for seed in range(6):
        move = torch.tensor(np.random.default_rng(seed + 1).normal(size=crop.shape))
        with torch.no_grad():
            change = float((exact.embed(crop + 1e-9 * move) - exact.embed(crop - 1e-9 * move)).sum()) / 2e-9
        errors.append(abs(float((gradient.double() * move).sum()) - change) / abs(change))
    return max(errors)


def milliseconds_per_image(recognizer: Recognizer) -> float:
    """Forward and backward to the crops, least of several rounds, process time."""
    crops = _crops(recognizer).requires_grad_()
    return _least_seconds(lambda: torch.autograd.grad(recognizer.embed(crops).sum(), crops)) / BATCH * 1e3


def against_onnxruntime(recognizer: Recognizer) -> tuple[float, float]:
    """Largest difference on the same input, and the ratio of the forward passes' process time."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(recognizer.origin, options)
    image = session.get_inputs()[0].name
    crops = normalize_crops(_crops(recognizer), recognizer.spec)
    fed = {image: crops.numpy()}
    channels_last = crops.contiguous(memory_format=torch.channels_last)
    with torch.no_grad():
        difference = np.abs(recognizer.network(channels_last).numpy() - session.run(None, fed)[0]).max()
        own = _least_seconds(lambda: recognizer.network(channels_last))
    return float(difference), own / _least_seconds(lambda: session.run(None, fed))


def _crops(recognizer: Recognizer) -> torch.Tensor:
    spec = recognizer.spec
    return torch.rand(BATCH, 3, spec.height_px, spec.width_px, generator=torch.Generator().manual_seed(0))


def _least_seconds(work: Callable[[], object]) -> float:
    work()
    seconds = []
    for _ in range(ROUNDS):
        start = time.process_time()
        work()
        seconds.append(time.process_time() - start)
    return min(seconds)


def _figure(value: float, goal: float | None, unit: str, issue: str = "spine") -> dict:
    return {"value": value, "goal": goal, "better": "lower", "unit": unit, "issue": issue}
