"""The paper's two networks: one says where a recognizer looks, the other makes the noise that is XORed there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from maskdesign.digital.region import WORKING_PX
from maskdesign.digital.xor import xor_towards

GRID = 64
"""Cells along a side of the template network's picture: 256 pixels in cells of 4."""
DEEPEST = 8


def _block(channels: int, filters: int, stride: int = 1) -> nn.Sequential:
    """Convolution with 4 x 4 filters that keeps the extent (or halves it), batch normalization, ReLU.

    Statistics are those of the picture at hand, in training and afterwards alike: there is no other state.
    """
    norm = nn.BatchNorm2d(filters, track_running_stats=False)
    return nn.Sequential(nn.ZeroPad2d((1, 2, 1, 2)), nn.Conv2d(channels, filters, 4, stride), norm, nn.ReLU())


class TemplateNetwork(nn.Module):
    """Mask template network (Fig 1): 256 x 256 x 3 -> a distribution over 64 x 64 cells.

    The paper's text and figure leave the number of layers open; read as: two convolutions and pooling to 128 x 128 (32
    channels), 64 filters and pooling to 64 x 64, 128 filters and pooling twice to 16 x 16, two fully connected layers,
    softmax over the coordinates. The first convolution has stride 2, which is the pooling to 128.
    """

    def __init__(self, hidden: int = 96) -> None:
        super().__init__()
        self.features = nn.Sequential(
            _block(3, 16, stride=2), _block(16, 32),
            _block(32, 64), nn.MaxPool2d(2),
            _block(64, 128), nn.MaxPool2d(2), _block(128, 128), nn.MaxPool2d(2),
        )  # fmt: skip
        self.first = nn.Linear(16 * 16 * 128, hidden)
        self.second = nn.Linear(hidden, GRID * GRID)

    def begin_at(self, mean: Tensor) -> None:
        """Answer a (64, 64) distribution to every picture at first: training then improves on the mean map."""
        with torch.no_grad():
            self.second.weight.mul_(0.01)
            self.second.bias.copy_(mean.clamp_min(1e-9).log().reshape(-1))

    def forward(self, pictures: Tensor) -> Tensor:
        """(B, 3, 256, 256) in [0, 1] -> (B, 64, 64), each summing to 1."""
        flat = self.features(pictures).flatten(1)
        scores = self.second(functional.relu(self.first(flat)))
        return functional.softmax(scores, dim=1).reshape(-1, GRID, GRID)


def template_loss(predicted: Tensor, target: Tensor) -> Tensor:
    """Squared error of the coordinates' weights (Eq 4), in units of the uniform distribution so that it is not tiny.

    Args:
        predicted, target: (..., 64, 64), each summing to 1.
    """
    return ((predicted - target) * GRID * GRID).square().mean()


class PerturbationNetwork(nn.Module):
    """Perturbation generation network (Fig 5), after DCGAN: strided convolutions only, no pooling, no dense layer.

    Three layers down and three up with the photo passed along (a U-Net), the template as a layer that shuts every other
    pixel, then XOR with the photo, exactly.
    """

    def __init__(self, low_bits: int = 8, max_change: float = 12.0, width: int = 16) -> None:
        super().__init__()
        self.low_bits, self.max_change = low_bits, max_change
        self.down = nn.ModuleList([_down(4, width), _down(width, 2 * width), _down(2 * width, 4 * width)])
        self.up = nn.ModuleList([_up(4 * width, 2 * width), _up(4 * width, width)])
        self.last = nn.ConvTranspose2d(2 * width, 3, 4, 2, 1)

    def forward(self, photo: Tensor, noise: Tensor, template: Tensor) -> Tensor:
        """A protected picture.

        Args:
            photo: (3, h, w) whole numbers in [0, 255].
            noise: (1, h, w) standard normal.
            template: (h, w) bool.

        Returns:
            (3, h, w) whole numbers in [0, 255], equal to the photo outside the template.
        """
        height, width = photo.shape[1:]
        pad = (0, -width % DEEPEST, 0, -height % DEEPEST)
        inputs = functional.pad(torch.cat([photo / 127.5 - 1, noise])[None], pad, mode="replicate")
        one = self.down[0](inputs)
        two = self.down[1](one)
        three = self.down[2](two)
        up = self.up[0](three)
        up = self.up[1](torch.cat([up, two], dim=1))
        change = self.max_change * self.last(torch.cat([up, one], dim=1))[0, :, :height, :width].tanh()
        return xor_towards(photo, change * template, self.low_bits)


def _down(channels: int, filters: int) -> nn.Sequential:
    norm = nn.BatchNorm2d(filters, track_running_stats=False)
    return nn.Sequential(nn.Conv2d(channels, filters, 4, 2, 1), norm, nn.LeakyReLU(0.2))


def _up(channels: int, filters: int) -> nn.Sequential:
    norm = nn.BatchNorm2d(filters, track_running_stats=False)
    return nn.Sequential(nn.ConvTranspose2d(channels, filters, 4, 2, 1), norm, nn.ReLU())


def network_picture(image: Tensor) -> Tensor:
    """A working picture (C, h, w) in [0, 255] as the template network takes it, (1, 3, 256, 256) in [0, 1]."""
    return functional.interpolate(image.expand(3, -1, -1)[None] / 255, (WORKING_PX, WORKING_PX), mode="area")


def target_distribution(worth: Tensor) -> Tensor:
    """A saliency (C, h, w) as the template network's target: (64, 64) with sum 1."""
    cells = functional.interpolate(worth.sum(dim=0)[None, None], (GRID, GRID), mode="area")[0, 0]
    return cells / cells.sum().clamp_min(1e-12)


@dataclass(frozen=True)
class TrainedNetworks:
    """The networks of one training.

    Attributes:
        templates: recognizer -> where it looks.
        generator: the perturbation against all of them.
    """

    templates: Mapping[str, TemplateNetwork]
    generator: PerturbationNetwork


@torch.no_grad()
def predicted_worth(network: TemplateNetwork, image: Tensor) -> Tensor:
    """(h, w), mean 1: what a template network says of a working picture (C, h, w) in [0, 255]."""
    cells = network(network_picture(image)) * GRID * GRID
    return functional.interpolate(cells[None], image.shape[1:], mode="nearest")[0, 0]
