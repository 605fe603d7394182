"""Faces that wear a mask of this project's renderer, with prints of every kind, as layers in a memory map."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from maskdesign.evaluation.controls import natural_print
from maskdesign.faces.scan import named_points
from maskdesign.jobs.config import JobConfig
from maskdesign.jobs.net_faces import Faces, write_map
from maskdesign.jobs.photo_store import PhotoStore, fill_store
from maskdesign.optimize.adversary import MarginFusion
from maskdesign.optimize.canvas import Texels
from maskdesign.optimize.face_batches import Masks
from maskdesign.optimize.photo_probes import PhotoProbes, develop_photos, embed_bare
from maskdesign.optimize.step import Problem, design_step, initial_state
from maskdesign.optimize.texture import TextureStyle, initial_parameters, texture_from_parameters, texture_pixels
from maskdesign.progress import Progress
from maskdesign.recognition.recognizer import Recognizer
from maskdesign.recognition.spec import FIVE_POINTS
from maskdesign.render.masked_photo import WINDOW_PX, MaskedPhoto

MASK_STREAM, PRINT_STREAM = 1, 5
DESIGN_PHOTOS, DESIGN_STEPS = 48, 30


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
    config: JobConfig, teachers: Sequence[Recognizer], photos: Sequence[MaskedPhoto], count: int, seed: int
) -> list[Tensor]:
    """Prints of every kind: plain, patterned, random, and designed against each teacher.

    Args:
        photos: of people to design on.
        count: plain, patterned and random ones in all.

    Returns:
        (3, h, w) sRGB each; for the same arguments always the same.
    """
    prints = [_print(config, number, seed) for number in range(count)]
    return prints + [_designed(config, teacher, photos, seed) for teacher in teachers]


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


def _designed(config: JobConfig, teacher: Recognizer, photos: Sequence[MaskedPhoto], seed: int) -> Tensor:
    """A short universal design against one teacher, each photo enrolled with itself."""
    own = [(row,) for row in embed_bare(teacher, photos)]
    canvas = Texels(replace(config.texture, repeats=(1, 1)), config.mask)
    probes = PhotoProbes(photos, own, photos, own, config.jitter, config.mask, seed)
    design = replace(config.design, steps=DESIGN_STEPS)
    problem = Problem(MarginFusion((teacher,), config.objective), probes, canvas, design, seed)
    state = initial_state(problem)
    for _ in range(DESIGN_STEPS):
        state, _ = design_step(problem, state)
    return canvas.texture(state.parameters).detach()


def lay_masks(
    store: PhotoStore, keys: Sequence[str], rows: NDArray[np.int64], prints: Sequence[Tensor], each: int, cache: Path
) -> Masks:
    """Print on every masked photo and keep the layers in a memory map.

    Args:
        keys: masked photos of the store, of the faces `rows`.
        prints: dealt out by turns.
        each: prints on one photo.
    """
    stack = torch.stack(list(prints))
    digest = hashlib.sha256("\n".join(keys).encode() + stack.numpy().tobytes() + str(each).encode()).hexdigest()[:24]
    target = cache / f"masks-{digest}.npy"
    if not target.exists():
        write_map(target, [layers_of(store.load(key), stack, number * each, each) for number, key in enumerate(keys)])
    five = np.stack([_five_points(store.load(key)) for key in keys])
    return Masks(np.load(target, mmap_mode="r"), np.repeat(five, each, axis=0), np.repeat(rows, each))


def layers_of(masked: MaskedPhoto, prints: Tensor, first: int, count: int) -> NDArray[np.uint8]:
    """(count, S, S, 4): the photo with prints `first` and following, and which pixels its mask changes."""
    layers = np.zeros((count, WINDOW_PX, WINDOW_PX, 4), np.uint8)
    layers[..., 3].reshape(count, -1)[:, masked.touched] = 255
    for number in range(count):
        (image,) = develop_photos([masked], prints[(first + number) % len(prints)])
        layers[number, ..., :3] = texture_pixels(image)
    return layers


def _five_points(masked: MaskedPhoto) -> NDArray[np.float32]:
    return named_points(masked.points_px, FIVE_POINTS).astype(np.float32)
