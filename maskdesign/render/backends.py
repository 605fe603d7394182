"""The visibility back ends by name: one contract, `Fragments`, whoever computes it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from maskdesign.errors import InputError
from maskdesign.render import zbuffer
from maskdesign.render.camera import PinholeCamera
from maskdesign.render.embree import EmbreeScene
from maskdesign.render.embreex_rays import EmbreexScene
from maskdesign.render.fragments import Fragments
from maskdesign.render.pytorch3d_peer import rasterize_pytorch3d

Rasterize = Callable[[NDArray[np.float32], NDArray[np.int32], Sequence[PinholeCamera]], Fragments]
"""Vertices (V, 3) in millimeters, triangles (T, 3) and B cameras of one image size -> fragments of B images."""


def _by_open3d(vertices_mm: NDArray, triangles: NDArray, cameras: Sequence[PinholeCamera]) -> Fragments:
    return EmbreeScene(vertices_mm, triangles).rasterize(cameras)


def _by_embreex(vertices_mm: NDArray, triangles: NDArray, cameras: Sequence[PinholeCamera]) -> Fragments:
    return EmbreexScene(vertices_mm, triangles).rasterize(cameras)


BACKENDS: dict[str, Rasterize] = {
    "zbuffer": zbuffer.rasterize,
    "open3d": _by_open3d,
    "embreex": _by_embreex,
    "pytorch3d": rasterize_pytorch3d,
}
"""The first is the default on a CPU; Embree's two bindings are oracles; PyTorch3D is a peer for CUDA."""


def find_backend(name: str) -> Rasterize:
    """A back end; what it needs is imported when it is first called.

    Raises:
        InputError: no such name. A back end whose package is missing raises one too, which says how to get it.
    """
    if name not in BACKENDS:
        raise InputError(f"there is no rasterizer {name!r}; choose one of {', '.join(BACKENDS)}")
    return BACKENDS[name]
