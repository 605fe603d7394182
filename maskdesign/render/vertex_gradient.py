"""Pictures that are differentiable in the vertices: what each sample sees stays, where it sees it moves.

The gradient is exact inside triangles. It has no term for silhouettes and for edges between triangles that are lit or
printed differently, as in every renderer that samples visibility without blur; and normals stay as they are.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - the field's name
from numpy.typing import NDArray
from torch import Tensor

from maskdesign.errors import InputError
from maskdesign.render.camera import PinholeCamera
from maskdesign.render.fragments import Fragments
from maskdesign.render.reference import shade_fragments
from maskdesign.render.scene import Scene
from maskdesign.render.shading import RenderSettings, scaled_camera
from maskdesign.render.view import View
from maskdesign.render.zbuffer import rasterize


def moving_barycentrics(
    pix_to_face: NDArray[np.int32], vertices_mm: Tensor, triangles: NDArray[np.int32], camera: PinholeCamera
) -> Tensor:
    """Perspective-correct barycentric coordinates of the pixel centers in given triangles, from their vertices.

    The edge functions of Olano and Greer, "Triangle scan conversion using 2D homogeneous coordinates", 1997, section 4,
    over their sum: what the z-buffer computes, in torch.

    Args:
        pix_to_face: (H, W) triangle of each pixel, -1 for none.
        vertices_mm: (V, 3); its type decides that of the result.
        triangles: (T, 3).

    Returns:
        (H, W, 3), 0 where nothing is hit; differentiable in `vertices_mm`.
    """
    faces = torch.from_numpy(pix_to_face).long().to(vertices_mm.device)
    rows, columns = torch.nonzero(faces >= 0, as_tuple=True)
    R, T, K = (vertices_mm.new_tensor(array) for array in (camera.R, camera.T, camera.K))
    homogeneous = (vertices_mm @ R.T + T) @ K.T
    corners = homogeneous[torch.from_numpy(triangles.astype(np.int64)).to(faces.device)[faces[rows, columns]]]
    a, b, c = corners.unbind(dim=1)
    centers = torch.stack([columns + 0.5, rows + 0.5, torch.ones_like(rows)], dim=1).to(vertices_mm)
    pairs = ((b, c), (c, a), (a, b))
    edges = torch.stack([(torch.linalg.cross(p, q) * centers).sum(dim=1) for p, q in pairs], dim=1)
    weights = edges / edges.sum(dim=1, keepdim=True)
    return vertices_mm.new_zeros(*faces.shape, 3).index_put((rows, columns), weights)


def render_vertices(
    scene: Scene,
    view: View,
    vertices_mm: Tensor,
    linear_texture: Tensor,
    settings: RenderSettings | None = None,
    fragments: Fragments | None = None,
) -> Tensor:
    """A picture in linear light, differentiable in vertices and texture, under ambient light and one distant lamp.

    Args:
        scene: its own vertices are not used.
        vertices_mm: (V, 3) of the texture's type.
        linear_texture: (3, h, w).
        settings: how pixels are made; the defaults where it is left out.
        fragments: what is seen where, (1, H s, W s); found from `vertices_mm` where it is left out.

    Returns:
        (3, H, W) linear light.

    Raises:
        InputError: vertices of another shape than the scene's.
    """
    if tuple(vertices_mm.shape) != scene.vertices_mm.shape:
        raise InputError(f"vertices_mm has shape {tuple(vertices_mm.shape)}, the scene's {scene.vertices_mm.shape}")
    settings = settings or RenderSettings()
    camera = scaled_camera(view.camera, settings.supersample)
    if fragments is None:
        fragments = rasterize(vertices_mm.detach().cpu().float().numpy(), scene.triangles, [camera])
    weights = moving_barycentrics(fragments.pix_to_face[0], vertices_mm, scene.triangles, camera)
    radiance = shade_fragments(scene, view, fragments, linear_texture, settings, weights[None])
    return F.avg_pool2d(radiance.permute(0, 3, 1, 2), settings.supersample)[0]
