"""Undo a protection bit for bit, or say why it cannot be undone."""

from __future__ import annotations

import cv2
import numpy as np

from maskdesign.digital.key import THUMBNAIL_PX, PhotoKey, apply_key, thumbnail
from maskdesign.digital.keyfile import SealError, unseal
from maskdesign.digital.picture import Picture, pixels_digest
from maskdesign.errors import KeyFileError

ALIKE = 0.97
"""Correlation with the key's thumbnail from which on a picture counts as a copy of the protected one."""
EXACT_ADVICE = "restore from the file that protect wrote"


def restore(picture: Picture, key_bytes: bytes, passphrase: bytes, photo: str, key_name: str) -> Picture:
    """The original of a protected picture.

    Args:
        picture: as read from the protected file.
        key_bytes: content of the key file.
        passphrase: of the key file.
        photo, key_name: names for messages.

    Returns:
        a picture whose pixels equal the original's; their SHA-256 has been compared.

    Raises:
        KeyFileError: the key does not open, belongs to another photo, or the photo was changed after its protection.
    """
    refusal = (
        f"{key_name}: does not open {photo}: wrong passphrase, a damaged key file, or the key of another photo; "
        "check all three"
    )
    try:
        key = unseal(key_bytes, passphrase)
    except SealError as error:
        raise KeyFileError(refusal) from error
    if pixels_digest(picture.pixels) != key.protected_digest:
        change = what_changed(picture, key)
        raise KeyFileError(f"{photo}: {change}; {EXACT_ADVICE}" if change else refusal)
    restored = apply_key(key, picture)
    if pixels_digest(restored.pixels) != key.original_digest:
        raise KeyFileError(refusal)
    return restored


def what_changed(picture: Picture, key: PhotoKey) -> str | None:
    """What happened to a copy of the protected photo, in words; None where it is another photo."""
    height, width, channels = key.shape
    now = f"{picture.shape[1]} x {picture.shape[0]} pixels, protected as {width} x {height}"
    small = thumbnail(picture)
    if picture.shape == (height, width):
        if _correlation(small, key.thumbnail) < ALIKE:
            return None
        if picture.pixels.shape[2] != channels:
            return "its color channels are others than when it was protected"
        return "its pixels are not those that were protected (recompressed, edited, or protected another time)"
    if small.shape == key.thumbnail.shape and _correlation(small, key.thumbnail) >= ALIKE:
        return f"resized ({now})"
    return f"cropped ({now})" if _is_crop(picture, key) else None


def _correlation(first: np.ndarray, second: np.ndarray) -> float:
    a, b = first.astype(float) - first.mean(), second.astype(float) - second.mean()
    return float((a * b).sum() / max(np.sqrt((a**2).sum() * (b**2).sum()), 1e-9))


def _is_crop(picture: Picture, key: PhotoKey) -> bool:
    scale = THUMBNAIL_PX / max(key.shape[:2])
    height, width = (round(extent * scale) for extent in picture.shape)
    if height > key.thumbnail.shape[0] or width > key.thumbnail.shape[1] or min(height, width) < 8:
        return False
    part = cv2.resize(cv2.cvtColor(picture.rgb, cv2.COLOR_RGB2GRAY), (width, height), interpolation=cv2.INTER_AREA)
    # The grids of the two thumbnails need not meet: half a pixel of shift costs some likeness.
    return float(cv2.matchTemplate(key.thumbnail, part, cv2.TM_CCOEFF_NORMED).max()) > ALIKE - 0.07
