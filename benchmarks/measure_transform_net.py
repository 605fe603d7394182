"""T-Net beside cv2.solvePnP on heads and views that no training saw, and beside mediapipe's pose on photos.

    python -m benchmarks.measure_transform_net --ict ICT.npz [--photos LFW]

Writes docs/experiments/transform-net.json. Heads: 300 of each kind from another seed than the training's. solvePnP
(SQPnP, then Levenberg and Marquardt) gets the same landmarks with the mean head of the training; with the true camera,
with the one that the program assumes for a photo, and, as a bound that no photo gives, with the head's own shape too.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.train_transform_net import training_heads
from maskdesign.errors import FaceError
from maskdesign.faces.detect import FaceDetection
from maskdesign.faces.formats.ict import read_ict
from maskdesign.faces.head_model import load_head_model
from maskdesign.faces.posed_landmarks import (
    NAMES,
    ROWS,
    PosedLandmarks,
    PoseRanges,
    pose_landmarks,
    random_ict_landmarks,
    random_landmarks,
)
from maskdesign.faces.transform_net import head_rotation, load_transform_net, rotations
from maskdesign.faces.upright import frontalize
from maskdesign.files import read_image, write_json
from maskdesign.jobs.photo_store import middle_face
from maskdesign.render.camera import FACE_TO_CAMERA
from maskdesign.render.composite import DISTANCE_MM

OUT = Path(__file__).resolve().parents[1] / "docs" / "experiments" / "transform-net.json"
NOISES = (0.0, 0.01, 0.02, 0.04)
HEADS, VIEWS, SEED, TURNED_DEG, PHOTOS = 300, 3000, 99, 60.0, 200


def angles_deg(one: NDArray, other: NDArray) -> NDArray[np.float64]:
    """(B,) angle of the rotation between (B, 3, 3) rotations."""
    chord = np.sqrt(np.square(one - other).sum(axis=(1, 2)) / 8)
    return np.degrees(2 * np.arcsin(np.clip(chord, 0, 1)))


def by_network(views: PosedLandmarks) -> NDArray[np.float64]:
    with torch.no_grad():
        return rotations(load_transform_net(), torch.from_numpy(views.points), torch.from_numpy(views.visible)).numpy()


def by_pnp(points: NDArray, visible: NDArray, shapes: NDArray, distances_mm: NDArray) -> NDArray[np.float64]:
    """The same from solvePnP, one view after the other.

    Args:
        shapes: (B, 12, 3) heads, around their landmarks' mean.
        distances_mm: (B,) of the camera that is assumed; its focal length makes a millimeter a pixel there.
    """
    return np.stack([_pnp(*row) for row in zip(points, visible, shapes, distances_mm, strict=True)])


def _pnp(points: NDArray, seen: NDArray, shape: NDArray, distance_mm: float) -> NDArray[np.float64]:
    K = np.diag([distance_mm, distance_mm, 1.0])
    shape, pixels = np.ascontiguousarray(shape[seen]), np.ascontiguousarray(points[seen] * [1, -1])
    _, turn, move = cv2.solvePnP(shape, pixels, K, np.zeros(5), flags=cv2.SOLVEPNP_SQPNP)
    turn, move = cv2.solvePnPRefineLM(shape, pixels, K, np.zeros(5), turn, move)
    return FACE_TO_CAMERA @ cv2.Rodrigues(turn)[0]


def on_heads(heads: NDArray, mean: NDArray, noise: float) -> dict[str, dict[str, float]]:
    views = pose_landmarks(heads, PoseRanges(noise=(noise, noise)), VIEWS, np.random.default_rng([SEED, 1]))
    own = heads[views.heads] - heads[views.heads].mean(axis=1, keepdims=True)
    means = np.broadcast_to(mean - mean.mean(axis=0), own.shape)
    assumed = np.full(VIEWS, DISTANCE_MM)
    found = {
        "T-Net": by_network(views),
        "solvePnP, mean head, true camera": by_pnp(views.points, views.visible, means, views.distance_mm),
        "solvePnP, mean head, assumed camera": by_pnp(views.points, views.visible, means, assumed),
        "solvePnP, own head, true camera": by_pnp(views.points, views.visible, own, views.distance_mm),
    }
    yaw_deg = np.degrees(np.arctan2(views.rotations[:, 0, 2], views.rotations[:, 2, 2]))
    return {name: _summary(angles_deg(one, views.rotations), np.abs(yaw_deg)) for name, one in found.items()}


def _summary(errors: NDArray, yaw_deg: NDArray) -> dict[str, float]:
    near = errors[yaw_deg < TURNED_DEG]
    return {
        "median_deg": float(np.median(near)),
        "p90_deg": float(np.quantile(near, 0.9)),
        "median_beyond_deg": float(np.median(errors[yaw_deg >= TURNED_DEG])),
    }


def on_photos(folder: Path, mean: NDArray) -> dict[str, float]:
    """How far T-Net and solvePnP with a mean head lie from the pose of mediapipe's 478 landmarks in space."""
    model, apart = load_head_model(), {"T-Net": [], "solvePnP, mean head, assumed camera": []}
    for person in sorted(folder.iterdir()):
        photos = sorted(person.glob("*.jpg")) if person.is_dir() else []
        detection = _detected(photos[0]) if photos else None
        if detection is None:
            continue
        pose = frontalize(model, detection.landmarks_px)[0].R.T
        pixels = detection.landmarks_px[ROWS, :2]
        up = (pixels - pixels.mean(axis=0)) * [1, -1]
        size = np.sqrt(mean[:, :2].var(axis=0).sum() / up.var(axis=0).sum())
        shape, seen = mean - mean.mean(axis=0), np.ones(len(NAMES), bool)
        found = (
            head_rotation(dict(zip(NAMES, pixels, strict=True)), "photo"),
            _pnp(up * size, seen, shape, DISTANCE_MM),
        )
        for name, rotation in zip(apart, found, strict=True):
            apart[name].append(float(angles_deg(rotation[None], pose[None])[0]))
        if len(apart["T-Net"]) == PHOTOS:
            break
    return {name: float(np.median(values)) for name, values in apart.items()} | {"photos": len(apart["T-Net"])}


def _detected(photo: Path) -> FaceDetection | None:
    try:
        return middle_face(read_image(photo), str(photo))
    except FaceError:
        return None


def measured(ict: Path, photos: Path | None) -> dict:
    kinds: dict[str, Callable[[], NDArray]] = {
        "ICT-FaceKit": lambda: random_ict_landmarks(read_ict(ict), HEADS, SEED),
        "built-in population": lambda: random_landmarks(HEADS, SEED),
    }
    mean = training_heads(ict).mean(axis=0)
    figures: dict = {"heads": HEADS, "views": VIEWS, "yaw_deg": TURNED_DEG, "kinds": {}}
    for kind, heads in kinds.items():
        figures["kinds"][kind] = {str(noise): on_heads(heads(), mean, noise) for noise in NOISES}
    return figures | ({"photos": on_photos(photos, mean)} if photos else {})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ict", type=Path, required=True)
    parser.add_argument("--photos", type=Path)
    options = parser.parse_args()
    figures = measured(options.ict, options.photos)
    write_json(OUT, figures)
    print(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
