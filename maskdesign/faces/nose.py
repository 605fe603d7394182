"""The nose tip of a surface in an unknown pose: caps by shape index, told apart by what lies around them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from maskdesign.errors import FaceError
from maskdesign.faces.template import load_template
from maskdesign.geometry.align import Similarity, apply_similarity
from maskdesign.geometry.curvature import principal_curvatures, shape_index
from maskdesign.geometry.grid import grid_triangles, local_quadratics
from maskdesign.geometry.icp import IcpSettings, Target, make_target, move_onto
from maskdesign.geometry.mesh import TriangleMesh, vertex_normals
from maskdesign.geometry.orthographic import view_from_front

PITCH_MM = 2.0
SMOOTHING_PX = 1.5
MAX_STEP_MM = 12.0
CAP_INDEX = 0.85
CAP_RADIUS_MM = (5.0, 25.0)
"""One over the mean curvature of a nose tip."""
MAX_CAPS = 12
FINALISTS = 4
CAP_DISTANCE_MM = 8.0
TURNS_DEG = tuple((yaw, pitch) for yaw in (-30.0, 0.0, 30.0) for pitch in (-15.0, 15.0))
COARSE = IcpSettings(rounds=8, trim=0.8)
FINE = IcpSettings(rounds=40, trim=0.85)
COARSE_STEP = 4
TIP_REACH_MM, GUESS_MM, NOSE_MM = 20.0, 12.0, 45.0
"""Around the template's tip, and around a better guess, where the tip is looked for; and what is looked at."""
TIP_PITCH_DEG = 18.0
"""The foremost cap is sought along a line raised this much: calibrated on 50 heads of ICT-FaceKit, whose nose tip lies
above the foremost point of the template's frame."""
REFINED_PITCH_DEG, BRIDGE_SHARE, BRIDGE_ABOVE_TIP_MM = 10.0, 0.45, 28.7
"""The same beside a detector; how much the bridge of the nose counts in the tip's height, and how far on the template
the bridge is above it. The foremost point of a turned-up nose lies above its tip, of a hooked one below. Calibrated on
100 other heads of ICT-FaceKit; the pitch matters little between 5 and 18."""
TIP_SOFTNESS_MM = 0.5
MAX_RESIDUAL_MM = 3.5


@dataclass(frozen=True)
class FoundNose:
    """Where the nose is, and how the head is turned.

    Attributes:
        tip_mm: (3,) in the frame of the surface.
        pose: template (face frame) -> surface.
        residual_mm: root mean square distance of the template's face to the surface.
    """

    tip_mm: NDArray[np.float64]
    pose: Similarity
    residual_mm: float


def find_nose(mesh: TriangleMesh, source: str, scale_range: tuple[float, float] = (0.88, 1.14)) -> FoundNose:
    """Find the nose tip of a head that looks roughly along +z, turned by up to 40 degrees.

    Candidates are vertices with a shape index in [0.85, 1] (section 3.2 of the paper on masks) and the curvature of a
    nose; the built-in face is laid at each, in several turns, and the best fit decides. In that pose the tip is the
    foremost cap.

    Args:
        mesh: millimeters.
        source: name of the scan, for messages.
        scale_range: sizes relative to the template that are tried.

    Raises:
        FaceError: nothing on the surface is like a face.
    """
    front = front_surface(mesh)
    index, bulge = cap_measures(front)
    caps = _cap_centers(front, index, bulge)
    if not len(caps):
        raise FaceError(f"{source}: no nose found; turn the scan so that the face looks along +z, y up")
    normals = vertex_normals(front.vertices, front.triangles)
    target = make_target(front.vertices, normals)
    fine = replace(FINE, scale_range=scale_range)
    fits = [move_onto(load_template().face_mm, target, pose, fine) for pose in _best_poses(target, caps)]
    found = min(fits, key=lambda fit: fit.residual)
    if found.residual > MAX_RESIDUAL_MM:
        raise FaceError(
            f"{source}: the surface is {found.residual:.1f} mm from any face; turn the scan so that the face looks "
            "along +z, y up, or give a landmarks file with --landmarks"
        )
    pose = found.similarity
    tip = _foremost((front.vertices - pose.t) @ pose.R / pose.scale, index, bulge, TIP_REACH_MM, TIP_PITCH_DEG)
    tip = np.zeros(3) if tip is None else tip
    return FoundNose(apply_similarity(pose, tip[None])[0], pose, found.residual)


def front_surface(mesh: TriangleMesh, pitch_mm: float = PITCH_MM) -> TriangleMesh:
    """What is seen of a surface along -z, resampled evenly and smoothed, without anything hidden."""
    low, high = mesh.vertices[:, :2].min(axis=0), mesh.vertices[:, :2].max(axis=0)
    view = view_from_front(mesh.vertices, mesh.triangles, pitch_mm, low - pitch_mm, high + pitch_mm)
    valid = view.triangle >= 0
    points = view.points.copy()
    smooth = local_quadratics(points[..., 2], valid.astype(np.float64), SMOOTHING_PX)[..., 0]
    points[..., 2] = np.where(np.abs(smooth - points[..., 2]) < pitch_mm, smooth, points[..., 2])
    places, triangles = grid_triangles(points, valid, MAX_STEP_MM)
    return TriangleMesh(points[places[:, 0], places[:, 1]], triangles)


def cap_measures(front: TriangleMesh) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Shape index and mean curvature (1/mm) at the vertices of an evenly sampled surface, (V,) each."""
    k1, k2 = principal_curvatures(front.vertices, front.triangles)
    return shape_index(k1, k2), (k1 + k2) / 2


def _cap_centers(front: TriangleMesh, index: NDArray[np.float64], bulge: NDArray[np.float64]) -> NDArray[np.float64]:
    """(c, 3) the foremost points of the most pronounced caps."""
    like_a_tip = (index >= CAP_INDEX) & (bulge > 1 / CAP_RADIUS_MM[1]) & (bulge < 1 / CAP_RADIUS_MM[0])
    order = np.flatnonzero(like_a_tip)
    # Both matter: how sharply a cap bulges, and how far it stands out of the head.
    depth = front.vertices[order, 2]
    order = order[np.argsort(-(bulge[order] * 100 + (depth - front.vertices[:, 2].max()) / 30))]
    centers: list[NDArray[np.float64]] = []
    for vertex in front.vertices[order]:
        if all(np.linalg.norm(vertex - other) > CAP_DISTANCE_MM for other in centers):
            centers.append(vertex)
        if len(centers) == MAX_CAPS:
            break
    return np.array(centers).reshape(-1, 3)


def _best_poses(target: Target, caps: NDArray[np.float64]) -> list[Similarity]:
    """The few best of the poses that any cap and any turn lead to, at different places."""
    face = load_template().face_mm[::COARSE_STEP]
    tried = []
    for cap in caps:
        for yaw, pitch in TURNS_DEG:
            R = Rotation.from_euler("yx", [yaw, pitch], degrees=True).as_matrix()
            result = move_onto(face, target, Similarity(1.0, R, cap), COARSE)
            tried.append((result.residual, len(tried), result.similarity))
    chosen: list[Similarity] = []
    for _, _, pose in sorted(tried):
        if all(np.linalg.norm(pose.t - other.t) > CAP_DISTANCE_MM for other in chosen):
            chosen.append(pose)
    return chosen[:FINALISTS]


def refine_tip(
    mesh: TriangleMesh, pose: Similarity, guess_mm: NDArray[np.float64], bridge_mm: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The nose tip near a guess: the foremost cap, its height corrected by the bridge of the nose.

    Args:
        mesh: millimeters as far as known.
        pose: template -> surface.
        guess_mm: (3,) in the frame of the surface; returned itself where there is no cap near it.
        bridge_mm: (3,) the mean of landmarks on the bridge.
    """
    size = pose.scale
    upright = TriangleMesh((mesh.vertices - guess_mm) @ pose.R / size, mesh.triangles)
    near = np.linalg.norm(upright.vertices, axis=1) < NOSE_MM
    around = near[upright.triangles].any(axis=1)
    if not around.any():
        return guess_mm
    used, renumbered = np.unique(upright.triangles[around], return_inverse=True)
    front = front_surface(TriangleMesh(upright.vertices[used], renumbered.reshape(-1, 3)))
    index, bulge = cap_measures(front)
    near_guess = _foremost(front.vertices, index, bulge, GUESS_MM, REFINED_PITCH_DEG)
    if near_guess is None:
        return guess_mm
    # Once more around what was found, lest the reach around a poor guess cut the nose in two.
    again = _foremost(front.vertices - near_guess, index, bulge, GUESS_MM, REFINED_PITCH_DEG)
    tip = near_guess if again is None else near_guess + again
    bridge_height = float((bridge_mm - guess_mm) @ pose.R[:, 1]) / size
    tip[1] += BRIDGE_SHARE * (bridge_height - tip[1] - BRIDGE_ABOVE_TIP_MM)
    return guess_mm + size * pose.R @ tip


def _foremost(
    upright: NDArray[np.float64],
    index: NDArray[np.float64],
    bulge: NDArray[np.float64],
    reach_mm: float,
    pitch_deg: float,
) -> NDArray[np.float64] | None:
    """(3,) the middle of the foremost cap near the origin along a line raised by an angle; None without a cap."""
    caps = (np.linalg.norm(upright, axis=1) < reach_mm) & (index >= CAP_INDEX) & (bulge > 1 / CAP_RADIUS_MM[1])
    if not caps.any():
        return None
    forward = upright[caps] @ np.array([0.0, np.sin(np.radians(pitch_deg)), np.cos(np.radians(pitch_deg))])
    weight = np.exp((forward - forward.max()) / TIP_SOFTNESS_MM)
    return weight @ upright[caps] / weight.sum()
