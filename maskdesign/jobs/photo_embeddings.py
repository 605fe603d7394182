"""Embeddings of masked photos, by as many processes as there are, each kept under the digest of what decides it."""

from __future__ import annotations

import hashlib
import multiprocessing
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from maskdesign.errors import ConfigError
from maskdesign.files import read_npz, write_npz
from maskdesign.jobs.photo_store import PhotoStore, prepare_worker, worker_count
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
    keys: tuple[str, ...]
    texture: NDArray[np.float32] | None
    target: Path


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
    about = "".join(f"{recognizer.spec.name} {recognizer.spec.sha256};" for recognizer in recognizers)
    jobs = {
        (name, number): _job(store, chunk, texture, about)
        for number, chunk in enumerate(chunks)
        for name, texture in textures.items()
    }
    mine = [job for (_, number), job in jobs.items() if number % shard.count == shard.index - 1]
    lacking = [job for job in mine if not job.target.exists()]
    for done, _ in enumerate(_work(store, models_dir, lacking), start=1):
        progress.advance(len(mine) - len(lacking) + done, len(mine), f"{done} new")
    return _collect(recognizers, list(textures), len(chunks), jobs)


def _job(store: PhotoStore, keys: tuple[str, ...], texture: Tensor | None, about: str) -> _Job:
    array = None if texture is None else texture.detach().float().contiguous().numpy()
    digest = hashlib.sha256("\n".join(keys).encode() + about.encode())
    digest.update(BARE.encode() if array is None else str(array.shape).encode() + array.tobytes())
    return _Job(keys, array, store.folder / "embeddings" / f"{digest.hexdigest()[:32]}.npz")


def _work(store: PhotoStore, models_dir: Path | None, jobs: list[_Job]) -> Iterator[None]:
    if not jobs:
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(worker_count(len(jobs)), context, prepare_worker) as pool:
        waiting = [pool.submit(_embed_chunk, store, models_dir, job) for job in jobs]
        try:
            for job in as_completed(waiting):
                yield job.result()
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


@lru_cache(maxsize=1)
def _recognizers(models_dir: Path | None) -> list[Recognizer]:
    return load_recognizers(models_dir)


def _embed_chunk(store: PhotoStore, models_dir: Path | None, job: _Job) -> None:
    photos = [store.load(key) for key in job.keys]
    arrays = {}
    for recognizer in _recognizers(models_dir):
        if job.texture is None:
            embedded = embed_bare(recognizer, photos)
        else:
            embedded = embed_printed(recognizer, photos, torch.from_numpy(job.texture))
        arrays[recognizer.spec.name] = embedded.numpy()
    write_npz(job.target, **arrays)


def _collect(
    recognizers: Sequence[Recognizer], textures: list[str], chunks: int, jobs: Mapping[tuple[str, int], _Job]
) -> dict[str, dict[str, Tensor]]:
    found: dict[str, dict[str, Tensor]] = {recognizer.spec.name: {} for recognizer in recognizers}
    for texture in textures:
        parts = [jobs[texture, number].target for number in range(chunks)]
        if not all(path.exists() for path in parts):
            continue
        arrays = [read_npz(path) for path in parts]
        for name, by_texture in found.items():
            by_texture[texture] = torch.from_numpy(np.concatenate([array[name] for array in arrays]))
    return found
