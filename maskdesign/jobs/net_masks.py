"""Faces that wear a mask of this project's renderer, and prints of every kind for them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from maskdesign.config import config_hash
from maskdesign.evaluation.controls import natural_print
from maskdesign.jobs.config import JobConfig
from maskdesign.jobs.net_faces import Faces, write_map
from maskdesign.jobs.photo_store import PhotoStore, fill_store
from maskdesign.optimize.adversary import MarginFusion
from maskdesign.optimize.canvas import Texels
from maskdesign.optimize.photo_probes import PhotoProbes, develop_photos, embed_bare
from maskdesign.optimize.step import Problem, design_step, initial_state
from maskdesign.optimize.texture import (
    TextureStyle,
    initial_parameters,
    texture_from_parameters,
    texture_pixels,
)
from maskdesign.progress import Progress
from maskdesign.recognition.recognizer import Recognizer
from maskdesign.render.masked_photo import WINDOW_PX, MaskedPhoto

MASK_STREAM, PRINT_STREAM = 1, 5
DESIGN_PHOTOS, KEPT_STEPS = 48, (8, 16, 30)
STRONG_INKS = ("#000000", "#ffffff", "#ff0000", "#00ff00", "#0000ff", "#ffff00", "#00ffff", "#ff00ff")


def masked_rows(faces: Faces, learned: NDArray[np.int64], count: int, seed: int) -> NDArray[np.int64]:
    """Which faces get a mask, drawn from those that are learned from."""
    generator = np.random.Generator(np.random.Philox(key=seed, counter=[0, 0, 0, MASK_STREAM]))
    return np.sort(generator.permutation(learned)[:count])


def mask_faces(
    faces: Faces, rows: NDArray[np.int64], cache: Path, config: JobConfig, progress: Progress
) -> tuple[PhotoStore, list[str], NDArray[np.int64]]:
    """Render the masks of some faces, once.

    Returns:
        the store, the keys of what it holds, and the rows of the faces; photos on which no mask settles are left out.
    """
    store = PhotoStore(cache / "masked-photos", config.mask, config.drape, config.render)
    openings = config.openings_mm
    jobs = [(faces.photos[row], openings[row % len(openings)]) for row in rows]
    keys = fill_store(store, jobs, progress)
    kept = [number for number, job in enumerate(jobs) if store.reason(keys[job]) is None]
    return store, [keys[jobs[number]] for number in kept], rows[kept]


def training_prints(
    config: JobConfig,
    adversaries: Sequence[Recognizer],
    store: PhotoStore,
    keys: Sequence[str],
    count: int,
    seed: int,
    cache: Path,
) -> Path:
    """Prints of every kind: plain, patterned, random, and designed against each recognizer, finished or not; made once.

    Args:
        store, keys: masked photos to design on.
        count: plain, patterned and random ones in all.

    Returns:
        file of a memory map, (P, h, w, 3) uint8 sRGB.
    """
    told = [config_hash(config), *(one.spec.sha256 for one in adversaries), *keys[:DESIGN_PHOTOS], str((count, seed))]
    target = cache / f"prints-{hashlib.sha256(' '.join(told).encode()).hexdigest()[:24]}.npy"
    if not target.exists():
        photos = [store.load(key) for key in keys[:DESIGN_PHOTOS]]
        prints = [_print(config, number, seed) for number in range(count)]
        for one in adversaries:
            for style in (config.texture, replace(config.texture, inks=STRONG_INKS)):
                prints += _designed(config, replace(style, repeats=(1, 1)), one, photos, seed)
        write_map(target, [texture_pixels(one)[None] for one in prints])
    return target


def _print(config: JobConfig, number: int, seed: int) -> Tensor:
    generator = np.random.Generator(np.random.Philox(key=seed, counter=[0, 0, PRINT_STREAM, number]))
    texel_mm, kind = config.texture.texel_mm, number % 4
    random = _random_style(generator)
    texture = texture_from_parameters(
        random, config.mask, 3 * initial_parameters(random, config.mask, seed + number) / random.noise, texel_mm
    )
    if kind == 0:
        return torch.from_numpy(generator.uniform(0.05, 0.97, (3, 1, 1))).float().expand_as(texture).contiguous()
    if kind == 1:
        # The flowered cloth in colors of its own.
        turned = natural_print(config.mask, texel_mm)[torch.from_numpy(generator.permutation(3))]
        return (turned * torch.from_numpy(generator.uniform(0.5, 1.1, (3, 1, 1))).float()).clamp(0, 1)
    return texture


def _random_style(generator: np.random.Generator) -> TextureStyle:
    count = int(generator.integers(2, 7))
    inks = tuple("#" + generator.integers(0, 256, 3).astype(np.uint8).tobytes().hex() for _ in range(count))
    repeats = (int(generator.integers(1, 6)), int(generator.integers(1, 5)))
    return TextureStyle(inks=inks, grid_mm=float(generator.uniform(2.5, 12)), repeats=repeats)


def _designed(
    config: JobConfig, style: TextureStyle, adversary: Recognizer, photos: Sequence[MaskedPhoto], seed: int
) -> list[Tensor]:
    """A short universal design against one recognizer, each photo enrolled with itself, as it is on the way."""
    own = [(row,) for row in embed_bare(adversary, photos)]
    canvas = Texels(style, config.mask)
    probes = PhotoProbes(photos, own, photos, own, config.jitter, config.mask, seed)
    design = replace(config.design, steps=max(KEPT_STEPS))
    problem = Problem(MarginFusion((adversary,), config.objective), probes, canvas, design, seed)
    state, found = initial_state(problem), []
    for step in range(1, design.steps + 1):
        state, _ = design_step(problem, state)
        if step in KEPT_STEPS:
            found.append(canvas.texture(state.parameters).detach())
    return found


def layers_of(masked: MaskedPhoto, prints: Tensor) -> NDArray[np.uint8]:
    """(n, S, S, 4): the photo with each print, (n, 3, h, w), and which pixels its mask changes."""
    layers = np.zeros((len(prints), WINDOW_PX, WINDOW_PX, 4), np.uint8)
    layers[..., 3].reshape(len(prints), -1)[:, masked.touched] = 255
    for layer, texture in zip(layers, prints, strict=True):
        layer[..., :3] = texture_pixels(develop_photos([masked], texture)[0])
    return layers
