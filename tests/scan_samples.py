"""Small scans of every format, made here; and what damages a file."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import numpy as np
import trimesh
from PIL import Image

from maskdesign.faces.formats.abs import write_abs
from maskdesign.faces.formats.bnt import write_bnt
from maskdesign.faces.raw import RangeImage
from maskdesign.geometry.grid import grid_triangles
from maskdesign.geometry.mesh import TriangleMesh


def bump_image(rows: int = 16, columns: int = 14, pitch_mm: float = 12.0) -> RangeImage:
    """A smooth bump, 168 x 192 mm, colored, a rim of invalid samples around it."""
    x, y = np.meshgrid((np.arange(columns) - columns / 2) * pitch_mm, (rows / 2 - np.arange(rows)) * pitch_mm)
    points = np.stack([x, y, 60 * np.exp(-(x**2 + y**2) / 5000)], axis=-1)
    valid = np.zeros((rows, columns), dtype=bool)
    valid[2:-2, 2:-2] = True
    rgb = np.random.default_rng(3).integers(0, 256, (rows, columns, 3), dtype=np.uint8)
    return RangeImage(points, valid, rgb)


def bump_mesh() -> TriangleMesh:
    image = bump_image()
    places, triangles = grid_triangles(image.points_mm, image.valid, 100.0)
    uv = (places[:, ::-1] + 0.5) / image.valid.shape[::-1]
    return TriangleMesh(image.points_mm[places[:, 0], places[:, 1]], triangles, uv)


def write_obj(path: Path, mesh: TriangleMesh, texture: np.ndarray | None = None) -> None:
    lines = [f"mtllib {path.stem}.mtl", "usemtl skin"] if texture is not None else []
    lines += [f"v {x!r} {y!r} {z!r}" for x, y, z in mesh.vertices.tolist()]
    lines += [f"vt {u!r} {1 - v!r}" for u, v in mesh.uv.tolist()]
    lines += ["f " + " ".join(f"{k + 1}/{k + 1}" for k in row) for row in mesh.triangles.tolist()]
    path.write_text("\n".join(lines) + "\n")
    if texture is not None:
        path.with_suffix(".mtl").write_text(f"newmtl skin\nmap_Kd {path.stem}.png\n")
        Image.fromarray(texture).save(path.with_suffix(".png"))


def write_wrl(path: Path, mesh: TriangleMesh) -> None:
    def rows(values: np.ndarray) -> str:
        return ", ".join(" ".join(map(repr, row)) for row in values.tolist())

    index = ", ".join(" ".join(map(str, [*row, -1])) for row in mesh.triangles.tolist())
    path.write_text(
        '#VRML V2.0 utf8\nShape { appearance Appearance { texture ImageTexture { url "face_F3D.bmp" } }\n'
        f"geometry IndexedFaceSet {{ coord Coordinate {{ point [ {rows(mesh.vertices)} ] }}\n"
        f"texCoord TextureCoordinate {{ point [ {rows(mesh.uv * [1, -1] + [0, 1])} ] }}\n"
        f"coordIndex [ {index} ]\ntexCoordIndex [ {index} ] }} }}\n"
    )


def as_trimesh(mesh: TriangleMesh) -> trimesh.Trimesh:
    return trimesh.Trimesh(mesh.vertices, mesh.triangles, process=False)


def write_ict(path: Path) -> None:
    """A tiny model in the layout of ICT-FaceKit's identities."""
    mesh = bump_mesh()
    modes = np.random.default_rng(1).normal(size=(4, *mesh.vertices.shape)).astype(np.float16) * np.float16(0.1)
    np.savez(
        path,
        vertices=(mesh.vertices / 10).astype(np.float32),
        identity_modes=modes,
        triangles=mesh.triangles,
        uv=mesh.uv.astype(np.float32),
        uv_triangles=mesh.triangles,
    )


def _write_glb(path: Path) -> None:
    # trimesh counts v upward.
    visual = trimesh.visual.TextureVisuals(
        uv=bump_mesh().uv * [1, -1] + [0, 1], image=Image.fromarray(bump_image().rgb)
    )
    mesh = as_trimesh(bump_mesh())
    mesh.visual = visual
    path.write_bytes(mesh.export(file_type="glb"))


WRITERS: dict[str, Callable[[Path], object]] = {
    "face.abs": lambda path: write_abs(path, bump_image()),
    "face.abs.gz": lambda path: write_abs(path, bump_image()),
    "face.bnt": lambda path: write_bnt(path, bump_image()),
    "face.wrl": lambda path: write_wrl(path, bump_mesh()),
    "face.obj": lambda path: write_obj(path, bump_mesh(), bump_image().rgb),
    "text.ply": lambda path: path.write_bytes(as_trimesh(bump_mesh()).export(file_type="ply", encoding="ascii")),
    "binary.ply": lambda path: path.write_bytes(as_trimesh(bump_mesh()).export(file_type="ply")),
    "text.stl": lambda path: path.write_text(as_trimesh(bump_mesh()).export(file_type="stl_ascii")),
    "binary.stl": lambda path: path.write_bytes(as_trimesh(bump_mesh()).export(file_type="stl")),
    "face.glb": _write_glb,
}
"""Name of a file -> what writes a whole one there."""

NASTY = (
    b"nan",
    b"inf",
    b"-1",
    b"1e39",
    b"2147483648",
    b"-2147483649",
    b"99999999999999999999",
    b"",
    b"0",
    b"\0",
    b"..",
)


def damaged(data: bytes, random: np.random.Generator) -> bytes:
    """One to three wounds: bytes changed, cut, doubled, a word replaced by something nasty, or noise."""
    for _ in range(random.integers(1, 4)):
        data = WOUNDS[random.integers(len(WOUNDS))](data, random)
    return data


def damaged_gzip(data: bytes, random: np.random.Generator) -> bytes:
    """Half of the time the packed bytes, half of the time what is inside."""
    if random.random() < 0.5:
        return damaged(data, random)
    return gzip.compress(damaged(gzip.decompress(data), random), compresslevel=1)


def _place(data: bytes, random: np.random.Generator) -> int:
    # Headers are short and matter most.
    limit = min(len(data), 200) if random.random() < 0.5 else len(data)
    return int(random.integers(limit + 1))


def _flip(data: bytes, random: np.random.Generator) -> bytes:
    changed = bytearray(data)
    for _ in range(random.integers(1, 6)):
        if changed:
            changed[min(_place(data, random), len(changed) - 1)] = random.integers(256)
    return bytes(changed)


def _cut(data: bytes, random: np.random.Generator) -> bytes:
    return data[: _place(data, random)]


def _drop(data: bytes, random: np.random.Generator) -> bytes:
    start = _place(data, random)
    return data[:start] + data[start + random.integers(1, 60) :]


def _double(data: bytes, random: np.random.Generator) -> bytes:
    start = _place(data, random)
    return data[: start + random.integers(1, 60)] + data[start:]


def _replace_word(data: bytes, random: np.random.Generator) -> bytes:
    start = _place(data, random)
    stop = min(
        (end for end in (data.find(mark, start + 1) for mark in (b" ", b"\n", b",")) if end > 0), default=start + 4
    )
    return data[:start] + b" " + NASTY[random.integers(len(NASTY))] + data[min(stop, start + 40) :]


def _saturate(data: bytes, random: np.random.Generator) -> bytes:
    start = _place(data, random)
    return data[:start] + bytes([random.choice([0, 255, 127])]) * int(random.integers(1, 9)) + data[start + 8 :]


def _noise(data: bytes, random: np.random.Generator) -> bytes:
    start = _place(data, random)
    return data[:start] + random.bytes(int(random.integers(1, 200)))


WOUNDS = (_flip, _cut, _drop, _double, _replace_word, _saturate, _noise)
