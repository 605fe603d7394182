"""What can be laid flat, and the ways to do so: the part of a face under a mask, a worn mask, or any mesh."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from maskdesign.errors import ConfigError, MeshError, PatternError, UsageError
from maskdesign.faces.read import MESH_ENDINGS, read_mesh
from maskdesign.faces.scan import load_face
from maskdesign.faces.topology import welded_index
from maskdesign.files import read_npz
from maskdesign.geometry.disc import DiscReport, make_disc
from maskdesign.geometry.flatten import Disc, flatten_free
from maskdesign.geometry.flatten_classic import circle_boundary, flatten_harmonic, flatten_lscm, flatten_spectral
from maskdesign.geometry.mesh import TriangleMesh
from maskdesign.jobs.mask import read_pattern
from maskdesign.mask.pattern import MaskPattern
from maskdesign.mask.placement import place_face, surface_below_mask
from maskdesign.mask.worn import load_worn

MAPS: dict[str, Callable[[Disc], NDArray[np.float64]]] = {
    "bff": flatten_free,
    "lscm": flatten_lscm,
    "spectral": flatten_spectral,
    "harmonic": lambda disc: flatten_harmonic(disc, circle_boundary(disc)),
}
PLACED, SHEET = "placed", "sheet"
METHODS = (*MAPS, PLACED, SHEET)


@dataclass(frozen=True)
class FlattenRequest:
    """What is laid flat, and how.

    Attributes:
        surface: `face.npz` (what lies under the mask), `worn.npz`, or a mesh.
        method: one of `METHODS`; empty takes "sheet" for a worn mask and "bff" for everything else. "placed" holds the
            nose and the first outer edge of a face where the pattern has them, "sheet" is the print's own coordinates.
        pattern: of the mask; a template's name or a TOML file.
        points: about how many points the new triangulation gets.
        min_angle_deg: its least angle in the plane.
    """

    surface: Path
    method: str = ""
    pattern: str = "three_pleat"
    points: int = 428
    min_angle_deg: float = 20.7


@dataclass(frozen=True)
class Surface:
    """A disc, and the ways to lay it flat that only its kind has: method -> (V, 2), second coordinate up."""

    mesh: TriangleMesh
    repair: DiscReport
    pattern: MaskPattern
    own: dict[str, Callable[[], NDArray[np.float64]]]
    usual: str = "bff"


def read_surface(request: FlattenRequest) -> Surface:
    """Read a surface and make a disc of it.

    Raises:
        UsageError: a file of another kind.
        InputError: a file that cannot be read, a face or a mask that does not fit the pattern, or no disc.
    """
    pattern, path = read_pattern(request.pattern), request.surface
    if path.suffix.lower() == ".npz":
        return _read_worn(path, pattern) if "sheet_mm" in read_npz(path) else _read_face(path, pattern)
    if path.suffix.lower() not in MESH_ENDINGS:
        raise UsageError(f"{path}: name a face or a worn mask (.npz) or a mesh ({', '.join(MESH_ENDINGS)})")
    mesh = read_mesh(path)[0]
    place = welded_index(mesh.vertices)
    welded = np.empty((int(place.max(initial=-1)) + 1, 3))
    welded[place] = mesh.vertices
    try:
        disc, _, repair = make_disc(TriangleMesh(welded, place[mesh.triangles].astype(np.int32)))
    except MeshError as error:
        raise MeshError(f"{path}: {error}") from error
    return Surface(disc, repair, pattern, {})


def _read_face(path: Path, pattern: MaskPattern) -> Surface:
    face = load_face(path)
    mesh, _, repair = make_disc(surface_below_mask(face, pattern))

    def placed() -> NDArray[np.float64]:
        return place_face(face, pattern).sheet_mm * [1, -1]

    return Surface(mesh, repair, pattern, {PLACED: placed})


def _read_worn(path: Path, pattern: MaskPattern) -> Surface:
    worn = load_worn(path)
    size = np.ptp(worn.sheet_mm, axis=0)
    if abs(size - [pattern.width_mm, pattern.height_mm]).max() > 1e-6:
        raise PatternError(
            f"{path}: its sheet is {size[0]:g} x {size[1]:g} mm, that of the pattern {pattern.width_mm:g} x "
            f"{pattern.height_mm:g} mm; name the pattern that it was made with as --pattern"
        )
    if pattern.outline_mm is not None:
        raise PatternError(f"{path}: key points lie on a whole sheet, and this one is cut along an outline of its own")
    return Surface(worn.mesh, DiscReport(0, 0, 0.0), pattern, {SHEET: lambda: worn.sheet_mm * [1, -1]}, SHEET)


def chosen_method(request: FlattenRequest, surface: Surface) -> str:
    """The method that a request names, or the surface's usual one.

    Raises:
        ConfigError: one that does not exist, or that this kind of surface cannot have.
    """
    if request.method and request.method not in METHODS:
        raise ConfigError(f"--method {request.method}: known are {', '.join(METHODS)}")
    method = request.method or surface.usual
    if method not in MAPS and method not in surface.own:
        owner = {PLACED: "a face.npz", SHEET: "a worn mask"}[method]
        raise ConfigError(f"--method {method} is for {owner}, and {request.surface} is none; take {', '.join(MAPS)}")
    return method
