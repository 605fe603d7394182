"""Where a PDF's own drawing instructions place the targets: exact, but blind to what a printer does later."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskdesign.sheets.targets import FORM_NAME

TARGET = re.compile(rf"{FORM_NAME}(\d+)$")
MOST_FORMS = 200


class TooManyFormsError(ValueError):
    """A page that draws forms in forms without end: a rasterizer would be busy for years."""


def placed_forms(page: Any) -> list[tuple[str, NDArray[np.float64]]]:
    """Every form that a page draws, through forms in forms and every change of coordinates.

    Args:
        page: the pikepdf object of a page.

    Returns:
        the form's name and the (3, 3) map from its frame to the page's, for row vectors (PDF 1.7, 8.3.3).

    Raises:
        TooManyFormsError: more than 200 of them.
        TypeError, ValueError, AttributeError: operands of the wrong kind or number.

    Convention: PDF units, y up, before the page's /Rotate.
    """
    placed: list[tuple[str, NDArray[np.float64]]] = []
    pending = [(page, np.eye(3))]
    while pending:
        for name, form, matrix in _drawn_forms(*pending.pop()):
            placed.append((name, matrix))
            pending.append((form, matrix))
            if len(placed) > MOST_FORMS:
                raise TooManyFormsError(f"draws more than {MOST_FORMS} forms")
    return placed


def _drawn_forms(content: Any, base: NDArray[np.float64]) -> Iterator[tuple[str, Any, NDArray[np.float64]]]:
    import pikepdf

    forms = content.get("/Resources", {}).get("/XObject", {})
    current, saved = base, []
    for operands, operator in pikepdf.parse_content_stream(content, "q Q cm Do"):
        match str(operator):
            case "q":
                saved.append(current)
            case "Q" if saved:
                current = saved.pop()
            case "cm":
                current = _matrix(operands) @ current
            case "Do":
                form = forms.get(str(operands[0]))
                if form is not None and form.get("/Subtype") == pikepdf.Name.Form:
                    yield str(operands[0]), form, _matrix(form.get("/Matrix", [1, 0, 0, 1, 0, 0])) @ current


def _matrix(numbers: Any) -> NDArray[np.float64]:
    a, b, c, d, e, f = (float(number) for number in numbers)
    return np.array([[a, b, 0.0], [c, d, 0.0], [e, f, 1.0]])


def vector_targets(forms: list[tuple[str, NDArray[np.float64]]], mm_per_unit: float) -> dict[int, NDArray[np.float64]]:
    """Centers of the targets among the forms; empty where another program has redrawn the page.

    Returns:
        (2,) millimeters per code.

    Convention: x right and y down; the origin is that of the PDF.
    """
    named = ((TARGET.search(name), matrix) for name, matrix in forms)
    return {
        int(target.group(1)): np.array([matrix[2, 0], -matrix[2, 1]]) * mm_per_unit
        for target, matrix in named
        if target is not None
    }
