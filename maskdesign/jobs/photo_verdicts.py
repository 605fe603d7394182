"""What one recognizer says of a design worn by people it was not made on, and which pairs show it best."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from maskdesign.errors import InputError
from maskdesign.evaluation.photo_report import PhotoPictures
from maskdesign.evaluation.table import DESIGNED, NO_MASK
from maskdesign.evaluation.verification import (
    PhotoGain,
    PhotoRow,
    ProbeSet,
    calibrate,
    genuine_scores,
    photo_gain,
    photo_row,
)
from maskdesign.jobs.photo_data import PhotoData
from maskdesign.jobs.photo_store import PhotoStore
from maskdesign.optimize.photo_probes import develop_photos
from maskdesign.optimize.texture import texture_pixels
from maskdesign.recognition.spec import RecognizerSpec

AVERAGE_FACE = "printed average face"
SHOWN = 6


@dataclass(frozen=True, eq=False)
class Evidence:
    """All that is judged: tested photos, others for the thresholds, and the embeddings of both by recognizer."""

    test: PhotoData
    other: PhotoData
    pairs: ProbeSet
    embedded: Mapping[str, Mapping[str, Tensor]]
    bare: Mapping[str, Mapping[str, Tensor]]
    textures: Mapping[str, Tensor]


@dataclass(frozen=True, eq=False)
class Verdict:
    """What one recognizer says."""

    rows: list[PhotoRow]
    gain: PhotoGain
    thresholds: dict[str, float]
    thresholds_from: str
    scores: dict[str, NDArray[np.float64]]


def judge(spec: RecognizerSpec, met: bool, evidence: Evidence, rounds: int) -> Verdict:
    """Rates, gain and scores of one recognizer.

    Args:
        met: the design was made against it.
        rounds: of the bootstrap over people.
    """
    limits, origin = _thresholds(spec, evidence)
    found, pairs = evidence.embedded[spec.name], evidence.pairs
    bare = found[NO_MASK]
    scores = {name: genuine_scores(spec, bare, probes, pairs) for name, probes in found.items()}
    return Verdict(
        rows=[photo_row(spec, name, limits, bare, probes, pairs, rounds) for name, probes in found.items()],
        gain=photo_gain(spec.name, met, scores, limits, pairs.people[pairs.probe], rounds),
        thresholds=limits,
        thresholds_from=origin,
        scores=scores,
    )


def _thresholds(spec: RecognizerSpec, evidence: Evidence) -> tuple[dict[str, float], str]:
    other = evidence.other
    try:
        return calibrate(spec, evidence.bare[spec.name][NO_MASK], other.people), f"{len(other.keys)} photos of others"
    except InputError:
        # Too few strangers to measure a rate of 1 in 1000.
        return dict(spec.thresholds), "specification"


def shown_pictures(
    evidence: Evidence, scores: Mapping[str, Mapping[str, NDArray[np.float64]]], store: PhotoStore
) -> PhotoPictures:
    """The pairs that the first recognizer matches best and worst under the design."""
    order = np.argsort(next(iter(scores.values()))[DESIGNED])
    keys, pairs, textures = evidence.test.keys, evidence.pairs, evidence.textures

    def strip(chosen: NDArray[np.int64]) -> NDArray[np.uint8]:
        enrolled = [store.load(keys[row]).photo for row in pairs.enrolled[chosen]]
        probes = develop_photos([store.load(keys[row]) for row in pairs.probe[chosen]], textures[DESIGNED])
        shown = [np.concatenate([a, texture_pixels(b)]) for a, b in zip(enrolled, probes, strict=True)]
        return np.concatenate(shown, axis=1)

    return PhotoPictures(
        dodged=strip(order[:SHOWN]),
        matched=strip(order[::-1][:SHOWN]),
        # The average face is for measurement; nobody needs to see or print it.
        textures={name: texture_pixels(texture) for name, texture in textures.items() if name != AVERAGE_FACE},
    )
