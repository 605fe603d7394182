"""What a protection has to beat before it may be said to do anything, and what a photo meets on its way."""

from __future__ import annotations

import io

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image


def random_noise(
    original: NDArray[np.uint8], protected: NDArray[np.uint8], rng: np.random.Generator
) -> NDArray[np.uint8]:
    """Noise of equal size without a purpose: each change of a pixel's channel keeps its size and gets a random sign.

    Args:
        original, protected: (H, W, C).
    """
    size = np.abs(protected.astype(np.int16) - original)
    signed = size * rng.choice(np.array([-1, 1], np.int16), size.shape)
    return np.clip(original + signed, 0, 255).astype(np.uint8)


def inverted_cells(original: NDArray[np.uint8], mask: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Every bit under the template turned over (XOR 255): the crudest operand, for any recognizer and any eye."""
    return np.where(mask[..., None], original ^ 255, original)


def recompressed(pixels: NDArray[np.uint8], quality: int) -> NDArray[np.uint8]:
    """(H, W, 3) through JPEG with subsampled colors, as sites do."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="JPEG", quality=quality)
    return np.asarray(Image.open(buffer))


def median_filtered(pixels: NDArray[np.uint8], side_px: int) -> NDArray[np.uint8]:
    """Median in squares of an odd side."""
    return np.asarray(cv2.medianBlur(np.ascontiguousarray(pixels), side_px), np.uint8)


def gaussian_blurred(pixels: NDArray[np.uint8], sigma_px: float) -> NDArray[np.uint8]:
    """Gaussian blur."""
    return np.asarray(cv2.GaussianBlur(pixels, (0, 0), sigma_px), np.uint8)
