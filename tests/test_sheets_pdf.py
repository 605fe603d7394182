"""The printed page: every measure read back by another program, nothing overlapping, the same bytes each time."""

from __future__ import annotations

import dataclasses
import itertools
import os
import tomllib
from pathlib import Path
from xml.etree import ElementTree

import matplotlib
import numpy as np
import pdfplumber
import pikepdf
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from maskdesign.errors import ConfigError, ImageError, InputError, OutputError, UsageError
from maskdesign.files import data_path
from maskdesign.mask.pattern import MaskPattern
from maskdesign.sheets.layout import plan_pages
from maskdesign.sheets.page import Box, SheetInfo, SheetLayout, extent_mm
from maskdesign.sheets.paper import Paper, find_paper, known_papers
from maskdesign.sheets.piece import Artwork, Label, Piece, mask_piece, rectangle
from maskdesign.sheets.preview import sheet_preview
from maskdesign.sheets.targets import TargetFrame, frame_within, step_up_mm, target_rules
from maskdesign.sheets.template import Template, load_template, page_templates, sheet_template, shipped_toml
from maskdesign.sheets.texture import enlarge, extend, own_colors
from maskdesign.sheets.type import Typeface
from maskdesign.sheets.write import write_piece, write_sheet

PIECE = mask_piece(MaskPattern())
INFO = SheetInfo("demo-astronaut-7", "3f9c1a2b77d0", "2025-11-22")
MM = 25.4 / 72
GOLDEN = Path(__file__).parent / "golden" / "sheet_a4.png"
LETTERING = Typeface("Helvetica")


def template_with(name: str = "sheet", **tables: dict) -> Template:
    """A shipped template with some values changed."""
    template = load_template(name)
    changed = {table: dataclasses.replace(getattr(template, table), **values) for table, values in tables.items()}
    return dataclasses.replace(template, **changed)


def whole_page(paper: Paper, piece: Piece) -> SheetLayout:
    (layout,) = plan_pages(paper, piece, sheet_template())
    return layout


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
    return folder / f"{paper.name}.pdf", whole_page(paper, PIECE)


@pytest.fixture(scope="module")
def page(sheet: tuple[Path, SheetLayout]):
    with pdfplumber.open(sheet[0]) as document:
        yield document.pages[-1]


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
    assert (layout.masks[0].width_mm, layout.masks[0].height_mm) == (175, 155)
    assert contains(boxes_mm(page.rects), layout.masks[0])
    (image,) = boxes_mm(page.images)
    bleed = layout.masks[0].grown(3, 3)
    # The picture ends with a whole pixel, the clip at the bleed.
    assert 0 <= bleed.x_mm - image[0] < 0.1
    assert 0 <= image[3] - bleed.bottom_mm < 0.1


def test_the_test_squares_have_their_true_sizes(page, sheet: tuple[Path, SheetLayout]) -> None:
    layout = sheet[1]
    furniture = layout.furniture
    assert furniture is not None
    assert (furniture.metric.width_mm, furniture.metric.height_mm) == (50, 50)
    assert (furniture.imperial.width_mm, furniture.imperial.height_mm) == (50.8, 50.8)
    assert contains(boxes_mm(page.rects), furniture.metric)
    assert contains(boxes_mm(page.rects), furniture.imperial)


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
    mask, lines = sheet[1].masks[0], sheet_template().lines
    for v_mm, kind in MaskPattern().fold_rows_mm:
        found = [
            line
            for line, (x0, top, x1, _) in zip(page.lines, boxes_mm(page.lines), strict=True)
            if abs(top - mask.y_mm - v_mm) < 0.001 and abs(x0 - mask.x_mm) < 0.001 and abs(x1 - mask.right_mm) < 0.001
        ]
        dashes = [tuple(round(length * MM, 3) for length in line["dash"][0]) for line in found if line["dash"][0]]
        assert dashes == [getattr(lines, kind).dash_mm]
        assert max(line["linewidth"] * MM for line in found) <= 0.4


@pytest.mark.parametrize("shade", [0, 90, 255])
def test_cut_and_folds_stand_out_of_any_print(tmp_path: Path, shade: int) -> None:
    """Across each line, where its dashes are, some channel is 60 levels off the texture around it."""
    texture = np.full((62, 70, 3), shade, np.uint8)
    write_sheet(tmp_path / "plain.pdf", texture, MaskPattern(), INFO, find_paper("a4"))
    layout = plan_pages(find_paper("a4"), mask_piece(MaskPattern()), sheet_template())[0]
    pixels, per_mm = sheet_preview(tmp_path / "plain.pdf", 300).astype(float), 300 / 25.4
    outline = layout.masks[0]
    for v_mm in (0.0, outline.height_mm, *(v for v, _ in MaskPattern().fold_rows_mm)):
        middle = round((outline.y_mm + v_mm) * per_mm)
        rows = pixels[middle - 6 : middle + 7, round((outline.x_mm + 20) * per_mm) : round(outline.middle_mm * per_mm)]
        assert (abs(rows - shade).max(axis=(0, 2)) > 60).mean() > 0.6


def test_everything_stays_six_millimeters_from_the_edge(page) -> None:
    boxes = boxes_mm([*page.chars, *page.lines, *page.rects, *page.curves, *page.images])
    assert page.images
    assert len(boxes) > 300
    assert boxes[:, :2].min() >= 6
    assert (boxes[:, 2:] <= (page.width * MM - 6, page.height * MM - 6)).all()


def test_no_word_touches_another_or_the_mask(page, sheet: tuple[Path, SheetLayout]) -> None:
    mask = sheet[1].masks[0].grown(3, 3)
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
        *(
            "50 mm",
            "2 inch",
            "Page 2 of 2",
            "nose wire 100 mm",
            "weld 5 mm",
            "ear loop",
            "Mountain fold",
            "Valley fold",
        ),
    ):
        assert words in text, words


def test_metadata_and_boxes(sheet: tuple[Path, SheetLayout]) -> None:
    with pikepdf.open(sheet[0]) as document:
        assert document.pdf_version == "1.7"
        assert len(document.pages) == 2
        assert INFO.run_id in str(document.docinfo["/Title"])
        assert f"run={INFO.run_id}, config={INFO.config_hash}" in str(document.docinfo["/Keywords"])
        assert document.Root.ViewerPreferences.PrintScaling == "/None"
        page = document.pages[-1]
        assert np.allclose([float(x) for x in page.TrimBox], [float(x) for x in page.MediaBox], atol=1e-3)
        outline = [float(x) * MM for x in page.ArtBox]
        assert (outline[2] - outline[0], outline[3] - outline[1]) == pytest.approx((175, 155), abs=1e-3)


def test_the_texture_is_fine_and_lossless(sheet: tuple[Path, SheetLayout]) -> None:
    with pikepdf.open(sheet[0]) as document:
        image = document.pages[-1].Resources.XObject.MaskdesignTexture
        pixels = np.asarray(pikepdf.PdfImage(image).as_pil_image())
    fine = enlarge(quadrants(), 175, 155, 300)
    assert fine.shape[1] / 175 * 25.4 >= 300
    assert fine.shape[0] / 155 * 25.4 >= 300
    across, down = (pixels.shape[1] - fine.shape[1]) // 2, (pixels.shape[0] - fine.shape[0]) // 2
    assert min(across, down) / 300 * 25.4 >= 2.99
    assert np.array_equal(pixels[down:-down, across:-across], fine)


def test_the_texture_lies_the_right_way_up(sheet: tuple[Path, SheetLayout]) -> None:
    path, layout = sheet
    pixels = sheet_preview(path, 96)
    per_mm = np.array(pixels.shape[:2]) / (layout.paper.height_mm, layout.paper.width_mm)
    for row, column in itertools.product((0, 1), (0, 1)):
        v_mm, u_mm = (20, 135)[row], (40, 135)[column]
        at = ((layout.masks[0].y_mm + v_mm) * per_mm[0], (layout.masks[0].x_mm + u_mm) * per_mm[1])
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
        words = boxes_mm(document.pages[-1].extract_words())
    header = whole_page(find_paper("a4"), PIECE).header
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


def apart_mm(first: Box, second: Box) -> float:
    return max(
        first.x_mm - second.right_mm,
        second.x_mm - first.right_mm,
        first.y_mm - second.bottom_mm,
        second.y_mm - first.bottom_mm,
    )


def inside(box: Box, outer: Box) -> bool:
    return (
        box.x_mm >= outer.x_mm - 1e-6
        and box.y_mm >= outer.y_mm - 1e-6
        and box.right_mm <= outer.right_mm + 1e-6
        and box.bottom_mm <= outer.bottom_mm + 1e-6
    )


RULES = st.fixed_dictionaries(
    {"seam_mm": st.floats(0, 12), "bleed_mm": st.floats(0, 5), "stretch_x": st.floats(0.9, 1.2)}
)


@settings(max_examples=80, deadline=None, derandomize=True)
@given(patterns(), st.floats(100, 500), st.floats(140, 600), RULES, st.integers(1, 5))
def test_any_mask_on_any_page_stays_apart_and_inside(
    pattern: MaskPattern, width_mm: float, height_mm: float, rules: dict, copies: int
) -> None:
    template, piece = template_with(piece=rules, page={"copies": copies}), mask_piece(pattern)
    pages = plan_pages(Paper("any", width_mm, height_mm), piece, template)
    size_mm, target_mm, margin_mm = extent_mm(piece, template), target_rules().side_mm, template.page.margin_mm
    shown = 0.0
    for page in pages:
        assert {page.paper.width_mm, page.paper.height_mm} == {width_mm, height_mm}
        printable = Box(0, 0, page.paper.width_mm, page.paper.height_mm).grown(-margin_mm, -margin_mm)
        assert inside(page.content, printable)
        assert page.content.width_mm - target_mm == pytest.approx(page.frame.width_mm)
        assert page.footer.bottom_mm - page.header.y_mm - target_mm == pytest.approx(page.frame.height_mm)
        beside_mm, above_mm = (size_mm[0] - page.masks[0].width_mm) / 2, (size_mm[1] - page.masks[0].height_mm) / 2
        areas = [page.tile.window] if page.tile else [mask.grown(beside_mm, above_mm) for mask in page.masks]
        blocks = [page.header, page.footer, *areas]
        if page.furniture is not None:
            blocks += [getattr(page.furniture, field.name) for field in dataclasses.fields(page.furniture)]
        assert all(inside(block, printable) for block in blocks)
        assert all(apart_mm(first, second) > -1e-6 for first, second in itertools.combinations(blocks, 2))
        shown += sum(area.width_mm * area.height_mm for area in areas)
    assert shown >= copies * size_mm[0] * size_mm[1] - 1e-3


@pytest.mark.parametrize("paper", ["a5", "100x150", "148x190"])
def test_tiles_cover_the_mask_and_overlap(paper: str) -> None:
    pages = plan_pages(find_paper(paper), PIECE, sheet_template())
    assert len(pages) > 1
    for page in pages:
        tile, mask = page.tile, page.masks[0]
        assert tile is not None
        # The window in the coordinates of the sheet.
        left_mm, top_mm = tile.window.x_mm - mask.x_mm, tile.window.y_mm - mask.y_mm
        step_mm = tile.window.width_mm - tile.overlap_mm, tile.window.height_mm - tile.overlap_mm
        assert left_mm == pytest.approx(-10.5 + tile.column * step_mm[0])
        assert top_mm == pytest.approx(-9 + tile.row * step_mm[1])
        if tile.column == tile.columns - 1:
            assert left_mm + tile.window.width_mm == pytest.approx(175 + 10.5)
        if tile.row == tile.rows - 1:
            assert top_mm + tile.window.height_mm == pytest.approx(155 + 9)


def test_the_targets_numbers_say_how_far_apart_they_are() -> None:
    rules = target_rules()
    for across, down in itertools.product(range(0, rules.count, 7), repeat=2):
        frame = TargetFrame(across, down)
        assert frame_within(frame.width_mm + 4.9, frame.height_mm) == frame
        assert step_up_mm(frame.height_mm) == frame.height_mm
        assert len(set(frame.ids)) == 4
    assert frame_within(39, 100) is None
    # Printed sheets rely on these.
    assert (rules.dictionary, rules.first, rules.least_mm, rules.step_mm) == ("DICT_6X6_250", (0, 60, 120, 180), 40, 5)
    assert (TargetFrame(28, 29).ids, TargetFrame(28, 29).width_mm) == ((28, 88, 149, 209), 180)


def test_a_transfer_is_never_printed_in_parts(tmp_path: Path) -> None:
    out = tmp_path / "sheet.pdf"
    texture = np.full((31, 35, 3), 128, np.uint8)
    with pytest.raises(InputError, match=r"parts of a transfer cannot be taped together; use --paper a4"):
        write_sheet(out, texture, MaskPattern(), INFO, find_paper("a5"), load_template("sublimation"))
    assert not out.exists()


def test_paper_that_is_too_small_names_what_fits(tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match=r"60 x 90 mm .* too small even for parts of the mask; use --paper a4 or letter"
    ):
        write_sheet(tmp_path / "s.pdf", quadrants(), MaskPattern(), INFO, find_paper("60x90"))
    with pytest.raises(InputError, match="pages would be needed, at most 60"):
        plan_pages(find_paper("80x110"), mask_piece(MaskPattern(width_mm=900, height_mm=900)), sheet_template())
    assert list(tmp_path.iterdir()) == []


def test_papers_are_found_by_name_and_by_size() -> None:
    assert find_paper("A4 ") == Paper("a4", 210, 297)
    assert find_paper("letter") == Paper("letter", 215.9, 279.4)
    assert find_paper("210x297") == find_paper("297 x 210mm") == Paper("210x297", 210, 297)
    for paper in known_papers():
        assert paper.width_mm < paper.height_mm
        (layout, *_) = plan_pages(paper, PIECE, sheet_template())
        assert {layout.paper.width_mm, layout.paper.height_mm} == {paper.width_mm, paper.height_mm}
    assert [find_paper(name).title for name in ("a4", "letter", "100x150")] == ["A4", "Letter", "100 × 150 mm"]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("leter", "did you mean 'letter'"),
        ("b7z", "unknown; give a5, a4, letter"),
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
    clean = LETTERING.printable(words)
    assert len(clean) == len(words)
    fitted, size_pt = LETTERING.fit(clean, 7, widest_mm)
    assert LETTERING.width_mm(fitted, size_pt) <= widest_mm + 1e-9
    assert 0.7 * 7 - 1e-9 <= size_pt <= 7
    assert " ".join(LETTERING.wrap(clean, 7, widest_mm)).split() == clean.split()


def test_a_board_of_cells_is_exact(tmp_path: Path) -> None:
    cells = tuple(
        rectangle("#000000", 5 + 15 * u, 2.5 + 15 * v, 15, 15) for u in range(11) for v in range(u % 2, 10, 2)
    )
    path = tmp_path / "board.pdf"
    artwork = Artwork(cells=cells, labels=(Label("A1", 20, 10),))
    write_piece(
        path,
        mask_piece(MaskPattern(), "Chessboard", fold_lines=False),
        artwork,
        INFO,
        find_paper("a4"),
        load_template("board"),
    )
    mask = whole_page(find_paper("a4"), PIECE).masks[0]
    with pdfplumber.open(path) as document:
        page = document.pages[0]
        assert not page.images
        assert {"Chessboard", "A1"} <= set(page.extract_text().split())
        drawn = boxes_mm([rect for rect in page.rects if rect["fill"] and abs(rect["width"] * MM - 15) < 0.1])
    expected = np.array([[*cell.ring_mm[0], *cell.ring_mm[2]] for cell in cells]) + np.tile((mask.x_mm, mask.y_mm), 2)
    assert np.abs(np.sort(drawn, axis=0) - np.sort(expected, axis=0)).max() < 0.001


def test_the_shipped_pattern_and_board_agree_with_the_program() -> None:
    shipped = shipped_toml("three_pleat.toml")["mask"]
    assert MaskPattern(**{**shipped, "pleat_rows_mm": tuple(shipped["pleat_rows_mm"])}) == MaskPattern()
    board = tomllib.loads(data_path("calibration/board_three_pleat.toml").read_text())["board"]
    assert board["cell_mm"] == MaskPattern().board_cell_mm
    left_mm, top_mm = board["origin_mm"]
    assert left_mm + board["columns"] * board["cell_mm"] == MaskPattern().width_mm - left_mm
    assert top_mm + board["rows"] * board["cell_mm"] == MaskPattern().height_mm - top_mm
    assert left_mm % MaskPattern().cell_mm == top_mm % MaskPattern().cell_mm == 0
    assert len(mask_piece(MaskPattern()).chessboard) == board["columns"] * board["rows"] // 2
    assert mask_piece(MaskPattern()).chessboard[0].ring_mm[0] == (left_mm, top_mm)


@pytest.mark.parametrize("name", page_templates())
def test_shipped_templates_make_a_whole_page(name: str) -> None:
    (page,) = plan_pages(find_paper("a4"), PIECE, load_template(name))
    assert page.tile is None
    assert page.furniture is not None


def test_several_masks_share_a_page() -> None:
    pages = plan_pages(find_paper("a3"), PIECE, template_with(page={"copies": 3}))
    assert [len(page.masks) for page in pages] == [2, 1]
    assert pages[0].paper.width_mm > pages[0].paper.height_mm


def test_stretch_is_compensated_in_every_line(tmp_path: Path) -> None:
    template = template_with("fabric", piece={"stretch_x": 1.05, "stretch_y": 0.98}, page={"cover": False})
    write_sheet(tmp_path / "s.pdf", quadrants(), MaskPattern(), INFO, find_paper("a3"), template)
    (layout,) = plan_pages(find_paper("a3"), PIECE, template)
    mask = layout.masks[0]
    assert (mask.width_mm * 1.05, mask.height_mm * 0.98) == pytest.approx((175, 155))
    with pdfplumber.open(tmp_path / "s.pdf") as document:
        page = document.pages[0]
        assert contains(boxes_mm(page.rects), mask)
        assert contains(boxes_mm(page.rects), mask.grown(5, 5))
        folds = boxes_mm([line for line in page.lines if abs(line["width"] * MM - mask.width_mm) < 1e-3])
        assert "stretch +5.0 % × -2.0 % compensated" in page.extract_text()
    expected = [mask.y_mm + v_mm / 0.98 for v_mm, _ in MaskPattern().fold_rows_mm]
    assert np.abs(np.unique(folds[:, 1].round(3)) - expected).max() < 0.002


def test_a_transfer_print_is_mirrored_but_its_words_are_not(tmp_path: Path) -> None:
    template = template_with(piece={"mirrored": True}, page={"cover": False})
    texture = quadrants()
    write_sheet(tmp_path / "s.pdf", texture, MaskPattern(), INFO, find_paper("a4"), template)
    mask = whole_page(find_paper("a4"), PIECE).masks[0]
    pixels = sheet_preview(tmp_path / "s.pdf", 50.8)
    left, right = (pixels[int((mask.y_mm + 20) * 2), int((mask.x_mm + u_mm) * 2)].astype(int) for u_mm in (40, 135))
    assert np.abs(left - texture[0, -1]).max() <= 2
    assert np.abs(right - texture[0, 0]).max() <= 2
    with pdfplumber.open(tmp_path / "s.pdf") as document:
        assert "MIRRORED for transfer" in document.pages[0].extract_text()


def test_layers_can_be_switched_and_the_chessboard_is_hidden(sheet: tuple[Path, SheetLayout], tmp_path: Path) -> None:
    path, layout = sheet
    with pikepdf.open(path) as document:
        layers = document.Root.OCProperties
        names = {str(group.Name) for group in layers.OCGs}
        assert names == {"Texture", "Chessboard", "Lines", "Notes"}
        assert [str(group.Name) for group in layers.D.OFF] == ["Chessboard"]
        layers.D.OFF = pikepdf.Array([group for group in layers.OCGs if str(group.Name) != "Chessboard"])
        layers.D.ON = pikepdf.Array([group for group in layers.OCGs if str(group.Name) == "Chessboard"])
        document.save(tmp_path / "board.pdf")
    shown, board = sheet_preview(path, 50.8), sheet_preview(tmp_path / "board.pdf", 50.8)
    mask = layout.masks[0]
    # The first two cells of the board, from (5, 2.5) mm, and the header.
    black, white = (board[int((mask.y_mm + 10) * 2), int((mask.x_mm + u_mm) * 2)] for u_mm in (12, 27))
    assert (black.max(), white.min()) == (0, 255)
    assert shown[int((mask.y_mm + 10) * 2), int((mask.x_mm + 12) * 2)].max() > 150
    header = slice(int(layout.header.y_mm * 2), int(layout.header.bottom_mm * 2)), slice(80, 300)
    assert shown[header].min() < 128 < board[header].min()


def test_boxes_for_a_print_shop(tmp_path: Path) -> None:
    template = template_with(page={"boxes": "outline"}, piece={"seam_mm": 2.0})
    write_sheet(tmp_path / "s.pdf", quadrants(), MaskPattern(), INFO, find_paper("a3"), template)
    with pikepdf.open(tmp_path / "s.pdf") as document:
        page = document.pages[-1]
        sizes = [[float(x) * MM for x in box] for box in (page.TrimBox, page.BleedBox)]
    widths = [box[2] - box[0] for box in sizes]
    assert widths == pytest.approx([175 + 4, 175 + 10], abs=1e-3)


def test_svg_is_in_true_millimeters_and_looks_like_the_pdf(tmp_path: Path) -> None:
    paths = write_sheet(tmp_path / "s.svg", quadrants(), MaskPattern(), INFO, find_paper("a4"))
    assert [path.name for path in paths] == ["s-1.svg", "s-2.svg"]
    root = ElementTree.parse(paths[1]).getroot()
    assert (root.get("width"), root.get("height"), root.get("viewBox")) == ("210mm", "297mm", "0 0 210 297")
    space = {"s": "http://www.w3.org/2000/svg"}
    mask = whole_page(find_paper("a4"), PIECE).masks[0]
    cut = f"M{mask.x_mm:.4f} {mask.y_mm:.4f}L{mask.right_mm:.4f} {mask.y_mm:.4f}L"
    assert any(str(path.get("d")).startswith(cut) for path in root.findall(".//s:g[@class='lines']/s:path", space))
    assert {group.get("class") for group in root.findall("s:g", space)} >= {"texture", "lines", "notes", "chessboard"}
    words = " ".join(text.text or "" for text in root.findall(".//s:text", space))
    assert "Page 2 of 2" in words
    assert INFO.config_hash in words
    assert len(root.findall(".//s:image", space)) == 1


def test_png_pages_know_their_resolution(tmp_path: Path) -> None:
    paths = write_sheet(tmp_path / "s.png", quadrants(), MaskPattern(), INFO, find_paper("a4"), dpi=60)
    assert [path.name for path in paths] == ["s-1.png", "s-2.png"]
    with Image.open(paths[1]) as image:
        assert image.size == (497, 702)
        assert image.info["dpi"] == pytest.approx((60, 60), abs=0.01)


@pytest.mark.parametrize(
    ("name", "dpi", "error", "message"),
    [
        ("s.png", 0.0, ImageError, "dpi = 0: must be positive"),
        ("s.png", 5000.0, InputError, "exceed 50 megapixels; lower --dpi"),
        ("s.doc", None, UsageError, "a sheet ends in .pdf, .svg, .png"),
    ],
)
def test_senseless_outputs_are_refused(tmp_path: Path, name: str, dpi: float, error: type, message: str) -> None:
    with pytest.raises(error, match=message):
        write_sheet(tmp_path / name, quadrants(), MaskPattern(), INFO, find_paper("a4"), dpi=dpi)
    assert list(tmp_path.iterdir()) == []


BAD_TEMPLATES = {
    "[texture]\ndpi = 0": "texture.dpi = 0 must lie between 72 and 1200",
    "[piece]\nbleed_mm = -1": "piece.bleed_mm = -1 must lie between",
    "[piece]\nfold_lines = 'round'": "piece.fold_lines = 'round'; choose of across, beside",
    "[piece]\nbleed = 3": "unknown configuration key piece.bleed; did you mean bleed_mm?",
    "[page]\ncopies = 1.5": "page.copies = 1.5 must be of type int",
    "[fonts]\nbold = 'none.ttf'": "fonts.bold = .*none.ttf': no such font; give the path of a TrueType file",
    "[fonts]\nbold = 'mine.toml'": "fonts.bold = 'mine.toml': no such font",
    "[lines.cut]\ncolor = 'red'": "lines.cut.color = 'red' must be written as",
    "[lines.cut]\ndash_mm = [0.0]": "lines.cut.dash_mm",
    "base = 'fabrik'": "template 'fabrik': unknown; choose of board, fabric, sheet, sublimation",
    "[targets]\nside_mm = 5": "unknown configuration key targets",
    "[page": "not valid TOML",
}


@pytest.mark.parametrize("content", BAD_TEMPLATES)
def test_bad_templates_are_refused_with_the_key(tmp_path: Path, content: str) -> None:
    (tmp_path / "mine.toml").write_text(content)
    with pytest.raises((InputError, ConfigError), match=BAD_TEMPLATES[content]):
        template = load_template(str(tmp_path / "mine.toml"))
        write_sheet(tmp_path / "s.pdf", quadrants(), MaskPattern(), INFO, find_paper("a4"), template)


def test_an_own_template_changes_what_it_names_and_no_more(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text("base = 'fabric'\n[piece]\nstretch_x = 1.1\n[lines.cut]\nwidth_mm = 0.5\n")
    mine, fabric = load_template(str(tmp_path / "mine.toml")), load_template("fabric")
    assert (mine.piece.stretch_x, mine.piece.seam_mm, mine.lines.cut.color) == (1.1, 5, "#000000")
    assert dataclasses.replace(mine, piece=fabric.piece, lines=fabric.lines) == fabric
    with pytest.raises(InputError, match="no such file"):
        load_template(str(tmp_path / "none.toml"))


def test_bases_in_a_circle_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text(f"base = '{tmp_path}/a.toml'")
    with pytest.raises(InputError, match="in a circle"):
        load_template(str(tmp_path / "a.toml"))


def test_an_own_font_is_embedded_and_prints_what_helvetica_lacks(tmp_path: Path) -> None:
    fonts = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
    (tmp_path / "DejaVuSans.ttf").write_bytes((fonts / "DejaVuSans.ttf").read_bytes())
    (tmp_path / "mine.toml").write_text("[fonts]\nregular = 'DejaVuSans.ttf'\nbold = 'DejaVuSans.ttf'\n")
    template = load_template(str(tmp_path / "mine.toml"))
    write_sheet(
        tmp_path / "s.pdf", quadrants(), MaskPattern(), SheetInfo("маска", "h", "d"), find_paper("a4"), template
    )
    with pdfplumber.open(tmp_path / "s.pdf") as document:
        assert "Run маска" in document.pages[-1].extract_text()
        assert {char["fontname"].split("+")[-1] for char in document.pages[-1].chars} == {"DejaVuSans"}


def test_bleed_goes_on_as_in_a_mirror() -> None:
    wide = extend(quadrants(), 3, 2)
    assert wide.shape == (66, 76, 3)
    assert np.array_equal(wide[2:-2, 3:-3], quadrants())
    assert np.array_equal(wide[:2], wide[2:4][::-1])
