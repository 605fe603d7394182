"""Figures of a drape: how far it is from an inextensible sheet, folded in order, that touches nobody's skin."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import root_scalar

from maskdesign.errors import DrapeError
from maskdesign.geometry.mesh import mesh_edges, triangle_normals
from maskdesign.mask.constraints import LayerPairs, build_constraints
from maskdesign.mask.contact import Collider, nearest_points
from maskdesign.mask.crossings import find_crossings
from maskdesign.mask.pattern import MaskPattern
from maskdesign.mask.settings import DrapeSettings
from maskdesign.mask.sheet import SheetGrid
from maskdesign.mask.solver import pair_normals
from maskdesign.mask.worn import DrapeReport

FAR_MM = 60.0
"""Cloth is nowhere farther from the skin."""
SIDE_MM = 20.0
"""Width of the strips at the sides whose distance from the cheeks is looked at."""


def edge_strain(
    vertices_mm: NDArray[np.float64], sheet_mm: NDArray[np.float64], triangles: NDArray[np.int32]
) -> NDArray[np.float64]:
    """Relative change of length of every edge of the triangulation.

    Args:
        vertices_mm: (V, 3).
        sheet_mm: (V, 2).
        triangles: (T, 3).

    Returns:
        (E,), 0 = as on the flat sheet, > 0 = stretched.
    """
    edges = mesh_edges(triangles)
    worn = np.linalg.norm(vertices_mm[edges[:, 0]] - vertices_mm[edges[:, 1]], axis=1)
    flat = np.linalg.norm(sheet_mm[edges[:, 0]] - sheet_mm[edges[:, 1]], axis=1)
    return worn / flat - 1


def area_ratio(vertices_mm: NDArray[np.float64], sheet_mm: NDArray[np.float64], triangles: NDArray[np.int32]) -> float:
    """Worn area / sheet area."""
    flat = np.column_stack([sheet_mm, np.zeros(len(sheet_mm))])
    areas = [np.linalg.norm(triangle_normals(points, triangles), axis=1).sum() for points in (vertices_mm, flat)]
    return float(areas[0] / areas[1])


def layer_gaps_mm(vertices_mm: NDArray[np.float64], pairs: LayerPairs) -> NDArray[np.float64]:
    """How far the two layers of each pair are apart where they lie on each other, < 0 where they are swapped.

    The second layer is compared with the point of the facing panel below it. Where the pleat is so far open that the
    second layer lies beyond the fold, the two have no order, and the gap is their distance.

    Returns:
        (P,) millimeters along the printed side's normal of the facing panel.
    """
    x, normals = vertices_mm, pair_normals(vertices_mm, pairs.beside_u, pairs.beside_v)
    outer_faces = pairs.facing == pairs.outer
    offset = x[np.where(outer_faces, pairs.inner, pairs.outer)] - x[pairs.facing]
    panel = x[pairs.fold] - x[pairs.facing]
    t = (offset * panel).sum(1) / np.maximum((panel**2).sum(1), 1e-12)
    below = offset - np.clip(t, 0, 1)[:, None] * panel
    gap = np.where(outer_faces, -1.0, 1.0) * (below * normals).sum(1)
    return np.where(t < 1, gap, np.linalg.norm(offset, axis=1))


def pleat_angles_deg(pattern: MaskPattern, opening_mm: float, nose_share: float) -> NDArray[np.float64]:
    """Angle between the two panels of each pleat at which straight panels span `opening_mm`.

    Args:
        opening_mm: between the folded height (0 degrees) and the sheet's height (180 degrees); clipped to them.
        nose_share: angle of a pleat that lies over the tip of the nose, as a share of the others' angle.
    """
    over_nose = abs(np.array(pattern.pleat_rows_mm) - pattern.nose_v_mm) <= pattern.pleat_depth_mm
    shares = np.where(over_nose, nose_share, 1.0)

    def missing_mm(angle: float) -> float:
        return straight_height_mm(pattern, np.minimum(angle * shares, 180.0)) - opening_mm

    widest = 180.0 / max(nose_share, 1e-3)
    if missing_mm(0.0) >= 0 or missing_mm(widest) <= 0:
        return np.minimum((0.0 if missing_mm(0.0) >= 0 else widest) * shares, 180.0)
    return np.minimum(root_scalar(missing_mm, bracket=(0.0, widest), xtol=1e-10).root * shares, 180.0)


def straight_height_mm(pattern: MaskPattern, angles_deg: NDArray[np.float64]) -> float:
    """Height from the top edge over the mountain folds to the bottom edge if every panel were straight.

    Args:
        angles_deg: one per pleat, between its reversed panel and the panel below, 0 = shut, 180 = unfolded.

    Returns:
        millimeters: the folded height when all are shut, the sheet's height when all are unfolded.
    """
    d = pattern.pleat_depth_mm
    rows = np.array([*pattern.pleat_rows_mm, pattern.height_mm])
    panels = rows[1:] - rows[:-1] - d
    spans = np.sqrt(d**2 + panels**2 - 2 * d * panels * np.cos(np.radians(angles_deg)))
    return float(rows[0] + spans.sum())


def opening_mm(grid: SheetGrid, vertices_mm: NDArray[np.float64]) -> float:
    """Opening along the middle of the worn mask, in straight panel heights (the folded height = shut).

    The angle of each pleat follows from the distance between its mountain fold and the row that lies behind this fold
    when the pleat is shut; the bending of the panels around nose and chin is left out, so the figure is of the pleats.
    """
    surface = vertices_mm.reshape(len(grid.v_mm), len(grid.u_mm), 3)
    middle = [len(grid.u_mm) // 2, (len(grid.u_mm) - 1) // 2]
    profile = surface[:, middle].mean(axis=1)
    angles, d = [], grid.pattern.pleat_depth_mm
    for fold in grid.pattern.pleat_rows_mm:
        ends = np.searchsorted(grid.v_mm, [fold - 1e-6, fold + 2 * d - 1e-6])
        chord = np.linalg.norm(profile[ends[0]] - profile[ends[1]])
        angles.append(2 * np.degrees(np.arcsin(min(chord / (2 * d), 1.0))))
    return straight_height_mm(grid.pattern, np.array(angles))


def gaps_to_skin_mm(grid: SheetGrid, vertices_mm: NDArray[np.float64], collider: Collider) -> tuple[float, float]:
    """Median distances from the skin in millimeters: of the whole cloth, and of the strips at its sides."""
    distance = abs(nearest_points(collider, vertices_mm, FAR_MM)[0])
    from_side = np.minimum(grid.sheet_mm[:, 0], grid.pattern.width_mm - grid.sheet_mm[:, 0])
    return float(np.median(distance)), float(np.median(distance[from_side <= SIDE_MM]))


def measure_drape(grid: SheetGrid, vertices_mm: NDArray[np.float64], collider: Collider, seconds: float) -> DrapeReport:
    """All figures of a drape.

    Args:
        vertices_mm: (V, 3) on the fine grid.
        collider: the face.
        seconds: time spent, for the report.
    """
    strain = edge_strain(vertices_mm, grid.sheet_mm, grid.triangles)
    distance, _, _ = nearest_points(collider, vertices_mm, 5.0)
    gaps = layer_gaps_mm(vertices_mm, build_constraints(grid).pairs)
    gap_mm, side_gap_mm = gaps_to_skin_mm(grid, vertices_mm, collider)
    return DrapeReport(
        strain_rms=float(np.sqrt((strain**2).mean())),
        strain_p99=float(np.percentile(abs(strain), 99)),
        strain_max=float(abs(strain).max()),
        area_ratio=area_ratio(vertices_mm, grid.sheet_mm, grid.triangles),
        penetration_mm=float(max(0.0, -distance.min())),
        opening_mm=opening_mm(grid, vertices_mm),
        layer_violations=int((gaps <= 0).sum()),
        crossings=len(find_crossings(vertices_mm, grid.triangles)),
        seconds=seconds,
        gap_mm=gap_mm,
        side_gap_mm=side_gap_mm,
    )


def check_settled(source: str, settings: DrapeSettings, report: DrapeReport, pair_count: int) -> None:
    """Refuse a drape whose figures lie beyond the limits.

    Args:
        source: name of the face, for the message.
        pair_count: pairs of layers that `layer_violations` counts among.

    Raises:
        DrapeError: names the first figure that failed, its value and its limit.
    """
    limits = settings.limits
    figures = (
        ("strain_rms", report.strain_rms, limits.strain_rms),
        ("strain_p99", report.strain_p99, limits.strain_p99),
        ("strain_max", report.strain_max, limits.strain_max),
        ("area error", abs(report.area_ratio - 1), limits.area_error),
        ("penetration_mm", report.penetration_mm, limits.penetration_mm),
        ("opening error in mm", abs(report.opening_mm - settings.opening_mm), limits.opening_error_mm),
        ("layer_violations", report.layer_violations, limits.violations_share * pair_count),
        ("side_gap_mm", report.side_gap_mm, limits.side_gap_mm),
    )
    for name, value, limit in figures:
        if not value <= limit:
            raise DrapeError(
                f"{source}: the mask did not settle, {name} = {value:.4g} exceeds {limit:.4g}; "
                "check the face's scale and landmarks, or try another opening_mm"
            )
