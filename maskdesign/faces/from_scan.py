"""A raw scan becomes a `FaceScan`: cleaned, measured, aligned to the built-in head, its origin at the nose tip."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree

from maskdesign.errors import FaceError, ScanError
from maskdesign.faces.clean import CleanReport
from maskdesign.faces.color_atlas import bake_colors, unroll_cylinder
from maskdesign.faces.raw import RawScan
from maskdesign.faces.scan import LANDMARKS, FaceScan
from maskdesign.faces.scan_landmarks import Located, locate_face, place_given, register_landmarks
from maskdesign.faces.scan_surface import SKIN_RGB, ScanSurface, clean_surface, moved_surface
from maskdesign.faces.template import load_template
from maskdesign.faces.topology import welded_index
from maskdesign.faces.units import settle_factor
from maskdesign.geometry.align import Similarity, apply_similarity
from maskdesign.geometry.icp import IcpSettings, make_target, move_onto
from maskdesign.geometry.mesh import vertex_normals

IPD_RANGE_MM = (40.0, 90.0)
PUPILS_PER_EYE_CORNERS = 0.71
"""Distance of the pupils over that of the outer eye corners, 63 over 88.8 mm."""
ICP = IcpSettings(rounds=25, trim=0.8, scale_range=(0.9, 1.12))
EAR_REACH_MM = 12.0


@dataclass(frozen=True)
class ScanReport:
    """What was done to a scan.

    Attributes:
        unit: what the file's unit was found to be.
        landmark_source: "landmarks file", "detector" or "shape".
        landmark_residual_mm: root mean square distance of the landmarks from those of the built-in head, as aligned.
        surface_residual_mm: the same of the built-in face from the surface, after ICP, its nearest 80 %.
        eye_corners_mm: distance of the outer eye corners.
        cleaning: what was cleaned from a range image, None for a mesh.
    """

    unit: str
    landmark_source: str
    landmark_residual_mm: float
    surface_residual_mm: float
    eye_corners_mm: float
    cleaning: CleanReport | None


def face_from_scan(
    raw: RawScan, landmarks: Mapping[str, NDArray[np.float64]] | None = None, ipd_mm: float | None = None
) -> tuple[FaceScan, ScanReport]:
    """Make a head from a scan.

    Args:
        raw: as read.
        landmarks: some names of `LANDMARKS` -> (3,), in the unit of the file; they win over what is found.
        ipd_mm: distance between the pupils, 40 to 90 mm, where known; it wins over the guessed unit.

    Raises:
        FaceError: there is no face, or the landmarks or `ipd_mm` are no face's.
        ScanError: too little is left after cleaning, or no unit makes the scan a face.
    """
    if ipd_mm is not None and not IPD_RANGE_MM[0] <= ipd_mm <= IPD_RANGE_MM[1]:
        raise FaceError(f"{raw.source}: an interpupillary distance of {ipd_mm:g} mm is no adult's; give 40 to 90 mm")
    surface = clean_surface(raw)
    located = _locate(surface, raw, landmarks)
    factor, unit = _settle(located, raw, ipd_mm)
    surface = moved_surface(surface, surface.mesh.vertices * factor)
    located = _scaled(located, factor)
    pose, residual = _align(surface, located)
    aligned, points = _into_face_frame(surface, located, pose)
    eyes = float(np.linalg.norm(points["eye_outer_left"] - points["eye_outer_right"]))
    report = ScanReport(unit, located.method, located.residual_mm, residual, eyes, surface.cleaning)
    return _assemble(aligned, points, raw.source), report


def _locate(surface: ScanSurface, raw: RawScan, landmarks: Mapping[str, NDArray[np.float64]] | None) -> Located:
    if landmarks is None:
        return locate_face(surface, raw.source, raw.unit != "unknown")
    return place_given({name: point * raw.mm_per_unit for name, point in landmarks.items()}, raw.source)


def _settle(located: Located, raw: RawScan, ipd_mm: float | None) -> tuple[float, str]:
    """What the surface must be multiplied by, and the name of its unit."""
    template = load_template().landmarks_mm
    canonical = np.linalg.norm(template["eye_outer_left"] - template["eye_outer_right"])
    corners = [located.points_mm.get(f"eye_outer_{side}") for side in ("left", "right")]
    if corners[0] is None or corners[1] is None:
        measured = located.pose.scale * canonical
    else:
        measured = np.linalg.norm(corners[1] - corners[0])
    if ipd_mm is not None:
        return float(ipd_mm / (PUPILS_PER_EYE_CORNERS * measured)), "as the interpupillary distance given says"
    try:
        return settle_factor(float(measured), raw.unit)
    except ScanError as error:
        raise ScanError(f"{raw.source}: {error}") from error


def _scaled(located: Located, factor: float) -> Located:
    pose = located.pose
    points = {name: point * factor for name, point in located.points_mm.items()}
    return Located(
        points, Similarity(pose.scale * factor, pose.R, pose.t * factor), located.method, located.residual_mm * factor
    )


def _align(surface: ScanSurface, located: Located) -> tuple[Similarity, float]:
    """The pose refined by ICP of the built-in face onto the surface, and what is left in millimeters."""
    mesh = surface.mesh
    place = welded_index(mesh.vertices)
    first = np.unique(place, return_index=True)[1]
    normals = vertex_normals(mesh.vertices[first], place[mesh.triangles].astype(np.int32))
    found = move_onto(load_template().face_mm, make_target(mesh.vertices[first], normals), located.pose, ICP)
    return found.similarity, found.residual


def _into_face_frame(
    surface: ScanSurface, located: Located, pose: Similarity
) -> tuple[ScanSurface, dict[str, NDArray[np.float64]]]:
    """Turn the head upright with the nose tip at the origin, and name every landmark."""
    tip = located.points_mm["nose_tip"]
    points = register_landmarks(surface, pose, tip) | dict(located.points_mm)
    tree = KDTree(surface.mesh.vertices)
    for side in ("left", "right"):
        if f"ear_{side}" not in points:
            hook = apply_similarity(pose, load_template().landmarks_mm[f"ear_{side}"][None])[0]
            gap, nearest = tree.query(hook)
            points[f"ear_{side}"] = surface.mesh.vertices[nearest] if gap < EAR_REACH_MM else hook
    aligned = moved_surface(surface, (surface.mesh.vertices - tip) @ pose.R)
    return aligned, {name: (points[name] - tip) @ pose.R for name in LANDMARKS}


def _assemble(surface: ScanSurface, points: Mapping[str, NDArray[np.float64]], source: str) -> FaceScan:
    if surface.mesh.uv is not None and (surface.texture is not None or surface.vertex_rgb is None):
        texture = _plain_texture() if surface.texture is None else surface.texture
        # Textures that repeat are rare on scans; what lies outside of the picture takes its rim's color.
        return FaceScan(replace(surface.mesh, uv=np.clip(surface.mesh.uv, 0, 1)), texture, points, source)
    mesh, origin = unroll_cylinder(surface.mesh)
    if surface.vertex_rgb is None:
        return FaceScan(mesh, _plain_texture(), points, source)
    return FaceScan(mesh, bake_colors(mesh, surface.vertex_rgb[origin]), points, source)


def _plain_texture() -> NDArray[np.uint8]:
    return np.full((64, 64, 3), SKIN_RGB, np.uint8)
