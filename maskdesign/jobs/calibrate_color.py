"""Color calibration as a job: the printed chart's photo, or an ICC profile, becomes a print response."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from maskdesign.calibration.chart import load_chart, read_chart
from maskdesign.calibration.color import ColorFit, fit_response, gamut_volume, icc_response
from maskdesign.errors import ImageError, InputError, UsageError
from maskdesign.files import read_image, write_json
from maskdesign.jobs.calibrate_apply import write_design
from maskdesign.jobs.calibrate_reading import RESULT, read_result

SRGB_VOLUME = 8.3e5


@dataclass(frozen=True)
class ColorReading:
    """What `calibrate color` says.

    Attributes:
        source: the photos or the profile.
        patches: number of patches.
        terms: of the response.
        mean_error, worst_error: CIEDE2000 of patches left out of the fit.
        gamut: volume of what can be printed, cubic Lab units.
    """

    source: tuple[str, ...]
    patches: int
    terms: int
    mean_error: float
    worst_error: float
    gamut: float


def read_color(photos: tuple[Path, ...], icc: Path | None, out: Path) -> ColorReading:
    """Fit the print response and write it into the calibration folder.

    Args:
        photos: of the printed chart, averaged.
        icc: profile of the printer instead of photos.

    Raises:
        UsageError: neither, or both.
        InputError: a photo or a profile that cannot be used.
    """
    if bool(photos) == (icc is not None):
        raise UsageError(
            "name photos of the printed chart, or a profile with --icc, as in `maskdesign calibrate color chart.jpg`"
        )
    chart = load_chart()
    if icc is not None:
        fit, source = icc_response(icc, chart.patch_rgb), (icc.name,)
    else:
        fit, source = _from_photos(photos), tuple(path.name for path in photos)
    reading = ColorReading(
        source=source,
        patches=len(chart.patch_rgb),
        terms=fit.terms,
        mean_error=float(fit.error.mean()),
        worst_error=float(fit.error.max()),
        gamut=gamut_volume(fit.response),
    )
    document = read_result(out) | {"color": asdict(reading) | {"response": asdict(fit.response)}}
    write_json(out / RESULT, document)
    write_design(out, document)
    return reading


def _from_photos(photos: tuple[Path, ...]) -> ColorFit:
    chart = load_chart()
    seen = []
    for path in photos:
        try:
            seen.append(read_chart(read_image(path), chart))
        except ImageError as error:
            raise InputError(str(error) if str(path) in str(error) else f"{path}: {error}") from error
    return fit_response(chart.patch_rgb, np.mean(seen, axis=0))
