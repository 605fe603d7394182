"""What else the paper compares with, behind one signature: a photo and its face in, a changed photo out.

None of them can be undone. Fawkes and AdvHat are read as their ideas, not as their code: here both only push a face
away from itself, never towards another person.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from maskdesign.digital.face_task import face_task
from maskdesign.digital.perturb import FaceTask, PerturbSettings, Rung, ascend, changed, faint_noise
from maskdesign.digital.protect import add_change
from maskdesign.digital.region import MESH, FaceRegion, working_picture
from maskdesign.digital.settings import ProtectSettings
from maskdesign.digital.similarity import ssim
from maskdesign.faces.landmarks import EYE_RINGS, LOWER_LIP, NOSE_TIP, UPPER_LIP
from maskdesign.recognition.recognizer import Recognizer

CONFUSED = (NOSE_TIP, 98, 327, 2, 168, 61, 291, 0, 17, *UPPER_LIP, *LOWER_LIP)
"""Nose and mouth."""
TWISTED = (EYE_RINGS[0], EYE_RINGS[1], (NOSE_TIP, 2), (*UPPER_LIP, *LOWER_LIP))
STICKER = (10, 338, 109, 151)
"""Landmarks of the forehead's middle."""
UNBOUNDED = Rung("unbounded", 0.0, 255.0)


def pixel_confusion(
    pixels: NDArray[np.uint8], region: FaceRegion, threshold: float, rng: np.random.Generator
) -> NDArray[np.uint8]:
    """Regional pixel confusion: every pixel of nose and mouth comes from a random place nearby.

    The paper gives no formula; read as displacements of up to `threshold` thousandths of the face's width.

    Args:
        threshold: the paper's p: 20, 88, 167, 325.
    """
    height, width = pixels.shape[:2]
    hull = cv2.convexHull(np.round(region.landmarks_px[list(CONFUSED)]).astype(np.int32))
    inside = cv2.fillConvexPoly(np.zeros((height, width), np.uint8), hull, (1,)).astype(bool)
    reach = threshold / 1000 * np.ptp(region.landmarks_px[MESH, 0])
    y, x = np.nonzero(inside)
    moved = rng.uniform(-reach, reach, (2, len(y)))
    result = pixels.copy()
    rows = np.clip(np.rint(y + moved[0]), 0, height - 1).astype(int)
    columns = np.clip(np.rint(x + moved[1]), 0, width - 1).astype(int)
    result[y, x] = pixels[rows, columns]
    return result


def feature_twist(pixels: NDArray[np.uint8], region: FaceRegion, pressure: float) -> NDArray[np.uint8]:
    """Feature area twist: eyes, nose and mouth are each swirled about their middle.

    Args:
        pressure: the paper's 50 to 72; read as the swirl's angle in degrees at the middle.
    """
    y, x = np.mgrid[0 : pixels.shape[0], 0 : pixels.shape[1]].astype(np.float32)
    radius = 0.25 * np.ptp(region.landmarks_px[MESH, 0])
    place = x + 1j * y
    source = place.copy()
    for number, ring in enumerate(TWISTED):
        center = complex(*region.landmarks_px[list(ring)].mean(axis=0))
        away = np.abs(place - center) / radius
        angle = np.radians(pressure) * (-1) ** number * np.clip(1 - away, 0, 1) ** 2
        source += (place - center) * (np.exp(1j * angle) - 1)
    maps = source.real.astype(np.float32), source.imag.astype(np.float32)
    return np.asarray(cv2.remap(pixels, *maps, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), np.uint8)


def fawkes_like(
    pixels: NDArray[np.uint8],
    region: FaceRegion,
    recognizer: Recognizer,
    similarity: float,
    rng: np.random.Generator,
    settings: PerturbSettings,
) -> NDArray[np.uint8]:
    """A cloak over the whole region that leads one feature extractor away, within a budget of DSSIM (Shan et al. 2020).

    Args:
        similarity: SSIM that the whole photo keeps; 1 - 2 x DSSIM budget.
    """
    task = _free_task(region, pixels, recognizer, rng)
    free = replace(task, low=torch.zeros_like(task.low), high=torch.full_like(task.high, 255.0))
    change = _ascended(free, Rung("cloak", similarity, 255.0), settings, rng)
    return scaled_to_ssim(lambda scale: _with(region, pixels, free, change * scale), pixels, similarity)


def sticker_like(
    pixels: NDArray[np.uint8],
    region: FaceRegion,
    recognizer: Recognizer,
    rng: np.random.Generator,
    settings: PerturbSettings,
) -> NDArray[np.uint8]:
    """A sticker on the forehead with a texture of its own, without a budget (AdvHat, Komkov and Petiushko 2019)."""
    task = _free_task(region, pixels, recognizer, rng)
    landmarks = region.working_landmarks_px
    center, span = landmarks[list(STICKER)].mean(axis=0), np.ptp(landmarks[MESH, 0])
    reach = np.array([0.3, 0.1]) * span
    low, high = np.maximum(center - reach, 0).astype(int), (center + reach).astype(int)
    inside = torch.zeros(task.low.shape[1:], dtype=torch.bool)
    inside[low[1] : high[1], low[0] : high[0]] = True
    free = replace(
        task,
        low=torch.where(inside, 0.0, task.eye.pixels),
        high=torch.where(inside, 255.0, task.eye.pixels),
    )
    return _with(region, pixels, free, _ascended(free, UNBOUNDED, settings, rng))


def scaled_to_ssim(
    at_strength: Callable[[float], NDArray[np.uint8]],
    original: NDArray[np.uint8],
    similarity: float,
    highest: float = 4.0,
) -> NDArray[np.uint8]:
    """The strongest picture of a family whose SSIM with the original does not fall below a value: a bisection."""
    low, high = 0.0, highest
    for _ in range(10):
        middle = (low + high) / 2
        low, high = (middle, high) if ssim(original, at_strength(middle)) >= similarity else (low, middle)
    return at_strength(low)


def _free_task(
    region: FaceRegion, pixels: NDArray[np.uint8], recognizer: Recognizer, rng: np.random.Generator
) -> FaceTask:
    task, _ = face_task(region, working_picture(region, pixels), [recognizer], ProtectSettings(), rng)
    return replace(task, gain=torch.ones_like(task.gain))


def _ascended(task: FaceTask, rung: Rung, settings: PerturbSettings, rng: np.random.Generator) -> torch.Tensor:
    start = faint_noise(task, rng)
    state = start, torch.zeros_like(start)
    for _ in range(settings.steps):
        state = ascend(task, rung, settings, state, rng)
    return state[0]


def _with(region: FaceRegion, pixels: NDArray[np.uint8], task: FaceTask, change: torch.Tensor) -> NDArray[np.uint8]:
    result = pixels.copy()
    add_change(region, result, (changed(task, change) - task.eye.pixels).round())
    return result


def stacked(tasks: Sequence[FaceTask], changes: Sequence[torch.Tensor]) -> tuple[FaceTask, torch.Tensor]:
    """Separately learned templates laid over each other, as in the paper's Table 3: changes add up, cells join.

    Args:
        tasks, changes: one for each recognizer, of the same face.
    """
    low = torch.stack([task.low for task in tasks]).amin(dim=0)
    high = torch.stack([task.high for task in tasks]).amax(dim=0)
    return replace(tasks[0], low=low, high=high), torch.stack(list(changes)).sum(dim=0)
