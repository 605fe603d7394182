"""The z-buffer against closed forms, invariants and Embree."""

from __future__ import annotations

import builtins

import numpy as np
import pytest
import torch
from render_scenes import camera, egg_mesh, embree_mismatch, masked_scene, sheet_scene, square_corners

from maskdesign.errors import InputError, MeshError
from maskdesign.geometry.mesh import triangle_normals
from maskdesign.render.camera import project_points
from maskdesign.render.clusters import cluster_triangles
from maskdesign.render.embree import EmbreeScene
from maskdesign.render.scene import FACE
from maskdesign.render.zbuffer import rasterize, rasterize_view


@pytest.fixture(scope="module")
def embree() -> type[EmbreeScene]:
    try:
        EmbreeScene(np.zeros((3, 3), np.float32), np.zeros((1, 3), np.int32))
    except InputError as error:
        pytest.skip(str(error))
    return EmbreeScene


def test_fragments_equal_embree_on_random_scenes(embree):
    assert embree_mismatch(scenes=40) <= 1e-3


def test_a_camera_inside_the_mesh_sees_what_embree_sees(embree):
    mesh = egg_mesh(40)
    cameras = [camera(25, 10, 0, distance_mm=d) for d in (1.0, 15.0, 30.0)]
    ours = rasterize(mesh.vertices.astype(np.float32), mesh.triangles, cameras)
    oracle = embree(mesh.vertices, mesh.triangles).rasterize(cameras)
    assert (ours.pix_to_face >= 0).all()
    assert np.mean(ours.pix_to_face != oracle.pix_to_face) <= 1e-3


def test_a_plane_through_the_camera_fills_half_the_picture():
    floor = np.array([[-9e4, -50, 9e4], [9e4, -50, 9e4], [9e4, -50, -9e4], [-9e4, -50, -9e4]], np.float32)
    cam = camera(distance_mm=700)
    found = rasterize(floor, np.array([[0, 1, 2], [0, 2, 3]], np.int32), [cam])
    horizon = cam.height_px // 2
    # Just below the horizon the floor has ended: 50 mm of height over 9e4 mm of depth.
    assert (found.pix_to_face[0, :horizon] == -1).all() and (found.pix_to_face[0, horizon + 1 :] >= 0).all()
    rows = np.arange(horizon + 1, cam.height_px) + 0.5
    expected = 50 * cam.K[1, 1] / (rows - cam.K[1, 2])
    np.testing.assert_allclose(found.zbuf[0, horizon + 1 :, 40], expected, rtol=1e-5)


def test_faces_behind_the_camera_are_not_seen():
    mesh = egg_mesh(20)
    found = rasterize(
        (mesh.vertices + np.array([0, 0, 2000])).astype(np.float32), mesh.triangles, [camera(distance_mm=700)]
    )
    assert (found.pix_to_face == -1).all()
    assert (found.bary_coords == -1).all() and (found.zbuf == -1).all()


def test_interpolated_vertices_lie_behind_the_pixel_centers():
    mesh, cam = egg_mesh(30, bumps_mm=8), camera(35, -10, 5, distance_mm=400)
    found = rasterize(mesh.vertices.astype(np.float32), mesh.triangles, [cam])
    rows, columns = np.nonzero(found.pix_to_face[0] >= 0)
    weights, faces = found.bary_coords[0, rows, columns], found.pix_to_face[0, rows, columns]
    points = np.einsum("nc,ncd->nd", weights, mesh.vertices[mesh.triangles[faces]])
    projected = project_points(cam, points)
    np.testing.assert_allclose(projected[:, 0], columns + 0.5, atol=2e-3)
    np.testing.assert_allclose(projected[:, 1], rows + 0.5, atol=2e-3)
    np.testing.assert_allclose(projected[:, 2], found.zbuf[0, rows, columns], rtol=1e-5)


def test_barycentric_coordinates_are_a_partition_of_unity():
    scene = masked_scene()
    found = rasterize(scene.vertices_mm, scene.triangles, [camera(30), camera(-50, 15)])
    weights = found.bary_coords[found.pix_to_face >= 0]
    assert weights.min() >= 0
    np.testing.assert_allclose(weights.sum(axis=1), 1, atol=3e-7)


def test_depth_of_a_tilted_plane_has_the_closed_form():
    scene = sheet_scene(square_corners(400) @ np.array([[1, 0, 0.3], [0, 1, -0.2], [0, 0, 1]]))
    cam = camera(distance_mm=660, side_px=64)
    found = rasterize(scene.vertices_mm, scene.triangles, [cam])
    columns, rows = np.meshgrid(np.arange(64) + 0.5, np.arange(64) + 0.5)
    x, y = (columns - 32) / cam.K[0, 0], -(rows - 32) / cam.K[1, 1]
    # z = 0.3 X - 0.2 Y with X = x depth, Y = y depth, and depth = 620 - z (the head turns about z = -40).
    np.testing.assert_allclose(found.zbuf[0], 620 / (1 + 0.3 * x - 0.2 * y), rtol=1e-5)


def test_a_closed_convex_surface_has_no_cracks():
    mesh = egg_mesh(120)
    for cam in (camera(0, 0, 0, side_px=300), camera(17, 9, 4, side_px=301)):
        hit = rasterize(mesh.vertices.astype(np.float32), mesh.triangles, [cam]).pix_to_face[0] >= 0
        for row in hit[hit.any(axis=1)]:
            columns = np.nonzero(row)[0]
            assert len(columns) == columns[-1] - columns[0] + 1


def test_degenerate_triangles_and_an_empty_mesh_show_nothing():
    points = np.array([[0, 0, 0], [50, 0, 0], [100, 0, 0]], np.float32)
    for triangles in ([[0, 1, 2], [0, 0, 1]], np.zeros((0, 3))):
        assert (rasterize(points, np.array(triangles, np.int32), [camera()]).pix_to_face == -1).all()


def test_of_two_equal_triangles_the_first_is_seen():
    scene = sheet_scene(square_corners(80), divisions=1)
    triangles = np.concatenate([scene.triangles, scene.triangles])
    found = rasterize(scene.vertices_mm, triangles, [camera()])
    assert set(np.unique(found.pix_to_face)) == {-1, 0, 1}


def test_the_order_of_triangles_changes_nothing_but_their_numbers():
    scene = masked_scene()
    order = np.random.default_rng(3).permutation(len(scene.triangles))
    first = rasterize(scene.vertices_mm, scene.triangles, [camera(20, 10)])
    second = rasterize(scene.vertices_mm, scene.triangles[order], [camera(20, 10)])
    renamed = np.where(second.pix_to_face < 0, -1, order[second.pix_to_face])
    # Samples on a shared edge may name either neighbor.
    assert np.mean(renamed != first.pix_to_face) <= 1e-3
    np.testing.assert_allclose(second.zbuf, first.zbuf, rtol=1e-6)


@pytest.mark.parametrize("threads", [1, 2])
def test_bits_do_not_depend_on_threads_or_company(threads):
    scene, cameras = masked_scene(), [camera(yaw) for yaw in (-40, 0, 40)]
    alone = [rasterize(scene.vertices_mm, scene.triangles, [cam]) for cam in cameras]
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        together = rasterize(scene.vertices_mm, scene.triangles, cameras)
    finally:
        torch.set_num_threads(before)
    for number, single in enumerate(alone):
        assert np.array_equal(together.pix_to_face[number], single.pix_to_face[0])
        assert np.array_equal(together.bary_coords[number], single.bary_coords[0])
        assert np.array_equal(together.zbuf[number], single.zbuf[0])


def brute_force(clusters, cam):
    """Nearest depth by testing every triangle at every pixel, without boxes, clusters or early ways out."""
    projection = cam.K @ np.column_stack([cam.R, cam.T])
    run = np.repeat(np.arange(len(clusters.solid)), np.diff(clusters.first_triangle))
    corners = clusters.vertices_mm.T[clusters.corners + clusters.first_vertex[run][:, None]].astype(np.float64)
    h = corners @ projection[:, :3].T + projection[:, 3]
    edges = np.stack([np.cross(h[:, a], h[:, b]) for a, b in ((1, 2), (2, 0), (0, 1))], axis=1)
    scale = np.einsum("td,td->t", h[:, 0], edges[:, 0])
    x, y = np.meshgrid(np.arange(cam.width_px) + 0.5, np.arange(cam.height_px) + 0.5)
    centers = np.stack([x, y, np.ones_like(x)], -1)
    with np.errstate(divide="ignore", invalid="ignore"):
        weights = np.einsum("tkd,hwd->thwk", edges / scale[:, None, None], centers)
    inverse = np.where((weights >= 0).all(-1), weights.sum(-1), 0)
    return inverse.max(axis=0), inverse.argmax(axis=0), scale > 0


@pytest.mark.parametrize("pose", [(0, 0, 700), (60, -20, 400), (10, 5, 60), (180, 0, 300)])
def test_skipping_clusters_loses_nothing(pose):
    scene, cam = masked_scene(24), camera(*pose[:2], distance_mm=pose[2], side_px=24)
    clusters = cluster_triangles(scene.vertices_mm, scene.triangles[:2000])
    faces, _, depth, behind = rasterize_view(clusters, cam)
    inverse, nearest, turned = brute_force(clusters, cam)
    assert np.array_equal(faces >= 0, inverse > 0)
    hit = faces >= 0
    np.testing.assert_allclose(1 / depth[hit], inverse[hit], rtol=1e-6)
    same = faces == nearest
    assert same[hit].mean() > 0.98 and np.array_equal(behind[hit & same], turned[nearest[hit & same]])


def test_clusters_hold_the_mesh_and_bound_it():
    scene = masked_scene(40)
    clusters = scene.clusters
    run = np.repeat(np.arange(len(clusters.solid)), np.diff(clusters.first_triangle))
    corners = clusters.vertices_mm.T[clusters.corners + clusters.first_vertex[run][:, None]]
    assert np.array_equal(corners, scene.vertices_mm[scene.triangles])
    centers, radii = clusters.spheres_mm[run, None, :3], clusters.spheres_mm[run, None, 3]
    assert (np.linalg.norm(corners - centers, axis=-1) <= radii + 1e-4).all()
    assert np.array_equal(clusters.solid[run], scene.material.numpy() == FACE)
    normals = triangle_normals(scene.vertices_mm.astype(float), scene.triangles)
    lengths = np.linalg.norm(normals, axis=1)
    cosines = np.einsum("td,td->t", normals, clusters.cones[run, :3]) / np.maximum(lengths, 1e-12)
    cone = clusters.cones[run, 3]
    assert (cosines >= np.sqrt(1 - np.minimum(cone, 1) ** 2) - 1e-6)[(cone <= 1) & (lengths > 0)].all()
    assert np.diff(clusters.first_triangle).max() <= 64 and (cone <= 1).mean() > 0.3


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_vertices_that_are_not_finite_and_triangles_of_none_are_refused(bad):
    points, triangles = np.array([[0, 0, 0], [50, 0, 0], [0, 90, bad]], np.float32), np.array([[0, 1, 2]], np.int32)
    with pytest.raises(MeshError, match=r"vertices_mm\[2\] = \[.*\] is not finite"):
        rasterize(points, triangles, [camera()])
    with pytest.raises(MeshError, match="triangles name the vertices 1 to 3, but there are 3"):
        rasterize(np.zeros((3, 3), np.float32), triangles + np.int32(1), [camera()])


def test_a_missing_open3d_says_how_to_get_it(monkeypatch):
    real = builtins.__import__

    def without_open3d(name, *rest, **more):
        if name == "open3d":
            raise ImportError("libusb-1.0.so.0: cannot open shared object file")
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without_open3d)
    with pytest.raises(InputError, match=r"libusb-1\.0\.so\.0.*pip install 'maskdesign\[oracle\]'.*apt-get install"):
        EmbreeScene(np.zeros((3, 3), np.float32), np.zeros((1, 3), np.int32))
