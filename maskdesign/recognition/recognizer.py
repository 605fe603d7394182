"""`Recognizer`: crops in, embeddings out, whatever network stands behind."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import torch
from torch import Tensor, nn

from maskdesign.errors import RecognizerError
from maskdesign.recognition.spec import RecognizerSpec


@dataclass(frozen=True)
class Recognizer:
    """A network that knows faces.

    Attributes:
        spec: how to feed it and how to read its answer.
        network: normalized crops (B, 3, h, w) in the spec's channel order -> (B, E), parameters frozen.
        origin: where the weights came from, a package or the file's path.
    """

    spec: RecognizerSpec
    network: nn.Module
    origin: str

    def embed(self, crops: Tensor) -> Tensor:
        """Embeddings of aligned faces, differentiable with respect to the crops.

        Args:
            crops: (B, 3, spec.height_px, spec.width_px) float RGB in [0, 1].

        Returns:
            (B, E), not normalized.

        Raises:
            ValueError: crops of another shape, or with values that are not finite.
            RecognizerError: the network answered with values that are not finite.
        """
        wanted = (3, self.spec.height_px, self.spec.width_px)
        if crops.ndim != 4 or tuple(crops.shape[1:]) != wanted:
            raise ValueError(f"crops have the shape {tuple(crops.shape)}; {self.spec.name} takes (B, {wanted})")
        # Channels last is the faster layout of every network here, by about a tenth.
        normalized = normalize_crops(crops, self.spec).contiguous(memory_format=torch.channels_last)
        embeddings = self.network(normalized)
        if not torch.isfinite(embeddings).all():
            _blame(crops, self)
        return embeddings


def _blame(crops: Tensor, recognizer: Recognizer) -> NoReturn:
    if not torch.isfinite(crops).all():
        raise ValueError("crops hold values that are not finite; look at the picture and the landmarks they are from")
    name = recognizer.spec.name
    raise RecognizerError(f"{recognizer.origin}: {name} answers with values that are not finite; get the file again")


def normalize_crops(crops: Tensor, spec: RecognizerSpec) -> Tensor:
    """What the network wants to see: (scale * x - mean) / std in its channel order.

    Args:
        crops: (B, 3, h, w) RGB in [0, 1].
    """
    ordered = crops.flip(1) if spec.channels == "bgr" else crops
    if (spec.scale, spec.mean, spec.std) == (1.0, (0.0,) * 3, (1.0,) * 3):
        return ordered
    mean = crops.new_tensor(spec.mean)[:, None, None]
    std = crops.new_tensor(spec.std)[:, None, None]
    return ordered * (spec.scale / std) - mean / std


@torch.no_grad()
def answer_shape(path: Path, recognizer: Recognizer, remedy: str) -> tuple[int, ...]:
    """Shape of a network's answer to two grey crops of its own size, which shows that it runs at all.

    Args:
        path: of its weights, for the error.
        remedy: what the user can do where it does not run.

    Raises:
        RecognizerError: the network does not take such crops.
    """
    spec = recognizer.spec
    try:
        return tuple(recognizer.embed(torch.full((2, 3, spec.height_px, spec.width_px), 0.5)).shape)
    except (RuntimeError, TypeError, IndexError, ValueError, AttributeError) as error:
        problem = str(error).splitlines()[0] if str(error) else repr(error)
        size = f"{spec.width_px} x {spec.height_px} px"
        raise RecognizerError(f"{path}: does not run on crops of {size} ({problem}); {remedy}") from error
