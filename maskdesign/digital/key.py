"""The key of a protected photo: the XOR operand under the template, and what it takes to know the photo again."""

from __future__ import annotations

import json
import struct
import zlib
from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from maskdesign.digital.picture import Picture, pixels_digest
from maskdesign.digital.template import Template, operand_image, value_count, values_under

DIGEST_BYTES = 32
THUMBNAIL_PX = 64
MAX_PAYLOAD_BYTES = 256 << 20


@dataclass(frozen=True)
class PhotoKey:
    """What restores one photo.

    Attributes:
        shape: height, width and channels of the photo, alpha included.
        template: the cells.
        operand: (total,) uint8 under the cells, as `values_under` orders it; original XOR operand = protected.
        original_digest, protected_digest: SHA-256 of the pixels, as `pixels_digest`.
        thumbnail: (h, w) uint8, the protected photo in gray with a longer side of 64, to tell a photo that was
            recompressed, resized or cropped from another one.
    """

    shape: tuple[int, int, int]
    template: Template
    operand: NDArray[np.uint8]
    original_digest: bytes
    protected_digest: bytes
    thumbnail: NDArray[np.uint8]


def make_key(original: Picture, protected: Picture, template: Template) -> PhotoKey:
    """The key of a photo whose pixels differ under the template's cells only.

    Raises:
        ValueError: they differ elsewhere, or in alpha.
    """
    channels = original.color_channels
    difference = np.bitwise_xor(original.pixels, protected.pixels)
    operand = values_under(template, difference[..., :channels])
    height, width, depth = original.pixels.shape
    if not np.array_equal(operand_image(template, operand, (height, width, channels)), difference[..., :channels]):
        raise ValueError("the pictures differ outside the template's cells")
    if difference[..., channels:].any():
        raise ValueError("the pictures differ in alpha")
    return PhotoKey(
        (height, width, depth),
        template,
        operand,
        pixels_digest(original.pixels),
        pixels_digest(protected.pixels),
        thumbnail(protected),
    )


def apply_key(key: PhotoKey, picture: Picture) -> Picture:
    """XOR with the operand: protected -> original, and back."""
    channels, pixels = picture.color_channels, picture.pixels.copy()
    pixels[..., :channels] ^= operand_image(key.template, key.operand, (*picture.shape, channels))
    return picture.with_pixels(pixels)


def thumbnail(picture: Picture) -> NDArray[np.uint8]:
    """The picture in gray, its longer side 64 pixels."""
    height, width = picture.shape
    scale = THUMBNAIL_PX / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    gray = cv2.cvtColor(picture.rgb, cv2.COLOR_RGB2GRAY)
    return np.asarray(cv2.resize(gray, size, interpolation=cv2.INTER_AREA), np.uint8)


def pack_key(key: PhotoKey) -> bytes:
    """A key as bytes: length of a JSON header, header, cells, operand, thumbnail, digests; deflated."""
    header = json.dumps(
        {"shape": key.shape, "cells": len(key.template.cells_px), "thumbnail": key.thumbnail.shape}
    ).encode()
    cells = key.template.cells_px.astype("<i4").tobytes()
    body = cells + key.operand.tobytes() + key.thumbnail.tobytes() + key.original_digest + key.protected_digest
    return zlib.compress(struct.pack("<I", len(header)) + header + body, 9)


def unpack_key(payload: bytes) -> PhotoKey:
    """The inverse of `pack_key`.

    Raises:
        ValueError: the bytes are no key; anything else that is wrong with them shows as this error too.
    """
    try:
        return _unpack(payload)
    except (zlib.error, struct.error, KeyError, TypeError, OverflowError, RecursionError) as error:
        raise ValueError(f"no key ({error})") from error


def _unpack(payload: bytes) -> PhotoKey:
    inflater = zlib.decompressobj()
    data = inflater.decompress(payload, MAX_PAYLOAD_BYTES)
    if not inflater.eof:
        raise ValueError("no key: unpacks to too much, or ends early")
    (length,) = struct.unpack_from("<I", data)
    header, body = json.loads(data[4 : 4 + length]), memoryview(data)[4 + length :]
    shape, count, small = tuple(header["shape"]), header["cells"], tuple(header["thumbnail"])
    template = Template(np.frombuffer(body, "<i4", count * 3).reshape(-1, 3).astype(np.int32))
    _check_cells(template, shape)
    sizes = [value_count(template, 1 if shape[2] < 3 else 3), small[0] * small[1], DIGEST_BYTES, DIGEST_BYTES]
    ends = np.cumsum([count * 12, *sizes])
    if ends[-1] != len(body):
        raise ValueError("no key: of another length than it says")
    parts = [body[start:end] for start, end in pairwise(ends)]
    operand, picture = (np.frombuffer(part, np.uint8).copy() for part in parts[:2])
    return PhotoKey(shape, template, operand, bytes(parts[2]), bytes(parts[3]), picture.reshape(small))


def _check_cells(template: Template, shape: tuple[int, ...]) -> None:
    height, width, channels = shape
    x, y, side = template.cells_px.astype(np.int64).T
    inside = (x >= 0) & (y >= 0) & (side > 0) & (x + side <= width) & (y + side <= height)
    if channels not in (1, 2, 3, 4) or not inside.all():
        raise ValueError("no key: cells outside the photo")
