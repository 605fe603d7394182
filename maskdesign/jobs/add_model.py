"""New recognizers in the user's folder: from an ONNX file at hand, or from its official address."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

from maskdesign.errors import InputError, RecognizerError, UsageError
from maskdesign.files import write_bytes
from maskdesign.progress import Progress
from maskdesign.recognition.dlib_net import check_digest
from maskdesign.recognition.download import download
from maskdesign.recognition.onnx_file import read_weights
from maskdesign.recognition.onnx_graph import load_onnx_network
from maskdesign.recognition.presets import SOURCES, TEMPLATES, Source, uncalibrated_spec
from maskdesign.recognition.recognizer import Recognizer, answer_shape
from maskdesign.recognition.spec import RecognizerSpec, save_spec


def add_model(file: Path, folder: Path, template: str, pixels: str, licence: str) -> RecognizerSpec:
    """Copy an ONNX file into the folder and write its specification, once it is known to run.

    Nothing is written before the graph was read, its size fits the template, and it answered.

    Args:
        template, pixels: keys of `TEMPLATES` and `PIXELS`.
        licence: of the weights, for reports.

    Raises:
        RecognizerError: damaged, an unknown operator, a size of another shape than the template, or no embedding.
        UsageError: the folder holds another recognizer of that name.
    """
    target = folder / file.name
    data = read_weights(file)
    if file.suffix != ".onnx":
        raise UsageError(f"{file}: not named .onnx; rename it")
    if target.with_suffix(".toml").exists():
        raise UsageError(f"{target.with_suffix('.toml')}: exists; take it away or rename {file.name}")
    source = Source("", file.name, "", 0, licence, template, pixels, "not stated", "not stated")
    spec = describe(file, data, source)
    if target.resolve() != file.resolve():
        write_bytes(target, data)
    save_spec(target.with_suffix(".toml"), spec)
    return spec


def describe(file: Path, data: bytes, source: Source) -> RecognizerSpec:
    """A specification without thresholds, from the graph and a source's words.

    Raises:
        RecognizerError: as for `add_model`.
    """
    network = load_onnx_network(file, data)
    template = TEMPLATES[source.template]
    # An extent that the graph leaves open is the template's own.
    stated = (*network.input_shape, 0, 0, 0, 0)
    height, width = stated[2] or template.height_px, stated[3] or template.width_px
    scaled = template.scaled(width, height)
    if scaled is None:
        fitting = [name for name, other in TEMPLATES.items() if other.scaled(width, height)]
        hint = f"take one of {', '.join(fitting)}" if fitting else "write its .toml by hand"
        raise RecognizerError(
            f"{file}: takes {width} x {height} px, which is no {source.template} template "
            f"({template.width_px} x {template.height_px}); {hint}"
        )
    told = replace(source, sha256=hashlib.sha256(data).hexdigest())
    spec = uncalibrated_spec(file.stem, told, scaled, embedding_size=1)
    return replace(spec, embedding_size=_embedding_size(file, Recognizer(spec, network, str(file))))


def _embedding_size(file: Path, recognizer: Recognizer) -> int:
    shape = answer_shape(file, recognizer, "export it with a free batch and one face a crop")
    if len(shape) != 2 or shape[0] != 2:
        raise RecognizerError(f"{file}: answers two crops with {shape}; a recognizer gives one row each")
    return shape[1]


def pull_model(name: str, folder: Path, progress: Progress) -> RecognizerSpec:
    """Download a public recognizer from its official address, check its digest, and describe it.

    The caller has shown the licence and asked.

    Raises:
        InputError: no such source.
        RecognizerError: the connection broke (the same call goes on), or another content.
    """
    source = known_source(name)
    target = folder / source.file
    if target.exists():
        check_digest(target, target.read_bytes(), source.sha256, "take it away and pull again")
    else:
        progress.stage(f"Download {name}")
        download(source.url, target, source.sha256, source.size_bytes, progress)
    spec = describe(target, target.read_bytes(), source)
    if not target.with_suffix(".toml").exists():
        save_spec(target.with_suffix(".toml"), spec)
    return spec


def known_source(name: str) -> Source:
    """A public recognizer by name.

    Raises:
        InputError: unknown; names those that are known.
    """
    if name not in SOURCES:
        raise InputError(f"{name}: no recognizer with an official address here; known are {', '.join(SOURCES)}")
    return SOURCES[name]
