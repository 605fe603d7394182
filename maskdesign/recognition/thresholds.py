"""Verification thresholds and rates, as ISO/IEC 19795-1 defines them."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from maskdesign.errors import InputError

MIN_ERRORS = 10
"""A rate rests on at least this many impostor pairs above its threshold."""


def threshold_at_fmr(impostor_scores: ArrayLike, fmr: float) -> float:
    """The lowest threshold at which at most the share `fmr` of impostor pairs is matched; score >= threshold matches.

    Args:
        impostor_scores: (n,) scores of pairs of two different people, higher = more alike.
        fmr: false match rate, in (0, 1).

    Raises:
        InputError: fewer than 10 / fmr pairs, too few to measure this rate, or scores that are not finite.
    """
    scores = np.asarray(impostor_scores, dtype=np.float64).reshape(-1)
    if not 0 < fmr < 1:
        raise ValueError(f"fmr = {fmr} must lie between 0 and 1")
    if not np.isfinite(scores).all():
        raise InputError("impostor scores: some are not finite; look for the photo they are from")
    if len(scores) * fmr < MIN_ERRORS:
        raise InputError(
            f"{len(scores)} impostor pairs are too few for FMR {fmr:g}; give at least {int(np.ceil(MIN_ERRORS / fmr))}"
        )
    allowed = int(np.floor(len(scores) * fmr * (1 + 1e-12)))
    highest_refused = float(np.partition(scores, len(scores) - allowed - 1)[len(scores) - allowed - 1])
    return float(np.nextafter(highest_refused, np.inf))


def match_rate(scores: ArrayLike, threshold: float) -> float:
    """Share of pairs with score >= threshold: FMR of impostor pairs, 1 - FNMR of genuine ones."""
    return float(np.mean(np.asarray(scores) >= threshold))
