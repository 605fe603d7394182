"""Who is designed for, who is tested, and who only sets thresholds: split by people, never mixed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from maskdesign.errors import ConfigError, InputError
from maskdesign.evaluation.pairs import Fold, Photo


@dataclass(frozen=True)
class PhotoProtocol:
    """The split of a list of pairs.

    Attributes:
        test_folds: folds whose genuine pairs are tested; all others serve design and thresholds.
        validation_people: people of the other folds on whose photos a universal design is chosen; it never prints on
            them in a step.
        test_people, pairs_per_person: how many people of the test folds are tested, in the order of the list, and with
            how many of their pairs; 0 for all.
        test_opening_mm: pleat opening of the tested masks, another one than any of the design's.
        bootstrap_rounds: resamplings of people for the intervals.
    """

    test_folds: tuple[int, ...] = (7, 8)
    validation_people: int = 24
    test_people: int = 0
    pairs_per_person: int = 0
    test_opening_mm: float = 125.0
    bootstrap_rounds: int = 1000

    def __post_init__(self) -> None:
        if not self.test_folds or min(self.test_folds) < 1:
            raise ConfigError("photos.test_folds must name at least one fold, counted from 1")
        if self.validation_people < 1 or self.bootstrap_rounds < 1:
            raise ConfigError("photos.validation_people and photos.bootstrap_rounds must be at least 1")
        if min(self.test_people, self.pairs_per_person) < 0:
            raise ConfigError("photos.test_people and photos.pairs_per_person must not be negative")


@dataclass(frozen=True)
class DesignPeople:
    """Photos of a universal design: person -> two or more photos.

    Attributes:
        design: printed on in the steps.
        validation: looked at to choose the best texture.
    """

    design: dict[str, tuple[Photo, ...]]
    validation: dict[str, tuple[Photo, ...]]


def pairs_to_test(folds: Sequence[Fold], protocol: PhotoProtocol) -> list[tuple[Photo, Photo]]:
    """Genuine pairs of the test folds as (enrolled, probe), each pair both ways.

    Raises:
        InputError: the list has no such fold.
    """
    missing = [number for number in protocol.test_folds if number > len(folds)]
    if missing:
        raise InputError(
            f"the list of pairs has {len(folds)} folds, but photos.test_folds names {missing}; name others"
        )
    by_person: dict[str, list[tuple[Photo, Photo]]] = {}
    for number in protocol.test_folds:
        for first, second in folds[number - 1].genuine:
            by_person.setdefault(first[0], []).extend([(first, second), (second, first)])
    tested = list(by_person.values())[: protocol.test_people or None]
    return [pair for own in tested for pair in own[: 2 * protocol.pairs_per_person or None]]


def other_folds(folds: Sequence[Fold], protocol: PhotoProtocol) -> list[Fold]:
    """The folds that are not tested.

    Raises:
        InputError: there is none.
    """
    others = [fold for number, fold in enumerate(folds, start=1) if number not in protocol.test_folds]
    if not others:
        raise InputError("every fold is tested; leave one out of photos.test_folds, for design and thresholds")
    return others


def choose_design_people(folds: Sequence[Fold], protocol: PhotoProtocol, count: int, seed: int) -> DesignPeople:
    """People with at least two photos, drawn from the folds that are not tested.

    Args:
        count: people to design for.
        seed: of the draw.

    Raises:
        InputError: too few people.
    """
    photos: dict[str, list[Photo]] = {}
    for fold in other_folds(folds, protocol):
        for pair in fold.genuine:
            photos.setdefault(pair[0][0], []).extend(pair)
    known = {name: tuple(dict.fromkeys(own))[:2] for name, own in sorted(photos.items())}
    wanted = count + protocol.validation_people
    if len(known) < wanted:
        raise InputError(
            f"{len(known)} people outside of the test folds have two photos; --people {count} needs {wanted}, "
            "those for validation included; lower it, or photos.validation_people"
        )
    order = np.random.Generator(np.random.Philox(key=seed)).permutation(sorted(known))
    names = [str(name) for name in order[:wanted]]
    return DesignPeople({name: known[name] for name in names[:count]}, {name: known[name] for name in names[count:]})
