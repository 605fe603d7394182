"""Verification and identification under masks: rates by ISO/IEC 19795-1, with intervals over people.

Enrolled is a photo without a mask, the probe is another photo of the same person (genuine) or of somebody else
(impostor) with the mask rendered before it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from maskdesign.evaluation.table import DESIGNED, NO_MASK, UPSIDE_DOWN
from maskdesign.recognition.score import scores
from maskdesign.recognition.spec import RecognizerSpec
from maskdesign.recognition.thresholds import threshold_at_fmr

NO_CONTROLS = (NO_MASK, DESIGNED, UPSIDE_DOWN)
FMRS = ("1e-2", "1e-3")
DET_POINTS = 200


@dataclass(frozen=True, eq=False)
class ProbeSet:
    """Whom the probes are compared with.

    Attributes:
        people: (n,) number of the person in each of n photos.
        enrolled, probe: (p,) photos of the genuine pairs.
    """

    people: NDArray[np.int64]
    enrolled: NDArray[np.int64]
    probe: NDArray[np.int64]


@dataclass(frozen=True)
class PhotoRow:
    """One texture under one recognizer on real photos.

    Attributes:
        recognizer, texture: names.
        pairs, people: genuine pairs, and people in them.
        mean_score: mean score of the genuine pairs.
        fnmr_1e2, fnmr_1e3: share of genuine pairs below the thresholds that were measured on other people.
        fnmr_1e2_ci, fnmr_1e3_ci: 95 % bootstrap intervals over people.
        fnmr_1e3_spec: the same at the threshold that the recognizer's specification states.
        fmr_1e2, fmr_1e3: share of impostor pairs, probe masked, at or above the thresholds.
        rank1: share of probes whose nearest photo in a gallery of one unmasked photo a person is their own.
        det: (FMR, FNMR) along all thresholds.
    """

    recognizer: str
    texture: str
    pairs: int
    people: int
    mean_score: float
    fnmr_1e2: float
    fnmr_1e2_ci: tuple[float, float]
    fnmr_1e3: float
    fnmr_1e3_ci: tuple[float, float]
    fnmr_1e3_spec: float
    fmr_1e2: float
    fmr_1e3: float
    rank1: float
    det: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class PhotoGain:
    """A design against its strongest control under one recognizer, paired.

    Attributes:
        recognizer: its name.
        used: whether the design met this recognizer; else it was left out.
        control, control_1e2: the control with the highest FNMR at FMR 1e-3 and at 1e-2.
        fnmr_1e3, fnmr_1e2: FNMR(designed) - FNMR(strongest control) at these rates. Where most masks are refused at
            1e-3, only the looser one tells textures apart.
        fnmr_1e3_ci, fnmr_1e2_ci: 95 % bootstrap intervals over people; the control is chosen anew in each resample.
    """

    recognizer: str
    used: bool
    control: str
    fnmr_1e3: float
    fnmr_1e3_ci: tuple[float, float]
    control_1e2: str
    fnmr_1e2: float
    fnmr_1e2_ci: tuple[float, float]


def calibrate(spec: RecognizerSpec, bare: Tensor, people: NDArray[np.int64]) -> dict[str, float]:
    """Thresholds by FMR from all pairs of two people without masks.

    Args:
        bare: (n, E) embeddings; nobody of the test is among them.
        people: (n,) who is in each photo.

    Raises:
        InputError: too few pairs for FMR 1e-3.
    """
    matrix = _score_rows(spec, bare, bare)
    upper, right = np.triu_indices(len(people), 1)
    impostor = matrix[upper, right][people[upper] != people[right]]
    return {fmr: threshold_at_fmr(impostor, float(fmr)) for fmr in FMRS}


def genuine_scores(spec: RecognizerSpec, bare: Tensor, probes: Tensor, test: ProbeSet) -> NDArray[np.float64]:
    """(p,) scores of the genuine pairs."""
    return scores(spec, probes[test.probe], bare[test.enrolled]).double().numpy()


def photo_row(
    spec: RecognizerSpec,
    texture: str,
    thresholds: Mapping[str, float],
    bare: Tensor,
    probes: Tensor,
    test: ProbeSet,
    rounds: int,
) -> PhotoRow:
    """Everything about one texture under one recognizer.

    Args:
        thresholds: of `calibrate`.
        bare, probes: (n, E) embeddings of the test photos without and with the mask.
    """
    genuine = genuine_scores(spec, bare, probes, test)
    owners = test.people[test.probe]
    # Impostors: every probe against every photo of somebody else.
    matrix = _score_rows(spec, probes, bare)
    impostor = np.sort(matrix[test.people[:, None] != test.people[None, :]])
    strict, loose = thresholds["1e-3"], thresholds["1e-2"]
    return PhotoRow(
        recognizer=spec.name,
        texture=texture,
        pairs=len(genuine),
        people=len(np.unique(owners)),
        mean_score=float(genuine.mean()),
        fnmr_1e2=float((genuine < loose).mean()),
        fnmr_1e2_ci=people_interval([genuine < loose], owners, rounds),
        fnmr_1e3=float((genuine < strict).mean()),
        fnmr_1e3_ci=people_interval([genuine < strict], owners, rounds),
        fnmr_1e3_spec=float((genuine < spec.thresholds["1e-3"]).mean()),
        fmr_1e2=_share_from(impostor, loose),
        fmr_1e3=_share_from(impostor, strict),
        rank1=rank_one(matrix, test.people),
        det=_det_curve(genuine, impostor),
    )


def photo_gain(
    recognizer: str,
    used: bool,
    scores: Mapping[str, NDArray[np.float64]],
    thresholds: Mapping[str, float],
    owners: NDArray[np.int64],
    rounds: int,
) -> PhotoGain:
    """The gain over the strongest control.

    Args:
        scores: texture -> (p,) of the genuine pairs.
        thresholds: of `calibrate`.
        owners: (p,) whose pair each is.
    """
    strict, loose = (_gain_at(scores, thresholds[fmr], owners, rounds) for fmr in ("1e-3", "1e-2"))
    return PhotoGain(recognizer, used, *strict, *loose)


def _gain_at(
    scores: Mapping[str, NDArray[np.float64]], threshold: float, owners: NDArray[np.int64], rounds: int
) -> tuple[str, float, tuple[float, float]]:
    missed = {name: values < threshold for name, values in scores.items()}
    controls = {name: values for name, values in missed.items() if name not in NO_CONTROLS}
    strongest = max(controls, key=lambda name: controls[name].mean())
    gain = float(missed[DESIGNED].mean() - controls[strongest].mean())
    return strongest, gain, people_interval([missed[DESIGNED], *controls.values()], owners, rounds)


def people_interval(
    values: Sequence[NDArray], owners: NDArray[np.int64], rounds: int, level: float = 0.95, seed: int = 0
) -> tuple[float, float]:
    """Percentile bootstrap over people, for pairs of one person are no independent evidence.

    Args:
        values: one array (p,) for the interval of its mean; several for that of the first one's mean minus the largest
            mean of the others.
        owners: (p,) number of the person behind each value.
    """
    numbers = np.unique(owners, return_inverse=True)[1]
    count = int(numbers.max()) + 1
    generator = np.random.Generator(np.random.Philox(key=seed))
    drawn = generator.multinomial(count, np.full(count, 1 / count), size=rounds)
    sizes = drawn @ np.bincount(numbers, minlength=count)
    means = np.stack([drawn @ np.bincount(numbers, weights=v, minlength=count) / sizes for v in values])
    figure = means[0] - (means[1:].max(axis=0) if len(means) > 1 else 0)
    low, high = np.quantile(figure, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def rank_one(matrix: NDArray[np.float64], people: NDArray[np.int64]) -> float:
    """Rank-1 identification rate.

    Args:
        matrix: (n, n) scores of each masked probe (row) with each unmasked photo (column).
        people: (n,) who is in each photo.

    Returns:
        Share of right names; the gallery holds the first photo of everyone, probes are all others.
    """
    gallery = np.unique(people, return_index=True)[1]
    probes = np.setdiff1d(np.arange(len(people)), gallery)
    named = people[gallery][matrix[np.ix_(probes, gallery)].argmax(axis=1)]
    return float((named == people[probes]).mean())


def _score_rows(spec: RecognizerSpec, probes: Tensor, bare: Tensor) -> NDArray[np.float64]:
    return torch.stack([scores(spec, bare, probe) for probe in probes]).double().numpy()


def _share_from(ordered: NDArray[np.float64], threshold: float) -> float:
    return float(1 - np.searchsorted(ordered, threshold) / len(ordered))


def _det_curve(genuine: NDArray[np.float64], impostor: NDArray[np.float64]) -> tuple[tuple[float, float], ...]:
    # Even steps in the logarithm of FMR, down to one false match.
    rates = np.geomspace(1, 1 / len(impostor), DET_POINTS)
    cuts = impostor[np.minimum((len(impostor) * (1 - rates)).astype(int), len(impostor) - 1)]
    return tuple((float(rate), float((genuine < cut).mean())) for rate, cut in zip(rates, cuts, strict=True))
