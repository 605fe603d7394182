"""Lay a surface flat and triangulate it anew, as a job of its own: a face, a worn mask, or any mesh that is a disc."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from maskdesign.errors import MeshError, UsageError
from maskdesign.files import write_image, write_npz, write_text
from maskdesign.geometry.depth import missed_depth
from maskdesign.geometry.disc import DiscReport
from maskdesign.geometry.distortion import FlattenReport, least_angle_deg, measure_flattening
from maskdesign.geometry.flatten import open_disc
from maskdesign.geometry.mesh import TriangleMesh, triangle_normals
from maskdesign.geometry.orthographic import facing_rotation
from maskdesign.geometry.patch import flatten_patch
from maskdesign.geometry.refine import PlanarMesh, edges_not_delaunay, lift_points
from maskdesign.geometry.remesh import remesh_disc
from maskdesign.jobs.flat_surfaces import MAPS, SHEET, FlattenRequest, Surface, chosen_method, read_surface
from maskdesign.mask.keypoints import key_mesh, key_points
from maskdesign.mask.pattern import MaskPattern

OUTPUTS = (".npz", ".obj")
MAX_CUTS = 3
"""Rounds of cutting out what flips; a surface that needs more is refused."""


@dataclass(frozen=True)
class Triangulation:
    """Figures of the new triangulation.

    Attributes:
        least_angle_flat_deg, least_angle_deg: in the plane, and lifted to the surface.
        kept_edges: pieces of the outline and of the folds.
        not_delaunay: edges that should be exchanged; 0.
        missed: largest distance of a vertex of the surface from the triangle that stands for it.
    """

    points: int
    triangles: int
    least_angle_flat_deg: float
    least_angle_deg: float
    kept_edges: int
    not_delaunay: int
    missed: float


@dataclass(frozen=True)
class Flattened:
    """A surface laid flat and triangulated anew.

    Attributes:
        method: how.
        mesh: the disc that was mapped, in the unit of its file.
        repair: what was done to make a disc of it.
        flat: (V, 2), first coordinate right, second up.
        report: figures of the map.
        planar: the new triangulation in the plane.
        lifted: (n, 3) its points on the surface.
        triangulation: its figures.
    """

    method: str
    mesh: TriangleMesh
    repair: DiscReport
    flat: NDArray[np.float64]
    report: FlattenReport
    planar: PlanarMesh
    lifted: NDArray[np.float64]
    triangulation: Triangulation


def flatten_surface(request: FlattenRequest, out: Path | None, show: bool) -> Flattened:
    """Flatten, triangulate, and write what is asked for.

    Args:
        out: `.npz`, `.obj` of the surface with the flattening as texture coordinates, or None.
        show: also write NAME_flat.png beside it.

    Raises:
        UsageError, ConfigError: another kind of output, a picture without a place, or a method that does not exist.
        InputError: a file that cannot be read, a surface of which no disc can be made, a map that flips triangles, or
            an angle that cannot be reached. Nothing is written.
    """
    if out is not None and out.suffix not in OUTPUTS:
        raise UsageError(f"--out {out}: must end in {' or '.join(OUTPUTS)}")
    if show and out is None:
        raise UsageError("--show writes its picture beside --out; name one")
    surface = read_surface(request)
    method = chosen_method(request, surface)
    mesh, repair, flat = _mapped(surface, method)
    planar = _triangulated(surface.pattern, mesh, flat, method, request)
    lifted = lift_points(mesh, flat, planar.points)
    report, figures = measure_flattening(mesh, flat), _measure(mesh, flat, planar, lifted)
    done = Flattened(method, mesh, repair, flat, report, planar, lifted, figures)
    if out is not None:
        _write(done, out, show)
    return done


def compare_methods(request: FlattenRequest) -> dict[str, FlattenReport]:
    """Method -> figures of every map that the surface can have; maps that flip triangles say so.

    Raises:
        InputError: as `flatten_surface`.
    """
    surface = read_surface(request)
    disc = open_disc(surface.mesh)
    flats = {name: flatten(disc) for name, flatten in MAPS.items()} | {name: own() for name, own in surface.own.items()}
    return {name: measure_flattening(surface.mesh, flat) for name, flat in flats.items()}


def _mapped(surface: Surface, method: str) -> tuple[TriangleMesh, DiscReport, NDArray[np.float64]]:
    if method in surface.own:
        return surface.mesh, surface.repair, surface.own[method]()
    patch = flatten_patch(surface.mesh, MAX_CUTS, MAPS[method])
    gone = surface.repair.dropped_triangles + patch.repair.dropped_triangles
    filled = surface.repair.filled_holes + patch.repair.filled_holes
    largest = max(surface.repair.largest_hole_mm, patch.repair.largest_hole_mm)
    return patch.mesh, DiscReport(gone, filled, largest), _turned_upright(patch.mesh, patch.flat)


def _turned_upright(mesh: TriangleMesh, flat: NDArray[np.float64]) -> NDArray[np.float64]:
    """A map turned about its middle until it lies as the surface looks from the front; a turn changes no figure."""
    seen = (mesh.vertices @ facing_rotation(mesh).T)[:, :2]
    middle, places = flat - flat.mean(axis=0), seen - seen.mean(axis=0)
    # Least squares over turns: the angle of the sum of conj(flat) * seen, as complex numbers.
    turn = np.arctan2((middle[:, 0] * places[:, 1] - middle[:, 1] * places[:, 0]).sum(), (middle * places).sum())
    cosine, sine = np.cos(turn), np.sin(turn)
    return middle @ np.array([[cosine, sine], [-sine, cosine]])


def _triangulated(
    pattern: MaskPattern, mesh: TriangleMesh, flat: NDArray[np.float64], method: str, request: FlattenRequest
) -> PlanarMesh:
    if method == SHEET:
        keys = key_mesh(key_points(pattern, request.points), request.min_angle_deg)
        return PlanarMesh(keys.points * [1, -1], keys.triangles, keys.kept_edges, keys.constraint)
    if request.points < 3:
        raise MeshError(f"--points {request.points}: a triangulation needs three at least")
    area = np.linalg.norm(triangle_normals(mesh.vertices, mesh.triangles), axis=1).sum() / 2
    return remesh_disc(mesh, flat, float(np.sqrt(area / request.points)), request.min_angle_deg)[1]


def _measure(
    mesh: TriangleMesh, flat: NDArray[np.float64], planar: PlanarMesh, lifted: NDArray[np.float64]
) -> Triangulation:
    missed, _ = missed_depth(mesh, flat, planar.points, planar.triangles, lifted)
    return Triangulation(
        points=len(planar.points),
        triangles=len(planar.triangles),
        least_angle_flat_deg=least_angle_deg(planar.points, planar.triangles),
        least_angle_deg=least_angle_deg(lifted, planar.triangles),
        kept_edges=len(planar.kept_edges),
        not_delaunay=edges_not_delaunay(planar),
        missed=float(missed.max()),
    )


def _write(done: Flattened, out: Path, show: bool) -> None:
    if out.suffix == ".obj":
        write_text(out, _as_obj(done.mesh, done.flat))
    else:
        write_npz(
            out,
            vertices=done.mesh.vertices,
            triangles=done.mesh.triangles,
            flat=done.flat,
            new_vertices=done.lifted,
            new_triangles=done.planar.triangles,
            new_flat=done.planar.points,
            kept_edges=done.planar.kept_edges,
        )
    if show:
        from maskdesign.evaluation.flat_sheet import flat_sheet

        picture = flat_sheet(done.mesh, done.flat, done.report, done.planar, done.lifted)
        write_image(out.with_name(f"{out.stem}_flat.png"), picture)


def _as_obj(mesh: TriangleMesh, flat: NDArray[np.float64]) -> str:
    """Wavefront OBJ, the flattening as texture coordinates in the unit of the vertices."""
    vertices = [f"v {x:.6f} {y:.6f} {z:.6f}" for x, y, z in mesh.vertices.tolist()]
    places = [f"vt {x:.6f} {y:.6f}" for x, y in flat.tolist()]
    faces = [f"f {a}/{a} {b}/{b} {c}/{c}" for a, b, c in (mesh.triangles + 1).tolist()]
    return "\n".join([*vertices, *places, *faces]) + "\n"
