"""`WornMask`: the sheet as it lies on a face."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from maskdesign.errors import InputError, MeshError
from maskdesign.files import read_npz, write_npz
from maskdesign.geometry.mesh import TriangleMesh


@dataclass(frozen=True)
class DrapeReport:
    """How far a drape is from an inextensible sheet that touches nobody's skin.

    Attributes:
        strain_rms: root mean square of edge strain, dimensionless.
        strain_p99: 99th percentile of its absolute value.
        strain_max: largest absolute value.
        area_ratio: worn area / sheet area.
        penetration_mm: deepest point inside the face, 0 where none is.
        opening_mm: top to bottom edge along the middle of the worn mask, in straight panel heights (95 = shut).
        layer_violations: paired grid points of two layers of a pleat whose order is wrong.
        crossings: edges of the worn sheet that pierce a triangle of it, 0 where no layer cuts through another.
        seconds: time spent.
        gap_mm: median distance of the cloth from the skin; NaN in a file written before it was measured.
        side_gap_mm: the same over the strips at the sides, which a mask stands off with like wings.
    """

    strain_rms: float
    strain_p99: float
    strain_max: float
    area_ratio: float
    penetration_mm: float
    opening_mm: float
    layer_violations: int
    crossings: int
    seconds: float
    gap_mm: float = math.nan
    side_gap_mm: float = math.nan


@dataclass(frozen=True)
class WornMask:
    """A mask on a face.

    Attributes:
        mesh: surface in millimeters in the face frame, no uv; triangles counterclockwise seen from the printed side.
        sheet_mm: (V, 2) float64, (u, v) of each vertex on the flat sheet. They never change, so print scale is exact
            by construction, and strain measures the drape.
        layer: (V,) int8, number of the panel between folds, from the top; odd panels are reversed.
        report: figures of the drape.
    """

    mesh: TriangleMesh
    sheet_mm: NDArray[np.float64]
    layer: NDArray[np.int8]
    report: DrapeReport

    def __post_init__(self) -> None:
        count = len(self.mesh.vertices)
        if self.sheet_mm.shape != (count, 2) or self.layer.shape != (count,):
            raise MeshError(f"sheet_mm {self.sheet_mm.shape} and layer {self.layer.shape} must have {count} rows")


def save_worn(worn: WornMask, path: Path) -> None:
    """Write `worn.npz`: vertices_mm, triangles, sheet_mm, layer and the report's figures as report_*."""
    report = {f"report_{name}": np.array(value) for name, value in asdict(worn.report).items()}
    write_npz(
        path,
        vertices_mm=worn.mesh.vertices,
        triangles=worn.mesh.triangles,
        sheet_mm=worn.sheet_mm,
        layer=worn.layer,
        **report,
    )


def load_worn(path: Path) -> WornMask:
    """Read what `save_worn` wrote.

    Raises:
        InputError: the file is missing, damaged, or lacks an array.
    """
    arrays = read_npz(path)
    try:
        figures = {
            name.removeprefix("report_"): values.item() for name, values in arrays.items() if name.startswith("report_")
        }
        mesh = TriangleMesh(arrays["vertices_mm"], arrays["triangles"])
        return WornMask(mesh, arrays["sheet_mm"], arrays["layer"], DrapeReport(**figures))
    except (KeyError, ValueError, TypeError) as error:
        raise InputError(f"{path}: not a worn mask of this program ({error}); make it again") from error
