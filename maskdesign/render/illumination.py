"""One view under any light: near lamps, spherical harmonics, highlights, sheen and shadows, in plain numpy.

`maskdesign.render.shading` is the fast way for what nearly every view has, ambient light and one distant lamp on matte
surfaces without shadows; there the two agree.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - the field's name
from numpy.typing import NDArray

from maskdesign.render.camera import FACE_TO_CAMERA
from maskdesign.render.light import LAMP_REFERENCE_MM, direction_in_head, harmonic_light, position_in_head
from maskdesign.render.material import MATTE, gloss
from maskdesign.render.scene import MASK, PLAIN_BACK, PRINTED, Scene
from maskdesign.render.shading import RenderSettings, hides_inner_sides, scaled_camera, shade_view
from maskdesign.render.shadow import DISTANT_MM, lit_share, shadow_map
from maskdesign.render.texture import AffineView
from maskdesign.render.view import View
from maskdesign.render.zbuffer import rasterize_view


@dataclass(frozen=True, eq=False)
class Samples:
    """The n samples of a view that hit a surface, in the frame of the head.

    Attributes:
        place: (n,) row * width + column of the sample's pixel.
        shown: (n,) side that it shows.
        material: (n,) `FACE` or `MASK`.
        points_mm, normals, to_eye: (n, 3); unit normals on the camera's side of the surface.
        uv: (n, 2).
    """

    place: NDArray[np.int64]
    shown: NDArray[np.uint8]
    material: NDArray[np.uint8]
    points_mm: NDArray[np.float64]
    normals: NDArray[np.float64]
    to_eye: NDArray[np.float64]
    uv: NDArray[np.float64]


def illuminate_view(scene: Scene, view: View, settings: RenderSettings) -> AffineView:
    """One view in linear light as a function of the texture, whatever its light and materials are."""
    plain_light = not view.light.points and not view.light.harmonics_rgb and not settings.shadow_map_px
    if (plain_light and scene.finishes == (MATTE, MATTE)) or not len(scene.triangles):
        return shade_view(scene, view, settings)
    samples = surface_samples(scene, view, settings)
    diffuse, shine = reflected_light(scene, view, settings, samples)
    printed = samples.shown[:, None] == PRINTED
    colors = np.where(printed, 0.0, diffuse * _albedo(scene, settings, samples)) + shine
    size = (3, view.camera.height_px, view.camera.width_px)
    behind = np.broadcast_to(np.reshape(view.background_rgb, (3, 1, 1)), size)
    return gather_samples(samples, np.ones(len(samples.place), bool), diffuse, colors, behind, settings)


def surface_samples(scene: Scene, view: View, settings: RenderSettings) -> Samples:
    """Where the rays through all samples of a view meet the scene."""
    camera = scaled_camera(view.camera, settings.supersample)
    faces, barycentrics, _, behind = rasterize_view(scene.clusters, camera, hides_inner_sides(scene, camera))
    rows, columns = np.nonzero(faces >= 0)
    hit, weights = faces[rows, columns], barycentrics[rows, columns].astype(np.float64)
    shown = scene.outer_sides[hit] + behind[rows, columns]
    normals = _unit(np.einsum("nk,nkd->nd", weights, scene.corner_normals.numpy()[hit].astype(np.float64)))
    points_mm = np.einsum("nk,nkd->nd", weights, scene.vertices_mm[scene.triangles[hit]].astype(np.float64))
    return Samples(
        place=(rows // settings.supersample) * view.camera.width_px + columns // settings.supersample,
        shown=shown,
        material=scene.material.numpy()[hit],
        points_mm=points_mm,
        normals=np.where(shown[:, None] % 2 == 1, -normals, normals),
        to_eye=_unit(-view.camera.R.T @ view.camera.T - points_mm),
        uv=np.einsum("nk,nkd->nd", weights, scene.corner_uv.numpy()[hit].astype(np.float64)),
    )


def reflected_light(
    scene: Scene, view: View, settings: RenderSettings, samples: Samples
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """What white matte surfaces would reflect at the samples, and the shine that comes on top, both (n, 3)."""
    in_room = samples.normals @ (FACE_TO_CAMERA.T @ view.camera.R).T
    diffuse = np.asarray(view.light.ambient_rgb) + harmonic_light(view.light, in_room)
    shine = np.zeros_like(diffuse)
    for lamp_mm, to_lamp, rgb in _lamps(view, samples.points_mm):
        cosine = np.einsum("nd,nd->n", samples.normals, to_lamp)
        arriving = rgb
        if settings.shadow_map_px:
            shadows = shadow_map(scene, lamp_mm, settings.shadow_map_px)
            arriving = rgb * lit_share(shadows, samples.points_mm, cosine)[:, None]
        diffuse += arriving * np.maximum(cosine, 0)[:, None]
        for material, finish in enumerate(scene.finishes):
            chosen = samples.material == material
            shone = gloss(finish, samples.normals[chosen], to_lamp[chosen], samples.to_eye[chosen])
            shine[chosen] += arriving[chosen] * shone[:, None]
    return diffuse, shine


def _lamps(view: View, points_mm: NDArray[np.float64]) -> Iterator[tuple[NDArray, NDArray, NDArray]]:
    # Where each lamp stands, the way to it and its light at each point.
    if any(view.light.directional_rgb):
        towards = direction_in_head(view.light, view.camera)
        to_lamp = np.broadcast_to(towards, points_mm.shape)
        yield DISTANT_MM * towards, to_lamp, np.broadcast_to(view.light.directional_rgb, points_mm.shape)
    for lamp in view.light.points:
        lamp_mm = position_in_head(lamp, view.camera)
        distance = np.maximum(np.linalg.norm(lamp_mm - points_mm, axis=1, keepdims=True), 1.0)
        yield lamp_mm, (lamp_mm - points_mm) / distance, np.asarray(lamp.rgb) * (LAMP_REFERENCE_MM / distance) ** 2


def gather_samples(
    samples: Samples,
    counted: NDArray[np.bool_],
    diffuse: NDArray[np.float64],
    colors: NDArray[np.float64],
    behind: NDArray[np.floating],
    settings: RenderSettings,
) -> AffineView:
    """Samples as an image that is affine in the texture.

    Args:
        counted: (n,) samples that count; the others show what lies behind.
        diffuse: (n, 3) light on the samples, which the print reflects.
        colors: (n, 3) light that the samples send whatever the print is.
        behind: (3, H, W) linear light.
    """
    share, pixels = 1 / settings.supersample**2, behind[0].size
    printed = counted & (samples.shown == PRINTED)
    empty = 1 - share * np.bincount(samples.place[counted], minlength=pixels)
    sums = [np.bincount(samples.place[counted], colors[counted, channel], pixels) for channel in range(3)]
    base = behind * empty.reshape(behind.shape[1:]) + share * np.stack(sums).reshape(behind.shape)
    return AffineView(
        base=base.astype(np.float32),
        pixel=samples.place[printed].astype(np.int32),
        uv=samples.uv[printed].astype(np.float32),
        weight=(share * diffuse[printed]).astype(np.float32),
    )


def _albedo(scene: Scene, settings: RenderSettings, samples: Samples) -> NDArray[np.float64]:
    grid = torch.from_numpy(2 * samples.uv - 1)[None, None]
    skin = F.grid_sample(scene.face_texture[None].double(), grid, padding_mode="border", align_corners=False)
    on_mask = (samples.material == MASK) & (samples.shown == PLAIN_BACK)
    return np.where(on_mask[:, None], settings.plain_back_rgb, skin[0, :, 0].T.numpy())


def _unit(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
