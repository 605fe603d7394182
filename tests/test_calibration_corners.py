"""Corners get the right names on flat, bent and worn boards; what is no board is refused with the remedy."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch

from maskdesign.calibration.board import CODED, PLAIN, board_pixels, inner_corners_mm, load_board
from maskdesign.calibration.drapes import DrapeFamily, points_of_family
from maskdesign.calibration.fit import View2D, fit_drape
from maskdesign.calibration.flat import FlatCorners, fit_lens, read_flat, scan_scale
from maskdesign.calibration.identify import identify, look
from maskdesign.calibration.lattice import STEPS
from maskdesign.calibration.predict import on_fold
from maskdesign.calibration.saddle import find_saddles, linear_light, paper_brightness
from maskdesign.calibration.smooth import name_smoothly
from maskdesign.cli.main import main
from maskdesign.files import write_image
from maskdesign.mask.pattern import MaskPattern
from maskdesign.mask.sheet import fine_grid
from maskdesign.render.camera import orbit_camera, project_points
from maskdesign.render.color import srgb_encode
from tests.calibration_photos import Conditions, Photo, bent_sheet, random_view, sheet_alone, take_photo

BOARD = load_board(CODED)
SMALL = Conditions(side_px=700, px_per_mm=(2.6, 3.0), yaw_deg=30)


@pytest.fixture(scope="module")
def flat() -> list[Photo]:
    worn, rng = bent_sheet(None), np.random.default_rng(70)
    scene = sheet_alone(worn)
    views = [random_view(rng, SMALL, (0.0, 0.0, 0.0)) for _ in range(3)]
    # One camera at one zoom.
    views = [replace(view, camera=replace(view.camera, K=views[0].camera.K)) for view in views]
    return [take_photo(scene, worn, BOARD, view) for view in views]


def test_saddle_is_found_where_it_is_to_a_tenth_of_a_pixel():
    """An ideal X-corner with a known place, by area sampling."""
    fine = np.indices((400, 400)) + 0.5
    x, y = fine[1] / 10, fine[0] / 10
    dark = (x < 20.3) == (y < 19.7)
    picture = np.where(dark, 0.1, 0.9).reshape(40, 10, 40, 10).mean(axis=(1, 3)).astype(np.float32)
    light = np.asarray(cv2.GaussianBlur(picture, (0, 0), 1.0), np.float32)
    saddles = find_saddles(light, light)
    assert len(saddles.points_px) == 1
    np.testing.assert_allclose(saddles.points_px[0], [20.3, 19.7], atol=0.1)
    assert (np.cos(4 * saddles.edges_rad[0]) > 0.99).all()


def test_flat_boards_are_named_rightly_and_to_a_third_of_a_pixel(flat):
    for photo in flat:
        corners = read_flat(photo.pixels, BOARD)
        assert corners is not None and not corners.mirrored
        error = np.linalg.norm(corners.points_px - photo.corners_px.reshape(-1, 2)[corners.index], axis=1)
        assert np.isin(np.flatnonzero(photo.visible), corners.index).mean() >= 0.93
        assert (error < 3).all() and np.sqrt((error**2).mean()) < 0.4


def test_any_quarter_turn_gives_the_same_names(flat):
    for turn in range(1, 4):
        corners = read_flat(np.ascontiguousarray(np.rot90(flat[0].pixels, turn)), BOARD)
        assert corners is not None and len(corners.index) >= 88
        assert abs((corners.angle_deg + 90 * turn + 180) % 360 - 180) < 35


def test_mirrored_photo_is_known_as_one(flat):
    sight = look(np.ascontiguousarray(flat[0].pixels[:, ::-1]))
    assert identify(sight, BOARD).mirrored


def test_bent_board_keeps_its_names():
    worn, rng = bent_sheet(70.0), np.random.default_rng(71)
    photo = take_photo(sheet_alone(worn), worn, BOARD, random_view(rng, SMALL, (0.0, 0.0, -30.0)))
    sight = look(photo.pixels)
    found = name_smoothly(sight, BOARD, identify(sight, BOARD), paper_brightness(photo.pixels))
    error = np.linalg.norm(found.points_px - photo.corners_px.reshape(-1, 2)[found.index], axis=1)
    clear = photo.visible & (photo.slant_deg < 75)
    assert (error < 3).all()
    assert np.isin(np.flatnonzero(clear), found.index).mean() >= 0.97


def test_lens_and_stretch_come_out_of_exact_corners():
    """Corners projected by a formula, not rendered: what is fitted is what was put in."""

    drawn = inner_corners_mm(BOARD).reshape(-1, 2) - [87.5, 77.5]
    photos = []
    for yaw, pitch in ((25, 5), (-30, 10), (5, -25)):
        camera = orbit_camera(yaw, pitch, 3, 420, 1500, 1200, 900, (0, 0, 0))
        points = np.column_stack([drawn[:, 0] * 1.012, -drawn[:, 1], np.zeros(len(drawn))])
        seen = project_points(camera, points)[:, :2]
        ideal = (seen - [600, 450]) / 1500
        bent = seen + (ideal * (-0.08) * (ideal**2).sum(axis=1, keepdims=True)) * 1500
        photos.append(FlatCorners(np.arange(90), bent, 0.0, False, 0.0))
    lens = fit_lens(BOARD, photos, 1200, 900)
    assert lens.stretch == pytest.approx(1.012, abs=2e-4)
    assert lens.focal_px == pytest.approx(1500, rel=2e-3)
    assert lens.distortion == pytest.approx(-0.08, abs=5e-3)


def test_scan_tells_the_scale_in_x_and_y():

    page = board_pixels(BOARD, MaskPattern(), 300 / 25.4)
    scan = cv2.resize(page, None, fx=0.97, fy=0.985, interpolation=cv2.INTER_AREA)
    corners = read_flat(np.asarray(scan, np.uint8), BOARD)
    assert corners is not None
    assert scan_scale(BOARD, corners, 300) == pytest.approx((0.97, 0.985), abs=6e-4)


def test_drape_fit_returns_the_drape_that_was_photographed():
    """A family of bent sheets stands for the drapes: opening bends it, placement shifts it, all known by formula."""
    pattern, grid = MaskPattern(), fine_grid(MaskPattern())
    u, v = grid.sheet_mm[:, 0] - 87.5, 77.5 - grid.sheet_mm[:, 1]

    def sheet(opening: float, shift: float) -> np.ndarray:
        nose = 18 * np.exp(-((u / 30) ** 2 + ((v + shift) / 25) ** 2))
        return np.stack([u * 0.9, v * opening / 155, nose - u**2 / 200], axis=-1)

    asked, placement = np.array([95.0, 110.0, 130.0]), np.array([-4.0, 0.0, 4.0])
    vertices = np.stack([np.stack([sheet(o, s) for s in placement]) for o in asked])
    family = DrapeFamily(pattern, asked, placement, np.repeat(asked[:, None], 3, axis=1), vertices)
    at = np.stack(np.meshgrid(np.linspace(20, 155, 10), np.linspace(17.5, 137.5, 9)), -1).reshape(-1, 2)
    points = points_of_family(family, at)
    camera = orbit_camera(20, 5, 3, 600, 2400, 1200, 1200, (0, 0, 0))
    truth = points[1, 1] * 0.5 + points[2, 1] * 0.5
    seen = project_points(camera, truth)[:, :2]
    seen[7] += 80
    fit = fit_drape(family, points, [View2D(np.arange(90), seen, 1200, 1200, 2400.0, True)], 3.0, None)
    assert fit is not None
    assert fit.opening_mm == pytest.approx(120, abs=0.3)
    assert fit.placement_mm == pytest.approx(0, abs=0.5)
    turned = np.degrees(np.arccos((np.trace(fit.cameras[0].R @ camera.R.T) - 1) / 2))
    assert turned < 0.3


def test_lattice_steps_are_quarter_turns():
    np.testing.assert_array_equal(np.roll(STEPS, -1, axis=0), np.stack([-STEPS[:, 1], STEPS[:, 0]], axis=1))


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("nothing", "no board found|blurred"),
        ("white", "over-exposed"),
        ("dark", "too dark"),
        ("blurred", "blurred|no board"),
        ("mirrored", "mirrored"),
        ("plain", "not this one"),
        ("tiny", "pixels"),
        ("noise", "no board found"),
    ],
)
def test_bad_photos_are_refused_with_the_remedy(name, words, flat, tmp_path, capsys):

    good = flat[0].pixels
    rng = np.random.default_rng(4)
    bad = {
        "nothing": np.tile(np.linspace(40, 200, 640)[None, :, None], (480, 1, 3)),
        "white": np.full((480, 640, 3), 255),
        "dark": rng.integers(0, 30, (480, 640, 3)),
        "blurred": cv2.GaussianBlur(good, (0, 0), 14),
        "mirrored": good[:, ::-1],
        "plain": np.pad(board_pixels(load_board(PLAIN), MaskPattern(), 4.0), ((40, 40), (40, 40), (0, 0)), mode="edge"),
        "tiny": good[::9, ::9],
        "noise": rng.integers(0, 255, (480, 640, 3)),
    }[name]
    photo = tmp_path / "photo.png"
    write_image(photo, np.ascontiguousarray(bad).astype(np.uint8))
    assert main(["calibrate", "photo", str(photo), "--out", str(tmp_path / "cal")]) == 3
    message = capsys.readouterr().err.strip().splitlines()[-1]
    assert message.startswith("maskdesign: ") and re.search(words, message), message
    assert not (tmp_path / "cal" / "calibration.json").exists()


def test_flat_photos_by_the_command_line(flat, tmp_path, capsys):

    paths = []
    for number, photo in enumerate(flat):
        paths.append(str(tmp_path / f"flat{number}.png"))
        write_image(tmp_path / f"flat{number}.png", photo.pixels)
    out = tmp_path / "cal"
    assert main(["calibrate", "photo", *paths, "--out", str(out), "--json"]) == 0
    readings = json.loads(capsys.readouterr().out)
    assert [reading["kind"] for reading in readings] == ["flat"] * 3
    assert all((out / reading["overlay"]).exists() for reading in readings)
    assert main(["calibrate", "report", "--out", str(out), "--json"]) == 0
    lens = json.loads(capsys.readouterr().out)["lens"]
    assert lens["stretch"] is None or abs(lens["stretch"] - 1) < 0.005
    assert main(["calibrate", "report", "--out", str(tmp_path / "none")]) == 3


def test_corners_on_a_fold_are_never_named(flat):
    """Four cells do not meet there: what a photo shows is where one panel hides the other."""
    hidden = on_fold(BOARD, MaskPattern())
    rows = inner_corners_mm(BOARD).reshape(-1, 2)[hidden, 1]
    assert set(rows) == {77.5}
    assert not on_fold(BOARD, MaskPattern(pleat_rows_mm=())).any()


def test_inks_of_unlike_brightness_do_not_move_a_corner():
    """A blurred edge has half its height where it is in light; in encoded values unlike inks pull the corner aside."""
    fine = np.indices((600, 600)) + 0.5
    x, y = fine[1] / 10, fine[0] / 10
    dark, ink = (x < 30.3) == (y < 29.7), np.where(x < 30.3, 0.01, 0.12)
    light = np.where(dark, ink, 0.9).reshape(60, 10, 60, 10).mean(axis=(1, 3)).astype(np.float32)
    light = np.asarray(cv2.GaussianBlur(light, (0, 0), 1.2), np.float32)
    encoded = (srgb_encode(torch.from_numpy(light)).numpy() * 255).round().astype(np.uint8)
    pixels = np.repeat(encoded[..., None], 3, axis=2)
    brightness = paper_brightness(pixels)
    (apart,), (before,) = (
        np.linalg.norm(find_saddles(brightness, image).points_px - [30.3, 29.7], axis=1)
        for image in (linear_light(pixels), brightness)
    )
    assert apart < 0.1 and apart < before / 2
