"""Many different heads from a seed: for designing and judging masks on more than one wearer."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree

from maskdesign.errors import ConfigError, ScanError
from maskdesign.faces.complexion import random_complexion
from maskdesign.faces.formats.ict import IctModel, ict_mesh, ict_vertices
from maskdesign.faces.head_model import fit_head, load_head_model
from maskdesign.faces.photo import assemble_scan
from maskdesign.faces.scan import FaceScan
from maskdesign.faces.scan_surface import SKIN_RGB
from maskdesign.faces.shape_modes import adult_mean, vary_shape
from maskdesign.faces.template import load_template
from maskdesign.geometry.align import apply_similarity, fit_similarity
from maskdesign.geometry.mesh import TriangleMesh

MAX_POPULATION = 10_000
ICT_LANDMARKS = {
    "eye_outer_left": 1507,
    "eye_inner_left": 1528,
    "eye_inner_right": 3742,
    "eye_outer_right": 3721,
    "nasion": 978,
    "nose_tip": 4857,
    "subnasale": 1147,
    "mouth_left": 5708,
    "mouth_right": 6213,
    "chin": 966,
    "jaw_left": 1719,
    "jaw_right": 3924,
}
"""Vertices of ICT-FaceKit's topology (its 68 landmarks) under the names of a scan."""


def random_head(seed: int, number: int) -> FaceScan:
    """A head that is nobody's, from the project's own shape modes.

    Args:
        seed: of the population.
        number: which head of it, from 0; the same two numbers give the same bits, however many are made.
    """
    random = np.random.default_rng([seed, number])
    model = load_head_model()
    landmarks = vary_shape(adult_mean(model.canonical_mm), random)
    return assemble_scan(
        model, fit_head(model, landmarks), random_complexion(random), f"population {seed}, head {number}"
    )


def random_ict_head(model: IctModel, seed: int, number: int) -> FaceScan:
    """A random identity of an ICT-FaceKit model, a_i from N(0, 1); see `random_head` and `ict_head`."""
    random = np.random.default_rng([seed, number])
    coefficients = np.clip(random.normal(size=len(model.modes)), -3, 3)
    return ict_head(model, coefficients, f"{model.source}, seed {seed}, head {number}")


def ict_head(model: IctModel, coefficients: NDArray[np.float64], source: str) -> FaceScan:
    """The identity of given coefficients as a scan; its landmarks are those of the model's topology.

    Args:
        model: as read.
        coefficients: (m,), m at most the number of modes, -10 to 10.
        source: for reports.

    Raises:
        ScanError: the coefficients do not fit the model, or it has another topology.
    """
    vertices = ict_vertices(model, coefficients)
    if len(vertices) <= max(ICT_LANDMARKS.values()):
        raise ScanError(f"{model.source}: {len(vertices)} vertices are not ICT-FaceKit's topology")
    mesh, _ = ict_mesh(model, coefficients)
    points = {name: vertices[index] for name, index in ICT_LANDMARKS.items()}
    template = load_template().landmarks_mm
    names = list(ICT_LANDMARKS)
    pose = fit_similarity(np.stack([template[name] for name in names]), np.stack([points[name] for name in names]))
    tree = KDTree(mesh.vertices)
    for side in ("left", "right"):
        hook = apply_similarity(pose, template[f"ear_{side}"][None])[0]
        points[f"ear_{side}"] = mesh.vertices[tree.query(hook)[1]]
    tip = points["nose_tip"]
    framed = TriangleMesh((mesh.vertices - tip) @ pose.R, mesh.triangles, np.clip(np.asarray(mesh.uv), 0, 1))
    plain = np.full((64, 64, 3), SKIN_RGB, np.uint8)
    return FaceScan(framed, plain, {name: (point - tip) @ pose.R for name, point in points.items()}, source)


def check_population(count: int) -> None:
    """Raise a `ConfigError` where a population of that size is not made."""
    if not 1 <= count <= MAX_POPULATION:
        raise ConfigError(f"--population {count}: from 1 to {MAX_POPULATION} heads are made")
