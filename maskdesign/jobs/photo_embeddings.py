"""Embeddings of masked photos, by as many processes as there are, each kept under the digest of what decides it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from maskdesign.errors import ConfigError
from maskdesign.files import read_npz, write_npz
from maskdesign.jobs.photo_store import PhotoStore
from maskdesign.jobs.pool import in_processes
from maskdesign.optimize.photo_probes import embed_bare, embed_printed
from maskdesign.progress import Progress
from maskdesign.recognition.recognizer import Recognizer
from maskdesign.recognition.registry import load_recognizers

CHUNK = 32
"""Photos that a worker holds at once: memory does not grow with their number."""
BARE = "bare"


@dataclass(frozen=True)
class Shard:
    """Part `index` of `count`, from 1: what this machine does of the work."""

    index: int = 1
    count: int = 1


def parse_shard(text: str) -> Shard:
    """Read "2/4".

    Raises:
        ConfigError: anything else.
    """
    parts = text.split("/")
    if len(parts) == 2 and all(part.isdigit() for part in parts) and 1 <= int(parts[0]) <= int(parts[1]):
        return Shard(int(parts[0]), int(parts[1]))
    raise ConfigError(f"--shard {text}: write I/N with I from 1 to N, as in 2/4")


@dataclass(frozen=True)
class _Job:
    """A chunk of photos with one texture, and where each recognizer's embeddings of them lie."""

    keys: tuple[str, ...]
    texture: NDArray[np.float32] | None
    targets: Mapping[str, Path]

    @property
    def done(self) -> bool:
        return all(path.exists() for path in self.targets.values())


def embed_photos(
    store: PhotoStore,
    keys: Sequence[str],
    textures: Mapping[str, Tensor | None],
    models_dir: Path | None,
    recognizers: Sequence[Recognizer],
    shard: Shard,
    progress: Progress,
) -> dict[str, dict[str, Tensor]]:
    """Embed every photo with every texture under every recognizer.

    Args:
        keys: masked photos of the store.
        textures: name -> (3, h, w) sRGB; None for the photo without a mask.
        shard: chunks of this part are worked out; what other parts have left in the store is read.

    Returns:
        recognizer -> texture -> (n, E); a texture is missing where another shard has not come that far.
    """
    chunks = [tuple(keys[start : start + CHUNK]) for start in range(0, len(keys), CHUNK)]
    jobs = {
        (name, number): _job(store, chunk, texture, recognizers)
        for number, chunk in enumerate(chunks)
        for name, texture in textures.items()
    }
    mine = [job for (_, number), job in jobs.items() if number % shard.count == shard.index - 1]
    lacking = [job for job in mine if not job.done]
    for done, _ in enumerate(in_processes(_embed_chunk, [(store, models_dir, job) for job in lacking]), start=1):
        progress.advance(len(mine) - len(lacking) + done, len(mine), f"{done} new")
    return _collect(recognizers, list(textures), len(chunks), jobs)


def _job(store: PhotoStore, keys: tuple[str, ...], texture: Tensor | None, recognizers: Sequence[Recognizer]) -> _Job:
    array = None if texture is None else texture.detach().float().contiguous().numpy()
    digest = hashlib.sha256("\n".join(keys).encode())
    digest.update(BARE.encode() if array is None else str(array.shape).encode() + array.tobytes())
    targets = {}
    for recognizer in recognizers:
        own = digest.copy()
        own.update(f"{recognizer.spec.name} {recognizer.spec.sha256}".encode())
        targets[recognizer.spec.name] = store.folder / "embeddings" / f"{own.hexdigest()[:32]}.npz"
    return _Job(keys, array, targets)


@lru_cache(maxsize=1)
def _recognizers(models_dir: Path | None, names: tuple[str, ...]) -> list[Recognizer]:
    return load_recognizers(models_dir, names)


def _embed_chunk(store: PhotoStore, models_dir: Path | None, job: _Job) -> None:
    photos = [store.load(key) for key in job.keys]
    for recognizer in _recognizers(models_dir, tuple(job.targets)):
        target = job.targets.get(recognizer.spec.name)
        if target is None or target.exists():
            continue
        if job.texture is None:
            embedded = embed_bare(recognizer, photos)
        else:
            embedded = embed_printed(recognizer, photos, torch.from_numpy(job.texture))
        write_npz(target, embeddings=embedded.numpy())


def _collect(
    recognizers: Sequence[Recognizer], textures: list[str], chunks: int, jobs: Mapping[tuple[str, int], _Job]
) -> dict[str, dict[str, Tensor]]:
    found: dict[str, dict[str, Tensor]] = {recognizer.spec.name: {} for recognizer in recognizers}
    for texture in textures:
        own = [jobs[texture, number] for number in range(chunks)]
        if not all(job.done for job in own):
            continue
        for name, by_texture in found.items():
            parts = [read_npz(job.targets[name])["embeddings"] for job in own]
            by_texture[texture] = torch.from_numpy(np.concatenate(parts))
    return found
