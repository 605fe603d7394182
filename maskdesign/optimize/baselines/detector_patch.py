"""The printable patch against detectors: not to be found, rather than not to be recognized.

Source: Thys, Van Ranst and Goedeme 2019: the detector's objectness, 0.01 NPS and 2.5 TV in their units. Their detector
finds persons and is YOLOv2; here MTCNN's three networks look at the crop in which each of them would find the face.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F  # noqa: N812 - the field's name
from torch import Tensor

from maskdesign.optimize.baselines.baseline import Baseline
from maskdesign.optimize.ensemble import Probe, embed_probes, embedding_margins
from maskdesign.optimize.objective import total_variation
from maskdesign.optimize.photo_probes import PhotoJitter
from maskdesign.optimize.printability import non_printability
from maskdesign.recognition.mtcnn import OUTPUT_PX, PROPOSAL_PX, REFINEMENT_PX
from maskdesign.recognition.mtcnn_nets import Cascade, load_cascade
from maskdesign.recognition.recognizer import Recognizer
from maskdesign.render.renderer import develop_shots

BOX_EYES = 2.6
"""Side of the square around a face in distances between its eyes."""
SURE = 1e-6


def face_boxes(probes: Sequence[Probe]) -> Tensor:
    """(B, 3) middle (x, y) and half side, in pixels, of the square in which MTCNN would find each probe's face."""
    rows = []
    for probe in probes:
        points = probe.points_px
        eyes = [(points[f"eye_outer_{s}"] + points[f"eye_inner_{s}"]) / 2 for s in ("left", "right")]
        middle = (eyes[0] + eyes[1] + 2 * points["subnasale"]) / 4
        apart = float(((eyes[1] - eyes[0]) ** 2).sum() ** 0.5)
        rows.append([middle[0], middle[1], BOX_EYES / 2 * apart])
    return torch.tensor(rows, dtype=torch.float32)


def face_crops(images: Tensor, boxes: Tensor, side_px: int) -> Tensor:
    """(B, 3, side, side) in [-1, 1], as MTCNN's networks take them; differentiable.

    Args:
        images: (B, 3, H, W) sRGB in [0, 1].
        boxes: of `face_boxes`.
    """
    size = torch.tensor([images.shape[3], images.shape[2]], dtype=images.dtype)
    steps = torch.linspace(-1, 1, side_px, dtype=images.dtype)
    across, down = (boxes[:, axis, None] + boxes[:, 2:] * steps for axis in (0, 1))
    grid = torch.stack(
        torch.broadcast_tensors(across[:, None, :] / size[0] * 2 - 1, down[:, :, None] / size[1] * 2 - 1), dim=-1
    )
    crops = F.grid_sample(images, grid, padding_mode="border", align_corners=False)
    return (crops * 255 - 127.5) / 128


@dataclass(frozen=True, eq=False)
class DetectorLoss:
    """How sure MTCNN is of the face, with printability and smoothness; an `Adversary`.

    Attributes:
        recognizers: only asked for margins, never designed against.
        cascade: MTCNN.
        tv_weight, nps_weight: as in `SimilarityLoss`.
    """

    recognizers: tuple[Recognizer, ...]
    cascade: Cascade
    tv_weight: float = 0.1
    nps_weight: float = 0.1

    def judge(self, probes: Sequence[Probe], texture: Tensor) -> tuple[Tensor, Tensor]:
        """As in `Adversary`; no gradient comes from the margins."""
        images = develop_shots([probe.shot for probe in probes], texture)
        boxes, cascade = face_boxes(probes), self.cascade
        stages = ((cascade.proposal, PROPOSAL_PX), (cascade.refinement, REFINEMENT_PX), (cascade.output, OUTPUT_PX))
        sure = [network(face_crops(images, boxes, side))[-1][..., 1].reshape(len(probes)) for network, side in stages]
        # -log(1 - p): falls evenly however sure the network still is, where p itself is flat near 1.
        loss = -torch.log((1 - torch.stack(sure)).clamp_min(SURE)).mean()
        loss = loss + self.tv_weight * total_variation(texture) + self.nps_weight * non_printability(texture)
        return loss, self._margins(probes, images.detach())

    @torch.no_grad()
    def _margins(self, probes: Sequence[Probe], images: Tensor) -> Tensor:
        embedded = [embed_probes(recognizer, probes, images) for recognizer in self.recognizers]
        return embedding_margins(self.recognizers, probes, embedded)


def _adversary(recognizers: tuple[Recognizer, ...], known: Sequence[Tensor]) -> DetectorLoss:
    return DetectorLoss(recognizers, load_cascade())


DETECTOR_PATCH = Baseline("printable patch", "Thys et al. 2019", None, PhotoJitter(), _adversary)
