"""What cameras and hands do to a crop: placement, light, blur, few pixels, compression, occlusions, noise.

Everything random comes from the generator that is handed in.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from maskdesign.errors import ConfigError


@dataclass(frozen=True)
class BatchSettings:
    """What a batch is made of; shares are chances of each crop.

    Attributes:
        crops: of one part of a batch.
        mixtures, masked: shares of people who do not exist, and of masked faces.
        occluded, low_resolution, blurred, compressed, gray: shares of these damages.
        shift_px, turn_deg, stretch: spread (standard deviation) of the placement of the crop.
        landmark_px: the same for each landmark by itself.
        gain, cast, gamma: exposure, color and contrast change by factors up to exp(+- this).
        noise: largest standard deviation of the sensor's noise.
    """

    crops: int = 32
    mixtures: float = 0.5
    masked: float = 0.5
    occluded: float = 0.1
    low_resolution: float = 0.1
    blurred: float = 0.1
    compressed: float = 0.1
    gray: float = 0.05
    shift_px: float = 1.2
    turn_deg: float = 2.5
    stretch: float = 0.025
    landmark_px: float = 0.5
    gain: float = 0.25
    cast: float = 0.08
    gamma: float = 0.2
    noise: float = 0.03

    def __post_init__(self) -> None:
        if self.crops < 2:
            raise ConfigError(f"batch.crops = {self.crops} must be at least 2")
        for field in fields(self)[1:]:
            if not 0 <= getattr(self, field.name) <= 45:
                raise ConfigError(f"batch.{field.name} = {getattr(self, field.name)} must lie between 0 and 45")


def shaken(
    points_px: NDArray[np.float32], settings: BatchSettings, generator: np.random.Generator
) -> NDArray[np.float32]:
    """Landmarks a little off: all together, and each by itself. (B, n, 2)."""
    count = len(points_px)
    turn = np.radians(generator.normal(0, settings.turn_deg, count))
    size = np.exp(generator.normal(0, settings.stretch, count))
    cos, sin = size * np.cos(turn), size * np.sin(turn)
    linear = np.stack([np.stack([cos, np.negative(sin)], 1), np.stack([sin, cos], 1)], 1)
    center = np.mean(points_px, axis=1)[:, None]
    moved = (points_px - center) @ linear.transpose(0, 2, 1) + center
    moved += generator.normal(0, settings.shift_px, (count, 1, 2))
    return (moved + generator.normal(0, settings.landmark_px, points_px.shape)).astype(np.float32)


def damage(crops: Tensor, settings: BatchSettings, generator: np.random.Generator) -> Tensor:
    """Occlusions, low resolution, blur, compression, light and noise, and the mirror image of every second crop."""
    pictures = (crops.permute(0, 2, 3, 1).numpy() * 255).round().astype(np.uint8)
    steps = (
        (settings.occluded, occlude), (settings.low_resolution, shrink), (settings.blurred, blur),
        (settings.compressed, compress), (settings.gray, discolor), (0.5, mirror),
    )  # fmt: skip
    done = []
    for picture in pictures:
        for share, step in steps:
            if generator.random() < share:
                picture = step(picture, generator)
        done.append(picture)
    return relit(torch.from_numpy(np.stack(done)).permute(0, 3, 1, 2).float() / 255, settings, generator)


def relit(crops: Tensor, settings: BatchSettings, generator: np.random.Generator, alike: int = 1) -> Tensor:
    """Exposure, color, contrast, light from one side, and noise; all but the noise the same for `alike` neighbors."""
    count = len(crops) // alike
    gain = np.exp(generator.uniform(-settings.gain, settings.gain, (count, 1)))
    gain = gain * np.exp(generator.uniform(-settings.cast, settings.cast, (count, 3)))
    gamma = np.exp(generator.uniform(-settings.gamma, settings.gamma, (count, 1, 1, 1)))
    slope = generator.normal(0, 0.5 * settings.gain, (count, 2, 1, 1))
    gain, gamma, slope = (np.repeat(part, alike, axis=0) for part in (gain, gamma, slope))
    count = len(crops)
    ramp = torch.linspace(-1, 1, crops.shape[2])
    side = 1 + torch.from_numpy(slope[:, :1]).float() * ramp + torch.from_numpy(slope[:, 1:]).float() * ramp[:, None]
    lit = (crops * torch.from_numpy(gain).float()[:, :, None, None] * side).clamp(1e-3, 1)
    noise = generator.uniform(0, settings.noise, (count, 1, 1, 1)).astype(np.float32)
    grain = generator.standard_normal(crops.shape, dtype=np.float32) * noise
    return (lit ** torch.from_numpy(gamma).float() + torch.from_numpy(grain)).clamp(0, 1)


def occlude(picture: NDArray[np.uint8], generator: np.random.Generator) -> NDArray[np.uint8]:
    """A box of one color, or of noise."""
    side = picture.shape[0]
    height, width = generator.integers(side // 8, side // 2, 2)
    top, left = generator.integers(0, side - height), generator.integers(0, side - width)
    box = generator.integers(0, 256, (height, width, 3) if generator.random() < 0.3 else (1, 1, 3))
    covered = picture.copy()
    covered[top : top + height, left : left + width] = box
    return covered


def shrink(picture: NDArray[np.uint8], generator: np.random.Generator) -> NDArray[np.uint8]:
    """As of a camera with fewer pixels."""
    small = int(generator.integers(28, 80))
    reduced = cv2.resize(picture, (small, small), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(reduced, picture.shape[1::-1], interpolation=cv2.INTER_LINEAR), np.uint8)


def blur(picture: NDArray[np.uint8], generator: np.random.Generator) -> NDArray[np.uint8]:
    """Out of focus."""
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), float(generator.uniform(0.5, 1.8))), np.uint8)


def compress(picture: NDArray[np.uint8], generator: np.random.Generator) -> NDArray[np.uint8]:
    """Stored as JPEG."""
    quality = [cv2.IMWRITE_JPEG_QUALITY, int(generator.integers(15, 80))]
    _, data = cv2.imencode(".jpg", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), quality)
    return np.asarray(cv2.cvtColor(cv2.imdecode(data, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB), np.uint8)


def discolor(picture: NDArray[np.uint8], generator: np.random.Generator) -> NDArray[np.uint8]:
    """Black and white."""
    return np.repeat(np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), np.uint8)[..., None], 3, axis=2)


def mirror(picture: NDArray[np.uint8], generator: np.random.Generator) -> NDArray[np.uint8]:
    """Left and right exchanged."""
    return np.ascontiguousarray(picture[:, ::-1])
