"""`Fragments`: what a visibility back end returns, with PyTorch3D's names and meaning."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Fragments:
    """The nearest triangle at each sample of a batch of images.

    Attributes:
        pix_to_face: (B, H, W) int32 triangle index, -1 where nothing is hit.
        bary_coords: (B, H, W, 3) float32 perspective-correct barycentric coordinates, -1 where nothing is hit.
        zbuf: (B, H, W) float32 depth in millimeters, -1 where nothing is hit.

    Convention: row 0 is the top; the sample of pixel (row, column) is (column + 0.5, row + 0.5).
    Back ends return only this and nothing differentiable; unlike PyTorch3D, triangle indices count within one image's
    mesh, and the faces-per-pixel axis (1) is squeezed.
    """

    pix_to_face: NDArray[np.int32]
    bary_coords: NDArray[np.float32]
    zbuf: NDArray[np.float32]
