"""`drape_mask`: lay a pleated mask on a face, coarse to fine."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from maskdesign.errors import DrapeError
from maskdesign.faces.scan import FaceScan
from maskdesign.faces.topology import outer_skin
from maskdesign.geometry.mesh import TriangleMesh
from maskdesign.mask.cloth import build_cloth, hinge_pairs, hinge_rest_mm
from maskdesign.mask.constraints import build_constraints
from maskdesign.mask.contact import Collider, build_collider, nearest_points, no_contacts, refresh_contacts
from maskdesign.mask.loads import build_loads, load_mm
from maskdesign.mask.measure import check_settled, measure_drape, opening_mm
from maskdesign.mask.pattern import MaskPattern, folded_v_mm
from maskdesign.mask.settings import DrapeSettings, DrapeStage, check_settings
from maskdesign.mask.sheet import SheetGrid, coarse_grid, fine_grid, refine_positions
from maskdesign.mask.solver import Skin, relax, settle, worst_strain
from maskdesign.mask.untangle import untangle
from maskdesign.mask.worn import WornMask

BLOCK = 10
"""Steps between two looks at the face and at the opening."""
REACH_MM = 40.0
"""How far the nearest point of the face is looked for."""
START_RADIUS_MM = 70.0
"""Radius of the upright cylinder that the shut mask is bent around before it is put on."""
SERVO = 0.02
"""Correction of the wanted opening per step, as a share of what is missing."""
FARTHEST_MM = 6.0
"""How far off the opening may be what is asked of the hinges; more would tear at the welds."""
STEERED = 0.25
"""Share of the settling sweeps in which hinges act."""
SETTLED_STRAIN = 0.035
"""Strain of the worst thread at which settling ends."""
UNTANGLED_STRAIN = 0.04
"""The same with which a sheet is taken that fewer layers cut through."""
SETTLING_BENDINGS, LAST_BENDING = (0.04, 0.08), 0.002
"""Stiffness across the rows while hinges steer the settling, and after: without any, the cloth that a concave face has
too much of gathers in one crease without a radius, whose threads nothing can bring to their length. Where the first
one leaves such a crease, the next one is tried.
"""
DEFAULT_SETTINGS = DrapeSettings()


def drape_mask(face: FaceScan, pattern: MaskPattern, settings: DrapeSettings = DEFAULT_SETTINGS) -> WornMask:
    """Put a mask on a face: nose tip at (width / 2, nose_v_mm) of the sheet, wire on the bridge, loops at the ears.

    The same input gives the same bits.

    Raises:
        ConfigError: settings that the pattern does not allow.
        DrapeError: the head is too small for the mask, or the drape did not settle.
    """
    started = time.process_time()
    check_settings(pattern, settings)
    _check_head(face, pattern)
    collider = build_collider(outer_skin(face.mesh))
    grid = coarse_grid(pattern)
    x = _start_before_face(grid, collider, settings)
    for stage in settings.stages:
        wanted = fine_grid(pattern) if stage.fine else coarse_grid(pattern)
        if len(wanted.sheet_mm) != len(grid.sheet_mm):
            # From inside a ridge the nearest way out may be sideways, so the fine grid starts outside of it.
            x = _before_face(refine_positions(grid, wanted, x), collider, settings.clearance_mm)
        grid = wanted
        x = _run_stage(grid, x, face, collider, settings, stage)
    constraints = build_constraints(grid)
    for bending in SETTLING_BENDINGS:
        settled = _settle(grid, x, collider, settings, bending)
        if worst_strain(settled, constraints.edges, constraints.rest_mm) < settings.limits.strain_max:
            break
    x = settled
    report = measure_drape(grid, x, collider, time.process_time() - started)
    check_settled(face.source, settings, report, len(constraints.pairs.outer))
    return WornMask(TriangleMesh(x, grid.triangles), grid.sheet_mm, grid.layer, report)


def _check_head(face: FaceScan, pattern: MaskPattern) -> None:
    apart = float(np.linalg.norm(face.landmarks["ear_right"] - face.landmarks["ear_left"]))
    if apart < 0.5 * pattern.width_mm:
        raise DrapeError(
            f"{face.source}: the ears are {apart:.0f} mm apart, too near for a mask {pattern.width_mm:g} mm wide; "
            "check the face's scale (interpupillary distance) or take a smaller mask"
        )


def shut_positions_mm(grid: SheetGrid, layer_gap_mm: float) -> NDArray[np.float64]:
    """The flat mask with all pleats shut, upright, as it lies in the box.

    Args:
        layer_gap_mm: distance between layers; each pleat lies two of them deeper than the panel above it.

    Returns:
        (R C, 3), the nose point at x = y = 0, the top panel at z = 0.
    """
    pattern, v = grid.pattern, grid.sheet_mm[:, 1]
    nose = folded_v_mm(pattern, np.array([pattern.nose_v_mm]))[0]
    depth = np.zeros(len(v))
    for fold, _ in pattern.fold_rows_mm:
        depth += np.clip((v - fold) / pattern.cell_mm + 0.5, 0, 1)
    return np.column_stack(
        [grid.sheet_mm[:, 0] - pattern.width_mm / 2, nose - folded_v_mm(pattern, v), -layer_gap_mm * depth]
    )


def _start_before_face(grid: SheetGrid, collider: Collider, settings: DrapeSettings) -> NDArray[np.float64]:
    shut = shut_positions_mm(grid, settings.layer_gap_mm)
    angle, radius = shut[:, 0] / START_RADIUS_MM, START_RADIUS_MM + shut[:, 2]
    x = np.column_stack([radius * np.sin(angle), shut[:, 1], radius * np.cos(angle) - START_RADIUS_MM])
    return _before_face(x, collider, settings.clearance_mm)


def _before_face(x: NDArray[np.float64], collider: Collider, clearance_mm: float) -> NDArray[np.float64]:
    """Shift points towards the viewer until none is nearer to the skin than the clearance."""
    for shift_mm in np.arange(0.0, 200.0, 0.25):
        moved = x + np.array([0.0, 0.0, shift_mm])
        distance, _, _ = nearest_points(collider, moved, 3.0)
        if distance.min() >= clearance_mm:
            return moved
    raise DrapeError("the mask finds no place before the face; check that the face looks along +z")


def _run_stage(
    grid: SheetGrid,
    start_mm: NDArray[np.float64],
    face: FaceScan,
    collider: Collider,
    settings: DrapeSettings,
    stage: DrapeStage,
) -> NDArray[np.float64]:
    constraints, loads = build_constraints(grid), build_loads(grid, face, settings)
    cloth, hinges = build_cloth(grid, constraints, settings, stage), hinge_pairs(constraints.pairs, grid.pattern)
    x, velocity = start_mm.copy(), np.zeros_like(start_mm)
    contacts, wanted_mm = no_contacts(x), settings.opening_mm
    for done in range(0, stage.steps, BLOCK):
        refresh_contacts(collider, contacts, x, REACH_MM)
        opened = min(1.0, done / (0.6 * stage.steps)) if stage.opens else 1.0
        if opened == 1.0:
            wanted_mm = _steer(wanted_mm, settings, opening_mm(grid, x))
        rest = hinge_rest_mm(grid, constraints.pairs, hinges, settings, wanted_mm, opened)
        load = load_mm(loads, settings, x, contacts, stage.load)
        skin = Skin(contacts.nearest_mm, contacts.direction, settings.clearance_mm, settings.friction)
        relax(x, velocity, load, cloth._replace(hinge_rest_mm=rest), skin, stage.damping, BLOCK, stage.sweeps)
    return x


def _settle(
    grid: SheetGrid, start_mm: NDArray[np.float64], collider: Collider, settings: DrapeSettings, bending: float
) -> NDArray[np.float64]:
    """Sweep out the strain that is left, at first with hinges that still steer the opening."""
    constraints, stage = build_constraints(grid), replace(settings.stages[-1], bending=bending)
    hinges = hinge_pairs(constraints.pairs, grid.pattern)
    cloth = build_cloth(grid, constraints, settings, stage)
    # The wire has bent the hem to the bridge; nothing is to straighten it again.
    hem = grid.sheet_mm[constraints.bends[:, 1], 1] <= settings.wire_rows_mm
    cloth = cloth._replace(bending=np.where(hem, 0.0, cloth.bending))
    slack = cloth.bending * (LAST_BENDING / bending)
    free = cloth._replace(hinge_stiffness=np.zeros(len(hinges)), bending=slack)
    x, contacts, wanted_mm = start_mm.copy(), no_contacts(start_mm), settings.opening_mm
    for done in range(0, settings.settling_sweeps, BLOCK):
        refresh_contacts(collider, contacts, x, REACH_MM)
        skin = Skin(contacts.nearest_mm, contacts.direction, settings.clearance_mm, settings.friction)
        if done < STEERED * settings.settling_sweeps:
            wanted_mm = _steer(wanted_mm, settings, opening_mm(grid, x))
            rest = hinge_rest_mm(grid, constraints.pairs, hinges, settings, wanted_mm, 1.0)
            settle(x, cloth._replace(hinge_rest_mm=rest), skin, BLOCK)
            continue
        settle(x, free, skin, BLOCK)
        if worst_strain(x, free.edges, free.rest_mm) < SETTLED_STRAIN:
            break
    return untangle(grid, x, free, collider, settings, UNTANGLED_STRAIN)


def _steer(wanted_mm: float, settings: DrapeSettings, present_mm: float) -> float:
    """The opening to ask of the hinges next, so that the sheet, which gives way, takes the one of the settings."""
    corrected = wanted_mm + SERVO * BLOCK * (settings.opening_mm - present_mm)
    return float(np.clip(corrected, settings.opening_mm - FARTHEST_MM, settings.opening_mm + FARTHEST_MM))


def settle_mask(
    face: FaceScan,
    pattern: MaskPattern,
    settings: DrapeSettings,
    start_mm: NDArray[np.float64],
    stages: tuple[DrapeStage, ...],
) -> WornMask:
    """Relax a mask that lies on a face already; how well it settled stands in the report and is not judged here.

    Args:
        start_mm: (V, 3) points of the fine grid, outside of the face or nearly so.
        stages: stretches of relaxation on the fine grid.
    """
    started = time.process_time()
    collider, grid, x = build_collider(face.mesh), fine_grid(pattern), start_mm
    for stage in stages:
        x = _run_stage(grid, x, face, collider, settings, stage)
    report = measure_drape(grid, x, collider, time.process_time() - started)
    return WornMask(TriangleMesh(x, grid.triangles), grid.sheet_mm, grid.layer, report)
