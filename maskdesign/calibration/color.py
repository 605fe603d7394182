"""The color of this printer and cloth: printed RGB -> seen light, its inverse, its gamut, what cannot be printed."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from maskdesign.errors import InputError
from maskdesign.files import check_readable
from maskdesign.render.print_response import PrintResponse, printed_color

LEAST_PATCHES = 24
RIDGE = 1e-5
DARK = 0.02
"""Added to the light before errors are weighed: the eye, and CIE Lab, count shares and not differences."""
GRID = 21

ROOTS = ((1.0, 0, 0), (0, 1.0, 0), (0, 0, 1.0), (0.5, 0.5, 0), (0, 0.5, 0.5), (0.5, 0, 0.5))
CUBE_ROOTS = tuple(
    tuple(k / 3 for k in row) for row in ((2, 1, 0), (1, 2, 0), (0, 2, 1), (0, 1, 2), (2, 0, 1), (1, 0, 2))
)
CONSTANT = ((0.0, 0, 0),)
GAIN = ((0.5, 0, 0), (0, 0.5, 0), (0, 0, 0.5))
SHARED = (
    (1 / 3, 1 / 3, 1 / 3),
    (0.25, 0.25, 0),
    (0, 0.25, 0.25),
    (0.25, 0, 0.25),
    (1.0, 1.0, 0),
    (0, 1.0, 1.0),
    (1.0, 0, 1.0),
)
BASES = (
    ROOTS,
    ROOTS + CONSTANT,
    ROOTS + CONSTANT + GAIN,
    ROOTS + CUBE_ROOTS + CONSTANT + GAIN,
    ROOTS + CUBE_ROOTS + CONSTANT + GAIN + SHARED,
)
"""Sets of exponents, each in the next: the root polynomials of Finlayson, Mackiewicz and Hurlbert 2015 of degree 2 and
3, ink that is never black, and the dot gain of prints (Yule and Nielsen 1951), which acts on square roots."""


@dataclass(frozen=True)
class ColorFit:
    """A fitted response.

    Attributes:
        response: printed RGB -> seen linear light, paper = 1.
        error: (n,) CIEDE2000 of each patch when it is left out of the fit.
        terms: number of terms that were chosen by this error.
    """

    response: PrintResponse
    error: NDArray[np.float64]
    terms: int


def fit_response(printed_rgb: NDArray[np.uint8], seen: NDArray[np.float64]) -> ColorFit:
    """The root polynomial, with as many terms as left-out patches bear.

    Args:
        printed_rgb: (n, 3) sRGB as sent to the printer.
        seen: (n, 3) linear light in the photo over that of the paper beside each patch.

    Raises:
        InputError: fewer than 24 patches, or colors that hardly differ.
    """
    if len(printed_rgb) < LEAST_PATCHES or np.ptp(seen, axis=0).min() < 0.1:
        raise InputError(f"{len(printed_rgb)} patches of little difference are no color chart; photograph it whole")
    best: ColorFit | None = None
    for exponents in BASES:
        design = _terms(printed_rgb, exponents)
        if design.shape[1] * 2.5 > len(design):
            continue
        weights = 1 / (seen.mean(axis=1) + DARK)
        coefficients, left_out = _solve(design, seen, weights)
        error = color_difference(left_out, seen)
        if best is None or error.mean() < best.error.mean():
            rows = tuple((float(a), float(b), float(c)) for a, b, c in exponents)
            table = tuple((float(a), float(b), float(c)) for a, b, c in coefficients)
            best = ColorFit(PrintResponse(rows, table), error, len(rows))
    assert best is not None
    return best


def _terms(printed_rgb: NDArray[np.uint8], exponents: tuple) -> NDArray[np.float64]:
    from maskdesign.render.color import DECODED

    logarithm = np.log(np.maximum(DECODED[printed_rgb].astype(np.float64), 1e-8))
    return np.exp(logarithm @ np.array(exponents).T)


def _solve(design: NDArray, seen: NDArray, weights: NDArray) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Ridge regression, and every patch predicted from the others (the leverage formula)."""
    rows, target = design * weights[:, None], seen * weights[:, None]
    gram = rows.T @ rows
    inverse = np.linalg.inv(gram + RIDGE * np.trace(gram) / len(gram) * np.eye(len(gram)))
    coefficients = inverse @ rows.T @ target
    leverage = np.einsum("nk,kl,nl->n", rows, inverse, rows)
    left_out = target - (target - rows @ coefficients) / np.maximum(1 - leverage, 0.05)[:, None]
    return coefficients, left_out / weights[:, None]


def seen_light(response: PrintResponse, printed_rgb: NDArray[np.uint8]) -> NDArray[np.float64]:
    """(n, 3) linear light of printed colors."""
    texture = torch.from_numpy(printed_rgb.astype(np.float64).T[:, :, None] / 255)
    return printed_color(response, texture)[..., 0].T.numpy()


def seen_lab(linear: NDArray[np.float64]) -> NDArray[np.float64]:
    """CIE Lab (D65) of linear sRGB relative to paper, (..., 3)."""
    from skimage.color import xyz2lab

    from maskdesign.render.light import XYZ_TO_SRGB

    return xyz2lab(np.maximum(linear, 0) @ np.linalg.inv(XYZ_TO_SRGB).T)


def color_difference(a_linear: NDArray[np.float64], b_linear: NDArray[np.float64]) -> NDArray[np.float64]:
    """CIEDE2000 between linear sRGB colors relative to paper, (n,)."""
    from skimage.color import deltaE_ciede2000

    return deltaE_ciede2000(seen_lab(a_linear), seen_lab(b_linear))


def printable(response: PrintResponse) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """A grid of printed colors and the Lab colors that they are seen as, (21^3, 3) each."""
    steps = np.linspace(0, 255, GRID).round().astype(np.uint8)
    rgb = np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), axis=-1).reshape(-1, 3)
    return rgb, seen_lab(seen_light(response, rgb))


def gamut_volume(response: PrintResponse) -> float:
    """Volume of the convex hull of what can be printed, cubic Lab units; sRGB has 970,000."""
    from scipy.spatial import ConvexHull

    return float(ConvexHull(printable(response)[1]).volume)


def to_print(response: PrintResponse, wanted_rgb: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """The inverse: what to send to the printer so that a color is seen, or the nearest that can be.

    Args:
        wanted_rgb: (n, 3) sRGB as it should look beside white paper.

    Returns:
        (n, 3) printer RGB, and (n,) CIEDE2000 that is left, large outside of the gamut.
    """
    from scipy.spatial import KDTree

    from maskdesign.render.color import DECODED

    rgb, lab = printable(response)
    wanted = DECODED[wanted_rgb].astype(np.float64)
    best = rgb[KDTree(lab).query(seen_lab(wanted))[1]].astype(np.int64)
    around = np.stack(np.meshgrid([-1, 0, 1], [-1, 0, 1], [-1, 0, 1]), axis=-1).reshape(-1, 3)
    for step in (8, 4, 2, 1):
        for _ in range(2):
            trial = np.clip(best[:, None] + step * around, 0, 255)
            colors = seen_lab(seen_light(response, trial.reshape(-1, 3).astype(np.uint8))).reshape(trial.shape)
            nearest = ((colors - seen_lab(wanted)[:, None]) ** 2).sum(axis=-1).argmin(axis=1)
            best = trial[np.arange(len(trial)), nearest]
    printed = best.astype(np.uint8)
    return printed, color_difference(seen_light(response, printed), wanted)


def nonprintability(texture: Tensor, palette: Tensor) -> Tensor:
    """Non-printability score of Sharif et al. 2016, equation 6, with the user's own patches as the palette.

    The mean over the pixels of the product of the distances to all printable colors; differentiable, 0 where every
    pixel is a printable color.

    Args:
        texture: (3, h, w) sRGB in [0, 1].
        palette: (K, 3) sRGB in [0, 1].
    """
    apart = torch.cdist(texture.flatten(1).T, palette.to(texture.dtype))
    return apart.prod(dim=1).mean()


def icc_response(path: Path, printed_rgb: NDArray[np.uint8]) -> ColorFit:
    """A response from the printer's ICC profile, where there is no printed chart; the paper is white.

    Raises:
        InputError: no profile of an RGB printer.
    """
    from PIL import Image, ImageCms

    check_readable(path)
    try:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(path.read_bytes()))
        transform = ImageCms.buildTransform(
            profile,
            ImageCms.createProfile("sRGB"),
            "RGB",
            "RGB",
            ImageCms.Intent.RELATIVE_COLORIMETRIC,
        )
        shown = ImageCms.applyTransform(Image.fromarray(printed_rgb[None]), transform)
    except (ImageCms.PyCMSError, OSError, ValueError) as error:
        raise InputError(f"{path}: no ICC profile of an RGB printer ({error}); give an .icc file") from error
    from maskdesign.render.color import DECODED

    assert shown is not None
    return fit_response(printed_rgb, DECODED[np.asarray(shown)[0]].astype(np.float64))
