"""Experiment B: what a crossed table says, the textures that are asked, and the verb's refusals."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from maskdesign.cli.main import main
from maskdesign.evaluation.crossed import crossed_figures, crossed_lines, crossed_row, variance_shares
from maskdesign.jobs import compare_heads
from maskdesign.jobs.compare_heads import SETTINGS, prints
from maskdesign.jobs.config import load_config
from maskdesign.jobs.ground import FREE_STYLE


@given(arrays(np.float64, (4, 5), elements=st.floats(-2, 2)))
def test_shares_add_up_and_exchange_with_the_axes(table):
    shares, other = variance_shares(table), variance_shares(table.T)
    assert sum(shares.values()) == pytest.approx(1 if np.ptp(table) > 1e-6 else sum(shares.values()), abs=1e-6)
    assert shares["head"] == pytest.approx(other["texture"], abs=1e-6)


def test_shares_of_tables_whose_causes_are_known():
    heads, textures = np.array([0.0, 1, 2]), np.array([[0.0], [3.0]])
    assert variance_shares(np.tile(heads, (2, 1)))["head"] == 1
    assert variance_shares(np.tile(textures, (1, 3)))["texture"] == 1
    both = variance_shares(heads + textures)
    assert both["both"] == pytest.approx(0) and both["texture"] == pytest.approx(13.5 / 17.5)
    assert variance_shares(np.array([[1.0, -1], [-1, 1]]))["both"] == 1
    assert set(variance_shares(np.ones((2, 2))).values()) == {0.0}


def test_a_row_counts_what_is_not_recognized_and_asks_heads_and_textures_apart():
    # Every texture hides the same half of the heads: it scatters over heads and not over textures.
    row = crossed_row(np.tile([-0.1, -0.1, 0.2, 0.2], (6, 1)))
    assert (row["fnmr"], row["textures"], row["margin_sd_of_textures"]) == (0.5, 6, pytest.approx(0))
    assert row["fnmr_over_textures"] == (0.5, 0.5) and row["fnmr_over_heads"][0] < 0.5 < row["fnmr_over_heads"][1]


def test_the_table_of_means():
    margins = np.array([[[-1.0, 1, -1]], [[1.0, 1, 1]], [[-1.0, -1, -1]]])
    figures = crossed_figures(margins, ["net"], ["plain", "plain", "designed"], ["rendered head", "photo", "photo"])
    assert [row["fnmr"] for row in figures["rows"]] == pytest.approx([2 / 6, 1, 5 / 9])
    assert figures["heads"] == {"rendered head": 1, "photo": 2}
    lines = crossed_lines(figures)
    assert any(line.startswith("| designed | 1 | 1.00 [1.00, 1.00] [1.00, 1.00]; -1.00") for line in lines)
    assert any(line.startswith("| photos | net |") for line in lines)


def test_a_hundred_textures_each_with_its_own_name(monkeypatch):
    settings = (*FREE_STYLE, *SETTINGS)
    config = load_config(None, settings)
    drawn = torch.zeros(3, 4, 4)
    monkeypatch.setattr(compare_heads, "_designed", lambda contest, config, name: drawn)
    monkeypatch.setattr(compare_heads, "average_face", lambda photos, pattern, texel_mm: drawn)
    ground = SimpleNamespace(design=SimpleNamespace(photos=[]))
    found = list(prints(SimpleNamespace(config=config, grounds={None: ground}), settings, 8))
    assert len(found) == len({one.name for one in found}) == 100
    assert [sum(one.kind == kind for one in found) for kind in ("plain", "prints", "designed, free")] == [29, 2, 8]
    for one in found:
        assert one.texture.shape[0] == 3 and one.texture.min() >= 0 and one.texture.max() <= 1 + 1e-6


def test_the_verb_refuses_in_one_line(tmp_path, capsys):
    out = str(tmp_path / "out")
    assert main(["compare", "heads", str(tmp_path / "none"), "--out", out]) == 3
    assert main(["compare", "heads", str(tmp_path), "--out", out, "--seeds", "0"]) == 2
    assert main(["compare", "heads", str(tmp_path), "--out", out, "--set", "texture.repeats=[0,1]"]) == 2
    assert main(["compare", "heads", str(tmp_path), "--out", out, "--set", 'recognizers=["nobody"]']) == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 4 and "nobody" in lines[-1]
