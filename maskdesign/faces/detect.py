"""Finding one face in a photo: mediapipe's face mesh, 478 landmarks, no network."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskdesign.errors import FaceError

MAX_FACES = 5
MIN_FACE_PX = 64


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
    faces = sorted(find_faces(image), key=lambda landmarks: landmarks[:468, 0].mean())
    if not faces:
        raise FaceError(f"{source}: no face found; give a sharp, frontal photo, cropped around the face")
    if face_number is None and len(faces) > 1:
        raise FaceError(f"{source}: {len(faces)} faces found; choose one with --face N, counted from the left")
    if face_number is not None and not 1 <= face_number <= len(faces):
        raise FaceError(f"{source}: --face {face_number}, but {len(faces)} found; count from 1 at the left")
    landmarks = faces[(face_number or 1) - 1]
    width, height = np.ptp(landmarks[:468, :2], axis=0)
    if min(width, height) < MIN_FACE_PX:
        raise FaceError(
            f"{source}: the face is {width:.0f} x {height:.0f} pixels, at least {MIN_FACE_PX} are needed; "
            "give a larger photo"
        )
    return FaceDetection(landmarks, source)


def find_faces(image: NDArray[np.uint8]) -> list[NDArray[np.float64]]:
    """Landmarks of every face, (478, 3) each as in `FaceDetection`, in no order; at most 5.

    The mesh's own detector wants faces that fill the picture; where a detector for smaller ones sees more, each of
    its finds is looked at by itself.

    Args:
        image: (H, W, 3) uint8 sRGB.
    """
    with _silent_stderr():
        faces, boxes = _mesh_faces(image, MAX_FACES), _face_boxes(image)
        if len(boxes) > len(faces):
            faces = [face for box in boxes[:MAX_FACES] for face in _mesh_in_box(image, box)]
    return faces


def _mesh_faces(image: NDArray[np.uint8], most: int) -> list[NDArray[np.float64]]:
    from mediapipe.python.solutions.face_mesh import FaceMesh

    with FaceMesh(static_image_mode=True, max_num_faces=most, refine_landmarks=True) as mesh:
        result: Any = mesh.process(np.ascontiguousarray(image))
    size = np.array([image.shape[1], image.shape[0], image.shape[1]], dtype=np.float64)
    return [
        np.array([[point.x, point.y, point.z] for point in face.landmark]) * size
        for face in result.multi_face_landmarks or []
    ]


def _face_boxes(image: NDArray[np.uint8]) -> list[NDArray[np.float64]]:
    """(left, top, width, height) in pixels of every face, the surest first; also of small ones."""
    from mediapipe.python.solutions.face_detection import FaceDetection as Detector

    with Detector(model_selection=1, min_detection_confidence=0.6) as detector:
        result: Any = detector.process(np.ascontiguousarray(image))
    found = sorted(result.detections or [], key=lambda detection: -detection.score[0])
    boxes = (detection.location_data.relative_bounding_box for detection in found)
    size = np.array(image.shape[1::-1] * 2, dtype=np.float64)
    return [np.array([b.xmin, b.ymin, b.width, b.height]) * size for b in boxes]


def _mesh_in_box(image: NDArray[np.uint8], box: NDArray[np.float64]) -> list[NDArray[np.float64]]:
    """The mesh in the box with half of its size around it on every side; nothing where no mesh fits."""
    left, top = np.maximum(box[:2] - box[2:] / 2, 0).astype(int)
    right, bottom = np.minimum(box[:2] + 1.5 * box[2:], image.shape[1::-1]).astype(int)
    shift = np.array([left, top, 0], dtype=np.float64)
    return [np.add(face, shift) for face in _mesh_faces(image[top:bottom, left:right], 1)]


@contextmanager
def _silent_stderr() -> Iterator[None]:
    # mediapipe's C++ core logs to file descriptor 2 whatever Python's streams are.
    os.environ.setdefault("GLOG_minloglevel", "3")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
