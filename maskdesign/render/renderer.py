"""`render_views`: scenes and views in, pictures out, differentiable with respect to the texture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from maskdesign.errors import InputError
from maskdesign.render.cloth import deform_cloth
from maskdesign.render.illumination import illuminate_view
from maskdesign.render.print_response import UNCHANGED, PrintResponse, printed_color
from maskdesign.render.scene import Scene
from maskdesign.render.sensor import apply_response
from maskdesign.render.shading import RenderSettings
from maskdesign.render.texture import AffineView, show_texture
from maskdesign.render.threads import map_threads
from maskdesign.render.view import View

__all__ = ["RenderSettings", "Shot", "develop_shots", "render_linear", "render_views", "take_shots"]

MAX_SAMPLES = 1 << 28


@dataclass(frozen=True, eq=False)
class Shot:
    """A view whose visibility and light are worked out; only the print is still missing.

    Attributes:
        view: what was asked for.
        affine: the linear light as a function of the printed texture.
        print_response: what printing makes of the texture's colors.
    """

    view: View
    affine: AffineView
    print_response: PrintResponse = UNCHANGED


def render_views(
    scenes: Sequence[Scene], views: Sequence[View], texture: Tensor, settings: RenderSettings | None = None
) -> Tensor:
    """Pictures as a camera would take them.

    Args:
        scenes: what the views show; `View.scene_index` counts in this list.
        views: B views of one image size.
        texture: (3, h, w) sRGB in [0, 1] on the sheet, float32 or float64; no scene without a mask uses it.
        settings: how pixels are made; the defaults where it is left out.

    Returns:
        (B, 3, H, W) sRGB in [0, 1] of the texture's type. The gradient with respect to `texture` is exact; it is
        zero where a pixel is over- or underexposed.

    Raises:
        InputError: a texture of the wrong shape or with values that are not finite, views of several sizes, a scene
            that does not exist, or more samples than the memory bound.
    """
    _check_texture(texture)
    return develop_shots(take_shots(scenes, views, settings), texture)


def take_shots(scenes: Sequence[Scene], views: Sequence[View], settings: RenderSettings | None = None) -> list[Shot]:
    """Everything of some views that no texture changes; arguments and errors as in `render_views`."""
    settings = settings or RenderSettings()
    _check_views(scenes, views, settings)
    affine = map_threads(lambda view: _affine_view(scenes[view.scene_index], view, settings), views)
    return [Shot(view, part, settings.print_response) for view, part in zip(views, affine, strict=True)]


def _affine_view(scene: Scene, view: View, settings: RenderSettings) -> AffineView:
    return deform_cloth(illuminate_view(scene, view, settings), view.cloth_mm, scene.sheet_size_mm)


def develop_shots(shots: Sequence[Shot], texture: Tensor) -> Tensor:
    """Pictures of a texture from shots of one image size: print, then the camera's response.

    Args:
        shots: all taken with the same settings.
        texture: (3, h, w) sRGB as in `render_views`.

    Returns:
        (B, 3, H, W) sRGB in [0, 1] with the exact gradient to `texture`.
    """
    linear = show_texture(printed_color(shots[0].print_response, texture), [shot.affine for shot in shots])
    return apply_response(linear, [shot.view.response for shot in shots], [shot.view.noise_seed for shot in shots])


def render_linear(
    scenes: Sequence[Scene], views: Sequence[View], linear_texture: Tensor, settings: RenderSettings | None = None
) -> Tensor:
    """The light that reaches the camera, before its response.

    Args:
        linear_texture: (3, h, w) linear light that the print sends back; the rest as in `render_views`.

    Returns:
        (B, 3, H, W) linear light, affine in `linear_texture`.
    """
    _check_texture(linear_texture)
    return show_texture(linear_texture, [shot.affine for shot in take_shots(scenes, views, settings)])


def _check_views(scenes: Sequence[Scene], views: Sequence[View], settings: RenderSettings) -> None:
    if not views:
        raise InputError("no views to render; give at least one")
    sizes = {(view.camera.width_px, view.camera.height_px) for view in views}
    if len(sizes) > 1:
        raise InputError(f"the views have the image sizes {sorted(sizes)}; render each size by itself")
    missing = sorted({view.scene_index for view in views} - set(range(len(scenes))))
    if missing:
        raise InputError(f"views show the scenes {missing}, but there are {len(scenes)}, counted from 0")
    ((width_px, height_px),) = sizes
    samples = len(views) * width_px * height_px * settings.supersample**2
    if samples > MAX_SAMPLES:
        raise InputError(
            f"{len(views)} views of {width_px} x {height_px} pixels need {samples} samples, "
            f"more than the limit of {MAX_SAMPLES}; render fewer at once or smaller ones"
        )


def _check_texture(texture: Tensor) -> None:
    if texture.ndim != 3 or texture.shape[0] != 3 or 0 in texture.shape:
        raise InputError(f"the texture must be (3, h, w), not {tuple(texture.shape)}")
    if texture.dtype not in (torch.float32, torch.float64):
        raise InputError(f"the texture must be float32 or float64, not {texture.dtype}")
    if not bool(torch.isfinite(texture).all()):
        raise InputError("the texture holds values that are not finite")
