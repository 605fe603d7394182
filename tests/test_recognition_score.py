from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from maskdesign.errors import ConfigError, InputError
from maskdesign.recognition.dlib_net import dlib_spec
from maskdesign.recognition.score import margins, scores
from maskdesign.recognition.thresholds import match_rate, threshold_at_fmr

L2 = dlib_spec()
COSINE = replace(
    L2, metric="cosine", thresholds={"1e-2": 0.25, "1e-3": 0.5}, genuine_mean=0.75, impostor_mean=0.25, name="tiny"
)


def test_cosine_scores_against_numpy() -> None:
    probes, enrolment = np.random.default_rng(0).normal(size=(5, 8)), np.random.default_rng(1).normal(size=8)
    expected = probes @ enrolment / (np.linalg.norm(probes, axis=1) * np.linalg.norm(enrolment))
    found = scores(COSINE, torch.tensor(probes), torch.tensor(enrolment))
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-12)


def test_l2_scores_are_negative_distances() -> None:
    probes = torch.tensor([[3.0, 4.0], [0.0, 0.0]], dtype=torch.float64)
    assert scores(L2, probes, torch.zeros(2, dtype=torch.float64)).tolist() == [-5.0, 0.0]


@pytest.mark.parametrize("spec", [L2, COSINE], ids=["l2", "cosine"])
def test_a_person_resembles_itself_most(spec) -> None:
    people = torch.tensor(np.random.default_rng(2).normal(size=(6, 16)))
    for row, person in enumerate(people):
        assert int(scores(spec, people, person).argmax()) == row


@pytest.mark.parametrize("spec", [L2, COSINE], ids=["l2", "cosine"])
def test_score_gradients_against_finite_differences(spec) -> None:
    probes = torch.tensor(np.random.default_rng(3).normal(size=(3, 5)), requires_grad=True)
    enrolment = torch.tensor(np.random.default_rng(4).normal(size=5))
    assert torch.autograd.gradcheck(lambda x: margins(spec, scores(spec, x, enrolment)), (probes,))


def test_distance_has_a_finite_gradient_where_both_are_equal() -> None:
    probe = torch.ones(1, 4, requires_grad=True)
    scores(L2, probe, torch.ones(4)).sum().backward()
    assert probe.grad is not None and probe.grad.tolist() == [[0.0] * 4]


def test_margin_is_zero_at_the_threshold_and_counts_in_spreads() -> None:
    found = margins(COSINE, torch.tensor([0.5, 1.0, 0.25]))
    assert found.tolist() == [0.0, 1.0, -0.5]
    assert margins(COSINE, torch.tensor([0.25]), "1e-2").tolist() == [0.0]


def test_unknown_false_match_rate_is_named() -> None:
    with pytest.raises(ConfigError, match=r"fmr = '1e-4': tiny has thresholds for 1e-2, 1e-3"):
        margins(COSINE, torch.zeros(1), "1e-4")


@given(st.integers(0, 2**31), st.sampled_from([1e-1, 1e-2, 3e-2]), st.booleans())
def test_threshold_keeps_the_false_match_rate_and_is_the_lowest_that_does(seed: int, fmr: float, ties: bool) -> None:
    impostor = np.random.default_rng(seed).normal(size=1500)
    impostor = np.round(impostor, 1) if ties else impostor
    threshold = threshold_at_fmr(impostor, fmr)
    assert match_rate(impostor, threshold) <= fmr
    lower = impostor[impostor < threshold].max()
    assert match_rate(impostor, lower) > fmr


def test_threshold_of_a_normal_distribution() -> None:
    impostor = np.random.default_rng(0).normal(size=1_000_000)
    assert threshold_at_fmr(impostor, 1e-2) == pytest.approx(2.3263, abs=0.02)
    assert threshold_at_fmr(impostor, 1e-3) == pytest.approx(3.0902, abs=0.04)


@pytest.mark.parametrize(
    ("impostor", "message"),
    [(np.zeros(9_999), "9999 impostor pairs .* at least 10000"), (np.full(20_000, np.nan), "not finite")],
)
def test_thresholds_refuse_what_cannot_measure_the_rate(impostor, message: str) -> None:
    with pytest.raises(InputError, match=message):
        threshold_at_fmr(impostor, 1e-3)


def test_a_rate_outside_0_and_1_is_a_mistake_of_the_caller() -> None:
    with pytest.raises(ValueError, match=r"fmr = 1\.5"):
        threshold_at_fmr(np.zeros(100), 1.5)
