"""The face unrolled onto a plane, and how well it keeps its neighborhoods (figure 6 of the paper on masks)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from maskdesign.faces.topology import outer_skin
from maskdesign.geometry.grid import grid_triangles
from maskdesign.geometry.mesh import TriangleMesh
from maskdesign.geometry.neighborhood import neighborhood_distance, neighborhood_stretch
from maskdesign.geometry.orthographic import view_from_front
from maskdesign.geometry.patch import flatten_patch

WINDOW_MM = ((-68.0, -80.0), (68.0, 60.0))
BACK_MM = -80.0
MAX_STEP_MM = 12.0
MAX_CUTS = 8
"""Rounds of cutting out what flips; of 40 heads of ICT-FaceKit none needed more than four."""


@dataclass(frozen=True)
class UnrolledFace:
    """The front of a face on a grid, in space and in the plane.

    Attributes:
        points_mm: (R, C, 3) in the face frame.
        flat_mm: (R, C, 2) the same samples after conformal unrolling.
        valid: (R, C) which samples were unrolled.
        distance_mm: (R, C) equation 4, see `neighborhood_distance`; nan beside the face.
        stretch: (R, C) see `neighborhood_stretch`; nan beside the face.
    """

    points_mm: NDArray[np.float64]
    flat_mm: NDArray[np.float64]
    valid: NDArray[np.bool_]
    distance_mm: NDArray[np.float64]
    stretch: NDArray[np.float64]


def unroll_face(mesh: TriangleMesh, pitch_mm: float = 2.0) -> UnrolledFace:
    """Unroll the middle of a face, brows to chin, conformally with a free boundary.

    Lashes and films on the eye are left out, open eyes and mouths are bridged, and samples that would fold over when
    laid flat are cut out (a few of some 4,000, where the nose hides what is below it).

    Args:
        mesh: in the face frame.
        pitch_mm: of the grid.

    Raises:
        MeshError: the face has holes too large for a disc, or folds over wherever it is cut.
    """
    low, high = np.array(WINDOW_MM)
    skin = outer_skin(mesh)
    view = view_from_front(skin.vertices, skin.triangles, pitch_mm, low, high)
    seen = (view.triangle >= 0) & (view.points[..., 2] > BACK_MM)
    places, triangles = grid_triangles(view.points, seen, MAX_STEP_MM)
    patch = flatten_patch(TriangleMesh(view.points[places[:, 0], places[:, 1]], triangles), MAX_CUTS)
    kept = patch.source >= 0
    rows, columns = places[patch.source[kept]].T
    valid = np.zeros(seen.shape, dtype=bool)
    valid[rows, columns] = True
    flat = np.zeros((*seen.shape, 2))
    flat[rows, columns] = patch.flat[kept]
    points = np.where(valid[..., None], view.points, 0)
    distance = neighborhood_distance(points, flat, valid)
    return UnrolledFace(points, flat, valid, distance, neighborhood_stretch(points, flat, valid))
