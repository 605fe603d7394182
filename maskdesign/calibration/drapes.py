"""A family of drapes on one face: how the mask lies as a function of its opening and of where it sits on the nose."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from maskdesign.errors import InputError
from maskdesign.faces.scan import FaceScan
from maskdesign.files import PACKAGE, read_npz, write_npz
from maskdesign.geometry.mesh import TriangleMesh
from maskdesign.geometry.refine import locate
from maskdesign.mask.drape import DEFAULT_SETTINGS, drape_mask
from maskdesign.mask.pattern import MaskPattern
from maskdesign.mask.settings import DrapeLimits, widest_opening_mm
from maskdesign.mask.sheet import fine_grid
from maskdesign.mask.worn import DrapeReport, WornMask
from maskdesign.progress import Progress

OPENINGS = 5
PLACEMENTS_MM = (-8.0, -4.0, 0.0)
"""Where the nose may lie on the sheet, relative to the pattern: below 0 the mask sits lower on the face. Higher than
the pattern's place would be behind the first fold."""
LIMITS = DrapeLimits(0.05, 0.2, 2.0, 0.05, 1.0, 12.0, 0.2, 60.0)
"""Wide: a drape of the family is a step of a scale, not something to be worn."""


@dataclass(frozen=True)
class DrapeFamily:
    """Drapes on a grid of openings and placements.

    Attributes:
        pattern: the sheet, with its nominal place of the nose.
        asked_mm: (A,) openings that were asked for, rising.
        placement_mm: (B,) shifts of the nose's place on the sheet, rising; > 0 puts the mask higher on the face.
        opening_mm: (A, B) openings that the drapes settled at, as `DrapeReport` measures them.
        vertices_mm: (A, B, V, 3) on the pattern's fine grid, in the face frame.
    """

    pattern: MaskPattern
    asked_mm: NDArray[np.float64]
    placement_mm: NDArray[np.float64]
    opening_mm: NDArray[np.float64]
    vertices_mm: NDArray[np.float64]


def drape_cache(face: FaceScan, pattern: MaskPattern) -> str:
    """A folder's name that changes with all that the family's drapes depend on: face, sheet, settings and code."""
    digest = hashlib.sha256(repr((pattern, DEFAULT_SETTINGS, LIMITS)).encode())
    for array in (face.mesh.vertices, face.mesh.triangles, *(face.landmarks[name] for name in sorted(face.landmarks))):
        digest.update(array.tobytes())
    for path in _drape_code():
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def _drape_code() -> Iterator[Path]:
    """The sources of the simulation; an update that leaves them alone keeps the drapes."""
    for room in ("mask", "geometry"):
        yield from sorted((PACKAGE / room).glob("*.py"))
    yield PACKAGE / "faces" / "topology.py"


def drape_family(face: FaceScan, pattern: MaskPattern, progress: Progress, cache: Path | None = None) -> DrapeFamily:
    """Drape the mask at every node of the family; what an earlier call has done is taken from `cache`.

    Args:
        cache: folder for one file a node, and nothing else.
    """
    asked = np.linspace(pattern.folded_height_mm + 2, widest_opening_mm(pattern), OPENINGS)
    placements = np.array(PLACEMENTS_MM)
    vertices, opening = [], []
    for number, (wanted, shift) in enumerate((a, b) for a in asked for b in placements):
        node = _node(face, pattern, float(wanted), float(shift), cache)
        vertices.append(node[0])
        opening.append(node[1])
        progress.advance(number + 1, len(asked) * len(placements), f"opening {wanted:.0f} mm, nose {shift:+.0f} mm")
    shape = (len(asked), len(placements))
    return DrapeFamily(
        pattern, asked, placements, np.reshape(opening, shape), np.stack(vertices).reshape(*shape, -1, 3)
    )


def _node(
    face: FaceScan, pattern: MaskPattern, wanted_mm: float, shift_mm: float, cache: Path | None
) -> tuple[NDArray[np.float64], float]:
    path = None if cache is None else cache / f"drape-{wanted_mm:.1f}-{shift_mm:+.1f}.npz"
    if path is not None and path.exists():
        stored = read_npz(path)
        return stored["vertices_mm"].astype(np.float64), float(stored["opening_mm"])
    settings = replace(DEFAULT_SETTINGS, opening_mm=wanted_mm, limits=LIMITS)
    worn = drape_mask(face, replace(pattern, nose_v_mm=pattern.nose_v_mm + shift_mm), settings)
    if path is not None:
        write_npz(path, vertices_mm=worn.mesh.vertices.astype(np.float32), opening_mm=np.array(worn.report.opening_mm))
    return worn.mesh.vertices, worn.report.opening_mm


def at_node(family: DrapeFamily, values: NDArray[np.float64], asked_mm: float, shift_mm: float) -> NDArray[np.float64]:
    """Values of the grid's nodes between them, bilinear; beyond the grid the last cell goes on.

    Args:
        values: (A, B, ...).
    """
    i, s = _cell(family.asked_mm, asked_mm)
    j, t = _cell(family.placement_mm, shift_mm)
    upper = (1 - t) * values[i, j] + t * values[i, j + 1]
    lower = (1 - t) * values[i + 1, j] + t * values[i + 1, j + 1]
    return (1 - s) * upper + s * lower


def _cell(nodes: NDArray[np.float64], x: float) -> tuple[int, float]:
    i = int(np.clip(np.searchsorted(nodes, x) - 1, 0, len(nodes) - 2))
    return i, float((x - nodes[i]) / (nodes[i + 1] - nodes[i]))


def points_of_family(family: DrapeFamily, sheet_mm: NDArray[np.float64]) -> NDArray[np.float64]:
    """Where points of the sheet lie at each node.

    Args:
        sheet_mm: (n, 2).

    Returns:
        (A, B, n, 3).
    """
    grid = fine_grid(family.pattern)
    _, corners, bary = locate(grid.sheet_mm, grid.triangles, sheet_mm)
    return np.einsum("nk,abnkd->abnd", bary, family.vertices_mm[:, :, corners])


def worn_between(family: DrapeFamily, asked_mm: float, shift_mm: float) -> WornMask:
    """The drape between the nodes, for looking at; its report holds the opening alone.

    Raises:
        InputError: a family of another sheet.
    """
    grid = fine_grid(family.pattern)
    vertices = at_node(family, family.vertices_mm, asked_mm, shift_mm)
    if len(vertices) != len(grid.sheet_mm):
        raise InputError("the drapes are of another pattern; calibrate again")
    opening = float(at_node(family, family.opening_mm, asked_mm, shift_mm))
    report = DrapeReport(0.0, 0.0, 0.0, 1.0, 0.0, opening, 0, 0, 0.0)
    return WornMask(TriangleMesh(vertices, grid.triangles), grid.sheet_mm, grid.layer, report)
