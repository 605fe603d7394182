"""The head model: a subdivision surface whose face follows 468 landmarks and whose shell follows the face.

The face's control vertices are the landmarks; scalp, jaw underside and neck hang on them as a shell, the ears as closed
pieces. Whatever the landmarks, the topology and the texture coordinates stay the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from maskdesign.faces.landmarks import EYE_RINGS, FACE_OVAL, LOWER_LIP, NOSE_TIP, UPPER_LIP
from maskdesign.files import data_path, read_npz
from maskdesign.geometry.subdivide import interpolating_controls, loop_operator, midpoint_operator
from maskdesign.geometry.warp import fair, spread_smoothly

LEVELS = 2
EYE_BULGE_MM = 2.5
LIP_GAP_MM, LID_GAP_MM = 1.2, 1.0
LIP_ROWS = 3
FAIRING_MM = 15.0
SIDE_MM = 35.0
FACE_CONTROLS = 470
NECK_CONTROLS = 37
"""The last control vertices: the ring of the neck cut and its middle."""
CAP_TRIANGLES = 36
CAP_UV = (0.5, 0.9985)
EAR_PATCH = 0.138
"""Edge of the squares in the upper corners of the texture that hold the ears."""


@dataclass(frozen=True)
class HeadModel:
    """The built-in head, nobody's: canonical size, topology, and the operators that refine it.

    Attributes:
        canonical_mm: (478, 3) its landmarks, irises last.
        controls_mm: (C, 3) points the surface passes through: 468 landmarks, two eye middles, the shell, the neck cut.
        triangles: (T, 3) of the control mesh, closed.
        smooth: (W, C) Loop subdivision.
        refined: (4^LEVELS T, 3) triangles of the subdivision.
        uv: (W, 2) texture coordinates of the subdivision.
        scalp: (W,) 0 on skin to 1 under hair.
        side: (W,) 0 in the front of the face to 1 at its sides.
        ear_mm, ear_triangles, ear_uv, ear_shade: the ear at the picture's right: (E, 3), (., 3), (E, 2) in the texture,
            (E,) brightness.
        ear_hook: vertex of the ear behind which a loop hooks in.
        mirror: (478,) index of each landmark's partner on the other side.
        portrait_landmarks_px: (478, 3) where mediapipe found the landmarks on `meshes/portrait.png`.

    Convention: face frame of `FaceScan`; uv as in `TriangleMesh`.
    """

    canonical_mm: NDArray[np.float64]
    controls_mm: NDArray[np.float64]
    triangles: NDArray[np.int32]
    smooth: csr_matrix
    refined: NDArray[np.int32]
    uv: NDArray[np.float64]
    scalp: NDArray[np.float64]
    side: NDArray[np.float64]
    ear_mm: NDArray[np.float64]
    ear_triangles: NDArray[np.int32]
    ear_uv: NDArray[np.float64]
    ear_shade: NDArray[np.float64]
    ear_hook: int
    mirror: NDArray[np.int64]
    portrait_landmarks_px: NDArray[np.float64]


def cap_rows(model: HeadModel) -> NDArray[np.bool_]:
    """(4^LEVELS T,) which refined triangles close the neck cut; the texture has no room for them."""
    count = len(model.triangles)
    return np.arange(len(model.refined)) % count >= count - CAP_TRIANGLES


@dataclass(frozen=True)
class FittedHead:
    """The head model warped to a face.

    Attributes:
        controls_mm: (C, 3) points the surface passes through.
        surface_mm: (W, 3) the subdivision, without ears.
        ears_mm: (2, E, 3) the ears at the picture's left and right.
    """

    controls_mm: NDArray[np.float64]
    surface_mm: NDArray[np.float64]
    ears_mm: NDArray[np.float64]


@lru_cache(maxsize=1)
def load_head_model() -> HeadModel:
    """Read `meshes/head.npz` and refine it.

    Raises:
        InputError: the installation lacks the file or it is damaged.
    """
    data = read_npz(data_path("meshes/head.npz"))
    triangles, count = data["triangles"], len(data["controls_mm"])
    smooth, refined = loop_operator(triangles, count, LEVELS)
    linear = midpoint_operator(triangles, count, LEVELS)
    return HeadModel(
        data["canonical_mm"],
        data["controls_mm"],
        triangles,
        smooth,
        refined,
        linear @ data["uv"],
        data["scalp"],
        data["side"],
        data["ear_mm"],
        data["ear_triangles"],
        data["ear_uv"],
        data["ear_shade"],
        int(data["ear_hook"]),
        data["mirror"],
        data["portrait_landmarks_px"],
    )


def with_eye_middles(points: NDArray[np.float64], bulge: float) -> NDArray[np.float64]:
    """The face's control points: 468 landmarks and the two eye middles, `bulge` in front of the lids' mean.

    Args:
        points: (n >= 468, d) landmarks, the last axis towards the viewer where a bulge is given.
        bulge: in the unit of `points`.

    Returns:
        (470, d).
    """
    middles = np.stack([points[list(ring)].mean(axis=0) for ring in EYE_RINGS])
    middles[:, -1] += bulge
    return np.vstack([points[:468], middles])


def with_open_slits(landmarks_mm: NDArray[np.float64]) -> NDArray[np.float64]:
    """The same landmarks with lips and lids a little apart, lest a shut mouth or eye cuts into itself.

    Only the surface opens; the texture still shows what the photo shows.
    """
    opened = landmarks_mm.copy()
    _part(opened, UPPER_LIP[1:-1], LOWER_LIP[1:-1], LIP_GAP_MM)
    for ring in EYE_RINGS:
        _part(opened, ring[:8:-1], ring[1:8], LID_GAP_MM)
    return opened


def _part(points: NDArray[np.float64], upper: tuple[int, ...], lower: tuple[int, ...], gap_mm: float) -> None:
    above, below = list(upper), list(lower)
    arch = np.sin(np.linspace(0, np.pi, len(above) + 2))[1:-1]
    lacking = np.maximum(gap_mm * np.sqrt(arch) - (points[above, 1] - points[below, 1]), 0) / 2
    points[above, 1] += lacking
    points[below, 1] -= lacking


def reach_share(triangles: NDArray[np.int32]) -> NDArray[np.float64]:
    """(C,) how far the subdivision is made to reach its control points: on the face, but not on its rims.

    Reaching the oval, where the face turns into the neck, would raise a welt along the jaw; reaching the close rows of
    points on lids and lips would make them overlap.
    """
    mouth = np.array([*UPPER_LIP, *LOWER_LIP])
    for _ in range(LIP_ROWS):
        mouth = np.unique(triangles[np.isin(triangles, mouth).any(axis=1)])
    share = np.zeros(triangles.max() + 1)
    share[:FACE_CONTROLS] = 1
    share[[*FACE_OVAL, *EYE_RINGS[0], *EYE_RINGS[1], *mouth, 468, 469]] = 0
    return share


def giving_rim(controls_mm: NDArray[np.float64], triangles: NDArray[np.int32]) -> NDArray[np.int64]:
    """(k,) control points of the face that give way to a smooth outline: the oval, and at the sides the row inside it.

    mediapipe knows these least of all its points; taken exactly they leave a ledge behind the jaw.
    """
    touching = np.unique(triangles[np.isin(triangles, FACE_OVAL).any(axis=1)])
    beside = touching[(touching < FACE_CONTROLS) & (np.abs(controls_mm[touching, 0]) > SIDE_MM)]
    return np.union1d(beside, FACE_OVAL)


def fit_head(model: HeadModel, landmarks_mm: NDArray[np.float64]) -> FittedHead:
    """Warp the head to landmarks: the face goes through them, the shell follows without a crease.

    The model is stretched along the axes to the face's proportions; what is left of the displacement spreads smoothly
    over the shell and dies out at the neck cut. The rim of the face gives way where it would leave a crease.

    Args:
        model: the built-in head.
        landmarks_mm: (>= 468, 3) in the face frame.
    """
    face = with_eye_middles(with_open_slits(landmarks_mm), EYE_BULGE_MM)
    template = model.controls_mm
    stretch = (template[:FACE_CONTROLS] * face).sum(0) / (template[:FACE_CONTROLS] ** 2).sum(0)
    stretched = template * stretch
    known = np.r_[np.arange(FACE_CONTROLS), np.arange(len(template) - NECK_CONTROLS, len(template))]
    moves = np.vstack([face - stretched[:FACE_CONTROLS], np.zeros((NECK_CONTROLS, 3))])
    moved = spread_smoothly(stretched, model.triangles, known, moves)
    held = np.setdiff1d(known, giving_rim(template, model.triangles))
    controls = fair(stretched + moved, model.triangles, held, FAIRING_MM)
    surface = model.smooth @ interpolating_controls(model.smooth, controls, reach_share(model.triangles))
    ears = np.stack([_carried(model.ear_mm * [side, 1, 1], stretch, template, moved) for side in (-1, 1)])
    origin = surface[NOSE_TIP]
    return FittedHead(controls - origin, surface - origin, ears - origin)


def _carried(
    ear: NDArray[np.float64], stretch: NDArray[np.float64], template: NDArray[np.float64], moved: NDArray[np.float64]
) -> NDArray[np.float64]:
    # The ear keeps its shape: it moves as a whole with the shell around its root.
    near = np.argsort(np.linalg.norm(template - ear.mean(axis=0), axis=1))[:8]
    size = float(np.cbrt(stretch.prod()))
    root = template[near].mean(axis=0)
    return (ear - root) * size + root * stretch + moved[near].mean(axis=0)
