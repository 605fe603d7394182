"""The conditions of the photo experiments: protections, their controls, and the paper's other methods."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from maskdesign.digital import baselines, controls
from maskdesign.digital.baselines import scaled_to_ssim
from maskdesign.digital.cells import photo_template
from maskdesign.digital.face_task import face_task
from maskdesign.digital.perturb import LADDER, FaceTask, PerturbSettings, climbed_rungs, fitted
from maskdesign.digital.protect import add_change
from maskdesign.digital.region import FaceRegion, working_picture
from maskdesign.digital.settings import ProtectSettings
from maskdesign.recognition.recognizer import Recognizer

SEED = 20_409
CONFUSIONS = (20, 88, 167, 325)
PRESSURES = (50, 59, 63, 72)
DSSIM_BUDGETS = (0.003, 0.012, 0.022)
"""About that of the ladder's first two rungs on photos framed as LFW's, then the ends of the paper's range."""
Condition = tuple[str, NDArray[np.uint8], NDArray[np.bool_]]
"""Its name, the changed photo (H, W, 3) and the pixels under its template, (H, W)."""


@dataclass(frozen=True)
class Subject:
    """The photo to be changed, its face, and the other photos of that person."""

    pixels: NDArray[np.uint8]
    region: FaceRegion
    gallery: tuple[tuple[torch.Tensor, ...], ...]


def _together(subject: Subject, recognizers: Sequence[Recognizer], rng: np.random.Generator) -> Iterator[Condition]:
    """All recognizers jointly, its controls, and what a protected photo meets on its way."""
    for name, pixels, mask in _protected(subject, "all", recognizers, rng):
        yield name, pixels, mask
        yield name.replace("all", "random noise"), controls.random_noise(subject.pixels, pixels, rng), mask
        if name != f"all, {LADDER[0].name}":
            yield from _on_the_way(name, pixels, mask)
    yield "inverted cells", controls.inverted_cells(subject.pixels, mask), mask


def _left_out(subject: Subject, recognizers: Sequence[Recognizer], rng: np.random.Generator) -> Iterator[Condition]:
    """Each recognizer in turn judges a protection that never met it."""
    for one in recognizers if len(recognizers) > 1 else ():
        rest = [other for other in recognizers if other.spec.name != one.spec.name]
        yield from _protected(subject, f"without {one.spec.name}", rest, rng)


def _face_task(
    subject: Subject, recognizers: Sequence[Recognizer], rng: np.random.Generator
) -> tuple[FaceTask, NDArray[np.bool_]]:
    settings, image = ProtectSettings(), working_picture(subject.region, subject.pixels)
    task, cells = face_task(subject.region, image, recognizers, settings, rng)
    template = photo_template(subject.region, cells.own, settings.template.cell_px)
    return task, template.mask(*subject.pixels.shape[:2])


def _with_change(subject: Subject, change: torch.Tensor) -> NDArray[np.uint8]:
    pixels = subject.pixels.copy()
    add_change(subject.region, pixels, change)
    return pixels


def _protected(
    subject: Subject, label: str, recognizers: Sequence[Recognizer], rng: np.random.Generator
) -> Iterator[Condition]:
    task, mask = _face_task(subject, recognizers, rng)
    for rung, change in climbed_rungs(task, LADDER, PerturbSettings(), rng):
        yield f"{label}, {rung.name}", _with_change(subject, change), mask


def _on_the_way(name: str, pixels: NDArray[np.uint8], mask: NDArray[np.bool_]) -> Iterator[Condition]:
    for quality in (95, 85, 75):
        yield f"{name}, JPEG {quality}", controls.recompressed(pixels, quality), mask
    for side in (3, 5):
        yield f"{name}, median {side} x {side}", controls.median_filtered(pixels, side), mask
    yield f"{name}, blur 1 px", controls.gaussian_blurred(pixels, 1.0), mask


def _alone(subject: Subject, recognizers: Sequence[Recognizer], rng: np.random.Generator) -> Iterator[Condition]:
    """Each recognizer alone, and these separately learned templates stacked within the same budget."""
    tasks, changes, masks = [], [], []
    for one in recognizers:
        task, mask = _face_task(subject, [one], rng)
        climbed = list(climbed_rungs(task, LADDER, PerturbSettings(), rng))[1:]
        tasks, changes, masks = [*tasks, task], [*changes, [change for _, change in climbed]], [*masks, mask]
        for rung, change in climbed:
            yield f"only {one.spec.name}, {rung.name}", _with_change(subject, change), mask
    for rung, parts in zip(LADDER[1:], zip(*changes, strict=True), strict=True):
        task, total = baselines.stacked(tasks, list(parts))
        yield f"stacked, {rung.name}", _with_change(subject, fitted(task, rung, total)), np.any(masks, axis=0)


def _others(subject: Subject, recognizers: Sequence[Recognizer], rng: np.random.Generator) -> Iterator[Condition]:
    """The paper's other methods at their own strengths, and at about the DSSIM of the ladder's first two rungs."""
    pixels, region, nowhere = subject.pixels, subject.region, np.zeros(subject.pixels.shape[:2], bool)

    def confused(threshold: float) -> NDArray[np.uint8]:
        return baselines.pixel_confusion(pixels, region, threshold, np.random.Generator(np.random.Philox(key=SEED)))

    def twisted(pressure: float) -> NDArray[np.uint8]:
        return baselines.feature_twist(pixels, region, pressure)

    faint = 1 - 2 * DSSIM_BUDGETS[0]
    yield from ((f"pixel confusion, p = {value}", confused(value), nowhere) for value in CONFUSIONS)
    yield f"pixel confusion, DSSIM {DSSIM_BUDGETS[0]}", scaled_to_ssim(confused, pixels, faint, 400), nowhere
    yield from ((f"feature twist, pressure {value}", twisted(value), nowhere) for value in PRESSURES)
    yield f"feature twist, DSSIM {DSSIM_BUDGETS[0]}", scaled_to_ssim(twisted, pixels, faint, 90), nowhere
    for budget in DSSIM_BUDGETS:
        cloaked = baselines.fawkes_like(pixels, region, recognizers[-1], 1 - 2 * budget, rng, PerturbSettings())
        yield f"Fawkes-like, DSSIM {budget}", cloaked, nowhere
    yield "AdvHat-like", baselines.sticker_like(pixels, region, recognizers[-1], rng, PerturbSettings()), nowhere


GROUPS: Mapping[str, Callable[[Subject, Sequence[Recognizer], np.random.Generator], Iterator[Condition]]] = {
    "together": _together,
    "left out": _left_out,
    "alone": _alone,
    "others": _others,
}
"""Conditions that are measured together."""
