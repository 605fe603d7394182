"""`Scene`: everything of a head and its mask that does not change between views."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from maskdesign.errors import MeshError
from maskdesign.faces.scan import FaceScan
from maskdesign.geometry.mesh import triangle_normals, vertex_normals
from maskdesign.mask.cut import cut_worn
from maskdesign.mask.pattern import MaskPattern, panel_of_row
from maskdesign.mask.worn import WornMask
from maskdesign.render.clusters import Clusters, cluster_triangles
from maskdesign.render.color import decode_pixels, srgb_encode
from maskdesign.render.material import MATTE, Finish

FACE, MASK = 0, 1
"""Materials: skin with its own texture, and the printed sheet."""

PRINTED, PLAIN_BACK, SKIN, SKIN_BACK = 0, 1, 2, 3
"""What a triangle shows to a camera."""

NO_SKIN = np.zeros((1, 1, 3), np.uint8)
BAND_MM = 20.0
MORTON_REACH_MM, MORTON_STEP_MM = 2000.0, 0.25


@dataclass(frozen=True, eq=False)
class Scene:
    """A head with or without a mask, or a worn mask alone, ready to be rendered.

    Attributes:
        vertices_mm: (V, 3) float32 in the face frame.
        triangles: (T, 3) int32, counterclockwise seen from outside and from the printed side.
        corner_normals: (T, 3, 3) float32 unit normals; smooth on the face, creased at the folds of the mask.
        corner_uv: (T, 3, 2) float32 in [0, 1]; on the face into `face_texture`, on the mask sheet_mm / (width, height).
        material: (T,) uint8, `FACE` or `MASK`.
        face_texture: (3, H, W) float32, linear light of an 8-bit sRGB picture.
        finishes: how `FACE` and `MASK` shine.
        sheet_size_mm: width and height of the mask's sheet.

    Convention: uv has its origin at the upper left of the picture, u right and v down.

    Raises:
        MeshError: shapes that do not fit together, or triangles of vertices that do not exist.
    """

    vertices_mm: NDArray[np.float32]
    triangles: NDArray[np.int32]
    corner_normals: Tensor
    corner_uv: Tensor
    material: Tensor
    face_texture: Tensor
    finishes: tuple[Finish, Finish] = (MATTE, MATTE)
    sheet_size_mm: tuple[float, float] = (175.0, 155.0)

    def __post_init__(self) -> None:
        count = len(self.triangles)
        wanted = {"corner_normals": (count, 3, 3), "corner_uv": (count, 3, 2), "material": (count,)}
        for name, shape in wanted.items():
            if tuple(getattr(self, name).shape) != shape:
                raise MeshError(f"scene.{name} has shape {tuple(getattr(self, name).shape)}, expected {shape}")
        if count and not 0 <= self.triangles.min() <= self.triangles.max() < len(self.vertices_mm):
            raise MeshError(
                f"scene.triangles name the vertices {self.triangles.min()} to {self.triangles.max()}, "
                f"but there are {len(self.vertices_mm)}"
            )
        if not np.isfinite(self.vertices_mm).all():
            raise MeshError(
                f"scene.vertices_mm holds {np.count_nonzero(~np.isfinite(self.vertices_mm))} not finite numbers"
            )
        if self.face_texture.ndim != 3 or self.face_texture.shape[0] != 3:
            raise MeshError(f"scene.face_texture must be (3, H, W), not {tuple(self.face_texture.shape)}")

    @cached_property
    def corner_rows(self) -> NDArray[np.float32]:
        """(T, 16) float32: nine of normals, six of uv and a zero. One cache line a triangle."""
        rows = np.zeros((len(self.triangles), 16), np.float32)
        rows[:, :9] = self.corner_normals.numpy().reshape(-1, 9)
        rows[:, 9:15] = self.corner_uv.numpy().reshape(-1, 6)
        return rows

    @cached_property
    def face_pixels(self) -> NDArray[np.uint8]:
        """(H, W, 3) uint8 sRGB, `face_texture` as the picture it was: a quarter of the memory that sampling walks."""
        encoded = srgb_encode(self.face_texture.permute(1, 2, 0))
        return (encoded * 255).round().clamp(0, 255).to(torch.uint8).contiguous().numpy()

    @cached_property
    def clusters(self) -> Clusters:
        """The triangles as the z-buffer wants them; those of a closed face are solid."""
        solid = (self.material.numpy() == FACE) & self.face_is_closed
        return cluster_triangles(self.vertices_mm, self.triangles, solid)

    @cached_property
    def planes(self) -> NDArray[np.float64]:
        """(T, 4) planes of the triangles: planes @ (x, y, z, 1) > 0 on the outer or printed side."""
        corners = self.vertices_mm.astype(np.float64)
        normals = triangle_normals(corners, self.triangles)
        offsets = -np.einsum("td,td->t", normals, corners[self.triangles[:, 0]])
        return np.column_stack([normals, offsets])

    @cached_property
    def outer_sides(self) -> NDArray[np.uint8]:
        """(T,) `PRINTED` or `SKIN`: what a triangle shows to a camera before it."""
        return np.where(self.material.numpy() == MASK, PRINTED, SKIN).astype(np.uint8)

    @cached_property
    def bounds_mm(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Lowest and highest corner of the box around the scene, (3,) each."""
        return self.vertices_mm.min(axis=0, initial=np.inf), self.vertices_mm.max(axis=0, initial=-np.inf)

    @cached_property
    def face_is_closed(self) -> bool:
        """Whether the face's surface has no border: each edge is met once in each direction."""
        _, places = np.unique(self.vertices_mm, axis=0, return_inverse=True)
        corners = places.reshape(-1)[self.triangles[self.material.numpy() == FACE]].astype(np.int64)
        following = np.roll(corners, -1, axis=1)
        sound = (corners != following).all(axis=1)
        starts, ends = corners[sound].ravel(), following[sound].ravel()
        forward = np.sort(starts * len(places) + ends)
        backward = np.sort(ends * len(places) + starts)
        return bool((np.diff(forward) > 0).all()) and np.array_equal(forward, backward)


def build_scene(face: FaceScan | None, worn: WornMask | None, pattern: MaskPattern) -> Scene:
    """A face, and the mask on it where there is one, as one scene; without a face the worn sheet alone.

    The triangles are listed from the front of the head to its back, so that the z-buffer meets most hidden ones last,
    and neighbors near each other, so that its clusters are small.
    """
    kinds = [kind for kind, shown in ((FACE, face), (MASK, worn)) if shown is not None]
    parts = ([] if face is None else [_face_part(face)]) + ([] if worn is None else [_mask_part(worn, pattern)])
    offsets = np.cumsum([0] + [len(vertices) for vertices, *_ in parts])
    vertices_mm = np.concatenate([part[0] for part in parts])
    triangles = np.concatenate([part[1] + offset for part, offset in zip(parts, offsets, strict=False)])
    material = np.concatenate([np.full(len(part[1]), kind) for part, kind in zip(parts, kinds, strict=True)])
    order = _front_to_back(vertices_mm[triangles], material)
    return Scene(
        vertices_mm=vertices_mm.astype(np.float32),
        triangles=triangles[order].astype(np.int32),
        corner_normals=torch.from_numpy(np.concatenate([part[2] for part in parts])[order].astype(np.float32)),
        corner_uv=torch.from_numpy(np.concatenate([part[3] for part in parts])[order].astype(np.float32)),
        material=torch.from_numpy(material[order].astype(np.uint8)),
        face_texture=decode_pixels(NO_SKIN if face is None else face.texture),
        sheet_size_mm=(pattern.width_mm, pattern.height_mm),
    )


def _front_to_back(corners_mm: NDArray[np.float64], material: NDArray[np.integer]) -> NDArray[np.intp]:
    # In bands, the mask before the face that it hides, and then along Morton's curve over x and y.
    middles = corners_mm.mean(axis=1)
    bands = np.floor(middles[:, 2] / BAND_MM)
    x, y = np.clip((middles[:, :2] + MORTON_REACH_MM) / MORTON_STEP_MM, 0, 2**15 - 1).astype(np.int64).T
    return np.lexsort((_spread_bits(x) | _spread_bits(y) << 1, -material.astype(np.int64), -bands))


def _spread_bits(values: NDArray[np.int64]) -> NDArray[np.int64]:
    # A zero before each of the 15 lowest bits.
    for shift, mask in ((8, 0x00FF00FF), (4, 0x0F0F0F0F), (2, 0x33333333), (1, 0x55555555)):
        values = (values | values << shift) & mask
    return values


def _face_part(face: FaceScan) -> tuple[NDArray, NDArray, NDArray, NDArray]:
    mesh = face.mesh
    assert mesh.uv is not None
    normals = vertex_normals(mesh.vertices, mesh.triangles)
    return mesh.vertices, mesh.triangles, normals[mesh.triangles], mesh.uv[mesh.triangles]


def _mask_part(worn: WornMask, pattern: MaskPattern) -> tuple[NDArray, NDArray, NDArray, NDArray]:
    worn = cut_worn(worn, pattern)
    mesh = worn.mesh
    middle_v_mm = worn.sheet_mm[mesh.triangles, 1].mean(axis=1)
    normals = creased_normals(mesh.vertices, mesh.triangles, panel_of_row(pattern, middle_v_mm))
    sheet_uv = worn.sheet_mm / [pattern.width_mm, pattern.height_mm]
    return mesh.vertices, mesh.triangles, normals, sheet_uv[mesh.triangles]


def creased_normals(
    vertices: NDArray[np.float64], triangles: NDArray[np.int32], group: NDArray[np.integer]
) -> NDArray[np.float64]:
    """Unit normals at the corners, smooth inside a group of triangles and broken between groups.

    Args:
        vertices: (V, 3).
        triangles: (T, 3).
        group: (T,) number of the panel that a triangle lies on, >= 0.

    Returns:
        (T, 3, 3), area-weighted within each group.
    """
    groups = int(group.max(initial=0)) + 1
    split = triangles.astype(np.int64) * groups + group[:, None]
    used, corners = np.unique(split, return_inverse=True)
    corners = corners.reshape(triangles.shape).astype(np.int32)
    return vertex_normals(vertices[used // groups], corners)[corners]
