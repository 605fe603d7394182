"""Recognizers that disagree on people: one that takes a person for somebody else before any mask has nothing to lose.

Its rate of misses would be in the interval from the first look on, and a design would heed it for nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from maskdesign.errors import InputError
from maskdesign.faces.scan import FaceScan
from maskdesign.optimize.ensemble import Member, score_images
from maskdesign.optimize.step import VALIDATION_STREAM
from maskdesign.recognition.recognizer import Recognizer
from maskdesign.recognition.score import margins, scores
from maskdesign.render.distribution import ViewRanges, sample_views
from maskdesign.render.renderer import render_views
from maskdesign.render.scene import Scene

LEAST_KNOWN = 0.1
"""Share of pictures without a mask in which a recognizer must know whom it has enrolled."""
VIEWS = 8


def check_agreement(recognizers: Sequence[Recognizer], bare: Sequence[Tensor]) -> None:
    """Refuse a recognizer that does not know the people whom it shall be made to miss.

    Args:
        bare: for each recognizer (n,) margins of pictures without masks against the person's own enrolment.

    Raises:
        InputError: one that knows fewer than a tenth of them.
    """
    known = {entry.spec.name: float((row > 0).double().mean()) for entry, row in zip(recognizers, bare, strict=True)}
    for name, share in known.items():
        if share < LEAST_KNOWN:
            others = [f'"{other}"' for other in known if known[other] >= LEAST_KNOWN]
            remedy = f"or leave it out with --set 'recognizers=[{','.join(others)}]'" if others else "or another photo"
            raise InputError(
                f"{name} knows its people in {share:.0%} of the pictures without a mask, so that no mask can hide them "
                f"from it; calibrate its thresholds (maskdesign models calibrate), {remedy}"
            )


@torch.no_grad()
def check_wearer(members: Sequence[Member], face: FaceScan, bare: Scene, ranges: ViewRanges, seed: int) -> None:
    """The same for one wearer, in views as the design will meet them but for the mask.

    Raises:
        InputError: as `check_agreement`.
    """
    views = sample_views(ranges, seed, VALIDATION_STREAM, VIEWS, 1)
    images = [render_views((bare,), (view,), torch.zeros(3, 2, 2)) for view in views]
    shown = list(zip(views, images, strict=True))
    found = [
        margins(
            member.recognizer.spec, torch.cat([score_images(member, face, (view,), image) for view, image in shown])
        )
        for member in members
    ]
    check_agreement([member.recognizer for member in members], found)


def check_people(recognizers: Sequence[Recognizer], known: Sequence[Tensor], enrolled: Sequence[Tensor]) -> None:
    """The same for many people.

    Args:
        known: for each recognizer (n, E) embeddings of photos without masks.
        enrolled: for each recognizer (n, E) whom each of them shows, from other photos.

    Raises:
        InputError: as `check_agreement`.
    """
    rows = zip(recognizers, known, enrolled, strict=True)
    found = [margins(entry.spec, scores(entry.spec, probes, claimed)) for entry, probes, claimed in rows]
    check_agreement(recognizers, found)
