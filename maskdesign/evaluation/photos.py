"""What protected photos do to recognizers: error rates by condition, and the paper's own figures (its Eq 8)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskdesign.evaluation.metrics import bootstrap_mean_interval

UNCHANGED, PROTECTED = "unchanged", "all, balanced"


def protection_rate(true_rate: float, false_rate: float) -> float:
    """r_s = F_c / (1 + T_o - F_c) (mask template paper, Eq 8).

    Args:
        true_rate: T_o, share of original photos that are recognized.
        false_rate: F_c, share of protected ones that are not.

    Returns:
        at least 0; it exceeds 1 where F_c > (1 + T_o) / 2, so it is no share of anything.
    """
    return false_rate / (1 + true_rate - false_rate)


def bounded_protection_rate(true_rate: float, false_rate: float) -> float:
    """Share of the recognized that protection hides, 1 - (1 - F_c) / T_o, in [0, 1]; 0 where nobody is recognized."""
    return float(np.clip(1 - (1 - false_rate) / true_rate, 0, 1)) if true_rate > 0 else 0.0


def psnr_db(original: NDArray[np.uint8], changed: NDArray[np.uint8]) -> float:
    """Peak signal to noise ratio in dB; infinite where the pictures are equal."""
    error = np.mean((original.astype(np.float64) - changed) ** 2)
    return float("inf") if error == 0 else float(10 * np.log10(255**2 / error))


def dssim(similarity: float) -> float:
    """Structural dissimilarity, (1 - SSIM) / 2, as Fawkes counts its budget."""
    return (1 - similarity) / 2


def condition_rows(people: Sequence[Mapping[str, Any]], thresholds: Mapping[str, float]) -> dict[str, Any]:
    """A table of conditions from the scores of single people.

    Args:
        people: for each, condition -> found, ssim (photo, face, template), rmse, largest, scores by recognizer. The
            condition `UNCHANGED` is there for everybody; another counts those people that have it.
        thresholds: recognizer -> score at FMR 1e-3.

    Returns:
        people and pairs counted, and for each condition its people, its likeness and each recognizer's FNMR with a 95 %
        bootstrap interval over people, its gain over the unchanged photo, T_o, F_c and r_s.
    """
    names = list(dict.fromkeys(name for person in people for name in person))
    pairs = sum(len(next(iter(person[UNCHANGED]["scores"].values()))) for person in people)
    rows = {name: _row([person for person in people if name in person], name, thresholds) for name in names}
    return {"people": len(people), "pairs": pairs, "fmr": "1e-3", "conditions": rows}


def _row(people: Sequence[Mapping[str, Any]], condition: str, thresholds: Mapping[str, float]) -> dict[str, Any]:
    cells = [person[condition] for person in people]
    likeness = np.mean([cell["ssim"] for cell in cells], axis=0)
    figures = {name: _rates(people, condition, name, threshold) for name, threshold in thresholds.items()}
    return {
        "people": len(people),
        "ssim_photo": float(likeness[0]),
        "ssim_face": float(likeness[1]),
        "ssim_template": float(likeness[2]),
        "dssim": dssim(float(likeness[0])),
        "psnr_db": _mean_psnr([cell["rmse"] for cell in cells]),
        "largest_change": float(np.mean([cell["largest"] for cell in cells])),
        "face_found": float(np.mean([cell["found"] for cell in cells])),
        "recognizers": figures,
    }


def _mean_psnr(rmse: Sequence[float]) -> float | None:
    """Of the changed photos; None where none is changed."""
    values = [20 * np.log10(255 / error) for error in rmse if error > 0]
    return float(np.mean(values)) if values else None


def _rates(people: Sequence[Mapping[str, Any]], condition: str, name: str, threshold: float) -> dict[str, Any]:
    # A person's pairs share one probe: people, not pairs, are drawn for the interval.
    missed = _missed(people, condition, name, threshold)
    before = _missed(people, UNCHANGED, name, threshold)
    true_rate, false_rate = 1 - float(before.mean()), float(missed.mean())
    return {
        "fnmr": false_rate,
        "interval": bootstrap_mean_interval(missed),
        "gain": float((missed - before).mean()),
        "gain_interval": bootstrap_mean_interval(missed - before),
        "T_o": true_rate,
        "F_c": false_rate,
        "r_s": protection_rate(true_rate, false_rate),
        "r_s_bounded": bounded_protection_rate(true_rate, false_rate),
    }


def _missed(people: Sequence[Mapping[str, Any]], condition: str, name: str, threshold: float) -> NDArray[np.float64]:
    """(n,) each person's share of pairs that are not matched."""
    scores = [person[condition]["scores"][name] for person in people]
    return np.array([np.mean(np.array(row) < threshold) for row in scores])


def feature_planes(people: Sequence[Mapping[str, Any]]) -> dict[str, list[list[list[float]]]]:
    """Each recognizer's features before and after, in the plane of their two largest principal components (Fig 15).

    Args:
        people: for each, `UNCHANGED` and `PROTECTED` with a photo's embeddings as `features`; others are left out.

    Returns:
        recognizer -> [before, after], n places (x, y) each.
    """
    kept = [
        (p[UNCHANGED]["features"], p[PROTECTED]["features"]) for p in people if p.get(PROTECTED, {}).get("features")
    ]
    return {
        name: _plane([[pair[side][name] for pair in kept] for side in (0, 1)]) for name in (kept[0][0] if kept else ())
    }


def _plane(features: Sequence[Sequence[Sequence[float]]]) -> list[list[list[float]]]:
    values = np.array(features)
    both = values.reshape(-1, values.shape[2])
    centered = both - both.mean(axis=0)
    axes = np.linalg.svd(centered, full_matrices=False)[2][:2]
    return np.round(centered @ axes.T, 4).reshape(2, -1, len(axes)).tolist()
