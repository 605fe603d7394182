"""The drape on heads that the project ships or makes, measured again with code that is not the drape's own."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import igl
import numpy as np
import pytest
from mask_heads import analytic_face

from maskdesign.errors import ConfigError, DrapeError, InputError
from maskdesign.faces.head import builtin_face
from maskdesign.faces.scan import FaceScan
from maskdesign.faces.topology import outer_skin
from maskdesign.mask.drape import drape_mask
from maskdesign.mask.measure import check_settled
from maskdesign.mask.pattern import MaskPattern
from maskdesign.mask.settings import DrapeLimits, DrapeSettings
from maskdesign.mask.sheet import fine_grid
from maskdesign.mask.worn import WornMask, load_worn, save_worn

PATTERN = MaskPattern()
OPENINGS = (95.0, 110.0, 125.0)


@pytest.fixture(scope="session")
def head() -> FaceScan:
    return builtin_face()


@pytest.fixture(scope="session")
def worn(head: FaceScan) -> dict[float, WornMask]:
    return {opening: drape_mask(head, PATTERN, DrapeSettings(opening_mm=opening)) for opening in OPENINGS}


def _edge_strain(mask: WornMask) -> np.ndarray:
    edges = igl.edges(mask.mesh.triangles.astype(np.int64))
    lengths = [np.linalg.norm(p[edges[:, 0]] - p[edges[:, 1]], axis=1) for p in (mask.mesh.vertices, mask.sheet_mm)]
    return lengths[0] / lengths[1] - 1


@pytest.mark.parametrize("opening", OPENINGS)
def test_the_sheet_neither_stretches_nor_shrinks(worn: dict[float, WornMask], opening: float) -> None:
    mask = worn[opening]
    strain = abs(_edge_strain(mask))
    assert np.sqrt((strain**2).mean()) <= 0.005
    assert np.percentile(strain, 99) <= 0.02
    assert strain.max() <= 0.05
    area = igl.doublearea(mask.mesh.vertices, mask.mesh.triangles.astype(np.int64)).sum() / 2
    assert abs(area / (175 * 155) - 1) <= 0.005
    assert abs(mask.report.strain_max - strain.max()) < 1e-12
    assert abs(mask.report.area_ratio - area / (175 * 155)) < 1e-9


@pytest.mark.parametrize("opening", OPENINGS)
def test_no_vertex_is_inside_the_face(worn: dict[float, WornMask], head: FaceScan, opening: float) -> None:
    vertices, triangles = head.mesh.vertices, head.mesh.triangles.astype(np.int64)
    signed = igl.signed_distance(
        worn[opening].mesh.vertices, vertices, triangles, igl.SIGNED_DISTANCE_TYPE_FAST_WINDING_NUMBER
    )[0]
    assert signed.min() >= -0.1


@pytest.mark.parametrize("opening", OPENINGS)
def test_the_opening_is_the_wanted_one_and_layers_are_in_order(worn: dict[float, WornMask], opening: float) -> None:
    report = worn[opening].report
    assert abs(report.opening_mm - opening) <= 1.5
    assert report.layer_violations == 0


@pytest.mark.parametrize("opening", OPENINGS)
def test_the_sides_lie_on_the_cheeks(worn: dict[float, WornMask], head: FaceScan, opening: float) -> None:
    mask, skin = worn[opening], outer_skin(head.mesh)
    squared = igl.point_mesh_squared_distance(mask.mesh.vertices, skin.vertices, skin.triangles.astype(np.int64))[0]
    in_strip = abs(mask.sheet_mm[:, 0] - 87.5) >= 67.5
    assert mask.report.gap_mm == pytest.approx(np.median(np.sqrt(squared)), abs=1e-6)
    assert mask.report.side_gap_mm == pytest.approx(np.median(np.sqrt(squared[in_strip])), abs=1e-6)
    assert mask.report.side_gap_mm < 4


def test_wings_are_refused(worn: dict[float, WornMask]) -> None:
    settings, report = DrapeSettings(opening_mm=110.0), worn[110.0].report
    check_settled("head", settings, report, 1)
    with pytest.raises(DrapeError, match=r"head: the mask did not settle, side_gap_mm = 27 exceeds 10"):
        check_settled("head", settings, replace(report, side_gap_mm=27.0), 1)


def test_wider_openings_reach_farther_down_the_chin(worn: dict[float, WornMask]) -> None:
    lower_edge = [worn[opening].mesh.vertices.reshape(63, 71, 3)[-1, 35, 1] for opening in OPENINGS]
    assert lower_edge[0] - 4 > lower_edge[1] > lower_edge[2] + 4


@pytest.mark.parametrize("opening", OPENINGS)
def test_the_mask_sits_where_masks_sit(worn: dict[float, WornMask], head: FaceScan, opening: float) -> None:
    surface = worn[opening].mesh.vertices.reshape(63, 71, 3)
    at_nose = surface[14, 35]
    assert np.hypot(at_nose[0], at_nose[1]) < 4
    for side, columns in (("left", slice(0, 35)), ("right", slice(36, 71))):
        edge = surface[0, columns]
        eye = head.points_mm((f"eye_{side}",))[0]
        under_eye = edge[np.argmin(abs(edge[:, 0] - eye[0]))]
        assert under_eye[1] < eye[1] - 3
    # Wire on the bridge: beside the ridge the top edge lies on the nose; over the ridge itself it makes a tent.
    triangles = head.mesh.triangles.astype(np.int64)
    gaps = igl.signed_distance(
        surface[0, [31, 35, 39]], head.mesh.vertices, triangles, igl.SIGNED_DISTANCE_TYPE_PSEUDONORMAL
    )[0]
    assert gaps[[0, 2]].max() < 3
    assert gaps[1] < 11
    assert surface[-1, 35, 1] < head.landmarks["mouth_left"][1]


def test_welded_layers_stay_on_each_other(worn: dict[float, WornMask]) -> None:
    grid, surface = fine_grid(PATTERN), worn[110.0].mesh.vertices.reshape(63, 71, 3)
    for fold, _ in PATTERN.fold_rows_mm:
        row = grid.row_of(fold)
        assert row is not None
        for steps in (1, 2, 3, 4):
            gap = np.linalg.norm(surface[row - steps] - surface[row + steps], axis=1)
            assert gap[[0, 1, 2, -3, -2, -1]].max() < 1.0


def test_sheet_coordinates_are_the_flat_grid(worn: dict[float, WornMask]) -> None:
    for mask in worn.values():
        np.testing.assert_array_equal(mask.sheet_mm, fine_grid(PATTERN).sheet_mm)
        assert set(np.unique(mask.layer)) == set(range(7))


def test_the_same_input_gives_the_same_bits(worn: dict[float, WornMask], head: FaceScan) -> None:
    again = drape_mask(head, PATTERN, DrapeSettings(opening_mm=110.0))
    assert np.array_equal(again.mesh.vertices, worn[110.0].mesh.vertices)


def test_a_symmetric_head_gets_a_symmetric_mask() -> None:
    worn = drape_mask(analytic_face(), PATTERN, DrapeSettings(opening_mm=115.0))
    vertices = worn.mesh.vertices.reshape(63, 71, 3)
    mirrored = vertices[:, ::-1] * [-1, 1, 1]
    assert np.linalg.norm(vertices - mirrored, axis=2).max() <= 1.0
    assert worn.report.strain_max <= 0.05


def test_a_flat_mask_without_pleats_drapes_too(head: FaceScan) -> None:
    flat = MaskPattern(height_mm=95.0, pleat_rows_mm=())
    report = drape_mask(head, flat, DrapeSettings(opening_mm=95.0)).report
    assert report.strain_rms <= 0.005
    assert report.penetration_mm <= 0.1


def test_save_and_load(worn: dict[float, WornMask], tmp_path: Path) -> None:
    save_worn(worn[110.0], tmp_path / "worn.npz")
    again = load_worn(tmp_path / "worn.npz")
    np.testing.assert_array_equal(again.mesh.vertices, worn[110.0].mesh.vertices)
    np.testing.assert_array_equal(again.layer, worn[110.0].layer)
    assert again.report == worn[110.0].report
    (tmp_path / "torn.npz").write_bytes((tmp_path / "worn.npz").read_bytes()[:4000])
    with pytest.raises(InputError, match=r"torn\.npz"):
        load_worn(tmp_path / "torn.npz")


def test_a_head_too_small_is_refused_before_any_work() -> None:
    with pytest.raises(DrapeError, match=r"analytic head: the ears are 58 mm apart, too near for a mask 175 mm wide"):
        drape_mask(analytic_face(scale=0.4), PATTERN)


def test_a_drape_beyond_a_limit_names_the_figure() -> None:
    quick = tuple(replace(stage, steps=10) for stage in DrapeSettings().stages)
    settings = DrapeSettings(stages=quick, limits=DrapeLimits(strain_rms=1e-6))
    with pytest.raises(DrapeError, match=r"did not settle, strain_rms = .* exceeds 1e-06"):
        drape_mask(analytic_face(), PATTERN, settings)


def test_stages_must_end_on_the_fine_grid() -> None:
    coarse_only = DrapeSettings(stages=DrapeSettings().stages[:2])
    with pytest.raises(ConfigError, match="last stage must be on the fine grid"):
        drape_mask(analytic_face(), PATTERN, coarse_only)
