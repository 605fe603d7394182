"""`maskdesign render`: names of views, the pictures it writes, what it refuses."""

from __future__ import annotations

import io
import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from maskdesign.cli.main import main
from maskdesign.config import to_toml
from maskdesign.errors import UsageError
from maskdesign.faces.head import builtin_face
from maskdesign.faces.scan import save_face
from maskdesign.files import read_image, write_image, write_json
from maskdesign.jobs.config import JobConfig
from maskdesign.jobs.render import parse_view
from maskdesign.jobs.stages import needed_openings
from maskdesign.jobs.turntable import TURNTABLE_FRAMES, encode_gif, encode_mp4
from maskdesign.mask.drape import drape_mask
from maskdesign.mask.worn import save_worn
from maskdesign.optimize.texture import grid_shape
from maskdesign.run import begin_run


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    """A run as a finished design leaves it, with a red texture."""
    config, face = JobConfig(), builtin_face()
    run = begin_run(tmp_path_factory.mktemp("runs") / "red", to_toml(config), {})
    save_face(face, run.face)
    write_image(run.photo, np.zeros((4, 4, 3), np.uint8))
    write_json(run.photo_facts, {"points_px": {}})
    worn = drape_mask(face, config.mask, config.drape)
    for opening_mm in needed_openings(config):
        save_worn(worn, run.worn(opening_mm))
    rows, columns = grid_shape(config.mask, config.texture.print_texel_mm)
    write_image(run.texture, np.full((rows, columns, 3), (220, 20, 20), np.uint8))
    return run.folder


def red_share(path: Path) -> tuple[float, float]:
    """How much of the left and of the right half of a picture is red."""
    pixels = read_image(path).astype(int)
    red = (pixels[..., 0] > 3 * pixels[..., 1]) & (pixels[..., 0] > 60)
    half = red.shape[1] // 2
    return float(red[:, :half].mean()), float(red[:, half:].mean())


@pytest.mark.parametrize(
    ("name", "pose"),
    [
        ("front", (0, 0)),
        ("left45", (-45, 0)),
        ("right45", (45, 0)),
        ("up45", (0, 45)),
        ("down20", (0, -20)),
        ("right30+up10", (30, 10)),
        ("left12.5", (-12.5, 0)),
    ],
)
def test_names_of_views(name, pose):
    assert parse_view(name) == pose


@pytest.mark.parametrize("name", ["", "back", "left", "45left", "up91", "left181", "left45+", "left-5", "leftnan"])
def test_other_names_are_refused(name):
    with pytest.raises(UsageError, match=r"--views: .* is no view; write front, photo"):
        parse_view(name)


def test_pictures_show_the_texture_from_the_named_sides(run, tmp_path, capsys):
    words = ["render", str(run), "--views", "front, left45, right45", "--size", "128", "--out", str(tmp_path), "--json"]
    assert main(words) == 0
    files = json.loads(capsys.readouterr().out)["pictures"]
    assert files == [str(tmp_path / f"{name}.png") for name in ("front", "left45", "right45")]
    assert read_image(tmp_path / "front.png").shape == (128, 128, 3)
    front, left, right = (red_share(Path(path)) for path in files)
    assert front[0] == pytest.approx(front[1], rel=0.1) and sum(front) > 0.2
    assert left[0] > 1.4 * left[1] and right[1] > 1.4 * right[0]


def test_another_texture_and_the_runs_own_folder(run, tmp_path):
    write_image(tmp_path / "blue.png", np.full((9, 11, 3), (10, 10, 250), np.uint8))
    assert main(["render", str(run), "--views", "front", "--size", "64", "--texture", str(tmp_path / "blue.png")]) == 0
    written = run / "renders" / "front.png"
    assert sum(red_share(written)) == 0
    pixels = read_image(written).astype(int)
    assert ((pixels[..., 2] > 3 * pixels[..., 0]) & (pixels[..., 2] > 60)).mean() > 0.1


def test_turntable_turns_once_around(run, tmp_path):
    words = ["render", str(run), "--views", "front", "--size", "48", "--out", str(tmp_path), "--turntable", "gif"]
    assert main(words) == 0
    with Image.open(tmp_path / "turntable.gif") as image:
        assert image.n_frames == TURNTABLE_FRAMES and image.info["loop"] == 0
        seen = []
        for frame in (0, TURNTABLE_FRAMES // 2):
            image.seek(frame)
            pixels = np.asarray(image.convert("RGB")).astype(int)
            seen.append(((pixels[..., 0] > 3 * pixels[..., 1]) & (pixels[..., 0] > 60)).mean())
    assert seen[0] > 0.1 and seen[1] < 0.01  # the mask from the front, and the back of the head


def test_gif_keeps_colors():
    ramp = np.linspace(0, 255, 64).astype(np.uint8)
    frame = np.stack([np.broadcast_to(ramp, (64, 64)), np.broadcast_to(ramp[:, None], (64, 64)), np.full((64, 64), 90)])
    frame = frame.transpose(1, 2, 0).astype(np.uint8)
    encoded = encode_gif([frame, frame[::-1].copy()])
    assert encoded[:6] == b"GIF89a"

    with Image.open(io.BytesIO(encoded)) as image:
        found = np.asarray(image.convert("RGB")).astype(int)
    assert np.abs(found - frame).mean() < 6


def test_mp4_keeps_frames_and_their_order(tmp_path):
    shades = [np.full((48, 64, 3), (20 + 60 * i, 200 - 50 * i, 90), np.uint8) for i in range(4)]
    (tmp_path / "turn.mp4").write_bytes(encode_mp4(shades))
    video = cv2.VideoCapture(str(tmp_path / "turn.mp4"))
    for shade in shades:
        read, frame = video.read()
        assert read and np.abs(frame[..., ::-1].mean(axis=(0, 1)) - shade[0, 0]).max() < 8
    assert not video.read()[0]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--size", "8"), "--size 8 must lie between 32 and 4096 pixels"),
        (("--views", "side"), "'side' is no view"),
        (("--texture", "absent.png"), "absent.png: no such file"),
    ],
)
def test_bad_words_are_refused_in_one_line(run, words, message, capsys):
    assert main(["render", str(run), *words]) in (2, 3)
    error = capsys.readouterr().err.strip()
    assert message in error and "\n" not in error


def test_an_unfinished_run_is_refused(run, tmp_path, capsys):
    begin_run(tmp_path / "new", to_toml(JobConfig()), {})
    assert main(["render", str(tmp_path / "new")]) == 3
    assert "the design is not finished" in capsys.readouterr().err


def test_a_photo_without_landmarks_is_refused(run, tmp_path, capsys):
    assert main(["render", str(run), "--views", "photo", "--out", str(tmp_path)]) == 3
    assert "0 landmarks of the photo are known, at least 6 needed" in capsys.readouterr().err
