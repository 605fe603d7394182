"""One photo or a folder of photos -> protected photos and their keys: in parallel, resumable, a table of outcomes."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from maskdesign.config import apply_overrides, config_hash, from_mapping
from maskdesign.digital.keyfile import is_key_file, read_key_bytes, seal, unseal, write_key
from maskdesign.digital.picture import Picture, for_webp, pixels_digest, read_picture, write_jpeg, write_picture
from maskdesign.digital.protect import ProtectedPhoto, describe, protect
from maskdesign.digital.region import face_regions
from maskdesign.digital.restore import restore
from maskdesign.digital.settings import ProtectSettings
from maskdesign.errors import ConfigError, InputError, MaskdesignError, OutputError, RecognizerError, UsageError
from maskdesign.files import check_readable, sweep_partial_files
from maskdesign.jobs.face_folder import PHOTO_ENDINGS
from maskdesign.jobs.outcomes import read_outcomes, write_outcomes
from maskdesign.jobs.photo_networks import load_networks
from maskdesign.jobs.pool import in_processes
from maskdesign.jobs.protect_outcome import TABLE, Outcome
from maskdesign.recognition.recognizer import Recognizer
from maskdesign.recognition.registry import load_recognizers

ENDINGS = {"png": ".png", "webp": ".webp", "tiff": ".tif", "jpeg": ".jpg"}


@dataclass(frozen=True)
class ProtectConfig:
    """What `--set` can change.

    Attributes:
        format: png, webp (lossless), tiff, or jpeg, which no key restores.
        jpeg_quality: of jpeg.
        network: folder of `maskdesign train` whose networks choose the template and begin the change; empty for none.
        protect: how photos are protected.
    """

    format: str = "png"
    jpeg_quality: int = 95
    network: str = ""
    protect: ProtectSettings = field(default_factory=ProtectSettings)

    def __post_init__(self) -> None:
        if self.format not in ENDINGS:
            raise ConfigError(f"format = {self.format!r}: take one of {', '.join(ENDINGS)}")
        if not 1 <= self.jpeg_quality <= 100:
            raise ConfigError(f"jpeg_quality = {self.jpeg_quality} must lie between 1 and 100")


def protect_config(settings: Sequence[str], strength: str, user_seed: int | None) -> ProtectConfig:
    """Defaults, then `KEY=VALUE` settings, then the flags."""
    values = apply_overrides({}, settings)
    table = values.setdefault("protect", {})
    if isinstance(table, dict):
        table["strength"] = strength
        table |= {} if user_seed is None else {"user_seed": user_seed}
    return from_mapping(ProtectConfig, values)


@dataclass(frozen=True)
class _Task:
    """All that a process has to know of one photo."""

    source: Path
    photo: str
    out: Path
    target: str
    config: ProtectConfig
    names: tuple[str, ...]
    models_dir: Path | None
    passphrase: bytes = field(repr=False)


def protect_photos(
    source: Path,
    out: Path,
    config: ProtectConfig,
    recognizers: tuple[str, ...],
    models_dir: Path | None,
    passphrase: bytes,
    report: Callable[[Outcome], None],
) -> list[Outcome]:
    """Protect a photo, or every photo of a folder and its folders; finished ones are left alone.

    Args:
        source: photo or folder.
        out: folder for NAME.png, NAME.key and the table `protected.json`.
        config: format and settings.
        recognizers: names of those to be fooled; empty takes all at hand.
        models_dir: as `load_recognizers`.
        passphrase: seals every key.
        report: called with each outcome as it is known.

    Returns:
        an outcome for every photo, sorted by name.

    Raises:
        InputError: no such file, no photo, a damaged table, or an unknown recognizer.
        UsageError: `out` is the folder of the photos.
        OutputError: the folder cannot be written.
    """
    photos = _photos(source, out)
    chosen_recognizers(models_dir, recognizers)
    sweep_partial_files(out)
    known, outcomes = read_outcomes(out / TABLE, Outcome), {}
    tasks = []
    for path, photo, target in photos:
        task = _Task(path, photo, out, target, config, recognizers, models_dir, passphrase)
        finished = _finished(task, known.get(photo), [name for _, _, name in photos])
        if finished is None:
            tasks.append((task,))
        else:
            outcomes[photo] = finished
            report(finished)
    for outcome in in_processes(_protect_one, tasks):
        outcomes[outcome.photo] = outcome
        report(outcome)
        if not outcome.reason:
            known[outcome.photo] = outcome
            write_outcomes(out / TABLE, known)
    return [outcomes[photo] for photo in sorted(outcomes)]


def _photos(source: Path, out: Path) -> list[tuple[Path, str, str]]:
    """Place, name, and name without ending of every photo."""
    if not source.is_dir():
        check_readable(source)
        return [(source, source.name, source.stem)]
    if out.resolve() == source.resolve():
        raise UsageError(f"--out {out}: is the folder of the photos; name another one")
    paths = sorted(path for path in source.rglob("*") if path.suffix.lower() in PHOTO_ENDINGS)
    paths = [path for path in paths if out.resolve() not in path.resolve().parents]
    if not paths:
        raise InputError(f"{source}: holds no photos; they end in {', '.join(PHOTO_ENDINGS)}")
    relative = [path.relative_to(source) for path in paths]
    return [(path, str(name), str(name.with_suffix(""))) for path, name in zip(paths, relative, strict=True)]


def _finished(task: _Task, row: Outcome | None, targets: Sequence[str]) -> Outcome | None:
    """What the table knows of a photo, or why it cannot be done; None where it is to be done."""
    if targets.count(task.target) > 1:
        return Outcome(task.photo, reason=f"several photos are called {task.target}; rename all but one")
    if is_key_file(task.source.with_suffix(".key")):
        return Outcome(task.photo, reason="it is protected already, its key lies beside it; give the original")
    written = () if row is None else (row.protected, row.key)
    # A photo that was moved away leaves its key: it is done, and doing it again would need another key.
    if row is None or not any((task.out / name).exists() for name in written if name):
        return None
    if row.sha256 != _file_digest(task.source) or row.settings != _settings_hash(task):
        reason = f"{task.out / str(row.protected)} is from another photo or other settings; name another --out"
        return Outcome(task.photo, reason=reason)
    return row


def _protect_one(task: _Task) -> Outcome:
    target, key = (task.out / f"{task.target}{ending}" for ending in (ENDINGS[task.config.format], ".key"))
    try:
        picture = read_picture(task.source)
        picture = for_webp(picture) if task.config.format == "webp" else picture
        recognizers = chosen_recognizers(task.models_dir, task.names)
        done = _found(task, picture, target, key, recognizers)
        if done is None:
            networks = load_networks(Path(task.config.network), recognizers) if task.config.network else None
            # From the system's entropy: no two photos, nor the same one twice, share a stream of noise.
            done = protect(picture, recognizers, task.config.protect, np.random.default_rng(), task.photo, networks)
            _write(task, done, target, key)
    except OutputError:
        raise
    except MaskdesignError as error:
        return Outcome(task.photo, reason=str(error).removeprefix(f"{task.source}: ").removeprefix(f"{task.photo}: "))
    return Outcome(
        task.photo,
        _file_digest(task.source),
        _settings_hash(task),
        str(target.relative_to(task.out)),
        None if task.config.format == "jpeg" else str(key.relative_to(task.out)),
        "",
        done.faces,
        done.rung,
        done.ssim_photo,
        done.ssim_face,
        done.ssim_template,
        dict(done.margins),
        done.shared,
    )


def _found(
    task: _Task, original: Picture, target: Path, key: Path, recognizers: Sequence[Recognizer]
) -> ProtectedPhoto | None:
    """What a run that was killed before it could write the table has finished; None where nothing is in the way.

    Raises:
        InputError: other files stand there. A key may be the only one of a photo that is already about in the world, so
            none is ever replaced.
    """
    if not target.exists() and not key.exists():
        return None
    try:
        protected, sealed = read_picture(target), read_key_bytes(key)
        whole = restore(protected, sealed, task.passphrase, str(target), str(key))
        if pixels_digest(whole.pixels) == pixels_digest(original.pixels):
            opened, regions = unseal(sealed, task.passphrase), face_regions(original, task.photo)
            return describe(original, protected, opened, regions, task.config.protect.strength, recognizers)
    except MaskdesignError:
        pass
    raise InputError(f"{target if target.exists() else key} exists already; move it, or name another --out")


def _write(task: _Task, done: ProtectedPhoto, target: Path, key: Path) -> None:
    if task.config.format == "jpeg":
        write_jpeg(target, done.picture, task.config.jpeg_quality)
        return
    # scrypt takes its time before the first file is written: a kill falls between the two in one of thousands of cases.
    sealed = seal(done.key, task.passphrase)
    write_picture(target, done.picture)
    write_key(key, sealed)


@functools.lru_cache(maxsize=1)
def chosen_recognizers(models_dir: Path | None, names: tuple[str, ...]) -> list[Recognizer]:
    """The recognizers at hand, or those that are named.

    Raises:
        RecognizerError: one that is named is not at hand.
    """
    found = load_recognizers(models_dir)
    known = [recognizer.spec.name for recognizer in found]
    for name in names:
        if name not in known:
            raise RecognizerError(f"--recognizers {name}: not at hand; known are {', '.join(known)}")
    return [recognizer for recognizer in found if not names or recognizer.spec.name in names]


def _file_digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _settings_hash(task: _Task) -> str:
    # The folder of the models may move; which recognizers were named may not.
    return f"{config_hash(task.config)}-{','.join(task.names)}"
