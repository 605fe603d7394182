"""Embree through embreex: an oracle for visibility that needs no Open3D, and rays that ask what shades a point."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskdesign.errors import InputError
from maskdesign.render.camera import PinholeCamera
from maskdesign.render.embree import pixel_rays
from maskdesign.render.fragments import Fragments


class EmbreexScene:
    """A mesh in Embree's acceleration structure, built once; one thread.

    Args:
        vertices_mm: (V, 3).
        triangles: (T, 3).

    Raises:
        InputError: embreex cannot be imported.
    """

    def __init__(self, vertices_mm: NDArray[np.float32], triangles: NDArray[np.int32]) -> None:
        scene_module, mesh_module = _embreex()
        self._scene = scene_module.EmbreeScene()
        # embreex keeps no reference of its own.
        self._mesh = mesh_module.TriangleMesh(
            self._scene, np.ascontiguousarray(vertices_mm, np.float32), np.ascontiguousarray(triangles, np.int32)
        )

    def rasterize(self, cameras: Sequence[PinholeCamera]) -> Fragments:
        """The nearest triangle at each pixel center; as `maskdesign.render.zbuffer.rasterize`."""
        views = [self._cast(camera) for camera in cameras]
        faces, barycentrics, depths = (np.stack(arrays) for arrays in zip(*views, strict=True))
        return Fragments(faces, barycentrics, depths)

    def are_occluded(self, origins_mm: NDArray[np.float64], directions: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Whether anything lies on rays.

        Args:
            origins_mm: (n, 3) starts; move them off the surface they stand on.
            directions: (n, 3), any length but zero.

        Returns:
            (n,).
        """
        rays = (np.ascontiguousarray(array, np.float32) for array in (origins_mm, directions))
        return np.asarray(self._scene.run(*rays)) >= 0

    def _cast(self, camera: PinholeCamera) -> tuple[NDArray[np.int32], NDArray[np.float32], NDArray[np.float32]]:
        rays = pixel_rays(camera)
        flat = rays.reshape(-1, 6)
        answer = self._scene.run(np.ascontiguousarray(flat[:, :3]), np.ascontiguousarray(flat[:, 3:]), output=1)
        faces = np.asarray(answer["primID"], np.int32)
        u, v, depth = (np.asarray(answer[name], np.float32) for name in ("u", "v", "tfar"))
        hit = faces >= 0
        barycentrics = np.where(hit[:, None], np.stack([1 - u - v, u, v], axis=-1), np.float32(-1))
        shape = rays.shape[:2]
        return (
            np.where(hit, faces, -1).astype(np.int32).reshape(shape),
            barycentrics.reshape(*shape, 3),
            np.where(hit, depth, np.float32(-1)).reshape(shape),
        )


def _embreex() -> tuple[Any, Any]:
    try:
        from embreex import mesh_construction, rtcore_scene
    except ImportError as error:
        raise InputError(f"the embreex back end needs embreex ({error}); pip install 'maskdesign[oracle]'") from error
    return rtcore_scene, mesh_construction
