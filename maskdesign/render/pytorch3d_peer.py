"""PyTorch3D as a peer: cameras, meshes, textures and fragments, converted both ways.

The conversions are arithmetic on plain arrays and need no PyTorch3D; only what makes or takes its objects imports it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from maskdesign.errors import InputError
from maskdesign.render.camera import PinholeCamera
from maskdesign.render.fragments import Fragments

HOW_TO_GET = (
    "install it for your CUDA and torch as its INSTALL.md says: conda install -c pytorch3d pytorch3d, or "
    "pip install --no-build-isolation git+https://github.com/facebookresearch/pytorch3d"
)


@dataclass(frozen=True, eq=False)
class PeerCameras:
    """What `PerspectiveCameras` takes for a batch of B cameras.

    Attributes:
        R: (B, 3, 3), applied to row vectors from the right.
        T: (B, 3) millimeters.
        focal_length, principal_point: (B, 2) in normalized device coordinates.
        image_size: (B, 2) height, width in pixels.

    Convention: PyTorch3D's, +x left, +y up, +z into the scene; half the shorter side of the image is 1.
    """

    R: Tensor
    T: Tensor
    focal_length: Tensor
    principal_point: Tensor
    image_size: Tensor


@dataclass(frozen=True, eq=False)
class PeerMesh:
    """What `Meshes` and `TexturesUV(align_corners=False, padding_mode="border")` take for one mesh.

    Attributes:
        verts: (V, 3) millimeters.
        faces: (T, 3) int64.
        verts_uvs: (3 T, 2), a place of its own for each corner, so that seams need no search.
        faces_uvs: (T, 3) int64 into `verts_uvs`.
        maps: (1, h, w, 3).

    Convention: v upward from the lower edge of the picture.
    """

    verts: Tensor
    faces: Tensor
    verts_uvs: Tensor
    faces_uvs: Tensor
    maps: Tensor


_FLIP_XY = torch.tensor([-1.0, -1.0, 1.0], dtype=torch.float64)


def peer_cameras(cameras: Sequence[PinholeCamera]) -> PeerCameras:
    """Our cameras as PyTorch3D's, in float64; as its `cameras_from_opencv_projection`. Pixels must not be skewed."""
    R = torch.from_numpy(np.stack([camera.R for camera in cameras]))
    T = torch.from_numpy(np.stack([camera.T for camera in cameras]))
    K = torch.from_numpy(np.stack([camera.K for camera in cameras]))
    size = torch.tensor([[camera.width_px, camera.height_px] for camera in cameras], dtype=torch.float64)
    half = size.amin(dim=1, keepdim=True) / 2
    return PeerCameras(
        R=R.transpose(1, 2) * _FLIP_XY,
        T=T * _FLIP_XY,
        focal_length=torch.stack([K[:, 0, 0], K[:, 1, 1]], dim=1) / half,
        principal_point=-(K[:, :2, 2] - size / 2) / half,
        image_size=size.flip(1).long(),
    )


def cameras_from_peer(peer: PeerCameras) -> list[PinholeCamera]:
    """PyTorch3D's cameras as ours."""
    height_width = peer.image_size.double()
    half, size = height_width.amin(dim=1, keepdim=True) / 2, height_width.flip(1)
    focal_px, center_px = peer.focal_length.double() * half, size / 2 - peer.principal_point.double() * half
    R, T = (peer.R.double() * _FLIP_XY).transpose(1, 2).numpy(), (peer.T.double() * _FLIP_XY).numpy()
    cameras = []
    for index, ((fx, fy), (cx, cy)) in enumerate(zip(focal_px.tolist(), center_px.tolist(), strict=True)):
        K = np.array([[fx, 0.0, cx], [0.0, fy, cy], [0.0, 0.0, 1.0]])
        height_px, width_px = (int(value) for value in peer.image_size[index])
        cameras.append(PinholeCamera(R[index], T[index], K, width_px, height_px))
    return cameras


def peer_mesh(
    vertices_mm: NDArray[np.float32], triangles: NDArray[np.int32], corner_uv: Tensor, texture: Tensor
) -> PeerMesh:
    """One of our textured meshes as PyTorch3D's.

    Args:
        vertices_mm: (V, 3).
        triangles: (T, 3).
        corner_uv: (T, 3, 2), v down as in `Scene`.
        texture: (3, h, w); gradients pass through.
    """
    faces = torch.from_numpy(np.asarray(triangles, np.int64))
    uv = corner_uv.reshape(-1, 2) * corner_uv.new_tensor([1, -1]) + corner_uv.new_tensor([0, 1])
    maps = texture.permute(1, 2, 0)[None]
    return PeerMesh(torch.from_numpy(np.asarray(vertices_mm)), faces, uv, torch.arange(len(uv)).reshape(-1, 3), maps)


def mesh_from_peer(peer: PeerMesh) -> tuple[NDArray[np.float32], NDArray[np.int32], Tensor, Tensor]:
    """PyTorch3D's mesh as ours: vertices (V, 3), triangles (T, 3), corner uv (T, 3, 2) and texture (3, h, w)."""
    uv = peer.verts_uvs[peer.faces_uvs]
    uv = uv * uv.new_tensor([1, -1]) + uv.new_tensor([0, 1])
    vertices, triangles = peer.verts.detach().cpu().numpy(), peer.faces.cpu().numpy()
    return vertices.astype(np.float32), triangles.astype(np.int32), uv, peer.maps[0].permute(2, 0, 1)


def fragments_from_peer(pix_to_face: Tensor, bary_coords: Tensor, zbuf: Tensor, triangles: int) -> Fragments:
    """PyTorch3D's fragments of a batch of one mesh as ours.

    Args:
        pix_to_face: (B, H, W, K) int64, counted through the batch; K >= 1, the nearest first.
        bary_coords: (B, H, W, K, 3).
        zbuf: (B, H, W, K).
        triangles: number of triangles of the mesh.
    """
    faces = pix_to_face[..., 0].cpu()
    local = torch.where(faces < 0, -1, faces % max(triangles, 1))
    return Fragments(
        local.to(torch.int32).numpy(),
        bary_coords[..., 0, :].detach().cpu().float().numpy(),
        zbuf[..., 0].detach().cpu().float().numpy(),
    )


def to_pytorch3d_cameras(cameras: Sequence[PinholeCamera], device: str | torch.device) -> Any:
    """Our cameras as a `pytorch3d.renderer.PerspectiveCameras`, float32."""
    renderer, _ = _pytorch3d()
    peer = peer_cameras(cameras)
    return renderer.PerspectiveCameras(
        R=peer.R.float(),
        T=peer.T.float(),
        focal_length=peer.focal_length.float(),
        principal_point=peer.principal_point.float(),
        image_size=peer.image_size,
        in_ndc=True,
        device=device,
    )


def to_pytorch3d_meshes(mesh: PeerMesh, count: int, device: str | torch.device) -> Any:
    """A textured mesh, repeated for a batch, as `pytorch3d.structures.Meshes`."""
    renderer, structures = _pytorch3d()
    textures = renderer.TexturesUV(
        maps=mesh.maps.float().to(device),
        faces_uvs=mesh.faces_uvs[None].to(device),
        verts_uvs=mesh.verts_uvs[None].float().to(device),
        align_corners=False,
        padding_mode="border",
    )
    verts, faces = mesh.verts[None].float().to(device), mesh.faces[None].to(device)
    return structures.Meshes(verts=verts, faces=faces, textures=textures).extend(count)


def rasterize_pytorch3d(
    vertices_mm: NDArray[np.float32],
    triangles: NDArray[np.int32],
    cameras: Sequence[PinholeCamera],
    device: str | torch.device = "cuda",
) -> Fragments:
    """As `maskdesign.render.zbuffer.rasterize`, by PyTorch3D's hard rasterizer.

    Args:
        device: a CUDA device; its CPU rasterizer, thousands of times slower than ours, runs only when "cpu" is said.

    Raises:
        InputError: PyTorch3D is missing, or there is no such device.
    """
    renderer, structures = _pytorch3d()
    if torch.device(device).type == "cuda" and not torch.cuda.is_available():
        raise InputError("the PyTorch3D back end needs a CUDA device, and torch sees none; use the zbuffer back end")
    settings = renderer.RasterizationSettings(
        image_size=(cameras[0].height_px, cameras[0].width_px),
        blur_radius=0.0,
        faces_per_pixel=1,
        perspective_correct=True,
        clip_barycentric_coords=False,
        cull_backfaces=False,
    )
    verts = torch.from_numpy(np.asarray(vertices_mm, np.float32)).to(device)
    faces = torch.from_numpy(np.asarray(triangles, np.int64)).to(device)
    meshes = structures.Meshes(verts=verts[None], faces=faces[None]).extend(len(cameras))
    rasterizer = renderer.MeshRasterizer(to_pytorch3d_cameras(cameras, device), settings)
    found = rasterizer(meshes)
    return fragments_from_peer(found.pix_to_face, found.bary_coords, found.zbuf, len(triangles))


def _pytorch3d() -> tuple[Any, Any]:
    try:
        from pytorch3d import renderer, structures  # type: ignore[import-not-found]
    except ImportError as error:
        raise InputError(f"the PyTorch3D back end needs PyTorch3D ({error}); {HOW_TO_GET}") from error
    return renderer, structures
