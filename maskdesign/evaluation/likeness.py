"""Does the printed pattern itself look like a face, flat or worn? Nobody should be asked to wear one."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

from maskdesign.evaluation.pictures import PREVIEW_POSES_DEG, preview_views
from maskdesign.optimize.texture import texture_pixels, texture_tensor
from maskdesign.recognition.detectors import found_faces
from maskdesign.render.renderer import render_views
from maskdesign.render.scene import Scene

SIDES_PX, TURNS = (160, 320), 4
BACKGROUND = 200
WORN_SIDES_PX = (320, 640)
"""Sides of the pictures of the worn sheet, in which it is about as large as the flat one in its own."""
FLAT_PICTURES, WORN_PICTURES = len(SIDES_PX) * TURNS, len(WORN_SIDES_PX) * len(PREVIEW_POSES_DEG)


def faces_on_sheet(pixels: NDArray[np.uint8]) -> dict[str, int]:
    """How often face detectors find a face on the flat sheet alone, turned by quarters and at several sizes.

    Args:
        pixels: (h, w, 3) uint8 sRGB texture.

    Returns:
        detector -> number of pictures, out of `FLAT_PICTURES`, on which it finds at least one face; 0 is wanted.
    """
    return _counted(_presentations(pixels))


def faces_on_worn_sheet(scene: Scene, pixels: NDArray[np.uint8]) -> dict[str, int]:
    """How often face detectors find a face on the worn sheet alone, from five sides and at two sizes.

    Args:
        scene: a worn mask without a head, so that whatever is found is the print's and not the wearer's.
        pixels: (h, w, 3) uint8 sRGB texture.

    Returns:
        detector -> number of pictures, out of `WORN_PICTURES`, on which it finds at least one face; 0 is wanted.
    """
    return _counted(_worn_presentations(scene, pixels))


def _counted(pictures: Iterator[NDArray[np.uint8]]) -> dict[str, int]:
    return {name: int(rows.sum()) for name, rows in found_faces(pictures).items()}


def _worn_presentations(scene: Scene, pixels: NDArray[np.uint8]) -> Iterator[NDArray[np.uint8]]:
    texture = texture_tensor(pixels)
    for side_px in WORN_SIDES_PX:
        for view in preview_views(side_px):
            yield texture_pixels(render_views((scene,), (view,), texture)[0])


def _presentations(pixels: NDArray[np.uint8]) -> Iterator[NDArray[np.uint8]]:
    for side_px in SIDES_PX:
        scale = side_px / max(pixels.shape[:2])
        small = np.asarray(cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)
        margin = side_px // 2
        framed = np.pad(small, ((margin, margin), (margin, margin), (0, 0)), constant_values=BACKGROUND)
        for quarters in range(TURNS):
            yield np.ascontiguousarray(np.rot90(framed, quarters))
