"""Does the printed pattern itself look like a face? Nobody should be asked to wear one."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

from maskdesign.recognition.detectors import found_faces

SIDES_PX = (160, 320)
BACKGROUND = 200


def faces_on_sheet(pixels: NDArray[np.uint8]) -> dict[str, int]:
    """How often face detectors find a face on the flat sheet alone, turned by quarters and at several sizes.

    Args:
        pixels: (h, w, 3) uint8 sRGB texture.

    Returns:
        detector -> number of pictures, out of 8, on which it finds at least one face; 0 is wanted.
    """
    return {name: int(rows.sum()) for name, rows in found_faces(_presentations(pixels)).items()}


def _presentations(pixels: NDArray[np.uint8]) -> Iterator[NDArray[np.uint8]]:
    for side_px in SIDES_PX:
        scale = side_px / max(pixels.shape[:2])
        small = np.asarray(cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)
        margin = side_px // 2
        framed = np.pad(small, ((margin, margin), (margin, margin), (0, 0)), constant_values=BACKGROUND)
        for quarters in range(4):
            yield np.ascontiguousarray(np.rot90(framed, quarters))
