"""Visibility by Intel's Embree through Open3D: the oracle for the z-buffer."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskdesign.errors import InputError
from maskdesign.render.camera import PinholeCamera
from maskdesign.render.fragments import Fragments


class EmbreeScene:
    """A mesh in Embree's acceleration structure, built once and seen by any number of cameras.

    Args:
        vertices_mm: (V, 3).
        triangles: (T, 3).
        threads: for building and for casting.

    Raises:
        InputError: Open3D cannot be imported.
    """

    def __init__(self, vertices_mm: NDArray[np.float32], triangles: NDArray[np.int32], threads: int = 1) -> None:
        o3d = _open3d()
        self._core = o3d.core
        self._threads = threads
        self._scene = o3d.t.geometry.RaycastingScene(nthreads=threads)
        self._scene.add_triangles(
            o3d.core.Tensor(np.ascontiguousarray(vertices_mm, np.float32)),
            o3d.core.Tensor(np.ascontiguousarray(triangles, np.uint32)),
        )

    def rasterize(self, cameras: Sequence[PinholeCamera]) -> Fragments:
        """The nearest triangle at each pixel center; as `maskdesign.render.zbuffer.rasterize`."""
        views = [self._cast(camera) for camera in cameras]
        faces, barycentrics, depths = (np.stack(arrays) for arrays in zip(*views, strict=True))
        return Fragments(faces, barycentrics, depths)

    def _cast(self, camera: PinholeCamera) -> tuple[NDArray[np.int32], NDArray[np.float32], NDArray[np.float32]]:
        answer = self._scene.cast_rays(self._core.Tensor(pixel_rays(camera)), nthreads=self._threads)
        depth, uv = answer["t_hit"].numpy(), answer["primitive_uvs"].numpy()
        hit = np.isfinite(depth)
        faces = np.where(hit, answer["primitive_ids"].numpy().astype(np.int64), -1).astype(np.int32)
        barycentrics = np.concatenate([1 - uv.sum(axis=-1, keepdims=True), uv], axis=-1)
        return faces, np.where(hit[..., None], barycentrics, -1).astype(np.float32), np.where(hit, depth, -1)


def pixel_rays(camera: PinholeCamera) -> NDArray[np.float32]:
    """Rays through the pixel centers: (H, W, 6) origin in mm and direction, which advances 1 mm of depth."""
    columns, rows = np.meshgrid(np.arange(camera.width_px) + 0.5, np.arange(camera.height_px) + 0.5)
    pixels = np.stack([columns, rows, np.ones_like(rows)], axis=-1)
    directions = pixels @ np.linalg.inv(camera.K).T @ camera.R
    origins = np.broadcast_to(-camera.R.T @ camera.T, directions.shape)
    return np.concatenate([origins, directions], axis=-1).astype(np.float32)


def _open3d() -> Any:
    try:
        _load_libusb()
        import open3d
    except (ImportError, OSError) as error:
        raise InputError(
            f"the Embree back end needs Open3D ({error}); pip install 'maskdesign[oracle]', and on Debian "
            "apt-get install libgl1 libegl1"
        ) from error
    return open3d


def _load_libusb() -> None:
    # Open3D links libusb for its depth cameras; once loaded from a wheel, the linker takes it by its name.
    from libusb_package import get_library_path

    ctypes.CDLL(str(get_library_path()), mode=ctypes.RTLD_GLOBAL)
