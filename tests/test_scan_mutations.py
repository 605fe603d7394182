"""At least 2,000 damaged files of every format: one kind of error or a sound surface, never anything else."""

from __future__ import annotations

import gzip
import subprocess
import sys
import time

import numpy as np
import pytest
from scan_samples import WRITERS, damaged, damaged_gzip, write_ict

from maskdesign.errors import InputError
from maskdesign.faces.formats.ict import ict_mesh, read_ict
from maskdesign.faces.raw import RangeImage
from maskdesign.faces.read import read_scan

COUNT = 2000
SECONDS = 1.0


def check_sound(surface) -> None:
    if isinstance(surface, RangeImage):
        assert surface.valid.any()
        assert np.isfinite(surface.points_mm).all()
    else:
        assert np.isfinite(surface.vertices).all()
        assert surface.triangles.min() >= 0
        assert surface.triangles.max() < len(surface.vertices)


@pytest.mark.parametrize("name", WRITERS)
def test_damaged_files(name, tmp_path):
    path = tmp_path / name
    WRITERS[name](path)
    check_sound(read_scan(path).surface)
    whole, random = path.read_bytes(), np.random.default_rng(20250101)
    wound = damaged_gzip if name.endswith(".gz") else damaged
    refused, slowest = 0, 0.0
    for case in range(COUNT):
        path.write_bytes(wound(whole, random))
        begin = time.process_time()
        try:
            check_sound(read_scan(path).surface)
        except InputError as error:
            refused += 1
            assert str(path.name) in str(error), f"case {case}: {error} does not name the file"
            assert "\n" not in str(error)
        slowest = max(slowest, time.process_time() - begin)
    assert refused > COUNT / 4
    assert slowest < SECONDS


def test_damaged_models(tmp_path):
    path = tmp_path / "ict.npz"
    write_ict(path)
    whole, random, refused = path.read_bytes(), np.random.default_rng(20250101), 0
    for case in range(COUNT):
        path.write_bytes(damaged(whole, random))
        try:
            model = read_ict(path)
            check_sound(ict_mesh(model, np.ones(len(model.modes)))[0])
        except InputError as error:
            refused += 1
            assert str(path) in str(error) or path.name in str(error), f"case {case}: {error}"
    assert refused > COUNT / 4


HUGE = {
    "header.abs": b"99999999 rows\n99999999 columns\npixels (flag X Y Z):\n1 1\n",
    "header.bnt": b"\xff\xff\xff\xff" + b"\0" * 8 + b"\x01\0a" + b"\xff\xff\xff\x7f" + b"\0" * 64,
    "count.ply": b"ply\nformat binary_little_endian 1.0\nelement vertex 2147483648\nproperty float x\n"
    b"property float y\nproperty float z\nelement face 2147483648\nproperty list uchar int vertex_indices\nend_header\n"
    + b"\0"
    * 99,
    "count.stl": b"\0" * 80 + b"\xff\xff\xff\x7f" + b"\0" * 100,
    "index.obj": b"v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 2147483648\n",
    "index.wrl": b"#VRML V2.0 utf8\n"
    b"coord Coordinate { point [ 0 0 0, 1 0 0, 0 1 0 ] } coordIndex [ 0, 1, 2147483647, -1 ]",
    "chunk.glb": b"glTF\x02\0\0\0\xff\xff\xff\x7f\xff\xff\xff\x7fJSON{}",
    "noise.abs.gz": gzip.compress(b"1 " * 50_000_000, compresslevel=9),
}
"""Small files that claim, or unpack to, what no scan holds."""
MEASURED = """
import resource, sys, time
from pathlib import Path
from maskdesign.errors import InputError
from maskdesign.faces.formats.ict import read_ict
from maskdesign.faces.read import read_scan
read_scan(Path(sys.argv[1]))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for name in sys.argv[2:]:
    begin = time.process_time()
    try:
        read_scan(Path(name))
        sys.exit(f"{name} was read")
    except InputError:
        pass
    if time.process_time() - begin > 1:
        sys.exit(f"{name} took {time.process_time() - begin:.1f} s")
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)
"""


def test_huge_claims_cost_neither_time_nor_memory(tmp_path):
    WRITERS["binary.ply"](tmp_path / "whole.ply")
    for name, data in HUGE.items():
        (tmp_path / name).write_bytes(data)
    words = [tmp_path / "whole.ply", *(tmp_path / name for name in HUGE)]
    done = subprocess.run([sys.executable, "-c", MEASURED, *map(str, words)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) < 500
