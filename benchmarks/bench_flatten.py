"""Flattening, refinement, key points and what cameras see of the sheet; process time on one thread."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from maskdesign.faces.head import builtin_face
from maskdesign.geometry.delaunay import delaunay
from maskdesign.geometry.distortion import least_angle_deg, measure_flattening
from maskdesign.geometry.flatten import flatten_free, open_disc
from maskdesign.geometry.flatten_classic import circle_boundary, flatten_harmonic, flatten_spectral
from maskdesign.geometry.mesh import mesh_edges
from maskdesign.geometry.refine import PlanarMesh, edges_not_delaunay, refine
from maskdesign.mask.keypoints import KeyPoints, key_mesh, key_points
from maskdesign.mask.pattern import MaskPattern, folded_v_mm
from maskdesign.mask.placement import place_face
from maskdesign.render.sheet_visibility import see_sheet
from tests.flatten_surfaces import face_patch
from tests.test_delaunay_refine import assert_constrained_delaunay, assert_constraints_whole
from tests.test_mask_visibility import camera, scene_of, seen_by_rays, shut_mask

ROUNDS = 5
BIG_SPACING_MM = 0.865
"""Makes a face patch of about 35 000 triangles."""


def figures() -> dict[str, dict]:
    return {**_flattening(), **_refinement(), **_visibility(), **_pattern()}


def _figure(value: float, goal: float | None, better: str, unit: str) -> dict:
    return {"value": float(value), "goal": goal, "better": better, "unit": unit, "issue": "mask"}


def _flattening() -> dict[str, dict]:
    patch, big = face_patch(), face_patch(BIG_SPACING_MM)
    disc = open_disc(patch)
    own = measure_flattening(patch, flatten_free(disc))
    spectral = measure_flattening(patch, flatten_spectral(disc))
    harmonic = measure_flattening(patch, flatten_harmonic(disc, circle_boundary(disc)))
    seconds = _least_seconds(lambda: flatten_free(open_disc(big))) * 35_000 / len(big.triangles)
    placed = place_face(builtin_face(), MaskPattern())
    return {
        "flatten_qc_mean_over_spectral": _figure(
            own.quasi_conformal_mean / spectral.quasi_conformal_mean, 1.001, "lower", "ratio"
        ),
        "flatten_qc_mean": _figure(own.quasi_conformal_mean, 1.01, "lower", "ratio"),
        "flatten_qc_p99": _figure(own.quasi_conformal_p99, 1.06, "lower", "ratio"),
        "flatten_qc_max": _figure(own.quasi_conformal_max, 1.15, "lower", "ratio"),
        "flatten_flips": _figure(own.flipped, 0, "lower", "triangles"),
        "flatten_35k_triangles": _figure(seconds, 1.0, "lower", "s"),
        "flatten_harmonic_circle_qc_mean": _figure(harmonic.quasi_conformal_mean, None, "lower", "ratio"),
        "flatten_placement_qc_mean": _figure(placed.report.quasi_conformal_mean, None, "lower", "ratio"),
        "flatten_placement_flips": _figure(placed.report.flipped, 0, "lower", "triangles"),
    }


def _refinement() -> dict[str, dict]:
    pattern = MaskPattern()
    keys = key_points(pattern)
    scattered = _scattered(keys)
    up = scattered * [1, -1]
    mesh = refine(up, keys.edges, 20.7)
    assert_constrained_delaunay(mesh)
    assert_constraints_whole(mesh, up, keys.edges)
    planned = key_mesh(keys)
    up_planned = replace(planned, points=planned.points * [1, -1])
    return {
        "refine_edges_not_delaunay": _figure(
            edges_not_delaunay(mesh) + edges_not_delaunay(up_planned), 0, "lower", "edges"
        ),
        "refine_fold_length_lost": _figure(_lost_mm(pattern, keys, planned), 1e-9, "lower", "mm"),
        "refine_least_angle_random_points": _figure(_least_angle(mesh), 20.0, "higher", "deg"),
        "refine_least_angle_key_points": _figure(_least_angle(planned), 20.0, "higher", "deg"),
        "refine_428_points_6_folds": _figure(_least_seconds(lambda: refine(up, keys.edges, 20.7)), 0.05, "lower", "s"),
        "refine_key_points_made_and_refined": _figure(
            _least_seconds(lambda: key_mesh(key_points(pattern))), 0.05, "lower", "s"
        ),
        "delaunay_insertion_428_points": _figure(_least_seconds(lambda: delaunay(scattered)), None, "lower", "s"),
    }


def _scattered(keys: KeyPoints) -> np.ndarray:
    """Outline and folds as they are, the other key points at random: the hard case for refinement."""
    framed = int(keys.edges.max()) + 1
    low, high = keys.sheet_mm.min(0), keys.sheet_mm.max(0)
    inner = np.random.default_rng(0).uniform(low + 0.5, high - 0.5, (len(keys.sheet_mm) - framed, 2))
    return np.concatenate([keys.sheet_mm[:framed], inner])


def _lost_mm(pattern: MaskPattern, keys: KeyPoints, mesh: PlanarMesh) -> float:
    """Length of the folds that is no edge of any triangle after refinement."""
    sides = {tuple(edge) for edge in mesh_edges(mesh.triangles).tolist()}
    kept = [k for k, edge in enumerate(np.sort(mesh.kept_edges, axis=1).tolist()) if tuple(edge) in sides]
    ends = mesh.points[mesh.kept_edges[kept]]
    on_fold = keys.line[mesh.constraint[kept]] > 0
    found = np.linalg.norm(ends[on_fold, 1] - ends[on_fold, 0], axis=1).sum()
    return abs(len(pattern.fold_rows_mm) * pattern.width_mm - float(found))


def _least_angle(mesh: PlanarMesh) -> float:
    return least_angle_deg(mesh.points, mesh.triangles)


def _visibility() -> dict[str, dict]:
    pattern, worn = MaskPattern(), shut_mask(0.31)
    scene, views = scene_of(worn), [camera(yaw, pitch) for yaw, pitch in ((0, 0), (30, 10), (-50, 0), (0, -25))]
    seen = see_sheet(scene, worn, pattern, views, 0.9).seen
    unlike = [(a != seen_by_rays(scene, worn, view, 0.9)).mean() for a, view in zip(seen, views, strict=True)]
    front = see_sheet(scene, worn, pattern, [camera(0, distance_mm=50_000.0)], 0.5)
    return {
        "sheet_visibility_texels_unlike_embree": _figure(max(unlike), 0.015, "lower", "share"),
        "sheet_visibility_shut_share_error": _figure(
            abs(front.shares[0] - (1 - pattern.hidden_share)), 1e-3, "lower", "share"
        ),
        "sheet_visibility_a_view": _figure(
            _least_seconds(lambda: see_sheet(scene, worn, pattern, views, 1.0)) / len(views), None, "lower", "s"
        ),
    }


def _pattern() -> dict[str, dict]:
    pattern = MaskPattern()
    folded = folded_v_mm(pattern, np.array([pattern.height_mm]))[0]
    return {"pattern_folded_height_error": _figure(abs(folded - 95.0), 1e-9, "lower", "mm")}


def _least_seconds(job: Callable[[], object]) -> float:
    job()
    least = float("inf")
    for _ in range(ROUNDS):
        start = time.process_time()
        job()
        least = min(least, time.process_time() - start)
    return least
