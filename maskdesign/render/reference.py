"""The renderer in plain torch: slow and obvious, on any device that torch knows, the twin that the fast one must match.

It takes fragments from any back end. Besides the texture it is differentiable in the corner attributes.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F  # noqa: N812 - the field's name
from torch import Tensor

from maskdesign.errors import InputError
from maskdesign.render.backends import Rasterize, find_backend
from maskdesign.render.fragments import Fragments
from maskdesign.render.light import direction_in_head
from maskdesign.render.print_response import printed_color
from maskdesign.render.scene import PLAIN_BACK, PRINTED, SKIN_BACK, Scene
from maskdesign.render.sensor import apply_response
from maskdesign.render.shading import RenderSettings, scaled_camera, shown_sides
from maskdesign.render.view import View
from maskdesign.render.zbuffer import rasterize


def interpolate_corner_attributes(
    fragments: Fragments, corner_attributes: Tensor, barycentrics: Tensor | None = None
) -> Tensor:
    """Attributes at the samples: sum of barycentric coordinate x corner value.

    Args:
        fragments: B images.
        corner_attributes: (T, 3, D), one value for each corner of each triangle.
        barycentrics: (B, H, W, 3) that replace those of the fragments, where they depend on vertices.

    Returns:
        (B, H, W, D), 0 where nothing is hit; differentiable with respect to `corner_attributes` and `barycentrics`.
    """
    faces = torch.from_numpy(fragments.pix_to_face).long()
    weights = torch.from_numpy(fragments.bary_coords) if barycentrics is None else barycentrics
    weights = weights.to(corner_attributes) * (faces >= 0)[..., None]
    return torch.einsum("bhwc,bhwcd->bhwd", weights, corner_attributes[faces.clamp_min(0)])


def sample_bilinear(texture: Tensor, uv: Tensor) -> Tensor:
    """Texture values.

    Args:
        texture: (3, h, w).
        uv: (B, H, W, 2) in [0, 1]; beyond the outermost texel centers the border goes on.

    Returns:
        (B, H, W, 3).

    Convention: uv has its origin at the upper left corner of the upper left texel, v down.
    """
    count = uv.shape[0]
    grid = 2 * uv - 1
    maps = texture[None].expand(count, -1, -1, -1)
    sampled = F.grid_sample(maps, grid, mode="bilinear", padding_mode="border", align_corners=False)
    return sampled.permute(0, 2, 3, 1)


def render_views_reference(
    scenes: Sequence[Scene], views: Sequence[View], texture: Tensor, settings: RenderSettings, rasterizer: str
) -> Tensor:
    """What `maskdesign.render.renderer.render_views` returns, by other code from visibility to light.

    Args:
        rasterizer: name of the back end that works out what is visible.

    Raises:
        InputError: no such back end, or its package is missing; shadows, which this renderer does not know.
    """
    if settings.shadow_map_px:
        raise InputError(f"render.shadow_map_px = {settings.shadow_map_px}: only the zbuffer's renderer casts shadows")
    printed = printed_color(settings.print_response, texture)
    linear = render_linear_reference(scenes, views, printed, settings, find_backend(rasterizer))
    return apply_response(linear, [view.response for view in views], [view.noise_seed for view in views])


def render_linear_reference(
    scenes: Sequence[Scene],
    views: Sequence[View],
    linear_texture: Tensor,
    settings: RenderSettings,
    visibility: Rasterize = rasterize,
) -> Tensor:
    """What `maskdesign.render.renderer.render_linear` returns, by autograd through every step."""
    shown = [(scenes[view.scene_index], view) for view in views]
    return torch.stack([_render_view(scene, view, linear_texture, settings, visibility) for scene, view in shown])


def _render_view(
    scene: Scene, view: View, linear_texture: Tensor, settings: RenderSettings, visibility: Rasterize
) -> Tensor:
    camera = scaled_camera(view.camera, settings.supersample)
    fragments = visibility(scene.vertices_mm, scene.triangles, [camera])
    radiance = shade_fragments(scene, view, fragments, linear_texture, settings)
    return F.avg_pool2d(radiance.permute(0, 3, 1, 2), settings.supersample)[0]


def shade_fragments(
    scene: Scene,
    view: View,
    fragments: Fragments,
    linear_texture: Tensor,
    settings: RenderSettings,
    barycentrics: Tensor | None = None,
) -> Tensor:
    """Lambert's light on one image of fragments: (1, H, W, 3) linear light.

    Args:
        barycentrics: (1, H, W, 3) as in `interpolate_corner_attributes`.
    """
    like = linear_texture
    faces = torch.from_numpy(fragments.pix_to_face).long()
    shown = torch.from_numpy(shown_sides(scene, view.camera))[faces.clamp_min(0)][..., None]
    normals = F.normalize(interpolate_corner_attributes(fragments, scene.corner_normals.to(like), barycentrics), dim=-1)
    uv = interpolate_corner_attributes(fragments, scene.corner_uv.to(like), barycentrics)
    towards = torch.from_numpy(direction_in_head(view.light, view.camera)).to(like)
    outward = torch.where((shown == PLAIN_BACK) | (shown == SKIN_BACK), -1.0, 1.0).to(like)
    cosine = (outward * (normals @ towards)[..., None]).clamp_min(0)
    light = like.new_tensor(view.light.ambient_rgb) + like.new_tensor(view.light.directional_rgb) * cosine
    albedo = torch.where(
        shown == PRINTED, sample_bilinear(linear_texture, uv), sample_bilinear(scene.face_texture.to(like), uv)
    )
    albedo = torch.where(shown == PLAIN_BACK, like.new_tensor(settings.plain_back_rgb), albedo)
    return torch.where(faces[..., None] >= 0, light * albedo, like.new_tensor(view.background_rgb))
