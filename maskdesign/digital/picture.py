"""Photos whose every pixel counts: read as they are, written without loss, never silently reduced."""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from maskdesign.errors import ImageError, UsageError
from maskdesign.files import open_image, write_bytes

LOSSLESS = {".png": "PNG", ".webp": "WEBP", ".tif": "TIFF", ".tiff": "TIFF"}
MODES = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}


@dataclass(frozen=True)
class Picture:
    """A photo, upright.

    Attributes:
        pixels: (H, W, C) uint8; C is 1 gray, 2 gray and alpha, 3 RGB, 4 RGB and alpha.
        profile: ICC color profile, so that colors look the same afterwards; None where the file has none.
    """

    pixels: NDArray[np.uint8]
    profile: bytes | None = None

    @property
    def color_channels(self) -> int:
        """How many channels carry color: 1 or 3. What follows them is alpha, which nothing here changes."""
        return 1 if self.pixels.shape[2] < 3 else 3

    @property
    def rgb(self) -> NDArray[np.uint8]:
        """(H, W, 3) as a recognizer sees it, without alpha."""
        return np.ascontiguousarray(np.broadcast_to(self.pixels[..., : self.color_channels], (*self.shape, 3)))

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self.pixels.shape[0], self.pixels.shape[1]

    def with_pixels(self, pixels: NDArray[np.uint8]) -> Picture:
        """The same kind of picture with other pixels."""
        return replace(self, pixels=pixels)


def pixels_digest(pixels: NDArray[np.uint8]) -> bytes:
    """SHA-256 of the shape and every pixel: two pictures have the same one only where they are equal."""
    header = "x".join(map(str, pixels.shape)).encode()
    return hashlib.sha256(header + b":" + np.ascontiguousarray(pixels).tobytes()).digest()


def read_picture(path: Path) -> Picture:
    """Read a photo with its alpha and profile, turned as its EXIF says; all other metadata stays behind.

    Palettes become RGB, which loses nothing. Position, time and camera of EXIF are dropped on purpose.

    Raises:
        InputError: no such file.
        ImageError: no image, damaged, too large, 16 bits a channel, CMYK or another color space, or several pictures.
    """
    with open_image(path) as image:
        _check_kind(path, image)
        profile = image.info.get("icc_profile")
        upright = ImageOps.exif_transpose(image.convert(_mode(path, image)))
        pixels = np.array(upright)
    return Picture(pixels.reshape(*pixels.shape[:2], -1), profile)


def _check_kind(path: Path, image: Image.Image) -> None:
    # A phone's JPEG may carry a second picture, its depth map; the photo is the first.
    if image.format not in ("JPEG", "MPO") and getattr(image, "n_frames", 1) > 1:
        raise ImageError(
            f"{path}: holds {getattr(image, 'n_frames', 2)} pictures (animated or several pages); save one"
        )
    deep = any(_deep(entry[3]) for entry in getattr(image, "tile", ())) or image.mode.startswith(("I", "F"))
    if deep or max(_tiff_bits(image)) > 8:
        raise ImageError(f"{path}: has more than 8 bits a channel; save it with 8, so that every bit can be restored")


def _deep(decoder_arguments: object) -> bool:
    """Whether Pillow would cut 16 bits down to 8, which it does without a word."""
    parts = decoder_arguments if isinstance(decoder_arguments, tuple) else (decoder_arguments,)
    wide = any(isinstance(part, str) and ";16" in part for part in parts)
    return wide or any(
        isinstance(part, int) and not isinstance(part, bool) and part in (1023, 4095, 65535) for part in parts
    )


def _tiff_bits(image: Image.Image) -> tuple[int, ...]:
    bits = getattr(image, "tag_v2", {}).get(258, (8,))
    return bits if isinstance(bits, tuple) else (bits,)


def _mode(path: Path, image: Image.Image) -> str:
    if image.mode in ("1", "L", "LA", "P", "PA", "RGB", "RGBA"):
        alpha = "A" in image.mode or "transparency" in image.info
        return ("L" if image.mode in ("1", "L", "LA") else "RGB") + "A" * alpha
    raise ImageError(f"{path}: its colors are {image.mode}; convert it to RGB first")


def write_picture(path: Path, picture: Picture) -> None:
    """Write without loss, atomically; the ending says whether as PNG, lossless WebP or TIFF.

    Raises:
        UsageError: another ending.
        OutputError: the place cannot be written.
    """
    kind = LOSSLESS.get(path.suffix.lower())
    if kind is None:
        raise UsageError(f"{path}: name a file that ends in {', '.join(LOSSLESS)}; others lose pixels")
    options = {"PNG": {}, "TIFF": {"compression": "tiff_deflate"}, "WEBP": {"lossless": True, "exact": True}}[kind]
    write_bytes(path, _encode(picture, kind, options))


def write_jpeg(path: Path, picture: Picture, quality: int) -> None:
    """Write as JPEG without subsampling of colors; alpha is dropped and no key restores this file."""
    write_bytes(path, _encode(Picture(picture.rgb, picture.profile), "JPEG", {"quality": quality, "subsampling": 0}))


def _encode(picture: Picture, kind: str, options: dict) -> bytes:
    buffer = io.BytesIO()
    image = Image.fromarray(picture.pixels.squeeze(2) if picture.pixels.shape[2] == 1 else picture.pixels)
    image.save(buffer, format=kind, icc_profile=picture.profile, **options)
    return buffer.getvalue()


def for_webp(picture: Picture) -> Picture:
    """The picture with three colors: WebP knows no gray."""
    gray, alpha = picture.pixels[..., : picture.color_channels], picture.pixels[..., picture.color_channels :]
    return picture if gray.shape[2] == 3 else picture.with_pixels(np.concatenate([gray, gray, gray, alpha], axis=2))
