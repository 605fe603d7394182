"""Any scan file -> `RawScan`: the ending chooses the reader, one kind of error comes out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from maskdesign.errors import InputError, ScanError
from maskdesign.faces.formats.abs import read_abs
from maskdesign.faces.formats.bnt import read_bnt
from maskdesign.faces.formats.obj import read_obj
from maskdesign.faces.formats.surface import read_surface
from maskdesign.faces.formats.wrl import read_wrl
from maskdesign.faces.raw import RawScan
from maskdesign.faces.topology import checked_surface
from maskdesign.faces.units import guess_unit, mm_factor
from maskdesign.files import read_image
from maskdesign.geometry.mesh import TriangleMesh

RANGE_READERS = {".abs": read_abs, ".abs.gz": read_abs, ".bnt": read_bnt}
MESH_ENDINGS = (".wrl", ".obj", ".ply", ".stl", ".glb")
ENDINGS = (*RANGE_READERS, *MESH_ENDINGS)


def is_scan(path: Path) -> bool:
    """Whether the ending of a name is that of a scan."""
    return path.name.lower().endswith(ENDINGS)


def read_scan(path: Path, texture: Path | None = None, unit: str | None = None) -> RawScan:
    """Read a scan of any known format.

    Args:
        path: `.abs`, `.abs.gz`, `.bnt`, `.wrl`, `.obj`, `.ply`, `.stl` or `.glb`.
        texture: its picture; what the file itself names, or the picture beside it, where None.
        unit: "mm", "cm", "m" or "inch" of a mesh; guessed from its extent where None. Range images are millimeters.

    Raises:
        InputError: no such file, or an ending that is not known.
        ScanError: whatever is wrong in the file, with its place.
    """
    for ending, reader in RANGE_READERS.items():
        if path.name.lower().endswith(ending):
            return RawScan(reader(path, texture), None, None, "mm", 1.0, path.name)
    if not path.name.lower().endswith(MESH_ENDINGS):
        raise InputError(f"{path}: not a scan that this program reads; give one of {', '.join(ENDINGS)}")
    mesh, vertex_rgb, picture = read_mesh(path)
    try:
        kept = checked_surface(mesh)
        chosen = unit or guess_unit(kept.vertices)
        factor = mm_factor(kept.vertices, chosen)
        scaled = TriangleMesh(kept.vertices * factor, kept.triangles, kept.uv)
    except ScanError as error:
        raise ScanError(f"{path}: {error}") from error
    return RawScan(scaled, _picture(scaled, texture or picture, path), vertex_rgb, chosen, factor, path.name)


def read_mesh(path: Path) -> tuple[TriangleMesh, NDArray[np.uint8] | None, NDArray[np.uint8] | Path | None]:
    """Read a mesh of any known format, in its own unit and as it is.

    Returns:
        the mesh, colors (V, 3) of its vertices where they have some, and its texture or the place of its texture.

    Raises:
        InputError: no such file.
        ScanError: whatever is wrong in the file, with its place.
    """
    ending = path.suffix.lower()
    if ending == ".obj":
        return read_obj(path)
    if ending == ".wrl":
        mesh, picture = read_wrl(path)
        return mesh, None, picture
    return read_surface(path)


def _picture(mesh: TriangleMesh, picture: NDArray[np.uint8] | Path | None, path: Path) -> NDArray[np.uint8] | None:
    if picture is None or isinstance(picture, np.ndarray):
        return picture if mesh.uv is not None else None
    if mesh.uv is None:
        raise ScanError(f"{path}: has no texture coordinates for {picture}; export it with them")
    return read_image(picture)
