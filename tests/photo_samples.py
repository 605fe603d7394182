"""Pictures, templates and keys for the tests of the photo mode."""

from __future__ import annotations

import numpy as np

from maskdesign.digital.key import PhotoKey, make_key
from maskdesign.digital.picture import Picture
from maskdesign.digital.template import Template, operand_image


def random_picture(rng: np.random.Generator, height: int = 40, width: int = 50, channels: int = 3) -> Picture:
    return Picture(rng.integers(0, 256, (height, width, channels), dtype=np.uint8))


def smooth_picture(rng: np.random.Generator, height: int, width: int, channels: int = 3) -> Picture:
    """A picture with large shapes, as photos have: its thumbnail means something."""
    y, x = np.mgrid[0:height, 0:width] / max(height, width)
    waves = [np.sin(rng.uniform(3, 14) * x + rng.uniform(3, 14) * y + rng.uniform(0, 6)) for _ in range(channels)]
    return Picture(
        (127 + 90 * np.stack(waves, axis=2) + rng.uniform(0, 20, (height, width, channels))).astype(np.uint8)
    )


def random_template(rng: np.random.Generator, height: int, width: int, count: int = 12) -> Template:
    side = rng.integers(1, 5, count)
    return Template(
        np.stack([rng.integers(0, width - side + 1), rng.integers(0, height - side + 1), side], 1).astype(np.int32)
    )


def protected(rng: np.random.Generator, picture: Picture, count: int = 12) -> tuple[Picture, PhotoKey]:
    """The picture XOR random bytes under random cells, and its key."""
    template, channels = random_template(rng, *picture.shape, count), picture.color_channels
    noise = rng.integers(0, 256, (*picture.shape, channels), dtype=np.uint8)
    operand = noise * template.mask(*picture.shape)[..., None]
    pixels = picture.pixels.copy()
    pixels[..., :channels] ^= operand
    changed = picture.with_pixels(pixels)
    key = make_key(picture, changed, template)
    np.testing.assert_array_equal(operand_image(template, key.operand, operand.shape), operand)
    return changed, key
