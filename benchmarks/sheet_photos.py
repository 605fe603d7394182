"""Simulated phone photos of a printed page: slant, lens, shadow, blur, noise, a table with a grain."""

from __future__ import annotations

import cv2
import numpy as np

SHAPE = (2448, 3264)
FOCAL_PX = 3264.0
PAPER_WHITE = 0.85


def photograph(
    page: np.ndarray, paper_mm: tuple[float, float], scale: tuple[float, float], random: np.random.Generator
) -> np.ndarray:
    """A page printed at `scale`, a little off its place and turned, lying on a table, seen by a phone.

    Args:
        page: (H, W, 3) uint8, the whole upright page.

    Returns:
        (H, W, 3) uint8.
    """
    on_paper_mm, radius2 = _seen_mm(paper_mm, random)
    place_px = _printed(on_paper_mm, paper_mm, scale, random) * (np.array(page.shape[1::-1]) / paper_mm) - 0.5
    ink = cv2.remap(page, place_px.astype(np.float32), None, cv2.INTER_LINEAR, None, cv2.BORDER_CONSTANT, (255,) * 3)
    inside_mm = np.minimum(on_paper_mm, np.array(paper_mm) - on_paper_mm).min(axis=-1)
    px_mm = 1.3 * max(paper_mm) / SHAPE[1]
    cover = np.clip(inside_mm / px_mm + 0.5, 0, 1)[..., None]
    light = PAPER_WHITE * (ink / 255.0) ** 2.2 * cover + _table(random) * (1 - cover)
    light *= _shade(random)[..., None] * (1 - 0.25 * radius2[..., None])
    light = cv2.GaussianBlur(light, (0, 0), random.uniform(0.6, 1.6))
    noisy = 255 * np.clip(light, 0, 1) ** (1 / 2.2) + random.normal(0, random.uniform(1, 5), light.shape)
    return np.clip(noisy, 0, 255).astype(np.uint8)


def _seen_mm(paper_mm: tuple[float, float], random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Where on the paper's plane each pixel looks, and its squared distance from the middle (half diagonal 1)."""
    tilt, roll = np.radians(random.uniform(-20, 20, 2)), np.radians(90 + random.uniform(-8, 8))
    turn = cv2.Rodrigues(np.array([0, 0, roll]))[0] @ cv2.Rodrigues(np.array([tilt[0], tilt[1], 0]))[0]
    middle = np.array([-paper_mm[0] / 2, -paper_mm[1] / 2, 0])
    away = np.array([0, 0, 1.3 * FOCAL_PX * max(paper_mm) / SHAPE[1]])
    camera = np.array([[FOCAL_PX, 0, SHAPE[1] / 2], [0, FOCAL_PX, SHAPE[0] / 2], [0, 0, 1]])
    plane = np.linalg.inv(camera @ np.column_stack([turn[:, 0], turn[:, 1], turn @ middle + away]))
    center = np.array(SHAPE[::-1]) / 2
    from_center = np.stack(np.meshgrid(np.arange(SHAPE[1]), np.arange(SHAPE[0])), axis=-1) + 0.5 - center
    radius2 = (from_center**2).sum(axis=-1) / (center**2).sum()
    straight = center + from_center * (1 + random.uniform(-0.03, 0.03) * radius2[..., None])
    seen = straight @ plane[:, :2].T + plane[:, 2]
    return seen[..., :2] / seen[..., 2:], radius2


def _printed(
    on_paper_mm: np.ndarray, paper_mm: tuple[float, float], scale: tuple[float, float], random: np.random.Generator
) -> np.ndarray:
    """Which point of the drawn page lies at a point of the paper."""
    angle, middle = np.radians(random.uniform(-0.5, 0.5)), np.array(paper_mm) / 2
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    back = np.linalg.inv(turn @ np.diag(scale))
    return (on_paper_mm - middle - random.uniform(-2, 2, 2)) @ back.T + middle


def _table(random: np.random.Generator) -> np.ndarray:
    grain = random.normal(0, 1, (SHAPE[0] // 8, SHAPE[1] // 8))
    grain = cv2.resize(cv2.GaussianBlur(grain, (0, 0), sigmaX=20, sigmaY=1.5), SHAPE[::-1])
    return np.clip(random.uniform(0.03, 0.25, 3) * (1 + 0.25 * grain[..., None] / grain.std()), 0, 1)


def _shade(random: np.random.Generator) -> np.ndarray:
    """A shadow with a soft edge across the picture."""
    angle = random.uniform(0, 2 * np.pi)
    x, y = np.meshgrid(np.linspace(-1, 1, SHAPE[1]), np.linspace(-1, 1, SHAPE[0]))
    along = x * np.cos(angle) + y * np.sin(angle) - random.uniform(-0.4, 0.4)
    return 1 - random.uniform(0, 0.5) / (1 + np.exp(-along / random.uniform(0.02, 0.2)))
