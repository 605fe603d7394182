"""The check of a sheet: what is true passes, whatever was scaled fails, and what is no sheet is refused."""

from __future__ import annotations

import contextlib
import itertools
import json
import shutil
import subprocess
import time
import zlib
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pikepdf
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchmarks.sheet_photos import photograph
from maskdesign.errors import ImageError, InputError
from maskdesign.files import read_image, write_image
from maskdesign.mask.pattern import MaskPattern
from maskdesign.sheets.check import check_file, check_photo, check_raster, check_sheet
from maskdesign.sheets.layout import plan_pages
from maskdesign.sheets.page import SheetInfo
from maskdesign.sheets.paper import find_paper
from maskdesign.sheets.piece import mask_piece
from maskdesign.sheets.preview import sheet_preview
from maskdesign.sheets.targets import TargetFrame, find_targets, measure_scale, target_rules
from maskdesign.sheets.template import load_template, sheet_template
from maskdesign.sheets.write import write_sheet

PAPERS = ("a4", "letter", "a3", "230x310", "a5")
FRAME = TargetFrame(28, 29)
PIECE = mask_piece(MaskPattern())
INFO = SheetInfo("run-1", "0123456789ab", "2025-11-22")


def plasma(height: int = 62, width: int = 70) -> np.ndarray:
    v, u = np.mgrid[0:height, 0:width] / 10.0
    waves = np.stack([np.sin(u + v), np.cos(1.3 * u - v), np.sin(0.7 * v)], axis=-1)
    return np.rint(127 + 100 * waves).astype(np.uint8)


def plain():
    template = load_template("sheet")
    return replace(template, page=replace(template.page, cover=False))


@pytest.fixture(scope="module")
def sheets(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("sheets")
    for paper in PAPERS:
        # One page each, or the tiles of A5: covers only cost time here.
        write_sheet(folder / f"{paper}.pdf", plasma(), MaskPattern(), INFO, find_paper(paper), plain())
    return {paper: folder / f"{paper}.pdf" for paper in PAPERS}


@pytest.fixture(scope="module")
def page_300(sheets: dict[str, Path]) -> np.ndarray:
    return sheet_preview(sheets["letter"], 300)


@pytest.fixture(scope="module")
def page_150(sheets: dict[str, Path]) -> np.ndarray:
    # A hair less than 150, or rounding up to whole pixels adds one and makes them oblong.
    pixels = sheet_preview(sheets["letter"], 150 - 1e-4)
    assert pixels.shape == (1650, 1275, 3)
    return pixels


def transform_content(page: pikepdf.Page, a: float, b: float, c: float, d: float) -> None:
    """What a driver does that shrinks or turns: everything about the middle of the page."""
    x, y = (float(page.mediabox[2]) / 2, float(page.mediabox[3]) / 2)
    page.contents_add(f"q {a} {b} {c} {d} {x - a * x - c * y} {y - b * x - d * y} cm".encode(), prepend=True)
    page.contents_add(b"Q")


def scale_content(width: float, height: float) -> Callable[[pikepdf.Pdf], None]:
    return lambda document: transform_content(document.pages[0], width, 0, 0, height)


def scale_page(scale: float) -> Callable[[pikepdf.Pdf], None]:
    """Page and content together, as "scale to paper" of a PDF tool does."""

    def change(document: pikepdf.Pdf) -> None:
        page = document.pages[0]
        page.contents_add(f"q {scale} 0 0 {scale} 0 0 cm".encode(), prepend=True)
        page.contents_add(b"Q")
        page.mediabox = [float(value) * scale for value in page.mediabox]

    return change


def set_user_unit(scale: float) -> Callable[[pikepdf.Pdf], None]:
    def change(document: pikepdf.Pdf) -> None:
        document.pages[0].obj["/UserUnit"] = scale

    return change


def place_on_other_page(scale: float) -> Callable[[pikepdf.Pdf], None]:
    """What n-up and "fit to page" tools do: the sheet becomes a form on a new page."""

    def change(document: pikepdf.Pdf) -> None:
        width, height = (float(value) for value in document.pages[0].mediabox[2:])
        target = document.add_blank_page(page_size=(width + 20, height + 30))
        target.add_overlay(document.pages[0], pikepdf.Rectangle(9, 11, 9 + width * scale, 11 + height * scale))
        del document.pages[0]

    return change


def rotate_page(degrees: int) -> Callable[[pikepdf.Pdf], None]:
    def change(document: pikepdf.Pdf) -> None:
        document.pages[0].rotate(degrees, relative=False)

    return change


def changed(source: Path, target: Path, *changes: Callable[[pikepdf.Pdf], None]) -> Path:
    with pikepdf.open(source) as document:
        for change in changes:
            change(document)
        document.save(target)
    return target


@pytest.mark.parametrize("paper", PAPERS)
def test_a_true_sheet_passes(sheets: dict[str, Path], paper: str) -> None:
    check = check_sheet(sheets[paper])
    assert check.passed
    assert check.verdict.startswith("true to scale")
    assert check.error_mm_over_150 <= 0.1
    assert check.residual_mm <= 0.02
    assert check.vector_scale is not None
    assert np.abs(np.array(check.vector_scale) - 1).max() * 150 <= 0.01
    assert abs(check.rotation_deg) < 0.01
    assert json.loads(json.dumps(asdict(check)))["passed"] is True


SCALED = {
    "content": lambda scale: scale_content(scale, scale),
    "page": scale_page,
    "user unit": set_user_unit,
    "form": place_on_other_page,
}


@pytest.mark.parametrize(("way", "scale"), list(itertools.product(SCALED, (0.97, 0.99, 1.01))))
def test_a_scaled_sheet_fails_and_says_by_how_much(
    sheets: dict[str, Path], tmp_path: Path, way: str, scale: float
) -> None:
    check = check_sheet(changed(sheets["letter"], tmp_path / "scaled.pdf", SCALED[way](scale)))
    assert not check.passed
    assert check.width_scale == pytest.approx(scale, abs=2e-4)
    assert check.height_scale == pytest.approx(scale, abs=2e-4)
    assert check.vector_scale == pytest.approx((scale, scale), abs=1e-5)
    assert f"printed at {100 * scale:.1f} %" in check.verdict
    assert 'switch off "fit to page"' in check.verdict


@pytest.mark.parametrize(("scale", "passed"), [(0.999, True), (1.001, True), (0.994, False), (1.006, False)])
def test_half_a_percent_is_the_limit(sheets: dict[str, Path], tmp_path: Path, scale: float, passed: bool) -> None:
    assert passed is check_sheet(changed(sheets["a4"], tmp_path / "scaled.pdf", scale_content(scale, scale))).passed


def test_one_axis_scaled_fails(sheets: dict[str, Path], tmp_path: Path) -> None:
    check = check_sheet(changed(sheets["a4"], tmp_path / "stretched.pdf", scale_content(0.99, 1.0)))
    assert not check.passed
    assert "99.0 % in width and 100.0 %" in check.verdict


def test_a_skewed_sheet_fails(sheets: dict[str, Path], tmp_path: Path) -> None:
    skewed = changed(sheets["a4"], tmp_path / "skewed.pdf", lambda d: transform_content(d.pages[0], 1, 0, 0.01, 1))
    check = check_sheet(skewed)
    assert not check.passed
    assert abs(check.skew_deg) == pytest.approx(np.degrees(np.arctan(0.01)), abs=0.02)
    assert "skewed" in check.verdict


def test_a_mirrored_sheet_fails(sheets: dict[str, Path], tmp_path: Path) -> None:
    check = check_sheet(changed(sheets["a4"], tmp_path / "mirrored.pdf", scale_content(-1, 1)))
    assert check.mirrored
    assert not check.passed
    assert "mirrored" in check.verdict
    assert check.width_scale == pytest.approx(1, abs=3e-4)


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_a_turned_page_passes_and_a_scaled_turned_one_does_not(
    sheets: dict[str, Path], tmp_path: Path, degrees: int
) -> None:
    turned = check_sheet(changed(sheets["a4"], tmp_path / "turned.pdf", rotate_page(degrees)))
    assert turned.passed
    assert turned.rotation_deg % 360 == pytest.approx(degrees, abs=0.02)
    scaled = check_sheet(changed(sheets["a4"], tmp_path / "both.pdf", scale_content(0.99, 1.0), rotate_page(degrees)))
    assert not scaled.passed
    assert scaled.width_scale == pytest.approx(0.99, abs=2e-4)


def test_poppler_agrees(sheets: dict[str, Path], tmp_path: Path) -> None:
    if shutil.which("pdftoppm") is None:
        pytest.skip("needs poppler's pdftoppm")
    for paper in ("a4", "letter"):
        subprocess.run(["pdftoppm", "-r", "300", "-png", sheets[paper], tmp_path / paper], check=True)
        pixels = read_image(next(tmp_path.glob(f"{paper}*.png")))
        width_mm, height_mm = find_paper(paper).width_mm, find_paper(paper).height_mm
        dpi = (pixels.shape[1] / width_mm * 25.4, pixels.shape[0] / height_mm * 25.4)
        assert check_raster(pixels, dpi).error_mm_over_150 <= 0.1


def test_targets_lie_where_the_layout_put_them(page_300: np.ndarray) -> None:
    (layout,) = plan_pages(find_paper("letter"), PIECE, sheet_template())
    half_mm = target_rules().side_mm / 2
    px_per_mm = np.array(page_300.shape[1::-1]) / (215.9, 279.4)
    found = find_targets(np.ascontiguousarray(page_300[..., 1]))
    assert set(found) == set(layout.frame.ids)
    for code, (x_mm, y_mm) in zip(layout.frame.ids, layout.frame.centers_mm, strict=True):
        expected_px = np.array([layout.content.x_mm + half_mm + x_mm, layout.content.y_mm + half_mm + y_mm]) * px_per_mm
        # Without the half pixel between OpenCV's pixel centers and ours both would be off by 0.5.
        assert np.abs(found[code].mean(axis=0) - expected_px).max() < 0.2


@pytest.mark.parametrize("case", range(6))
def test_a_scan_is_measured_at_any_angle(page_150: np.ndarray, case: int) -> None:
    import cv2

    random = np.random.default_rng(case)
    angle_deg, scale = random.uniform(-180, 180), random.uniform(0.9, 1)
    height, width = page_150.shape[:2]
    side = int(np.hypot(height, width))
    turn = cv2.getRotationMatrix2D((width / 2 - 0.5, height / 2 - 0.5), -angle_deg, scale)
    turn[:, 2] += ((side - width) / 2, (side - height) / 2)
    scan = cv2.warpAffine(page_150, turn, (side, side), borderValue=(255, 255, 255))
    noise = random.normal(0, 4, (side, side, 1))
    scan = np.clip(cv2.GaussianBlur(scan, (0, 0), 0.5 + 0.15 * case) * 0.9 + 15 + noise, 0, 255).astype(np.uint8)
    check = check_raster(scan, 150)
    assert check.width_scale == pytest.approx(scale, abs=3e-4)
    assert check.height_scale == pytest.approx(scale, abs=3e-4)
    assert check.residual_mm < 0.05
    assert (check.rotation_deg - angle_deg + 180) % 360 - 180 == pytest.approx(0, abs=0.02)


@given(
    st.tuples(*[st.floats(-2, 2)] * 4).filter(lambda m: abs(m[0] * m[3] - m[1] * m[2]) > 0.1),
    st.tuples(st.floats(-500, 500), st.floats(-500, 500)),
)
def test_the_scale_of_an_affine_map_is_found_exactly(
    matrix: tuple[float, float, float, float], shift: tuple[float, float]
) -> None:
    frame = FRAME
    rows = np.array(matrix).reshape(2, 2)
    moved = {code: np.array(center) @ rows + shift for code, center in zip(frame.ids, frame.centers_mm, strict=True)}
    scale = measure_scale(frame, moved)
    assert scale.width == pytest.approx(np.hypot(*rows[0]), rel=1e-9)
    assert scale.height == pytest.approx(np.hypot(*rows[1]), rel=1e-9)
    assert scale.mirrored == (np.linalg.det(rows) < 0)
    assert scale.residual_mm < 1e-9


def test_one_moved_target_shows_in_the_residual() -> None:
    frame = FRAME
    moved = dict(zip(frame.ids, map(np.array, frame.centers_mm), strict=True))
    moved[frame.ids[2]] = moved[frame.ids[2]] + (2.0, 0.0)
    # An affine map spreads a shift d of one of four corners evenly: d/4 each.
    assert measure_scale(frame, moved).residual_mm == pytest.approx(0.5)


def test_a_covered_target_is_refused(page_300: np.ndarray) -> None:
    covered = page_300.copy()
    covered[:500, :500] = 255
    with pytest.raises(InputError, match="3 of 4 targets"):
        check_raster(covered, 300)


def test_two_sheets_in_one_picture_are_refused(page_300: np.ndarray) -> None:
    with pytest.raises(InputError, match="two places"):
        check_raster(np.hstack([page_300, page_300]), 300)


@pytest.mark.parametrize("dpi", [0, -300, float("nan"), (300, 0)])
def test_a_senseless_resolution_is_refused(dpi: float | tuple[float, float]) -> None:
    with pytest.raises(ImageError, match="dpi"):
        check_raster(np.full((50, 50), 255, np.uint8), dpi)


@pytest.mark.parametrize("pixels", [np.zeros((4, 4)), np.zeros((0, 4, 3), np.uint8), np.zeros(9, np.uint8)])
def test_what_is_no_picture_is_refused(pixels: np.ndarray) -> None:
    with pytest.raises(ImageError, match="uint8 needed"):
        check_raster(pixels, 300)


def empty_pdf(path: Path, pages: int = 1, size: tuple[float, float] = (595, 842), **saving: object) -> Path:
    with pikepdf.new() as document:
        for _ in range(pages):
            document.add_blank_page(page_size=size)
        document.save(path, **saving)
    return path


def test_bad_files_are_refused_with_a_remedy(sheets: dict[str, Path], tmp_path: Path) -> None:
    whole = sheets["a4"].read_bytes()
    (tmp_path / "text.pdf").write_text("not a PDF at all")
    (tmp_path / "empty.pdf").write_bytes(b"")
    (tmp_path / "half.pdf").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "head.pdf").write_bytes(b"%PDF-1.7\n" + bytes(range(256)) * 40)
    locked = pikepdf.Encryption(owner="secret", user="secret")
    cases = {
        tmp_path / "none.pdf": "no such file",
        tmp_path: "is a folder",
        tmp_path / "text.pdf": "is not a PDF",
        tmp_path / "empty.pdf": "is empty",
        tmp_path / "half.pdf": "damaged or truncated",
        tmp_path / "head.pdf": "damaged or truncated",
        empty_pdf(tmp_path / "locked.pdf", encryption=locked): "encrypted",
        empty_pdf(tmp_path / "many.pdf", pages=10_000): "has 10000 pages",
        empty_pdf(tmp_path / "blank.pdf"): "no maskdesign target",
        empty_pdf(tmp_path / "huge.pdf", size=(14_400, 14_400)): "5080 x 5080 mm",
    }
    start = time.process_time()
    for path, message in cases.items():
        with pytest.raises(InputError, match=message) as caught:
            check_file(path)
        assert str(path) in str(caught.value)
        assert "\n" not in str(caught.value)
    assert time.process_time() - start < 5


def sheet_with(source: Path, target: Path, content: bytes = b"", **entries: object) -> Path:
    """The sheet with instructions appended and entries of its page replaced."""
    with pikepdf.open(source) as document:
        page = document.pages[0]
        page.contents_add(content)
        for name, value in entries.items():
            page.obj[f"/{name}"] = value
        document.save(target)
    return target


def image_bomb(document: pikepdf.Pdf) -> None:
    image = document.pages[0].Resources.XObject.MaskdesignTexture
    image.Width = image.Height = 60_000


def zlib_bomb(document: pikepdf.Pdf) -> None:
    packed = zlib.compress(bytes(300 << 20), 1)
    document.pages[0].obj["/Contents"] = document.make_indirect(
        pikepdf.Stream(document, packed, Filter=pikepdf.Name.FlateDecode)
    )


def test_bombs_are_refused_before_they_unpack(sheets: dict[str, Path], tmp_path: Path) -> None:
    image = changed(sheets["a4"], tmp_path / "image.pdf", image_bomb)
    stream = changed(sheets["a4"], tmp_path / "stream.pdf", zlib_bomb)
    start = time.process_time()
    with pytest.raises(InputError, match="3600 megapixels"):
        check_sheet(image)
    with pytest.raises(InputError, match="unpacks to more than 256 MiB"):
        check_sheet(stream)
    assert time.process_time() - start < 5


def nest_forms(document: pikepdf.Pdf) -> None:
    inner = document.make_stream(b"")
    for _ in range(30):
        resources = pikepdf.Dictionary(XObject=pikepdf.Dictionary(Down=inner))
        form = {"Subtype": pikepdf.Name.Form, "BBox": [0, 0, 9, 9], "Resources": resources}
        inner = document.make_stream(b"/Down Do /Down Do", **form)
    document.pages[0].Resources.XObject["/Down"] = inner
    document.pages[0].contents_add(b"/Down Do")


def test_forms_that_double_thirty_times_are_refused(sheets: dict[str, Path], tmp_path: Path) -> None:
    start = time.process_time()
    with pytest.raises(InputError, match=r"nested\.pdf: draws more than 200 forms"):
        check_sheet(changed(sheets["a4"], tmp_path / "nested.pdf", nest_forms))
    assert time.process_time() - start < 5


def test_senseless_pages_and_operands_are_refused(sheets: dict[str, Path], tmp_path: Path) -> None:
    for unit, message in ((0, "0 x 0 mm is no sheet"), (1e6, "is no sheet"), (pikepdf.Name.Big, "damaged")):
        with pytest.raises(InputError, match=message):
            check_sheet(sheet_with(sheets["a4"], tmp_path / "unit.pdf", UserUnit=unit))
    with pytest.raises(InputError, match="damaged"):
        check_sheet(sheet_with(sheets["a4"], tmp_path / "operands.pdf", b"1 2 cm (text) /No cm"))


@settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_damaged_sheet_never_ends_in_a_stray_exception(
    sheets: dict[str, Path], tmp_path: Path, data: st.DataObject
) -> None:
    content = bytearray(sheets["a4"].read_bytes())
    for _ in range(data.draw(st.integers(1, 20))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    (tmp_path / "damaged.pdf").write_bytes(content[: data.draw(st.integers(len(content) // 2, len(content)))])
    with contextlib.suppress(InputError):
        check_sheet(tmp_path / "damaged.pdf")


def test_a_photo_is_measured_by_the_edges_of_the_paper(sheets: dict[str, Path], tmp_path: Path) -> None:
    page = sheet_preview(sheets["a4"], 200)
    photo = photograph(page, (210.0, 297.0), (0.97, 0.97), np.random.default_rng(5))
    write_image(tmp_path / "photo.png", photo)
    check = check_file(tmp_path / "photo.png")
    assert (check.width_scale, check.height_scale) == pytest.approx((0.97, 0.97), rel=0.003)
    assert (check.source, check.paper, check.passed) == ("photo", "a4", False)
    assert check.verdict.startswith('printed at 97.0 %: switch off "fit to page"')
    # Only the page itself: no edge of the paper is seen.
    with pytest.raises(InputError, match="edges of the paper are not seen"):
        check_photo(page)
