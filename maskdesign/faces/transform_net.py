"""T-Net: from the landmarks of a face in a picture to the rotation of the head, without its shape or the camera.

PrivacyMask (its Fig 12) turns points to "the camera's orthogonal position" with the T-Net of PointNet (Qi et al. 2017,
section 4.2): every point goes through the same network, the strongest answers are pooled, and a matrix comes out. Here
the points are landmarks that have names, so that each name has a first layer of its own, and the matrix is a rotation
by construction (Zhou et al. 2019, "On the continuity of rotation representations": 6 numbers, orthonormalized).

Exact, not learned: a picture that is shifted, scaled or turned in its plane, or a mirrored one, gives the same answer,
turned or mirrored likewise.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load, save
from torch import Tensor, nn

from maskdesign.errors import FaceError, InputError
from maskdesign.faces.posed_landmarks import FEWEST, NAMES, PARTNERS, mean_landmarks_mm
from maskdesign.files import PACKAGE, check_readable, write_bytes

WEIGHTS = PACKAGE / "faces" / "weights" / "transform_net.safetensors"
SHA256 = "191cb0216c1b1256c87696b2fdfb29ff73ad9a0919e76dd33f8ac80fe2779eef"
POINT_WIDTH, SHARED_WIDTH, HEAD_WIDTH = 48, 160, 128
UNIT_MM = 40.0


class TransformNet(nn.Module):
    """(B, 12, 2) aligned points and (B, 12) which of them are seen -> (B, 6) two columns of a rotation, as they are."""

    def __init__(self) -> None:
        super().__init__()
        self.own = nn.Parameter(torch.randn(len(NAMES), 3, POINT_WIDTH) / 1.7)
        self.shared = nn.Sequential(nn.Linear(POINT_WIDTH, SHARED_WIDTH), nn.ReLU())
        self.joined = nn.Sequential(nn.Linear(POINT_WIDTH + SHARED_WIDTH, SHARED_WIDTH), nn.ReLU())
        self.head = nn.Sequential(nn.Linear(2 * SHARED_WIDTH, HEAD_WIDTH), nn.ReLU(), nn.Linear(HEAD_WIDTH, 6))

    def forward(self, points: Tensor, visible: Tensor) -> Tensor:
        """As the class says."""
        seen = visible[..., None].to(points.dtype)
        own = torch.relu(torch.einsum("bnc,ncw->bnw", torch.cat([points, torch.ones_like(seen)], dim=2), self.own))
        pooled = _strongest(self.shared(own), seen)
        joined = self.joined(torch.cat([own, pooled[:, None].expand(-1, own.shape[1], -1)], dim=2))
        mean = (joined * seen).sum(dim=1) / seen.sum(dim=1)
        return self.head(torch.cat([_strongest(joined, seen), mean], dim=1))


def _strongest(features: Tensor, seen: Tensor) -> Tensor:
    # Features are not negative, so that 0 is what a hidden point may say.
    return (features * seen).amax(dim=1)


def rotations(network: TransformNet, points: Tensor, visible: Tensor) -> Tensor:
    """How the heads are turned.

    Args:
        points: (B, 12, 2) in any unit, +x right, +y up, in the order of `NAMES`; hidden ones are ignored.
        visible: (B, 12), at least six in each row.

    Returns:
        (B, 3, 3) in the face frame; differentiable in the network's weights.
    """
    aligned, angle = align_in_plane(points, visible)
    flip = torch.tensor([-1.0, 1.0, 1.0]).to(aligned)
    one, other = network(aligned, visible), network(aligned[:, PARTNERS] * flip[:2], visible[:, PARTNERS])
    # A mirrored head's rotation is F R F: what the mirrored picture says of the two columns is mirrored back.
    both = one + torch.cat([-flip, flip]) * other
    return _in_plane(angle) @ orthonormal(both)


def align_in_plane(points: Tensor, visible: Tensor) -> tuple[Tensor, Tensor]:
    """Shift, scale and turn points in the plane to lie over the mean head seen from the front, by least squares.

    Returns:
        (B, 12, 2) in units of the network, 0 where hidden, and (B,) radians by which each picture was turned.
    """
    mean = torch.from_numpy(mean_landmarks_mm()[:, :2] / UNIT_MM).to(points)
    seen = visible[..., None].to(points)
    own = (points - (points * seen).sum(dim=1, keepdim=True) / seen.sum(dim=1, keepdim=True)) * seen
    target_middle = (mean * seen).sum(dim=1, keepdim=True) / seen.sum(dim=1, keepdim=True)
    target = (mean - target_middle) * seen
    along = (own * target).sum(dim=(1, 2))
    across = (own[..., 1] * target[..., 0] - own[..., 0] * target[..., 1]).sum(dim=1)
    angle = torch.atan2(across, along)
    scale = torch.hypot(along, across) / own.square().sum(dim=(1, 2)).clamp_min(1e-12)
    back = _in_plane(angle)[:, :2, :2]
    return (scale[:, None, None] * own @ back + target_middle) * seen, angle


def _in_plane(angle: Tensor) -> Tensor:
    """(B,) radians -> (B, 3, 3) rotations about z, counterclockwise as +y is up."""
    c, s, zero, one = angle.cos(), angle.sin(), torch.zeros_like(angle), torch.ones_like(angle)
    return torch.stack([c, -s, zero, s, c, zero, zero, zero, one], dim=1).reshape(-1, 3, 3)


def orthonormal(six: Tensor) -> Tensor:
    """(B, 6) -> (B, 3, 3) rotations by Gram and Schmidt; the numbers are two columns less those of the identity."""
    first, second = six[:, :3] + six.new_tensor([1.0, 0, 0]), six[:, 3:] + six.new_tensor([0, 1.0, 0])
    x = nn.functional.normalize(first, dim=1)
    y = nn.functional.normalize(second - (x * second).sum(dim=1, keepdim=True) * x, dim=1)
    return torch.stack([x, y, torch.linalg.cross(x, y)], dim=2)


def save_transform_net(network: TransformNet, path: Path) -> str:
    """Write the weights as float16, atomically; returns their sha256."""
    data = save({name: value.detach().half().contiguous() for name, value in network.state_dict().items()})
    write_bytes(path, data)
    return hashlib.sha256(data).hexdigest()


@lru_cache(maxsize=1)
def load_transform_net(path: Path = WEIGHTS, sha256: str = SHA256) -> TransformNet:
    """The network that comes with the package.

    Raises:
        InputError: the file is missing, or not the one that was measured.
    """
    check_readable(path)
    data = path.read_bytes()
    if hashlib.sha256(data).hexdigest() != sha256:
        raise InputError(f"{path}: is not the network of this version; install maskdesign again")
    network = TransformNet()
    network.load_state_dict({name: value.float() for name, value in load(data).items()})
    # In float64, as pictures may be far larger than faces.
    return network.double().eval()


@torch.no_grad()
def head_rotation(points_px: Mapping[str, NDArray[np.float64]], source: str) -> NDArray[np.float64]:
    """How the head in a picture is turned, from its landmarks alone.

    Args:
        points_px: names of `NAMES` -> (2,) pixels, +y down; other names are ignored, hidden landmarks left out.
        source: name of the picture, for messages.

    Returns:
        (3, 3) rotation in the face frame; the identity looks at the camera.

    Raises:
        FaceError: fewer than six of the landmarks, one that is no two finite numbers, or all in one place.
    """
    visible = np.array([name in points_px for name in NAMES])
    if visible.sum() < FEWEST:
        raise FaceError(
            f"{source}: {visible.sum()} landmarks of the face; give at least {FEWEST} of {', '.join(NAMES)}"
        )
    points = np.zeros((len(NAMES), 2))
    for row in np.flatnonzero(visible):
        point = np.asarray(points_px[NAMES[row]], dtype=np.float64)
        if point.shape != (2,) or not np.isfinite(point).all():
            raise FaceError(f"{source}: {NAMES[row]} = {point.tolist()} is not x, y in pixels")
        points[row] = point * [1, -1]
    if np.ptp(points[visible], axis=0).max() <= 0:
        raise FaceError(f"{source}: all landmarks lie in one place; give their x, y in pixels")
    return rotations(load_transform_net(), torch.from_numpy(points[None]), torch.from_numpy(visible[None]))[0].numpy()
