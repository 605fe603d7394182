"""The recognizers as one adversary: probes in, one margin per recognizer and probe out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from maskdesign.errors import ConfigError, InputError
from maskdesign.faces.scan import FaceScan, named_points
from maskdesign.recognition.align import align_faces
from maskdesign.recognition.recognizer import Recognizer
from maskdesign.recognition.score import margins, scores
from maskdesign.render.bank import ShotBank
from maskdesign.render.camera import project_points
from maskdesign.render.renderer import Shot, develop_shots
from maskdesign.render.scene import Scene
from maskdesign.render.view import View


@dataclass(frozen=True)
class Member:
    """A recognizer and whom it knows.

    Attributes:
        recognizer: the network with its specification.
        enrolment: (E,) embedding of the wearer without a mask.
    """

    recognizer: Recognizer
    enrolment: Tensor


@dataclass(frozen=True)
class Wearer:
    """Everything of the wearer that does not change between views.

    Attributes:
        face: the head; its landmarks align the crops.
        scenes: head and mask at several pleat openings; a view names one by its index.
    """

    face: FaceScan
    scenes: tuple[Scene, ...]


def landmark_pixels(face: FaceScan, views: Sequence[View], names: tuple[str, ...]) -> Tensor:
    """Where a head's landmarks lie in each view: known 3D points through the camera, no detector.

    Returns:
        (B, n, 2) float32 pixels.
    """
    points_mm = face.points_mm(names)
    projected = np.stack([project_points(view.camera, points_mm)[:, :2] for view in views])
    return torch.from_numpy(projected.astype(np.float32))


def score_images(member: Member, face: FaceScan, views: Sequence[View], images: Tensor) -> Tensor:
    """Similarity of each rendered view to the enrolled wearer.

    Args:
        images: (B, 3, H, W) sRGB in [0, 1], one for each view.

    Returns:
        (B,) scores, higher means more alike; differentiable with respect to `images`.
    """
    spec = member.recognizer.spec
    crops = align_faces(images, landmark_pixels(face, views, spec.points), spec)
    return scores(spec, member.recognizer.embed(crops), member.enrolment)


@dataclass(frozen=True, eq=False)
class Probe:
    """A picture that lacks only its print, and whom it claims to show.

    Attributes:
        shot: visibility, light and camera.
        points_px: landmark name -> (2,) pixels in the picture.
        enrolments: for each recognizer of the ensemble, (E,) embedding of the person without a mask.
    """

    shot: Shot
    points_px: Mapping[str, NDArray[np.float64]]
    enrolments: tuple[Tensor, ...]


class ProbeSource(Protocol):
    """Where a design's probes come from; what it gives depends on its arguments alone."""

    def probes(self, step: int, count: int) -> list[Probe]:
        """Fresh probes for one step of a design."""
        ...

    def fixed_probes(self, stream: int, count: int) -> list[Probe]:
        """Probes that are the same at every call; `stream` takes the place of a step."""
        ...


@dataclass(frozen=True, eq=False)
class WearerProbes:
    """Rendered views of one wearer; a `ProbeSource`.

    Attributes:
        face: the head whose landmarks align the crops.
        members: the recognizers, which know the wearer.
        bank: the views.
    """

    face: FaceScan
    members: tuple[Member, ...]
    bank: ShotBank

    def probes(self, step: int, count: int) -> list[Probe]:
        """Fresh views."""
        return self._probes(self.bank.shots(step, count))

    def fixed_probes(self, stream: int, count: int) -> list[Probe]:
        """The same views at every call."""
        return self._probes(self.bank.fixed_shots(stream, count))

    def _probes(self, shots: Sequence[Shot]) -> list[Probe]:
        names = tuple(self.face.landmarks)
        places = landmark_pixels(self.face, [shot.view for shot in shots], names).double().numpy()
        enrolments = tuple(member.enrolment for member in self.members)
        return [
            Probe(shot, dict(zip(names, p, strict=True)), enrolments) for shot, p in zip(shots, places, strict=True)
        ]


def embed_probes(recognizer: Recognizer, probes: Sequence[Probe], images: Tensor) -> Tensor:
    """(B, E) embeddings of the pictures of probes, aligned by the probes' landmarks."""
    points = np.stack([named_points(probe.points_px, recognizer.spec.points) for probe in probes])
    return recognizer.embed(align_faces(images, torch.from_numpy(points).to(images.dtype), recognizer.spec))


def claimed_embeddings(probes: Sequence[Probe], place: int) -> Tensor:
    """(B, E) whom each probe claims to show, as the recognizer at that place of the ensemble knows them."""
    return torch.stack([probe.enrolments[place] for probe in probes])


def probe_margins(recognizers: Sequence[Recognizer], probes: Sequence[Probe], texture: Tensor) -> Tensor:
    """Print a texture into every probe and let every recognizer judge it.

    Args:
        texture: (3, h, w) sRGB in [0, 1].

    Returns:
        (R, B) margins at FMR 1e-3, > 0 = recognized; differentiable with respect to `texture`.
    """
    images = develop_shots([probe.shot for probe in probes], texture)
    embedded = [embed_probes(recognizer, probes, images) for recognizer in recognizers]
    return embedding_margins(recognizers, probes, embedded)


def embedding_margins(recognizers: Sequence[Recognizer], probes: Sequence[Probe], embedded: Sequence[Tensor]) -> Tensor:
    """(R, B) margins at FMR 1e-3 of probes that every recognizer has embedded."""
    rows = []
    for place, (recognizer, embeddings) in enumerate(zip(recognizers, embedded, strict=True)):
        spec = recognizer.spec
        rows.append(margins(spec, scores(spec, embeddings, claimed_embeddings(probes, place))))
    return torch.stack(rows)


def check_ensemble(recognizers: Sequence[Recognizer], probes: Sequence[Probe]) -> None:
    """Refuse an ensemble that cannot be fused.

    Raises:
        ConfigError: nobody is in it.
        InputError: recognizers that disagree on people: one does not know whom a probe claims to show.
    """
    if not recognizers:
        raise ConfigError("an ensemble needs at least one recognizer; name some in `recognizers`")
    names = [recognizer.spec.name for recognizer in recognizers]
    for number, probe in enumerate(probes):
        if len(probe.enrolments) != len(recognizers):
            raise InputError(
                f"probe {number} is enrolled with {len(probe.enrolments)} recognizers, but the ensemble has "
                f"{len(recognizers)} ({', '.join(names)}); enrol everybody with every recognizer"
            )
        for recognizer, known in zip(recognizers, probe.enrolments, strict=True):
            if tuple(known.shape) != (recognizer.spec.embedding_size,) or not bool(torch.isfinite(known).all()):
                raise InputError(
                    f"{recognizer.spec.name} does not know whom probe {number} claims to show: an embedding of "
                    f"{tuple(known.shape)} where {recognizer.spec.embedding_size} finite numbers belong; enrol them"
                )
