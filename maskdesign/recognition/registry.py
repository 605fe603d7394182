"""Which recognizers are at hand: dlib's from PyPI, the small ones of this project, and the user's own files."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

from maskdesign.errors import RecognizerError
from maskdesign.recognition.dlib_net import PACKAGE_NAME, check_digest, dlib_spec, load_dlib_network
from maskdesign.recognition.onnx_file import read_weights
from maskdesign.recognition.onnx_graph import OnnxNetwork, load_onnx_network
from maskdesign.recognition.own_file import SHIPPED, SUFFIX, load_own_recognizer
from maskdesign.recognition.recognizer import Recognizer, answer_shape
from maskdesign.recognition.spec import load_spec

MODELS_VARIABLE = "MASKDESIGN_MODELS"
BLACK_BOXES_VARIABLE = "MASKDESIGN_BLACK_BOXES"
"""A specification may name a command to run or a service to send faces to: only with this set to "allow"."""
UNCALIBRATED = "has no thresholds yet; run `maskdesign models calibrate` with pairs of photos, or take its .toml away"


def load_recognizers(models_dir: Path | None, names: Collection[str] = ()) -> list[Recognizer]:
    """Every recognizer at hand: dlib's, the surrogates of this package that are asked for, and the user's own, sorted.

    Args:
        models_dir: folder of .onnx and .safetensors files with a .toml beside each; None takes the folder of the
            environment variable MASKDESIGN_MODELS, or none.
        names: of recognizers that are wanted. Surrogates of this package cost time and join only by name; one of that
            name in the folder goes before.

    Raises:
        RecognizerError: no such folder, two recognizers of one name, a damaged, unknown or misdescribed file, or one
            that is not calibrated.
    """
    own = {toml.stem for toml in described_recognizers(models_dir)}
    shipped = [toml for toml in shipped_recognizers() if toml.stem in names and toml.stem not in own]
    recognizers = [load_dlib_recognizer(), *map(load_described, shipped)]
    recognizers += sorted(map(load_described, described_recognizers(models_dir)), key=lambda entry: entry.spec.name)
    _check_names(recognizers)
    for recognizer in recognizers:
        if not recognizer.spec.is_calibrated:
            raise RecognizerError(f"{recognizer.origin}: {UNCALIBRATED}")
    return recognizers


def load_dlib_recognizer() -> Recognizer:
    """The recognizer that every installation has.

    Raises:
        RecognizerError: the package face_recognition_models is missing or damaged.
    """
    return Recognizer(dlib_spec(), load_dlib_network(), f"PyPI {PACKAGE_NAME}")


def load_onnx_recognizer(path: Path) -> Recognizer:
    """A recognizer from an .onnx file and the .toml beside it.

    Raises:
        InputError: a file is missing.
        RecognizerError: damaged, not as the .toml says, or with an unknown operator.
    """
    spec = load_spec(path.with_suffix(".toml"))
    if spec.file != path.name:
        raise RecognizerError(f"{path.with_suffix('.toml')}: file = {spec.file!r} is not {path.name!r}; correct it")
    data = read_weights(path)
    if spec.sha256:
        check_digest(path, data, spec.sha256, "get it again, or correct the sha256 in its .toml")
    spec = replace(spec, sha256=hashlib.sha256(data).hexdigest())
    network = load_onnx_network(path, data)
    recognizer = Recognizer(spec, network, str(path))
    _check_fit(path, network, recognizer)
    return recognizer


def _folder(models_dir: Path | None) -> Path | None:
    folder = models_dir or (Path(os.environ[MODELS_VARIABLE]) if os.environ.get(MODELS_VARIABLE) else None)
    if folder is not None and not folder.is_dir():
        raise RecognizerError(f"{folder}: not a folder; name one that holds .onnx files with a .toml beside each")
    return folder


def weight_files(models_dir: Path | None) -> list[Path]:
    """Files of weights in a folder, described or not; see `load_recognizers`."""
    folder = _folder(models_dir)
    if folder is None:
        return []
    # A training keeps its checkpoint beside the weights.
    own = [path for path in folder.glob(f"*{SUFFIX}") if path.with_suffix(".toml").exists()]
    return sorted([*folder.glob("*.onnx"), *own])


def shipped_recognizers() -> list[Path]:
    """The .toml files of the surrogates that come with this package."""
    return sorted(SHIPPED.glob("*.toml"))


def described_recognizers(models_dir: Path | None) -> list[Path]:
    """The .toml files of a folder that stand beside weights, and allowed black boxes; see `load_recognizers`."""
    beside = [path.with_suffix(".toml") for path in weight_files(models_dir) if path.with_suffix(".toml").is_file()]
    return beside + (black_boxes(models_dir) if black_boxes_allowed() else [])


def load_described(toml: Path) -> Recognizer:
    """A recognizer from its specification: the weights beside it, or the black box that it names."""
    if toml.with_suffix(SUFFIX).is_file():
        return load_own_recognizer(toml.with_suffix(SUFFIX))
    if toml.with_suffix(".onnx").is_file():
        return load_onnx_recognizer(toml.with_suffix(".onnx"))
    return _load_black_box(toml)


def black_boxes(models_dir: Path | None) -> list[Path]:
    """The .toml files of a folder that name a command or a service, allowed or not."""
    folder = _folder(models_dir)
    tomls = sorted(folder.glob("*.toml")) if folder else []
    alone = [path for path in tomls if not any(path.with_suffix(s).exists() for s in (".onnx", SUFFIX))]
    return [path for path in alone if "black_box" in path.read_text("utf-8")]


def black_boxes_allowed() -> bool:
    """Whether the user trusts the commands and addresses of the folder's specifications."""
    return os.environ.get(BLACK_BOXES_VARIABLE) == "allow"


def not_asked(toml: Path) -> str:
    """What to say of a black box that is not allowed."""
    return f"black box, not asked: set {BLACK_BOXES_VARIABLE}=allow where you trust {toml.name}"


def _load_black_box(toml: Path) -> Recognizer:
    from maskdesign.recognition.black_box import embedding_box, score_box
    from maskdesign.recognition.remote import Command, remote_embed, remote_score, service

    spec = load_spec(toml)
    box = spec.black_box
    if box is None:
        raise RecognizerError(f"{toml}: {spec.file} does not lie beside it; put it there")
    # What was asked before must not pass for an answer of another command or address.
    spec = replace(spec, sha256=hashlib.sha256(repr(sorted(box.items())).encode()).hexdigest())
    way = (
        Command(spec.name, box["command"], box["timeout_s"])
        if "command" in box
        else service(spec.name, box["url"], box["timeout_s"])
    )
    if box["answers"] == "scores":
        return score_box(spec, remote_score(spec.name, way), str(toml))
    return embedding_box(spec, remote_embed(spec.name, way), str(toml))


def _check_names(recognizers: list[Recognizer]) -> None:
    origins: dict[str, str] = {}
    for recognizer in recognizers:
        name = recognizer.spec.name
        if name in origins:
            raise RecognizerError(
                f"{recognizer.origin}: the name {name!r} is taken by {origins[name]}; change one in its .toml"
            )
        origins[name] = recognizer.origin


def _check_fit(path: Path, network: OnnxNetwork, recognizer: Recognizer) -> None:
    spec, toml = recognizer.spec, path.with_suffix(".toml")
    wanted = (3, spec.height_px, spec.width_px)
    stated = network.input_shape[1:]
    if len(stated) == 3 and any(has not in (0, wants) for has, wants in zip(stated, wanted, strict=True)):
        raise RecognizerError(
            f"{toml}: input of {spec.height_px} x {spec.width_px} px, but the graph of {path.name} takes "
            f"{' x '.join(map(str, stated))}; correct width and height"
        )
    shape = answer_shape(path, recognizer, f"correct width and height in {toml.name} or get it again")
    if shape != (2, spec.embedding_size):
        raise RecognizerError(
            f"{toml}: embedding_size = {spec.embedding_size}, but the graph answers two crops with "
            f"{' x '.join(map(str, shape))}; correct it"
        )
