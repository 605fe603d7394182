"""What a camera makes of linear light: gain, the lens, motion, noise, white balance, encoding, compression."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numba import njit
from numpy.typing import NDArray
from torch import Tensor
from torch.autograd.function import once_differentiable

from maskdesign.errors import InputError
from maskdesign.render.color import tone_curve
from maskdesign.render.jpeg import compress
from maskdesign.render.lens import distort, motion_blur
from maskdesign.render.threads import map_threads

RANGES = {
    "blur_sigma_px": (0.0, 10.0),
    "noise_std": (0.0, 0.5),
    "gain": (0.01, 100.0),
    "gamma": (0.2, 5.0),
    "distortion": (-0.1, 0.1),
    "motion_px": (0.0, 40.0),
    "motion_deg": (-360.0, 360.0),
    "jpeg_quality": (0, 100),
}


@dataclass(frozen=True)
class CameraResponse:
    """From linear light to an encoded picture: distortion, gain, blur, motion, noise, white balance, gamma, JPEG.

    Attributes:
        gain: exposure, 0.01 to 100.
        blur_sigma_px: standard deviation of the lens's Gaussian blur, 0 to 10 pixels.
        noise_std: standard deviation of the sensor's noise in linear light, 0 to 0.5; the same in each channel.
        white_balance: factor of each channel, 0.05 to 20.
        gamma: exponent of the encoded value, 0.2 to 5; > 1 darkens the middle tones.
        distortion: how far the lens moves a point at half the picture's side, as a share, -0.1 to 0.1; < 0 is a
            barrel. Cameras do not know of it: points that they project lie where an ideal lens would see them.
        motion_px: way that the picture moves during the exposure, 0 to 40 pixels.
        motion_deg: direction of that way, 0 = across, counterclockwise, -360 to 360.
        jpeg_quality: 1 to 100, or 0 for no compression.

    Raises:
        InputError: a value outside its range.
    """

    blur_sigma_px: float
    noise_std: float
    gain: float
    white_balance: tuple[float, float, float]
    gamma: float
    distortion: float = 0.0
    motion_px: float = 0.0
    motion_deg: float = 0.0
    jpeg_quality: int = 0

    def __post_init__(self) -> None:
        for name, (lowest, highest) in RANGES.items():
            if not lowest <= getattr(self, name) <= highest:
                raise InputError(f"camera {name} = {getattr(self, name)} must lie between {lowest:g} and {highest:g}")
        if not all(0.05 <= factor <= 20 for factor in self.white_balance):
            raise InputError(f"camera white_balance = {self.white_balance} must lie between 0.05 and 20")


def apply_response(linear: Tensor, responses: Sequence[CameraResponse], noise_seeds: Sequence[int]) -> Tensor:
    """Photograph linear light.

    Args:
        linear: (B, 3, H, W) linear light, >= 0.
        responses: one for each image.
        noise_seeds: one for each image, >= 0.

    Returns:
        (B, 3, H, W) sRGB in [0, 1], differentiable; overexposed pixels have no gradient.
    """
    # Gain and blur are linear, so that both factors of a channel are applied at once.
    balance = _per_image([r.white_balance for r in responses], linear)
    gain = _per_image([(r.gain,) for r in responses], linear)
    bent = distort(linear, [r.distortion for r in responses])
    blurred = gaussian_blur(bent, [r.blur_sigma_px for r in responses])
    blurred = motion_blur(blurred, [r.motion_px for r in responses], [r.motion_deg for r in responses])
    noise = sensor_noise(tuple(linear.shape[1:]), responses, noise_seeds).to(linear.dtype)
    balanced = torch.addcmul(noise.mul_(balance), blurred, gain * balance)
    encoded = tone_curve(balanced, _per_image([(r.gamma,) for r in responses], linear))
    return compress(encoded, [r.jpeg_quality for r in responses])


def _per_image(values: Sequence[Sequence[float]], like: Tensor) -> Tensor:
    return torch.tensor(values, dtype=like.dtype)[:, :, None, None]


def sensor_noise(shape: tuple[int, ...], responses: Sequence[CameraResponse], noise_seeds: Sequence[int]) -> Tensor:
    """Gaussian noise of each image; its seed alone decides it.

    Args:
        shape: (3, H, W).

    Returns:
        (B, 3, H, W) float32.
    """
    noise = torch.zeros(len(responses), *shape)
    for image, response, seed in zip(noise, responses, noise_seeds, strict=True):
        if response.noise_std > 0:
            image.normal_(0, response.noise_std, generator=torch.Generator().manual_seed(seed))
    return noise


def gaussian_blur(images: Tensor, sigmas_px: Sequence[float]) -> Tensor:
    """Separable Gaussian blur, cut at 3 sigma, each image with its own.

    Args:
        images: (B, C, H, W) float32 or float64.
        sigmas_px: B standard deviations, >= 0; 0 leaves an image as it is.

    Returns:
        (B, C, H, W); a constant image stays constant, for near the border the mean is over what there is.
    """
    return _GaussianBlur.apply(images, tuple(sigmas_px))  # type: ignore[return-value]


class _GaussianBlur(torch.autograd.Function):
    # out = Z(x) / Z(1) with zeros around the picture; Z is symmetric, so the transpose is Z(g / Z(1)).
    @staticmethod
    def forward(ctx: Any, images: Tensor, sigmas_px: tuple[float, ...]) -> Tensor:
        ctx.sigmas_px = sigmas_px
        return _blur(images, sigmas_px, transposed=False)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:  # type: ignore[override]
        return _blur(gradient, ctx.sigmas_px, transposed=True), None


def _blur(images: Tensor, sigmas_px: Sequence[float], transposed: bool) -> Tensor:
    blurred = torch.empty(images.shape, dtype=images.dtype)
    sources, targets = images.detach().contiguous().numpy(), blurred.numpy()

    def blur(index: int) -> None:
        kernel = _gaussian_kernel(sigmas_px[index])
        coverage = np.multiply.outer(*(_coverage(kernel, length) for length in sources.shape[2:]))
        share = (1 / coverage).astype(sources.dtype)
        _convolve_separably(sources[index], kernel.astype(sources.dtype), share, transposed, targets[index])

    map_threads(blur, range(len(sources)))
    return blurred


@njit(cache=True, nogil=True, inline="always")
def _add_scaled(factor, source, target):
    for n in range(len(source)):
        target[n] += factor * source[n]


@njit(cache=True, nogil=True)
def _convolve_separably(image, kernel, share, transposed, out):
    # Times the share after the convolution, or before it where the transpose is wanted.
    channels, height, width = image.shape
    radius = len(kernel) // 2
    rows, source = np.empty((height, width), image.dtype), np.empty(width, image.dtype)
    out[:] = 0
    for c in range(channels):
        rows[:] = 0
        for y in range(height):
            source[:] = image[c, y] * share[y] if transposed else image[c, y]
            for k in range(max(0, radius - width), min(len(kernel), width + radius)):
                first, last = max(0, radius - k), min(width, width + radius - k)
                _add_scaled(kernel[k], source[first + k - radius : last + k - radius], rows[y, first:last])
        for y in range(height):
            for k in range(max(0, radius - y), min(len(kernel), height + radius - y)):
                _add_scaled(kernel[k], rows[y + k - radius], out[c, y])
            if not transposed:
                out[c, y] *= share[y]


def _coverage(kernel: NDArray[np.float64], length: int) -> NDArray[np.float64]:
    # How much of the kernel lies inside the picture, at each pixel of a line.
    summed, radius = np.concatenate([[0.0], np.cumsum(kernel)]), len(kernel) // 2
    places = np.arange(length)
    return summed[np.minimum(radius + length - places, len(kernel))] - summed[np.maximum(radius - places, 0)]


def _gaussian_kernel(sigma_px: float) -> NDArray[np.float64]:
    if sigma_px == 0:
        return np.ones(1)
    radius = math.ceil(3 * sigma_px)
    kernel = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma_px) ** 2)
    return kernel / kernel.sum()
