"""The lines of `maskdesign models list`: what is at hand, without building a network."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from maskdesign.errors import MaskdesignError
from maskdesign.recognition.dlib_net import PACKAGE_NAME, check_digest, dlib_spec, dlib_weights_path
from maskdesign.recognition.onnx_file import read_weights
from maskdesign.recognition.own_file import SUFFIX, read_own_weights
from maskdesign.recognition.registry import (
    UNCALIBRATED,
    black_boxes,
    black_boxes_allowed,
    not_asked,
    shipped_recognizers,
    weight_files,
)
from maskdesign.recognition.spec import RecognizerSpec, load_spec

READY = "ready"
OTHERS, THIS_PROJECT = "others", "maskdesign"


@dataclass(frozen=True)
class RecognizerRow:
    """A line of `maskdesign models list`. `status` is "ready", or what is wrong; unknown fields are empty then.

    `maker` is "others", or "maskdesign" for surrogates that this project trains.
    """

    name: str
    embedding_size: int
    metric: str
    thresholds: Mapping[str, float]
    licence: str
    sha256: str
    path: str
    status: str
    maker: str = OTHERS

    def __str__(self) -> str:
        if self.status != READY:
            return f"{self.name:<20} {self.status}"
        limits = ", ".join(f"{fmr}: {score:g}" for fmr, score in self.thresholds.items())
        about = f"{self.embedding_size:>4} {self.metric:<6}  thresholds by FMR {limits}"
        own = "  a surrogate of this project" if self.maker == THIS_PROJECT else ""
        return f"{self.name:<20} {about}  {self.licence}  sha256 {self.sha256[:12]}  {self.path}{own}"


def list_recognizers(models_dir: Path | None) -> list[RecognizerRow]:
    """What `load_recognizers` could find, without building a network; problems stand in the rows' status.

    Raises:
        RecognizerError: no such folder.
    """
    rows = [*map(_file_row, weight_files(models_dir)), *map(_black_box_row, black_boxes(models_dir))]
    shipped = [_file_row(toml.with_suffix(SUFFIX)) for toml in shipped_recognizers()]
    return [_dlib_row(), *sorted(rows, key=lambda row: row.name), *shipped]


def _dlib_row() -> RecognizerRow:
    spec = dlib_spec()
    try:
        path = dlib_weights_path(spec)
        check_digest(path, path.read_bytes(), spec.sha256, f"pip install --force-reinstall {PACKAGE_NAME}==0.3.0")
    except (MaskdesignError, OSError) as error:
        return _row(spec, PACKAGE_NAME, str(error))
    return _row(spec, str(path), READY)


def _file_row(path: Path) -> RecognizerRow:
    described = path.with_suffix(".toml")
    if not described.is_file():
        return RecognizerRow(
            path.stem, 0, "", {}, "", "", str(path), f"not used: write a specification to {described.name}"
        )
    try:
        own = path.suffix == SUFFIX
        spec, data = load_spec(described), (read_own_weights if own else read_weights)(path)
        if spec.sha256:
            check_digest(path, data, spec.sha256, "get it again, or correct the sha256 in its .toml")
    except MaskdesignError as error:
        return RecognizerRow(path.stem, 0, "", {}, "", "", str(path), str(error))
    status = READY if spec.is_calibrated else UNCALIBRATED
    row = _row(replace(spec, sha256=hashlib.sha256(data).hexdigest()), str(path), status)
    return replace(row, maker=THIS_PROJECT if own else OTHERS)


def _black_box_row(toml: Path) -> RecognizerRow:
    try:
        spec = load_spec(toml)
    except MaskdesignError as error:
        return RecognizerRow(toml.stem, 0, "", {}, "", "", str(toml), str(error))
    if not black_boxes_allowed():
        return _row(spec, str(toml), not_asked(toml))
    return _row(spec, str(toml), READY if spec.is_calibrated else UNCALIBRATED)


def _row(spec: RecognizerSpec, path: str, status: str) -> RecognizerRow:
    return RecognizerRow(
        spec.name, spec.embedding_size, spec.metric, spec.thresholds, spec.licence, spec.sha256, path, status
    )
