"""Random heads under random cameras, as the 12 landmarks of a face see them: what the transform network learns from.

Every head is upright: its landmarks are laid over those of the mean head by the best similarity, so that "not turned"
means the same for all of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from maskdesign.errors import ConfigError
from maskdesign.faces.formats.ict import MM_PER_UNIT, IctModel
from maskdesign.faces.head_model import load_head_model
from maskdesign.faces.landmarks import LANDMARK_INDEX
from maskdesign.faces.population import ICT_LANDMARKS
from maskdesign.faces.shape_modes import adult_mean, vary_shape
from maskdesign.geometry.align import apply_similarity, fit_similarity
from maskdesign.geometry.mesh import vertex_normals

NAMES, ROWS = tuple(LANDMARK_INDEX), list(LANDMARK_INDEX.values())
PARTNERS = tuple(
    NAMES.index(name.replace("left", "@").replace("right", "left").replace("@", "right")) for name in NAMES
)
"""Of each landmark the one on the other side of the face; those in the middle are their own."""
FEWEST = 6
"""Landmarks that tell a pose."""
FACING = 0.15
"""Cosine to the line of sight from which on a landmark is seen."""


@dataclass(frozen=True)
class PoseRanges:
    """What views are drawn from, each quantity uniformly and by itself.

    Attributes:
        yaw_deg, pitch_deg, roll_deg: to either side; signs as in `render.camera.orbit_camera`.
        distance_mm: from the camera, by its logarithm; the head stays on the camera's axis.
        noise: standard deviation of a landmark, in distances of the outer eye corners.
        hidden: chance of each landmark to be hidden beside those that the head itself hides.
    """

    yaw_deg: float = 75.0
    pitch_deg: float = 35.0
    roll_deg: float = 45.0
    distance_mm: tuple[float, float] = (300.0, 3000.0)
    noise: tuple[float, float] = (0.0, 0.03)
    hidden: float = 0.1

    def __post_init__(self) -> None:
        if not 0 < self.distance_mm[0] <= self.distance_mm[1]:
            raise ConfigError(f"distance_mm = {self.distance_mm} must be positive and rise")
        if not 0 <= self.noise[0] <= self.noise[1] or not 0 <= self.hidden < 0.5:
            raise ConfigError(f"noise = {self.noise} must rise from 0 or above, hidden = {self.hidden} lie in [0, 0.5)")


@dataclass(frozen=True)
class PosedLandmarks:
    """Landmarks in pictures.

    Attributes:
        points: (B, 12, 2) in millimeters at the distance of the head, +x right, +y up; 0 where hidden.
        visible: (B, 12).
        rotations: (B, 3, 3) that turned the heads, in the face frame; the identity looks at the camera.
        heads: (B,) rows of the heads.
        distance_mm: (B,).
    """

    points: NDArray[np.float64]
    visible: NDArray[np.bool_]
    rotations: NDArray[np.float64]
    heads: NDArray[np.int64]
    distance_mm: NDArray[np.float64]


def mean_landmarks_mm() -> NDArray[np.float64]:
    """(12, 3) landmarks of the mean adult head, which other heads are laid over."""
    return adult_mean(load_head_model().canonical_mm)[ROWS]


def random_landmarks(count: int, seed: int) -> NDArray[np.float64]:
    """(count, 12, 3) millimeters, upright: heads of the built-in population, as `random_head` varies them."""
    mean = adult_mean(load_head_model().canonical_mm)
    return np.stack([_upright(vary_shape(mean, np.random.default_rng([seed, k]))[ROWS]) for k in range(count)])


def random_ict_landmarks(model: IctModel, count: int, seed: int) -> NDArray[np.float64]:
    """(count, 12, 3) millimeters, upright: identities of an ICT-FaceKit model, as `random_ict_head` draws them."""
    rows = [ICT_LANDMARKS[name] for name in NAMES]
    modes = model.modes[:, rows].astype(np.float64) * MM_PER_UNIT
    found = []
    for number in range(count):
        coefficients = np.clip(np.random.default_rng([seed, number]).normal(size=len(modes)), -3, 3)
        found.append(_upright(model.vertices_mm[rows] + np.tensordot(coefficients, modes, 1)))
    return np.stack(found)


def _upright(points_mm: NDArray[np.float64]) -> NDArray[np.float64]:
    """Turned and moved, but not scaled, to lie over the mean head."""
    pose = fit_similarity(points_mm, mean_landmarks_mm())
    return apply_similarity(pose, points_mm) / pose.scale


def turned(yaw_deg: NDArray, pitch_deg: NDArray, roll_deg: NDArray) -> NDArray[np.float64]:
    """(B, 3, 3): `render.camera.rotation_matrix` for many heads."""
    return Rotation.from_euler("yxz", np.stack([yaw_deg, -pitch_deg, -roll_deg], axis=1), degrees=True).as_matrix()


def pose_landmarks(
    heads_mm: NDArray[np.float64], ranges: PoseRanges, count: int, random: np.random.Generator
) -> PosedLandmarks:
    """Random views of random heads.

    Args:
        heads_mm: (N, 12, 3) upright.
    """
    angles = [random.uniform(-limit, limit, count) for limit in (ranges.yaw_deg, ranges.pitch_deg, ranges.roll_deg)]
    rotations, heads = turned(*angles), random.integers(len(heads_mm), size=count)
    nearest, farthest = np.log(ranges.distance_mm)
    distance_mm = np.exp(random.uniform(nearest, farthest, count))
    chosen = heads_mm[heads] - heads_mm[heads].mean(axis=1, keepdims=True)
    turned_mm = chosen @ rotations.transpose(0, 2, 1)
    points = turned_mm[..., :2] * (distance_mm[:, None] / (distance_mm[:, None] - turned_mm[..., 2]))[..., None]
    eyes = [NAMES.index(f"eye_outer_{side}") for side in ("left", "right")]
    eyes_mm = np.linalg.norm(np.diff(chosen[:, eyes], axis=1), axis=2)[:, 0]
    noise_mm = random.uniform(*ranges.noise, count) * eyes_mm
    points = points + noise_mm[:, None, None] * random.normal(size=points.shape)
    visible = _seen(rotations, ranges.hidden, random)
    return PosedLandmarks(points * visible[..., None], visible, rotations, heads, distance_mm)


def _seen(rotations: NDArray[np.float64], hidden: float, random: np.random.Generator) -> NDArray[np.bool_]:
    toward_camera = (rotations @ _normals().T)[:, 2]
    # The surest ones stay, so that no view has fewer than tell a pose.
    drawn = random.uniform(size=toward_camera.shape)
    order = np.where(toward_camera > FACING, drawn, toward_camera - 1)
    least = np.sort(order, axis=1)[:, [-FEWEST]]
    return (order >= hidden) | (order >= least)


@lru_cache(maxsize=1)
def _normals() -> NDArray[np.float64]:
    """(12, 3) unit normals of the built-in head at its landmarks."""
    model = load_head_model()
    surface = model.smooth @ model.controls_mm
    return vertex_normals(surface, model.refined)[ROWS]
