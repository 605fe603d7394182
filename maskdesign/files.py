"""Reading that refuses what is unsafe, and writing that is whole or not at all."""

from __future__ import annotations

import io
import json
import os
import tempfile
import warnings
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from maskdesign.errors import ImageError, InputError, OutputError

PACKAGE = Path(__file__).parent
MAX_MEGAPIXELS = 50
IMAGE_FORMATS = ("PNG", "JPEG", "PPM", "TIFF", "WEBP", "BMP")
MAX_NPZ_BYTES = 2 << 30


def data_path(relative: str) -> Path:
    """A file of the data folders (meshes/, calibration/, print_templates/), in a clone or in an installed wheel.

    Raises:
        InputError: the installation lacks it.
    """
    for base in (PACKAGE / "_data", PACKAGE.parent):
        if (base / relative).exists():
            return base / relative
    raise InputError(f"{relative}: missing from this installation; install maskdesign again")


@contextmanager
def _refusing_to_write(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise OutputError(
            f"{path}: cannot be written ({error.strerror or error}); free some space or name another folder with --out"
        ) from error


def write_bytes(path: Path, data: bytes, mode: int = 0o644) -> None:
    """Write a file so that a reader sees the old content or the new, never a part: temporary file, fsync, rename.

    Raises:
        OutputError: the place is read-only, full, or not a folder. The old file is left as it was.
    """
    write_parts(path, (data,), mode)


def write_parts(path: Path, parts: Iterable[bytes], mode: int = 0o644) -> None:
    """The same for content that need not be in memory all at once."""
    with _refusing_to_write(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
        try:
            with os.fdopen(handle, "wb") as stream:
                stream.writelines(parts)
                stream.flush()
                os.fsync(stream.fileno())
            Path(temporary).chmod(mode)
            Path(temporary).replace(path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
        _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    # Without this the rename itself may be lost with the power.
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sweep_partial_files(folder: Path) -> None:
    """Remove what killed writers left behind in a folder."""
    for path in folder.glob(".*.part"):
        path.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text atomically."""
    write_bytes(path, text.encode())


def write_json(path: Path, document: Any) -> None:
    """Write one JSON document atomically."""
    write_text(path, json.dumps(document, indent=2, allow_nan=False) + "\n")


def write_npz(path: Path, **arrays: NDArray) -> None:
    """Write arrays to a compressed .npz atomically."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    write_bytes(path, buffer.getvalue())


def write_image(path: Path, pixels: NDArray[np.uint8], dpi: float | None = None) -> None:
    """Write (H, W, 3) or (H, W, 4) uint8 sRGB pixels as PNG, atomically."""
    buffer = io.BytesIO()
    options = {} if dpi is None else {"dpi": (dpi, dpi)}
    Image.fromarray(pixels).save(buffer, format="PNG", **options)
    write_bytes(path, buffer.getvalue())


def check_readable(path: Path) -> None:
    """Raise an `InputError` that names the file where it is missing, a folder, or may not be read."""
    if not path.exists():
        raise InputError(f"{path}: no such file")
    if path.is_dir():
        raise InputError(f"{path}: is a folder; name a file in it")
    if not os.access(path, os.R_OK):
        raise InputError(f"{path}: may not be read; change its permissions")


def read_npz(path: Path) -> dict[str, NDArray]:
    """Read every array of an .npz without pickle.

    Raises:
        InputError: missing, damaged, with pickled objects, or unpacking to more than 2 GiB.
    """
    check_readable(path)
    try:
        with zipfile.ZipFile(path) as archive:
            unpacked = sum(entry.file_size for entry in archive.infolist())
        if unpacked > MAX_NPZ_BYTES:
            raise InputError(f"{path}: unpacks to {unpacked >> 20} MiB, the limit is {MAX_NPZ_BYTES >> 20} MiB")
        with np.load(path, allow_pickle=False) as arrays:
            return {name: arrays[name] for name in arrays.files}
    except (ValueError, OSError, EOFError, KeyError, RuntimeError, zipfile.BadZipFile, zlib.error) as error:
        raise InputError(f"{path}: not a readable .npz file ({error}); make it again") from error


def read_image(path: Path, max_megapixels: float = MAX_MEGAPIXELS) -> NDArray[np.uint8]:
    """Read a photo upright, as sRGB without alpha.

    Args:
        path: PNG, JPEG, PPM, TIFF, WebP or BMP.
        max_megapixels: limit on width x height, checked before a pixel is unpacked.

    Returns:
        (H, W, 3) uint8, turned as its EXIF orientation says.

    Raises:
        InputError: no such file.
        ImageError: not an image, truncated, or too large.
    """
    with open_image(path, max_megapixels) as image:
        return np.asarray(ImageOps.exif_transpose(image).convert("RGB"))


@contextmanager
def open_image(path: Path, max_megapixels: float = MAX_MEGAPIXELS) -> Iterator[Image.Image]:
    """An image that is opened and counted but not yet unpacked; what fails inside names the file and the remedy.

    Raises:
        InputError, ImageError: as `read_image`.
    """
    check_readable(path)
    try:
        with warnings.catch_warnings():
            # Pillow's warnings are about pixels that are counted below and tags that nobody reads here.
            warnings.simplefilter("ignore")
            with Image.open(path, formats=IMAGE_FORMATS) as image:
                _check_megapixels(path, image.width, image.height, max_megapixels)
                yield image
    except Image.DecompressionBombError as error:
        raise ImageError(f"{path}: unpacks to more than {max_megapixels:g} megapixels; scale it down first") from error
    except UnidentifiedImageError as error:
        raise ImageError(f"{path}: not an image this program reads; give a {', '.join(IMAGE_FORMATS)} file") from error
    except (OSError, ValueError, SyntaxError, IndexError, TypeError, EOFError) as error:
        raise ImageError(f"{path}: the image is damaged ({error}); save or copy it again") from error


def _check_megapixels(path: Path, width: int, height: int, limit: float) -> None:
    if width * height > limit * 1e6:
        raise ImageError(f"{path}: {width} x {height} pixels exceed {limit:g} megapixels; scale it down first")
