"""Photos are read as they are: turned, with alpha, gray; what would lose bits is refused. `restore` by hand."""

from __future__ import annotations

import io
import json

import numpy as np
import pytest
from photo_samples import protected, random_picture, smooth_picture
from PIL import Image

from maskdesign.cli.main import main
from maskdesign.digital.keyfile import seal, write_key
from maskdesign.digital.picture import Picture, for_webp, pixels_digest, read_picture, write_jpeg, write_picture
from maskdesign.errors import ImageError, UsageError

LOG2_N = 14


@pytest.mark.parametrize("ending", [".png", ".webp", ".tif", ".TIFF"])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_lossless_files_keep_every_bit_even_under_transparent_alpha(tmp_path, ending, channels):
    picture = random_picture(np.random.default_rng(channels), channels=channels)
    if ending == ".webp":
        picture = for_webp(picture)
    picture.pixels[:9, :, -1] = 0
    write_picture(tmp_path / f"a{ending}", picture)
    again = read_picture(tmp_path / f"a{ending}")
    if picture.pixels.shape[2] != 3 or again.pixels.shape[2] == 3:
        np.testing.assert_array_equal(again.pixels, picture.pixels)


def test_the_color_profile_is_kept_and_the_place_of_the_camera_is_not(tmp_path):
    exif = Image.Exif()
    exif[0x010F] = "Camera"
    pixels = np.zeros((9, 7, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.jpg", icc_profile=b"profile", exif=exif.tobytes())
    write_picture(tmp_path / "b.png", read_picture(tmp_path / "a.jpg"))
    with Image.open(tmp_path / "b.png") as image:
        assert image.info["icc_profile"] == b"profile"
        assert not image.getexif()


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_turned_photo_is_read_upright(tmp_path, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    pixels = random_picture(np.random.default_rng(0)).pixels
    Image.fromarray(pixels).save(tmp_path / "a.png", exif=exif.tobytes())
    turns = {
        1: lambda p: p, 2: lambda p: p[:, ::-1], 3: lambda p: p[::-1, ::-1], 4: lambda p: p[::-1],
        5: lambda p: p.transpose(1, 0, 2), 6: lambda p: np.rot90(p, -1), 7: lambda p: p[::-1, ::-1].transpose(1, 0, 2),
        8: lambda p: np.rot90(p),
    }  # fmt: skip
    np.testing.assert_array_equal(read_picture(tmp_path / "a.png").pixels, turns[orientation](pixels))


def test_palettes_and_bitmaps_become_plain_pixels(tmp_path):
    image = Image.fromarray(smooth_picture(np.random.default_rng(0), 30, 30).pixels)
    image.quantize(16).save(tmp_path / "p.png")
    np.testing.assert_array_equal(
        read_picture(tmp_path / "p.png").pixels, np.asarray(image.quantize(16).convert("RGB"))
    )
    image.convert("1").save(tmp_path / "1.png")
    assert set(np.unique(read_picture(tmp_path / "1.png").pixels)) == {0, 255}
    image.quantize(16).save(tmp_path / "t.png", transparency=0)
    assert read_picture(tmp_path / "t.png").pixels.shape == (30, 30, 4)


def refused(tmp_path, content: bytes, message: str) -> None:
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(ImageError, match=message):
        read_picture(tmp_path / "a.png")


def encoded(image: Image.Image, kind: str, **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format=kind, **options)
    return buffer.getvalue()


def test_what_would_lose_bits_is_refused(tmp_path):
    import cv2

    deep = np.random.default_rng(0).integers(0, 65536, (20, 20, 3)).astype(np.uint16)
    for ending in (".png", ".tiff", ".ppm"):
        for pixels in (deep, deep[..., 0]):
            if ending == ".ppm" and pixels.ndim == 2:
                continue
            content = cv2.imencode(ending, pixels)[1].tobytes()
            refused(tmp_path, content, "more than 8 bits a channel|not an image|damaged")
    gray = Image.fromarray(deep[..., 0].astype(np.uint8))
    refused(tmp_path, encoded(gray.convert("CMYK"), "JPEG"), "its colors are CMYK; convert it to RGB first")
    refused(tmp_path, encoded(gray.convert("F"), "TIFF"), "more than 8 bits")
    frames = {"save_all": True, "append_images": [Image.fromarray(deep[::-1, :, 1].astype(np.uint8))]}
    for kind in ("PNG", "WEBP", "TIFF"):
        refused(tmp_path, encoded(gray, kind, **frames), "holds 2 pictures")


def test_a_lossy_ending_is_refused(tmp_path):
    with pytest.raises(UsageError, match="others lose pixels"):
        write_picture(tmp_path / "a.jpg", random_picture(np.random.default_rng(0)))
    write_jpeg(tmp_path / "a.jpg", random_picture(np.random.default_rng(0), channels=4), 95)
    assert read_picture(tmp_path / "a.jpg").pixels.shape == (40, 50, 3)


def test_a_digest_knows_shape_from_content():
    pixels = np.zeros((4, 6, 3), np.uint8)
    assert pixels_digest(pixels) != pixels_digest(pixels.reshape(6, 4, 3))


@pytest.fixture
def case(tmp_path, monkeypatch):
    """A protected photo, its key, and the original."""
    monkeypatch.setenv("MASKDESIGN_PASSPHRASE", "secret")
    rng = np.random.default_rng(4)
    original = smooth_picture(rng, 60, 80, 4)
    changed, key = protected(rng, original)
    write_picture(tmp_path / "a.png", changed)
    write_key(tmp_path / "a.key", seal(key, b"secret", LOG2_N))
    return tmp_path, original


def run(folder, *more: str, photo="a.png", key="a.key", out="b.png") -> int:
    return main(["restore", str(folder / photo), "--key", str(folder / key), "--out", str(folder / out), *more])


@pytest.mark.parametrize("out", ["b.png", "b.webp", "b.tiff"])
def test_restore_writes_the_originals_pixels(case, capsys, out):
    folder, original = case
    assert run(folder, "--json", out=out) == 0
    assert json.loads(capsys.readouterr().out)["pixels_sha256"] == pixels_digest(original.pixels).hex()
    np.testing.assert_array_equal(read_picture(folder / out).pixels, original.pixels)


def test_the_key_is_for_its_owner_alone_and_the_passphrase_may_lie_in_a_file(case, monkeypatch):
    folder, _ = case
    assert (folder / "a.key").stat().st_mode & 0o077 == 0
    monkeypatch.delenv("MASKDESIGN_PASSPHRASE")
    (folder / "words").write_bytes(b"secret\r\n")
    assert run(folder, "--passphrase-file", str(folder / "words")) == 0
    assert run(folder, out="c.png") == 2, "nobody to ask"
    (folder / "words").write_bytes(b"\n")
    assert run(folder, "--passphrase-file", str(folder / "words"), out="c.png") == 3


def test_restore_refuses_in_one_line_and_writes_nothing(case, monkeypatch, capsys):
    folder, _ = case
    before = sorted(folder.iterdir())
    with Image.open(folder / "a.png") as image:
        image.resize((40, 30)).save(folder / "small.png")
    trials = [
        ({"photo": "absent.png"}, 3, "no such file"),
        ({"key": "absent.key"}, 3, "no such file"),
        ({"key": "a.png"}, 3, "does not open"),
        ({"photo": "a.key"}, 3, "not an image"),
        ({"photo": "small.png"}, 3, "resized"),
        ({"out": "b.jpg"}, 2, "name a file that ends in"),
    ]
    for names, code, message in trials:
        assert run(folder, **names) == code
        error = capsys.readouterr().err
        assert message in error and error.count("\n") == 1
    monkeypatch.setenv("MASKDESIGN_PASSPHRASE", "Secret")
    assert run(folder) == 3
    assert "does not open" in capsys.readouterr().err
    (folder / "small.png").unlink()
    assert sorted(folder.iterdir()) == before


def test_a_read_only_folder_is_told(case, capsys):
    folder, _ = case
    (folder / "file").write_text("")
    assert run(folder, out="file/b.png") == 3
    assert "cannot be written" in capsys.readouterr().err


def test_picture_shows_recognizers_three_colors():
    gray = Picture(np.arange(12, dtype=np.uint8).reshape(2, 3, 2))
    assert gray.rgb.shape == (2, 3, 3)
    np.testing.assert_array_equal(gray.rgb[..., 2], gray.pixels[..., 0])
