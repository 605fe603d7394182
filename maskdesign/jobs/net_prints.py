"""Prints of every kind to train a small recognizer on, and designs that fool the one that its training begins with."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from maskdesign.config import config_hash
from maskdesign.evaluation.controls import natural_print
from maskdesign.jobs.config import JobConfig
from maskdesign.jobs.net_faces import write_map
from maskdesign.jobs.photo_store import PhotoStore
from maskdesign.optimize.adversary import MarginFusion
from maskdesign.optimize.canvas import Texels
from maskdesign.optimize.face_batches import GROUP
from maskdesign.optimize.photo_probes import PhotoProbes, embed_bare
from maskdesign.optimize.step import Problem, design_step, initial_state
from maskdesign.optimize.texture import (
    TextureStyle,
    initial_parameters,
    texture_from_parameters,
    texture_pixels,
)
from maskdesign.progress import Progress
from maskdesign.recognition.recognizer import Recognizer
from maskdesign.recognition.registry import load_dlib_recognizer
from maskdesign.render.masked_photo import MaskedPhoto

PRINT_STREAM, RIVAL_STREAM = 5, 9
DESIGN_PHOTOS, KEPT_STEPS, RIVAL_STEPS = 48, (8, 16, 30), (6, 14, 28, 46)
"""Photos of a short design, and the steps whose textures are kept, of designs against teachers and against the net."""
STRONG_INKS = ("#000000", "#ffffff", "#ff0000", "#00ff00", "#0000ff", "#ffff00", "#00ffff", "#ff00ff")

assert len(RIVAL_STEPS) == GROUP


@dataclass(frozen=True, eq=False)
class PrintPlan:
    """Which prints are made.

    Attributes:
        config: of the designs.
        teachers: each is designed against.
        store, keys: masked photos to design on.
        count: plain, patterned and random prints in all.
        seed: of what is drawn.
        begun: the net that a training begins with; None for a fresh one.
        designs: against it.
    """

    config: JobConfig
    teachers: tuple[Recognizer, ...]
    store: PhotoStore
    keys: tuple[str, ...]
    count: int
    seed: int
    begun: Recognizer | None
    designs: int

    @property
    def digest(self) -> str:
        """Of everything that decides the prints."""
        told = [config_hash(self.config), *(one.spec.sha256 for one in self.teachers)]
        told += [*self.keys[:DESIGN_PHOTOS], str((self.count, self.seed))]
        if self.begun is not None:
            told += [self.begun.spec.sha256, *self.keys[DESIGN_PHOTOS:], str(self.designs)]
        return hashlib.sha256(" ".join(told).encode()).hexdigest()[:24]


def training_prints(plan: PrintPlan, cache: Path, progress: Progress) -> Path:
    """Prints of every kind: plain, patterned, random, and designed against each teacher, finished or not; made once.

    Where a training begins with a net, designs against that one come last, `GROUP` steps of each.

    Returns:
        file of a memory map, (P, h, w, 3) uint8 sRGB.
    """
    target = cache / f"prints-{plan.digest}.npy"
    if target.exists():
        return target
    photos = [plan.store.load(key) for key in plan.keys[:DESIGN_PHOTOS]]
    prints = [_print(plan.config, number, plan.seed) for number in range(plan.count)]
    texture = plan.config.texture
    for one in plan.teachers:
        for style in (texture, replace(texture, inks=STRONG_INKS)):
            prints += _designed(plan.config, replace(style, repeats=(1, 1)), (one,), photos, plan.seed, KEPT_STEPS)
    if plan.begun is not None:
        for number in range(plan.designs):
            prints += _rival(plan, plan.begun, number)
            progress.advance(number + 1, plan.designs, "designs against the net as it is")
    write_map(target, [texture_pixels(one)[None] for one in prints])
    return target


def _rival(plan: PrintPlan, begun: Recognizer, number: int) -> list[Tensor]:
    """A design against the net, as users make them, or against what it shall become; each on photos of its own."""
    generator = np.random.Generator(np.random.Philox(key=plan.seed, counter=[0, 0, RIVAL_STREAM, number]))
    drawn = generator.permutation(len(plan.keys))[:DESIGN_PHOTOS]
    photos = [plan.store.load(plan.keys[place]) for place in drawn]
    # Three of four in the strong inks, so that each ensemble comes in both.
    strong = (number // 4) % 4 < 3
    style = replace(plan.config.texture, repeats=(1, 1))
    style = replace(style, inks=STRONG_INKS) if strong else style
    against = _ensemble(plan.teachers, begun, number)
    return _designed(plan.config, style, against, photos, plan.seed + number, RIVAL_STEPS)


def _ensemble(teachers: Sequence[Recognizer], begun: Recognizer, number: int) -> tuple[Recognizer, ...]:
    """Whom a design is against: mostly dlib's and the net, sometimes the net alone, or dlib's and a teacher."""
    dlib, teacher = load_dlib_recognizer(), teachers[number // 4 % len(teachers)]
    if number % 4 == 1:
        return (begun,)
    if number % 4 < 3:
        return dlib, begun
    return (dlib,) if teacher.spec.sha256 == dlib.spec.sha256 else (dlib, teacher)


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
    config: JobConfig,
    style: TextureStyle,
    adversaries: tuple[Recognizer, ...],
    photos: Sequence[MaskedPhoto],
    seed: int,
    kept: Sequence[int],
) -> list[Tensor]:
    """A short universal design, each photo enrolled with itself, as it is after the steps to be kept."""
    own = list(zip(*(embed_bare(one, photos) for one in adversaries), strict=True))
    canvas = Texels(style, config.mask)
    probes = PhotoProbes(photos, own, photos, own, config.jitter, config.mask, seed)
    problem = Problem(
        MarginFusion(adversaries, config.objective), probes, canvas, replace(config.design, steps=max(kept)), seed
    )
    state, found = initial_state(problem), []
    for step in range(1, max(kept) + 1):
        state, _ = design_step(problem, state)
        if step in kept:
            found.append(canvas.texture(state.parameters).detach())
    return found
