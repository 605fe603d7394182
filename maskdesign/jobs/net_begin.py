"""A net that a training begins with: checked, and what it is taught turned to where it points already."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional

from maskdesign.errors import RecognizerError
from maskdesign.jobs.net_export import bare_embeddings
from maskdesign.optimize.distillation import turned
from maskdesign.optimize.face_batches import TrainingFaces
from maskdesign.recognition.own_file import load_own_recognizer, named_architecture
from maskdesign.recognition.recognizer import Recognizer

FACES = 2048
"""Most faces that decide how targets are turned."""


def load_begun(path: Path, architecture: str) -> Recognizer:
    """The net as a recognizer to design against.

    Raises:
        InputError: a file is missing.
        RecognizerError: damaged, of another architecture, or without thresholds.
    """
    begun = load_own_recognizer(path)
    found = named_architecture(path)
    if found != architecture:
        raise RecognizerError(f"--begin {path}: is of the architecture {found}; say --arch {found}")
    if not begun.spec.is_calibrated:
        raise RecognizerError(f"--begin {path}: has no thresholds; run `maskdesign models calibrate` on it first")
    return begun


def turn_targets(network: nn.Module, data: TrainingFaces) -> TrainingFaces:
    """The same lessons in the coordinates of a net: neither the angles between targets nor their teachers change.

    Args:
        network: as it begins.
    """
    rows = data.learned[:: max(1, len(data.learned) // FACES)]
    known = functional.normalize(bare_embeddings(network.eval(), data, rows), dim=1)
    rotation = turned(torch.from_numpy(data.targets[rows]), known)
    return replace(data, targets=data.targets @ rotation.numpy())
