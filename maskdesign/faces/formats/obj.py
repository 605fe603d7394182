"""Wavefront OBJ with one texture, read line by line so that an error can name its line."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from maskdesign.errors import MeshError, ScanError
from maskdesign.faces.formats.references import beside, read_bounded
from maskdesign.files import check_readable
from maskdesign.geometry.mesh import MAX_VERTICES, TriangleMesh
from maskdesign.geometry.seams import fan_triangles, split_at_seams

MAX_BYTES = 100 << 20


@dataclass
class _Content:
    vertices: list[list[float]] = field(default_factory=list)
    uv: list[list[float]] = field(default_factory=list)
    corners: list[tuple[int, int]] = field(default_factory=list)
    lengths: list[int] = field(default_factory=list)
    libraries: list[str] = field(default_factory=list)
    used: set[str] = field(default_factory=set)


def read_obj(path: Path) -> tuple[TriangleMesh, NDArray[np.uint8] | None, Path | None]:
    """Read a mesh in its own unit.

    Returns:
        the mesh, colors (V, 3) of its vertices where they have some, and the place of its texture where it names one.

    Raises:
        ScanError: a line that cannot be read, an index out of range, a reference out of the folder, no triangle, or
            materials with several textures.
    """
    check_readable(path)
    content = _Content()
    text = read_bounded(path, MAX_BYTES).decode("latin-1")
    for number, line in enumerate(text.split("\n"), start=1):
        try:
            _take_line(content, line)
        except (ValueError, IndexError) as error:
            raise ScanError(f"{path}: line {number}: {line.strip()[:60]!r} ({error}); export the mesh again") from error
    texture = _find_texture(path, content)
    try:
        return (*_assemble(content), texture)
    except (MeshError, ValueError) as error:
        raise ScanError(f"{path}: {error}; export the mesh again") from error


def _take_line(content: _Content, line: str) -> None:
    key, _, rest = line.strip().partition(" ")
    if key == "v":
        content.vertices.append(_numbers(rest, 3))
    elif key == "vt":
        content.uv.append(_numbers(rest, 2)[:2])
    elif key == "f":
        corners = [_corner(word, content) for word in rest.split()]
        if len(corners) < 3:
            raise ValueError("a face needs three corners")
        content.corners += corners
        content.lengths.append(len(corners))
    elif key == "mtllib":
        content.libraries.append(rest)
    elif key == "usemtl":
        content.used.add(rest.strip())
    if len(content.vertices) > MAX_VERTICES:
        raise ValueError(f"more than {MAX_VERTICES} vertices")


def _numbers(text: str, least: int) -> list[float]:
    values = [float(word) for word in text.split()]
    if len(values) < least:
        raise ValueError(f"{least} numbers are needed")
    if not all(abs(value) < 1e12 for value in values):
        raise ValueError("a number is not finite, or far too large")
    return values


def _corner(word: str, content: _Content) -> tuple[int, int]:
    vertex, _, rest = word.partition("/")
    texture = rest.partition("/")[0]
    return _index(vertex, len(content.vertices), "vertex"), _index(texture, len(content.uv), "vt") if texture else -1


def _index(word: str, count: int, name: str) -> int:
    # Counted from 1; negative numbers count back from the last one so far.
    number = int(word)
    index = number - 1 if number > 0 else count + number
    if number == 0 or not 0 <= index < count:
        raise ValueError(f"{name} {number} of {count} so far")
    return index


def _assemble(content: _Content) -> tuple[TriangleMesh, NDArray[np.uint8] | None]:
    if not content.lengths:
        raise ValueError("no faces")
    widths = {len(row) for row in content.vertices}
    if len(widths) > 1:
        raise ValueError("vertices with and without color")
    table = np.array(content.vertices)
    corners = np.array(content.corners)[fan_triangles(np.array(content.lengths))]
    if (corners[..., 1] >= 0).all():
        # OBJ counts v upward.
        uv = np.array(content.uv, np.float64) * [1.0, -1.0] + [0.0, 1.0]
        mesh, origin = split_at_seams(table[:, :3], corners[..., 0], uv, corners[..., 1])
    else:
        mesh, origin = TriangleMesh(table[:, :3], corners[..., 0]), np.arange(len(table))
    rgb = np.clip(np.rint(table[origin, 3:6] * 255), 0, 255).astype(np.uint8) if table.shape[1] >= 6 else None
    return mesh, rgb


def _find_texture(path: Path, content: _Content) -> Path | None:
    found = set()
    for name in content.libraries:
        library = beside(path, name)
        if library.is_file():
            found |= _pictures(library, content.used)
    if len(found) > 1:
        raise ScanError(f"{path}: uses {len(found)} textures; bake them into one, or name it with --texture")
    return found.pop() if found else None


def _pictures(library: Path, used: set[str]) -> set[Path]:
    found, material = set(), ""
    for line in read_bounded(library, 1 << 20).decode("latin-1").split("\n"):
        key, _, rest = line.strip().partition(" ")
        if key == "newmtl":
            material = rest.strip()
        elif key == "map_Kd" and (material in used or not used):
            found.add(beside(library, rest))
    return {place for place in found if place.is_file()}
