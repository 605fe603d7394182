"""Which of mediapipe's 478 landmarks are the named points of a scan."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

NOSE_TIP = 4
LEFT_IRIS = (468, 469, 470, 471, 472)
RIGHT_IRIS = (473, 474, 475, 476, 477)
"""Middle, then four points of the rim: right, top, left, bottom or their mirror images. Left is the picture's."""

LANDMARK_INDEX: Mapping[str, int] = MappingProxyType(
    {
        "eye_outer_left": 33,
        "eye_inner_left": 133,
        "eye_inner_right": 362,
        "eye_outer_right": 263,
        "nasion": 168,
        "nose_tip": NOSE_TIP,
        "subnasale": 2,
        "mouth_left": 61,
        "mouth_right": 291,
        "chin": 152,
        "jaw_left": 172,
        "jaw_right": 397,
    }
)
"""The names of `scan.LANDMARKS` that the face mesh shows."""

EYE_RINGS = (
    (33, 7, 163, 144, 145, 153, 154, 155, 133, 173, 157, 158, 159, 160, 161, 246),
    (263, 249, 390, 373, 374, 380, 381, 382, 362, 398, 384, 385, 386, 387, 388, 466),
)
"""The lids' rims around the left and the right eye."""

UPPER_LIP = (78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308)
LOWER_LIP = (78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308)
"""The inner rims of the lips, corner to corner from the left; partners stand one above the other."""

FACE_OVAL = (
    10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377,
    152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109,
)  # fmt: skip
"""The rim of the face mesh from the top of the forehead clockwise in the picture; the chin is number 18."""
