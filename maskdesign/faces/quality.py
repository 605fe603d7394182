"""Which photos are good enough for a head, and why the others are not."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from maskdesign.errors import FaceError
from maskdesign.faces.detect import FaceDetection, check_size, faces_of_photo
from maskdesign.faces.head_model import load_head_model
from maskdesign.faces.upright import frontalize

LEAD = 1.4
"""How much wider than the next face the main one of several must be."""
CROP_PX = 128


@dataclass(frozen=True)
class QualityGate:
    """What a photo must reach.

    Attributes:
        max_yaw_deg: how far the head may be turned; the far cheek is guessed beyond.
        min_face_px: width of the face.
        min_sharpness: see `PhotoQuality.sharpness`.
    """

    max_yaw_deg: float = 35.0
    min_face_px: float = 64.0
    min_sharpness: float = 0.03


@dataclass(frozen=True)
class PhotoQuality:
    """How good a photo is.

    Attributes:
        yaw_deg: > 0 turns the face to the right of the picture.
        face_px: width of the face.
        sharpness: share of the face's contrast in details under an eightieth of its width; blurring lowers it.
    """

    yaw_deg: float
    face_px: float
    sharpness: float


def measure_quality(image: NDArray[np.uint8], detection: FaceDetection) -> PhotoQuality:
    """Measure a photo, (H, W, 3) uint8 sRGB, with its landmarks."""
    import cv2

    landmarks = detection.landmarks_px
    toward_camera = frontalize(load_head_model(), landmarks)[0].R[:, 2]
    low, high = landmarks[:468, :2].min(axis=0), landmarks[:468, :2].max(axis=0)
    start, stop = np.maximum(np.floor(low), 0).astype(int), np.ceil(high).astype(int)
    gray = cv2.cvtColor(image[start[1] : stop[1], start[0] : stop[0]], cv2.COLOR_RGB2GRAY)
    face = cv2.resize(gray, (CROP_PX, CROP_PX), interpolation=cv2.INTER_AREA).astype(np.float64)
    detail = face - cv2.GaussianBlur(face, (0, 0), CROP_PX / 80)
    return PhotoQuality(
        float(-np.degrees(np.arctan2(toward_camera[0], toward_camera[2]))),
        float(high[0] - low[0]),
        float(detail.std() / max(face.std(), 1.0)),
    )


def admit(quality: PhotoQuality, source: str, gate: QualityGate | None = None) -> None:
    """Let a photo pass.

    Raises:
        FaceError: it is turned too far, too small or too blurred; the message says which and by how much.
    """
    gate = gate or QualityGate()
    if abs(quality.yaw_deg) > gate.max_yaw_deg:
        raise FaceError(
            f"{source}: the head is turned by {abs(quality.yaw_deg):.0f} degrees, at most {gate.max_yaw_deg:g} are "
            "used; give a more frontal photo"
        )
    if quality.face_px < gate.min_face_px:
        raise FaceError(
            f"{source}: the face is {quality.face_px:.0f} pixels wide, at least {gate.min_face_px:g} are needed; "
            "give a larger photo"
        )
    if quality.sharpness < gate.min_sharpness:
        raise FaceError(
            f"{source}: the face is blurred (sharpness {quality.sharpness:.3f}, at least {gate.min_sharpness:g} is "
            "needed); give a sharper photo"
        )


def detect_main_face(image: NDArray[np.uint8], source: str) -> FaceDetection:
    """The one face of a photo, or of several the one that is clearly the largest.

    Raises:
        FaceError: as `detect_face`, or several faces of similar size.
    """
    faces = faces_of_photo(image)
    widths = [float(np.ptp(face[:468, 0])) for face in faces]
    if not faces:
        raise FaceError(f"{source}: no face found; give a sharp, frontal photo, cropped around the face")
    others = np.sort(widths)[:-1]
    if len(others) and max(widths) < LEAD * others[-1]:
        raise FaceError(f"{source}: {len(faces)} faces of similar size; crop the photo to one")
    main = faces[int(np.argmax(widths))]
    check_size(main, source)
    return FaceDetection(main, source)
