"""The printed page: every measure read back by another program, nothing overlapping, the same bytes each time."""

from __future__ import annotations

import itertools
import os
import tomllib
from pathlib import Path

import numpy as np
import pdfplumber
import pikepdf
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from maskdesign.errors import ImageError, OutputError, UsageError
from maskdesign.files import data_path
from maskdesign.mask.pattern import MaskPattern
from maskdesign.sheets.drafting import REGULAR, fit_words, printable, words_width_mm
from maskdesign.sheets.layout import Box, Paper, SheetInfo, SheetLayout, arrange, find_paper, smallest_page_mm
from maskdesign.sheets.pdf import write_piece, write_sheet
from maskdesign.sheets.piece import Artwork, Label, mask_piece, rectangle
from maskdesign.sheets.preview import sheet_preview
from maskdesign.sheets.template import read_toml, sheet_template
from maskdesign.sheets.texture import enlarge, own_colors

PIECE = mask_piece(MaskPattern())
INFO = SheetInfo("demo-astronaut-7", "3f9c1a2b77d0", "2025-11-22")
MM = 25.4 / 72
GOLDEN = Path(__file__).parent / "golden" / "sheet_a4.png"


def quadrants() -> np.ndarray:
    """A texture whose corners tell which way up it lies."""
    texture = np.empty((62, 70, 3), np.uint8)
    texture[:31, :35], texture[:31, 35:] = (200, 60, 40), (40, 140, 70)
    texture[31:, :35], texture[31:, 35:] = (50, 80, 170), (230, 190, 60)
    return texture


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("pages")


@pytest.fixture(scope="module", params=["a4", "letter"])
def sheet(request: pytest.FixtureRequest, folder: Path) -> tuple[Path, SheetLayout]:
    paper = find_paper(request.param)
    write_sheet(folder / f"{paper.name}.pdf", quadrants(), MaskPattern(), INFO, paper)
    return folder / f"{paper.name}.pdf", arrange(paper, PIECE)


@pytest.fixture(scope="module")
def page(sheet: tuple[Path, SheetLayout]):
    with pdfplumber.open(sheet[0]) as document:
        (page,) = document.pages
        yield page


def boxes_mm(things: list[dict]) -> np.ndarray:
    """(N, 4) x0, top, x1, bottom in millimeters."""
    return np.array([[thing[side] * MM for side in ("x0", "top", "x1", "bottom")] for thing in things])


def contains(boxes: np.ndarray, box: Box) -> bool:
    return bool((np.abs(boxes - [box.x_mm, box.y_mm, box.right_mm, box.bottom_mm]).max(axis=1) < 0.001).any())


def test_the_page_and_the_mask_have_their_true_sizes(page, sheet: tuple[Path, SheetLayout]) -> None:
    layout = sheet[1]
    assert (page.width * MM, page.height * MM) == pytest.approx(
        (layout.paper.width_mm, layout.paper.height_mm), abs=1e-3
    )
    assert (layout.mask.width_mm, layout.mask.height_mm) == (175, 155)
    assert contains(boxes_mm(page.rects), layout.mask)
    assert contains(boxes_mm(page.images), layout.mask)


def test_the_test_squares_have_their_true_sizes(page, sheet: tuple[Path, SheetLayout]) -> None:
    layout = sheet[1]
    assert (layout.metric.width_mm, layout.metric.height_mm) == (50, 50)
    assert (layout.imperial.width_mm, layout.imperial.height_mm) == (50.8, 50.8)
    assert contains(boxes_mm(page.rects), layout.metric)
    assert contains(boxes_mm(page.rects), layout.imperial)


def test_the_ruler_has_101_ticks_a_millimeter_apart(page, sheet: tuple[Path, SheetLayout]) -> None:
    band = sheet[1].footer
    lines = boxes_mm(page.lines)
    inside = (lines[:, 1] > band.y_mm) & (lines[:, 3] < band.bottom_mm) & (np.abs(lines[:, 0] - band.middle_mm) < 51)
    ticks = lines[inside & (lines[:, 2] - lines[:, 0] < 1e-6)]
    x_mm = np.sort(ticks[:, 0])
    assert len(x_mm) == 101
    assert np.abs(x_mm - (band.middle_mm - 50 + np.arange(101))).max() < 0.001
    numbers = [word["text"] for word in page.extract_words() if band.y_mm < word["top"] * MM < band.bottom_mm]
    assert numbers == [*map(str, range(11)), "cm"]


def test_folds_lie_on_their_rows_with_their_dashes(page, sheet: tuple[Path, SheetLayout]) -> None:
    mask, lines = sheet[1].mask, sheet_template().lines
    for v_mm, kind in MaskPattern().fold_rows_mm:
        found = [
            line
            for line, (x0, top, x1, _) in zip(page.lines, boxes_mm(page.lines), strict=True)
            if abs(top - mask.y_mm - v_mm) < 0.001 and abs(x0 - mask.x_mm) < 0.001 and abs(x1 - mask.right_mm) < 0.001
        ]
        dashes = [tuple(round(length * MM, 3) for length in line["dash"][0]) for line in found if line["dash"][0]]
        assert dashes == [lines[kind].dash_mm]
        assert max(line["linewidth"] * MM for line in found) <= 0.4


def test_everything_stays_six_millimeters_from_the_edge(page) -> None:
    boxes = boxes_mm([*page.chars, *page.lines, *page.rects, *page.curves, *page.images])
    assert len(boxes) > 300
    assert boxes[:, :2].min() >= 6
    assert (boxes[:, 2:] <= (page.width * MM - 6, page.height * MM - 6)).all()


def test_no_word_touches_another_or_the_mask(page, sheet: tuple[Path, SheetLayout]) -> None:
    mask = sheet[1].mask
    words = boxes_mm(page.extract_words())
    everything = np.vstack([words, [mask.x_mm, mask.y_mm, mask.right_mm, mask.bottom_mm]])
    assert len(words) > 80
    for first, second in itertools.combinations(everything, 2):
        overlap = np.minimum(first[2:], second[2:]) - np.maximum(first[:2], second[:2])
        # A line of type is reported with its full em, which reaches a little over its ink.
        assert overlap.min() < 0.35


def test_the_page_says_what_it_must(page) -> None:
    text = page.extract_text()
    for words in (
        *(INFO.run_id, INFO.config_hash, INFO.date, "175 × 155 mm", "folded 175 × 95 mm"),
        *("Print at 100 % (actual size), no fit to page.", "Paper/fabric overlay, not a medical device."),
        *("50 mm", "2 inch", "nose wire 100 mm", "weld 5 mm", "ear loop", "Mountain fold", "Valley fold"),
    ):
        assert words in text, words


def test_metadata_and_boxes(sheet: tuple[Path, SheetLayout]) -> None:
    with pikepdf.open(sheet[0]) as document:
        assert len(document.pages) == 1
        assert INFO.run_id in str(document.docinfo["/Title"])
        assert f"run={INFO.run_id}, config={INFO.config_hash}" in str(document.docinfo["/Keywords"])
        assert document.Root.ViewerPreferences.PrintScaling == "/None"
        page = document.pages[0]
        assert np.allclose([float(x) for x in page.TrimBox], [float(x) for x in page.MediaBox], atol=1e-3)
        outline = [float(x) * MM for x in page.ArtBox]
        assert (outline[2] - outline[0], outline[3] - outline[1]) == pytest.approx((175, 155), abs=1e-3)


def test_the_texture_is_fine_and_lossless(sheet: tuple[Path, SheetLayout]) -> None:
    with pikepdf.open(sheet[0]) as document:
        image = document.pages[0].Resources.XObject.MaskdesignTexture
        pixels = np.asarray(pikepdf.PdfImage(image).as_pil_image())
    assert pixels.shape[1] / 175 * 25.4 >= 300
    assert pixels.shape[0] / 155 * 25.4 >= 300
    assert np.array_equal(pixels, enlarge(quadrants(), 175, 155, 300))


def test_the_texture_lies_the_right_way_up(sheet: tuple[Path, SheetLayout]) -> None:
    path, layout = sheet
    pixels = sheet_preview(path, 96)
    per_mm = np.array(pixels.shape[:2]) / (layout.paper.height_mm, layout.paper.width_mm)
    for row, column in itertools.product((0, 1), (0, 1)):
        v_mm, u_mm = (20, 135)[row], (40, 135)[column]
        at = ((layout.mask.y_mm + v_mm) * per_mm[0], (layout.mask.x_mm + u_mm) * per_mm[1])
        expected = quadrants()[(0, -1)[row], (0, -1)[column]].astype(int)
        assert np.abs(pixels[int(at[0]), int(at[1])] - expected).max() <= 2


def test_same_arguments_same_bytes_and_others_not(sheet: tuple[Path, SheetLayout], tmp_path: Path) -> None:
    path, layout = sheet
    write_sheet(tmp_path / "again.pdf", quadrants(), MaskPattern(), INFO, layout.paper)
    assert (tmp_path / "again.pdf").read_bytes() == path.read_bytes()
    write_sheet(tmp_path / "other.pdf", quadrants(), MaskPattern(), SheetInfo("other", "", ""), layout.paper)
    assert (tmp_path / "other.pdf").read_bytes() != path.read_bytes()


def test_the_picture_is_the_golden_one(folder: Path) -> None:
    write_sheet(folder / "golden.pdf", quadrants(), MaskPattern(), INFO, find_paper("a4"))
    pixels = sheet_preview(folder / "golden.pdf", 72)
    if os.environ.get("MASKDESIGN_UPDATE_GOLDEN"):
        Image.fromarray(pixels).save(GOLDEN, optimize=True)
    golden = np.asarray(Image.open(GOLDEN).convert("RGB"), dtype=float)
    assert pixels.shape == golden.shape
    difference = np.abs(pixels - golden).max(axis=-1)
    # Type and hairlines differ with the version of the rasterizer; a block that moved by a pixel changes far more.
    assert np.mean(difference > 24) < 0.002


@pytest.mark.parametrize("run_id", ["x" * 400, "лицо-маска-面具", "two\nlines\tand \x00", "", "(paren\\thesis)"])
def test_any_run_id_can_be_printed(tmp_path: Path, run_id: str) -> None:
    write_sheet(tmp_path / "s.pdf", quadrants(), MaskPattern(), SheetInfo(run_id, "h", "d"), find_paper("a4"))
    with pdfplumber.open(tmp_path / "s.pdf") as document:
        words = boxes_mm(document.pages[0].extract_words())
    header = arrange(find_paper("a4"), PIECE).header
    inside = words[words[:, 1] < header.bottom_mm]
    assert len(inside) > 8
    assert inside[:, 0].min() > header.x_mm + 13.5
    assert inside[:, 2].max() < header.right_mm - 13.5
    with pikepdf.open(tmp_path / "s.pdf") as document:
        assert run_id.split("\x00")[0] in str(document.docinfo["/Title"])


@st.composite
def patterns(draw: st.DrawFn) -> MaskPattern:
    width_mm = 2.5 * draw(st.integers(24, 104))
    depth_mm = 2.5 * draw(st.integers(1, 4))
    count = draw(st.integers(0, 3))
    rows = tuple(depth_mm * 2 * (index + 1) for index in range(count))
    height_mm = 2.5 * draw(st.integers(max(16, int((rows[-1] if rows else 0) + 2 * depth_mm) // 2 + 2), 98))
    return MaskPattern(width_mm=width_mm, height_mm=height_mm, pleat_rows_mm=rows, pleat_depth_mm=depth_mm)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(patterns(), st.floats(0, 90), st.floats(0, 160))
def test_any_mask_fits_the_page_it_asks_for(pattern: MaskPattern, wider_mm: float, taller_mm: float) -> None:
    width_mm, height_mm = smallest_page_mm(mask_piece(pattern), sheet_template())
    paper = Paper("any", width_mm + wider_mm, height_mm + taller_mm)
    layout = arrange(paper, mask_piece(pattern))
    margin_mm, target_mm = sheet_template().margin_mm, sheet_template().target_mm
    blocks = [layout.header, layout.mask, layout.footer, layout.metric, layout.imperial, layout.notes, layout.strip]
    for first, second in itertools.combinations(blocks, 2):
        apart_mm = max(
            first.x_mm - second.right_mm,
            second.x_mm - first.right_mm,
            first.y_mm - second.bottom_mm,
            second.y_mm - first.bottom_mm,
        )
        assert apart_mm >= 3.9
    side_mm = sheet_template().side_mm
    assert layout.mask.x_mm - side_mm >= margin_mm - 1e-6
    assert layout.mask.right_mm + side_mm <= paper.width_mm - margin_mm + 1e-6
    assert layout.content.x_mm >= margin_mm - 1e-6
    assert layout.content.y_mm >= margin_mm - 1e-6
    assert layout.content.bottom_mm <= paper.height_mm - margin_mm + 1e-6
    # The targets stand in the corners, the mask between them, and the distances are those of the frame.
    assert layout.mask.y_mm >= layout.content.y_mm + target_mm + sheet_template().clearance_mm - 1e-6
    assert layout.content.width_mm - target_mm == pytest.approx(layout.frame.width_mm)
    assert layout.footer.bottom_mm - layout.header.y_mm - target_mm == pytest.approx(layout.frame.height_mm)


def test_frames_measure_at_least_150_mm_and_share_no_code() -> None:
    frames = sheet_template().frames
    codes = [code for frame in frames for code in frame.ids]
    assert len(set(codes)) == 4 * len(frames)
    assert all(min(frame.width_mm, frame.height_mm) >= 150 for frame in frames)


def test_paper_that_is_too_small_names_what_fits(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"paper 148x210 .* too small.*209 x 271.8 mm; use --paper a4 or letter or"):
        write_sheet(tmp_path / "s.pdf", quadrants(), MaskPattern(), INFO, find_paper("148x210"))
    with pytest.raises(UsageError, match="use --paper 434x272"):
        arrange(find_paper("a4"), mask_piece(MaskPattern(width_mm=400)))
    with pytest.raises(UsageError, match=r"mask\.height_mm = 300: a sheet carries at most 245 mm"):
        arrange(find_paper("a3"), mask_piece(MaskPattern(height_mm=300)))
    assert list(tmp_path.iterdir()) == []


def test_papers_are_found_by_name_and_by_size() -> None:
    assert find_paper("A4 ") == Paper("a4", 210, 297)
    assert find_paper("letter") == Paper("letter", 215.9, 279.4)
    assert find_paper("210x297") == find_paper("297 x 210mm") == Paper("210x297", 210, 297)
    for name in read_toml("papers.toml"):
        paper = find_paper(name)
        assert paper.width_mm < paper.height_mm
        assert arrange(paper, PIECE).paper is paper


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("leter", "did you mean 'letter'"),
        ("b7z", "unknown; give a4, letter"),
        ("", "unknown"),
        ("10x297", "between 50 and 1500 mm"),
        ("210x99999", "between 50 and 1500 mm"),
        ("-210x297", "unknown"),
        ("nanxinf", "unknown"),
    ],
)
def test_unknown_papers_are_refused(name: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        find_paper(name)


@pytest.mark.parametrize(
    "texture",
    [np.zeros((4, 4, 3)), np.zeros((4, 4, 4), np.uint8), np.zeros((4, 4), np.uint8), np.zeros((0, 4, 3), np.uint8)],
)
def test_what_is_no_texture_is_refused(tmp_path: Path, texture: np.ndarray) -> None:
    with pytest.raises(ImageError, match=r"\(height, width, 3\) uint8 needed"):
        write_sheet(tmp_path / "s.pdf", texture, MaskPattern(), INFO, find_paper("a4"))


def test_a_place_that_is_no_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be written"):
        write_sheet(tmp_path / "file" / "s.pdf", quadrants(), MaskPattern(), INFO, find_paper("a4"))


def test_enlarging_keeps_what_is_smooth() -> None:
    flat = np.full((7, 9, 3), (10, 120, 250), np.uint8)
    assert (enlarge(flat, 20, 20, 300) == (10, 120, 250)).all()
    ramp = np.repeat(np.linspace(40, 210, 18).astype(np.uint8)[None, :, None], 12, axis=0).repeat(3, axis=2)
    fine = enlarge(ramp, 60, 40, 300)
    width_px = fine.shape[1]
    # Pixel areas: column x of the fine ramp shows the coarse one at (x + 0.5) / scale - 0.5.
    expected = np.interp((np.arange(width_px) + 0.5) * 18 / width_px - 0.5, np.arange(18), ramp[0, :, 0])
    inner = slice(width_px // 6, -width_px // 6)
    assert np.abs(fine[20, inner, 0] - expected[inner]).max() <= 1.5
    finer = np.zeros((2000, 3000, 3), np.uint8)
    assert enlarge(finer, 50, 50, 300).shape == finer.shape


def test_own_colors_are_those_of_the_texture() -> None:
    assert set(own_colors(quadrants(), 8)) >= {"#c83c28", "#288c46", "#3250aa", "#e6be3c"}
    assert own_colors(np.full((5, 5, 3), 77, np.uint8), 8) == ["#4d4d4d"]
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    assert 6 <= len(own_colors(noise, 8)) <= 8


@given(st.text(max_size=300), st.floats(10, 150))
def test_words_fit_or_are_shortened(words: str, widest_mm: float) -> None:
    clean = printable(words)
    assert len(clean) == len(words)
    fitted, size_pt = fit_words(clean, REGULAR, 7, widest_mm)
    assert words_width_mm(fitted, REGULAR, size_pt) <= widest_mm + 1e-9
    assert 0.7 * 7 - 1e-9 <= size_pt <= 7


def test_a_board_of_cells_is_exact(tmp_path: Path) -> None:
    cells = tuple(
        rectangle("#000000", 5 + 15 * u, 2.5 + 15 * v, 15, 15) for u in range(11) for v in range(u % 2, 10, 2)
    )
    path = tmp_path / "board.pdf"
    artwork = Artwork(cells=cells, labels=(Label("A1", 20, 10),))
    write_piece(path, mask_piece(MaskPattern(), "Chessboard", fold_lines=False), artwork, INFO, find_paper("a4"))
    mask = arrange(find_paper("a4"), PIECE).mask
    with pdfplumber.open(path) as document:
        page = document.pages[0]
        assert not page.images
        assert {"Chessboard", "A1"} <= set(page.extract_text().split())
        drawn = boxes_mm([rect for rect in page.rects if rect["fill"] and abs(rect["width"] * MM - 15) < 0.1])
    expected = np.array([[*cell.ring_mm[0], *cell.ring_mm[2]] for cell in cells]) + np.tile((mask.x_mm, mask.y_mm), 2)
    assert np.abs(np.sort(drawn, axis=0) - np.sort(expected, axis=0)).max() < 0.001


def test_the_shipped_pattern_and_board_agree_with_the_program() -> None:
    shipped = read_toml("three_pleat.toml")["mask"]
    assert MaskPattern(**{**shipped, "pleat_rows_mm": tuple(shipped["pleat_rows_mm"])}) == MaskPattern()
    board = tomllib.loads(data_path("calibration/board_three_pleat.toml").read_text())["board"]
    assert board["cell_mm"] == MaskPattern().board_cell_mm
    left_mm, top_mm = board["origin_mm"]
    assert left_mm + board["columns"] * board["cell_mm"] == MaskPattern().width_mm - left_mm
    assert top_mm + board["rows"] * board["cell_mm"] == MaskPattern().height_mm - top_mm
    assert left_mm % MaskPattern().cell_mm == top_mm % MaskPattern().cell_mm == 0
