"""What `maskdesign models` does besides listing: add, verify, calibrate, pull."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from maskdesign.errors import InputError, MaskdesignError, RecognizerError, UsageError
from maskdesign.evaluation.calibrate import Calibration, calibrate, embed_photos, photos_of
from maskdesign.evaluation.pairs import photo_path, read_pairs
from maskdesign.files import write_bytes
from maskdesign.progress import Progress
from maskdesign.recognition.black_box import BlackBox
from maskdesign.recognition.dlib_net import check_digest
from maskdesign.recognition.download import download
from maskdesign.recognition.onnx_file import read_weights
from maskdesign.recognition.onnx_graph import load_onnx_network
from maskdesign.recognition.presets import PIXELS, SOURCES, TEMPLATES, Source
from maskdesign.recognition.recognizer import Recognizer
from maskdesign.recognition.registry import (
    MODELS_VARIABLE,
    described_recognizers,
    load_described,
    load_dlib_recognizer,
)
from maskdesign.recognition.spec import RecognizerSpec, load_spec, save_spec


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
    template, pixels = TEMPLATES[source.template], PIXELS[source.pixels]
    # An extent that the graph leaves open is the template's own.
    stated = (*network.input_shape, 0, 0, 0, 0)
    height, width = stated[2] or template.height_px, stated[3] or template.width_px
    places = template.scaled(width, height)
    if places is None:
        fitting = [name for name, other in TEMPLATES.items() if other.scaled(width, height)]
        hint = f"take one of {', '.join(fitting)}" if fitting else "write its .toml by hand"
        raise RecognizerError(
            f"{file}: takes {width} x {height} px, which is no {source.template} template "
            f"({template.width_px} x {template.height_px}); {hint}"
        )
    spec = RecognizerSpec(
        name=file.stem,
        file=source.file,
        sha256=hashlib.sha256(data).hexdigest(),
        licence=source.licence,
        architecture=source.architecture,
        training_set=source.training_set,
        embedding_size=1,
        width_px=width,
        height_px=height,
        channels=pixels.channels,
        scale=pixels.scale,
        mean=pixels.mean,
        std=pixels.std,
        metric="cosine",
        points=template.points,
        template_px=places,
        thresholds={},
        genuine_mean=float("nan"),
        impostor_mean=float("nan"),
    )
    return replace(spec, embedding_size=_embedding_size(file, Recognizer(spec, network, str(file))))


@torch.no_grad()
def _embedding_size(file: Path, recognizer: Recognizer) -> int:
    spec = recognizer.spec
    try:
        answer = recognizer.embed(torch.full((2, 3, spec.height_px, spec.width_px), 0.5))
    except (RuntimeError, TypeError, IndexError, ValueError, AttributeError) as error:
        problem = str(error).splitlines()[0] if str(error) else repr(error)
        raise RecognizerError(
            f"{file}: does not run on crops of {spec.width_px} x {spec.height_px} px ({problem}); export it "
            "with a free batch and one face a crop"
        ) from error
    if answer.ndim != 2 or len(answer) != 2:
        raise RecognizerError(f"{file}: answers two crops with {tuple(answer.shape)}; a recognizer gives one row each")
    return answer.shape[1]


def verify_models(folder: Path | None) -> list[Check]:
    """Read every recognizer at hand in full: digest, operators, sizes, finite answers, a gradient to the picture."""
    checks = [_check("dlib", load_dlib_recognizer)]
    checks += [_check(toml.stem, lambda toml=toml: load_described(toml)) for toml in described_recognizers(folder)]
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
    folds = read_pairs(pairs)
    named = photos_of(folds)
    missing = tuple(
        f"{person}/{number}" for person, number in named if not photo_path(photos, (person, number)).exists()
    )
    if len(missing) == len(named):
        raise InputError(f"{photos}: holds none of the {len(named)} photos that {pairs} names; name their folder")
    chosen = _chosen(name, folder)
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
    if name is not None and name not in ("dlib", *paths):
        raise InputError(f"{name}: no such recognizer; known are {', '.join(['dlib', *paths])}")
    chosen: list[tuple[Path | None, Recognizer]] = []
    if name in (None, "dlib"):
        chosen.append((None, load_dlib_recognizer()))
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
