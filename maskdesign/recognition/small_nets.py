"""Small networks of different families, for recognizers that this project trains itself.

Every one takes (B, 3, 112, 112) crops of the ArcFace template, normalized to [-1, 1], and gives (B, 256) embeddings
that are compared by their cosine. Where a design is free, its first layer goes straight to 28 x 28: on a CPU, passes
over large maps cost more than their arithmetic.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_eval

from maskdesign.recognition.dlib_net import ResidualBlock, load_dlib_network

EMBEDDING_SIZE = 256
STAGE_32 = ((32, 32),) * 3
STAGE_64 = ((32, 64), *((64, 64),) * 3)


class ConvNorm(nn.Sequential):
    """A convolution that keeps the extent (divided by its stride), and its batch norm."""

    def __init__(self, inputs: int, outputs: int, kernel_px: int, stride: int = 1, groups: int = 1) -> None:
        conv = nn.Conv2d(inputs, outputs, kernel_px, stride, kernel_px // 2, groups=groups, bias=False)
        super().__init__(conv, nn.BatchNorm2d(outputs))


class LargeKernelBlock(nn.Module):
    """x + W (7 x 7 in groups, ReLU): large kernels as of Liu et al., A ConvNet for the 2020s, 2022, with batch norm."""

    def __init__(self, channels: int, kernel_px: int, groups: int) -> None:
        super().__init__()
        self.spread = ConvNorm(channels, channels, kernel_px, groups=groups)
        self.mix = ConvNorm(channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, h, w) -> the same shape."""
        return functional.relu(x + self.mix(functional.relu(self.spread(x))))


class InvertedBlock(nn.Module):
    """Narrow, wide with 3 x 3 by channel, narrow again: Chen et al., MobileFaceNets, 2018 (after MobileNetV2)."""

    def __init__(self, inputs: int, outputs: int, stride: int, expansion: int) -> None:
        super().__init__()
        wide = expansion * inputs
        self.widen, self.spread = ConvNorm(inputs, wide, 1), ConvNorm(wide, wide, 3, stride, groups=wide)
        self.narrow = ConvNorm(wide, outputs, 1)
        self.first, self.second = nn.PReLU(wide), nn.PReLU(wide)
        self.keeps = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, h, w) -> (B, D, h / stride, w / stride)."""
        y = self.narrow(self.second(self.spread(self.first(self.widen(x)))))
        return x + y if self.keeps else y


class AttentionBlock(nn.Module):
    """Every place looks at every other: Vaswani et al., Attention is all you need, 2017, norms before (pre-norm)."""

    def __init__(self, channels: int, heads: int, width: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm_attention, self.norm_mix = nn.LayerNorm(channels), nn.LayerNorm(channels)
        self.qkv, self.out = nn.Linear(channels, 3 * channels), nn.Linear(channels, channels)
        self.widen, self.narrow = nn.Linear(channels, width), nn.Linear(width, channels)

    def forward(self, x: Tensor) -> Tensor:
        """(B, n, C) tokens -> the same shape."""
        count, tokens, channels = x.shape
        qkv = self.qkv(self.norm_attention(x)).reshape(count, tokens, 3, self.heads, channels // self.heads)
        query, key, value = qkv.permute(2, 0, 3, 1, 4)
        seen = functional.scaled_dot_product_attention(query, key, value)
        x = x + self.out(seen.transpose(1, 2).reshape(count, tokens, channels))
        return x + self.narrow(functional.gelu(self.widen(self.norm_mix(x))))


class Tokens(nn.Module):
    """(B, C, h, w) -> (B, h w, C), each with its learned place."""

    def __init__(self, channels: int, count: int) -> None:
        super().__init__()
        self.place = nn.Parameter(0.02 * torch.randn(count, channels))

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        return x.flatten(2).transpose(1, 2) + self.place


class Pixels(nn.Module):
    """(B, h w, C) -> (B, C, h, w) of a square."""

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        side = round(x.shape[1] ** 0.5)
        return x.transpose(1, 2).reshape(len(x), x.shape[2], side, side)


class Head(nn.Module):
    """Map -> embedding by one weight a channel and place (the global depthwise convolution of MobileFaceNets)."""

    def __init__(self, channels: int, side_px: int = 7) -> None:
        super().__init__()
        self.gather = nn.Sequential(nn.Conv2d(channels, channels, side_px, groups=channels, bias=False))
        # It begins as the plain mean over the map.
        nn.init.constant_(self.gather[0].weight, side_px**-2.0)  # pyright: ignore[reportArgumentType]
        self.norm, self.embed = nn.BatchNorm1d(channels), nn.Linear(channels, EMBEDDING_SIZE)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, side, side) -> (B, E)."""
        return self.embed(self.norm(self.gather(x).flatten(1)))


class DlibStarted(nn.Module):
    """A network of its own kind behind the first layers of dlib's, on smaller crops; `begin_as_dlib` knows their names.

    Args:
        widths: channels into and out of each residual block.
        head: (B, C, h, w) -> (B, E).
    """

    def __init__(self, widths: Sequence[tuple[int, int]], head: nn.Module) -> None:
        super().__init__()
        self.stem, self.pool = nn.Conv2d(3, 32, 7, 2), nn.MaxPool2d(3, 2)
        self.blocks = nn.Sequential(*(_residual_block(*width) for width in widths))
        self.head = head

    def forward(self, x: Tensor) -> Tensor:
        """(B, 3, 112, 112) -> (B, E)."""
        return self.head(self.blocks(self.pool(functional.relu_(self.stem(x)))))


def _residual_block(inputs: int, outputs: int) -> ResidualBlock:
    narrows = outputs > inputs
    first = nn.Conv2d(inputs, outputs, 3, 2 if narrows else 1, 0 if narrows else 1)
    return ResidualBlock(first, nn.Conv2d(outputs, outputs, 3, 1, 1), nn.AvgPool2d(2) if narrows else nn.Identity())


@torch.no_grad()
def begin_as_dlib(network: nn.Module) -> None:
    """Take over from dlib's network (CC0) what fits: a network that already knows faces learns from few.

    Its stem sees pixels from -1 to 1 instead of 0 to 1. Networks without its layers stay as they are.
    """
    if not isinstance(network, DlibStarted):
        return
    known, own = load_dlib_network().state_dict(), network.state_dict()
    taken = {name: value for name, value in known.items() if name in own and own[name].shape == value.shape}
    taken["stem.bias"] = taken["stem.bias"] + taken["stem.weight"].sum(dim=(1, 2, 3)) / 2
    taken["stem.weight"] = taken["stem.weight"] / 2
    network.load_state_dict({**own, **taken})


def residual() -> nn.Module:
    """The first three of the four stages of dlib's network, and a head by place."""
    widths = (*STAGE_32, *STAGE_64, (64, 128), (128, 128), (128, 128))
    return DlibStarted(widths, nn.Sequential(ConvNorm(128, 384, 1), nn.PReLU(384), Head(384, 6)))


def large_kernel() -> nn.Module:
    """Residual with 7 x 7 and 5 x 5 kernels in groups; about 1.3 M parameters."""
    return nn.Sequential(
        ConvNorm(3, 64, 7, 4), nn.ReLU(),
        ConvNorm(64, 128, 3, 2), nn.ReLU(),
        LargeKernelBlock(128, 7, 8), LargeKernelBlock(128, 7, 8),
        ConvNorm(128, 256, 3, 2), nn.ReLU(),
        LargeKernelBlock(256, 5, 8), LargeKernelBlock(256, 5, 8),
        Head(256),
    )  # fmt: skip


def mobile() -> nn.Module:
    """Inverted residuals with PReLU, as MobileFaceNet, most of them on 14 x 14."""
    return nn.Sequential(
        ConvNorm(3, 64, 5, 4), nn.PReLU(64),
        InvertedBlock(64, 80, 2, 2),
        *(InvertedBlock(80, 80, 1, 2) for _ in range(4)),
        InvertedBlock(80, 128, 2, 4),
        *(InvertedBlock(128, 128, 1, 3) for _ in range(3)),
        ConvNorm(128, 384, 1), nn.PReLU(384),
        Head(384),
    )  # fmt: skip


def attention() -> nn.Module:
    """The first stage of dlib's network and half of the second, then attention among 7 x 7 tokens."""
    blocks = (AttentionBlock(192, 6, 288) for _ in range(4))
    tokens = nn.Sequential(Tokens(192, 49), *blocks, nn.LayerNorm(192), Pixels())
    return DlibStarted((*STAGE_32, *STAGE_64[:2]), nn.Sequential(ConvNorm(64, 192, 3, 2), tokens, Head(192)))


ARCHITECTURES: dict[str, Callable[[], nn.Module]] = {
    "residual": residual,
    "large_kernel": large_kernel,
    "mobile": mobile,
    "attention": attention,
}


def fold_norms(network: nn.Module) -> nn.Module:
    """Take the batch norms behind convolutions into their weights, in place: exact but for rounding, and faster."""
    network.eval()
    for module in network.modules():
        if isinstance(module, ConvNorm):
            conv, norm = module
            assert isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d)
            module[0], module[1] = fuse_conv_bn_eval(conv, norm), nn.Identity()
    return network
