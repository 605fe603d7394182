"""PLY, STL and GLB through trimesh, behind checks of our own: what lies about its size never reaches a parser."""

from __future__ import annotations

import io
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskdesign.errors import MeshError, ScanError
from maskdesign.faces.formats.claims import check_glb, check_ply, check_stl
from maskdesign.faces.formats.references import beside, read_bounded
from maskdesign.files import MAX_MEGAPIXELS, check_readable
from maskdesign.geometry.mesh import TriangleMesh

MAX_BYTES = 128 << 20
CHECKS = {"ply": check_ply, "stl": check_stl, "glb": check_glb}


def read_surface(path: Path) -> tuple[TriangleMesh, NDArray[np.uint8] | None, NDArray[np.uint8] | Path | None]:
    """Read a mesh in its own unit.

    Returns:
        the mesh, colors (V, 3) of its vertices where they have some, and its texture or the place of its texture.

    Raises:
        ScanError: the header lies, an index is out of range, a value is not finite, no triangle, Draco compression,
            or a reference to another file.
    """
    check_readable(path)
    kind = path.suffix.lower().removeprefix(".")
    data = read_bounded(path, MAX_BYTES)
    named = CHECKS[kind](data, path)
    try:
        mesh, rgb, picture = _convert(_load(data, kind), kind)
    except ScanError as error:
        raise ScanError(f"{path}: {error}") from error
    except MeshError as error:
        raise ScanError(f"{path}: {error}; export the mesh again") from error
    except Exception as error:
        # trimesh lets whatever its parsers meet fall through.
        reason = " ".join(str(error).split())[:80] or type(error).__name__
        raise ScanError(f"{path}: the file is damaged ({reason}); export the mesh again") from error
    if picture is None and named is not None and beside(path, named).is_file():
        return mesh, rgb, beside(path, named)
    return mesh, rgb, picture


def _load(data: bytes, kind: str) -> Any:
    import trimesh

    with warnings.catch_warnings():
        # What trimesh's parsers only warn of is checked afterwards.
        warnings.simplefilter("ignore")
        loaded: Any = trimesh.load(io.BytesIO(data), file_type=kind, process=False)
        return loaded.to_geometry() if isinstance(loaded, trimesh.Scene) else loaded


def _convert(loaded: Any, kind: str) -> tuple[TriangleMesh, NDArray[np.uint8] | None, NDArray[np.uint8] | None]:
    triangles = getattr(loaded, "faces", None)
    if triangles is None or len(triangles) == 0:
        raise ScanError("no triangles; give a surface, not a cloud of points")
    vertices = np.asarray(loaded.vertices, dtype=np.float64)
    uv = getattr(loaded.visual, "uv", None)
    if kind == "stl":
        vertices, index = np.unique(vertices, axis=0, return_inverse=True)
        triangles = index.reshape(-1)[triangles]
    if uv is not None:
        uv = np.asarray(uv, dtype=np.float64) * [1, -1] + [0, 1]
    mesh = TriangleMesh(vertices, np.asarray(triangles), uv)
    return mesh, _vertex_rgb(loaded, len(vertices)), _picture(loaded)


def _vertex_rgb(loaded: Any, count: int) -> NDArray[np.uint8] | None:
    if loaded.visual.kind != "vertex":
        return None
    colors = np.asarray(loaded.visual.vertex_colors)
    return colors[:, :3].astype(np.uint8) if len(colors) == count else None


def _picture(loaded: Any) -> NDArray[np.uint8] | None:
    material = getattr(loaded.visual, "material", None)
    image = getattr(material, "baseColorTexture", None) or getattr(material, "image", None)
    if image is None:
        return None
    if image.width * image.height > MAX_MEGAPIXELS * 1e6:
        raise ScanError(f"the texture has {image.width} x {image.height} pixels, more than {MAX_MEGAPIXELS} million")
    return np.asarray(image.convert("RGB"))
