"""One photo in, the protected photo, its key and its figures out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from maskdesign.digital.cells import overlap, photo_template
from maskdesign.digital.chimp import SearchSettings
from maskdesign.digital.face_task import bit_bounds, face_task, generated_change
from maskdesign.digital.key import PhotoKey, make_key
from maskdesign.digital.networks import TrainedNetworks
from maskdesign.digital.perturb import LADDER, STRENGTHS, climb
from maskdesign.digital.picture import Picture
from maskdesign.digital.region import FaceRegion, face_mask, face_regions, working_picture
from maskdesign.digital.settings import ALL_BITS, ProtectSettings
from maskdesign.digital.sight import enroll_photo, view_margins
from maskdesign.digital.sigma import intercepted, searched_sigma, sigma_task
from maskdesign.digital.similarity import ssim_within
from maskdesign.digital.template import Template, joined
from maskdesign.recognition.recognizer import Recognizer


@dataclass(frozen=True)
class ProtectedPhoto:
    """A protected photo with what there is to say about it.

    Attributes:
        picture, key: the result.
        faces: how many were protected.
        rung: the highest rung that one of them needed.
        ssim_photo, ssim_face, ssim_template: SSIM of the whole photo, in the faces' boxes, under the template.
        margins: recognizer -> highest margin of any face against the unchanged photo; > 0 = still recognized.
        shared: of the pixels under this template or that of a user without a seed, the share under both (Jaccard
            index), in [0, 1]; None where it is not known.
    """

    picture: Picture
    key: PhotoKey
    faces: int
    rung: str
    ssim_photo: float
    ssim_face: float
    ssim_template: float
    margins: Mapping[str, float]
    shared: float | None = None


def protect(
    picture: Picture,
    recognizers: Sequence[Recognizer],
    settings: ProtectSettings,
    rng: np.random.Generator,
    source: str,
    networks: TrainedNetworks | None = None,
) -> ProtectedPhoto:
    """Protect every face of a photo.

    Args:
        networks: trained ones, for the template and for the change that the optimization begins with; none are needed.
        rng: of the noise that starts the optimization; a fresh one for each photo.
        source: name of the photo, for messages.

    Raises:
        FaceError: no face, or none that is large enough.
    """
    regions = face_regions(picture, source)
    pixels = picture.pixels.copy()
    colors = pixels[..., : picture.color_channels]
    faces = [_protect_face(region, colors, recognizers, settings, rng, networks) for region in regions]
    protected, template = picture.with_pixels(pixels), joined([face.template for face in faces])
    shared = overlap(template, joined([face.plain for face in faces]), *picture.shape)
    key, rung = make_key(picture, protected, template), STRENGTHS[max(face.rung for face in faces)]
    return replace(describe(picture, protected, key, regions, rung, recognizers), shared=shared)


def describe(
    original: Picture,
    protected: Picture,
    key: PhotoKey,
    regions: Sequence[FaceRegion],
    rung: str,
    recognizers: Sequence[Recognizer],
) -> ProtectedPhoto:
    """A protected photo with its figures."""
    boxes = np.any([photo_face_mask(region, *original.shape) for region in regions], axis=0)
    masks = (None, boxes, key.template.mask(*original.shape))
    whole, face, under = ssim_within(original.rgb, protected.rgb, masks)
    return ProtectedPhoto(
        picture=protected,
        key=key,
        faces=len(regions),
        rung=rung,
        ssim_photo=whole,
        ssim_face=face,
        ssim_template=under,
        margins=own_margins(original, protected, regions, recognizers),
    )


@dataclass(frozen=True)
class _Face:
    """One protected face: its template, that of a user without a seed, and the number of its rung."""

    template: Template
    plain: Template
    rung: int


def _protect_face(
    region: FaceRegion,
    pixels: NDArray[np.uint8],
    recognizers: Sequence[Recognizer],
    settings: ProtectSettings,
    rng: np.random.Generator,
    networks: TrainedNetworks | None,
) -> _Face:
    """Change one face in place."""
    image = working_picture(region, pixels)
    task, cells = face_task(region, image, recognizers, settings, rng, networks)
    start = None if networks is None else generated_change(networks.generator, task, rng)
    rung, change = climb(task, LADDER[: STRENGTHS.index(settings.strength) + 1], settings.perturb, rng, start)
    if settings.sigma_rounds:
        search = sigma_task(region, task, change, settings.perturb, rng)
        sigma = searched_sigma(search, SearchSettings(rounds=settings.sigma_rounds), int(rng.integers(2**31)))
        change = intercepted(change, search.parts, sigma)
    add_change(region, pixels, change, settings.low_bits)
    own, plain = (photo_template(region, corners, settings.template.cell_px) for corners in (cells.own, cells.plain))
    return _Face(own, plain, LADDER.index(rung))


def add_change(region: FaceRegion, pixels: NDArray[np.uint8], change: Tensor, low_bits: int = ALL_BITS) -> None:
    """Add a working picture's change to the photo's pixels in place, each within what the operand can reach.

    Args:
        pixels: (H, W, C) color channels of the photo.
        change: (C, h, w) in gray levels, 0 outside the template.
    """
    part = torch.from_numpy(pixels[region.window].copy()).permute(2, 0, 1).float()
    large = functional.interpolate(change[None], scale_factor=region.block_px, mode="nearest")[0]
    low, high = bit_bounds(part, low_bits)
    moved = torch.minimum(torch.maximum(part + large, low), high)
    pixels[region.window] = moved.round().byte().permute(1, 2, 0).numpy()


def photo_face_mask(region: FaceRegion, height_px: int, width_px: int) -> NDArray[np.bool_]:
    """(H, W) of the photo, True in the box around the face's landmarks."""
    mask = np.zeros((height_px, width_px), dtype=bool)
    working = face_mask(region, region.height_px // region.block_px, region.width_px // region.block_px)
    mask[region.window] = np.kron(working, np.ones((region.block_px,) * 2, dtype=bool))
    return mask


def own_margins(
    original: Picture, protected: Picture, regions: Sequence[FaceRegion], recognizers: Sequence[Recognizer]
) -> dict[str, float]:
    """Recognizer -> highest margin of any protected face against the same face unchanged."""
    rows = []
    for region in regions:
        points = region.points_px()
        members = enroll_photo(recognizers, working_picture(region, original.rgb), points)
        with torch.no_grad():
            rows.append(view_margins(members, working_picture(region, protected.rgb), points))
    worst = torch.stack(rows).amax(dim=0)
    return {recognizer.spec.name: value for recognizer, value in zip(recognizers, worst.tolist(), strict=True)}
