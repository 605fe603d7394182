"""Files: whole or not at all, and no bad image comes through."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import random
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from maskdesign import files
from maskdesign.errors import ImageError, InputError, MaskdesignError, OutputError


def picture(fmt: str, size=(40, 30), **options) -> bytes:
    pixels = np.random.default_rng(0).integers(0, 255, (size[1], size[0], 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format=fmt, **options)
    return buffer.getvalue()


def png_header_of(width: int, height: int) -> bytes:
    """A PNG that promises many pixels in few bytes."""
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunk = struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header))
    data = b"IDAT" + zlib.compress(b"\x00" * 64)
    body = struct.pack(">I", len(data) - 4) + data + struct.pack(">I", zlib.crc32(data))
    return b"\x89PNG\r\n\x1a\n" + chunk + body


def test_what_is_written_is_read_back(tmp_path):
    pixels = np.random.default_rng(1).integers(0, 255, (9, 7, 3), dtype=np.uint8)
    files.write_image(tmp_path / "a.png", pixels)
    np.testing.assert_array_equal(files.read_image(tmp_path / "a.png"), pixels)
    files.write_npz(tmp_path / "a.npz", x=np.arange(3), name=np.array("text"))
    assert files.read_npz(tmp_path / "a.npz")["x"].tolist() == [0, 1, 2]


def test_exif_orientation_is_applied(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    (tmp_path / "turned.jpg").write_bytes(picture("JPEG", exif=exif.tobytes()))
    assert files.read_image(tmp_path / "turned.jpg").shape == (40, 30, 3)


def test_a_failing_write_leaves_the_old_file_and_no_part(tmp_path, monkeypatch):
    path = tmp_path / "kept.txt"
    files.write_text(path, "old")

    def full(descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(files.os, "fsync", full)
    with pytest.raises(OutputError, match=r"kept.txt: cannot be written \(No space left on device\); free some space"):
        files.write_text(path, "new")
    assert path.read_text() == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["kept.txt"]


def test_a_file_in_the_place_of_a_folder_is_named(tmp_path):
    (tmp_path / "out").write_text("")
    with pytest.raises(OutputError, match="cannot be written"):
        files.write_text(tmp_path / "out" / "x.txt", "")


def test_parts_of_killed_writers_are_swept(tmp_path):
    (tmp_path / ".texture.png.abc.part").write_text("half")
    files.sweep_partial_files(tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "no such file"),
        (b"", "not an image this program reads"),
        (b"hello, this is text", "not an image this program reads"),
        (picture("JPEG", (400, 300))[:5000], "the image is damaged"),
        (picture("PNG")[:200], "the image is damaged"),
        (png_header_of(60_000, 60_000), "megapixels; scale it down first"),
        (png_header_of(9_000, 6_000), "exceed 50 megapixels"),
        (picture("GIF"), "not an image this program reads"),
    ],
    ids=["absent", "empty", "text", "truncated jpeg", "truncated png", "bomb", "54 megapixels", "gif"],
)
def test_bad_images_are_refused_with_their_name(tmp_path, content, message):
    path = tmp_path / "photo.jpg"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=message) as caught:
        files.read_image(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_folder_is_no_image(tmp_path):
    with pytest.raises(InputError, match="is a folder"):
        files.read_image(tmp_path)


@pytest.mark.parametrize("fmt", ["PNG", "JPEG", "PPM", "TIFF", "WEBP", "BMP"])
def test_mutated_images_raise_only_this_programs_errors(tmp_path, fmt):
    whole, path = picture(fmt), tmp_path / "mutated"
    rng = random.Random(f"{fmt} 1")
    for _ in range(150):
        mutated = bytearray(whole)
        for _ in range(rng.randint(1, 8)):
            mutated[rng.randrange(len(mutated))] = rng.randrange(256)
        path.write_bytes(bytes(mutated[: rng.randint(1, len(mutated))]))
        with contextlib.suppress(ImageError):
            assert files.read_image(path).dtype == np.uint8


def test_mutated_arrays_raise_only_this_programs_errors(tmp_path):
    path = tmp_path / "face.npz"
    files.write_npz(path, vertices_mm=np.zeros((5, 3)), triangles=np.zeros((2, 3), int))
    whole, rng = path.read_bytes(), random.Random(2)
    for _ in range(400):
        mutated = bytearray(whole)
        for _ in range(rng.randint(1, 6)):
            mutated[rng.randrange(len(mutated))] = rng.randrange(256)
        path.write_bytes(bytes(mutated[: rng.randint(1, len(mutated))]))
        with contextlib.suppress(MaskdesignError):
            files.read_npz(path)


def test_pickled_arrays_are_refused(tmp_path):
    path = tmp_path / "evil.npz"
    np.savez(path, x=np.array([{"a": 1}], dtype=object))
    with pytest.raises(InputError, match=r"not a readable \.npz file"):
        files.read_npz(path)
