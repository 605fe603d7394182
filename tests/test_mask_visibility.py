from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from maskdesign.errors import InputError
from maskdesign.geometry.mesh import TriangleMesh, triangle_normals
from maskdesign.geometry.refine import locate
from maskdesign.mask.cells import apply_cells, board_corners_mm, cell_quads, worn_points_mm
from maskdesign.mask.cut import cut_worn
from maskdesign.mask.drape import shut_positions_mm
from maskdesign.mask.pattern import MaskPattern
from maskdesign.mask.sheet import fine_grid
from maskdesign.mask.worn import DrapeReport, WornMask
from maskdesign.render.camera import PinholeCamera, orbit_camera, project_points
from maskdesign.render.scene import Scene, build_scene
from maskdesign.render.sheet_visibility import hidden_heights_mm, see_cells, see_sheet, texel_centers_mm
from tests.render_scenes import curved_mask, egg_face

PATTERN = MaskPattern()
YAWS_DEG = (0, 30, -30, 60)


def camera(yaw_deg: float, pitch_deg: float = 0.0, side_px: int = 160, distance_mm: float = 800.0) -> PinholeCamera:
    return orbit_camera(yaw_deg, pitch_deg, 0, distance_mm, distance_mm * side_px / 360, side_px, side_px)


def shut_mask(gap_mm: float, fan_mm: float = 0.0) -> WornMask:
    """The shut sheet before the face; `fan_mm` opens the pleats towards the middle."""
    grid = fine_grid(PATTERN)
    shut = shut_positions_mm(grid, gap_mm)
    inward = 1 - abs(grid.sheet_mm[:, 0] / PATTERN.width_mm * 2 - 1)
    for row in PATTERN.pleat_rows_mm:
        opened = np.clip((grid.sheet_mm[:, 1] - row) / PATTERN.pleat_depth_mm, 0, 2) * fan_mm * inward
        shut[:, 1] -= opened
    mesh = TriangleMesh(shut + np.array([0, 0, 60.0]), grid.triangles)
    return WornMask(mesh, grid.sheet_mm, grid.layer, DrapeReport(0, 0, 0, 1, 0, 95, 0, 0, 0))


def scene_of(worn: WornMask) -> Scene:
    return build_scene(egg_face(), worn, PATTERN)


def seen_by_rays(scene: Scene, worn: WornMask, camera: PinholeCamera, texel_mm: float) -> np.ndarray:
    """The oracle: a ray from the camera to each texel, by Embree; the texel is seen if nothing stands before it."""
    o3d = pytest.importorskip("maskdesign.render.embree")._open3d()
    embree = o3d.t.geometry.RaycastingScene(nthreads=1)
    embree.add_triangles(o3d.core.Tensor(scene.vertices_mm), o3d.core.Tensor(scene.triangles.astype(np.uint32)))
    sheet_mm = texel_centers_mm(PATTERN, texel_mm)
    points = worn_points_mm(worn, sheet_mm).reshape(-1, 3)
    triangle = locate(worn.sheet_mm, worn.mesh.triangles, sheet_mm.reshape(-1, 2))[0]
    eye = -camera.R.T @ camera.T
    ways = points - eye
    printed = (triangle_normals(worn.mesh.vertices, worn.mesh.triangles)[triangle] * ways).sum(1) < 0
    rays = np.hstack([np.broadcast_to(eye, ways.shape), ways]).astype(np.float32)
    reached = embree.cast_rays(o3d.core.Tensor(rays), nthreads=1)["t_hit"].numpy()
    first = (1 - reached) * np.linalg.norm(ways, axis=1) < 0.05
    return (printed & first).reshape(sheet_mm.shape[:2])


def test_shut_pleats_hide_exactly_their_share_from_the_front():
    worn = shut_mask(0.31)
    far = camera(0, distance_mm=50_000.0)
    visibility = see_sheet(scene_of(worn), worn, PATTERN, [far], 0.5)
    assert visibility.shares[0] == pytest.approx(1 - PATTERN.hidden_share, abs=1e-9)
    hidden = hidden_heights_mm(visibility, PATTERN)
    np.testing.assert_allclose(hidden, 2 * PATTERN.pleat_depth_mm)
    v = texel_centers_mm(PATTERN, 0.5)[:, 0, 1]
    for row in PATTERN.pleat_rows_mm:
        assert not visibility.ever[(v > row) & (v < row + 20)].any()
        assert visibility.ever[(v < row) & (v > row - 12)].all()


def test_shares_are_those_of_the_cloth_inside_an_outline():
    angle = np.radians(np.arange(0, 360, 5))
    corner = np.sign(np.stack([np.cos(angle + 1e-9), np.sin(angle + 1e-9)], axis=1)) * [57.5, 47.5]
    ring = corner + 30 * np.stack([np.cos(angle), np.sin(angle)], axis=1) + [87.5, 77.5]
    pattern = dataclasses.replace(PATTERN, pleat_rows_mm=(), outline_mm=tuple(map(tuple, ring.round(6).tolist())))
    grid = fine_grid(pattern)
    u, v = grid.sheet_mm.T
    flat = TriangleMesh(np.stack([u - 87.5, 40 - v, np.full(len(u), 60.0)], axis=1), grid.triangles)
    worn = cut_worn(WornMask(flat, grid.sheet_mm, grid.layer, DrapeReport(0, 0, 0, 1, 0, 155, 0, 0, 0)), pattern)
    seen = see_sheet(build_scene(egg_face(), worn, pattern), worn, pattern, [camera(0), camera(40)], 1.0)
    assert seen.on_sheet.mean() == pytest.approx(1 - (4 - np.pi) * 30**2 / (175 * 155), abs=2e-3)
    assert seen.shares[0] > 0.995
    assert seen.ever_share >= seen.shares.max()
    assert not seen.seen[:, ~seen.on_sheet].any()


@pytest.mark.parametrize("worn", [shut_mask(0.31), shut_mask(4.0), shut_mask(0.5, 1.5), curved_mask()])
def test_visibility_is_that_of_rays_to_each_texel(worn):
    scene = scene_of(worn)
    cameras = [camera(yaw, pitch) for yaw, pitch in ((0, 0), (30, 10), (-50, 0), (0, -25))]
    visibility = see_sheet(scene, worn, PATTERN, cameras, 0.9)
    for seen, view in zip(visibility.seen, cameras, strict=True):
        exact = seen_by_rays(scene, worn, view, 0.9)
        assert (seen == exact).mean() > 0.985
        assert seen.mean() == pytest.approx(exact.mean(), abs=0.015)


def test_the_pictures_resolution_plays_no_part():
    worn = curved_mask()
    scene = scene_of(worn)
    small, large = (see_sheet(scene, worn, PATTERN, [camera(20, 5, side)], 1.0) for side in (60, 480))
    assert (small.seen == large.seen).mean() > 0.99


def test_more_views_hide_less_and_mirrored_views_see_mirrored_halves():
    worn = shut_mask(4.0)
    visibility = see_sheet(scene_of(worn), worn, PATTERN, [camera(yaw) for yaw in YAWS_DEG], 1.0)
    assert visibility.ever.mean() >= visibility.shares.max()
    assert (visibility.seen[1] == visibility.seen[2][:, ::-1]).mean() > 0.98


def test_hidden_strips_end_in_triangles_at_the_welds_where_pleats_fan_out():
    worn = shut_mask(0.5, fan_mm=9.0)
    visibility = see_sheet(scene_of(worn), worn, PATTERN, [camera(0, distance_mm=5000.0)], 1.0)
    hidden = hidden_heights_mm(visibility, PATTERN)
    assert hidden.shape == (3, 175)
    at_weld, middle = hidden[:, :5].mean(1), hidden[:, 85:90].mean(1)
    assert (at_weld > 18).all()
    assert (middle < at_weld - 8).all()


def test_a_camera_behind_the_head_sees_nothing():
    worn = curved_mask()
    visibility = see_sheet(scene_of(worn), worn, PATTERN, [camera(180)], 2.0)
    assert visibility.shares[0] == 0


def test_the_map_covers_the_sheet():
    centers = texel_centers_mm(PATTERN, 2.0)
    assert centers.shape == (77, 87, 2)
    assert centers[0, 0].tolist() == [1.0, 1.0]
    assert (centers[-1, -1] <= [175, 155]).all()


@pytest.mark.parametrize(("cameras", "texel_mm"), [([], 1.0), ([camera(0)], 0.0), ([camera(0)], 500.0)])
def test_visibility_needs_cameras_and_a_sensible_texel(cameras, texel_mm):
    worn = curved_mask()
    with pytest.raises(InputError, match="needs a camera and a texel smaller than the sheet"):
        see_sheet(scene_of(worn), worn, PATTERN, cameras, texel_mm)


def test_too_fine_a_map_is_refused():
    worn = curved_mask()
    with pytest.raises(InputError, match="take a larger one"):
        see_sheet(scene_of(worn), worn, PATTERN, [camera(0)], 0.01)


def test_seen_cells_map_their_picture_to_the_sheet():
    worn = shut_mask(0.31)
    view = camera(15, 5)
    seen = see_sheet(scene_of(worn), worn, PATTERN, [view], 1.0).seen[0]
    cells = see_cells(worn, PATTERN, view, seen)
    quads = cell_quads(board_corners_mm(PATTERN))
    known = np.isfinite(cells.residual)
    pixels = project_points(view, worn_points_mm(worn, quads).reshape(-1, 3))[:, :2].reshape(quads.shape)
    # Cells between two folds lie in a plane: what is left is perspective.
    flat = known & ~_crosses_a_fold(quads)
    assert flat.sum() >= 33
    assert cells.residual[flat].max() < 0.15
    mapped = apply_cells(cells.matrices[flat], pixels[flat])
    assert abs(mapped - quads[flat]).max() < 0.3
    # Those that a fold crosses are squeezed or turned over, which their determinant says.
    determinant = np.linalg.det(cells.matrices[known][..., :2])
    squeezed = _crosses_a_fold(quads)[known]
    assert squeezed.any()
    assert abs(determinant[squeezed]).min() > 1.5 * abs(determinant[~squeezed]).max()

    assert known.mean() == pytest.approx(seen.mean(), abs=0.2)


def _crosses_a_fold(quads: np.ndarray) -> np.ndarray:
    top, bottom = quads[..., 0, 1], quads[..., 2, 1]
    return np.any([(top < v) & (v < bottom) for v, _ in PATTERN.fold_rows_mm], axis=0)


def test_visibility_needs_no_face_at_all():
    worn = curved_mask()
    face = egg_face()
    away = dataclasses.replace(
        face, mesh=TriangleMesh(face.mesh.vertices - [0, 0, 500], face.mesh.triangles, face.mesh.uv)
    )
    alone = see_sheet(build_scene(away, worn, PATTERN), worn, PATTERN, [camera(0)], 1.0)
    assert alone.shares[0] >= see_sheet(scene_of(worn), worn, PATTERN, [camera(0)], 1.0).shares[0]
