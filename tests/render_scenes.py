"""Analytic heads and masks, nothing loaded and everything known, and figures that tests and benchmarks share."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray

from maskdesign.faces.scan import LANDMARKS, FaceScan
from maskdesign.geometry.mesh import TriangleMesh
from maskdesign.mask.pattern import MaskPattern
from maskdesign.mask.sheet import fine_grid
from maskdesign.mask.worn import DrapeReport, WornMask
from maskdesign.render.camera import PinholeCamera, orbit_camera
from maskdesign.render.distribution import ViewRanges, sample_views
from maskdesign.render.embree import EmbreeScene
from maskdesign.render.light import Light, PointLight, spherical_harmonics
from maskdesign.render.renderer import RenderSettings, render_linear
from maskdesign.render.scene import MASK, Scene, build_scene
from maskdesign.render.sensor import CameraResponse
from maskdesign.render.vertex_gradient import render_vertices
from maskdesign.render.view import View
from maskdesign.render.zbuffer import rasterize

PATTERN = MaskPattern()
NEUTRAL = CameraResponse(blur_sigma_px=0.0, noise_std=0.0, gain=1.0, white_balance=(1.0, 1.0, 1.0), gamma=1.0)
WINDOW = Light((0.4, 0.4, 0.4), (0.6, 0.55, 0.5), (0.6, 0.5, 0.7))
AMBIENT_ONE = Light((1.0, 1.0, 1.0), (0.0, 0.0, 0.0), (0.0, 0.0, 1.0))


def grid_triangles(rows: int, columns: int) -> NDArray[np.int32]:
    index = np.arange(rows * columns, dtype=np.int32).reshape(rows, columns)
    a, b, c, d = (part.ravel() for part in (index[:-1, :-1], index[1:, :-1], index[1:, 1:], index[:-1, 1:]))
    return np.concatenate([np.stack([a, b, c], 1), np.stack([a, c, d], 1)])


def egg_mesh(side: int, bumps_mm: float = 0.0) -> TriangleMesh:
    """A closed head-sized egg of 2 (side - 1)^2 triangles, its front at the origin."""
    azimuth, polar = np.meshgrid(np.linspace(-np.pi, np.pi, side), np.linspace(0, np.pi, side))
    directions = np.stack([np.sin(polar) * np.sin(azimuth), np.cos(polar), np.sin(polar) * np.cos(azimuth)], -1)
    radii = np.array([75.0, 110.0, 90.0]) + bumps_mm * (np.sin(7 * azimuth) * np.sin(5 * polar))[..., None]
    # Rounded, so that the seam and the poles close exactly.
    vertices = np.round((directions * radii).reshape(-1, 3) - [0, 0, 90.0], 6) + 0.0
    uv = np.stack([(azimuth + np.pi) / (2 * np.pi), polar / np.pi], -1).reshape(-1, 2)
    return TriangleMesh(vertices, grid_triangles(side, side), uv)


def egg_face(side: int = 60, bumps_mm: float = 0.0) -> FaceScan:
    waves = np.sin(np.arange(128) / 6)
    texture = 150 + 40 * waves[:, None, None] * waves[None, :, None] * [1.0, 0.8, 0.6] + [30, 0, -20]
    landmarks = {name: np.zeros(3) for name in LANDMARKS}
    return FaceScan(egg_mesh(side, bumps_mm), texture.astype(np.uint8), landmarks, "egg")


def curved_mask() -> WornMask:
    """The sheet around a cylinder in front of the egg, rippled from top to bottom."""
    grid = fine_grid(PATTERN)
    u, v = grid.sheet_mm.T
    angle = (u - PATTERN.width_mm / 2) / 90
    x, y = 92 * np.sin(angle), -0.65 * (v - PATTERN.nose_v_mm)
    z = 95 * np.cos(angle) - 85 + 3 * np.sin(v / 6)
    mesh = TriangleMesh(np.stack([x, y, z], -1), grid.triangles)
    return WornMask(mesh, grid.sheet_mm, grid.layer, DrapeReport(0, 0, 0, 1, 0, 95, 0, 0, 0))


def masked_scene(side: int = 60) -> Scene:
    return build_scene(egg_face(side), curved_mask(), PATTERN)


def sheet_scene(corners_mm: NDArray[np.float64], divisions: int = 4) -> Scene:
    """A flat printed sheet between four corners: upper left, lower left, lower right, upper right."""
    s, t = np.meshgrid(np.linspace(0, 1, divisions + 1), np.linspace(0, 1, divisions + 1))
    s, t = s.reshape(-1, 1), t.reshape(-1, 1)
    a, b, c, d = np.asarray(corners_mm, float)
    vertices = (a * (1 - t) + b * t) * (1 - s) + (d * (1 - t) + c * t) * s
    triangles = grid_triangles(divisions + 1, divisions + 1)
    normal = np.cross(b - a, d - a)
    normals = np.broadcast_to(normal / np.linalg.norm(normal), (len(triangles), 3, 3))
    return Scene(
        vertices_mm=vertices.astype(np.float32),
        triangles=triangles,
        corner_normals=torch.from_numpy(normals.astype(np.float32)),
        corner_uv=torch.from_numpy(np.concatenate([s, t], 1)[triangles].astype(np.float32)),
        material=torch.full((len(triangles),), MASK, dtype=torch.uint8),
        face_texture=torch.zeros(3, 1, 1),
    )


def square_corners(half_mm: float) -> NDArray[np.float64]:
    """Corners for `sheet_scene` of a square in the plane z = 0 that shows its print to the camera."""
    return half_mm * np.array([[-1.0, 1, 0], [-1, -1, 0], [1, -1, 0], [1, 1, 0]])


def camera(
    yaw_deg: float = 0, pitch_deg: float = 0, roll_deg: float = 0, distance_mm: float = 700, side_px: int = 96
) -> PinholeCamera:
    focal_px = distance_mm * side_px / 260
    return orbit_camera(yaw_deg, pitch_deg, roll_deg, distance_mm, focal_px, side_px, side_px)


def view(camera: PinholeCamera, light: Light = WINDOW, response: CameraResponse = NEUTRAL, **changes) -> View:
    values = {"scene_index": 0, "background_rgb": (0.2, 0.3, 0.4), "noise_seed": 5} | changes
    return View(camera, light, response, **values)


def checks(height: int = 62, width: int = 70) -> torch.Tensor:
    rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    dark = ((rows // 8 + columns // 8) % 2).float()
    return torch.stack([0.85 - 0.6 * dark, 0.8 - 0.3 * dark, 0.75 - 0.1 * dark])


def random_camera(rng: np.random.Generator, side_px: int) -> PinholeCamera:
    return camera(*rng.uniform(-1, 1, 3) * [70, 30, 20], distance_mm=rng.uniform(300, 1500), side_px=side_px)


def random_mesh(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """A bumpy egg pierced by a sheet."""
    egg = egg_mesh(int(rng.integers(20, 90)), bumps_mm=rng.uniform(0, 15))
    sheet = sheet_scene(rng.normal(0, 90, (4, 3)), divisions=int(rng.integers(1, 12)))
    vertices = np.concatenate([egg.vertices, sheet.vertices_mm]).astype(np.float32)
    return vertices, np.concatenate([egg.triangles, sheet.triangles + len(egg.vertices)]).astype(np.int32)


def embree_mismatch(scenes: int, side_px: int = 112) -> float:
    """Share of pixels whose triangle differs from Embree's; where it agrees, the rest must agree too."""
    rng = np.random.default_rng(7)
    differing = samples = 0
    for _ in range(scenes):
        vertices, triangles = random_mesh(rng)
        cameras = [random_camera(rng, side_px)]
        ours, oracle = rasterize(vertices, triangles, cameras), EmbreeScene(vertices, triangles).rasterize(cameras)
        same = ours.pix_to_face == oracle.pix_to_face
        differing, samples = differing + np.count_nonzero(~same), samples + same.size
        np.testing.assert_allclose(ours.bary_coords[same], oracle.bary_coords[same], atol=1e-2)
        # Embree computes in single precision, which shows at grazing triangles.
        np.testing.assert_allclose(ours.zbuf[same], oracle.zbuf[same], rtol=1e-4)
    return differing / samples


def supersampling_error_ratio(scene: Scene) -> float:
    """Error of 2 x 2 samples over that of one, both against 8 x 8, for a band-limited texture."""
    rng = torch.Generator().manual_seed(0)
    noise = torch.rand(1, 3, 39, 44, generator=rng)
    texture = torch.nn.functional.interpolate(noise, size=(155, 175), mode="bicubic")[0].clamp(0, 1)
    views = [view(camera(25, 10, side_px=112)), view(camera(-30, side_px=112))]
    one, two, eight = (render_linear([scene], views, texture, RenderSettings(n)) for n in (1, 2, 8))
    return ((two - eight).norm() / (one - eight).norm()).item()


def adjoint_error(scene: Scene, views: list[View], settings: RenderSettings) -> float:
    """|<Jx, y> - <x, J^T y>| / |<Jx, y>| of the linear part of the renderer."""
    rng = torch.Generator().manual_seed(3)
    x = torch.rand(3, 31, 35, dtype=torch.float64, generator=rng).requires_grad_()
    jx = render_linear([scene], views, x, settings) - render_linear([scene], views, torch.zeros_like(x), settings)
    y = torch.rand(jx.shape, dtype=torch.float64, generator=rng)
    (jty,) = torch.autograd.grad(jx, x, y)
    forward, backward = (jx * y).sum().item(), (x * jty).sum().item()
    return abs(forward - backward) / abs(forward)


def furnace_error() -> float:
    """Largest difference from 1 of a white sheet under ambient light 1."""
    white = view(camera(25, 5), AMBIENT_ONE, background_rgb=(1.0, 1.0, 1.0))
    image = render_linear([sheet_scene(square_corners(500))], [white], torch.ones(3, 8, 8))
    return (image - 1).abs().max().item()


def vertex_gradient_error(scene: Scene) -> float:
    """Largest relative error of directional derivatives to the vertices against central differences in float64."""
    generator, shown = torch.Generator().manual_seed(5), view(camera(25, 8, side_px=64))
    vertices = torch.from_numpy(scene.vertices_mm).double().requires_grad_()
    texture = torch.rand(3, 12, 14, dtype=torch.float64, generator=generator)
    target = torch.rand(3, 64, 64, dtype=torch.float64, generator=generator)
    seen = rasterize(scene.vertices_mm, scene.triangles, [shown.camera])

    def loss(at: torch.Tensor) -> torch.Tensor:
        return ((render_vertices(scene, shown, at, texture, RenderSettings(1), seen) - target) ** 2).sum()

    (gradient,) = torch.autograd.grad(loss(vertices), vertices)
    errors, step = [], 3e-5
    for _ in range(4):
        direction = torch.randn(vertices.shape, dtype=torch.float64, generator=generator)
        with torch.no_grad():
            numeric = (loss(vertices + step * direction) - loss(vertices - step * direction)).item() / (2 * step)
        errors.append(abs(numeric - (gradient * direction).sum().item()) / abs(numeric))
    return max(errors)


def lamp_energy_error() -> float:
    """Relative error of the light of a near lamp that a square sheet reflects, against the square's solid angle."""
    half_mm, height_mm, cam = 110.0, 200.0, camera(side_px=160)
    lamp = PointLight((0.0, 0.0, height_mm - 660.0), (0.01, 0.01, 0.01))
    light = Light((0.0, 0.0, 0.0), (0.0, 0.0, 0.0), (0.0, 0.0, 1.0), points=(lamp,))
    shown = view(cam, light, background_rgb=(0.0, 0.0, 0.0))
    image = render_linear([sheet_scene(square_corners(half_mm))], [shown], torch.ones(3, 8, 8), RenderSettings(8))
    solid_angle = 4 * np.arctan(half_mm**2 / (height_mm * np.sqrt(2 * half_mm**2 + height_mm**2)))
    found = image[0, 0].sum().item() * (660 / cam.K[0, 0]) ** 2
    return abs(found / (0.01 * 1e6 * solid_angle) - 1)


def turned_sheet_error(light: Light, expected: Callable[[NDArray[np.float64]], NDArray[np.float64]]) -> float:
    """Largest difference of what a white sheet shows under a light from a closed form, relative, over its turns.

    Args:
        expected: (3,) unit normal of the sheet in the room -> (3,) linear RGB.
    """
    errors = []
    for yaw_deg in range(-60, 61, 20):
        image = render_linear([sheet_scene(square_corners(120))], [view(camera(yaw_deg), light)], torch.ones(3, 8, 8))
        turned = np.radians(yaw_deg)
        truth = expected(np.array([np.sin(turned), 0.0, np.cos(turned)]))
        errors.append(np.abs(image[0, :, image.shape[2] // 2, image.shape[3] // 2].numpy() - truth).max() / truth.max())
    return float(max(errors))


def directional_energy_error() -> float:
    """Lambert's cosine and an ambient part, against what the renderer shows."""
    light = Light((0.1, 0.2, 0.3), (0.8, 0.6, 0.4), (3.0, 0.0, 4.0))
    ambient, color, towards = (np.array(values) for values in ((0.1, 0.2, 0.3), (0.8, 0.6, 0.4), (0.6, 0.0, 0.8)))
    return turned_sheet_error(light, lambda normal: ambient + color * max(0.0, float(normal @ towards)))


def harmonic_energy_error() -> float:
    """The integral of radiance x cosine over the hemisphere, by Gauss's rule, against what the renderer shows."""
    coefficients = np.random.default_rng(0).uniform(-0.3, 0.3, (9, 3))
    coefficients[0] = 3.0
    light = Light((0.0, 0.0, 0.0), (0.0, 0.0, 0.0), (0.0, 0.0, 1.0), harmonics_rgb=tuple(map(tuple, coefficients)))
    directions, solid_angle = sphere()
    radiance = spherical_harmonics(directions) @ coefficients * solid_angle[:, None]
    return turned_sheet_error(light, lambda normal: np.maximum(directions @ normal, 0) @ radiance / np.pi)


def sphere(count: int = 200) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Directions and the solid angle of each: Gauss's rule over z, equal steps around."""
    z, weights = np.polynomial.legendre.leggauss(count)
    around = np.linspace(0, 2 * np.pi, 2 * count, endpoint=False)
    z, angle = np.meshgrid(z, around, indexing="ij")
    r = np.sqrt(1 - z * z)
    directions = np.stack([r * np.cos(angle), r * np.sin(angle), z], -1).reshape(-1, 3)
    return directions, np.repeat(weights * 2 * np.pi / len(around), len(around))


def linearity_error(scene: Scene, views: list[View]) -> float:
    """Largest difference between the picture of a mixed texture and the mixture of two pictures, in float32."""
    rng = torch.Generator().manual_seed(2)
    a, b = (torch.rand(3, 31, 35, generator=rng) for _ in range(2))
    mixed, first, second = (render_linear([scene], views, t) for t in (0.3 * a + 0.7 * b, a, b))
    return (mixed - (0.3 * first + 0.7 * second)).abs().max().item()


def texels_reached(scene: Scene, shape: tuple[int, int], steps: int, more_steps: int) -> float:
    """Share of the texels that training views of many steps see that get a gradient in the first few."""
    seen, first = torch.zeros(shape, dtype=torch.bool), None
    for step in range(steps + more_steps):
        leaf = torch.zeros(3, *shape).requires_grad_()
        shots = render_linear([scene], sample_views(ViewRanges(), 1, step, 8, 1), leaf)
        (gradient,) = torch.autograd.grad(shots.sum(), leaf)
        seen |= (gradient != 0).any(dim=0)
        first = seen.clone() if step == steps - 1 else first
    assert first is not None
    return (first.sum() / seen.sum()).item()
