"""From landmarks in a picture to the crop that a recognizer was trained on."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from maskdesign.recognition.spec import RecognizerSpec
from maskdesign.recognition.warp import warp_affine


def similarity_from_points(points_px: Tensor, template_px: Tensor) -> Tensor:
    """The rotation, scale and shift that carries points onto a template with the least squared error.

    In the plane, a similarity without reflection is one complex factor and a shift, z -> c z + t, and the least
    squares solution of Umeyama, Least-squares estimation of transformation parameters, 1991, Eqs 40 to 42, reads
    c = sum(conj(p) q) / sum |p|^2 for centered points p and template q.

    Args:
        points_px: (B, n, 2) places in the picture, n >= 2.
        template_px: (n, 2) places in the crop.

    Returns:
        (B, 2, 3): crop = M[:, :2] @ picture + M[:, 2]. Differentiable.

    Convention: columns of points are x, y, both right and down.
    """
    center, target = points_px.mean(dim=1, keepdim=True), template_px.mean(dim=0)
    p, q = points_px - center, template_px - target
    size = (p * p).sum(dim=(1, 2))
    real = (p * q).sum(dim=(1, 2)) / size
    imaginary = (p[..., 0] * q[:, 1] - p[..., 1] * q[:, 0]).sum(dim=1) / size
    linear = torch.stack([real, -imaginary, imaginary, real], dim=1).reshape(-1, 2, 2)
    shift = target - (linear @ center.transpose(1, 2))[..., 0]
    return torch.cat([linear, shift[..., None]], dim=2)


def align_faces(images: Tensor, points_px: Tensor, spec: RecognizerSpec) -> Tensor:
    """Cut out what a recognizer wants to see, upright and of its size, black outside the picture.

    Pictures that shrink by more than 1.5 are averaged over whole pixels first, so that nothing aliases. Each crop
    depends on its own picture alone.

    Args:
        images: (B, 3, H, W) sRGB in [0, 1].
        points_px: (B, n, 2) places of `spec.points`.

    Returns:
        (B, 3, spec.height_px, spec.width_px) sRGB in [0, 1]; differentiable with respect to images and points.

    Convention: pixel centers at +0.5 in picture and crop.
    """
    template = images.new_tensor(spec.template_px)
    transform = similarity_from_points(points_px.to(images.dtype), template)
    factors, shape = _averaging_factors(transform), (spec.height_px, spec.width_px)
    if len(set(factors)) == 1:
        return _sample(images, transform, shape, factors[0])
    crops = [_sample(images[i : i + 1], transform[i : i + 1], shape, factor) for i, factor in enumerate(factors)]
    return torch.cat(crops)


def _places_in_image(transform: Tensor, factor: int) -> Tensor:
    """(B, 2, 3), the map from the crop to the picture after its pixels were averaged by a factor."""
    linear, offset = transform[..., :2], transform[..., 2:]
    # The inverse of a similarity is its transpose over the squared scale.
    inverse = linear.transpose(1, 2) / (linear[:, :1] ** 2).sum(dim=2, keepdim=True)
    return torch.cat([inverse, -(inverse @ offset)], dim=2) / factor


def _averaging_factors(transform: Tensor) -> list[int]:
    shrink = 1 / torch.linalg.vector_norm(transform.detach()[:, 0, :2], dim=1)
    return [max(1, int(factor + 0.5)) for factor in shrink.tolist()]


def _sample(images: Tensor, transform: Tensor, shape: tuple[int, int], factor: int) -> Tensor:
    if factor > 1:
        images = functional.avg_pool2d(images, factor, ceil_mode=True, count_include_pad=False)
    return warp_affine(images, _places_in_image(transform, factor), *shape)
