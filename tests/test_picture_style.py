"""A user's own picture as the prior: laid on the sheet, kept within a stated distance, refused where it will not do."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
from PIL import Image
from skimage.color import deltaE_cie76, rgb2lab
from skimage.data import astronaut

import maskdesign.optimize.picture
from maskdesign.errors import ConfigError, FaceError, ImageError, InputError
from maskdesign.evaluation.controls import natural_print
from maskdesign.jobs.config import load_config
from maskdesign.jobs.design_parts import chosen_canvas
from maskdesign.jobs.ground import FREE_STYLE
from maskdesign.jobs.picture import (
    PICTURE_ALONE,
    keep_picture,
    laid_picture,
    on_picture,
    picture_identity,
    run_controls,
)
from maskdesign.mask.pattern import MaskPattern
from maskdesign.optimize.picture import apart, lab, towards
from maskdesign.optimize.printability import printable_colors
from maskdesign.optimize.texture import texture_pixels
from maskdesign.run import Run

SMALL = ("texture.print_texel_mm=0.625", "texture.repeats=[1,1]")


def colors(seed: int, side: int = 60) -> torch.Tensor:
    values = torch.rand(3, side, side, generator=torch.Generator().manual_seed(seed))
    # Corners and edges of the cube, where lightness and hue turn fastest.
    return torch.where(values < 0.15, 0.0, torch.where(values > 0.85, 1.0, values))


def waves(path, height=900, width=700, mode="RGB"):
    """Slanted bands in changing colors."""
    y, x = np.mgrid[:height, :width]
    picture = np.stack([np.sin((x + y) / 30), np.cos((x - 2 * y) / 50), np.sin(x / 40 + 1)], axis=2)
    Image.fromarray((127 + 120 * picture).astype(np.uint8)).convert(mode).save(path)
    return path


def configured(path, *more):
    return load_config(None, (*SMALL, f"picture.file={path}", *more))


def test_lab_is_cie_lab():
    ours = lab(colors(1)).permute(1, 2, 0).numpy()
    np.testing.assert_allclose(ours, rgb2lab(colors(1).permute(1, 2, 0).numpy()), atol=0.05)


@pytest.mark.parametrize("departure", [2.0, 20.0, 60.0])
def test_no_color_moves_further_than_it_may_and_each_as_far_as_it_can(departure):
    picture, wanted = colors(2), colors(3)
    moved = towards(picture, wanted, departure)
    before, after = (rgb2lab(one.permute(1, 2, 0).numpy()) for one in (picture, moved))
    far = deltaE_cie76(before, after)
    assert far.max() <= departure + 0.01
    whole = apart(picture, wanted).numpy()
    assert (far >= 0.98 * np.minimum(whole, departure) - 0.05).all()
    assert moved.min() >= 0
    assert moved.max() <= 1
    near = apart(picture, wanted) < departure
    torch.testing.assert_close(moved[:, near], wanted[:, near])


def test_gradient_against_differences(monkeypatch):
    # What is left of the way after few halvings is larger than a difference.
    monkeypatch.setattr(maskdesign.optimize.picture, "ROUNDS", 45)
    monkeypatch.setattr(maskdesign.optimize.picture, "STRIDE", 1e-4)
    picture = 0.1 + 0.8 * colors(4, 5).double()
    wanted = (0.1 + 0.8 * colors(5, 5).double()).requires_grad_(True)
    assert torch.autograd.gradcheck(lambda w: towards(picture, w, 15.0), (wanted,), eps=1e-6, atol=1e-4)


def test_a_picture_that_wants_nothing_has_a_finite_gradient():
    picture = colors(6, 8)
    wanted = picture.clone().requires_grad_(True)
    towards(picture, wanted, 10.0).sum().backward()
    assert wanted.grad is not None
    assert torch.isfinite(wanted.grad).all()


@pytest.mark.parametrize("size", [(900, 700), (160, 1200), (1200, 300)])
def test_a_picture_covers_the_sheet_about_its_middle_without_stretch(tmp_path, size):
    pattern = MaskPattern()
    picture = np.full((*size, 3), 120, np.uint8)
    cv2.circle(picture, (size[1] // 2, size[0] // 2), 50, (20, 200, 60), -1)
    Image.fromarray(picture).save(tmp_path / "disc.png")
    laid = laid_picture(configured(tmp_path / "disc.png"), 0.625)
    assert laid.shape == (round(pattern.height_mm / 0.625), round(pattern.width_mm / 0.625), 3)
    disc = laid[..., 1] > 160
    rows, columns = np.nonzero(disc)
    assert abs(rows.mean() + 0.5 - laid.shape[0] / 2) < 2
    assert abs(columns.mean() + 0.5 - laid.shape[1] / 2) < 2
    assert np.ptp(rows) == pytest.approx(np.ptp(columns), rel=0.03)


def test_colors_of_the_laid_picture_are_printable(tmp_path):
    black_and_white = np.zeros((300, 300, 3), np.uint8)
    black_and_white[:, 150:] = 255
    Image.fromarray(black_and_white).save(tmp_path / "hard.png")
    laid = laid_picture(configured(tmp_path / "hard.png"), 1.25)
    bounds = 255 * printable_colors()
    assert laid.min() >= bounds.min()
    assert laid.max() <= bounds.max()


@pytest.mark.parametrize("canvas", ["texels", "generator"])
def test_a_design_keeps_the_picture_and_departs_from_it(tmp_path, canvas):
    path = waves(tmp_path / "waves.jpg")
    config = configured(path, f"canvas={canvas}", "picture.departure=12", *FREE_STYLE)
    design = on_picture(chosen_canvas(config), config)
    parameters = 3 * design.initial(1)
    for shown, spacing in ((design.texture(parameters), 1.25), (design.finished(parameters), 0.625)):
        picture = laid_picture(config, spacing)
        far = deltaE_cie76(rgb2lab(picture), rgb2lab(shown.detach().permute(1, 2, 0).numpy()))
        assert far.max() <= 12.01
        assert far.mean() > 8
    assert on_picture(design, load_config(None, ())) is design


def test_a_run_keeps_its_picture_as_a_control(tmp_path):
    config = configured(waves(tmp_path / "waves.png"))
    run = Run(tmp_path / "run")
    keep_picture(run, config)
    (tmp_path / "waves.png").unlink()
    controls = run_controls(run, config)
    assert controls[PICTURE_ALONE].shape == controls["random"].shape
    assert PICTURE_ALONE not in run_controls(run, load_config(None, SMALL))


def test_another_picture_is_another_job(tmp_path):
    one = picture_identity(configured(waves(tmp_path / "a.png")))
    other = picture_identity(configured(waves(tmp_path / "b.png", width=720)))
    assert one.keys() == {"picture"}
    assert one != other
    assert picture_identity(load_config(None, ())) == {}


def test_transparent_parts_show_white_cloth(tmp_path):
    pixels = np.zeros((300, 300, 4), np.uint8)
    pixels[:, :, 0] = 200
    pixels[:100, :, 3] = 255
    Image.fromarray(pixels).save(tmp_path / "half.png")
    laid = laid_picture(configured(tmp_path / "half.png"), 1.25)
    assert laid[5, 60].tolist() == [200, laid.min(), laid.min()]
    assert len(set(laid[-5, 60].tolist())) == 1
    assert laid[-5, 60, 0] == laid.max()


@pytest.mark.parametrize("mode", ["L", "1", "P", "CMYK"])
def test_gray_and_other_kinds_of_pictures_are_taken(tmp_path, mode):
    path = waves(tmp_path / ("a.jpg" if mode == "CMYK" else "a.png"), mode=mode)
    laid = laid_picture(configured(path), 1.25)
    assert laid.std() > 15
    if mode in "L1":
        assert (laid == laid[..., :1]).all()


def test_bad_pictures_are_refused_in_one_line(tmp_path):
    (tmp_path / "text.png").write_text("no picture")
    waves(tmp_path / "tiny.png", 40, 60)
    waves(tmp_path / "long.png", 100, 4000)
    Image.new("RGBA", (300, 300), (10, 20, 30, 0)).save(tmp_path / "glass.png")
    Image.new("1", (9000, 9000)).save(tmp_path / "huge.png")
    whole = waves(tmp_path / "whole.jpg").read_bytes()
    (tmp_path / "torn.jpg").write_bytes(whole[: len(whole) // 2])
    for name, kind, message in (
        ("none.png", InputError, "no such file"),
        ("text.png", ImageError, "not an image this program reads"),
        ("tiny.png", ImageError, "60 x 40 pixels are too few for the sheet; give a picture of at least 140 x 124"),
        ("long.png", ImageError, "too few for the sheet"),
        ("glass.png", ImageError, "transparent all over"),
        ("huge.png", ImageError, "exceed 50 megapixels"),
        ("torn.jpg", ImageError, "damaged"),
    ):
        with pytest.raises(kind, match=message) as caught:
            picture_identity(configured(tmp_path / name))
        assert "\n" not in str(caught.value)
        assert str(tmp_path / name) in str(caught.value)
    with pytest.raises(ConfigError, match=r"picture\.departure"):
        configured(tmp_path / "whole.jpg", "picture.departure=0")


def test_a_picture_with_a_face_is_refused_unless_the_user_says_it_is_none(tmp_path):
    Image.fromarray(astronaut()[:300, 60:400]).save(tmp_path / "person.png")
    config = configured(tmp_path / "person.png")
    with pytest.raises(FaceError, match=r"shows a face .*MTCNN in \d of 8 pictures"):
        picture_identity(config)
    allowed = replace(config, picture=replace(config.picture, allow_face=True))
    assert picture_identity(allowed).keys() == {"picture"}


def test_what_one_detector_takes_for_a_face_is_none(tmp_path):
    Image.fromarray(texture_pixels(natural_print(MaskPattern(), 0.625))).save(tmp_path / "flowers.png")
    assert picture_identity(configured(tmp_path / "flowers.png"))
