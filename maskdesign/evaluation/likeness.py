"""Does the printed pattern itself look like a face? Nobody should be asked to wear one."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

from maskdesign.faces.detect import find_faces

SIDES_PX = (160, 320)
BACKGROUND = 200
HAAR_CASCADES = (
    "haarcascade_frontalface_default.xml",
    "haarcascade_frontalface_alt2.xml",
    "haarcascade_profileface.xml",
)


def faces_on_sheet(pixels: NDArray[np.uint8]) -> dict[str, int]:
    """How often face detectors find a face on the flat sheet alone, turned by quarters and at several sizes.

    Args:
        pixels: (h, w, 3) uint8 sRGB texture.

    Returns:
        detector -> number of pictures, out of 8, on which it finds at least one face; 0 is wanted.
    """
    pictures = list(_presentations(pixels))
    return {
        "mediapipe face mesh": sum(bool(find_faces(picture)) for picture in pictures),
        "OpenCV Haar cascades": sum(_haar_finds(picture) for picture in pictures),
    }


def _presentations(pixels: NDArray[np.uint8]) -> Iterator[NDArray[np.uint8]]:
    for side_px in SIDES_PX:
        scale = side_px / max(pixels.shape[:2])
        small = np.asarray(cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)
        margin = side_px // 2
        framed = np.pad(small, ((margin, margin), (margin, margin), (0, 0)), constant_values=BACKGROUND)
        for quarters in range(4):
            yield np.ascontiguousarray(np.rot90(framed, quarters))


def _haar_finds(picture: NDArray[np.uint8]) -> bool:
    gray = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    folder = cv2.data.haarcascades  # type: ignore[attr-defined]
    detectors = (cv2.CascadeClassifier(folder + name) for name in HAAR_CASCADES)
    return any(len(detector.detectMultiScale(gray, 1.1, 4)) > 0 for detector in detectors)
