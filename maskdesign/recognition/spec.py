"""`RecognizerSpec`: everything about a recognizer but its weights, read from a TOML file."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from torch import Tensor

from maskdesign.config import mapping_to_toml
from maskdesign.errors import RecognizerError
from maskdesign.files import check_readable, write_text
from maskdesign.recognition import spec_values

FIVE_POINTS = ("eye_left", "eye_right", "nose_tip", "mouth_left", "mouth_right")
"""What a five-point template means where the TOML names no points: eye centers, nose tip, mouth corners."""

MAX_SIDE_PX = 1024
OWN_SUFFIX = ".safetensors"
"""Of the weights of recognizers that this project trains."""
MAX_SPEC_BYTES = 1 << 20


@dataclass(frozen=True)
class RecognizerSpec:
    """How to feed a recognizer and how to read its answer.

    Attributes:
        name: unique among the recognizers at hand.
        file: name of the weights, without folders.
        sha256: of the weights; empty where the TOML states none.
        licence, architecture, training_set: for reports.
        embedding_size: length of an embedding.
        width_px, height_px: size of a crop.
        channels: "rgb" or "bgr", the order that the network wants.
        scale, mean, std: the network gets (scale * x - mean) / std for x in [0, 1], mean and std in its own order.
        metric: "cosine" or "l2".
        points: names of the n landmarks that align a crop.
        template_px: n places of these landmarks in the crop.
        thresholds: FMR as text ("1e-2", "1e-3") -> score from which on two faces count as one person; empty until the
            recognizer is calibrated.
        genuine_mean, impostor_mean: mean score of pairs of one person, and of two persons; nan until then.
        black_box: for one without weights here: `command` (words) or `url`, `answers` ("embeddings" or "scores") and
            `timeout_s`; None for a network.
        pair_score: (B, E) probes and whom they claim to be -> (B,) scores, for a black box that compares pairs itself;
            None takes `metric`.

    Convention: thresholds and means are scores, higher = more alike; for "l2" they are minus the distance.
        Pixel centers of the crop lie at +0.5. Left and right are the picture's.
    """

    name: str
    file: str
    sha256: str
    licence: str
    architecture: str
    training_set: str
    embedding_size: int
    width_px: int
    height_px: int
    channels: str
    scale: float
    mean: tuple[float, ...]
    std: tuple[float, ...]
    metric: str
    points: tuple[str, ...]
    template_px: tuple[tuple[float, float], ...]
    thresholds: Mapping[str, float]
    genuine_mean: float
    impostor_mean: float
    black_box: Mapping[str, Any] | None = None
    pair_score: Callable[[Tensor, Tensor], Tensor] | None = field(default=None, compare=False)

    @property
    def is_surrogate(self) -> bool:
        """Whether this project trained it to design against; results on what others made count for more."""
        return self.file.endswith(OWN_SUFFIX)

    @property
    def is_calibrated(self) -> bool:
        """Whether it can say "the same person"."""
        return bool(self.thresholds)


def load_spec(path: Path) -> RecognizerSpec:
    """Read and check a specification.

    Args:
        path: TOML with the keys name, file, licence, architecture, training_set, embedding_size,
            input = {width, height, channels, scale, mean, std}, metric, template, thresholds, genuine_mean,
            impostor_mean; optional are sha256 and points (default `FIVE_POINTS`). thresholds, genuine_mean and
            impostor_mean may be left out together: such a recognizer is not calibrated yet. black_box = {command or
            url, answers, timeout_s} stands in the place of file.

    Raises:
        InputError: no such file.
        RecognizerError: not TOML, an unknown or a missing key, or a value out of range; names file and key.
    """
    document = _read_toml(path)
    kind = {"black_box": spec_values.black_box} if "black_box" in document else {"file": spec_values.file_name}
    _check_keys(path, document, {**_TOP, **kind}, {**_OPTIONAL, **_CALIBRATION}, "")
    document = {"sha256": "", "points": list(FIVE_POINTS), **document}
    checks = {**_TOP, **kind, **_OPTIONAL, **_calibration_keys(path, document)}
    top = {key: _converted(path, key, check, document[key]) for key, check in checks.items()}
    top = {"file": "", **_NOT_CALIBRATED, **top}
    _check_keys(path, top["input"], _INPUT, {}, "input.")
    crop = {key: _converted(path, f"input.{key}", check, top["input"][key]) for key, check in _INPUT.items()}
    del top["input"]
    spec = RecognizerSpec(
        template_px=top.pop("template"), width_px=crop.pop("width"), height_px=crop.pop("height"), **top, **crop
    )
    _check_together(path, spec)
    return spec


def save_spec(path: Path, spec: RecognizerSpec) -> None:
    """Write a specification that `load_spec` reads back, atomically."""
    plain = ("name", "sha256", "licence", "architecture", "training_set", "embedding_size", "metric", "points")
    document: dict[str, Any] = {key: getattr(spec, key) for key in plain}
    document |= {"black_box": dict(spec.black_box)} if spec.black_box else {"file": spec.file}
    document["template"] = spec.template_px
    if spec.is_calibrated:
        document |= {key: getattr(spec, key) for key in _CALIBRATION}
    crop = {key: getattr(spec, key) for key in ("channels", "scale", "mean", "std")}
    document["input"] = {"width": spec.width_px, "height": spec.height_px, **crop}
    write_text(path, mapping_to_toml(document))


def _read_toml(path: Path) -> dict[str, Any]:
    check_readable(path)
    if path.stat().st_size > MAX_SPEC_BYTES:
        raise RecognizerError(f"{path}: larger than {MAX_SPEC_BYTES >> 20} MiB, no specification; take it away")
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise RecognizerError(f"{path}: not readable as TOML ({error}); correct it or take it away") from error


def _check_keys(
    path: Path, table: Mapping[str, Any], required: Mapping[str, Any], optional: Mapping[str, Any], prefix: str
) -> None:
    known = {**required, **optional}
    for key in table:
        if key not in known:
            near = get_close_matches(key, known, n=1, cutoff=0.0)[0]
            raise RecognizerError(f"{path}: unknown key {prefix}{key}; the nearest known one is {prefix}{near}")
    for key in required:
        if key not in table:
            raise RecognizerError(f"{path}: the key {prefix}{key} is missing; add it")


def _converted(path: Path, key: str, check: Callable[[Any], Any], value: Any) -> Any:
    try:
        return check(value)
    except spec_values.InvalidValueError as error:
        raise RecognizerError(f"{path}: {key} = {value!r} must be {error}") from error


def _calibration_keys(path: Path, document: Mapping[str, Any]) -> Mapping[str, Callable[[Any], Any]]:
    """All three keys of the calibration, or none."""
    missing = [key for key in _CALIBRATION if key not in document]
    if len(missing) == len(_CALIBRATION):
        return {}
    if missing:
        raise RecognizerError(f"{path}: the key {missing[0]} is missing; add it, or run `maskdesign models calibrate`")
    return _CALIBRATION


def _check_together(path: Path, spec: RecognizerSpec) -> None:
    if len(spec.points) != len(spec.template_px):
        raise RecognizerError(
            f"{path}: template has {len(spec.template_px)} places for {len(spec.points)} points; name as many points"
        )
    if not spec.is_calibrated:
        return
    if not spec.genuine_mean > spec.impostor_mean:
        raise RecognizerError(
            f"{path}: genuine_mean {spec.genuine_mean} must exceed impostor_mean {spec.impostor_mean}; "
            "scores grow with likeness, so write an L2 distance as its negative"
        )
    if not spec.thresholds["1e-3"] >= spec.thresholds["1e-2"]:
        raise RecognizerError(
            f"{path}: the threshold for FMR 1e-3 ({spec.thresholds['1e-3']}) must not lie below the one for 1e-2 "
            f"({spec.thresholds['1e-2']}); scores grow with likeness, so write an L2 distance as its negative"
        )


_TOP: dict[str, Callable[[Any], Any]] = {
    "name": spec_values.text,
    "licence": spec_values.text,
    "architecture": spec_values.text,
    "training_set": spec_values.text,
    "embedding_size": spec_values.integer_up_to(65536),
    "input": spec_values.table,
    "metric": spec_values.one_of("cosine", "l2"),
    "template": spec_values.places,
}
_CALIBRATION: dict[str, Callable[[Any], Any]] = {
    "thresholds": spec_values.thresholds,
    "genuine_mean": spec_values.number,
    "impostor_mean": spec_values.number,
}
_NOT_CALIBRATED = {"thresholds": {}, "genuine_mean": math.nan, "impostor_mean": math.nan}
_OPTIONAL: dict[str, Callable[[Any], Any]] = {"sha256": spec_values.digest, "points": spec_values.point_names}
_INPUT: dict[str, Callable[[Any], Any]] = {
    "width": spec_values.integer_up_to(MAX_SIDE_PX),
    "height": spec_values.integer_up_to(MAX_SIDE_PX),
    "channels": spec_values.one_of("rgb", "bgr"),
    "scale": spec_values.number,
    "mean": spec_values.three_numbers,
    "std": spec_values.three_spreads,
}
