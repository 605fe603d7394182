"""Bosphorus range images: `.bnt`, little endian.

The format of the Bosphorus database (Savran et al. 2008, "Bosphorus Database for 3D Face Analysis"): u16 rows, u16
columns, f64 zmin, u16 length and name of the picture, u32 count, then count f64: x, y, z, u and v, one after another.
"""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from maskdesign.errors import ScanError
from maskdesign.faces.raw import MAX_SAMPLES, RangeImage, upright
from maskdesign.files import check_readable, read_image, write_bytes

HEAD = struct.Struct("<HHdH")
COUNT = struct.Struct("<I")
MAX_BYTES = HEAD.size + 65535 + COUNT.size + 40 * MAX_SAMPLES
BACKGROUND_MM = -1e9


def read_bnt(path: Path, texture: Path | None = None) -> RangeImage:
    """Read a range image.

    Args:
        path: `.bnt`.
        texture: the picture its u and v point into; the `.png` of the same name where None and there is one.

    Raises:
        ScanError: the header lies, the file is cut, values are not finite, or no sample is valid.
    """
    check_readable(path)
    if path.stat().st_size > MAX_BYTES:
        raise ScanError(f"{path}: {path.stat().st_size >> 20} MiB; at most {MAX_SAMPLES} samples are read")
    data = path.read_bytes()
    rows, columns, zmin, start = _read_header(data, path)
    fields = np.frombuffer(data, "<f8", 5 * rows * columns, start).reshape(5, rows, columns)
    points, uv = np.moveaxis(fields[:3], 0, -1), np.moveaxis(fields[3:], 0, -1)
    valid = points[..., 2] != zmin
    try:
        rgb = _sample_texture(path, texture, uv, valid)
        return upright(RangeImage(points, valid, rgb))
    except ScanError as error:
        raise ScanError(f"{path}: {error}") from error


def _read_header(data: bytes, path: Path) -> tuple[int, int, float, int]:
    if len(data) < HEAD.size:
        raise ScanError(f"{path}: byte {len(data)}: the file ends in its header; copy it again")
    rows, columns, zmin, name_bytes = HEAD.unpack_from(data)
    at = HEAD.size + name_bytes
    if len(data) < at + COUNT.size:
        raise ScanError(f"{path}: byte {len(data)}: the file ends in the picture's name; copy it again")
    (count,) = COUNT.unpack_from(data, at)
    if not 0 < rows * columns <= MAX_SAMPLES:
        raise ScanError(f"{path}: byte 0: {rows} x {columns} samples; from 1 to {MAX_SAMPLES} are read")
    if count != 5 * rows * columns:
        raise ScanError(f"{path}: byte {at}: {count} numbers for {rows} x {columns} samples of five; not a .bnt file")
    start = at + COUNT.size
    if len(data) != start + 8 * count:
        raise ScanError(f"{path}: byte {start}: {len(data) - start} bytes of numbers instead of {8 * count}")
    return rows, columns, zmin, start


def _sample_texture(
    path: Path, texture: Path | None, uv: NDArray[np.float64], valid: NDArray[np.bool_]
) -> NDArray[np.uint8] | None:
    if texture is None:
        texture = path.with_suffix(".png")
        if not texture.exists():
            return None
    picture = read_image(texture)
    inside = valid & (uv >= 0).all(axis=2) & (uv <= 1).all(axis=2)
    at = np.where(inside[..., None], uv, 0)
    columns = np.minimum((at[..., 0] * picture.shape[1]).astype(int), picture.shape[1] - 1)
    # v counts from the bottom of the picture.
    rows = np.minimum(((1 - at[..., 1]) * picture.shape[0]).astype(int), picture.shape[0] - 1)
    return np.where(inside[..., None], picture[rows, columns], 0).astype(np.uint8)


def write_bnt(path: Path, image: RangeImage, texture_name: str = "") -> None:
    """Write `.bnt`, exactly; u and v are the places on the grid. Colors are not part of the format.

    Raises:
        ScanError: more rows or columns than the format can count.
        OutputError: the place cannot be written.
    """
    rows, columns = image.valid.shape
    name = texture_name.encode()
    if max(rows, columns, len(name)) > 65535:
        raise ScanError(f"{path}: {rows} x {columns} samples do not fit a .bnt file; write .abs.gz instead")
    points = np.where(image.valid[..., None], image.points_mm, BACKGROUND_MM)
    u, v = np.meshgrid((np.arange(columns) + 0.5) / columns, 1 - (np.arange(rows) + 0.5) / rows)
    fields = np.stack([*np.moveaxis(points, -1, 0), u, v]).astype("<f8")
    head = HEAD.pack(rows, columns, BACKGROUND_MM, len(name)) + name + COUNT.pack(fields.size)
    write_bytes(path, head + fields.tobytes())
