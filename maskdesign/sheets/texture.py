"""The texture as the printer gets it: fine enough, losslessly packed; and its own colors."""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass
from math import ceil

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from maskdesign.errors import ImageError
from maskdesign.sheets.paper import MM_PER_INCH

PNG_HEADER_BYTES = 8
COMPRESSION = 4


@dataclass(frozen=True)
class PackedImage:
    """RGB pixels, 8 bits a channel, as PNG packs them and as a PDF may hold them (FlateDecode, predictor 15).

    Attributes:
        width_px: columns.
        height_px: rows.
        png: the whole file.
    """

    width_px: int
    height_px: int
    png: bytes

    @property
    def data(self) -> bytes:
        """The zlib stream alone."""
        return _image_data(self.png)


def check_texture(texture: NDArray[np.uint8]) -> None:
    """Raise an `ImageError` unless the texture is (H, W, 3) uint8 with at least one pixel."""
    if texture.dtype != np.uint8 or texture.ndim != 3 or texture.shape[2] != 3 or texture.size == 0:
        raise ImageError(f"texture: {texture.dtype} {texture.shape} given, (height, width, 3) uint8 needed")


def enlarge(texture: NDArray[np.uint8], width_mm: float, height_mm: float, dpi: float) -> NDArray[np.uint8]:
    """Resample smoothly to at least `dpi`; an axis that is finer already keeps its pixels.

    Cubic convolution (Keys 1981, a = -0.5): smooth on paper, and overshooting an edge less than half as much as
    Lanczos, whose rings print as colors that the design never had.

    Args:
        texture: (H, W, 3) sRGB.

    Returns:
        (H', W', 3) sRGB.

    Convention: pixels are areas: both pictures span the same millimeters, edge to edge.
    """
    height_px, width_px = texture.shape[:2]
    size = (max(width_px, ceil(width_mm / MM_PER_INCH * dpi)), max(height_px, ceil(height_mm / MM_PER_INCH * dpi)))
    return np.asarray(Image.fromarray(texture).resize(size, Image.Resampling.BICUBIC))


def extend(pixels: NDArray[np.uint8], across_px: int, down_px: int) -> NDArray[np.uint8]:
    """Go on beyond the edges as in a mirror, which shows neither a seam nor streaks where the cut misses its line.

    Args:
        across_px: added at the left and at the right.
        down_px: added above and below.
    """
    return np.pad(pixels, ((down_px, down_px), (across_px, across_px), (0, 0)), mode="symmetric")


def pack(pixels: NDArray[np.uint8]) -> PackedImage:
    """Compress as PNG does, which halves and more what a plain Flate stream of a smooth texture takes."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="PNG", compress_level=COMPRESSION)
    return PackedImage(pixels.shape[1], pixels.shape[0], buffer.getvalue())


def _image_data(png: bytes) -> bytes:
    parts, at = [], PNG_HEADER_BYTES
    while at < len(png):
        (length,) = struct.unpack_from(">I", png, at)
        if png[at + 4 : at + 8] == b"IDAT":
            parts.append(png[at + 8 : at + 8 + length])
        at += length + 12
    return b"".join(parts)


def own_colors(texture: NDArray[np.uint8] | None, count: int) -> list[str]:
    """The colors that stand for the texture, dark to light.

    Median cut (Heckbert 1982) on a small copy, then k-means.

    Returns:
        at most `count` different colors as "#rrggbb"; none of no texture.
    """
    if texture is None:
        return []
    small = Image.fromarray(texture)
    small.thumbnail((128, 128), Image.Resampling.BOX)
    quantized = small.quantize(count, method=Image.Quantize.MEDIANCUT, kmeans=8)
    used = np.unique(np.asarray(quantized))
    palette = np.array(quantized.getpalette(), dtype=np.uint8).reshape(-1, 3)[used]
    order = np.argsort(palette @ np.array([0.2126, 0.7152, 0.0722]), kind="stable")
    return list(dict.fromkeys(f"#{red:02x}{green:02x}{blue:02x}" for red, green, blue in palette[order]))
