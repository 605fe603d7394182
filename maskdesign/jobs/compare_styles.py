"""What wearability costs: one design in several styles, from a free one to small repeats; whose sheets show faces."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from maskdesign.evaluation.controls import natural_print
from maskdesign.files import write_image
from maskdesign.jobs.compare_methods import control_rows
from maskdesign.jobs.config import JobConfig, load_config
from maskdesign.jobs.contest import Contest, designed_row, judged_row, open_contest, prepared_contest
from maskdesign.jobs.ground import without_scores
from maskdesign.jobs.picture import PICTURE_ALONE, laid_picture
from maskdesign.optimize.texture import texture_pixels, texture_tensor
from maskdesign.progress import Progress
from maskdesign.recognition.registry import load_recognizers
from maskdesign.run import Run, locked

FREE = "free"
PICTURE = "picture.png"
"""In the folder of a comparison: a flowered cloth, as the picture that a user could have taken."""
WITHOUT_FACE = "objective.face_weight=0.3"
CAMOUFLAGE_INKS = 'texture.inks=["#3b3a2a","#6b6b47","#a39a74","#d9d2b4"]'
TEXTILE_INKS = 'texture.inks=["#14213d","#f7f5ef","#2a9d8f","#8ecae6"]'
STYLES: Mapping[str, tuple[str, ...]] = {
    FREE: (),
    "free, no face": (WITHOUT_FACE,),
    "small shapes, no face": (WITHOUT_FACE, "texture.largest_mm=30"),
    "large shapes": (WITHOUT_FACE, "texture.grid_mm=7.5", "objective.tv_weight=1.0"),
    "camouflage": (WITHOUT_FACE, CAMOUFLAGE_INKS, "texture.grid_mm=5.0"),
    "tiles 2 x 2": (WITHOUT_FACE, TEXTILE_INKS, "texture.repeats=[2,2]"),
    "tiles 5 x 4": (TEXTILE_INKS, "texture.repeats=[5,4]"),
    "a picture": (WITHOUT_FACE, f"picture.file={PICTURE}"),
}
"""Settings over the free style, each of which keeps more of a sheet from being drawn at will."""


def compare_styles(
    folder: Path, people: int, settings: Sequence[str], out: Path, models_dir: Path | None, progress: Progress
) -> dict[str, Any]:
    """Design once in every style for the same people and judge all of them on the same tested people.

    Args:
        folder: photos as PERSON/PERSON_0001.jpg, and pairs.txt.
        people: to design for.
        settings: of the free style; a style's own win. `picture.file` is the picture of the style that has one, in the
            place of a flowered cloth.
        out: folder of the comparison; the same call goes on there.

    Raises:
        MaskdesignError: anything a user can cause, in one line with the remedy.
    """
    picture, settings = own_picture(settings)
    config = load_config(None, settings)
    if picture:
        # What is wrong with it is to be said before hours of work.
        laid_picture(_with_picture(config, picture), config.texture.texel_mm)
    every = load_recognizers(models_dir, config.recognizers)
    run = open_contest(folder, people, config, out, every)
    with locked(run):
        contest = prepared_contest(run, folder, people, config, models_dir, every, (None,), progress)
        progress.stage("Styles")
        write_image(run.picture, texture_pixels(natural_print(config.mask, config.texture.print_texel_mm)))
        rows = list(control_rows(contest))
        for number, (name, own) in enumerate(STYLES.items()):
            styled = replace(contest, config=_styled(run, settings, own, picture))
            if styled.config.picture.file:
                rows.append(_picture_row(styled))
            rows.append(designed_row(styled, name, None))
            progress.advance(number + 1, len(STYLES), name)
    return {
        "met": list(contest.met),
        "steps": config.design.steps,
        "seed": config.seed,
        "styles": {name: list(own) for name, own in STYLES.items()},
        "rows": [row | {"recognizers": without_scores(row["recognizers"])} for row in rows],
        "kept": kept_gains(rows),
        "left_out": left_out_shares(rows, contest),
    }


def left_out_shares(rows: Sequence[Mapping[str, Any]], contest: Contest) -> list[dict[str, Any]]:
    """For each style the share of the free style's gain that is kept over all recognizers that were left out.

    Returns:
        "style", "share" and "share_ci", 95 % of bootstrap resamplings of people in each of which the strongest control
        is found anew; resamplings in which the free style gains nothing count as nothing kept. Empty where no
        recognizer was left out.
    """
    ground = contest.grounds[None]
    judges = [recognizer.spec for recognizer in ground.recognizers if recognizer.spec.name not in contest.met]
    if not judges:
        return []
    owners = ground.pairs.people[ground.pairs.probe]
    missed = {
        row["method"]: np.array([np.array(row["recognizers"][s.name]["scores"]) < s.thresholds["1e-3"] for s in judges])
        for row in rows
    }
    random = np.random.Generator(np.random.Philox(key=contest.config.seed))
    people = np.unique(owners)
    own = [np.flatnonzero(owners == person) for person in people]
    rounds = [
        _shares({name: found[:, chosen] for name, found in missed.items()})
        for chosen in (
            np.concatenate([own[place] for place in random.integers(0, len(own), len(own))])
            for _ in range(contest.config.photos.bootstrap_rounds)
        )
    ]
    whole = _shares(missed)
    return [
        {
            "style": name,
            "share": share,
            "share_ci": np.percentile([shares[name] for shares in rounds], [2.5, 97.5]).tolist(),
        }
        for name, share in whole.items()
    ]


def _shares(missed: Mapping[str, np.ndarray]) -> dict[str, float]:
    rates = {name: found.mean(axis=1) for name, found in missed.items()}
    controls = np.max([rate for name, rate in rates.items() if name not in STYLES], axis=0)
    whole = float((rates[FREE] - controls).sum())
    return {
        name: float((rate - controls).sum()) / whole if whole > 0 else 0.0
        for name, rate in rates.items()
        if name in STYLES
    }


def own_picture(settings: Sequence[str]) -> tuple[str, tuple[str, ...]]:
    """The user's picture, empty where there is none, and the settings without it: the other styles have no picture."""
    rest = tuple(setting for setting in settings if setting.partition("=")[0].strip() != "picture.file")
    return load_config(None, settings).picture.file, rest


def _styled(run: Run, settings: Sequence[str], own: Sequence[str], picture: str) -> JobConfig:
    config = load_config(None, (*settings, *own))
    return _with_picture(config, picture or str(run.path(config.picture.file))) if config.picture.file else config


def _with_picture(config: JobConfig, file: str) -> JobConfig:
    return replace(config, picture=replace(config.picture, file=file))


def _picture_row(contest: Contest) -> dict[str, Any]:
    """The picture as it is: a control, since it too is a busy print."""
    pixels = laid_picture(contest.config, contest.config.texture.texel_mm)
    return judged_row(contest, PICTURE_ALONE, None, texture_tensor(pixels))


def kept_gains(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """For each style and recognizer: its gain over the strongest control, and which share of the free style's that is.

    The share is None where the free style gains nothing.
    """
    controls = [row for row in rows if row["method"] not in STYLES]
    styled = {row["method"]: row for row in rows if row["method"] in STYLES}
    kept = []
    for recognizer in styled[FREE]["recognizers"]:
        control = max(row["recognizers"][recognizer]["fnmr"] for row in controls)
        whole = styled[FREE]["recognizers"][recognizer]["fnmr"] - control
        for name, row in styled.items():
            gain = row["recognizers"][recognizer]["fnmr"] - control
            share = gain / whole if whole > 0 else None
            kept.append({"style": name, "recognizer": recognizer, "gain": gain, "share": share})
    return kept
