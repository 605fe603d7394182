"""BU-3DFE's VRML 2.0 faces: one indexed face set with one texture.

Yin et al. 2006, "A 3D facial expression database for facial behavior research".
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from maskdesign.errors import MeshError, ScanError
from maskdesign.faces.formats.numbers import parse_numbers
from maskdesign.faces.formats.references import beside, read_bounded
from maskdesign.files import check_readable
from maskdesign.geometry.mesh import MAX_VERTICES, TriangleMesh
from maskdesign.geometry.seams import fan_triangles, split_at_seams

MAX_BYTES = 64 << 20
_LIST = r"{}\s*\[([^\]]*)\]"
_NODE = r"(?<!\w){}\s+(?:DEF\s+\S+\s+)?{}\s*\{{\s*" + _LIST
PATTERNS = {
    "coord": re.compile(_NODE.format("coord", "Coordinate", "point")),
    "coordIndex": re.compile(r"(?<!\w)" + _LIST.format("coordIndex")),
    "texCoord": re.compile(_NODE.format("texCoord", "TextureCoordinate", "point")),
    "texCoordIndex": re.compile(r"(?<!\w)" + _LIST.format("texCoordIndex")),
}
URL = re.compile(r"(?<!\w)url\s*\[?\s*\"([^\"]*)\"")


def read_wrl(path: Path) -> tuple[TriangleMesh, Path | None]:
    """Read a mesh in its own unit (millimeters in BU-3DFE).

    Returns:
        the mesh, and the place of its texture where it names one that is there; else `NAME_F3D.bmp` beside it.

    Raises:
        ScanError: not VRML 2.0, no or several face sets, a word that is no number, an index out of range, or a
            reference out of the folder.
    """
    check_readable(path)
    text = read_bounded(path, MAX_BYTES).decode("latin-1")
    if not text.startswith("#VRML V2.0"):
        raise ScanError(f"{path}: line 1: not a VRML 2.0 file; export it again")
    text = re.sub(r"#[^\n]*", "", text)
    try:
        return _read_mesh(path, text), _find_texture(path, text)
    except (MeshError, ValueError) as error:
        raise ScanError(f"{path}: {error}; export the mesh again") from error


def _read_mesh(path: Path, text: str) -> TriangleMesh:
    points, corners = _numbers(path, text, "coord"), _numbers(path, text, "coordIndex")
    if points is None or corners is None:
        raise ScanError(f"{path}: no IndexedFaceSet with coord and coordIndex; only such faces are read")
    vertices = _rows(points, 3, "coord")
    polygons, lengths = _split_polygons(corners, len(vertices), "coordIndex")
    fan = fan_triangles(lengths)
    uv_points = _numbers(path, text, "texCoord")
    if uv_points is None:
        return TriangleMesh(vertices, polygons[fan].astype(np.int32))
    # VRML counts v upward.
    uv = _rows(uv_points, 2, "texCoord") * [1, -1] + [0, 1]
    uv_corners = _numbers(path, text, "texCoordIndex")
    uv_polygons, uv_lengths = _split_polygons(corners if uv_corners is None else uv_corners, len(uv), "texCoordIndex")
    if not np.array_equal(lengths, uv_lengths):
        raise ValueError("texCoordIndex has other polygons than coordIndex")
    return split_at_seams(vertices, polygons[fan], uv, uv_polygons[fan])[0]


def _numbers(path: Path, text: str, name: str) -> NDArray[np.float64] | None:
    found = PATTERNS[name].findall(text)
    if len(found) > 1:
        raise ScanError(f"{path}: {len(found)} face sets; give a file with one")
    return parse_numbers(found[0].replace(",", " "), f"{path}: {name}") if found else None


def _rows(values: NDArray[np.float64], width: int, name: str) -> NDArray[np.float64]:
    if len(values) % width or not 0 < len(values) <= width * MAX_VERTICES:
        raise ValueError(f"{name} has {len(values)} numbers, not rows of {width}")
    return values.reshape(-1, width)


def _split_polygons(indices: NDArray[np.float64], count: int, name: str) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Corners without the -1 that ends each polygon, and how many each polygon has."""
    wrong = (indices != np.floor(indices)) | (indices < -1) | (indices >= count)
    if wrong.any():
        at = int(np.argmax(wrong))
        raise ValueError(f"{name}, number {at + 1}: {indices[at]:g} is no index below {count}")
    whole = indices.astype(np.int64)
    if not len(whole) or whole[-1] != -1:
        whole = np.append(whole, -1)
    lengths = np.diff(np.flatnonzero(whole == -1), prepend=-1) - 1
    if (lengths < 3).all():
        raise ValueError(f"{name} holds no polygon")
    return whole[whole >= 0], lengths


def _find_texture(path: Path, text: str) -> Path | None:
    named = [beside(path, name) for name in URL.findall(text)]
    named.append(path.with_name(f"{path.stem}_F3D.bmp"))
    return next((place for place in named if place.is_file()), None)
