"""Error rates with intervals, defined as in ISO/IEC 19795-1."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def fnmr(scores: NDArray[np.float64], threshold: float) -> float:
    """False non-match rate: the share of genuine probes whose score is below the threshold.

    Args:
        scores: (n,) similarity of genuine probes, higher = more alike; n >= 1.
        threshold: decision threshold at the wanted false match rate.
    """
    return float(np.mean(scores < threshold))


def bootstrap_mean_interval(
    values: NDArray[np.float64], level: float = 0.95, rounds: int = 2000, seed: int = 0
) -> tuple[float, float]:
    """Percentile bootstrap interval of a mean (Efron 1979), from a fixed seed.

    Args:
        values: (n,) one value a probe; paired differences for the interval of a gain.
        level: coverage in (0, 1).

    Returns:
        lower and upper end. Where every probe agrees the interval has width 0: it speaks of these views, not of others.
    """
    draws = np.random.Generator(np.random.Philox(key=seed)).integers(0, len(values), size=(rounds, len(values)))
    means = np.asarray(values, dtype=np.float64)[draws].mean(axis=1)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
