"""A protected photo and its key -> the original."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from maskdesign.digital.keyfile import read_key_bytes
from maskdesign.digital.picture import LOSSLESS, pixels_digest, read_picture, write_picture
from maskdesign.digital.restore import restore
from maskdesign.errors import UsageError


def restore_photo(photo: Path, key: Path, out: Path, passphrase: bytes) -> dict[str, Any]:
    """Restore one photo; where that is impossible nothing is written.

    Args:
        photo: the protected photo, as `protect` wrote it.
        key: its key file.
        out: .png, .webp or .tif for the original.

    Returns:
        what was written, ready for JSON.

    Raises:
        UsageError: `out` has another ending.
        InputError, ImageError, KeyFileError: the photo or the key cannot be used; says why.
    """
    if out.suffix.lower() not in LOSSLESS:
        raise UsageError(f"--out {out}: name a file that ends in {', '.join(LOSSLESS)}")
    original = restore(read_picture(photo), read_key_bytes(key), passphrase, str(photo), str(key))
    write_picture(out, original)
    return {"restored": str(out), "pixels_sha256": pixels_digest(original.pixels).hex()}
