"""Numbers out of text, fast, with the place of the first word that is none."""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import NDArray

from maskdesign.errors import ScanError


def parse_numbers(text: bytes | str, place: str) -> NDArray[np.float64]:
    """Numbers separated by white space.

    Args:
        text: may be empty.
        place: file and line, for the message.

    Returns:
        (n,) finite float64.

    Raises:
        ScanError: a word that is no number, or a number that is not finite.
    """
    if not text.strip():
        return np.zeros(0)
    with warnings.catch_warnings():
        # The way numpy says that it met something else than a number.
        warnings.simplefilter("error", DeprecationWarning)
        try:
            values = np.fromstring(text, sep=" ")
        except (DeprecationWarning, ValueError) as error:
            raise ScanError(f"{place}: {_first_stranger(text)}; the file is damaged") from error
    finite = np.isfinite(values)
    if not finite.all():
        where = int(np.argmin(finite))
        raise ScanError(f"{place}: number {where + 1} is {values[where]}; the file is damaged")
    return values


def _first_stranger(text: bytes | str) -> str:
    for index, word in enumerate(text.split()):
        try:
            float(word)
        except ValueError:
            shown = word[:20].decode("latin-1") if isinstance(word, bytes) else word[:20]
            return f"word {index + 1} is {shown!r}, not a number"
    return "a word is not a number"
