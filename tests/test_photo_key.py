"""The exact core of the photo mode: keys restore every bit, and nothing but the right key restores any."""

from __future__ import annotations

import dataclasses
import functools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from photo_samples import protected, random_picture, smooth_picture

from maskdesign.digital import keyfile
from maskdesign.digital.key import apply_key, make_key, pack_key, unpack_key
from maskdesign.digital.keyfile import SealError, seal, unseal
from maskdesign.digital.picture import Picture
from maskdesign.digital.restore import restore
from maskdesign.digital.template import Template
from maskdesign.errors import KeyFileError

LOG2_N = 14
SECRET = b"correct horse"


@pytest.fixture
def cached_scrypt(monkeypatch):
    """scrypt, each derivation once: flips of the ciphertext do not change the derived key."""
    monkeypatch.setattr(keyfile, "_derive", functools.cache(keyfile._derive))


@given(st.integers(0, 2**32 - 1), st.integers(8, 60), st.integers(8, 60), st.integers(1, 4), st.integers(0, 40))
@settings(max_examples=60, deadline=None)
def test_any_picture_comes_back_bit_for_bit(seed, height, width, channels, cells):
    rng = np.random.default_rng(seed)
    picture = random_picture(rng, height, width, channels)
    changed, key = protected(rng, picture, cells)
    np.testing.assert_array_equal(apply_key(unpack_key(pack_key(key)), changed).pixels, picture.pixels)
    np.testing.assert_array_equal(apply_key(key, picture).pixels, changed.pixels)
    alpha = slice(picture.color_channels, None)
    np.testing.assert_array_equal(changed.pixels[..., alpha], picture.pixels[..., alpha])


def test_two_hundred_photos_of_many_sizes_are_restored(cached_scrypt):
    for number in range(200):
        rng = np.random.default_rng(number)
        picture = random_picture(rng, *rng.integers(8, 300, 2), channels=int(rng.integers(1, 5)))
        changed, key = protected(rng, picture, 100)
        data = seal(key, SECRET, LOG2_N) if number < 5 else None
        opened = key if data is None else unseal(data, SECRET)
        assert np.array_equal(apply_key(opened, changed).pixels, picture.pixels)


def test_overlapping_cells_restore_too():
    picture = random_picture(np.random.default_rng(0), 20, 20)
    changed = picture.with_pixels(picture.pixels.copy())
    changed.pixels[2:9, 2:9] ^= 77
    template = Template(np.array([[2, 2, 5], [4, 4, 5], [2, 4, 5], [4, 2, 5]], np.int32))
    np.testing.assert_array_equal(apply_key(make_key(picture, changed, template), changed).pixels, picture.pixels)


def test_a_change_outside_the_cells_makes_no_key():
    picture = random_picture(np.random.default_rng(0), 20, 20, 4)
    for channel, message in ((0, "outside the template"), (3, "alpha")):
        changed = picture.with_pixels(picture.pixels.copy())
        changed.pixels[15, 15, channel] ^= 1
        with pytest.raises(ValueError, match=message):
            make_key(picture, changed, Template(np.array([[1, 1, 4]], np.int32)))


def test_every_flipped_bit_and_every_truncation_is_refused_with_one_message(cached_scrypt):
    rng = np.random.default_rng(1)
    picture = smooth_picture(rng, 12, 12)
    changed, key = protected(rng, picture, 2)
    data, messages = seal(key, SECRET, LOG2_N), set()
    spoiled = [data[:cut] for cut in range(len(data))]
    for bit in range(8 * len(data)):
        flipped = bytearray(data)
        flipped[bit // 8] ^= 1 << bit % 8
        log2_n = flipped[len(keyfile.MAGIC) + 1]
        # 2^16 and more take seconds and hundreds of MiB to fail; 2^15 stands for them.
        if log2_n <= 15 or log2_n not in keyfile.LOG2_N_ACCEPTED:
            spoiled.append(bytes(flipped))
    for candidate in spoiled:
        with pytest.raises(KeyFileError) as caught:
            restore(changed, candidate, SECRET, "a.png", "a.key")
        messages.add(str(caught.value))
    _, other = protected(rng, smooth_picture(rng, 12, 12), 2)
    _, larger = protected(rng, smooth_picture(rng, 90, 70), 2)
    swapped = [(seal(stranger, SECRET, LOG2_N), SECRET) for stranger in (other, larger)]
    for candidate, words in [*swapped, (data, b"correct horsf"), (data, b""), (data + b"\0", SECRET)]:
        with pytest.raises(KeyFileError) as caught:
            restore(changed, candidate, words, "a.png", "a.key")
        messages.add(str(caught.value))
    assert messages == {
        "a.key: does not open a.png: wrong passphrase, a damaged key file, or the key of another photo; check all three"
    }
    np.testing.assert_array_equal(restore(changed, data, SECRET, "a", "b").pixels, picture.pixels)


def test_the_same_key_sealed_twice_shares_no_stream(cached_scrypt):
    _, key = protected(np.random.default_rng(2), random_picture(np.random.default_rng(2)))
    first, second = seal(key, SECRET, LOG2_N), seal(key, SECRET, LOG2_N)
    assert len(first) == len(second)
    same = np.mean(np.frombuffer(first[10:], np.uint8) == np.frombuffer(second[10:], np.uint8))
    assert same < 0.05


def test_weak_and_exhausting_work_factors_are_refused_before_any_work(monkeypatch):
    _, key = protected(np.random.default_rng(2), random_picture(np.random.default_rng(2)))
    data = bytearray(seal(key, SECRET, LOG2_N))
    monkeypatch.setattr(keyfile, "_derive", lambda *_: pytest.fail("scrypt ran"))
    for log2_n in (0, 13, 21, 255):
        data[len(keyfile.MAGIC) + 1] = log2_n
        with pytest.raises(SealError):
            unseal(bytes(data), SECRET)
        with pytest.raises(ValueError, match="must lie between 14 and 20"):
            seal(key, SECRET, log2_n)


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_mutated_payloads_raise_only_value_errors(data):
    _, key = protected(np.random.default_rng(3), random_picture(np.random.default_rng(3), 12, 12), 3)
    import zlib

    body = bytearray(zlib.decompress(pack_key(key)))
    for _ in range(data.draw(st.integers(1, 6))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    try:
        mutated = unpack_key(zlib.compress(bytes(body[: data.draw(st.integers(0, len(body)))])))
    except ValueError:
        return
    assert dataclasses.is_dataclass(mutated)


@pytest.fixture(scope="module")
def sealed():
    rng = np.random.default_rng(7)
    changed, key = protected(rng, smooth_picture(rng, 160, 200), 30)
    return changed, seal(key, SECRET, LOG2_N)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda pixels: pixels // 2 * 2, "its pixels are not those that were protected"),
        (lambda pixels: pixels[::2, ::2], r"resized \(100 x 80 pixels, protected as 200 x 160\)"),
        (lambda pixels: pixels[:, 10:], r"cropped \(190 x 160 pixels, protected as 200 x 160\)"),
        (lambda pixels: pixels[40:120, 60:160], "cropped"),
        (lambda pixels: pixels[..., [0, 1, 2, 2]], "its color channels are others"),
        (lambda pixels: pixels[::-1, ::-1], "does not open"),
    ],
    ids=["recompressed", "resized", "cropped a little", "cropped", "alpha added", "turned"],
)
def test_a_changed_copy_is_told_what_happened_to_it_and_another_photo_is_not(sealed, change, message):
    changed, data = sealed
    copy = Picture(np.ascontiguousarray(change(changed.pixels)))
    with pytest.raises(KeyFileError, match=message):
        restore(copy, data, SECRET, "a.png", "a.key")
