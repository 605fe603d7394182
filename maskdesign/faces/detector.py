"""mediapipe's face mesh: with the models inside its wheel (0.10), or with a `.task` file of the user's (any version).

Convention: as in `detect.FaceDetection`; no network is ever asked.
"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskdesign.errors import FaceError, InputError
from maskdesign.files import check_readable

TASK_VARIABLE = "MASKDESIGN_FACE_TASK"
"""Environment variable that names a `face_landmarker.task`; where it is set, that file finds the landmarks."""
BOX_CONFIDENCE = 0.6


def has_detector() -> bool:
    """Whether landmarks can be found at all: a `.task` file is named, or mediapipe's wheel carries its models."""
    return _task_file() is not None or _has_models()


def describe_detector() -> str:
    """Which models find landmarks, for `doctor`.

    Raises:
        FaceError: none do; the message says what to get.
        InputError: the `.task` file is missing.
    """
    from importlib.metadata import version

    task = _task_file()
    if task is None and not _has_models():
        raise FaceError(_remedy())
    if task is not None:
        check_readable(task)
    return f"{version('mediapipe')}, {'models of its wheel' if task is None else task}"


def mesh_faces(image: NDArray[np.uint8], most: int) -> list[NDArray[np.float64]]:
    """Landmarks of up to `most` faces that fill a good part of a picture, (478, 3) each.

    Raises:
        FaceError: no detector is installed.
        InputError: the `.task` file is missing or none.
    """
    task = _task_file()
    if task is None and not _has_models():
        raise FaceError(_remedy())
    with _silent_stderr():
        faces = _by_solution(image, most) if task is None else _by_task(image, most, task)
    size = np.array([image.shape[1], image.shape[0], image.shape[1]], dtype=np.float64)
    return [np.array([[point.x, point.y, point.z] for point in face]) * size for face in faces]


def face_boxes(pictures: Sequence[NDArray[np.uint8]]) -> list[list[NDArray[np.float64]]]:
    """(left, top, width, height) of every face in each picture, the surest first; also of small ones.

    Without the wheel's own models no list holds a box.
    """
    if not _has_models():
        return [[] for _ in pictures]
    with _silent_stderr():
        from mediapipe.python.solutions.face_detection import FaceDetection

        with FaceDetection(model_selection=1, min_detection_confidence=BOX_CONFIDENCE) as detector:
            return [_boxes(detector.process(np.ascontiguousarray(picture)), picture) for picture in pictures]


def _boxes(result: Any, picture: NDArray[np.uint8]) -> list[NDArray[np.float64]]:
    found = sorted(result.detections or [], key=lambda detection: -detection.score[0])
    boxes = (detection.location_data.relative_bounding_box for detection in found)
    size = np.array(picture.shape[1::-1] * 2, dtype=np.float64)
    return [np.array([b.xmin, b.ymin, b.width, b.height]) * size for b in boxes]


def _task_file() -> Path | None:
    return Path(os.environ[TASK_VARIABLE]) if os.environ.get(TASK_VARIABLE) else None


def _has_models() -> bool:
    # mediapipe 1 dropped the `solutions` together with their models.
    try:
        return importlib.util.find_spec("mediapipe.python.solutions") is not None
    except ImportError:
        return False


def _remedy() -> str:
    return (
        f"no face detector: install mediapipe==0.10.21, or name a face_landmarker.task with {TASK_VARIABLE}, "
        "or give the landmarks with --landmarks"
    )


def _by_solution(image: NDArray[np.uint8], most: int) -> list[Any]:
    from mediapipe.python.solutions.face_mesh import FaceMesh

    with FaceMesh(static_image_mode=True, max_num_faces=most, refine_landmarks=True) as mesh:
        result: Any = mesh.process(np.ascontiguousarray(image))
    return [face.landmark for face in result.multi_face_landmarks or []]


def _by_task(image: NDArray[np.uint8], most: int, task: Path) -> list[Any]:
    check_readable(task)
    try:
        import mediapipe
        from mediapipe.tasks.python import BaseOptions
        from mediapipe.tasks.python.vision import FaceLandmarker, FaceLandmarkerOptions

        options = FaceLandmarkerOptions(base_options=BaseOptions(model_asset_path=str(task)), num_faces=most)
        picture = mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=np.ascontiguousarray(image))
        with FaceLandmarker.create_from_options(options) as landmarker:
            return landmarker.detect(picture).face_landmarks
    except ImportError as error:
        raise FaceError(_remedy()) from error
    except (RuntimeError, ValueError, OSError) as error:
        reason = " ".join(str(error).split())[:100]
        raise InputError(f"{task}: not a face landmarker of mediapipe's ({reason}); get the file again") from error


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
