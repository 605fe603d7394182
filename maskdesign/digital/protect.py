"""One photo in, the protected photo, its key and its figures out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from maskdesign.digital.cells import TemplateSettings, choose_cells, photo_template, saliency
from maskdesign.digital.key import PhotoKey, make_key
from maskdesign.digital.networks import PerturbationNetwork
from maskdesign.digital.perturb import LADDER, STRENGTHS, FaceTask, PerturbSettings, climb, visual_gain
from maskdesign.digital.picture import Picture
from maskdesign.digital.region import FaceRegion, face_mask, face_regions, working_picture
from maskdesign.digital.sight import enroll_photo, view_margins
from maskdesign.digital.similarity import RADIUS_PX, reference, ssim
from maskdesign.digital.template import Template, joined
from maskdesign.errors import ConfigError
from maskdesign.recognition.recognizer import Recognizer

ALL_BITS = 8


@dataclass(frozen=True)
class ProtectSettings:
    """How photos are protected.

    Attributes:
        strength: the last rung of the ladder that may be climbed: faint, balanced or strong.
        low_bits: the XOR operand stays below 2 ** low_bits, as in the paper; 8 leaves it free (the target mode).
        user_seed: makes a user's templates unlike those of others; None for the plain one.
    """

    strength: str = "balanced"
    low_bits: int = ALL_BITS
    user_seed: int | None = None
    template: TemplateSettings = field(default_factory=TemplateSettings)
    perturb: PerturbSettings = field(default_factory=PerturbSettings)

    def __post_init__(self) -> None:
        if self.strength not in STRENGTHS:
            raise ConfigError(f"strength = {self.strength!r}: take one of {', '.join(STRENGTHS)}")
        if not 1 <= self.low_bits <= ALL_BITS:
            raise ConfigError(f"low_bits = {self.low_bits} must lie between 1 and 8")
        if self.user_seed is not None and self.user_seed < 0:
            raise ConfigError(f"--unique {self.user_seed} must not be negative")


@dataclass(frozen=True)
class ProtectedPhoto:
    """A protected photo with what there is to say about it.

    Attributes:
        picture, key: the result.
        faces: how many were protected.
        rung: the highest rung that one of them needed.
        ssim_photo, ssim_face, ssim_template: SSIM of the whole photo, in the faces' boxes, under the template.
        margins: recognizer -> highest margin of any face against the unchanged photo; > 0 = still recognized.
    """

    picture: Picture
    key: PhotoKey
    faces: int
    rung: str
    ssim_photo: float
    ssim_face: float
    ssim_template: float
    margins: Mapping[str, float]


def protect(
    picture: Picture,
    recognizers: Sequence[Recognizer],
    settings: ProtectSettings,
    rng: np.random.Generator,
    source: str,
    generator: PerturbationNetwork | None = None,
) -> ProtectedPhoto:
    """Protect every face of a photo.

    Args:
        generator: a trained network whose change the optimization begins with; none is needed.
        rng: of the noise that starts the optimization; a fresh one for each photo.
        source: name of the photo, for messages.

    Raises:
        FaceError: no face, or none that is large enough.
    """
    regions = face_regions(picture, source)
    pixels, templates, rungs = picture.pixels.copy(), [], []
    for region in regions:
        template, rung = _protect_face(
            region, pixels[..., : picture.color_channels], recognizers, settings, rng, generator
        )
        templates.append(template)
        rungs.append(rung)
    protected = picture.with_pixels(pixels)
    key = make_key(picture, protected, joined(templates))
    return describe(picture, protected, key, regions, STRENGTHS[max(rungs)], recognizers)


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
    cells = key.template.mask(*original.shape)
    return ProtectedPhoto(
        picture=protected,
        key=key,
        faces=len(regions),
        rung=rung,
        ssim_photo=ssim(original.rgb, protected.rgb),
        ssim_face=ssim(original.rgb, protected.rgb, boxes),
        ssim_template=ssim(original.rgb, protected.rgb, cells),
        margins=own_margins(original, protected, regions, recognizers),
    )


def _protect_face(
    region: FaceRegion,
    pixels: NDArray[np.uint8],
    recognizers: Sequence[Recognizer],
    settings: ProtectSettings,
    rng: np.random.Generator,
    generator: PerturbationNetwork | None,
) -> tuple[Template, int]:
    """Change one face in place; returns its template and the number of its rung."""
    image = working_picture(region, pixels)
    task, corners = face_task(region, image, recognizers, settings, rng)
    start = None if generator is None else generated_change(generator, task, rng)
    rung, change = climb(task, LADDER[: STRENGTHS.index(settings.strength) + 1], settings.perturb, rng, start)
    add_change(region, pixels, change, settings.low_bits)
    return photo_template(region, corners, settings.template.cell_px), LADDER.index(rung)


def face_task(
    region: FaceRegion,
    image: Tensor,
    recognizers: Sequence[Recognizer],
    settings: ProtectSettings,
    rng: np.random.Generator,
) -> tuple[FaceTask, NDArray[np.int32]]:
    """The task of one face, and the corners of its cells in the working picture.

    Args:
        image: (C, h, w) working picture in [0, 255].
    """
    height, width = image.shape[1:]
    members, points, eye = enroll_photo(recognizers, image, region.points_px()), region.points_px(), reference(image)
    gain = visual_gain(eye)
    worth = (saliency(members, image, points, rng) * gain.sqrt()).sum(dim=0).double().numpy()
    corners = choose_cells(region, worth, settings.template, settings.user_seed)
    side = np.full((len(corners), 1), settings.template.cell_px, np.int32)
    free = torch.from_numpy(Template(np.concatenate([corners, side], axis=1)).mask(height, width))
    low, high = bit_bounds(image, settings.low_bits)
    inner = slice(RADIUS_PX, -RADIUS_PX)
    return FaceTask(
        members=members,
        points_px=points,
        eye=eye,
        low=torch.where(free, low, image),
        high=torch.where(free, high, image),
        face=torch.from_numpy(face_mask(region, height, width)[inner, inner].copy()),
        gain=gain,
    ), corners


@torch.no_grad()
def generated_change(generator: PerturbationNetwork, task: FaceTask, rng: np.random.Generator) -> Tensor:
    """(C, h, w) change that a trained network proposes under the task's template."""
    image, free = task.eye.pixels, (task.high > task.low).any(dim=0)
    noise = torch.from_numpy(rng.normal(size=(1, *image.shape[1:])).astype(np.float32))
    whole = image.expand(3, -1, -1).round()
    change = generator(whole, noise, free) - whole
    return change if len(image) == 3 else change.mean(dim=0, keepdim=True)


def bit_bounds(pixels: Tensor, low_bits: int) -> tuple[Tensor, Tensor]:
    """What a pixel can become by XOR with an operand below 2 ** low_bits: every value of its own aligned block.

    Args:
        pixels: any shape, in [0, 255].

    Returns:
        lowest and highest value of the block.
    """
    block = 2.0**low_bits
    low = (pixels / block).floor() * block
    return low, (low + block - 1).clamp(max=255)


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
