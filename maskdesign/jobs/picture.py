"""The user's own picture of a design: read, laid on the sheet, refused where it is none or shows a face."""

from __future__ import annotations

import hashlib
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps
from torch import Tensor

from maskdesign.errors import FaceError, ImageError
from maskdesign.evaluation.controls import control_textures
from maskdesign.evaluation.likeness import faces_on_sheet
from maskdesign.files import open_image, read_image, write_image
from maskdesign.jobs.config import JobConfig
from maskdesign.optimize.canvas import Canvas
from maskdesign.optimize.picture import PictureCanvas
from maskdesign.optimize.printability import printable_colors
from maskdesign.optimize.texture import grid_shape, texture_tensor
from maskdesign.run import Run

PICTURE_ALONE = "the picture alone"


def laid_picture(config: JobConfig, texel_mm: float) -> NDArray[np.uint8]:
    """The picture of a configuration on its sheet: cut to the sheet's shape about its middle, in printable colors.

    What is transparent shows white cloth. Colors beyond the darkest and the lightest that an office printer is taken to
    reach (`printable_colors`) take these.

    Args:
        texel_mm: spacing of the pixels.

    Returns:
        (h, w, 3) uint8 sRGB.

    Raises:
        InputError: no such file.
        ImageError: no image, damaged, too large, transparent all over, or with fewer pixels than a design's texture.
    """
    path, spacing = Path(config.picture.file), config.texture.texel_mm
    rows, columns = grid_shape(config.mask, spacing)
    pixels = _opaque(path)
    scale = min(pixels.shape[0] / rows, pixels.shape[1] / columns)
    if scale < 1:
        raise ImageError(
            f"{path}: {pixels.shape[1]} x {pixels.shape[0]} pixels are too few for the sheet; "
            f"give a picture of at least {columns} x {rows}"
        )
    height, width = grid_shape(config.mask, texel_mm)
    cut = _middle(pixels, height / width)
    kind = cv2.INTER_AREA if cut.shape[0] >= height else cv2.INTER_CUBIC
    laid = np.asarray(cv2.resize(cut, (width, height), interpolation=kind))
    colors = 255 * printable_colors().numpy()
    return laid.clip(np.ceil(colors.min(axis=0)), np.floor(colors.max(axis=0))).astype(np.uint8)


def _opaque(path: Path) -> NDArray[np.uint8]:
    with open_image(path) as image:
        upright = ImageOps.exif_transpose(image).convert("RGBA")
        if not upright.getchannel("A").getbbox():
            raise ImageError(f"{path}: is transparent all over; give a picture that shows something")
        white = Image.new("RGBA", upright.size, "white")
        return np.asarray(Image.alpha_composite(white, upright).convert("RGB"))


def _middle(pixels: NDArray[np.uint8], shape: float) -> NDArray[np.uint8]:
    """The largest part about the middle whose height is `shape` of its width."""
    height, width = pixels.shape[:2]
    down, across = min(height, round(width * shape)), min(width, round(height / shape))
    top, left = (height - down) // 2, (width - across) // 2
    return pixels[top : top + down, left : left + across]


def on_picture(canvas: Canvas, config: JobConfig) -> Canvas:
    """The canvas, drawing over the configuration's picture; the canvas itself where there is none."""
    if not config.picture.file:
        return canvas
    spacings = (config.texture.texel_mm, config.texture.print_texel_mm)
    laid = {grid_shape(config.mask, mm): texture_tensor(laid_picture(config, mm)) for mm in spacings}
    return PictureCanvas(canvas, laid, config.picture.departure)


def picture_identity(config: JobConfig) -> dict[str, str]:
    """What a run's job must record of its picture; nothing where it has none.

    Raises:
        FaceError: at least two detectors find a face on the sheet that the picture makes.
        InputError, ImageError: as `laid_picture`.
    """
    if not config.picture.file:
        return {}
    pixels = laid_picture(config, config.texture.print_texel_mm)
    if not config.picture.allow_face:
        _refuse_faces(config.picture.file, pixels)
    return {"picture": hashlib.sha256(pixels.tobytes()).hexdigest()}


def _refuse_faces(file: str, pixels: NDArray[np.uint8]) -> None:
    found = {name: count for name, count in faces_on_sheet(pixels).items() if count >= 2}
    # One detector alone takes flowers and rings for faces now and then.
    if len(found) >= 2:
        said = ", ".join(f"{name} in {count} of 8 pictures" for name, count in found.items())
        raise FaceError(
            f"{file}: shows a face ({said} of the flat sheet), which nobody should have to wear; give another picture, "
            "or set picture.allow_face=true where it is none"
        )


def keep_picture(run: Run, config: JobConfig) -> None:
    """Leave the laid picture in the run folder, where evaluations find it."""
    if config.picture.file:
        write_image(run.picture, laid_picture(config, config.texture.print_texel_mm))


def run_controls(run: Run, config: JobConfig) -> dict[str, Tensor]:
    """The control textures of a run, and its picture as it is where it has one."""
    controls = control_textures(config.texture, config.mask)
    if not config.picture.file:
        return controls
    return {**controls, PICTURE_ALONE: texture_tensor(read_image(run.picture))}
