"""What PLY, STL and GLB files claim about themselves, checked against what they hold before anything is unpacked."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

from maskdesign.errors import ScanError
from maskdesign.geometry.mesh import MAX_TRIANGLES, MAX_VERTICES

PLY_HEADER_BYTES = 1 << 16
PLY_FORMATS = ("ascii 1.0", "binary_little_endian 1.0", "binary_big_endian 1.0")
COMPONENT_BYTES = {5120: 1, 5121: 1, 5122: 2, 5123: 2, 5125: 4, 5126: 4}
COMPONENTS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT2": 4, "MAT3": 9, "MAT4": 16}
COMPRESSIONS = ("KHR_draco_mesh_compression", "EXT_meshopt_compression")
MAX_NODES = 10_000


def check_ply(data: bytes, path: Path) -> str | None:
    """Check a PLY file's header against its length; returns the name of its texture where it gives one.

    Raises:
        ScanError: no header, an unknown encoding, no vertices or faces, or more elements than bytes.
    """
    end = data.find(b"end_header", 0, PLY_HEADER_BYTES)
    if not data.startswith(b"ply") or end < 0:
        raise ScanError(f"{path}: line 1: not a PLY file, or its header does not end; export it again")
    lines = data[:end].decode("latin-1").splitlines()
    encoding = next((line.partition(" ")[2].strip() for line in lines if line.startswith("format ")), "none")
    if encoding not in PLY_FORMATS:
        raise ScanError(f"{path}: the format is {encoding[:40]!r}; only {', '.join(PLY_FORMATS)} are read")
    counts = dict(_element(line, number, path) for number, line in enumerate(lines, 1) if line.startswith("element "))
    if min(counts.get("vertex", 0), counts.get("face", 0)) < 1:
        raise ScanError(f"{path}: the header names no vertices or no faces; give a surface, not a cloud of points")
    # Each element is at least one byte long in a binary file, two in a text.
    if sum(counts.values()) > len(data) - end or counts["vertex"] > MAX_VERTICES or counts["face"] > MAX_TRIANGLES:
        claim = ", ".join(f"{count} {name}" for name, count in counts.items())
        raise ScanError(f"{path}: the header claims {claim[:80]} in {len(data)} bytes; copy or export it again")
    return next((line.split(None, 2)[2] for line in lines if line.startswith("comment TextureFile ")), None)


def _element(line: str, number: int, path: Path) -> tuple[str, int]:
    words = line.split()
    if len(words) != 3 or not words[2].isdecimal():
        raise ScanError(f"{path}: line {number}: {line[:40]!r} is no element with a count; export it again")
    return words[1], int(words[2])


def check_stl(data: bytes, path: Path) -> None:
    """Check a binary STL file's count against its length; a text is left to the parser.

    Raises:
        ScanError: the count does not fit the length.
    """
    if data[:5].lower() == b"solid" and b"facet" in data[:1000]:
        return
    if len(data) < 84:
        raise ScanError(f"{path}: byte {len(data)}: the file ends in its header; export it again")
    (count,) = struct.unpack_from("<I", data, 80)
    if len(data) != 84 + 50 * count or not 0 < count <= MAX_TRIANGLES:
        raise ScanError(f"{path}: byte 80: {count} triangles in {len(data)} bytes; copy or export it again")


def check_glb(data: bytes, path: Path) -> None:
    """Check a GLB file's chunks, buffers and node tree.

    Raises:
        ScanError: a chunk or an accessor is longer than the file, compressed geometry, a reference to another file,
            or nodes that are no tree.
    """
    try:
        document, binary_bytes = _chunks(data)
        _check_document(document, binary_bytes)
    except ScanError as error:
        raise ScanError(f"{path}: {error}") from error
    except (ValueError, KeyError, TypeError, IndexError, AttributeError, RecursionError, struct.error) as error:
        reason = " ".join(str(error).split())[:80]
        raise ScanError(f"{path}: not a valid GLB file ({reason}); export it again") from error


def _chunks(data: bytes) -> tuple[dict[str, Any], int]:
    magic, version, length = struct.unpack_from("<4sII", data)
    if magic != b"glTF" or version != 2 or length != len(data):
        raise ScanError(f"byte 0: {length} bytes of glTF {version} claimed, {len(data)} found; not a whole GLB 2 file")
    json_bytes, kind = struct.unpack_from("<I4s", data, 12)
    if kind != b"JSON" or 20 + json_bytes > len(data):
        raise ScanError(f"byte 12: a JSON chunk of {json_bytes} bytes does not fit; copy the file again")
    document = json.loads(data[20 : 20 + json_bytes])
    if 20 + json_bytes == len(data):
        return document, 0
    binary_bytes, _ = struct.unpack_from("<I4s", data, 20 + json_bytes)
    if 28 + json_bytes + binary_bytes > len(data):
        raise ScanError(f"byte {20 + json_bytes}: a chunk of {binary_bytes} bytes does not fit; copy the file again")
    return document, binary_bytes


def _check_document(document: dict[str, Any], binary_bytes: int) -> None:
    used = {*document.get("extensionsUsed", ()), *document.get("extensionsRequired", ())}
    for name in COMPRESSIONS:
        if name in used:
            raise ScanError(f"the geometry is compressed ({name}); export it without compression")
    for entry in (*document.get("buffers", ()), *document.get("images", ())):
        uri = entry.get("uri", "data:")
        if not uri.startswith("data:"):
            raise ScanError(f"refers to another file, {uri[:60]!r}; export it with everything in one file")
    views = document.get("bufferViews", [])
    for view in views:
        offset, length = _count(view.get("byteOffset", 0)), _count(view["byteLength"])
        if view.get("buffer", 0) != 0 or offset + length > binary_bytes:
            raise ScanError(f"a buffer view ends at byte {offset + length} of {binary_bytes}; copy the file again")
    for accessor in document.get("accessors", ()):
        _check_accessor(accessor, views)
    _check_tree(document.get("nodes", []))


def _check_accessor(accessor: dict[str, Any], views: list[dict[str, Any]]) -> None:
    if "sparse" in accessor or "bufferView" not in accessor:
        raise ScanError("an accessor is sparse or has no buffer; export it without compression")
    view = views[_count(accessor["bufferView"])]
    width = COMPONENT_BYTES[accessor["componentType"]] * COMPONENTS[accessor["type"]]
    count, stride = _count(accessor["count"]), _count(view.get("byteStride", width))
    needed = _count(accessor.get("byteOffset", 0)) + (count - 1) * max(stride, width) + width
    if count < 1 or needed > view["byteLength"]:
        raise ScanError(f"an accessor needs {needed} bytes of a view of {view['byteLength']}; copy the file again")


def _check_tree(nodes: list[dict[str, Any]]) -> None:
    children = [_count(child) for node in nodes for child in node.get("children", ())]
    if len(nodes) > MAX_NODES or len(children) != len(set(children)) or max(children, default=0) >= max(len(nodes), 1):
        raise ScanError(f"its {len(nodes)} nodes are no tree; export it again")
    # With one parent each, only a ring of nodes has no root.
    reached = set(range(len(nodes))) - set(children)
    front = set(reached)
    while front:
        front = {_count(child) for index in front for child in nodes[index].get("children", ())}
        reached |= front
    if len(reached) != len(nodes):
        raise ScanError("its nodes run in a ring; export it again")


def _count(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ScanError(f"{str(value)[:40]!r} stands where a count belongs; export it again")
    return value
