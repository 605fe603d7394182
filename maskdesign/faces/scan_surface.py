"""`ScanSurface`: a raw scan as one clean mesh with colors, whatever it was before."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from maskdesign.errors import ScanError
from maskdesign.faces.clean import CleanReport, clean_range, pixel_pitch_mm
from maskdesign.faces.raw import RangeImage, RawScan
from maskdesign.faces.topology import shells, welded_index
from maskdesign.geometry.grid import grid_triangles
from maskdesign.geometry.mesh import TriangleMesh, triangle_normals, vertex_normals
from maskdesign.geometry.orthographic import FrontView, view_from_front

EDGE_MM = 1.5
"""Mean edge that a range image is thinned to: as fine as the built-in head, and light enough to drape on."""
MAX_EDGE_MM = 16.0
"""Bridges what a nose hides below it, but neither the chin and the neck nor an ear and the cheek."""
SKIN_RGB = (198, 158, 136)
MIN_SHELL_SHARE = 0.01
VIEW_PX = 560


@dataclass(frozen=True)
class ScanSurface:
    """A clean surface.

    Attributes:
        mesh: millimeters as far as known; uv into `texture` where there is one.
        texture: (H, W, 3) uint8 sRGB, or None.
        vertex_rgb: (V, 3) uint8 sRGB, or None.
        cleaning: what was done to a range image; None for a mesh.
    """

    mesh: TriangleMesh
    texture: NDArray[np.uint8] | None
    vertex_rgb: NDArray[np.uint8] | None
    cleaning: CleanReport | None


def clean_surface(raw: RawScan) -> ScanSurface:
    """Clean a scan: range images by `clean_range`, then triangles; meshes by dropping small shells.

    Raises:
        ScanError: too little is left for a face.
    """
    try:
        if isinstance(raw.surface, RangeImage):
            return _from_range(raw.surface)
        return _from_mesh(raw.surface, raw)
    except ScanError as error:
        raise ScanError(f"{raw.source}: {error}") from error


def _from_range(image: RangeImage) -> ScanSurface:
    cleaned, report = clean_range(image)
    step = max(1, round(EDGE_MM / pixel_pitch_mm(cleaned)))
    points, valid = cleaned.points_mm[::step, ::step], cleaned.valid[::step, ::step]
    places, triangles = grid_triangles(points, valid, MAX_EDGE_MM)
    if not len(triangles):
        raise ScanError("the samples are too far apart for a surface")
    uv = (places[:, ::-1] * step + 0.5) / cleaned.valid.shape[::-1]
    mesh = TriangleMesh(points[places[:, 0], places[:, 1]], triangles, uv)
    return ScanSurface(mesh, cleaned.rgb, None, report)


def _from_mesh(mesh: TriangleMesh, raw: RawScan) -> ScanSurface:
    part = shells(welded_index(mesh.vertices)[mesh.triangles])
    area = np.bincount(part, weights=np.linalg.norm(triangle_normals(mesh.vertices, mesh.triangles), axis=1))
    large = (area >= MIN_SHELL_SHARE * area.max())[part]
    used, renumbered = np.unique(mesh.triangles[large], return_inverse=True)
    kept = TriangleMesh(mesh.vertices[used], renumbered.reshape(-1, 3), None if mesh.uv is None else mesh.uv[used])
    return ScanSurface(kept, raw.texture, None if raw.vertex_rgb is None else raw.vertex_rgb[used], None)


def moved_surface(surface: ScanSurface, vertices_mm: NDArray[np.float64]) -> ScanSurface:
    """The same surface with its vertices elsewhere, (V, 3)."""
    return replace(surface, mesh=TriangleMesh(vertices_mm, surface.mesh.triangles, surface.mesh.uv))


@dataclass(frozen=True)
class Portrait:
    """A surface seen along -z.

    Attributes:
        rgb: (H, W, 3) uint8 sRGB, in front of gray.
        view: what each pixel shows.
        low: (2,) x and y of the lower left corner.
        pitch: edge of a pixel, in the unit of the surface.
    """

    rgb: NDArray[np.uint8]
    view: FrontView
    low: NDArray[np.float64]
    pitch: float


def portrait_of(surface: ScanSurface, colored: bool = True) -> Portrait:
    """Look at a surface along -z: in its own colors, or where it has none as a shaded plaster head.

    Args:
        surface: the face towards +z, y up.
        colored: False shades a colored surface, too.
    """
    mesh = surface.mesh
    low, high = mesh.vertices[:, :2].min(axis=0), mesh.vertices[:, :2].max(axis=0)
    margin = 0.08 * (high - low).max()
    pitch = float((high - low + 2 * margin).max() / VIEW_PX)
    view = view_from_front(mesh.vertices, mesh.triangles, pitch, low - margin, high + margin)
    colors = _own_colors(surface, view) if colored else None
    rgb = _shaded(mesh, view) if colors is None else colors
    return Portrait(np.where((view.triangle >= 0)[..., None], rgb, 128).astype(np.uint8), view, low - margin, pitch)


def _own_colors(surface: ScanSurface, view: FrontView) -> NDArray | None:
    import cv2

    corners = surface.mesh.triangles[view.triangle]
    if surface.texture is not None and surface.mesh.uv is not None:
        height, width = surface.texture.shape[:2]
        at = (surface.mesh.uv[corners] * view.weights[..., None]).sum(axis=2) * [width, height] - 0.5
        at = at.astype(np.float32)
        return cv2.remap(surface.texture, at[..., 0], at[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    if surface.vertex_rgb is not None:
        return (surface.vertex_rgb[corners] * view.weights[..., None]).sum(axis=2)
    return None


def _shaded(mesh: TriangleMesh, view: FrontView) -> NDArray:
    place = welded_index(mesh.vertices)
    first = np.unique(place, return_index=True)[1]
    normals = vertex_normals(mesh.vertices[first], place[mesh.triangles].astype(np.int32))[place]
    seen = (normals[mesh.triangles[view.triangle]] * view.weights[..., None]).sum(axis=2)
    light = np.array([0.25, 0.5, 0.83])
    brightness = 0.25 + 0.75 * np.clip(seen @ light / np.maximum(np.linalg.norm(seen, axis=2), 1e-9), 0, 1)
    return np.clip(np.sqrt(brightness)[..., None] * np.array(SKIN_RGB) * 1.1, 0, 255)
