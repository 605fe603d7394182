"""Search of the interception values sigma: the chimp optimization algorithm, and the plain search it has to beat."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from maskdesign.errors import ConfigError

Objective = Callable[[NDArray[np.float64]], float]
LEADERS = 4


@dataclass(frozen=True)
class SearchSettings:
    """Size of a search.

    Attributes:
        chimps: candidates at a time, at least 4.
        rounds: how often each of them moves.
    """

    chimps: int = 8
    rounds: int = 8

    def __post_init__(self) -> None:
        if self.chimps < LEADERS or self.rounds < 1:
            raise ConfigError("search.chimps must be at least 4 and search.rounds at least 1")

    @property
    def evaluations(self) -> int:
        """How often the objective is asked."""
        return self.chimps * (self.rounds + 1)


def chimp_search(
    objective: Objective, low: NDArray[np.float64], high: NDArray[np.float64], settings: SearchSettings, seed: int
) -> tuple[NDArray[np.float64], float]:
    """Minimize within a box by the chimp optimization algorithm (Khishe and Mosavi 2020).

    The four best found so far - attacker, barrier, chaser and driver - pull every chimp; their pull becomes a step of
    random length that shrinks over the rounds, and a chaotic factor decides how much each chimp minds its prey.

    Args:
        low, high: (d,) ends of the box.

    Returns:
        the best point and its value.
    """
    rng = np.random.Generator(np.random.Philox(key=seed))
    herd = low + (high - low) * rng.random((settings.chimps, len(low)))
    values = np.array([objective(chimp) for chimp in herd])
    leaders, best = herd[np.argsort(values)[:LEADERS]].copy(), np.sort(values)[:LEADERS]
    chaos = rng.uniform(0.1, 0.9, settings.chimps)
    for number in range(settings.rounds):
        reach = 2.5 * (1 - number / settings.rounds)
        chaos = 1 - 1.9 * np.abs(chaos - 0.5) * chaos  # stays in (0, 1), never settles
        herd = np.clip(_moved(herd, leaders, reach, chaos, rng), low, high)
        values = np.array([objective(chimp) for chimp in herd])
        everyone, all_values = np.concatenate([leaders, herd]), np.concatenate([best, values])
        order = np.argsort(all_values, kind="stable")[:LEADERS]
        leaders, best = everyone[order], all_values[order]
    return leaders[0], float(best[0])


def _moved(
    herd: NDArray[np.float64],
    leaders: NDArray[np.float64],
    reach: float,
    chaos: NDArray[np.float64],
    rng: np.random.Generator,
) -> NDArray[np.float64]:
    """Every chimp's next place: the mean of where the four leaders send it (Eqs 1 to 8)."""
    shape = (LEADERS, *herd.shape)
    a = reach * (2 * rng.random(shape) - 1)
    c = 2 * rng.random(shape)
    distance = np.abs(c * leaders[:, None] - chaos[:, None] * herd)
    return (leaders[:, None] - a * distance).mean(axis=0)


def plain_search(
    objective: Objective, low: NDArray[np.float64], high: NDArray[np.float64], settings: SearchSettings, seed: int
) -> tuple[NDArray[np.float64], float]:
    """The best of as many uniformly random points as `chimp_search` asks for."""
    rng = np.random.Generator(np.random.Philox(key=seed))
    points = low + (high - low) * rng.random((settings.evaluations, len(low)))
    values = np.array([objective(point) for point in points])
    return points[values.argmin()], float(values.min())
