"""The texture as parameters: mixtures of a few printable inks, repeated over the sheet like a printed cloth."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - the field's name
from torch import Tensor

from maskdesign.errors import ConfigError
from maskdesign.mask.pattern import MaskPattern


@dataclass(frozen=True)
class TextureStyle:
    """How a texture may look. Every texel is a convex mix of the inks: printable by construction.

    Attributes:
        inks: sRGB colors as "#rrggbb", at least two. The default ones are cool: with ochre or pink among them, designs
            grow eyes and lips in the colors of skin.
        grid_mm: spacing of the parameters on the sheet; smaller allows finer shapes.
        texel_mm: spacing of the texture's pixels while it is designed; no camera of a design resolves finer ones.
        print_texel_mm: spacing of the pixels of the finished texture: the same parameters, sampled more finely.
        contrast: scale of the mixture's logits; higher gives flatter areas and harder edges.
        noise: standard deviation of the initial parameters.
        repeats: how often the pattern comes back across and down the sheet, each column shifted by half a repeat (the
            half-drop of textile printing). A free pattern, (1, 1), protects most and tends to become a caricature of
            a face, which nobody should have to wear; small repeats cannot.
        largest_mm: shapes that are larger than about this are taken out of a free pattern; 0 leaves them in.
    """

    inks: tuple[str, ...] = ("#14213d", "#f7f5ef", "#2a9d8f", "#8ecae6")
    grid_mm: float = 2.5
    texel_mm: float = 1.25
    print_texel_mm: float = 0.3125
    contrast: float = 2.0
    noise: float = 0.5
    repeats: tuple[int, int] = (5, 4)
    largest_mm: float = 0.0

    def __post_init__(self) -> None:
        if len(self.inks) < 2:
            raise ConfigError("texture.inks must name at least two colors")
        for name in ("grid_mm", "texel_mm", "print_texel_mm", "contrast"):
            if not 0 < getattr(self, name) <= 50:
                raise ConfigError(f"texture.{name} = {getattr(self, name)} must lie between 0 and 50")
        if not all(1 <= count <= 20 for count in self.repeats):
            raise ConfigError(f"texture.repeats = {list(self.repeats)} must lie between 1 and 20")
        if self.largest_mm and not 2 * self.grid_mm <= self.largest_mm <= 500:
            raise ConfigError(f"texture.largest_mm = {self.largest_mm} must be 0 or at least twice texture.grid_mm")
        ink_colors(self)


def ink_colors(style: TextureStyle) -> Tensor:
    """(K, 3) float32 sRGB in [0, 1] of the inks.

    Raises:
        ConfigError: an ink that is not "#rrggbb".
    """
    try:
        return torch.tensor([list(bytes.fromhex(ink.removeprefix("#"))) for ink in style.inks]).reshape(-1, 3) / 255
    except (ValueError, RuntimeError, TypeError) as error:
        raise ConfigError(f"texture.inks = {list(style.inks)}: write each color as #rrggbb") from error


def grid_shape(pattern: MaskPattern, spacing_mm: float) -> tuple[int, int]:
    """Rows and columns of a grid of the given spacing over the sheet, at least 2 each."""
    return max(2, round(pattern.height_mm / spacing_mm)), max(2, round(pattern.width_mm / spacing_mm))


def initial_parameters(style: TextureStyle, pattern: MaskPattern, seed: int) -> Tensor:
    """(K, rows, columns) float32 normal noise of one repeat, counter based: the seed alone decides it."""
    rows, columns = grid_shape(pattern, style.grid_mm)
    across, down = style.repeats
    shape = (len(style.inks), max(2, round(rows / down)), max(2, round(columns / across)))
    values = np.random.Generator(np.random.Philox(key=seed)).standard_normal(shape, dtype=np.float32)
    return torch.from_numpy(style.noise * values)


def half_drop(parameters: Tensor, repeats: tuple[int, int]) -> Tensor:
    """A pattern set beside and below itself, every other column half a repeat lower.

    Args:
        parameters: (K, rows, columns) of one repeat.
        repeats: across, down.

    Returns:
        (K, down * rows, across * columns); one repeat comes back as it is.
    """
    across, down = repeats
    column = parameters.repeat(1, down, 1)
    lower = torch.roll(column, parameters.shape[1] // 2, dims=1)
    return torch.cat([lower if index % 2 else column for index in range(across)], dim=2)


def texture_from_parameters(style: TextureStyle, pattern: MaskPattern, parameters: Tensor, texel_mm: float) -> Tensor:
    """The texture that the parameters stand for.

    Args:
        parameters: (K, rows, columns) logits of one repeat.
        texel_mm: spacing of the texture's pixels on the sheet.

    Returns:
        (3, h, w) sRGB inside the convex hull of the inks; differentiable.
    """
    whole = half_drop(parameters, style.repeats)
    if style.largest_mm:
        whole = without_large_shapes(whole, style.largest_mm / pattern.height_mm)
    logits = bicubic(whole, grid_shape(pattern, texel_mm))
    mixture = torch.softmax(style.contrast * logits, dim=0)
    return torch.einsum("khw,kc->chw", mixture, ink_colors(style).to(parameters.dtype))


def without_large_shapes(logits: Tensor, share: float) -> Tensor:
    """Logits less their own means over cells of a given share of the sheet's height, bicubic in between."""
    rows, columns = logits.shape[1:]
    cell = max(1, round(share * rows))
    means = F.adaptive_avg_pool2d(logits[None], (max(2, round(rows / cell)), max(2, round(columns / cell))))[0]
    return logits - bicubic(means, (rows, columns))


def bicubic(values: Tensor, shape: tuple[int, int]) -> Tensor:
    """(K, rows, columns) -> (K, *shape), as torch's bicubic interpolation, which is one matrix along each axis.

    Two small products cost a tenth of the kernel that interpolates every pixel anew.
    """
    down, across = (_bicubic_matrix(*pair).to(values) for pair in zip(values.shape[1:], shape, strict=True))
    return down @ (values @ across.T)


def resampled(logits: Tensor, size: tuple[int, ...]) -> Tensor:
    """(K, rows, columns) logits on another grid: averaged where it is coarser, bicubic where it is finer."""
    coarser = size[0] < logits.shape[1] or size[1] < logits.shape[2]
    return F.interpolate(logits[None], size=tuple(size), mode="bicubic", align_corners=False, antialias=coarser)[0]


@functools.lru_cache(maxsize=32)
def _bicubic_matrix(count: int, wanted: int) -> Tensor:
    """(wanted, count) float64: interpolation is linear, so the unit vectors tell all of it."""
    unit = torch.eye(count, dtype=torch.float64)[None, :, :, None]
    return F.interpolate(unit, size=(wanted, 1), mode="bicubic", align_corners=False)[0, :, :, 0].T.contiguous()


def texture_pixels(texture: Tensor) -> np.ndarray:
    """(3, h, w) in [0, 1] -> (h, w, 3) uint8, rounded."""
    return (texture.detach().clamp(0, 1) * 255).round().to(torch.uint8).permute(1, 2, 0).contiguous().numpy()


def texture_tensor(pixels: np.ndarray) -> Tensor:
    """(h, w, 3) uint8 -> (3, h, w) float32 in [0, 1]."""
    return torch.from_numpy(np.array(pixels)).permute(2, 0, 1).contiguous().float() / 255
