"""Every visibility back end against one contract, and the conversions to and from PyTorch3D."""

from __future__ import annotations

import builtins

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812 - the field's name
from render_scenes import camera, checks, egg_mesh, masked_scene, random_camera, random_mesh

from maskdesign.errors import InputError
from maskdesign.evaluation.grid import EvaluationSettings, evaluation_views
from maskdesign.render.backends import BACKENDS, Rasterize, find_backend
from maskdesign.render.camera import PinholeCamera, project_points
from maskdesign.render.embreex_rays import EmbreexScene
from maskdesign.render.pytorch3d_peer import (
    cameras_from_peer,
    fragments_from_peer,
    mesh_from_peer,
    peer_cameras,
    peer_mesh,
)
from maskdesign.render.reference import render_views_reference, sample_bilinear
from maskdesign.render.renderer import RenderSettings, render_views
from maskdesign.render.zbuffer import rasterize

TRIANGLE = np.array([[-60, -60, 0], [60, -60, 0], [0, 60, 0]], np.float32), np.array([[0, 1, 2]], np.int32)
ODD = PinholeCamera(np.diag([1.0, -1, -1]), np.array([3.0, -5, 700]), np.diag([310.0, 290, 1]), 64, 48)
OFF_CENTER = PinholeCamera(ODD.R, ODD.T, np.array([[310.0, 0, 29], [0, 290, 27], [0, 0, 1]]), 64, 48)


@pytest.fixture(params=BACKENDS)
def backend(request) -> Rasterize:
    rasterize_by = find_backend(request.param)
    try:
        rasterize_by(*TRIANGLE, [camera(side_px=4)])
    except InputError as error:
        pytest.skip(str(error))
    return rasterize_by


def test_the_contract_of_fragments(backend):
    vertices, triangles = random_mesh(np.random.default_rng(3))
    found = backend(vertices, triangles, [camera(10, 5, side_px=40), camera(-150, side_px=40)])
    faces, weights, depth = found.pix_to_face, found.bary_coords, found.zbuf
    assert faces.dtype == np.int32 and faces.shape == (2, 40, 40)
    assert weights.dtype == np.float32 and weights.shape == (2, 40, 40, 3)
    assert depth.dtype == np.float32 and depth.shape == (2, 40, 40)
    hit = faces >= 0
    assert 0.1 < hit.mean() < 0.9 and faces.max() < len(triangles)
    assert (weights[~hit] == -1).all() and (depth[~hit] == -1).all() and (faces[~hit] == -1).all()
    np.testing.assert_allclose(weights[hit].sum(axis=-1), 1, atol=1e-5)


def test_back_ends_see_what_the_z_buffer_sees(backend):
    rng, differing = np.random.default_rng(11), []
    for _ in range(12):
        vertices, triangles = random_mesh(rng)
        cameras = [random_camera(rng, 72) for _ in range(2)]
        ours, theirs = rasterize(vertices, triangles, cameras), backend(vertices, triangles, cameras)
        same = ours.pix_to_face == theirs.pix_to_face
        differing.append(np.mean(~same))
        np.testing.assert_allclose(theirs.bary_coords[same], ours.bary_coords[same], atol=1e-2)
        np.testing.assert_allclose(theirs.zbuf[same], ours.zbuf[same], rtol=1e-4)
    assert np.mean(differing) <= 1e-3


def test_images_that_are_not_square_and_not_centered(backend):
    mesh = egg_mesh(30)
    ours = rasterize(mesh.vertices.astype(np.float32), mesh.triangles, [OFF_CENTER])
    theirs = backend(mesh.vertices.astype(np.float32), mesh.triangles, [OFF_CENTER])
    assert (ours.pix_to_face >= 0).mean() > 0.1
    assert np.mean(ours.pix_to_face != theirs.pix_to_face) <= 1e-3


def test_depth_and_weights_of_one_triangle_have_the_closed_form(backend):
    cam = camera(side_px=64, distance_mm=700)
    found = backend(*TRIANGLE, [cam])
    rows, columns = np.nonzero(found.pix_to_face[0] >= 0)
    np.testing.assert_allclose(found.zbuf[0, rows, columns], 660, rtol=1e-5)
    points = found.bary_coords[0, rows, columns].astype(float) @ TRIANGLE[0]
    np.testing.assert_allclose(project_points(cam, points)[:, :2], np.stack([columns, rows], 1) + 0.5, atol=2e-3)
    # The triangle covers half of a square of 120 mm.
    area_px = 0.5 * (120 * cam.K[0, 0] / 660) ** 2
    assert len(rows) == pytest.approx(area_px, rel=0.05)


def test_both_sides_are_visible(backend):
    assert (backend(*TRIANGLE, [camera(180)]).pix_to_face == 0).any()


def test_unknown_back_ends_are_refused():
    with pytest.raises(InputError, match="no rasterizer 'opengl'; choose one of zbuffer, open3d, embreex, pytorch3d"):
        find_backend("opengl")


@pytest.mark.parametrize(
    ("name", "package", "remedy"),
    [
        ("open3d", "open3d", r"pip install 'maskdesign\[oracle\]'"),
        ("embreex", "embreex", r"pip install 'maskdesign\[oracle\]'"),
        ("pytorch3d", "pytorch3d", "conda install -c pytorch3d pytorch3d"),
    ],
)
def test_a_missing_back_end_says_how_to_get_it(name, package, remedy, monkeypatch):
    real = builtins.__import__

    def without(wanted, *rest, **more):
        if wanted.split(".")[0] == package:
            raise ImportError(f"No module named {package!r}")
        return real(wanted, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(InputError, match=remedy):
        find_backend(name)(*TRIANGLE, [camera(side_px=4)])


def test_occlusion_rays_know_the_shadow_of_an_egg():
    try:
        egg = EmbreexScene(egg_mesh(60).vertices.astype(np.float32), egg_mesh(60).triangles)
    except InputError as error:
        pytest.skip(str(error))
    # The egg is centered at (0, 0, -90) with half axes 75, 110 and 90.
    origins = np.array([[0, 0, -300], [0, 0, 50], [80, 0, -300], [0, 105, -300], [0, 115, -300], [0, 0, -90.0]])
    assert egg.are_occluded(origins, np.tile([0, 0, 2.0], (6, 1))).tolist() == [True, False, False, True, False, True]


@pytest.mark.parametrize("cam", [camera(30, -10, 5), ODD, OFF_CENTER])
def test_peer_cameras_put_points_where_ours_do(cam):
    points = np.random.default_rng(0).uniform(-60, 60, (20, 3))
    peer = peer_cameras([cam])
    # PyTorch3D's transform of row vectors to its view frame, then to its normalized coordinates, then to pixels.
    seen = torch.from_numpy(points) @ peer.R[0] + peer.T[0]
    ndc = peer.focal_length[0] * seen[:, :2] / seen[:, 2:] + peer.principal_point[0]
    height, width = peer.image_size[0].tolist()
    pixels = torch.tensor([width, height]) / 2 - ndc * min(height, width) / 2
    expected = project_points(cam, points)
    np.testing.assert_allclose(pixels, expected[:, :2], atol=1e-9)
    np.testing.assert_allclose(seen[:, 2], expected[:, 2], atol=1e-9)


def test_cameras_come_back_from_the_peer():
    cameras = [ODD, OFF_CENTER]
    for ours, back in zip(cameras, cameras_from_peer(peer_cameras(cameras)), strict=True):
        for name in ("R", "T", "K"):
            np.testing.assert_allclose(getattr(back, name), getattr(ours, name), atol=1e-9)
        assert (back.width_px, back.height_px) == (ours.width_px, ours.height_px)


def test_meshes_and_textures_come_back_from_the_peer():
    scene, texture = masked_scene(20), checks()
    peer = peer_mesh(scene.vertices_mm, scene.triangles, scene.corner_uv, texture)
    vertices, triangles, uv, image = mesh_from_peer(peer)
    assert np.array_equal(vertices, scene.vertices_mm) and np.array_equal(triangles, scene.triangles)
    torch.testing.assert_close(uv, scene.corner_uv)
    assert torch.equal(image, texture)


def test_the_peers_texture_sampling_reads_the_same_colors():
    scene, texture = masked_scene(20), checks()
    peer = peer_mesh(scene.vertices_mm, scene.triangles, scene.corner_uv, texture)
    uv = peer.verts_uvs[peer.faces_uvs]
    # TexturesUV.sample_textures turns the map upside down and samples it at 2 uv - 1.
    maps = torch.flip(peer.maps.permute(0, 3, 1, 2), [2])
    theirs = F.grid_sample(maps, 2 * uv[None] - 1, align_corners=False, padding_mode="border")[0]
    torch.testing.assert_close(
        theirs.permute(1, 2, 0), sample_bilinear(texture, scene.corner_uv[None])[0], atol=1e-5, rtol=0
    )


def test_fragments_of_a_batch_come_back_from_the_peer():
    ours = rasterize(*TRIANGLE, [camera(0, side_px=24), camera(20, side_px=24)])
    offsets = np.array([0, 1])[:, None, None]
    packed = np.where(ours.pix_to_face < 0, -1, ours.pix_to_face + offsets)
    back = fragments_from_peer(
        *(torch.from_numpy(array)[:, :, :, None] for array in (packed, ours.bary_coords, ours.zbuf)), triangles=1
    )
    for name in ("pix_to_face", "bary_coords", "zbuf"):
        assert np.array_equal(getattr(back, name), getattr(ours, name))


def test_an_independent_renderer_and_back_end_take_the_same_picture():
    scene, texture = masked_scene(), torch.rand(3, 62, 70, generator=torch.Generator().manual_seed(0))
    views = evaluation_views(EvaluationSettings(yaw_deg=(-40.0,), pitch_deg=(10.0,), image_px=96, px_per_mm=0.38))
    ours = render_views((scene,), views, texture, RenderSettings())
    theirs = render_views_reference((scene,), views, texture, RenderSettings(), "embreex")
    assert (ours - theirs).abs().mean() < 1e-3
    with pytest.raises(InputError, match="no rasterizer"):
        render_views_reference((scene,), views, texture, RenderSettings(), "opengl")
    with pytest.raises(InputError, match="shadows"):
        render_views_reference((scene,), views, texture, RenderSettings(shadow_map_px=64), "embreex")
