"""From any patch of surface to a checked flattening: repaired where it must be, refused where it cannot be."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from maskdesign.errors import MeshError
from maskdesign.geometry.disc import DiscReport, make_disc
from maskdesign.geometry.distortion import FlattenReport, measure_flattening, singular_values, turned_over
from maskdesign.geometry.flatten import Disc, flatten_free, open_disc, open_sliver_disc
from maskdesign.geometry.mesh import TriangleMesh


@dataclass(frozen=True)
class FlatPatch:
    """A flattened patch.

    Attributes:
        mesh: the disc that was flattened.
        flat: (V, 2) its image, no triangle flipped.
        source: (V,) index of each vertex in the mesh that was given, -1 for the middle of a filled hole.
        repair: what was done to make a disc; the triangles that were cut out count as dropped.
        report: how far the map is from conformal and from isometric.
    """

    mesh: TriangleMesh
    flat: NDArray[np.float64]
    source: NDArray[np.int64]
    repair: DiscReport
    report: FlattenReport


def flatten_patch(
    mesh: TriangleMesh, cuts: int = 0, flatten: Callable[[Disc], NDArray[np.float64]] = flatten_free
) -> FlatPatch:
    """Make a disc of a patch and flatten it, conformally with the least area distortion where nothing else is said.

    Args:
        cuts: how often the corners of triangles that flip are cut out, and the patch is flattened again. Steep slivers
            flip, such as those that bridge what a nose hides below it from a scanner.
        flatten: what to do with the disc.

    Raises:
        MeshError: no disc can be made of it, or every map flips triangles.
    """
    left = mesh
    for _ in range(cuts + 1):
        disc, source, repair = make_disc(left)
        flat, report = _least_flipped(disc, flatten)
        if not report.flipped:
            gone = len(mesh.triangles) - len(left.triangles) + repair.dropped_triangles
            return FlatPatch(disc, flat, source, replace(repair, dropped_triangles=gone), report)
        corners = source[disc.triangles[turned_over(singular_values(disc, flat)[2])]]
        beside = np.isin(left.triangles, corners[corners >= 0]).any(axis=1)
        left = TriangleMesh(mesh.vertices, left.triangles[~beside])
    raise _flipping(disc, report)


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
    flat, report = _least_flipped(mesh, flatten)
    if report.flipped:
        raise _flipping(mesh, report)
    return flat, report


def _least_flipped(
    mesh: TriangleMesh, flatten: Callable[[Disc], NDArray[np.float64]]
) -> tuple[NDArray[np.float64], FlattenReport]:
    found = []
    for opened in (open_disc, open_sliver_disc):
        flat = flatten(opened(mesh))
        found.append((flat, measure_flattening(mesh, flat)))
        if not found[-1][1].flipped:
            break
    return min(found, key=lambda each: each[1].flipped)


def _flipping(mesh: TriangleMesh, report: FlattenReport) -> MeshError:
    return MeshError(
        f"{report.flipped} of {len(mesh.triangles)} triangles flip when the patch is laid flat; "
        "remove spikes and parts that hang on by a few triangles, or sample the surface again"
    )
