"""The recognizers at hand, checked in full or calibrated on pairs of photos."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from maskdesign.errors import InputError, MaskdesignError, UsageError
from maskdesign.evaluation.calibrate import Calibration, calibrate, embed_photos, photos_of
from maskdesign.evaluation.pairs import photo_path, read_pairs
from maskdesign.progress import Progress
from maskdesign.recognition.black_box import BlackBox
from maskdesign.recognition.recognizer import Recognizer
from maskdesign.recognition.registry import (
    MODELS_VARIABLE,
    black_boxes,
    described_recognizers,
    load_described,
    load_dlib_recognizer,
    not_asked,
    shipped_recognizers,
)
from maskdesign.recognition.spec import load_spec, save_spec


@dataclass(frozen=True)
class Check:
    """Outcome of one recognizer's check; `problem` is empty where all is well."""

    name: str
    problem: str


@dataclass(frozen=True)
class Calibrated:
    """A recognizer, what was measured, and the specification that now holds it (empty for dlib's, which is shipped)."""

    name: str
    written: str
    missing_photos: tuple[str, ...]
    photos_without_a_face: int
    measured: Calibration


def models_folder(given: Path | None) -> Path:
    """The folder of the user's recognizers.

    Raises:
        UsageError: neither given nor in the environment.
    """
    if given is None and not os.environ.get(MODELS_VARIABLE):
        raise UsageError(f"name the folder of your recognizers with --models, or in {MODELS_VARIABLE}")
    return given or Path(os.environ[MODELS_VARIABLE])


def verify_models(folder: Path | None) -> list[Check]:
    """Read every recognizer at hand in full: digest, operators, sizes, finite answers, a gradient to the picture."""
    checks = [_check("dlib", load_dlib_recognizer)]
    checks += [
        _check(toml.stem, lambda toml=toml: load_described(toml))
        for toml in (*described_recognizers(folder), *shipped_recognizers())
    ]
    return checks


def _check(name: str, load) -> Check:
    try:
        recognizer = load()
        spec = recognizer.spec
        generator = torch.Generator().manual_seed(0)
        crops = torch.rand(2, 3, spec.height_px, spec.width_px, generator=generator)
        if isinstance(recognizer.network, BlackBox):
            recognizer.embed(crops)
            return Check(name, "")
        crops.requires_grad_()
        (gradient,) = torch.autograd.grad(recognizer.embed(crops).square().sum(), crops)
    except MaskdesignError as error:
        return Check(name, str(error))
    if not torch.isfinite(gradient).all() or not gradient.abs().sum() > 0:
        return Check(name, "gives no finite gradient to the picture; no design can use it")
    return Check(name, "")


def calibrate_models(
    name: str | None, folder: Path | None, pairs: Path, photos: Path, progress: Progress
) -> list[Calibrated]:
    """Measure thresholds and means on pairs of photos and write them into the specifications.

    Args:
        name: of one recognizer; None takes all.
        pairs: pairs.txt as LFW's View 2 has it.
        photos: folder with PERSON/PERSON_0001.jpg.

    Raises:
        InputError: no such recognizer or photos, or too few pairs for an FMR of 1e-3.
    """
    chosen = _chosen(name, folder)
    folds = read_pairs(pairs)
    named = photos_of(folds)
    missing = tuple(
        f"{person}/{number}" for person, number in named if not photo_path(photos, (person, number)).exists()
    )
    if len(missing) == len(named):
        raise InputError(f"{photos}: holds none of the {len(named)} photos that {pairs} names; name their folder")
    progress.stage("Embed photos")
    found = embed_photos({_cache(recognizer, photos): recognizer for _, recognizer in chosen}, photos, named, progress)
    results = []
    for (path, recognizer), embeddings in zip(chosen, found, strict=True):
        measured = calibrate(recognizer, folds, embeddings)
        if path is not None:
            _write_calibration(path, measured)
        written = "" if path is None else str(path)
        without_face = len(named) - len(missing) - len(embeddings)
        results.append(Calibrated(recognizer.spec.name, written, missing, without_face, measured))
    return results


def _chosen(name: str | None, folder: Path | None) -> list[tuple[Path | None, Recognizer]]:
    paths = {toml.stem: toml for toml in described_recognizers(folder)}
    shipped = {toml.stem: toml for toml in shipped_recognizers()}
    unasked = {toml.stem: toml for toml in black_boxes(folder) if toml.stem not in paths}
    if name in unasked:
        raise InputError(f"{unasked[name]}: {not_asked(unasked[name])}")
    if name is not None and name not in ("dlib", *shipped, *paths):
        raise InputError(f"{name}: no such recognizer; known are {', '.join(['dlib', *shipped, *paths])}")
    chosen: list[tuple[Path | None, Recognizer]] = []
    if name in (None, "dlib"):
        chosen.append((None, load_dlib_recognizer()))
    chosen += [(None, load_described(path)) for stem, path in shipped.items() if name == stem]
    return chosen + [(path, load_described(path)) for stem, path in paths.items() if name in (None, stem)]


def _cache(recognizer: Recognizer, photos: Path) -> Path:
    """Embeddings of photos are kept for the same weights, alignment and folder: an interrupted measurement goes on."""
    spec = recognizer.spec
    told = repr((spec.sha256, spec.template_px, spec.points, spec.channels, spec.scale, spec.mean, spec.std))
    digest = hashlib.sha256((told + str(photos.resolve())).encode()).hexdigest()[:16]
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return home / "maskdesign" / f"embeddings-{digest}.npz"


def _write_calibration(toml: Path, measured: Calibration) -> None:
    spec = load_spec(toml)
    thresholds = {fmr: round(score, 4) for fmr, score in measured.thresholds.items()}
    means = {key: round(getattr(measured, key), 4) for key in ("genuine_mean", "impostor_mean")}
    save_spec(toml, replace(spec, thresholds=thresholds, **means))
