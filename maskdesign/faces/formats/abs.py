"""FRGC v2 range images: `.abs` and `.abs.gz` text with a pixel-registered `.ppm`.

The format of the Face Recognition Grand Challenge (Phillips et al. 2005, "Overview of the Face Recognition Grand
Challenge"): three header lines, then four lines of rows x columns numbers: flags (0 or 1), X, Y and Z in millimeters.
"""

from __future__ import annotations

import gzip
import io
import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from maskdesign.errors import ScanError
from maskdesign.faces.formats.numbers import parse_numbers
from maskdesign.faces.raw import MAX_SAMPLES, RangeImage, upright
from maskdesign.files import check_readable, read_image, write_bytes

INVALID_MM = -999999.0
MAX_HEADER_BYTES = 120
MAX_NUMBER_BYTES = 32
HEADER = (re.compile(rb"\s*(\d{1,10})\s+rows\s*$"), re.compile(rb"\s*(\d{1,10})\s+columns\s*$"))


def read_abs(path: Path, texture: Path | None = None) -> RangeImage:
    """Read a range image.

    Args:
        path: `.abs` or `.abs.gz`.
        texture: the picture of the same size; the `.ppm` of the same name where None and there is one.

    Raises:
        ScanError: the header lies, numbers are missing or none, no sample is valid, or the texture has another size.
    """
    check_readable(path)
    with _opened(path) as stream:
        rows, columns = _read_header(stream, path)
        lines = [_read_line(stream, rows * columns, path, number) for number in range(4, 8)]
        # To the end, so that a cut or damaged archive is noticed.
        if stream.read(MAX_HEADER_BYTES).strip():
            raise ScanError(f"{path}: line 8: more than flags, X, Y and Z; the header or the file is damaged")
    flags, *axes = lines
    if not np.isin(flags, (0, 1)).all():
        raise ScanError(f"{path}: line 4: a flag is {flags[~np.isin(flags, (0, 1))][0]:g}; only 0 and 1 are known")
    valid = (flags == 1).reshape(rows, columns)
    rgb = _read_texture(path, texture)
    try:
        return upright(RangeImage(np.stack(axes, axis=-1).reshape(rows, columns, 3), valid, rgb))
    except ScanError as error:
        raise ScanError(f"{path}: {error}") from error


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    try:
        opener = gzip.open if path.suffix.lower() == ".gz" else open
        with opener(path, "rb") as stream:
            yield stream  # type: ignore[misc]
    except (OSError, EOFError, zlib.error) as error:
        raise ScanError(f"{path}: the file is damaged ({error}); copy it again") from error


def _read_header(stream: BinaryIO, path: Path) -> tuple[int, int]:
    lines = [stream.readline(MAX_HEADER_BYTES) for _ in range(3)]
    found = [pattern.match(line) for pattern, line in zip(HEADER, lines, strict=False)]
    if found[0] is None or found[1] is None or not lines[2].lstrip().startswith(b"pixels"):
        raise ScanError(f"{path}: lines 1 to 3: not the header of an FRGC .abs file (rows, columns, pixels)")
    rows, columns = (int(match[1]) for match in found if match)
    if not 0 < rows * columns <= MAX_SAMPLES:
        raise ScanError(f"{path}: line 1: {rows} x {columns} samples; from 1 to {MAX_SAMPLES} are read")
    return rows, columns


def _read_line(stream: BinaryIO, count: int, path: Path, number: int) -> NDArray[np.float64]:
    values = parse_numbers(stream.readline(count * MAX_NUMBER_BYTES + 2), f"{path}: line {number}")
    if len(values) != count:
        raise ScanError(f"{path}: line {number}: {len(values)} numbers instead of {count}; the file is cut or damaged")
    return values


def _read_texture(path: Path, texture: Path | None) -> NDArray[np.uint8] | None:
    if texture is None:
        texture = path.with_name(re.sub(r"\.abs(\.gz)?$", "", path.name, flags=re.IGNORECASE) + ".ppm")
        if not texture.exists():
            return None
    return read_image(texture)


def write_abs(path: Path, image: RangeImage) -> None:
    """Write `.abs` or `.abs.gz`, five decimals, and beside it the `.ppm` of the same name where there are colors.

    Raises:
        OutputError: the place cannot be written.
    """
    rows, columns = image.valid.shape
    points = np.where(image.valid[..., None], image.points_mm, INVALID_MM).reshape(-1, 3)
    lines = [f"{rows} rows", f"{columns} columns", "pixels (flag X Y Z):"]
    lines.append(" ".join(map("{:d}".format, image.valid.ravel().astype(int).tolist())))
    lines += [" ".join(map("{:.5f}".format, axis.tolist())) for axis in points.T]
    data = ("\n".join(lines) + "\n").encode()
    # Without a time stamp, so that the same scan gives the same bytes.
    write_bytes(path, gzip.compress(data, compresslevel=6, mtime=0) if path.suffix.lower() == ".gz" else data)
    if image.rgb is not None:
        buffer = io.BytesIO()
        Image.fromarray(image.rgb).save(buffer, format="PPM")
        write_bytes(path.with_name(re.sub(r"\.abs(\.gz)?$", "", path.name) + ".ppm"), buffer.getvalue())
