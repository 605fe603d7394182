"""`report.html`: one file that shows a run to a person, with nothing loaded from anywhere."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from maskdesign.evaluation.table import DESIGNED, Evaluation, Gain, strongest_control

HEADLINE_CONTROL = "plain blue"


@dataclass(frozen=True)
class ReportContent:
    """Everything the page shows.

    Attributes:
        run_id, source, scale: the run, its photo, and what set the millimeters.
        pictures: caption -> (H, W, 3) uint8, in order.
        curve_svg: course of the design.
        heat_svg: recognizer -> heat maps over the views.
        robustness: content of `robustness.json`; None where the grid was not asked for.
        robustness_svg: recognizer -> its heat maps; empty without it.
        evaluation: rows and gains.
        recognizers: name -> one line about it.
        surrogates: names of those that this project trained.
        drape: figure -> value with its unit.
        sheet: (H, W, 3) uint8 picture of the print sheet.
        config_toml: resolved configuration.
        environment: name -> version.
    """

    run_id: str
    source: str
    scale: str
    pictures: dict[str, NDArray[np.uint8]]
    curve_svg: str
    heat_svg: dict[str, str]
    robustness: Mapping[str, Any] | None
    robustness_svg: dict[str, str]
    evaluation: Evaluation
    recognizers: dict[str, str]
    surrogates: frozenset[str]
    drape: dict[str, str]
    sheet: NDArray[np.uint8]
    config_toml: str
    environment: dict[str, str]


def report_html(content: ReportContent) -> str:
    """The page as text."""
    from jinja2 import Environment, StrictUndefined

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {"data_url": data_url, "share": share, "signed": signed}
    template = resources.files("maskdesign.evaluation").joinpath("templates/report.html").read_text(encoding="utf-8")
    return environment.from_string(template).render(
        content=content,
        headline=headline_gains(content.evaluation),
        strongest={name: strongest_control(content.evaluation, name) for name in content.recognizers},
        designed=DESIGNED,
    )


def headline_gains(evaluation: Evaluation) -> list[Gain]:
    """The design against the plain blue mask, one gain a recognizer."""
    return [gain for gain in evaluation.gains if gain.control == HEADLINE_CONTROL]


def data_url(pixels: NDArray[np.uint8]) -> str:
    """Pixels as a PNG inside a URL."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()


def share(value: float) -> str:
    """A share of 1 in percent."""
    return f"{100 * value:.0f} %"


def signed(value: float) -> str:
    """A number with its sign, two digits."""
    return f"{value:+.2f}"
