"""Scans, photos and populations against their truth. Figures that need the development data are left out without it."""

from __future__ import annotations

import json
import os
import tempfile
import time
from pathlib import Path

import numpy as np
from skimage.data import astronaut

from maskdesign.faces.clean import clean_range
from maskdesign.faces.detect import find_faces
from maskdesign.faces.formats.abs import read_abs, write_abs
from maskdesign.faces.formats.ict import ict_vertices, read_ict
from maskdesign.faces.from_scan import face_from_scan
from maskdesign.faces.head import builtin_face
from maskdesign.faces.head_model import load_head_model
from maskdesign.faces.nose import find_nose
from maskdesign.faces.photo import face_from_photo
from maskdesign.faces.population import random_head
from maskdesign.faces.read import read_scan
from maskdesign.faces.scan import FaceScan
from maskdesign.faces.scan_landmarks import locate_face
from maskdesign.faces.scan_surface import clean_surface
from maskdesign.faces.shape_modes import TARGETS, adult_mean, measure, vary_shape
from maskdesign.files import read_image
from tests.dlib_chips import dlib_distance
from tests.portraits import depth_errors, picture_of
from tests.scan_heads import ICT_TIP, hole_over, mesh_scan, pronasale, real_head, synthetic_scan, turned

SHARED = Path(os.environ.get("MASKDESIGN_SHARED", Path(__file__).resolve().parents[2] / "shared"))
LFW_RESULT = Path(__file__).resolve().parents[1] / "docs/photo-heads.json"
HEADS = 50
POPULATION = 200


def figures() -> dict[str, dict]:
    found = frgc_figures(builtin_face()) | population_figures()
    if SHARED.is_dir():
        scanned = real_head(SHARED)
        found |= cleaning_figures(scanned) | hole_figures(scanned) | nose_figures(scanned) | photo_figures(scanned)
    return found | likeness_figures() | lfw_figures()


def frgc_figures(face: FaceScan) -> dict[str, dict]:
    scan = synthetic_scan(face).raw
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "scan.abs.gz"
        write_abs(path, scan)
        back = read_abs(path)
        off = np.abs(back.points_mm[back.valid] - scan.points_mm[scan.valid]).max()
        face_from_scan(read_scan(path))
        begin = time.process_time()
        face_from_scan(read_scan(path))
        seconds = time.process_time() - begin
    return {
        "frgc_round_trip": _figure(float(off), 1e-4, "mm"),
        "frgc_read_clean_align": _figure(seconds, 4.0, "s"),
    }


def cleaning_figures(face: FaceScan) -> dict[str, dict]:
    scan = synthetic_scan(face)
    cleaned, _ = clean_range(scan.raw)
    both = cleaned.valid & (scan.truth.triangle >= 0)
    error = np.abs(cleaned.points_mm[..., 2] - scan.truth.points[..., 2])
    return {
        "cleaning_median_error": _figure(float(np.median(error[both])), 0.06, "mm"),
        "cleaning_p95_error": _figure(float(np.percentile(error[both], 95)), 0.4, "mm"),
        "cleaning_max_error_inside_rim": _figure(float(error[both & ~scan.near_step].max()), 2.0, "mm"),
    }


def hole_figures(face: FaceScan) -> dict[str, dict]:
    """What holes of 14 mm are filled with where the face has fine relief, and where it has none."""
    points = face.landmarks
    places = {
        "lips": (points["mouth_left"] + points["mouth_right"]) / 2,
        "mouth_corner": points["mouth_left"],
        "nostril": points["subnasale"] + [9.0, 3, 0],
        "chin": points["chin"] + [0.0, 8, 0],
    }
    found = {}
    for name, place in places.items():
        row, column, radius = hole = hole_over(place)
        scan = synthetic_scan(face, holes=[hole])
        cleaned, _ = clean_range(scan.raw)
        rows, columns = np.indices(cleaned.valid.shape)
        inside = cleaned.valid & ((rows - row) ** 2 + (columns - column) ** 2 <= radius**2)
        error = np.abs(cleaned.points_mm[..., 2] - scan.truth.points[..., 2])[inside & (scan.truth.triangle >= 0)]
        found[f"hole_over_{name}_median_error"] = _figure(float(np.median(error)), None, "mm")
        found[f"hole_over_{name}_max_error"] = _figure(float(error.max()), None, "mm")
    return found


def nose_figures(scanned: FaceScan) -> dict[str, dict]:
    """Nose tips of heads turned by up to 30 degrees, as found and by shape alone."""
    model, random = read_ict(SHARED / "scans/ict_facekit_identities.npz"), np.random.default_rng(77)
    heads = []
    for _ in range(HEADS):
        vertices, _ = turned(ict_vertices(model, random.normal(size=100)), random)
        heads.append((vertices, model.triangles, vertices[ICT_TIP]))
    for _ in range(4):
        vertices, _ = turned(scanned.mesh.vertices, random)
        heads.append((vertices, scanned.mesh.triangles, vertices[pronasale(scanned)]))
    found, by_shape = np.array([_nose_errors(*head) for head in heads]).T
    return {
        "nose_tip_median_error": _figure(float(np.median(found)), 3.0, "mm"),
        "nose_tip_max_error": _figure(float(found.max()), 3.0, "mm"),
        "nose_tip_share_beyond_3_mm": _figure(float(np.mean(found > 3)), 0.0, "share"),
        "nose_tip_by_shape_median_error": _figure(float(np.median(by_shape)), 3.0, "mm"),
        "nose_tip_by_shape_share_beyond_3_mm": _figure(float(np.mean(by_shape > 3)), None, "share"),
        "nose_tip_by_shape_max_error": _figure(float(by_shape.max()), None, "mm"),
    }


def _nose_errors(vertices: np.ndarray, triangles: np.ndarray, tip: np.ndarray) -> tuple[float, float]:
    surface = clean_surface(mesh_scan(vertices, triangles))
    found = locate_face(surface, "head", True).points_mm["nose_tip"]
    by_shape = find_nose(surface.mesh, "head").tip_mm
    return float(np.linalg.norm(found - tip)), float(np.linalg.norm(by_shape - tip))


def photo_figures(scanned: FaceScan) -> dict[str, dict]:
    """A picture of the real head back into a head, and pictures of heads turned far."""
    head = face_from_photo(picture_of(scanned, side_px=640), "scan").scan
    heads = (scanned, face_from_photo(astronaut(), "astronaut").scan)
    seen = [len(find_faces(picture_of(one, yaw_deg))) == 1 for one in heads for yaw_deg in (-60, 60)]
    return {
        "photo_head_depth_median_error": _figure(float(np.median(depth_errors(head, scanned))), 2.5, "mm"),
        "photo_head_found_at_60_degrees": _figure(float(np.mean(seen)), 1.0, "share", "higher"),
    }


def likeness_figures() -> dict[str, dict]:
    """dlib's distance between a photo and the frontal picture of its head."""
    photos = {"astronaut": astronaut()}
    for path in sorted((SHARED / "photos/portraits").glob("*.jpg")):
        photos[path.stem] = read_image(path)
    return {
        f"photo_head_dlib_distance_{name}": _figure(
            dlib_distance(picture_of(face_from_photo(photo, name).scan), photo), 0.6, "distance"
        )
        for name, photo in photos.items()
    }


def lfw_figures() -> dict[str, dict]:
    """What `python -m benchmarks.measure_photo_heads` wrote: it takes longer than a benchmark may."""
    if not LFW_RESULT.exists():
        return {}
    result = json.loads(LFW_RESULT.read_text())
    found = {"photo_heads_lfw_refused": _figure(result["refused_share"], None, "share")}
    for name, rates in result["recognizers"].items():
        found[f"photo_heads_lfw_accept_rate_{name}"] = _figure(rates["accept_rate"], None, "share", "higher")
    return found


def population_figures() -> dict[str, dict]:
    mean = adult_mean(load_head_model().canonical_mm)
    shapes = [vary_shape(mean, np.random.default_rng([1, number])) for number in range(POPULATION)]
    found = {}
    for name in ("face_breadth", "eye_corners"):
        target, spread = TARGETS[name]
        values = np.array([measure(shape, name) for shape in shapes])
        found[f"population_{name}_mean_off"] = _figure(float(abs(values.mean() - target) / spread), 0.5, "spreads")
        found[f"population_{name}_spread_off"] = _figure(float(abs(values.std() / spread - 1)), 0.25, "relative")
    vertices = np.stack([random_head(1, number).mesh.vertices for number in range(POPULATION)])
    face = (vertices[0][:, 2] > -80) & (np.abs(vertices[0][:, 1]) < 70)
    pairs = np.random.default_rng(0).integers(POPULATION, size=(400, 2))
    pairs = pairs[pairs[:, 0] != pairs[:, 1]]
    distances = [np.linalg.norm(vertices[a] - vertices[b], axis=1) for a, b in pairs]
    found["population_pairwise_distance"] = _figure(float(np.mean(distances)), 4.0, "mm", "higher")
    found["population_pairwise_distance_face"] = _figure(
        float(np.mean([distance[face].mean() for distance in distances])), 4.0, "mm", "higher"
    )
    return found


def _figure(value: float, goal: float | None, unit: str, better: str = "lower") -> dict:
    return {"value": value, "goal": goal, "better": better, "unit": unit, "issue": "faces"}
