"""Scan files: what is written comes back, other people's writers are understood, lies are refused with their place."""

from __future__ import annotations

import gzip
import json
import struct
import time
import tracemalloc
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import trimesh
from PIL import Image
from scan_samples import WRITERS, as_trimesh, bump_image, bump_mesh, write_ict, write_obj, write_wrl

from maskdesign.errors import InputError, ScanError
from maskdesign.faces.formats.abs import read_abs, write_abs
from maskdesign.faces.formats.bnt import read_bnt, write_bnt
from maskdesign.faces.formats.ict import ict_mesh, ict_vertices, is_ict, read_ict
from maskdesign.faces.raw import RangeImage, upright
from maskdesign.faces.read import ENDINGS, read_scan
from maskdesign.geometry.mesh import triangle_normals


def same_range(first: RangeImage, second: RangeImage, atol: float) -> None:
    np.testing.assert_array_equal(first.valid, second.valid)
    np.testing.assert_allclose(first.points_mm[first.valid], second.points_mm[second.valid], atol=atol, rtol=0)


@pytest.mark.parametrize("name", ["face.abs", "face.abs.gz"])
def test_frgc_round_trip(name, tmp_path):
    image = bump_image()
    noisy = replace(
        image, points_mm=image.points_mm + np.random.default_rng(0).normal(size=image.points_mm.shape) * 0.3
    )
    write_abs(tmp_path / name, noisy)
    back = read_abs(tmp_path / name)
    same_range(back, noisy, 1e-4)
    np.testing.assert_array_equal(back.rgb, image.rgb)


def test_frgc_as_the_database_writes_it(tmp_path):
    # Line by line as the FRGC v2 distribution has it.
    text = "2 rows\n3 columns\npixels (flag X Y Z):\n0 1 1 1 1 0\n"
    text += (
        "-999999.000000 1.5 2.5 0.5 1.5 -999999.000000\n-999999.0 9 9 7 7 -999999.0\n-999999 -1300.25 4 5 6 -999999\n"
    )
    (tmp_path / "02463d452.abs").write_text(text)
    image = read_abs(tmp_path / "02463d452.abs")
    assert image.valid.tolist() == [[False, True, True], [True, True, False]]
    assert image.points_mm[0, 1].tolist() == [1.5, 9.0, -1300.25]
    assert image.points_mm[1, 2].tolist() == [0, 0, 0]


def test_same_scan_same_bytes(tmp_path):
    for name in ("a.abs.gz", "b.abs.gz"):
        write_abs(tmp_path / name, bump_image())
    assert (tmp_path / "a.abs.gz").read_bytes() == (tmp_path / "b.abs.gz").read_bytes()


def test_bosphorus_round_trip_is_exact(tmp_path):
    write_bnt(tmp_path / "face.bnt", bump_image(), "bs000_N_N_0.png")
    same_range(read_bnt(tmp_path / "face.bnt"), bump_image(), 0)


def test_bosphorus_texture_lies_where_u_and_v_say(tmp_path):
    image = bump_image()
    write_bnt(tmp_path / "face.bnt", image)
    Image.fromarray(image.rgb).save(tmp_path / "face.png")
    back = read_bnt(tmp_path / "face.bnt")
    np.testing.assert_array_equal(back.rgb[image.valid], image.rgb[image.valid])


def test_bosphorus_rows_from_the_bottom_are_turned_over(tmp_path):
    image = bump_image()
    flipped = RangeImage(image.points_mm[::-1].copy(), image.valid[::-1].copy())
    write_bnt(tmp_path / "face.bnt", flipped)
    same_range(read_bnt(tmp_path / "face.bnt"), image, 0)
    same_range(upright(RangeImage(image.points_mm[:, ::-1].copy(), image.valid[:, ::-1].copy())), image, 0)


@pytest.mark.parametrize("name", [name for name in WRITERS if name.endswith((".wrl", ".obj", ".ply", ".stl", ".glb"))])
def test_meshes_come_back(name, tmp_path):
    WRITERS[name](tmp_path / name)
    raw, mesh = read_scan(tmp_path / name), bump_mesh()
    assert raw.unit == "mm"
    assert len(raw.surface.triangles) == len(mesh.triangles)
    # Each triangle where it was, whatever the order of vertices; STL and binary PLY hold single precision.
    found = raw.surface.vertices[raw.surface.triangles].mean(axis=1)
    wanted = mesh.vertices[mesh.triangles].mean(axis=1)
    found, wanted = (points[np.lexsort(np.round(points, 3).T)] for points in (found, wanted))
    np.testing.assert_allclose(found, wanted, atol=2e-4)
    assert (triangle_normals(raw.surface.vertices, raw.surface.triangles)[:, 2] > 0).all()


@pytest.mark.parametrize("name", ["face.obj", "face.glb"])
def test_texture_and_uv_come_along(name, tmp_path):
    WRITERS[name](tmp_path / name)
    raw = read_scan(tmp_path / name)
    np.testing.assert_array_equal(raw.texture, bump_image().rgb)
    # uv is a linear function of x and y on this mesh.
    image = bump_image()
    rows, columns = image.valid.shape
    u = (raw.surface.vertices[:, 0] / 12.0 + columns / 2 + 0.5) / columns
    v = (rows / 2 - raw.surface.vertices[:, 1] / 12.0 + 0.5) / rows
    np.testing.assert_allclose(raw.surface.uv, np.column_stack([u, v]), atol=1e-5)


def test_bu3dfe_takes_the_picture_beside_it(tmp_path):
    write_wrl(tmp_path / "face.wrl", bump_mesh())
    Image.fromarray(bump_image().rgb).save(tmp_path / "face_F3D.bmp")
    raw = read_scan(tmp_path / "face.wrl")
    np.testing.assert_array_equal(raw.texture, bump_image().rgb)
    np.testing.assert_allclose(raw.surface.uv.min(axis=0), bump_mesh().uv.min(axis=0), atol=1e-9)


def test_seams_are_split_and_polygons_cut(tmp_path):
    (tmp_path / "quad.obj").write_text(
        "v 0 0 0 1 0 0\nv 200 0 0 0 1 0\nv 200 200 0 0 0 1\nv 0 200 0 1 1 1\nv 100 100 150 0 0 0\n"
        "vt 0 0\nvt 1 0\nvt 1 1\nvt 0 1\nvt .5 .5\nf 1/1 2/2 3/3 4/4\nf -5/1 -1/5 -4/3\n"
    )
    raw = read_scan(tmp_path / "quad.obj")
    assert len(raw.surface.triangles) == 3
    assert len(raw.surface.vertices) == 6, "vertex 2 has two texture coordinates"
    assert (raw.vertex_rgb.max(axis=1)[:4] == 255).all()


def test_vertex_colors_of_a_ply(tmp_path):
    mesh = as_trimesh(bump_mesh())
    colors = np.random.default_rng(0).integers(0, 256, (len(mesh.vertices), 4), dtype=np.uint8)
    mesh.visual.vertex_colors = colors
    (tmp_path / "face.ply").write_bytes(mesh.export(file_type="ply"))
    np.testing.assert_array_equal(read_scan(tmp_path / "face.ply").vertex_rgb, colors[:, :3])


@pytest.mark.parametrize(("scale", "unit"), [(1, "mm"), (0.1, "cm"), (0.001, "m"), (0.02, "unknown")])
def test_the_unit_is_guessed_from_the_extent(scale, unit, tmp_path):
    mesh = bump_mesh()
    write_obj(tmp_path / "face.obj", replace(mesh, vertices=mesh.vertices * scale))
    raw = read_scan(tmp_path / "face.obj")
    assert raw.unit == unit
    expected = np.ptp(mesh.vertices, axis=0) if unit != "unknown" else np.ptp(mesh.vertices, axis=0) * 300 / 132
    assert np.ptp(raw.surface.vertices, axis=0) == pytest.approx(expected, rel=0.3)
    assert raw.mm_per_unit * scale == pytest.approx(np.ptp(raw.surface.vertices[:, 0]) / np.ptp(mesh.vertices[:, 0]))


def test_ict_model_is_linear(tmp_path):
    write_ict(tmp_path / "ict.npz")
    assert is_ict(tmp_path / "ict.npz")
    model = read_ict(tmp_path / "ict.npz")
    neutral = ict_vertices(model, np.zeros(0))
    np.testing.assert_allclose(neutral, bump_mesh().vertices, atol=1e-5)
    moves = [ict_vertices(model, row) - neutral for row in np.eye(4)]
    np.testing.assert_allclose(
        ict_vertices(model, np.array([1.0, -2, 0, 3])) - neutral, moves[0] - 2 * moves[1] + 3 * moves[3], atol=1e-4
    )
    with pytest.raises(ScanError, match=r"5 coefficients; give at most 4, from -10 to 10"):
        ict_mesh(model, np.zeros(5))
    with pytest.raises(ScanError, match="from -10 to 10"):
        ict_mesh(model, np.array([np.nan]))


def frgc(rows: str = "2", columns: str = "2", flags: str = "1 1 1 1", z: str = "1 2 3 4") -> bytes:
    return f"{rows} rows\n{columns} columns\npixels (flag X Y Z):\n{flags}\n1 2 3 4\n1 2 3 4\n{z}\n".encode()


def glb(document: dict, binary: bytes = b"") -> bytes:
    text = json.dumps(document).encode()
    text += b" " * (-len(text) % 4)
    chunks = struct.pack("<I4s", len(text), b"JSON") + text
    if binary:
        chunks += struct.pack("<I4s", len(binary), b"BIN\0") + binary
    return struct.pack("<4sII", b"glTF", 2, 12 + len(chunks)) + chunks


def obj(faces: str, vertices: str = "v 0 0 0\nv 200 0 0\nv 0 200 0\n") -> bytes:
    return (vertices + faces).encode()


def two_heads() -> bytes:
    mesh = as_trimesh(bump_mesh())
    other = mesh.copy()
    other.apply_translation([300, 0, 0])
    return trimesh.util.concatenate([mesh, other]).export(file_type="ply")


def fins() -> bytes:
    """Every edge of a bump carries a third triangle."""
    mesh = bump_mesh()
    top = len(mesh.vertices)
    extra = np.column_stack([mesh.triangles[:, :2], np.full(len(mesh.triangles), top)])
    whole = trimesh.Trimesh(
        np.vstack([mesh.vertices, [[0, 0, 300]]]), np.vstack([mesh.triangles, extra]), process=False
    )
    return whole.export(file_type="ply")


HOSTILE = {
    "large.abs": (frgc(rows="2147483648"), r"line 1: 2147483648 x 2 samples; from 1 to 2000000 are read"),
    "lies.abs": (frgc(rows="3"), r"line 4: 4 numbers instead of 6"),
    "word.abs": (frgc(z="1 2 x 4"), r"line 7: word 3 is 'x', not a number"),
    "nan.abs": (frgc(z="1 nan 3 4"), r"line 7: number 2 is nan"),
    "inf.abs": (frgc(z="1 2 3 inf"), r"line 7: number 4 is inf"),
    "flag.abs": (frgc(flags="1 1 2 1"), r"line 4: a flag is 2; only 0 and 1"),
    "empty.abs": (frgc(flags="0 0 0 0"), r"no sample is valid"),
    "far.abs": (frgc(z="1 2 3 1e9"), r"row 1, column 1"),
    "header.abs": (b"hello\n", r"lines 1 to 3: not the header of an FRGC \.abs file"),
    "cut.abs.gz": (gzip.compress(frgc())[:-9], r"the file is damaged"),
    "bomb.abs.gz": (gzip.compress(b"1 rows\n1 columns\npixels\n" + b"1 " * (64 << 20)), r"line 4: \d+ numbers inst"),
    "head.bnt": (b"\1\0", r"byte 2: the file ends in its header"),
    "large.bnt": (struct.pack("<HHdHI", 65535, 65535, 0, 0, 0xFFFFFFFF), r"65535 x 65535 samples"),
    "lies.bnt": (struct.pack("<HHdHI", 2, 2, 0, 0, 2**31), r"2147483648 numbers for 2 x 2 samples of five"),
    "short.bnt": (struct.pack("<HHdHI", 2, 2, 0, 0, 20) + bytes(24), r"24 bytes of numbers instead of 160"),
    "nothing.bnt": (struct.pack("<HHdHI", 2, 2, 0, 0, 20) + bytes(160), r"no sample is valid"),
    "index.obj": (obj("f 1 2 4\n"), r"line 4: 'f 1 2 4' \(vertex 4 of 3 so far\)"),
    "zero.obj": (obj("f 0 1 2\n"), r"vertex 0 of 3 so far"),
    "nan.obj": (obj("f 1 2 3\n", "v 0 0 nan\n"), r"line 1: 'v 0 0 nan' \(a number is not finite"),
    "none.obj": (obj(""), r"no faces"),
    "flat.obj": (obj("f 1 2 3\n", "v 0 0 0\nv 100 0 0\nv 200 0 0\n"), r"the surface has no area"),
    "tiny.obj": (obj("f 1 2 3\n", "v 0 0 0\nv 1e-9 0 0\nv 0 1e-9 0\n"), r"1e-09 units long; this cannot be a face"),
    "escape.obj": (b"mtllib ../../etc/passwd\n" + obj("f 1 2 3\n"), r"refers to '../../etc/passwd' outside"),
    "absolute.obj": (b"mtllib /etc/passwd\n" + obj("f 1 2 3\n"), r"outside of its folder"),
    "address.obj": (b"mtllib http://example.com/a.mtl\n" + obj("f 1 2 3\n"), r"outside of its folder"),
    "noise.ply": (np.random.default_rng(0).bytes(4000), r"line 1: not a PLY file"),
    "large.ply": (
        b"ply\nformat binary_little_endian 1.0\nelement vertex 2147483648\nproperty float x\nproperty float y\n"
        b"property float z\nelement face 1\nproperty list uchar int vertex_indices\nend_header\n" + bytes(99),
        r"the header claims 2147483648 vertex, 1 face in \d+ bytes",
    ),
    "cloud.ply": (
        b"ply\nformat ascii 1.0\nelement vertex 1\nproperty float x\nproperty float y\nproperty float z\nend_header\n"
        b"1 1 1\n",
        r"no vertices or no faces; give a surface, not a cloud of points",
    ),
    "index.ply": (
        b"ply\nformat ascii 1.0\nelement vertex 3\nproperty float x\nproperty float y\nproperty float z\n"
        b"element face 1\nproperty list uchar int vertex_indices\nend_header\n0 0 0\n200 0 0\n0 200 0\n3 0 1 9\n",
        r"index\.ply: ",
    ),
    "two.ply": (two_heads(), r"2 shells, the largest with 50% of the surface"),
    "fins.ply": (fins(), r"triangles meet at edges with more than two"),
    "large.stl": (bytes(80) + struct.pack("<I", 2**31) + bytes(50), r"byte 80: 2147483648 triangles in 134 bytes"),
    "short.stl": (bytes(20), r"the file ends in its header"),
    "draco.glb": (glb({"asset": {}, "extensionsRequired": ["KHR_draco_mesh_compression"]}), r"compressed \(KHR_draco"),
    "outside.glb": (glb({"buffers": [{"uri": "../../secret.bin", "byteLength": 4}]}), r"to another file, '../../s"),
    "view.glb": (glb({"bufferViews": [{"buffer": 0, "byteLength": 99}]}, bytes(8)), r"view ends at byte 99 of 8"),
    "count.glb": (
        glb({"bufferViews": [{"byteLength": 8}], "accessors": [
            {"bufferView": 0, "componentType": 5126, "count": 2**31, "type": "VEC3"}]}, bytes(8)),
        r"an accessor needs 25769803776 bytes of a view of 8",
    ),
    "sparse.glb": (glb({"accessors": [{"componentType": 5126, "count": 2**31, "type": "VEC3"}]}), r"sparse or has no"),
    "ring.glb": (glb({"nodes": [{"children": [1]}, {"children": [0]}]}), r"its nodes run in a ring"),
    "length.glb": (glb({})[:-4], r"not a whole GLB 2 file"),
    "deep.glb": (
        struct.pack("<4sIII4s", b"glTF", 2, 100_020, 100_000, b"JSON") + b"[" * 100_000,
        r"not a valid GLB file",
    ),
    "two.wrl": (
        b"#VRML V2.0 utf8\ncoordIndex [0,1,2,-1] coordIndex [0,1,2,-1]",
        r"2 face sets; give a file with one",
    ),
    "index.wrl": (
        b"#VRML V2.0 utf8\ncoord Coordinate { point [0 0 0, 200 0 0, 0 200 0] } coordIndex [0, 1, 3, -1]",
        r"coordIndex, number 3: 3 is no index below 3",
    ),
    "old.wrl": (b"#VRML V1.0 ascii\n", r"line 1: not a VRML 2.0 file"),
    "escape.wrl": (
        b'#VRML V2.0 utf8\ntexture ImageTexture { url "../x.bmp" } coord Coordinate { point [0 0 0, 200 0 0, 0 200 0] }'
        b" coordIndex [0, 1, 2, -1]",
        r"outside of its folder",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_lies_are_refused_with_their_place_in_a_second_and_500_mb(name, tmp_path):
    content, message = HOSTILE[name]
    path = tmp_path / name
    path.write_bytes(content)
    tracemalloc.start()
    begin = time.process_time()
    try:
        with pytest.raises(ScanError, match=message) as caught:
            read_scan(path)
        assert tracemalloc.get_traced_memory()[1] < 500e6
    finally:
        tracemalloc.stop()
    assert time.process_time() - begin < 1.5, "a second, with some room for tracing"
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 3


def test_a_link_out_of_the_folder_is_not_followed(tmp_path):
    inside = tmp_path / "scan"
    inside.mkdir()
    (tmp_path / "secret.mtl").write_text("newmtl a\n")
    (inside / "link.mtl").symlink_to(tmp_path / "secret.mtl")
    (inside / "face.obj").write_bytes(b"mtllib link.mtl\n" + obj("f 1 2 3\n"))
    with pytest.raises(ScanError, match=r"outside of its folder"):
        read_scan(inside / "face.obj")


def test_a_texture_of_another_size(tmp_path):
    write_abs(tmp_path / "face.abs", bump_image())
    Image.fromarray(np.zeros((5, 7, 3), np.uint8)).save(tmp_path / "other.ppm")
    with pytest.raises(ScanError, match=r"face\.abs: the texture has 7 x 5 pixels, the scan 14 x 16; name the picture"):
        read_scan(tmp_path / "face.abs", tmp_path / "other.ppm")


def test_a_texture_for_a_mesh_without_coordinates(tmp_path):
    WRITERS["binary.stl"](tmp_path / "face.stl")
    Image.fromarray(np.zeros((5, 7, 3), np.uint8)).save(tmp_path / "skin.png")
    with pytest.raises(ScanError, match=r"has no texture coordinates for .*skin\.png"):
        read_scan(tmp_path / "face.stl", tmp_path / "skin.png")


def test_a_unit_that_makes_no_face(tmp_path):
    write_obj(tmp_path / "face.obj", bump_mesh())
    with pytest.raises(ScanError, match=r"mm long in m; this cannot be a face"):
        read_scan(tmp_path / "face.obj", unit="m")


def test_other_endings_and_missing_files(tmp_path):
    with pytest.raises(InputError, match=r"face\.txt: not a scan that this program reads; give one of \.abs, "):
        read_scan(tmp_path / "face.txt")
    for ending in ENDINGS:
        with pytest.raises(InputError, match=r"no such file"):
            read_scan(Path(tmp_path / f"face{ending}"))
