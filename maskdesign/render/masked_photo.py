"""A real photo with the mask of its own wearer rendered before it, for any print: compact, on disk and in memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from maskdesign.errors import InputError
from maskdesign.faces.scan import FaceScan
from maskdesign.files import read_npz, write_npz
from maskdesign.mask.pattern import MaskPattern
from maskdesign.mask.worn import WornMask
from maskdesign.render.color import DECODED
from maskdesign.render.composite import composite_view, estimate_light, photo_pose
from maskdesign.render.scene import build_scene
from maskdesign.render.shading import RenderSettings
from maskdesign.render.texture import AffineView

WINDOW_PX = 176
"""Side of the part of a photo around a face: three eye distances and more, which every recognizer's crop lies in."""
MAX_EYES_PX = 52.0
"""Larger faces are averaged over whole pixels down to this distance of the eyes, so that they fit the window."""
UV_STEPS = 65535.0


@dataclass(frozen=True, eq=False)
class MaskedPhoto:
    """A photo that lacks only the print of its mask. About 250 kB.

    Attributes:
        photo: (S, S, 3) uint8 sRGB around the face, black outside the picture; S = `WINDOW_PX`.
        touched: (m,) uint16 row * S + column of the pixels that the mask changes.
        base: (m, 3) float16 linear light of these pixels but for the print.
        pixel: (n,) uint16 pixel of each sample that shows print.
        uv: (n, 2) uint16, place on the sheet in steps of 1 / 65535.
        weight: (n,) float16 light that falls on the sample's share of the pixel; it is white.
        points_px: landmark name -> (2,) pixels in `photo`.
        pose_error_px: how far the head's landmarks lie from the photo's, root mean square.
        strain_rms: of the mask's cloth.
    """

    photo: NDArray[np.uint8]
    touched: NDArray[np.uint16]
    base: NDArray[np.float16]
    pixel: NDArray[np.uint16]
    uv: NDArray[np.uint16]
    weight: NDArray[np.float16]
    points_px: Mapping[str, NDArray[np.float64]]
    pose_error_px: float
    strain_rms: float


def face_window(
    image: NDArray[np.uint8], points_px: Mapping[str, NDArray[np.float64]]
) -> tuple[NDArray[np.uint8], dict[str, NDArray[np.float64]]]:
    """The part of a photo that recognizers look at, and the landmarks in it. Pixels are kept or averaged, never moved.

    Args:
        image: (H, W, 3) uint8 sRGB.
        points_px: landmark name -> (2,) pixels.

    Returns:
        (S, S, 3) uint8, and landmark name -> (2,) pixels in it.
    """
    import cv2

    eyes = np.stack([(points_px[f"eye_outer_{s}"] + points_px[f"eye_inner_{s}"]) / 2 for s in ("left", "right")])
    factor = max(1, int(np.ceil(np.linalg.norm(eyes[1] - eyes[0]) / MAX_EYES_PX)))
    height, width = image.shape[0] // factor * factor, image.shape[1] // factor * factor
    small = cv2.resize(image[:height, :width], (width // factor, height // factor), interpolation=cv2.INTER_AREA)
    middle = (eyes.mean(axis=0) + points_px["subnasale"]) / 2 / factor
    corner = np.round(middle - WINDOW_PX / 2).astype(int)
    window = np.zeros((WINDOW_PX, WINDOW_PX, 3), np.uint8)
    low, high = np.maximum(corner, 0), np.minimum(corner + WINDOW_PX, small.shape[1::-1])
    if (high > low).all():
        inside = np.concatenate([low - corner, high - corner])
        window[inside[1] : inside[3], inside[0] : inside[2]] = small[low[1] : high[1], low[0] : high[0]]
    return window, {name: point[:2] / factor - corner for name, point in points_px.items()}


def mask_photo(
    photo: NDArray[np.uint8],
    points_px: Mapping[str, NDArray[np.float64]],
    face: FaceScan,
    worn: WornMask,
    pattern: MaskPattern,
    settings: RenderSettings,
) -> MaskedPhoto:
    """Find the pose and the light of a photo and put the mask before it.

    Args:
        photo: (S, S, 3), from `face_window`, with its landmarks `points_px`.
        face: the head in the photo.
        worn: the mask on it.

    Raises:
        InputError: the photo shows too little of the head.
    """
    pose = photo_pose(face, points_px, WINDOW_PX, WINDOW_PX)
    light = estimate_light(build_scene(face, None, pattern), pose.camera, photo)
    view = composite_view(build_scene(face, worn, pattern), pose.camera, light, photo, settings)
    changed = (view.base != DECODED[photo].transpose(2, 0, 1)).any(axis=0).ravel()
    touched = np.flatnonzero(changed)
    return MaskedPhoto(
        photo=photo,
        touched=touched.astype(np.uint16),
        base=view.base.reshape(3, -1).T[touched].astype(np.float16),
        pixel=view.pixel.astype(np.uint16),
        uv=np.rint(np.clip(view.uv, 0, 1) * UV_STEPS).astype(np.uint16),
        weight=view.weight.mean(axis=1).astype(np.float16),
        points_px=dict(points_px),
        pose_error_px=pose.error_px,
        strain_rms=worn.report.strain_rms,
    )


def bare_light(masked: MaskedPhoto) -> NDArray[np.float32]:
    """The photo without the mask, (3, S, S) linear light."""
    return np.ascontiguousarray(DECODED[masked.photo].transpose(2, 0, 1))


def affine_view(masked: MaskedPhoto) -> AffineView:
    """The photo as a function of the print, in linear light."""
    base = bare_light(masked)
    base.reshape(3, -1)[:, masked.touched] = masked.base.T
    weight = np.repeat(masked.weight.astype(np.float32)[:, None], 3, axis=1)
    return AffineView(base, masked.pixel.astype(np.int32), masked.uv.astype(np.float32) / np.float32(UV_STEPS), weight)


ARRAYS = ("photo", "touched", "base", "pixel", "uv", "weight")


def save_masked(masked: MaskedPhoto, path: Path) -> None:
    """Write one .npz."""
    names = sorted(masked.points_px)
    write_npz(
        path,
        **{name: getattr(masked, name) for name in ARRAYS},
        point_names=np.array(names),
        points_px=np.stack([masked.points_px[name] for name in names]),
        figures=np.array([masked.pose_error_px, masked.strain_rms]),
    )


def load_masked(path: Path) -> MaskedPhoto:
    """Read what `save_masked` wrote.

    Raises:
        InputError: missing, damaged, or another kind of file.
    """
    arrays = read_npz(path)
    try:
        points = dict(zip(arrays["point_names"].tolist(), arrays["points_px"], strict=True))
        error_px, strain = arrays["figures"].tolist()
        return MaskedPhoto(
            **{name: arrays[name] for name in ARRAYS}, points_px=points, pose_error_px=error_px, strain_rms=strain
        )
    except (KeyError, ValueError, TypeError) as error:
        raise InputError(f"{path}: no masked photo ({error}); remove it, it will be made again") from error
