"""Landmarks of a scan: from the user's file, from the detector on a portrait of the scan, or from its shape alone."""

from __future__ import annotations

import difflib
import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree
from scipy.spatial.transform import Rotation

from maskdesign.errors import FaceError, ScanError
from maskdesign.faces.detect import find_faces
from maskdesign.faces.detector import has_detector
from maskdesign.faces.landmarks import LANDMARK_INDEX, NOSE_TIP
from maskdesign.faces.nose import find_nose, refine_tip
from maskdesign.faces.scan import LANDMARKS
from maskdesign.faces.scan_surface import Portrait, ScanSurface, moved_surface, portrait_of
from maskdesign.faces.template import load_template
from maskdesign.files import check_readable
from maskdesign.geometry.align import Similarity, apply_similarity, fit_similarity

MIN_GIVEN = 4
MAX_LANDMARKS_BYTES = 1 << 20
TURNS_DEG = ((0.0, 0.0), (30.0, 0.0), (-30.0, 0.0), (0.0, -90.0), (0.0, 90.0), (180.0, 0.0))
"""Yaw and pitch in which the detector looks for a face: ahead, half to the sides, z up, z down, backward."""
SURE_MM, DOUBTFUL_MM = 4.6, 5.5
"""Distance from the template up to which a detection is taken at once, and beyond which it is none; of 50 heads of
ICT-FaceKit none is further than 4.3, a face seen in the crown of a head is 5.7."""
BRIDGE = (168, 6, 197, 122, 351)
"""Points of mediapipe's mesh on the bridge of the nose."""
TRIM = 0.8
REACH_MM, DEPTH_SLACK_MM = 5.0, 4.0
"""How far beside its pixel a landmark is looked for, and how much of a difference from the template's depth is free."""
CANDIDATES = 400


@dataclass(frozen=True)
class Located:
    """Where a face is on a surface.

    Attributes:
        points_mm: name -> (3,) for the names that were found, in the frame of the surface.
        pose: template (face frame) -> surface.
        method: "landmarks file", "detector" or "shape", for the report.
        residual_mm: root mean square distance of the points from the template's, or of its face from the surface.
    """

    points_mm: Mapping[str, NDArray[np.float64]]
    pose: Similarity
    method: str
    residual_mm: float


def locate_face(surface: ScanSurface, source: str, known_unit: bool) -> Located:
    """Find the face on a surface without help: through the detector, else by shape.

    Args:
        surface: roughly y up and the face along +z; the detector also copes with other axes.
        source: name of the scan, for messages.
        known_unit: False lets the size be anything.

    Raises:
        FaceError: there is nothing like a face.
    """
    found = detect_on_surface(surface)
    if found is not None:
        return found
    scale_range = (0.88, 1.14) if known_unit else (0.6, 1.6)
    nose = find_nose(surface.mesh, source, scale_range)
    return Located(register_landmarks(surface, nose.pose, nose.tip_mm), nose.pose, "shape", nose.residual_mm)


def detect_on_surface(surface: ScanSurface) -> Located | None:
    """Landmarks by mediapipe on a portrait of the surface, put back onto it; None where it sees none, or is absent.

    The head is turned upright by what was found first and looked at once more.
    """
    tried = []
    for yaw, pitch in TURNS_DEG if has_detector() else ():
        points = _detect_turned(surface, Rotation.from_euler("yx", [yaw, pitch], degrees=True).as_matrix())
        if points is None:
            continue
        tried.append((_misfit(points), len(tried), points))
        if tried[-1][0] < SURE_MM:
            break
    if not tried or min(tried)[0] > DOUBTFUL_MM:
        return None
    points = min(tried)[2]
    again = _detect_turned(surface, _fit_template(points)[0].R.T)
    points = points if again is None or _misfit(again) > DOUBTFUL_MM else again
    pose, residual = _fit_template(points)
    named = {name: points[index] for name, index in LANDMARK_INDEX.items()}
    named["nose_tip"] = _nose_tip(surface, pose, points)
    return Located(named, pose, "detector", residual)


def _nose_tip(surface: ScanSurface, pose: Similarity, seen_mm: NDArray[np.float64]) -> NDArray[np.float64]:
    """A better nose tip than the detector's, which knows the bridge of a nose better than its end.

    Args:
        surface: as located.
        pose: template -> surface.
        seen_mm: (468, 3) landmarks seen in the surface's own colors; shaded, a nose shows more, and is looked at again.
    """
    shaded = _detect_turned(surface, pose.R.T, colored=(False,))
    points = seen_mm if shaded is None or _misfit(shaded) > DOUBTFUL_MM else shaded
    return refine_tip(surface.mesh, pose, points[NOSE_TIP], points[list(BRIDGE)].mean(axis=0))


def _misfit(points: NDArray[np.float64]) -> float:
    """How far 468 points are from a face, in millimeters on the template."""
    pose, residual = _fit_template(points)
    return residual / pose.scale


def _detect_turned(
    surface: ScanSurface, turn: NDArray[np.float64], colored: tuple[bool, ...] = (True, False)
) -> NDArray[np.float64] | None:
    """Landmarks on the first portrait that shows one face, in the scan's own colors or shaded."""
    turned = moved_surface(surface, surface.mesh.vertices @ turn.T)
    for own_colors in colored:
        portrait = portrait_of(turned, own_colors)
        faces = find_faces(portrait.rgb)
        if len(faces) == 1:
            return _onto_surface(portrait, faces[0][:468, :2]) @ turn
        if surface.texture is None and surface.vertex_rgb is None:
            break
    return None


def _onto_surface(portrait: Portrait, landmarks_px: NDArray[np.float64]) -> NDArray[np.float64]:
    """(468, 3) points of the surface behind pixels.

    The pixel itself may show the neck behind the chin, or the gap beside an eyeball: near it the one is taken whose
    depth is most like the template's in the pose of all points together.
    """
    seen = np.argwhere(portrait.view.triangle >= 0)
    points = portrait.view.points[seen[:, 0], seen[:, 1]]
    tree = KDTree(seen[:, ::-1] + 0.5)
    first = points[tree.query(landmarks_px)[1]]
    pose, _ = _fit_template(first)
    expected = apply_similarity(pose, load_template().mesh_points_mm[:468])[:, 2]
    reach_px = REACH_MM * pose.scale / portrait.pitch
    off_px, candidates = tree.query(landmarks_px, k=CANDIDATES, distance_upper_bound=reach_px)
    missing = candidates == len(points)
    depth = points[np.where(missing, 0, candidates), 2]
    beyond = np.maximum(np.abs(depth - expected[:, None]) / pose.scale - DEPTH_SLACK_MM, 0)
    cost = np.where(missing, np.inf, (off_px * portrait.pitch / pose.scale) ** 2 + beyond**2)
    best = np.take_along_axis(np.asarray(candidates), cost.argmin(axis=1)[:, None], axis=1)[:, 0]
    return np.where(missing.all(axis=1)[:, None], first, points[np.minimum(best, len(points) - 1)])


def _fit_template(points: NDArray[np.float64]) -> tuple[Similarity, float]:
    """The pose that takes the template's 468 points to these, the worst fifth left out, and what is left in mm."""
    template = load_template().mesh_points_mm[:468]
    pose = fit_similarity(template, points)
    for _ in range(3):
        off = np.linalg.norm(apply_similarity(pose, template) - points, axis=1)
        kept = off <= np.quantile(off, TRIM)
        pose = fit_similarity(template[kept], points[kept])
    off = np.linalg.norm(apply_similarity(pose, template[kept]) - points[kept], axis=1)
    return pose, float(np.sqrt(np.mean(off**2)))


def register_landmarks(
    surface: ScanSurface, pose: Similarity, nose_tip_mm: NDArray[np.float64]
) -> dict[str, NDArray[np.float64]]:
    """The points of the surface nearest to the template's landmarks in a pose; the nose tip is known better."""
    template = load_template().landmarks_mm
    tree = KDTree(surface.mesh.vertices)
    placed = apply_similarity(pose, np.stack([template[name] for name in LANDMARK_INDEX]))
    nearest = surface.mesh.vertices[tree.query(placed)[1]]
    return dict(zip(LANDMARK_INDEX, nearest, strict=True)) | {"nose_tip": nose_tip_mm}


def read_landmarks(path: Path, coordinates: int = 3) -> dict[str, NDArray[np.float64]]:
    """Read a user's landmarks: TOML or JSON, `NAME = [x, y, z]` in the unit and the frame of the scan's file.

    Args:
        path: the file.
        coordinates: 3 on a scan, 2 in a photo: x, y in pixels from its upper left corner.

    Raises:
        InputError: no such file.
        ScanError: neither TOML nor JSON, an unknown name, not that many finite numbers, or too few points.
    """
    check_readable(path)
    if path.stat().st_size > MAX_LANDMARKS_BYTES:
        raise ScanError(f"{path}: larger than {MAX_LANDMARKS_BYTES >> 20} MiB; these are no landmarks")
    points = {name: _point(name, value, coordinates, path) for name, value in _parse(path).items()}
    if len(points) < MIN_GIVEN or "nose_tip" not in points:
        raise ScanError(f"{path}: {len(points)} landmarks; give at least {MIN_GIVEN}, the nose_tip among them")
    return points


def _parse(path: Path) -> Mapping[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
        content = json.loads(text) if path.suffix.lower() == ".json" else tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise ScanError(f"{path}: neither TOML nor JSON ({error})") from error
    if not isinstance(content, Mapping):
        raise ScanError(f"{path}: write it as a table, nose_tip = [x, y, z]")
    return content


def _point(name: str, value: Any, coordinates: int, path: Path) -> NDArray[np.float64]:
    if name not in LANDMARKS:
        close = difflib.get_close_matches(name, LANDMARKS, n=1)
        hint = f"did you mean {close[0]}?" if close else f"known: {', '.join(LANDMARKS)}"
        raise ScanError(f"{path}: unknown landmark {name}; {hint}")
    numbers = isinstance(value, list) and len(value) == coordinates and all(type(x) in (int, float) for x in value)
    if not numbers or not np.isfinite(np.array(value, dtype=np.float64)).all():
        count, form = ("three", "[x, y, z]") if coordinates == 3 else ("two", "[x, y]")
        raise ScanError(f"{path}: {name} = {str(value)[:40]} is not {count} numbers; write {name} = {form}")
    return np.array(value, dtype=np.float64)


def place_given(points_mm: Mapping[str, NDArray[np.float64]], source: str) -> Located:
    """The pose that a user's landmarks give.

    Raises:
        FaceError: they lie on a line, or are no face: further than a third of their spread from the template's.
    """
    names = list(points_mm)
    template = np.stack([load_template().landmarks_mm[name] for name in names])
    given = np.stack([points_mm[name] for name in names])
    spread = np.linalg.svd(given - given.mean(axis=0), compute_uv=False)
    if spread[1] < 0.05 * spread[0] or spread[0] == 0:
        raise FaceError(f"{source}: the landmarks given lie on a line; give points on both sides of the face")
    pose = fit_similarity(template, given)
    residual = float(np.sqrt(np.mean(np.sum((apply_similarity(pose, template) - given) ** 2, axis=1))))
    if residual > spread[0] / np.sqrt(len(names)) / 3:
        raise FaceError(f"{source}: the landmarks given are no face; left is where the picture shows x < 0")
    return Located(dict(points_mm), pose, "landmarks file", residual)
