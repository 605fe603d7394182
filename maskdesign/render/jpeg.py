"""JPEG as a camera stores it; the gradient passes straight through."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.autograd.function import once_differentiable


def compress(images: Tensor, qualities: Sequence[int]) -> Tensor:
    """Store pictures as JPEG files and read them again.

    Args:
        images: (B, 3, H, W) sRGB in [0, 1].
        qualities: B of libjpeg's qualities, 1 to 100, colors at half the resolution; 0 leaves a picture as it is.

    Returns:
        (B, 3, H, W) in steps of 1 / 255. The gradient is that of the identity (the straight-through estimator of
        Bengio, Leonard and Courville, arXiv:1308.3432), for that of the rounded file is zero.
    """
    return _Compress.apply(images, tuple(qualities)) if any(qualities) else images  # type: ignore[return-value]


class _Compress(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, images: Tensor, qualities: tuple[int, ...]) -> Tensor:
        pairs = zip(images, qualities, strict=True)
        return torch.stack([_store(image, quality) if quality else image for image, quality in pairs])

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:  # type: ignore[override]
        return gradient, None


def _store(image: Tensor, quality: int) -> Tensor:
    pixels = (image.detach().permute(1, 2, 0) * 255).round().clamp(0, 255).to(torch.uint8).contiguous().numpy()
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=quality, subsampling="4:2:0")
    with Image.open(buffer) as file:
        stored = np.array(file.convert("RGB"))
    return torch.from_numpy(stored).permute(2, 0, 1).to(image.dtype) / 255
