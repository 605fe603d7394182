"""Experiment A: the interval in curves, spreads over seeds, ground shared by all, and the verb's refusals."""

from __future__ import annotations

from dataclasses import asdict
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from maskdesign.cli.main import main
from maskdesign.evaluation.trial_plots import trial_plot
from maskdesign.evaluation.trial_tables import attention_lines
from maskdesign.evaluation.trials import (
    Trial,
    lost_by_joining,
    paired_differences,
    step_of_interval,
    steps_to_common_level,
    summary_rows,
)
from maskdesign.evaluation.verification import ProbeSet
from maskdesign.jobs.compare_attention import ABLATED, DEFAULT, FUSIONS, ensembles, from_trial, planned
from maskdesign.jobs.ground import Ground, judge_texture, of_recognizers, without_scores
from maskdesign.jobs.groups import Group
from maskdesign.optimize.control import ControlSettings
from maskdesign.recognition.dlib_net import dlib_spec
from maskdesign.recognition.recognizer import Recognizer

CONTROL = ControlSettings()


def trial(curve, fusion="attention", seed=0, ensemble=("a", "b"), fnmr=0.9):
    """A trial whose weakest recognizer follows a curve, a look every 5 steps; its margin is minus its FNMR."""
    test = {name: {"fnmr": fnmr, "margin": -fnmr} for name in ("a", "b")}
    steps = tuple(range(5, 5 * len(curve) + 1, 5))
    return Trial(tuple(ensemble), fusion, seed, steps, tuple((1.0, rate) for rate in curve), 0.5, test)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_the_interval_is_reached_where_the_weakest_is_in_it_and_none_jumped(curve):
    looks = [((0, 0), (1.0, curve[0])), *pairwise([(1.0, rate) for rate in curve])]
    wanted = None
    for number, (before, now) in enumerate(looks):
        steady = number > 0 and now[1] - before[1] <= CONTROL.jump and now[0] - before[0] <= CONTROL.jump
        if wanted is None and now[1] >= 0.8 and steady:
            wanted = 5 * (number + 1)
    assert step_of_interval(trial(curve), CONTROL) == wanted


def test_rows_count_those_that_never_arrive_with_all_their_steps():
    trials = [trial([0.5, 0.7, 0.85, 0.9], seed=0, fnmr=0.9), trial([0.5, 0.5, 0.6, 0.7], seed=1, fnmr=0.7)]
    (row,) = summary_rows(trials, CONTROL)
    assert (row["reached"], row["seeds"]) == (1, 2)
    assert row["steps_to_interval"]["mean"] == (15 + 20) / 2
    assert row["cpu_s_to_interval"]["mean"] == (15 + 20) / 4
    assert row["weakest_fnmr"]["sd"] == pytest.approx(np.std([0.9, 0.7], ddof=1))
    assert row["weakest_margin"]["mean"] == pytest.approx(-0.8)


def test_fusions_are_compared_seed_by_seed():
    trials = [
        trial([0.7, 0.85], seed=0, fnmr=0.9),
        trial([0.5, 0.7, 0.85], "averaging", seed=0, fnmr=0.8),
        trial([0.7, 0.7, 0.85], seed=1, fnmr=0.8),
        trial([0.7, 0.7, 0.85], "averaging", seed=1, fnmr=0.8),
        trial([0.7, 0.85], seed=2),
    ]
    (row,) = paired_differences(trials, CONTROL, "attention", "averaging")
    assert row["seeds"] == 2
    assert row["step_ratio"] == pytest.approx(25 / 30)
    assert row["weakest_fnmr"]["mean"] == pytest.approx(0.05)
    assert row["weakest_margin"]["mean"] == pytest.approx(-0.05)


def test_what_joining_costs_is_read_against_the_largest_ensemble():
    trials = [trial([0.9], ensemble=("a",), fnmr=0.95), trial([0.9], ensemble=("a", "b"), fnmr=0.9)]
    assert lost_by_joining(summary_rows(trials, CONTROL)) == [
        {"fusion": "attention", "recognizer": "a", "alone": 0.95, "together": 0.9}
    ]


def test_tables_and_curves_take_every_trial():
    trials = [
        trial([0.5, 0.9], fusion, seed, ensemble)
        for fusion in FUSIONS
        for seed in (0, 1)
        for ensemble in (("a",), ("a", "b"))
    ]
    rows = summary_rows(trials, CONTROL)
    figures = {
        "people": {"design": 3, "validation": 2, "tested": 2, "pairs": 4},
        "steps": 10,
        "views_per_step": 6,
        "rows": rows,
        "attention_minus_averaging": paired_differences(trials, CONTROL, *reversed(FUSIONS)),
        "ablated_minus_averaging": [],
        "lost_by_joining": lost_by_joining(rows),
    }
    lines = attention_lines(figures)
    assert sum("a + b | averaging" in line for line in lines) == 1
    assert sum(" x |" in line for line in lines) == 2
    assert any("designed on it alone" in line for line in lines)
    assert not any("designed on it alone" in line for line in attention_lines(figures | {"lost_by_joining": []}))
    assert steps_to_common_level(trials[0], trials[0]) == (0.9, 10, 10)
    assert steps_to_common_level(trial([0.4, 0.6, 0.7]), trial([0.2, 0.3, 0.5])) == (0.5, 10, 15)
    assert trial_plot(trials, (0.8, 0.95)).startswith(b"\x89PNG")
    again = from_trial(asdict(trials[0]))
    assert again == trials[0]


class Linear(torch.nn.Module):
    def forward(self, crops):
        return crops.mean(dim=(2, 3))


def tiny_ground() -> Ground:
    from dataclasses import replace

    first = Recognizer(replace(dlib_spec(), name="first"), Linear(), "test")
    second = Recognizer(replace(dlib_spec(), name="second"), Linear(), "test")
    group = Group([], np.zeros(0, np.int64), [(torch.zeros(1), torch.ones(1))], [torch.zeros(2, 1), torch.ones(2, 1)])
    # Photos 0 and 1 show one person, 2 and 3 another one; the second recognizer knows nobody again.
    bare = [torch.tensor([[0.0], [0.1], [5.0], [5.1]]), torch.tensor([[0.0], [9.0], [20.0], [40.0]])]
    pairs = ProbeSet(np.array([0, 0, 1, 1]), np.array([0, 2]), np.array([1, 3]))
    return Ground((first, second), group, group, [], bare, pairs)


def test_ground_keeps_what_belongs_to_the_recognizers_that_are_met():
    ground = tiny_ground()
    met = of_recognizers(ground, ["second"])
    assert [recognizer.spec.name for recognizer in met.recognizers] == ["second"]
    assert met.design.enrolments == [(torch.ones(1),)]
    torch.testing.assert_close(met.design.known[0], torch.ones(2, 1))
    torch.testing.assert_close(met.bare[0], ground.bare[1])
    names = [entry.spec.name for entry in ground.recognizers]
    assert ensembles(ground.recognizers) == [("first",), ("second",), tuple(names)]
    plans = planned(ground.recognizers, 5)
    assert len(plans) == 2 * (5 + 2) + 4
    assert {seed for seed, met, _ in plans if len(met) == 1} == {0}
    for extra in (ABLATED, DEFAULT):
        assert [plan[:2] for plan in plans if plan[2] == extra] == [(0, tuple(names)), (1, tuple(names))]
    assert planned(ground.recognizers[:1], 1) == [(0, ("first",), fusion) for fusion in FUSIONS]


def test_without_a_mask_friends_are_known_and_strangers_are_not():
    found = judge_texture(tiny_ground(), None, 50)
    assert found["first"]["fnmr"] == 0.0
    assert found["second"]["fnmr"] == 1.0
    assert found["first"]["margin"] > 0 > found["second"]["margin"]
    assert without_scores(found)["first"].keys() == found["first"].keys() - {"scores"}
    assert found["first"]["scores"] == pytest.approx([-0.1, -0.1], abs=1e-6)


def test_bad_comparisons_are_refused_in_one_line(tmp_path, capsys):
    (tmp_path / "in").mkdir()
    words = ["compare", "attention", str(tmp_path / "in"), "--out", str(tmp_path / "out")]
    assert main([*words]) == 3
    assert main([*words, "--seeds", "0"]) == 2
    assert main([*words, "--set", "control.lowest=1.5"]) == 2
    assert main([*words, "--set", 'recognizers=["nobody"]']) == 2
    assert main(["compare", "photos", str(tmp_path / "in"), "--out", str(tmp_path / "o"), "--seeds", "2"]) == 2
    assert main([*words, "--set", "recognizers=[]"]) == 2
    errors = capsys.readouterr().err
    assert "Traceback" not in errors
    assert "pairs.txt" in errors
    # Nothing is left behind that would stand in the way of the same folder with other settings.
    assert not (tmp_path / "out").exists()
