"""How recognizers see a working picture: jittered as by other detectors and cameras, so that a change lasts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from maskdesign.faces.scan import named_points
from maskdesign.optimize.ensemble import Member
from maskdesign.recognition.align import align_faces
from maskdesign.recognition.recognizer import Recognizer
from maskdesign.recognition.score import margins, scores

Points = Mapping[str, NDArray[np.float64]]


@dataclass(frozen=True)
class JitterRanges:
    """Spread of the random views.

    Attributes:
        shift: standard deviation of the crop's place, as a share of the distance between the outer eye corners.
        scale, turn_rad: standard deviations of its size (natural logarithm) and its turn.
        blur: largest weight of the neighbors on each side in a binomial blur, drawn anew for half of the views.
    """

    shift: float = 0.015
    scale: float = 0.02
    turn_rad: float = 0.02
    blur: float = 0.25


@dataclass(frozen=True)
class Jitter:
    """One random view: x -> scale * turn * (x - center) + center + shift, perhaps mirrored, perhaps blurred."""

    shift: tuple[float, float]
    factor: complex
    mirrored: bool
    blur: float


STEADY = Jitter((0.0, 0.0), 1 + 0j, False, 0.0)


def draw_jitter(ranges: JitterRanges, rng: np.random.Generator) -> Jitter:
    """One random view."""
    shift = rng.normal(0, ranges.shift, 2)
    factor = np.exp(complex(rng.normal(0, ranges.scale), rng.normal(0, ranges.turn_rad)))
    blur = rng.uniform(0, ranges.blur) * (rng.random() < 0.5)
    return Jitter((float(shift[0]), float(shift[1])), complex(factor), bool(rng.random() < 0.5), float(blur))


def _moved(points_px: NDArray[np.float64], span_px: float, jitter: Jitter) -> NDArray[np.float64]:
    plane = points_px[:, 0] + 1j * points_px[:, 1]
    center = plane.mean()
    plane = (plane - center) * jitter.factor + center + span_px * complex(*jitter.shift)
    return np.stack([plane.real, plane.imag], axis=1)


def blurred(image: Tensor, weight: float) -> Tensor:
    """Binomial blur of (C, h, w): `weight` for each neighbor, the rest for the pixel itself."""
    if weight == 0:
        return image
    kernel = image.new_tensor([weight, 1 - 2 * weight, weight])
    padded = functional.pad(image[:, None], (1, 1, 1, 1), mode="replicate")
    return functional.conv2d(functional.conv2d(padded, kernel[None, None, None]), kernel[None, None, :, None])[:, 0]


def embed_view(recognizer: Recognizer, image: Tensor, points_px: Points, jitter: Jitter = STEADY) -> Tensor:
    """Embedding of a face.

    Args:
        image: (1 or 3, h, w) in [0, 255].
        points_px: named landmarks in its pixels.

    Returns:
        (E,), differentiable with respect to `image`.
    """
    span = float(np.linalg.norm(points_px["eye_outer_right"] - points_px["eye_outer_left"]))
    points = _moved(named_points(points_px, recognizer.spec.points), span, jitter)
    colors = blurred(image, jitter.blur).expand(3, -1, -1)[None] / 255
    crops = align_faces(colors, torch.tensor(points, dtype=torch.float32)[None], recognizer.spec)
    return recognizer.embed(crops.flip(3) if jitter.mirrored else crops)[0]


def view_margins(members: Sequence[Member], image: Tensor, points_px: Points, jitter: Jitter = STEADY) -> Tensor:
    """(R,) margins of one view at FMR 1e-3 against whom each member knows, > 0 = recognized; differentiable."""
    found = []
    for member in members:
        spec = member.recognizer.spec
        embedding = embed_view(member.recognizer, image, points_px, jitter)
        found.append(margins(spec, scores(spec, embedding[None], member.enrolment))[0])
    return torch.stack(found)


@torch.no_grad()
def enroll_photo(recognizers: Sequence[Recognizer], image: Tensor, points_px: Points) -> tuple[Member, ...]:
    """Every recognizer knows the unchanged photo: whoever is no longer taken for it is no longer taken for others of
    that person, which resemble it less.
    """
    return tuple(Member(recognizer, embed_view(recognizer, image, points_px)) for recognizer in recognizers)
