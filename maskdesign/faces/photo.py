"""Photos become a `FaceScan`: landmarks, pose taken out, millimeters, a head around the face, colors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from maskdesign.errors import FaceError
from maskdesign.faces.detect import FaceDetection, detect_face
from maskdesign.faces.head_model import (
    CAP_UV,
    FittedHead,
    HeadModel,
    cap_rows,
    fit_head,
    load_head_model,
    reach_share,
    with_eye_middles,
)
from maskdesign.faces.landmarks import LANDMARK_INDEX, LOWER_LIP, NOSE_TIP, UPPER_LIP
from maskdesign.faces.scan import FaceScan
from maskdesign.faces.texture import PhotoMap, ear_uv, paint_head
from maskdesign.faces.upright import frontalize, size_factor
from maskdesign.geometry.align import Similarity, apply_similarity
from maskdesign.geometry.mesh import TriangleMesh, vertex_normals
from maskdesign.geometry.subdivide import interpolating_controls

HALF_WORTH_DEG = 15.0
"""A photo turned this far counts half as much as a frontal one: depth that is guessed from the side is worse."""
HALF_WORTH_OPENING = 0.2
"""The same for an open mouth, its height over its width between the lips."""


@dataclass(frozen=True)
class Shot:
    """A photo, (H, W, 3) uint8 sRGB, and the face found in it."""

    image: NDArray[np.uint8]
    detection: FaceDetection


@dataclass(frozen=True)
class PhotoFace:
    """A face in a photo and the scan made from it.

    Attributes:
        scan: the head in millimeters.
        points_px: name -> (2,) x, y in the photo, for every named landmark that the photo shows.
        pose: photo (x, -y, -z, pixels) -> face frame (millimeters), before the depth is corrected.
        mm_per_px: size of a pixel of the photo at the face.
        scale_source: "iris", "canonical" or "interpupillary distance given".
    """

    scan: FaceScan
    points_px: Mapping[str, NDArray[np.float64]]
    pose: Similarity
    mm_per_px: float
    scale_source: str


def face_from_photo(
    image: NDArray[np.uint8], source: str, ipd_mm: float | None = None, face_number: int | None = None
) -> PhotoFace:
    """Make a head from one photo.

    Args:
        image: (H, W, 3) uint8 sRGB, upright.
        source: name of the photo, for messages and reports.
        ipd_mm: distance between the pupils, where known; it wins over the iris and the canonical size.
        face_number: which face where there are several, counted from 1 at the left.

    Raises:
        FaceError: see `detect_face`; or an `ipd_mm` outside 40 to 90 mm.
    """
    if ipd_mm is not None and not 40 <= ipd_mm <= 90:
        raise FaceError(f"{source}: an interpupillary distance of {ipd_mm:g} mm is no adult's; give 40 to 90 mm")
    detection = detect_face(image, source, face_number)
    return face_from_landmarks(image, detection, ipd_mm)


def face_from_landmarks(image: NDArray[np.uint8], detection: FaceDetection, ipd_mm: float | None = None) -> PhotoFace:
    """The same from landmarks already found; see `face_from_photo`."""
    return face_from_photos([Shot(image, detection)], ipd_mm)[0]


def face_from_photos(shots: Sequence[Shot], ipd_mm: float | None = None) -> list[PhotoFace]:
    """Make one head from several photos of one person.

    The shape is the mean of what each photo shows, frontal and large faces counting most; the best photo gives the
    colors, and the others what it does not show.

    Args:
        shots: at least one.
        ipd_mm: distance between the pupils, where known.

    Returns:
        for each photo, in the order given, the same head and how that photo sees it.
    """
    model = load_head_model()
    head, poses, weights, scale_source = _fit_shots(model, shots, ipd_mm)
    maps = [_photo_map(model, head, shot.detection, pose) for shot, pose in zip(shots, poses, strict=True)]
    best_first = np.argsort(-weights, kind="stable")
    texture = paint_head(model, [shots[k].image for k in best_first], [maps[k] for k in best_first])
    scan = assemble_scan(model, head, texture, shots[best_first[0]].detection.source)
    return [
        PhotoFace(scan, _named_pixels(shot.detection), pose, pose.scale, scale_source)
        for shot, pose in zip(shots, poses, strict=True)
    ]


def _named_pixels(detection: FaceDetection) -> dict[str, NDArray[np.float64]]:
    return {name: detection.landmarks_px[index, :2] for name, index in LANDMARK_INDEX.items()}


def _worth(pose: Similarity, shot: Shot) -> float:
    """What a photo counts for: most where the face is frontal, large, and its mouth shut as under a mask."""
    landmarks = shot.detection.landmarks_px
    turn_deg = np.degrees(np.arccos(np.clip(pose.R[2, 2], -1, 1)))
    ends = landmarks[[UPPER_LIP[5], LOWER_LIP[5], UPPER_LIP[0], UPPER_LIP[-1]], :2]
    opening = np.linalg.norm(ends[0] - ends[1]) / max(np.linalg.norm(ends[2] - ends[3]), 1e-6)
    halvings = (turn_deg / HALF_WORTH_DEG) ** 2 + (opening / HALF_WORTH_OPENING) ** 2
    return float(2**-halvings * np.ptp(landmarks[:468, 0]) ** 2)


def uncolored_face(image: NDArray[np.uint8], detection: FaceDetection, ipd_mm: float | None = None) -> PhotoFace:
    """`face_from_landmarks` in gray: for whoever needs the shapes of many heads, as painting takes most of the time."""
    model = load_head_model()
    head, (pose,), _, scale_source = _fit_shots(model, [Shot(image, detection)], ipd_mm)
    scan = assemble_scan(model, head, np.full((2, 2, 3), 128, np.uint8), detection.source)
    return PhotoFace(scan, _named_pixels(detection), pose, pose.scale, scale_source)


def mean_face() -> FaceScan:
    """The head model fitted to its own landmarks, gray: nobody's, and in the middle of everybody's."""
    model = load_head_model()
    head = fit_head(model, model.canonical_mm - model.canonical_mm[NOSE_TIP])
    return assemble_scan(model, head, np.full((2, 2, 3), 128, np.uint8), "mean head")


def _fit_shots(
    model: HeadModel, shots: Sequence[Shot], ipd_mm: float | None
) -> tuple[FittedHead, list[Similarity], NDArray[np.float64], str]:
    """The head, its pose in each photo, what each photo counts for, and what set the size."""
    upright = [frontalize(model, shot.detection.landmarks_px) for shot in shots]
    weights = np.array([_worth(pose, shot) for (pose, _), shot in zip(upright, shots, strict=True)])
    weights /= weights.sum()
    landmarks = np.tensordot(weights, np.stack([points for _, points in upright]), 1)
    seen = [(shot.detection.landmarks_px, pose) for shot, (pose, _) in zip(shots, upright, strict=True)]
    factor, scale_source = size_factor(seen, weights, landmarks, ipd_mm)
    head = fit_head(model, (landmarks - landmarks[NOSE_TIP]) * factor)
    poses = [Similarity(p.scale * factor, p.R, (p.t - landmarks[NOSE_TIP]) * factor) for p, _ in upright]
    return head, poses, weights, scale_source


def _photo_map(model: HeadModel, head: FittedHead, detection: FaceDetection, pose: Similarity) -> PhotoMap:
    # On the face the landmarks' own pixels, on the shell the projection of what was guessed.
    back = Similarity(1 / pose.scale, pose.R.T, -pose.R.T @ pose.t / pose.scale)
    controls_px = apply_similarity(back, head.controls_mm)[:, :2] * [1, -1]
    face_px = with_eye_middles(detection.landmarks_px[:, :2], 0)
    controls_px[: len(face_px)] = face_px
    vertex_px = model.smooth @ interpolating_controls(model.smooth, controls_px, reach_share(model.triangles))
    facing = vertex_normals(head.surface_mm, model.refined) @ pose.R[:, 2]
    return PhotoMap(vertex_px, facing)


def assemble_scan(model: HeadModel, head: FittedHead, texture: NDArray[np.uint8], source: str) -> FaceScan:
    """Join surface, neck cut and ears into one mesh and name the landmarks."""
    surface, cap = len(head.surface_mm), cap_rows(model)
    cap_triangles = model.refined[cap]
    cap_vertices, renumbered = np.unique(cap_triangles, return_inverse=True)
    ears = surface + len(cap_vertices) + len(model.ear_mm) * np.arange(2)
    vertices = np.vstack([head.surface_mm, head.surface_mm[cap_vertices], *head.ears_mm])
    triangles = [
        model.refined[~cap],
        surface + renumbered.reshape(-1, 3),
        ears[0] + model.ear_triangles[:, ::-1],
        ears[1] + model.ear_triangles,
    ]
    uv = np.vstack([model.uv, np.tile(CAP_UV, (len(cap_vertices), 1)), *ear_uv(model)])
    mesh = _without_loose_vertices(vertices, np.vstack(triangles), uv)
    landmarks = {name: head.surface_mm[index] for name, index in LANDMARK_INDEX.items()}
    landmarks |= {f"ear_{side}": ear[model.ear_hook] for side, ear in zip(("left", "right"), head.ears_mm, strict=True)}
    return FaceScan(mesh, texture, landmarks, source)


def _without_loose_vertices(vertices: NDArray, triangles: NDArray, uv: NDArray) -> TriangleMesh:
    used, renumbered = np.unique(triangles, return_inverse=True)
    return TriangleMesh(vertices[used], renumbered.reshape(-1, 3), uv[used])
