"""The table: every texture in every view under every recognizer, with intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from maskdesign.evaluation.metrics import bootstrap_mean_interval, fnmr
from maskdesign.optimize.ensemble import Member, Wearer, score_images
from maskdesign.progress import Progress
from maskdesign.recognition.score import margins
from maskdesign.render.reference import render_views_reference
from maskdesign.render.renderer import RenderSettings, render_views
from maskdesign.render.view import View

NO_MASK = "no mask"
DESIGNED = "designed"
UPSIDE_DOWN = "designed upside down"
OWN_RASTERIZER = "zbuffer"
"""The back end that designs are made with."""


@dataclass(frozen=True)
class Row:
    """One texture under one recognizer.

    Attributes:
        recognizer, texture: names.
        views: number of views.
        mean_score: mean similarity to the enrolled portrait, higher = more alike.
        mean_margin: mean (score - threshold at FMR 1e-3) / (genuine - impostor mean); > 0 = recognized.
        fnmr_1e2, fnmr_1e3: share of views not recognized at the thresholds for FMR 1e-2 and 1e-3.
        fnmr_1e3_ci: 95 % bootstrap interval over the views.
        mean_margin_ci: the same for the margin.
    """

    recognizer: str
    texture: str
    views: int
    mean_score: float
    mean_margin: float
    fnmr_1e2: float
    fnmr_1e3: float
    fnmr_1e3_ci: tuple[float, float]
    mean_margin_ci: tuple[float, float]


@dataclass(frozen=True)
class Gain:
    """The designed texture against one control, paired over the views.

    Attributes:
        recognizer, control: names.
        fnmr_1e3: FNMR(designed) - FNMR(control) at FMR 1e-3, with its 95 % bootstrap interval.
        margin: mean margin(control) - mean margin(designed), > 0 = the design helps, with its interval.
    """

    recognizer: str
    control: str
    fnmr_1e3: float
    fnmr_1e3_ci: tuple[float, float]
    margin: float
    margin_ci: tuple[float, float]


@dataclass(frozen=True)
class Evaluation:
    """Rows, gains, and the raw scores they come from.

    Attributes:
        rows, gains: one entry for each recognizer and texture or control.
        photo_margins: recognizer -> margin of the real photograph against the rendered enrolment, > 0 = recognized:
            how real the head is.
        faces_on_sheet: detector -> in how many of 8 pictures of the flat sheet alone it finds a face; 0 is wanted.
        scores: recognizer -> texture -> score in each view.
        rasterizer: the back end that worked out visibility.
    """

    rows: tuple[Row, ...]
    gains: tuple[Gain, ...]
    photo_margins: Mapping[str, float]
    faces_on_sheet: Mapping[str, int]
    scores: Mapping[str, Mapping[str, tuple[float, ...]]]
    rasterizer: str = OWN_RASTERIZER


def score_textures(
    members: Sequence[Member],
    masked: Wearer,
    bare: Wearer,
    views: Sequence[View],
    textures: Mapping[str, Tensor],
    settings: RenderSettings,
    batch: int,
    progress: Progress,
    rasterizer: str = OWN_RASTERIZER,
) -> dict[str, dict[str, NDArray[np.float64]]]:
    """Scores by recognizer and texture; `NO_MASK` comes from the bare head.

    Args:
        rasterizer: what works out visibility; another one than the design's goes through the reference renderer.

    Returns:
        recognizer name -> texture name -> (views,) scores.
    """
    jobs = [(NO_MASK, bare, next(iter(textures.values())))] + [
        (name, masked, image) for name, image in textures.items()
    ]
    found: dict[str, dict[str, list[float]]] = {member.recognizer.spec.name: {} for member in members}
    for done, (name, wearer, texture) in enumerate(jobs):
        for start in range(0, len(views), batch):
            part = views[start : start + batch]
            images = _pictures(wearer, part, texture, settings, rasterizer)
            _score_batch(members, wearer, part, images, name, found)
        progress.advance(done + 1, len(jobs), name)
    return {recognizer: {name: np.array(s) for name, s in by_name.items()} for recognizer, by_name in found.items()}


@torch.no_grad()
def _pictures(
    wearer: Wearer, views: Sequence[View], texture: Tensor, settings: RenderSettings, rasterizer: str
) -> Tensor:
    if rasterizer == OWN_RASTERIZER:
        return render_views(wearer.scenes, views, texture, settings)
    return render_views_reference(wearer.scenes, views, texture, settings, rasterizer)


@torch.no_grad()
def _score_batch(
    members: Sequence[Member],
    wearer: Wearer,
    views: Sequence[View],
    images: Tensor,
    name: str,
    found: dict[str, dict[str, list[float]]],
) -> None:
    for member in members:
        values = score_images(member, wearer.face, views, images).tolist()
        found[member.recognizer.spec.name].setdefault(name, []).extend(values)


def evaluate_scores(
    members: Sequence[Member],
    scores: Mapping[str, Mapping[str, NDArray[np.float64]]],
    rounds: int,
    photo_margins: Mapping[str, float],
    faces_on_sheet: Mapping[str, int],
) -> Evaluation:
    """Rows and gains from scores.

    Args:
        scores: recognizer name -> texture name -> (views,).
        rounds: bootstrap resamplings.
        photo_margins, faces_on_sheet: as in `Evaluation`.
    """
    rows, gains = [], []
    for member in members:
        by_texture = scores[member.recognizer.spec.name]
        rows += [_row(member, name, values, rounds) for name, values in by_texture.items()]
        controls = [name for name in by_texture if name not in (NO_MASK, DESIGNED, UPSIDE_DOWN)]
        gains += [_gain(member, name, by_texture[DESIGNED], by_texture[name], rounds) for name in controls]
    raw = {name: {texture: tuple(map(float, s)) for texture, s in group.items()} for name, group in scores.items()}
    return Evaluation(tuple(rows), tuple(gains), photo_margins, faces_on_sheet, raw)


def _row(member: Member, texture: str, scores: NDArray[np.float64], rounds: int) -> Row:
    spec = member.recognizer.spec
    strict, loose = spec.thresholds["1e-3"], spec.thresholds["1e-2"]
    margin = _margins(member, scores)
    return Row(
        recognizer=spec.name,
        texture=texture,
        views=len(scores),
        mean_score=float(scores.mean()),
        mean_margin=float(margin.mean()),
        fnmr_1e2=fnmr(scores, loose),
        fnmr_1e3=fnmr(scores, strict),
        fnmr_1e3_ci=bootstrap_mean_interval((scores < strict).astype(float), rounds=rounds),
        mean_margin_ci=bootstrap_mean_interval(margin, rounds=rounds),
    )


def _gain(member: Member, control: str, designed: NDArray[np.float64], other: NDArray[np.float64], rounds: int) -> Gain:
    spec = member.recognizer.spec
    threshold = spec.thresholds["1e-3"]
    missed = (designed < threshold).astype(float) - (other < threshold).astype(float)
    margin = _margins(member, other) - _margins(member, designed)
    return Gain(
        recognizer=spec.name,
        control=control,
        fnmr_1e3=float(missed.mean()),
        fnmr_1e3_ci=bootstrap_mean_interval(missed, rounds=rounds),
        margin=float(margin.mean()),
        margin_ci=bootstrap_mean_interval(margin, rounds=rounds),
    )


def _margins(member: Member, scores: NDArray[np.float64]) -> NDArray[np.float64]:
    return margins(member.recognizer.spec, torch.from_numpy(scores)).numpy()


def strongest_control(evaluation: Evaluation, recognizer: str) -> Gain:
    """The control that comes closest to the design under a recognizer: the smallest gain in margin."""
    return min((gain for gain in evaluation.gains if gain.recognizer == recognizer), key=lambda gain: gain.margin)


def row_dicts(evaluation: Evaluation) -> list[dict]:
    """The rows as plain dictionaries, for JSON."""
    return [asdict(row) for row in evaluation.rows]
