"""The page, the curves and the raw scores of a test on real photos."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib import resources
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskdesign.evaluation.pairs import Photo
from maskdesign.evaluation.report import data_url, share, signed
from maskdesign.evaluation.table import DESIGNED
from maskdesign.evaluation.verification import PhotoRow
from maskdesign.files import write_text
from maskdesign.run import Run

COLORS = ("#888888", "#c9a227", "#4a90c2", "#7a5195", "#2a9d8f", "#c8553d", "#000000", "#b0b0b0")


@dataclass(frozen=True)
class PhotoPictures:
    """Pictures of the page; they show real people and stay in the run folder.

    Attributes:
        dodged, matched: enrolled photo above masked probe, pairs side by side: those with the lowest and with the
            highest scores under the first recognizer.
        textures: name -> (h, w, 3) uint8.
    """

    dodged: NDArray[np.uint8]
    matched: NDArray[np.uint8]
    textures: Mapping[str, NDArray[np.uint8]]


def write_photo_report(
    run: Run,
    evaluation: Any,
    pairs: Sequence[tuple[Photo, Photo]],
    scores: Mapping[str, Mapping[str, NDArray[np.float64]]],
    pictures: PhotoPictures,
) -> None:
    """Write `photo-report.html`, `photo-rows.csv` and `photo-scores.csv` into a run.

    Every rate of the page is a mean over lines of `photo-scores.csv`.

    Args:
        evaluation: `PhotoEvaluation`.
        pairs: (enrolled, probe) of the genuine pairs, in the order of the scores.
        scores: recognizer -> texture -> (p,).
        pictures: of the page.
    """
    from jinja2 import Environment, StrictUndefined

    rows = [{key: value for key, value in asdict(row).items() if key != "det"} for row in evaluation.rows]
    write_text(run.path("photo-rows.csv"), _csv(list(rows[0]), [list(row.values()) for row in rows]))
    write_text(run.path("photo-scores.csv"), _scores_csv(pairs, scores))
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {"data_url": data_url, "share": share, "signed": signed}
    template = resources.files("maskdesign.evaluation").joinpath("templates/photos.html").read_text(encoding="utf-8")
    page = environment.from_string(template).render(
        run_id=run.run_id, evaluation=evaluation, det=det_svg(evaluation.rows), pictures=pictures, designed=DESIGNED
    )
    write_text(run.path("photo-report.html"), page)


def det_svg(rows: Sequence[PhotoRow]) -> str:
    """DET curves, one plot a recognizer: FNMR over FMR, both logarithmic; lower left is an accurate recognizer."""
    import matplotlib.style
    from matplotlib.figure import Figure

    names = list(dict.fromkeys(row.recognizer for row in rows))
    with matplotlib.style.context({"svg.fonttype": "none", "font.size": 9, "svg.hashsalt": "maskdesign"}):
        figure = Figure(figsize=(4 * len(names), 3.6), layout="constrained")
        plots = figure.subplots(1, len(names), squeeze=False, sharey=True)[0]
        for axes, name in zip(plots, names, strict=True):
            own = [row for row in rows if row.recognizer == name]
            for row, color in zip(own, COLORS * len(own), strict=False):
                fmr, fnmr = np.array(row.det).T
                axes.loglog(fmr, np.maximum(fnmr, 1e-3), color=color, label=row.texture, linewidth=1.4)
            axes.set(title=name, xlabel="FMR", xlim=(1e-4, 1), ylim=(1e-3, 1.1))
            axes.grid(alpha=0.3)
        plots[0].set_ylabel("FNMR (higher = dodged more often)")
        plots[-1].legend(frameon=False, fontsize=7, loc="lower left")
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    return buffer.getvalue().partition("<svg")[1] + buffer.getvalue().partition("<svg")[2]


def _scores_csv(pairs: Sequence[tuple[Photo, Photo]], scores: Mapping[str, Mapping[str, NDArray[np.float64]]]) -> str:
    lines = [
        [recognizer, texture, f"{a[0]}_{a[1]:04d}", f"{b[0]}_{b[1]:04d}", f"{value:.6f}"]
        for recognizer, by_texture in scores.items()
        for texture, values in by_texture.items()
        for (a, b), value in zip(pairs, values, strict=True)
    ]
    return _csv(["recognizer", "texture", "enrolled", "probe", "score"], lines)


def _csv(header: list[str], lines: list[list]) -> str:
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerows([header, *lines])
    return buffer.getvalue()
