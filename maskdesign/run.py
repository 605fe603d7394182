"""The run folder: every file of a job, each written whole, and a lock so that two processes never share one."""

from __future__ import annotations

import fcntl
import json
import os
import platform
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from maskdesign import __version__
from maskdesign.errors import OutputError, RunError
from maskdesign.files import sweep_partial_files, write_json, write_text

PACKAGES = ("torch", "numpy", "numba", "mediapipe", "opencv-contrib-python", "scipy", "reportlab")


@dataclass(frozen=True)
class Run:
    """Paths inside a run folder."""

    folder: Path

    @property
    def run_id(self) -> str:
        """The folder's name, printed on the sheet."""
        return self.folder.resolve().name

    def path(self, name: str) -> Path:
        """Place of one file of the run."""
        return self.folder / name

    config = property(lambda self: self.path("config.toml"))
    job = property(lambda self: self.path("job.json"))
    environment = property(lambda self: self.path("environment.json"))
    photo = property(lambda self: self.path("photo.png"))
    photo_facts = property(lambda self: self.path("photo.json"))
    face = property(lambda self: self.path("face.npz"))
    metrics = property(lambda self: self.path("metrics.jsonl"))
    checkpoint = property(lambda self: self.path("checkpoint.safetensors"))
    texture = property(lambda self: self.path("texture.png"))
    picture = property(lambda self: self.path("picture.png"))
    worn_glb = property(lambda self: self.path("worn.glb"))
    evaluation = property(lambda self: self.path("evaluation.json"))
    report = property(lambda self: self.path("report.html"))
    previews = property(lambda self: self.path("previews"))

    def worn(self, opening_mm: float) -> Path:
        """The drape at one pleat opening."""
        return self.path(f"worn-{opening_mm:g}mm.npz")

    def sheet(self, paper: str) -> Path:
        """The print sheet for one paper: `sheet.pdf` for A4, `sheet-NAME.pdf` for others."""
        return self.path("sheet.pdf" if paper == "a4" else f"sheet-{paper}.pdf")


def begin_run(folder: Path, config_toml: str, job: Mapping[str, Any]) -> Run:
    """Make a run folder, or go on in one that holds the same job.

    Args:
        folder: place of the run; made with its parents.
        config_toml: the resolved configuration.
        job: what else decides the result: hashes of the photo and of the recognizers, millimeters given by the user.

    Raises:
        RunError: the folder holds another job.
        OutputError: it cannot be written.
    """
    run = Run(folder)
    if folder.exists() and not folder.is_dir():
        raise OutputError(f"{folder}: is a file; name a folder with --out")
    if run.config.exists() and run.job.exists():
        _check_same_job(run, config_toml, job)
        sweep_partial_files(folder)
        return run
    if folder.exists() and any(folder.iterdir()) and not run.config.exists():
        raise RunError(f"{folder}: holds files but no run; name an empty or a new folder with --out")
    write_text(run.config, config_toml)
    write_json(run.environment, environment())
    write_json(run.job, dict(job))
    return run


def _check_same_job(run: Run, config_toml: str, job: Mapping[str, Any]) -> None:
    if run.config.read_text() != config_toml:
        raise RunError(f"{run.folder}: holds a run with another configuration; name another folder with --out")
    known = read_job(run)
    differing = [key for key in job if known.get(key) != job[key]]
    if differing:
        raise RunError(
            f"{run.folder}: holds a run with another {' and '.join(differing)}; name another folder with --out"
        )


def open_run(folder: Path) -> Run:
    """A run that exists.

    Raises:
        RunError: the folder holds no run.
    """
    run = Run(folder)
    if not run.config.is_file() or not run.job.is_file():
        raise RunError(f"{folder}: holds no run; make one with `maskdesign design --photo FILE --out {folder}`")
    return run


def read_job(run: Run) -> dict[str, Any]:
    """What `begin_run` stored about the job."""
    try:
        return json.loads(run.job.read_text())
    except (OSError, ValueError) as error:
        raise RunError(f"{run.job}: damaged ({error}); remove the folder and run the command again") from error


@contextmanager
def locked(run: Run) -> Iterator[None]:
    """Hold the run folder for this process; the system frees it when the process ends, however it ends.

    Raises:
        RunError: another process works here.
    """
    try:
        descriptor = os.open(run.path(".lock"), os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise OutputError(f"{run.folder}: cannot be written ({error.strerror}); make it writable or copy it") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError as error:
        raise RunError(f"{run.folder}: another process works in this run; wait for it or name another --out") from error
    finally:
        os.close(descriptor)


def environment() -> dict[str, Any]:
    """What the figures of a run depend on besides its configuration."""
    return {
        "maskdesign": __version__,
        "python": platform.python_version(),
        "machine": platform.machine(),
        "system": platform.platform(),
        "processors": os.cpu_count(),
        "packages": {name: _version(name) for name in PACKAGES},
    }


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
