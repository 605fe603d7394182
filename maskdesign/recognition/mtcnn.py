"""MTCNN: faces and five points in a picture, by three networks that propose, refine and decide.

Source: K. Zhang et al., Joint face detection and alignment using multi-task cascaded convolutional networks, 2016, with
the thresholds and the conventions of the PyPI package mtcnn 1.0.0.
"""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from maskdesign.recognition.mtcnn_nets import Cascade, CascadeNetwork, load_cascade

MIN_FACE_PX = 20
PYRAMID_FACTOR = 0.709
PROPOSAL_PX, REFINEMENT_PX, OUTPUT_PX = 12, 24, 48
PROPOSAL_THRESHOLD, REFINEMENT_THRESHOLD, OUTPUT_THRESHOLD = 0.6, 0.7, 0.8
MAX_PROPOSALS = 4000
"""Boxes of one level that are compared with each other; bounds the memory of huge pictures."""

Boxes = NDArray[np.float64]
"""(n, 5): left, top, right, bottom in pixels and the score in [0, 1]."""


@torch.no_grad()
def detect_mtcnn(image: NDArray[np.uint8]) -> tuple[Boxes, NDArray[np.float64]]:
    """Find every face of at least 20 pixels.

    Args:
        image: (H, W, 3) uint8 sRGB.

    Returns:
        boxes, the surest first; and (n, 5, 2) pixels: eyes, nose tip, mouth corners, the picture's left before right.

    Raises:
        RecognizerError: the package mtcnn is missing or damaged.

    Convention: the center of the upper left pixel is (0.5, 0.5).
    """
    cascade, picture = _cascade(), _normalized(image)
    boxes = _proposed(cascade.proposal, picture)
    if len(boxes):
        boxes = _refined(cascade.refinement, picture, boxes)
    if not len(boxes):
        return np.zeros((0, 5)), np.zeros((0, 5, 2))
    boxes, points = _decided(cascade.output, picture, boxes)
    size = np.array(image.shape[1::-1], dtype=np.float64)
    boxes[:, :4] = np.clip(boxes[:, :4], 0, np.tile(size - 1, 2)) + 0.5
    return boxes, points + 0.5


@cache
def _cascade() -> Cascade:
    return load_cascade()


def _normalized(image: NDArray[np.uint8]) -> NDArray[np.float32]:
    return (image.astype(np.float32) - 127.5) / 128


def _tensor(picture: NDArray[np.float32]) -> Tensor:
    return torch.from_numpy(picture).permute(2, 0, 1)[None]


def _proposed(network: CascadeNetwork, picture: NDArray[np.float32]) -> Boxes:
    """Every level of the pyramid proposes boxes; of overlapping ones the surest stay."""
    levels = [_proposed_at(network, picture, scale) for scale in pyramid_scales(*picture.shape[:2])]
    boxes = np.concatenate([np.zeros((0, 5)), *levels])
    return squared(kept_boxes(boxes, 0.7))


def pyramid_scales(height_px: int, width_px: int) -> list[float]:
    """Sizes at which the proposal network, which sees faces of 12 pixels, looks at the picture."""
    levels = -np.log(min(height_px, width_px) / PROPOSAL_PX) / np.log(PYRAMID_FACTOR) - 1
    return [PROPOSAL_PX / MIN_FACE_PX * PYRAMID_FACTOR**level for level in range(round(levels))]


def _proposed_at(network: CascadeNetwork, picture: NDArray[np.float32], scale: float) -> Boxes:
    size = (int(picture.shape[1] * scale), int(picture.shape[0] * scale))
    small = np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.float32)
    offsets, faces = (answer[0].double().numpy() for answer in network(_tensor(small)))
    rows, columns = np.nonzero(faces[..., 1] > PROPOSAL_THRESHOLD)
    corner = np.stack([columns, rows], axis=1) * 2.0
    corners = np.concatenate([corner + 1, corner + PROPOSAL_PX], axis=1)
    corners += offsets[rows, columns] * (PROPOSAL_PX - 1)
    return kept_boxes(np.concatenate([corners / scale, faces[rows, columns, 1:]], axis=1), 0.5)


def _refined(network: CascadeNetwork, picture: NDArray[np.float32], boxes: Boxes) -> Boxes:
    offsets, faces = (answer.double().numpy() for answer in network(_patches(picture, boxes, REFINEMENT_PX)))
    boxes = _moved(boxes, offsets, faces)
    return squared(kept_boxes(boxes[boxes[:, 4] > REFINEMENT_THRESHOLD], 0.7))


def _decided(network: CascadeNetwork, picture: NDArray[np.float32], boxes: Boxes) -> tuple[Boxes, NDArray[np.float64]]:
    answers = network(_patches(picture, boxes, OUTPUT_PX))
    offsets, places, faces = (answer.double().numpy() for answer in answers)
    # All x come before all y; places are shares of the patch, counted from 1 as in Matlab.
    relative = places.reshape(-1, 2, 5).transpose(0, 2, 1)
    points = boxes[:, None, :2] + relative * _sizes(boxes)[:, None] - 1
    moved = _moved(boxes, offsets, faces)
    order = _kept_rows(moved, 0.7, of_smaller=True)
    order = order[moved[order, 4] > OUTPUT_THRESHOLD]
    return moved[order], points[order]


def _sizes(boxes: Boxes) -> NDArray[np.float64]:
    return boxes[:, 2:4] - boxes[:, :2] + 1


def _moved(boxes: Boxes, offsets: NDArray[np.float64], faces: NDArray[np.float64]) -> Boxes:
    return np.concatenate([boxes[:, :4] + offsets * np.tile(_sizes(boxes), 2), faces[:, 1:]], axis=1)


def _patches(picture: NDArray[np.float32], boxes: Boxes, side_px: int) -> Tensor:
    """(n, 3, side, side), bilinear; gray outside the picture."""
    size = np.array(picture.shape[1::-1], dtype=np.float64)
    steps = np.linspace(0, 1, side_px)
    places = boxes[:, None, :2] + steps[:, None] * (boxes[:, None, 2:4] - boxes[:, None, :2])
    # The package divides by the size and multiplies by the size - 1; grid_sample does the second.
    places = torch.from_numpy(places / size * 2 - 1).float()
    x, y = places[:, None, :, 0], places[:, :, None, 1]
    grid = torch.stack(torch.broadcast_tensors(x, y), dim=-1)
    one_row = grid.reshape(1, -1, side_px, 2)
    sampled = functional.grid_sample(_tensor(picture), one_row, padding_mode="border", align_corners=True)
    patches = sampled.reshape(3, -1, side_px, side_px).transpose(0, 1)
    return patches * (grid.abs() <= 1).all(dim=-1)[:, None]


def squared(boxes: Boxes) -> Boxes:
    """Boxes of the same middle with both sides as long as the longer one."""
    size = boxes[:, 2:4] - boxes[:, :2]
    middle, half = boxes[:, :2] + size / 2, size.max(axis=1, keepdims=True) / 2
    return np.concatenate([middle - half, middle + half, boxes[:, 4:]], axis=1)


def kept_boxes(boxes: Boxes, limit: float) -> Boxes:
    """Boxes, the surest first, without those that a surer one overlaps by more than `limit` of their union."""
    return boxes[_kept_rows(boxes, limit)]


def _kept_rows(boxes: Boxes, limit: float, of_smaller: bool = False) -> NDArray[np.intp]:
    order = np.argsort(-boxes[:, 4], kind="stable")[:MAX_PROPOSALS]
    low, high = boxes[order, :2], boxes[order, 2:4]
    shared = np.minimum(high[:, None], high) - np.maximum(low[:, None], low)
    common = np.maximum(shared, 0).prod(axis=2)
    area = (high - low).prod(axis=1)
    # As in the package, a box falls also where the surer one falls itself.
    whole = np.minimum(area[:, None], area) if of_smaller else area[:, None] + area - common
    return order[~np.triu(common > limit * whole, k=1).any(axis=0)]
