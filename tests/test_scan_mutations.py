"""At least 2,000 damaged files of every format: one kind of error or a sound surface, never anything else."""

from __future__ import annotations

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
