"""Face detectors behind one protocol, and the question "is a face still found?".

    found_faces(images, centers_px=None, detectors=DETECTORS) -> {detector name: (B,) bool}
    faces_found(images, centers_px=None, detectors=DETECTORS) -> {detector name: share of images}

`images` are (H, W, 3) uint8 pictures, for example renders of a worn mask; with `centers_px`, (B, 2), only a box that
holds its picture's center counts, so that a false alarm in the background is no face found. PrivacyMask verifies a mask
with MTCNN before it is printed: to hide the face from the detector is another thing than to be seen and not recognized,
and a report has to say which of the two it shows.

Convention: boxes and points in pixels, x right, y down, the center of the upper left pixel is (0.5, 0.5).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from maskdesign.faces.detect import find_faces
from maskdesign.faces.landmarks import LANDMARK_INDEX
from maskdesign.faces.scan import named_points
from maskdesign.recognition.mtcnn import detect_mtcnn
from maskdesign.recognition.spec import FIVE_POINTS

HAAR_CASCADES = (
    "haarcascade_frontalface_default.xml",
    "haarcascade_frontalface_alt2.xml",
    "haarcascade_profileface.xml",
)


@dataclass(frozen=True)
class Detections:
    """The faces of one picture.

    Attributes:
        boxes_px: (n, 4) left, top, right, bottom.
        scores: (n,) higher = surer; each detector has its own scale, and 1 where it gives none.
        points_px: (n, 5, 2) eye centers, nose tip, mouth corners, the picture's left before right; nan where a detector
            knows no points.
    """

    boxes_px: NDArray[np.float64]
    scores: NDArray[np.float64]
    points_px: NDArray[np.float64]


@dataclass(frozen=True)
class Detector:
    """A name for reports and a function from an (H, W, 3) uint8 picture to its faces."""

    name: str
    detect: Callable[[NDArray[np.uint8]], Detections]


def detect_with_mediapipe(image: NDArray[np.uint8]) -> Detections:
    """The face mesh of mediapipe: the box around its landmarks, at most 5 faces."""
    faces = find_faces(image)
    points = np.array([five_points(face[:, :2]) for face in faces]).reshape(-1, 5, 2)
    boxes = np.array([[*face[:468, :2].min(axis=0), *face[:468, :2].max(axis=0)] for face in faces])
    return Detections(boxes.reshape(-1, 4), np.ones(len(faces)), points)


def five_points(landmarks_px: NDArray[np.float64]) -> NDArray[np.float64]:
    """(5, 2) eye centers, nose tip, mouth corners of a face mesh of (478, 2) pixels."""
    named = {name: landmarks_px[index] for name, index in LANDMARK_INDEX.items()}
    return named_points(named, FIVE_POINTS)


def middle_face(image: NDArray[np.uint8]) -> dict[str, NDArray[np.float64]] | None:
    """Named landmarks of the face nearest to the middle of a photo.

    Returns:
        landmark name -> (2,) pixels; None where no face is found.
    """
    faces = find_faces(image)
    if not faces:
        return None
    middle = np.array(image.shape[1::-1]) / 2
    nearest = min(faces, key=lambda face: float(np.linalg.norm(face[:468, :2].mean(axis=0) - middle)))
    return {name: nearest[index, :2] for name, index in LANDMARK_INDEX.items()}


def detect_with_haar(image: NDArray[np.uint8]) -> Detections:
    """OpenCV's cascades of Haar features (Viola and Jones 2001), two for frontal faces and one for profiles.

    The score is the number of neighboring windows that agree. One face may be found by several cascades.
    """
    gray = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    boxes, scores = [], []
    for cascade in _haar_cascades():
        found, neighbors = cascade.detectMultiScale2(gray, scaleFactor=1.1, minNeighbors=4)
        boxes += [(x, y, x + width, y + height) for x, y, width, height in found]
        scores += list(neighbors)
    unknown = np.full((len(boxes), 5, 2), np.nan)
    return Detections(np.array(boxes, np.float64).reshape(-1, 4), np.array(scores, np.float64), unknown)


@cache
def _haar_cascades() -> tuple[cv2.CascadeClassifier, ...]:
    folder = cv2.data.haarcascades  # type: ignore[attr-defined]
    return tuple(cv2.CascadeClassifier(folder + name) for name in HAAR_CASCADES)


def detect_with_mtcnn(image: NDArray[np.uint8]) -> Detections:
    """MTCNN; the score is the last network's probability."""
    boxes, points = detect_mtcnn(image)
    return Detections(boxes[:, :4], boxes[:, 4], points)


MEDIAPIPE = Detector("mediapipe face mesh", detect_with_mediapipe)
HAAR = Detector("OpenCV Haar cascades", detect_with_haar)
MTCNN = Detector("MTCNN", detect_with_mtcnn)
DETECTORS = (MEDIAPIPE, HAAR, MTCNN)


def found_faces(
    images: Iterable[NDArray[np.uint8]],
    centers_px: ArrayLike | None = None,
    detectors: Sequence[Detector] = DETECTORS,
) -> dict[str, NDArray[np.bool_]]:
    """In which pictures each detector finds a face.

    Args:
        images: B pictures, (H, W, 3) uint8 sRGB; taken one at a time, so a generator keeps the memory flat.
        centers_px: (B, 2) a place inside the face that is asked for, such as the nose tip; None counts every face.
        detectors: whom to ask.

    Returns:
        detector name -> (B,) bool, one row a picture for intervals.
    """
    found: dict[str, list[bool]] = {detector.name: [] for detector in detectors}
    for image, center in zip(images, _centers(centers_px), strict=False):
        for detector in detectors:
            found[detector.name].append(_holds(detector.detect(image).boxes_px, center))
    return {name: np.array(rows, dtype=np.bool_) for name, rows in found.items()}


def faces_found(
    images: Iterable[NDArray[np.uint8]],
    centers_px: ArrayLike | None = None,
    detectors: Sequence[Detector] = DETECTORS,
) -> Mapping[str, float]:
    """Share of pictures in which each detector finds a face; arguments as in `found_faces`."""
    return {name: float(rows.mean()) for name, rows in found_faces(images, centers_px, detectors).items()}


def _centers(centers_px: ArrayLike | None) -> Iterator[NDArray[np.float64] | None]:
    if centers_px is None:
        while True:
            yield None
    yield from np.asarray(centers_px, dtype=np.float64)


def _holds(boxes_px: NDArray[np.float64], center: NDArray[np.float64] | None) -> bool:
    if center is None:
        return len(boxes_px) > 0
    inside = (boxes_px[:, :2] <= center) & (center <= boxes_px[:, 2:])
    return bool(inside.all(axis=1).any())
