"""A face in a photo and the square around it, where a protection works."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from maskdesign.digital.picture import Picture
from maskdesign.errors import FaceError
from maskdesign.faces.detect import MIN_FACE_PX, find_faces
from maskdesign.faces.landmarks import LANDMARK_INDEX

WORKING_PX = 256
"""The paper's picture has this side; a region is worked on at the whole fraction of its own that comes closest."""
MESH = slice(0, 468)
SIDE_PER_FACE = 2.2


@dataclass(frozen=True)
class FaceRegion:
    """A rectangle of a photo around one face.

    Attributes:
        left_px, top_px: its corner in the photo.
        width_px, height_px: its extent; multiples of `block_px`.
        block_px: side of the squares of the photo that change together, 1 for faces up to about 170 pixels.
        landmarks_px: (478, 2) mediapipe's landmarks in the photo.
    """

    left_px: int
    top_px: int
    width_px: int
    height_px: int
    block_px: int
    landmarks_px: NDArray[np.float64]

    @property
    def window(self) -> tuple[slice, slice]:
        """Rows and columns of the photo."""
        return (
            slice(self.top_px, self.top_px + self.height_px),
            slice(self.left_px, self.left_px + self.width_px),
        )

    @property
    def working_landmarks_px(self) -> NDArray[np.float64]:
        """(478, 2) landmarks in pixels of the working picture."""
        return (self.landmarks_px - [self.left_px, self.top_px]) / self.block_px

    def points_px(self) -> dict[str, NDArray[np.float64]]:
        """Named landmarks in pixels of the working picture."""
        landmarks = self.working_landmarks_px
        return {name: landmarks[index] for name, index in LANDMARK_INDEX.items()}


def face_regions(picture: Picture, source: str) -> list[FaceRegion]:
    """The region of every face, from left to right.

    Raises:
        FaceError: no face, or all of them under 64 pixels.
    """
    faces = sorted((face[:, :2] for face in find_faces(picture.rgb)), key=lambda face: face[MESH, 0].mean())
    if not faces:
        raise FaceError(f"{source}: no face found; crop the photo around the face")
    large = [face for face in faces if np.ptp(face[MESH], axis=0).max() >= MIN_FACE_PX]
    if not large:
        extent = max(np.ptp(face[MESH], axis=0).max() for face in faces)
        raise FaceError(f"{source}: the face is {extent:.0f} pixels high, at least {MIN_FACE_PX} are needed")
    return [region_around(face, *picture.shape) for face in large]


def region_around(landmarks_px: NDArray[np.float64], height_px: int, width_px: int) -> FaceRegion:
    """The square of 2.2 times the face's longer side around its middle, as far as the photo reaches."""
    low, high = landmarks_px[MESH].min(axis=0), landmarks_px[MESH].max(axis=0)
    center, side = (low + high) / 2, SIDE_PER_FACE * (high - low).max()
    block = max(1, round(side / WORKING_PX))
    start = np.clip(np.floor(center - side / 2), 0, None).astype(int)
    stop = np.minimum(np.ceil(center + side / 2), [width_px, height_px]).astype(int)
    extent = (stop - start) // block * block
    return FaceRegion(int(start[0]), int(start[1]), int(extent[0]), int(extent[1]), block, landmarks_px)


def working_picture(region: FaceRegion, pixels: NDArray[np.uint8]) -> Tensor:
    """The region's pixels, each square of `block_px` averaged.

    Args:
        pixels: (H, W, C) of the photo.

    Returns:
        (C, h, w) float in [0, 255].
    """
    part = torch.from_numpy(pixels[region.window].copy()).permute(2, 0, 1)[None].float()
    return functional.avg_pool2d(part, region.block_px)[0]


def face_mask(region: FaceRegion, height_px: int, width_px: int) -> NDArray[np.bool_]:
    """(height, width) of the working picture: True in the box around the landmarks."""
    landmarks = region.working_landmarks_px[MESH]
    low = np.maximum(np.floor(landmarks.min(axis=0)), 0).astype(int)
    high = np.ceil(landmarks.max(axis=0)).astype(int)
    mask = np.zeros((height_px, width_px), dtype=bool)
    mask[low[1] : high[1], low[0] : high[0]] = True
    return mask
