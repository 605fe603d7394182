"""Faces as dlib itself detects and cuts them: the oracle for alignment and embeddings."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import dlib
import numpy as np
import skimage.data
import torch
from numpy.typing import NDArray

from maskdesign.files import read_image
from maskdesign.recognition.dlib_net import dlib_spec, dlib_weights_path


@dataclass(frozen=True)
class Chip:
    """A face in a picture. `points_px`: (5, 2) in dlib's order, pixel centers at whole numbers."""

    image: NDArray[np.uint8]
    points_px: NDArray[np.float64]
    pixels: NDArray[np.uint8]

    @property
    def tensor(self) -> torch.Tensor:
        """(1, 3, 150, 150) in [0, 1]."""
        return torch.tensor(self.pixels).permute(2, 0, 1)[None].float() / 255


@cache
def dlib_oracle() -> dlib.face_recognition_model_v1:
    return dlib.face_recognition_model_v1(str(dlib_weights_path(dlib_spec())))


@cache
def astronaut_chip() -> Chip:
    return next(find_chips(skimage.data.astronaut()))


@cache
def photo_chips(shared: Path) -> tuple[Chip, ...]:
    """Three portraits and nine photos of LFW, as far as dlib finds a face."""
    paths = sorted((shared / "photos/portraits").glob("*.jpg"))
    paths += sorted((shared / "photos/lfw").glob("A*/*_0001.jpg"))[:9]
    return tuple(chip for path in paths for chip in find_chips(read_image(path)))


def find_chips(image: NDArray[np.uint8]) -> Iterator[Chip]:
    models = dlib_weights_path(dlib_spec()).parent
    predict = dlib.shape_predictor(str(models / "shape_predictor_5_face_landmarks.dat"))
    image = np.ascontiguousarray(image)
    for box in dlib.get_frontal_face_detector()(image, 0)[:1]:
        shape = predict(image, box)
        points = np.array([[point.x, point.y] for point in shape.parts()], dtype=np.float64)
        yield Chip(image, points, dlib.get_face_chip(image, shape, 150, 0.25))


def dlib_distance(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> float:
    """Distance of dlib's descriptors of the faces in two pictures; dlib calls two the same person below 0.6."""
    descriptors = [
        np.array(dlib_oracle().compute_face_descriptor(next(find_chips(picture)).pixels)) for picture in (first, second)
    ]
    return float(np.linalg.norm(descriptors[0] - descriptors[1]))
