"""The state of a design on disk: safetensors with a digest, written whole, refused when it is not this job's."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from maskdesign.errors import RunError
from maskdesign.files import write_bytes


def save_tensors(path: Path, tensors: Mapping[str, Tensor], job_hash: str) -> None:
    """Write named tensors atomically with the job's hash and a digest of their content."""
    plain = {name: tensor.detach().contiguous() for name, tensor in tensors.items()}
    write_bytes(path, save(plain, metadata={"job": job_hash, "sha256": _digest(plain)}))


def load_tensors(path: Path, job_hash: str) -> dict[str, Tensor] | None:
    """Read what `save_tensors` wrote, or None where there is no file yet.

    Raises:
        RunError: damaged, or of another job.
    """
    if not path.exists():
        return None
    try:
        with safe_open(path, framework="pt") as file:
            about = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no mapping
    except (SafetensorError, OSError, ValueError, KeyError) as error:
        raise RunError(f"{path}: damaged ({error}); remove it to start this design again") from error
    if about.get("sha256") != _digest(tensors):
        raise RunError(f"{path}: its content does not match its digest; remove it to start this design again")
    if about.get("job") != job_hash:
        raise RunError(f"{path}: belongs to another job; name another folder with --out")
    return tensors


def _digest(tensors: Mapping[str, Tensor]) -> str:
    digest = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name]
        digest.update(json.dumps([name, str(tensor.dtype), list(tensor.shape)]).encode())
        digest.update(tensor.contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
