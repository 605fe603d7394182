"""Is everything there that a design needs? Each check says what it found, or what to do."""

from __future__ import annotations

import importlib
import os
import platform
from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from maskdesign import __version__
from maskdesign.errors import MaskdesignError
from maskdesign.files import data_path


@dataclass(frozen=True)
class Finding:
    """Outcome of one check.

    Attributes:
        name: what was looked at.
        ok: whether it is as it should be.
        required: whether a design needs it.
        detail: what was found, or the remedy.
    """

    name: str
    ok: bool
    required: bool
    detail: str


def examine(models_dir: Path | None) -> list[Finding]:
    """Run every check.

    Args:
        models_dir: folder of ONNX recognizers, or None.
    """
    return [
        Finding("maskdesign", True, True, f"{__version__} on Python {platform.python_version()}, {platform.system()}"),
        _try("torch", True, _torch),
        _try("face detector (mediapipe)", True, _detector),
        _try("OpenCV", True, lambda: _import_version("cv2", "opencv-contrib-python")),
        _try("numba", True, lambda: _import_version("numba")),
        _try("recognizers", True, lambda: _recognizers(models_dir)),
        _try("built-in head", True, lambda: str(data_path("meshes/manifest.toml").parent)),
        _try("print templates", True, lambda: str(data_path("print_templates"))),
        _try("open3d (oracle, tests only)", False, lambda: _import_version("open3d", "open3d-cpu")),
        _try("pytorch3d (optional peer)", False, lambda: _import_version("pytorch3d")),
    ]


def _try(name: str, required: bool, check: Callable[[], str]) -> Finding:
    try:
        return Finding(name, True, required, check())
    except (ImportError, OSError, MaskdesignError, metadata.PackageNotFoundError) as error:
        return Finding(name, False, required, " ".join(str(error).split()))


def _import_version(module: str, package: str | None = None) -> str:
    importlib.import_module(module)
    return metadata.version(package or module)


def _detector() -> str:
    from maskdesign.faces.detector import describe_detector

    importlib.import_module("mediapipe")
    return describe_detector()


def _torch() -> str:
    import torch

    device = torch.cuda.get_device_name() if torch.cuda.is_available() else "CPU only"
    return f"{torch.__version__}, {torch.get_num_threads()} threads of {os.cpu_count()} processors, {device}"


def _recognizers(models_dir: Path | None) -> str:
    from maskdesign.recognition.registry import load_recognizers

    return ", ".join(recognizer.spec.name for recognizer in load_recognizers(models_dir))
