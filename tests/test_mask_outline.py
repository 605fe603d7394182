"""A mask outline of one's own: read from SVG and DXF, checked, cut from the worn sheet, printed."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import ezdxf
import igl
import numpy as np
import pytest

from maskdesign.cli.main import main
from maskdesign.config import to_toml
from maskdesign.errors import InputError, PatternError
from maskdesign.faces.scan import save_face
from maskdesign.geometry.mesh import TriangleMesh, mesh_edges
from maskdesign.geometry.polygon import crosses_itself, grown, polygon_area, signed_distance
from maskdesign.jobs.config import load_config
from maskdesign.jobs.mask import read_pattern
from maskdesign.mask.cut import cut_worn
from maskdesign.mask.drape import shut_positions_mm
from maskdesign.mask.outline_file import read_outline, with_outline
from maskdesign.mask.pattern import MaskPattern, folded_v_mm
from maskdesign.mask.sheet import fine_grid
from maskdesign.mask.worn import DrapeReport, WornMask, load_worn
from maskdesign.render.scene import MASK, build_scene
from maskdesign.sheets.page import SheetInfo
from maskdesign.sheets.paper import find_paper
from maskdesign.sheets.template import load_template
from maskdesign.sheets.write import write_sheet
from tests.mask_heads import analytic_face

PATTERNS = ("three_pleat", "two_pleat", "flat", "rounded")
ROUNDED = read_pattern("rounded")
FLAT = {"width_mm": 175.0, "height_mm": 95.0, "pleat_rows_mm": []}
RECTANGLE = ((0.0, 0.0), (175.0, 0.0), (175.0, 155.0), (0.0, 155.0))


def svg(shapes: str, width: str = "175mm", box: str = "0 0 175 95") -> str:
    return f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="95mm" viewBox="{box}">{shapes}</svg>'


def drawn(folder: Path, shapes: str, **size: str) -> Path:
    path = folder / "own.svg"
    path.write_text(svg(shapes, **size))
    return path


def dxf(unit: int, draw) -> bytes:
    document = ezdxf.new(units=unit)
    draw(document.modelspace())
    text = io.StringIO()
    document.write(text)
    return text.getvalue().encode()


def on_sheet(pattern: MaskPattern, positions_mm: np.ndarray | None = None) -> WornMask:
    grid = fine_grid(pattern)
    x = shut_positions_mm(grid, 0.3) if positions_mm is None else positions_mm
    report = DrapeReport(0.0, 0.0, 0.0, 1.0, 0.0, 95.0, 0, 0, 0.0)
    return WornMask(TriangleMesh(x, grid.triangles), grid.sheet_mm, grid.layer, report)


def area(points: np.ndarray, triangles: np.ndarray) -> float:
    return float(igl.doublearea(points, triangles.astype(np.int64)).sum() / 2)


def border(worn: WornMask) -> np.ndarray:
    return igl.boundary_facets(worn.mesh.triangles.astype(np.int64))[0]


ROUND_RECTANGLE = 175 * 95 - (4 - np.pi) * 20**2


@pytest.mark.parametrize(
    ("shapes", "wanted"),
    [
        ('<rect width="175" height="95" rx="20"/>', ROUND_RECTANGLE),
        ('<g transform="translate(7 3) scale(.5)"><rect width="350" height="190" rx="40"/></g>', ROUND_RECTANGLE),
        ('<ellipse cx="87.5" cy="47.5" rx="87.5" ry="47.5"/>', np.pi * 87.5 * 47.5),
        ('<polygon points="0,20 87.5,0 175,20 175,95 0,95"/>', 175 * 85),
        ('<path d="M0 0H175V95H0V0"/>', 175 * 95),
        ('<path d="M0 0H175V95"/><path d="M0 0V95H175"/>', 175 * 95),
        ('<path d="M0 15 Q87.5 -15 175 15 V95 H0 Z"/>', 175 * 80 + 2 / 3 * 175 * 15),
    ],
)
def test_svg_shapes_have_the_area_of_their_closed_form(tmp_path, shapes, wanted):
    ring = read_outline(drawn(tmp_path, shapes))
    # No chord is farther than 0.1 mm from its curve, so the area is off by less than that times the girth.
    girth = np.linalg.norm(ring - np.roll(ring, 1, axis=0), axis=1).sum()
    assert abs(polygon_area(ring) - wanted) < 0.05 * girth


@pytest.mark.parametrize(("width", "scale"), [("17.5cm", 1.0), ("350mm", 2.0), ("1in", 25.4 / 175)])
def test_the_unit_of_an_svg_counts(tmp_path, width, scale):
    path = tmp_path / "own.svg"
    shape = '<rect width="175" height="95"/>'
    path.write_text(svg(shape, width).replace('height="95mm"', f'height="{95 * scale}mm"'))
    np.testing.assert_allclose(np.ptp(read_outline(path), axis=0), np.array([175, 95]) * scale, rtol=1e-5)


def rounded_lines(space) -> None:
    """175 x 95 mm in y-up millimeters, 20 mm corners, from loose lines and arcs in no order and either direction."""
    space.add_arc((155, 75), 20, 0, 90)
    space.add_line((0, 20), (0, 75))
    space.add_line((155, 0), (20, 0))
    space.add_arc((20, 20), 20, 180, 270)
    space.add_line((20, 95), (155, 95))
    space.add_arc((20, 75), 20, 90, 180)
    space.add_line((175, 75), (175, 20))
    space.add_arc((155, 20), 20, 270, 360)
    space.add_text("mask")


@pytest.mark.parametrize(
    ("unit", "draw", "wanted"),
    [
        (4, rounded_lines, ROUND_RECTANGLE),
        (5, lambda s: s.add_lwpolyline([(0, 0), (17.5, 0), (17.5, 9.5), (0, 9.5)], close=True), 175 * 95),
        (
            4,
            lambda s: s.add_lwpolyline(
                [(40, 0), (135, 0, 0, 0, 1.0), (135, 80), (40, 80, 0, 0, 1.0)], "xyseb", close=True
            ),
            95 * 80 + np.pi * 40**2,
        ),
        (4, lambda s: s.add_circle((60, 60), 60), np.pi * 60**2),
    ],
)
def test_dxf_lines_have_the_area_of_their_closed_form(tmp_path, unit, draw, wanted):
    path = tmp_path / "own.dxf"
    path.write_bytes(dxf(unit, draw))
    ring = read_outline(path)
    girth = np.linalg.norm(ring - np.roll(ring, 1, axis=0), axis=1).sum()
    assert abs(polygon_area(ring) - wanted) < 0.05 * girth


def test_a_dxf_spline_is_followed_and_its_y_points_up(tmp_path):
    path = tmp_path / "own.dxf"

    def draw(space) -> None:
        # One cubic Bezier over a straight base: y(t) = 3 t (1 - t) 40, at most 30.
        space.add_open_spline([(0, 80), (60, 120), (115, 120), (175, 80)], degree=3)
        space.add_lwpolyline([(175, 80), (175, 0), (0, 0), (0, 80)])

    path.write_bytes(dxf(4, draw))
    ring = read_outline(path)
    top = ring[:, 1].min()
    assert abs(np.ptp(ring[:, 1]) - 110) < 0.1
    # The curve is above: where the drawing is highest there are many points, along the base none.
    assert (ring[:, 1] < top + 30).sum() > 8


def test_a_drawing_lies_in_the_middle_of_the_sheet_at_its_upper_edge(tmp_path):
    drawn(tmp_path, '<rect x="30" y="44" width="172" height="93"/>')
    ring = np.array(_points(tmp_path, "own.svg")["outline_mm"])
    np.testing.assert_allclose([*ring.min(axis=0), *ring.max(axis=0)], [1.5, 0, 173.5, 93], atol=1e-3)


def test_no_outline_leaves_the_pattern_its_text_and_its_worn_mask():
    assert "outline" not in to_toml(MaskPattern())
    worn = on_sheet(MaskPattern())
    assert cut_worn(worn, MaskPattern()) is worn


def test_a_job_reads_the_template_and_keeps_the_points(tmp_path):
    template = Path(__file__).parents[1] / "print_templates" / "rounded.toml"
    config = load_config(template, ())
    assert config.mask == ROUNDED
    resolved = tmp_path / "config.toml"
    resolved.write_text(to_toml(config))
    assert load_config(resolved, ()) == config


@pytest.mark.parametrize("name", PATTERNS)
def test_flat_folded_and_worn_sheets_are_isometric(name):
    """Area and edges of the cut mesh, by libigl, against the outline's area and the folds' closed form."""
    pattern = read_pattern(name)
    worn = cut_worn(on_sheet(pattern), pattern)
    ring = np.array(pattern.outline_mm or [(0, 0), (175, 0), (175, pattern.height_mm), (0, pattern.height_mm)])
    triangles, flat = worn.mesh.triangles, worn.sheet_mm
    assert abs(area(np.column_stack([flat, np.zeros(len(flat))]), triangles) - polygon_area(ring)) < 1e-6
    folded = np.column_stack([flat[:, 0], folded_v_mm(pattern, flat[:, 1]), np.zeros(len(flat))])
    assert abs(area(folded, triangles) - polygon_area(ring)) < 1e-6
    ends = mesh_edges(triangles)
    lengths = [np.linalg.norm(np.diff(points[ends], axis=1)[:, 0], axis=1) for points in (flat, folded)]
    np.testing.assert_allclose(lengths[0], lengths[1], atol=1e-9)
    # A rolled sheet is isometric up to the chords of its cells.
    turned = fine_grid(pattern).sheet_mm
    roll = np.column_stack([80 * np.sin(turned[:, 0] / 80), -turned[:, 1], 80 * np.cos(turned[:, 0] / 80)])
    rolled = cut_worn(on_sheet(pattern, roll), pattern)
    assert abs(area(rolled.mesh.vertices, triangles) / polygon_area(ring) - 1) < 1e-4


def test_the_cut_runs_along_the_outline_and_keeps_places_exact():
    grid = fine_grid(ROUNDED)
    whole = on_sheet(ROUNDED)
    worn = cut_worn(whole, ROUNDED)
    ring = np.array(ROUNDED.outline_mm)
    edges = worn.sheet_mm[border(worn)]
    along = edges[:, :1] + np.linspace(0, 1, 11)[None, :, None] * np.diff(edges, axis=1)
    assert abs(signed_distance(ring, along.reshape(-1, 2))).max() < 1e-9
    around = np.concatenate([np.linspace(a, b, 9) for a, b in pairwise([*ring, ring[0]])])
    assert igl.is_edge_manifold(worn.mesh.triangles.astype(np.int64))
    assert len(np.unique(worn.mesh.triangles)) == len(worn.sheet_mm)
    # An affine image of the sheet tells whether sheet_mm and vertices still belong to each other.
    affine = np.array([[0.3, -0.1, 0.7], [0.2, 0.9, -0.4]])
    moved = cut_worn(on_sheet(ROUNDED, grid.sheet_mm @ affine), ROUNDED)
    np.testing.assert_allclose(moved.mesh.vertices, moved.sheet_mm @ affine, atol=1e-9)
    # The drawing itself, sampled independently: an arc of 33 mm and a cubic.
    turn = np.linspace(0, np.pi / 2, 200)
    arc = np.column_stack([142 + 33 * np.cos(turn), 122 + 33 * np.sin(turn)])
    t = np.linspace(0, 1, 200)[:, None]
    hill = 3 * t * (1 - t) ** 2 * [30, 22] + 3 * t**2 * (1 - t) * [50, 0] + t**3 * [87.5, 0] + (1 - t) ** 3 * [0, 22]
    assert abs(signed_distance(ring, np.concatenate([arc, hill]))).max() < 0.1
    assert (
        abs(signed_distance(worn.sheet_mm[igl.boundary_loop(worn.mesh.triangles.astype(np.int64))], around)).max()
        < 1e-9
    )


def test_an_outline_that_almost_follows_the_grid_is_refused_in_one_line():
    angle = np.radians(np.arange(0, 360, 5))
    corner = np.sign(np.stack([np.cos(angle + 1e-9), np.sin(angle + 1e-9)], axis=1)) * [57.5, 47.5]
    ring = corner + 30 * np.stack([np.cos(angle), np.sin(angle)], axis=1) + [87.5, 77.5]
    pattern = MaskPattern(pleat_rows_mm=(), outline_mm=tuple(map(tuple, ring.tolist())))
    grid = fine_grid(pattern)
    flat = TriangleMesh(np.column_stack([grid.sheet_mm, 0 * grid.layer]), grid.triangles)
    with pytest.raises(PatternError, match="cannot be cut; round its corners"):
        cut_worn(WornMask(flat, grid.sheet_mm, grid.layer, DrapeReport(0, 0, 0, 1, 0, 155, 0, 0, 0)), pattern)


def test_cutting_twice_changes_nothing_and_triangles_keep_their_side():
    once = cut_worn(on_sheet(ROUNDED), ROUNDED)
    assert cut_worn(once, ROUNDED) is once
    a, b, c = (once.sheet_mm[once.mesh.triangles[:, k]] for k in range(3))
    assert (((b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0]) < 0).all()


def test_a_notch_between_two_points_of_the_grid_is_cut():
    ring = ((0.0, 0.0), (175.0, 0.0), (175.0, 155.0), (101.5, 155.0), (101.0, 140.3), (100.5, 155.0), (0.0, 155.0))
    pattern = MaskPattern(outline_mm=ring)
    worn = cut_worn(on_sheet(pattern), pattern)
    flat = np.column_stack([worn.sheet_mm, np.zeros(len(worn.sheet_mm))])
    assert abs(area(flat, worn.mesh.triangles) - (175 * 155 - 14.7 / 2)) < 1e-6


def test_nothing_outside_of_the_outline_is_drawn():
    scene = build_scene(analytic_face(), on_sheet(ROUNDED), ROUNDED)
    sheet_mm = scene.corner_uv.numpy()[scene.material.numpy() == MASK].reshape(-1, 2) * [175, 155]
    assert signed_distance(np.array(ROUNDED.outline_mm), sheet_mm.astype(float)).max() < 1e-4


def test_signed_distance_and_growth_of_a_rectangle_are_those_of_the_closed_form():
    points = np.array([(87.5, 77.5), (-3, 77.5), (-3, -4), (180, 200), (1, 2)])
    wanted = [-77.5, 3, 5, np.hypot(5, 45), -1]
    np.testing.assert_allclose(signed_distance(np.array(RECTANGLE), points), wanted)
    around = np.array(grown(RECTANGLE, 4.0))
    np.testing.assert_allclose(signed_distance(np.array(RECTANGLE), around), 4.0, atol=0.05)
    assert abs(polygon_area(around) - (175 * 155 + 4 * 2 * (175 + 155) + np.pi * 16)) < 5
    assert grown(RECTANGLE, 0.0) == RECTANGLE


def test_crossings_are_found_and_only_those():
    bow, notch = [(0, 0), (9, 9), (9, 0), (0, 9)], [(0, 0), (9, 0), (9, 9), (6, 9), (6, 5), (3, 5), (3, 9), (0, 9)]
    assert crosses_itself(np.array(bow, float))
    assert not crosses_itself(np.array(notch, float))
    assert crosses_itself(np.array([(0, 0), (9, 0), (9, 9), (5, 9), (5, 0), (4, 9), (0, 9)], float))  # touches
    assert crosses_itself(np.array([(0, 0), (9, 0), (5, 0), (5, 5)], float))  # turns back on itself


@pytest.mark.parametrize(
    ("shapes", "size", "part"),
    [
        ('<path d="M0 0L175 95V0L0 95Z"/>', {}, "crosses or touches itself"),
        ('<path d="M0 0H175V95H0V3"/>', {}, "not closed, its ends are 3.00 mm apart"),
        ('<rect width="175" height="95"/><circle r="9"/>', {}, "several outlines"),
        ('<path d="M0 0H175V95H0ZM9 9H20V20H9Z"/>', {}, "several outlines"),
        ("<title>none</title>", {}, "holds 0 lines"),
        ('<rect width="176" height="95"/>', {}, "176 x 95 mm and leaves the sheet of 175 x 95 mm"),
        ('<rect width="175" height="60"/>', {}, "smaller than a face needs (120 x 70 mm)"),
        ('<rect width="165" height="95"/>', {}, "cuts off the welds of the sheet"),
        ('<path d="M0 0H80V40H95V0H175V95H0Z"/>', {}, "around the tip of the nose at (87.5, 35) mm"),
        ('<path d="M0 0H175VnanH0Z"/>', {}, "own.svg:"),
        ('<rect width="1e300" height="95"/>', {}, "own.svg:"),
        ('<rect width="175" height="95"/>', {"width": "175"}, "width = '175' has no unit"),
        ('<rect width="175" height="95"/>', {"width": "100%"}, "has no unit"),
        ('<use href="#a"/>', {}, "refers to other drawings or files (<use>)"),
        ('<image href="http://localhost/a.png"/>', {}, "refers to other drawings or files (<image>)"),
        ('<a href="other.svg"><rect width="175" height="95"/></a>', {}, "refers to other drawings or files (<a>)"),
        ('<style>@import url(a.css);</style><rect width="175" height="95"/>', {}, "(<style>)"),
        ("<rect", {}, "the drawing is damaged"),
    ],
)
def test_bad_svg_outlines_are_refused_in_one_line(tmp_path, shapes, size, part):
    drawn(tmp_path, shapes, **size)
    with pytest.raises(PatternError, match=re.escape(part)) as caught:
        with_outline({**FLAT, "outline": "own.svg"}, tmp_path)
    assert str(tmp_path / "own.svg") in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("unit", "draw", "part"),
    [
        (0, rounded_lines, "$INSUNITS names no unit"),
        (4, lambda s: s.add_line((0, 0), (175, 0)), "not closed, its ends are 175.00 mm apart"),
        (4, lambda s: s.add_blockref("other", (0, 0)), "holds INSERT"),
        (4, lambda s: None, "holds 0 lines"),
    ],
)
def test_bad_dxf_outlines_are_refused_in_one_line(tmp_path, unit, draw, part):
    (tmp_path / "own.dxf").write_bytes(dxf(unit, draw))
    with pytest.raises(PatternError, match=re.escape(part)) as caught:
        with_outline({**FLAT, "outline": "own.dxf"}, tmp_path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "ring",
    [
        ((0.0, 0.0), (175.0, 0.0), (175.0, 155.0), (100.0, 155.0), (90.0, 118.0), (80.0, 155.0), (0.0, 155.0)),
        ((0.0, 0.0), (175.0, 0.0), (175.0, 60.0), (165.0, 70.0), (175.0, 80.0), (175.0, 155.0), (0.0, 155.0)),
        ((0.0, 30.0), (87.5, 0.0), (175.0, 30.0), (175.0, 155.0), (0.0, 155.0)),
    ],
)
def test_outlines_that_cut_off_pleats_or_welds_are_refused(ring):
    with pytest.raises(PatternError, match="cuts off a pleat or its weld: the sheet must be whole from 25 to 120 mm"):
        MaskPattern(outline_mm=ring)


def test_numbers_that_are_not_finite_and_too_many_points_are_refused():
    with pytest.raises(PatternError, match="not finite"):
        MaskPattern(outline_mm=(*RECTANGLE[:3], (float("nan"), 155.0)))
    with pytest.raises(PatternError, match="has 2 points"):
        MaskPattern(outline_mm=RECTANGLE[:2])
    with pytest.raises(PatternError, match="crosses or touches itself"):
        replace(MaskPattern(), outline_mm=(RECTANGLE[0], *RECTANGLE))


@pytest.mark.parametrize("name", ["../own.svg", "/etc/own.svg", 3])
def test_a_drawing_stays_in_the_folder_of_its_pattern(tmp_path, name):
    with pytest.raises(PatternError, match="must name a file in the pattern's own folder"):
        with_outline({**FLAT, "outline": name}, tmp_path)


def test_files_that_are_no_drawing_are_refused(tmp_path):
    (tmp_path / "own.png").write_bytes(b"x")
    (tmp_path / "big.svg").write_bytes(b" " * ((4 << 20) + 1))
    (tmp_path / "laughs.svg").write_text('<!DOCTYPE a [<!ENTITY b "ha"><!ENTITY c "&b;&b;">]>' + svg("&c;"))
    for name, part in (("own.png", "an .svg or a .dxf"), ("big.svg", "larger than 4 MiB"), ("laughs.svg", "entities")):
        with pytest.raises(PatternError, match=part):
            read_outline(tmp_path / name)
    with pytest.raises(InputError, match="no such file"):
        read_outline(tmp_path / "absent.svg")


@pytest.mark.parametrize(("suffix", "count"), [("svg", 400), ("dxf", 120)])
def test_damaged_drawings_are_read_or_refused_in_one_line(tmp_path, suffix, count):
    path, generator = tmp_path / f"own.{suffix}", np.random.default_rng(7)
    shape = '<path transform="scale(1)" d="M0 20C30 22 50 0 87.5 0S145 22 175 20V62A33 33 0 0 1 142 95H33L0 62Z"/>'
    whole = svg(shape).encode() if suffix == "svg" else dxf(4, rounded_lines)
    read = 0
    for _ in range(count):
        data = bytearray(whole)
        for place in generator.integers(0, len(data), generator.integers(1, 6)):
            data[place] = (
                generator.integers(0, 256) if generator.random() < 0.5 else generator.choice(list(b'0-"<9e. '))
            )
        path.write_bytes(bytes(data[: generator.integers(1, len(data))] if generator.random() < 0.2 else data))
        try:
            pattern = MaskPattern(**{**FLAT, "pleat_rows_mm": (), **_points(tmp_path, path.name)})
        except PatternError as error:
            assert "\n" not in str(error)
        else:
            assert pattern.outline_mm is not None
            read += 1
    assert 0 < read < count


def _points(folder: Path, name: str) -> dict:
    return {"outline_mm": with_outline({**FLAT, "outline": name}, folder)["outline_mm"]}


def test_mask_with_an_outline_end_to_end(tmp_path, capsys):
    """A flat one, for speed: the pleated template goes the same way."""
    save_face(analytic_face(), tmp_path / "face.npz")
    drawn(tmp_path, '<rect width="175" height="95" rx="20"/>')
    own, out = tmp_path / "own.toml", tmp_path / "worn.npz"
    own.write_text('[mask]\nheight_mm = 95.0\npleat_rows_mm = []\noutline = "own.svg"\n')
    words = ["mask", "--face", str(tmp_path / "face.npz"), "--pattern", str(own), "--out", str(out)]
    assert main(words) == 0
    worn = load_worn(out)
    flat = np.column_stack([worn.sheet_mm, np.zeros(len(worn.sheet_mm))])
    assert abs(area(flat, worn.mesh.triangles) - ROUND_RECTANGLE) < 0.05 * 540
    assert abs(area(worn.mesh.vertices, worn.mesh.triangles) / area(flat, worn.mesh.triangles) - 1) < 0.005
    own.write_text('[mask]\nheight_mm = 95.0\npleat_rows_mm = []\noutline = "../own.svg"\n')
    capsys.readouterr()
    assert main([*words[:-1], str(tmp_path / "no.npz")]) == 3
    assert len(capsys.readouterr().err.splitlines()) == 1
    assert not (tmp_path / "no.npz").exists()


def test_the_list_says_which_pattern_has_an_outline(capsys):
    assert main(["mask", "--list"]) == 0
    assert "175 x 155 mm, own outline, 175 x 95 mm folded" in capsys.readouterr().out


@pytest.mark.parametrize(("template", "seam_mm"), [("sheet", 0.0), ("fabric", 5.0)])
def test_the_sheet_draws_the_outline_as_its_cut_line(tmp_path, template, seam_mm):
    page, gray = load_template(template), np.full((31, 35, 3), 128, np.uint8)
    info = SheetInfo(run_id="run", config_hash="hash", date="2026-01-01")
    files = write_sheet(tmp_path / "sheet.svg", gray, ROUNDED, info, find_paper("a4"), page)
    lines = re.findall(r'<path d="M([^"Z]*)Z" fill-rule="evenodd" fill="none"', files[-1].read_text())
    rings = [np.array([point.split() for point in line.split("L")], float) for line in lines]
    cut = max((ring for ring in rings if len(ring) > 60), key=lambda ring: np.ptp(ring[:, 0]))
    stretched = np.array(ROUNDED.outline_mm) / [page.piece.stretch_x, page.piece.stretch_y]
    stretched += (cut.min(0) + cut.max(0)) / 2 - (stretched.min(0) + stretched.max(0)) / 2
    np.testing.assert_allclose(signed_distance(stretched, cut), seam_mm, atol=0.05)
    assert "clip-path" in files[-1].read_text()
