"""The ground on which designs are compared: the same people, pictures and recognizers for every one of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from maskdesign.errors import ConfigError
from maskdesign.evaluation.pairs import Photo, read_pairs
from maskdesign.evaluation.protocol import DesignPeople, choose_design_people, pairs_to_test
from maskdesign.evaluation.verification import ProbeSet, genuine_scores, people_interval
from maskdesign.jobs.config import JobConfig
from maskdesign.jobs.groups import Group, design_photos, photo_jobs, read_groups
from maskdesign.jobs.photo_data import read_data, test_jobs, tested_pairs
from maskdesign.jobs.photo_store import PhotoStore
from maskdesign.optimize.photo_probes import embed_bare, embed_printed
from maskdesign.progress import Progress
from maskdesign.recognition.recognizer import Recognizer
from maskdesign.recognition.score import margins
from maskdesign.render.masked_photo import MaskedPhoto

FREE_STYLE = (
    "texture.repeats=[1,1]",
    'texture.inks=["#000000","#ffffff","#ff0000","#00ff00","#0000ff","#ffff00","#00ffff","#ff00ff"]',
)
"""An unconstrained texture: what a method can reach, not what anybody should wear."""


@dataclass(frozen=True, eq=False)
class Ground:
    """Three groups of people who share nobody.

    Attributes:
        recognizers: that judge.
        design, held_out: printed on in the steps, and looked at to choose.
        tested: masked photos of the test.
        bare: for each recognizer (n, E) embeddings of these photos without masks.
        pairs: genuine pairs of the test.
    """

    recognizers: tuple[Recognizer, ...]
    design: Group
    held_out: Group
    tested: list[MaskedPhoto]
    bare: list[Tensor]
    pairs: ProbeSet


def choose_people(folder: Path, count: int, config: JobConfig) -> tuple[DesignPeople, list[tuple[Photo, Photo]]]:
    """Whom a comparison designs for, and the genuine pairs that it tests; arguments as in `prepare_ground`.

    Raises:
        InputError: no list of pairs, or one with too few folds or people.
    """
    folds = read_pairs(folder / "pairs.txt")
    genuine = pairs_to_test(folds, config.photos)
    return choose_design_people(folds, config.photos, count, config.seed), genuine


def prepare_ground(
    folder: Path,
    count: int,
    config: JobConfig,
    models_dir: Path | None,
    recognizers: Sequence[Recognizer],
    store: PhotoStore,
    progress: Progress,
) -> Ground:
    """Mask and embed everybody's photos, or read what an earlier call left in the store.

    Args:
        folder: photos as PERSON/PERSON_0001.jpg, and pairs.txt.
        count: people to design for.

    Raises:
        ConfigError: an ensemble of nobody.
        InputError: photos or pairs that are missing.
    """
    if not recognizers:
        raise ConfigError("a comparison needs at least one recognizer; name some in `recognizers`")
    people, genuine = choose_people(folder, count, config)
    jobs = photo_jobs(folder, design_photos(people), config)
    progress.stage("Masked photos")
    design, held_out, _ = read_groups(store, jobs, people, recognizers, models_dir, progress)
    test = read_data(store, test_jobs(folder, genuine, config), folder, progress)
    tested = [store.load(key) for key in test.keys]
    bare = [embed_bare(recognizer, tested) for recognizer in recognizers]
    return Ground(tuple(recognizers), design, held_out, tested, bare, tested_pairs(test, genuine))


def of_recognizers(ground: Ground, names: Sequence[str]) -> Ground:
    """The same ground, on which only some recognizers are met."""
    places = [place for place, entry in enumerate(ground.recognizers) if entry.spec.name in names]
    return replace(
        ground,
        recognizers=tuple(ground.recognizers[place] for place in places),
        design=_group_of(ground.design, places),
        held_out=_group_of(ground.held_out, places),
        bare=[ground.bare[place] for place in places],
    )


def _group_of(group: Group, places: Sequence[int]) -> Group:
    enrolments = [tuple(known[place] for place in places) for known in group.enrolments]
    return replace(group, enrolments=enrolments, known=[group.known[place] for place in places])


def without_scores(found: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """What `judge_texture` found but for the scores, which stay in the files of each design."""
    return {name: {key: value for key, value in row.items() if key != "scores"} for name, row in found.items()}


def judge_texture(ground: Ground, texture: Tensor | None, rounds: int) -> dict[str, dict[str, Any]]:
    """What each recognizer makes of the tested people with a print on their masks.

    Args:
        texture: (3, h, w) sRGB in [0, 1]; None for no mask at all.
        rounds: bootstrap resamplings of people.

    Returns:
        recognizer -> "fnmr" at the specification's threshold for FMR 1e-3, "fnmr_ci", mean "margin" and "scores".
    """
    owners = ground.pairs.people[ground.pairs.probe]
    found = {}
    for recognizer, bare in zip(ground.recognizers, ground.bare, strict=True):
        spec = recognizer.spec
        probes = bare if texture is None else embed_printed(recognizer, ground.tested, texture)
        scores = genuine_scores(spec, bare, probes, ground.pairs)
        missed = scores < spec.thresholds["1e-3"]
        found[spec.name] = {
            "fnmr": float(missed.mean()),
            "fnmr_ci": people_interval([missed], owners, rounds),
            "margin": float(margins(spec, torch.from_numpy(scores)).mean()),
            "scores": scores.tolist(),
        }
    return found
