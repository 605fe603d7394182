"""The built-in head as a scan: nobody's, always at hand."""

from __future__ import annotations

from maskdesign.faces.detect import FaceDetection
from maskdesign.faces.head_model import load_head_model
from maskdesign.faces.photo import face_from_landmarks
from maskdesign.faces.scan import FaceScan
from maskdesign.files import data_path, read_image


def builtin_face() -> FaceScan:
    """The built-in head with its painted face: nobody's; for tests, for decoys, and where there is no photo.

    It takes the way of a photo: the painted portrait and the landmarks that mediapipe found on it when it was made.

    Raises:
        InputError: the installation lacks `meshes/`.
    """
    portrait = read_image(data_path("meshes/portrait.png"))
    return face_from_landmarks(portrait, FaceDetection(load_head_model().portrait_landmarks_px, "built-in head")).scan
