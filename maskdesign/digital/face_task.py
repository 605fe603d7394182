"""What has to be known before a face is protected: who knows it, its template, and what its pixels may become."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from maskdesign.digital.cells import choose_cells, saliency
from maskdesign.digital.networks import PerturbationNetwork, TrainedNetworks, predicted_worth
from maskdesign.digital.perturb import FaceTask, visual_gain
from maskdesign.digital.region import FaceRegion, face_mask
from maskdesign.digital.settings import ProtectSettings
from maskdesign.digital.sight import enroll_photo
from maskdesign.digital.similarity import RADIUS_PX, reference
from maskdesign.digital.superposition import PARTS, TemplateNode, part_maps, superpose
from maskdesign.digital.template import Template
from maskdesign.digital.xor import bit_bounds
from maskdesign.optimize.ensemble import Member
from maskdesign.recognition.recognizer import Recognizer


@dataclass(frozen=True)
class FaceCells:
    """Cells of a template in the working picture.

    Attributes:
        own: (n, 2) left and upper edges of this user's.
        plain: (m, 2) of a user without a seed.
    """

    own: NDArray[np.int32]
    plain: NDArray[np.int32]


def face_task(
    region: FaceRegion,
    image: Tensor,
    recognizers: Sequence[Recognizer],
    settings: ProtectSettings,
    rng: np.random.Generator,
    networks: TrainedNetworks | None = None,
) -> tuple[FaceTask, FaceCells]:
    """The task of one face, and its cells.

    Args:
        image: (C, h, w) working picture in [0, 255].
        networks: say where the recognizers look; None asks the recognizers' own gradients.
    """
    height, width = image.shape[1:]
    members, points, eye = enroll_photo(recognizers, image, region.points_px()), region.points_px(), reference(image)
    gain = visual_gain(eye)
    worth = _worth(region, members, image, settings.tau, rng, networks) * gain[0].sqrt().double().numpy()
    own, plain = (choose_cells(region, worth, settings.template, seed) for seed in (settings.user_seed, None))
    side = np.full((len(own), 1), settings.template.cell_px, np.int32)
    free = torch.from_numpy(Template(np.concatenate([own, side], axis=1)).mask(height, width))
    low, high = bit_bounds(image, settings.low_bits)
    inner = slice(RADIUS_PX, -RADIUS_PX)
    return FaceTask(
        members=members,
        points_px=points,
        eye=eye,
        low=torch.where(free, low, image),
        high=torch.where(free, high, image),
        face=torch.from_numpy(face_mask(region, height, width)[inner, inner].copy()),
        gain=gain,
    ), FaceCells(own, plain)


def _worth(
    region: FaceRegion,
    members: Sequence[Member],
    image: Tensor,
    tau: Sequence[Sequence[float]],
    rng: np.random.Generator,
    networks: TrainedNetworks | None,
) -> NDArray[np.float64]:
    """(h, w), how much the recognizers look at each pixel."""
    if networks is None and not tau:
        return saliency(members, image, region.points_px(), rng).sum(dim=0).double().numpy()
    nodes = []
    for member in members:
        name = member.recognizer.spec.name
        if networks is None:
            worth = saliency([member], image, region.points_px(), rng).mean(dim=0)
        else:
            worth = predicted_worth(networks.templates[name], image)
        nodes.append(TemplateNode(name, worth.double().numpy()))
    weights = np.array(tau) if tau else np.ones((len(nodes), len(PARTS)))
    return superpose(nodes, part_maps(region, *image.shape[1:]), weights)


@torch.no_grad()
def generated_change(generator: PerturbationNetwork, task: FaceTask, rng: np.random.Generator) -> Tensor:
    """(C, h, w) change that a trained network proposes under the task's template."""
    image, free = task.eye.pixels, (task.high > task.low).any(dim=0)
    noise = torch.from_numpy(rng.normal(size=(1, *image.shape[1:])).astype(np.float32))
    whole = image.expand(3, -1, -1).round()
    change = generator(whole, noise, free) - whole
    return change if len(image) == 3 else change.mean(dim=0, keepdim=True)
