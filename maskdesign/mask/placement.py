"""Where the face lies under the unfolded sheet: the conformal placement of Fig 7 of the PrivacyMask paper.

The part of the face below the mask is flattened with its upper edge held straight, then moved and scaled so that this
edge is the sheet's first outer edge and the tip of the nose lies where the pattern says. It is an aid for placing
features; the print itself uses the sheet's own coordinates, which are isometric.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from maskdesign.errors import FaceError
from maskdesign.faces.scan import FaceScan
from maskdesign.geometry.distortion import FlattenReport
from maskdesign.geometry.flatten import flatten_straight
from maskdesign.geometry.height_field import HeightField, height_field_mesh, sample_heights
from maskdesign.geometry.mesh import TriangleMesh
from maskdesign.geometry.patch import map_disc
from maskdesign.geometry.refine import locate
from maskdesign.mask.pattern import MaskPattern

STEEPEST = 3.0
"""Rise over run beyond which a cheek is taken to turn away."""
NARROWEST = 0.2
"""Half width of the patch over the sheet's width, below which the face is refused."""


@dataclass(frozen=True)
class FacePlacement:
    """A face laid flat under a sheet.

    Attributes:
        mesh: the patch of the face, millimeters in the face frame.
        sheet_mm: (V, 2) where each of its vertices lies under the unfolded sheet.
        scale: sheet millimeters per millimeter of the flattening.
        report: how far the flattening is from conformal and from isometric.

    Convention: sheet millimeters, u right and v down; the patch's upper edge is v = 0.
    """

    mesh: TriangleMesh
    sheet_mm: NDArray[np.float64]
    scale: float
    report: FlattenReport


def place_face(face: FaceScan, pattern: MaskPattern, spacing_mm: float = 1.0) -> FacePlacement:
    """Flatten the face below the mask and put its nose and its upper edge where the sheet has them.

    Raises:
        FaceError: no surface around the nose, or too little of it.
        MeshError: the patch cannot be flattened.
    """
    field = _below_mask(face, pattern, spacing_mm)
    mesh = height_field_mesh(field)
    columns = len(field.x)
    # The vertices are those of the grid, row by row, so the upper corners are the first row's ends.
    left, right = 0, columns - 1
    flat, report = map_disc(mesh, lambda disc: flatten_straight(disc, right, left))
    _, corners, bary = locate(mesh.vertices[:, :2], mesh.triangles, face.landmarks["nose_tip"][None, :2])
    nose = bary[0] @ flat[corners[0]]
    along = flat[right] - flat[left]
    along /= np.linalg.norm(along)
    turned = (flat - nose) @ np.array([along, [along[1], -along[0]]]).T
    scale = pattern.nose_v_mm / -float(turned[left, 1])
    sheet_mm = turned * scale + [pattern.width_mm / 2, pattern.nose_v_mm]
    return FacePlacement(mesh, sheet_mm, scale, report)


def surface_below_mask(face: FaceScan, pattern: MaskPattern, spacing_mm: float = 1.0) -> TriangleMesh:
    """The part of a face that lies under a mask, sampled as a range image; a disc in millimeters.

    Raises:
        FaceError: no surface around the nose, or too little of it.
    """
    return height_field_mesh(_below_mask(face, pattern, spacing_mm))


def _below_mask(face: FaceScan, pattern: MaskPattern, spacing_mm: float) -> HeightField:
    """The largest upright rectangle around the nose that the face fills, from the sheet's edge down to the chin."""
    nose, chin = face.landmarks["nose_tip"], face.landmarks["chin"]
    reach = np.arange(0, pattern.width_mm / 2 + spacing_mm, spacing_mm)
    x = nose[0] + np.concatenate([-reach[:0:-1], reach])
    y = np.arange(nose[1] + 2 * pattern.nose_v_mm, chin[1] - spacing_mm / 2, -spacing_mm)
    field = sample_heights(face.mesh, x, y)
    middle = len(reach) - 1
    top = _edge_row(field, middle, float(nose[1]), pattern.nose_v_mm)
    if top is None:
        raise FaceError(f"{face.source}: the scan does not reach {pattern.nose_v_mm:g} mm above the tip of the nose")
    rows = field.z[top:]
    steep = abs(np.diff(rows, axis=1)) > STEEPEST * spacing_mm
    missing = np.isnan(rows)
    # A steep step beside the nose is the nose; only those in the outer part are where the cheek turns away.
    outer = reach[1:] > NARROWEST * pattern.width_mm
    ends = [(missing[:, middle + k] | (steep[:, middle + k - 1] & outer[k - 1])).any() for k in range(1, len(reach))]
    other = [(missing[:, middle - k] | (steep[:, middle - k] & outer[k - 1])).any() for k in range(1, len(reach))]
    free = ~(np.array(ends) | np.array(other))
    half = len(free) if free.all() else int(free.argmin())
    if reach[half] < NARROWEST * pattern.width_mm:
        raise FaceError(
            f"{face.source}: the scan has holes near the nose; only {reach[half]:g} mm to its side are whole"
        )
    return HeightField(x[middle - half : middle + half + 1], y[top:], rows[:, middle - half : middle + half + 1])


def _edge_row(field: HeightField, middle: int, nose_y: float, along_mm: float) -> int | None:
    """The row that lies `along_mm` above the nose, measured on the skin."""
    above = np.flatnonzero(field.y >= nose_y)[::-1]
    profile = np.stack([field.y[above], field.z[above, middle]], axis=1)
    reached = np.concatenate([[0.0], np.linalg.norm(np.diff(profile, axis=0), axis=1).cumsum()])
    return int(above[np.searchsorted(reached, along_mm)]) if reached[-1] >= along_mm else None
