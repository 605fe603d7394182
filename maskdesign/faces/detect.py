"""Finding one face in a photo: mediapipe's face mesh, 478 landmarks, no network."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from maskdesign.errors import FaceError
from maskdesign.faces.detector import face_boxes, mesh_faces

MAX_FACES = 5
MIN_FACE_PX = 64
SMALLEST_SHARE = 0.1
"""Of the picture's longer side; smaller faces are not seen without looking at parts of it."""


@dataclass(frozen=True)
class FaceDetection:
    """One face found in a photo.

    Attributes:
        landmarks_px: (478, 3) float64. x and y in pixels; z on the same scale, smaller is nearer to the camera.
        source: name of the photo, for messages.

    Convention: x right, y down, the center of the upper left pixel is (0.5, 0.5). Rows 468 to 477 are the irises.
    """

    landmarks_px: NDArray[np.float64]
    source: str


def detect_face(image: NDArray[np.uint8], source: str, face_number: int | None = None) -> FaceDetection:
    """Find the landmarks of one face.

    Args:
        image: (H, W, 3) uint8 sRGB.
        source: name of the photo, for messages.
        face_number: which face where there are several, counted from 1 at the left.

    Raises:
        FaceError: no face, several faces and no choice, no face of that number, or a face under 64 pixels.
    """
    faces = faces_of_photo(image)
    if not faces:
        raise FaceError(f"{source}: no face found; give a sharp, frontal photo, cropped around the face")
    if face_number is None and len(faces) > 1:
        raise FaceError(f"{source}: {len(faces)} faces found; choose one with --face N, counted from the left")
    if face_number is not None and not 1 <= face_number <= len(faces):
        raise FaceError(f"{source}: --face {face_number}, but {len(faces)} found; count from 1 at the left")
    landmarks = faces[(face_number or 1) - 1]
    check_size(landmarks, source)
    return FaceDetection(landmarks, source)


def check_size(landmarks_px: NDArray[np.float64], source: str) -> None:
    """Raise a `FaceError` where a face has fewer pixels than a head can be made from."""
    width, height = np.ptp(landmarks_px[:468, :2], axis=0)
    if min(width, height) < MIN_FACE_PX:
        raise FaceError(
            f"{source}: the face is {width:.0f} x {height:.0f} pixels, at least {MIN_FACE_PX} are needed; "
            "give a larger photo"
        )


def faces_of_photo(image: NDArray[np.uint8]) -> list[NDArray[np.float64]]:
    """`find_faces` from left to right; where that sees none, also the small faces of a large photo."""
    return sorted(find_faces(image) or find_small_faces(image), key=lambda face: face[:468, 0].mean())


def find_faces(image: NDArray[np.uint8]) -> list[NDArray[np.float64]]:
    """Landmarks of every face, (478, 3) each as in `FaceDetection`, in no order; at most 5.

    The mesh's own detector wants faces that fill the picture; where a detector for smaller ones sees more, each of
    its finds is looked at by itself.

    Args:
        image: (H, W, 3) uint8 sRGB.

    Raises:
        FaceError, InputError: no detector is at hand; see `detector.mesh_faces`.
    """
    faces, (boxes,) = mesh_faces(image, MAX_FACES), face_boxes([image])
    if len(boxes) > len(faces):
        faces = [face for box in boxes[:MAX_FACES] for face in _mesh_in_box(image, box)]
    return faces


def find_small_faces(image: NDArray[np.uint8]) -> list[NDArray[np.float64]]:
    """The same for faces of at least 64 pixels in a photo so large that they fill less than a tenth of it.

    Overlapping parts are looked at, each time half as large, until one shows a face.
    """
    side = max(image.shape[:2])
    while side > MIN_FACE_PX / SMALLEST_SHARE:
        side = -(-side // 2)
        corners = [(top, left) for top in _starts(image.shape[0], side) for left in _starts(image.shape[1], side)]
        parts = [image[top : top + side, left : left + side] for top, left in corners]
        found = zip(corners, face_boxes(parts), strict=True)
        boxes = [np.add(box, [left, top, 0, 0]) for (top, left), inside in found for box in inside]
        faces = [face for box in _distinct(boxes)[:MAX_FACES] for face in _mesh_in_box(image, box)]
        if faces:
            return faces
    return []


def _starts(length: int, side: int) -> list[int]:
    """Where parts of a side begin that overlap by at least half and cover a length."""
    steps = max(0, -(-2 * (length - side) // side))
    return sorted({round(k * (length - side) / steps) for k in range(steps + 1)}) if steps else [0]


def _distinct(boxes: list[NDArray[np.float64]]) -> list[NDArray[np.float64]]:
    """The largest of the boxes around each place."""
    kept: list[NDArray[np.float64]] = []
    for box in sorted(boxes, key=lambda box: -box[2]):
        middle = box[:2] + box[2:] / 2
        if all(np.abs(other[:2] + other[2:] / 2 - middle).max() > other[2] / 2 for other in kept):
            kept.append(box)
    return kept


def _mesh_in_box(image: NDArray[np.uint8], box: NDArray[np.float64]) -> list[NDArray[np.float64]]:
    """The mesh in the box with half of its size around it on every side; nothing where no mesh fits."""
    left, top = np.maximum(box[:2] - box[2:] / 2, 0).astype(int)
    right, bottom = np.minimum(box[:2] + 1.5 * box[2:], image.shape[1::-1]).astype(int)
    shift = np.array([left, top, 0], dtype=np.float64)
    return [np.add(face, shift) for face in mesh_faces(image[top:bottom, left:right], 1)]
