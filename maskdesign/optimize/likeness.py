"""What keeps a sheet from looking like a face: MTCNN's deciding network, shown windows of the flat sheet alone.

Nobody should be asked to wear a caricature of a face, which is what an unconstrained design tends to become. The loss
asks about windows of several sizes and turns; whether detectors find a face is reported apart (`faces_on_sheet`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F  # noqa: N812 - the field's name
from torch import Tensor

from maskdesign.optimize.adversary import Adversary
from maskdesign.optimize.ensemble import Probe
from maskdesign.recognition.mtcnn import OUTPUT_PX
from maskdesign.recognition.mtcnn_nets import Cascade
from maskdesign.recognition.recognizer import Recognizer

WINDOW_SHARES = (1.0, 0.75, 0.5)
"""Sides of the square windows, in heights of the sheet; they lie half a side apart."""
WORST = 8
"""Windows of those that look most like a face, which the loss is about."""
SURE = 1e-6


def sheet_windows(height: int, width: int) -> Tensor:
    """(n, 3) middle (x, y) and half side, in texels, of all windows."""
    rows = []
    for share in WINDOW_SHARES:
        half = share * min(height, width) / 2
        across, down = (torch.linspace(half, size - half, _count(size, half)) for size in (width, height))
        rows += [(float(x), float(y), half) for y in down for x in across]
    return torch.tensor(rows)


def _count(size: int, half: float) -> int:
    return max(1, round((size - 2 * half) / half) + 1)


def facelikeness(texture: Tensor, cascade: Cascade) -> Tensor:
    """Mean of -log(1 - p) over the windows and quarter turns in which the network is surest of a face, >= 0.

    Args:
        texture: (3, h, w) sRGB in [0, 1]; differentiable.
    """
    windows = sheet_windows(*texture.shape[1:])
    steps = torch.linspace(-1, 1, OUTPUT_PX)
    x, y = (windows[:, axis, None] + windows[:, 2:] * steps for axis in (0, 1))
    width, height = texture.shape[2], texture.shape[1]
    grid = torch.stack(torch.broadcast_tensors(x[:, None, :] / width * 2 - 1, y[:, :, None] / height * 2 - 1), dim=-1)
    crops = F.grid_sample(texture[None], grid.reshape(1, -1, OUTPUT_PX, 2), padding_mode="border", align_corners=False)
    upright = crops.reshape(3, -1, OUTPUT_PX, OUTPUT_PX).transpose(0, 1)
    turned = torch.cat([torch.rot90(upright, quarters, (2, 3)) for quarters in range(4)])
    sure = cascade.output((turned * 255 - 127.5) / 128)[-1][:, 1]
    worst = sure.topk(min(WORST, len(sure))).values
    return -torch.log((1 - worst).clamp_min(SURE)).mean()


@dataclass(frozen=True, eq=False)
class Unfacelike:
    """Another adversary, and that the sheet alone shall not look like a face; an `Adversary`.

    Attributes:
        adversary: what else is wanted.
        cascade: MTCNN.
        weight: of `facelikeness`.
    """

    adversary: Adversary
    cascade: Cascade
    weight: float

    @property
    def recognizers(self) -> tuple[Recognizer, ...]:
        """Those of the other adversary."""
        return self.adversary.recognizers

    def judge(self, probes: Sequence[Probe], texture: Tensor) -> tuple[Tensor, Tensor]:
        """As in `Adversary`."""
        loss, margins = self.adversary.judge(probes, texture)
        return loss + self.weight * facelikeness(texture, self.cascade), margins
