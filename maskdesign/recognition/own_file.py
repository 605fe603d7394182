"""Recognizers that this project trains: float16 weights as safetensors beside a specification, checked before use."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load, save
from torch import Tensor, nn

from maskdesign.errors import RecognizerError
from maskdesign.files import PACKAGE, check_readable, write_bytes
from maskdesign.recognition.dlib_net import check_digest
from maskdesign.recognition.presets import TEMPLATES, Source, uncalibrated_spec
from maskdesign.recognition.recognizer import Recognizer
from maskdesign.recognition.small_nets import ARCHITECTURES, EMBEDDING_SIZE, fold_norms
from maskdesign.recognition.spec import OWN_SUFFIX as SUFFIX
from maskdesign.recognition.spec import RecognizerSpec, load_spec

MAX_BYTES = 64 << 20
SHIPPED = PACKAGE / "recognition" / "weights"
"""Weights that come with the package."""


def own_spec(name: str, architecture: str, training_set: str, licence: str) -> RecognizerSpec:
    """A specification without weights and thresholds: the ArcFace template, pixels from -1 to 1, cosines."""
    source = Source("", name + SUFFIX, "", 0, licence, "arcface", "half", architecture, training_set)
    return uncalibrated_spec(name, source, TEMPLATES[source.template], EMBEDDING_SIZE)


def save_network(path: Path, network: nn.Module, architecture: str) -> str:
    """Write weights as float16, atomically; returns their sha256."""
    tensors = {name: value.detach().cpu().half().contiguous() for name, value in _kept(network.state_dict()).items()}
    data = save(tensors, metadata={"architecture": architecture})
    write_bytes(path, data)
    return hashlib.sha256(data).hexdigest()


def _kept(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    # Counters of batches mean nothing once a network is trained.
    return {name: value for name, value in state.items() if not name.endswith("num_batches_tracked")}


def load_own_recognizer(path: Path) -> Recognizer:
    """A recognizer from a .safetensors file and the .toml beside it.

    Raises:
        InputError: a file is missing.
        RecognizerError: damaged, with another digest than the .toml states, or of another architecture.
    """
    toml = path.with_suffix(".toml")
    spec = load_spec(toml)
    if spec.file != path.name:
        raise RecognizerError(f"{toml}: file = {spec.file!r} is not {path.name!r}; correct it")
    data = read_own_weights(path)
    if spec.sha256:
        check_digest(path, data, spec.sha256, "get it again, or correct the sha256 in its .toml")
    network = build_network(path, data)
    # The layout that batches come in: the weights stay as they are turned here.
    network = fold_norms(network).requires_grad_(False)
    network = network.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    return Recognizer(replace(spec, sha256=hashlib.sha256(data).hexdigest()), network, str(path))


def read_own_weights(path: Path) -> bytes:
    """The content of a file of weights, of at most 64 MiB.

    Raises:
        InputError: missing, or may not be read.
        RecognizerError: larger.
    """
    check_readable(path)
    if path.stat().st_size > MAX_BYTES:
        raise RecognizerError(f"{path}: larger than {MAX_BYTES >> 20} MiB, no weights of this project; take it away")
    return path.read_bytes()


def build_network(path: Path, data: bytes) -> nn.Module:
    """The network of a file's own architecture with its weights, in float32.

    Raises:
        RecognizerError: damaged, or not the weights of the architecture that it names.
    """
    name = named_architecture(path)
    try:
        tensors = load(data)
    except (SafetensorError, ValueError) as error:
        raise _unreadable(path, error) from error
    if name not in ARCHITECTURES:
        known = ", ".join(ARCHITECTURES)
        raise RecognizerError(f"{path}: is of the architecture {name!r}, known are {known}; train it again")
    network = ARCHITECTURES[name]()
    _check_tensors(path, name, _kept(network.state_dict()), tensors)
    network.load_state_dict({key: value.float() for key, value in tensors.items()}, strict=False)
    return network


def named_architecture(path: Path) -> str:
    """The architecture that a file of weights names; empty where it names none.

    Raises:
        RecognizerError: damaged.
    """
    try:
        with safe_open(path, framework="pt") as file:
            return (file.metadata() or {}).get("architecture", "")
    except (SafetensorError, OSError, ValueError) as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: Exception) -> RecognizerError:
    return RecognizerError(f"{path}: not a readable safetensors file ({error}); get it again")


def _check_tensors(path: Path, name: str, wanted: Mapping[str, Tensor], given: Mapping[str, Tensor]) -> None:
    wrong = sorted(
        key
        for key in {*wanted, *given}
        if key not in wanted or key not in given or wanted[key].shape != given[key].shape
    )
    if wrong:
        raise RecognizerError(f"{path}: {wrong[0]!r} does not fit the architecture {name}; train it again")
    broken = sorted(key for key, value in given.items() if not torch.isfinite(value).all())
    if broken:
        raise RecognizerError(f"{path}: {broken[0]!r} holds values that are not finite; train it again")
