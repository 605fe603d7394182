"""From any patch of surface to a checked flattening: repaired where it must be, refused where it cannot be."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from maskdesign.errors import MeshError
from maskdesign.geometry.disc import DiscReport, make_disc
from maskdesign.geometry.distortion import FlattenReport, measure_flattening
from maskdesign.geometry.flatten import Disc, flatten_free, open_disc, open_sliver_disc
from maskdesign.geometry.mesh import TriangleMesh


@dataclass(frozen=True)
class FlatPatch:
    """A flattened patch.

    Attributes:
        mesh: the disc that was flattened.
        flat: (V, 2) its image, no triangle flipped.
        source: (V,) index of each vertex in the mesh that was given, -1 for the middle of a filled hole.
        repair: what was done to make a disc.
        report: how far the map is from conformal and from isometric.
    """

    mesh: TriangleMesh
    flat: NDArray[np.float64]
    source: NDArray[np.int64]
    repair: DiscReport
    report: FlattenReport


def flatten_patch(mesh: TriangleMesh) -> FlatPatch:
    """Make a disc of a patch and flatten it conformally with the least area distortion.

    Raises:
        MeshError: no disc can be made of it, or every map flips triangles.
    """
    disc, source, repair = make_disc(mesh)
    flat, report = map_disc(disc, flatten_free)
    return FlatPatch(disc, flat, source, repair, report)


def map_disc(
    mesh: TriangleMesh, flatten: Callable[[Disc], NDArray[np.float64]]
) -> tuple[NDArray[np.float64], FlattenReport]:
    """Flatten a disc with its own cotangents, and where these flip triangles, with intrinsic ones.

    Args:
        flatten: what to do with the disc.

    Returns:
        (V, 2) without flips, and its figures.

    Raises:
        MeshError: the mesh is no disc, or both maps flip triangles.
    """
    for opened in (open_disc, open_sliver_disc):
        flat = flatten(opened(mesh))
        report = measure_flattening(mesh, flat)
        if not report.flipped:
            return flat, report
    raise MeshError(
        f"{report.flipped} of {len(mesh.triangles)} triangles flip when the patch is laid flat; "
        "remove spikes and parts that hang on by a few triangles, or sample the surface again"
    )
