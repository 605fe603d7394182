"""Checks of single values in a recognizer's specification: each answers the converted value or says what it must be."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

from maskdesign.faces.scan import LANDMARKS

POINT_NAMES = (*LANDMARKS, "eye_left", "eye_right")
FMRS = ("1e-2", "1e-3")


class InvalidValueError(Exception):
    """What is wrong with a value; the reader adds the file and the key."""


def text(value: Any) -> str:
    """A text that is not empty."""
    if not isinstance(value, str) or not value.strip():
        raise InvalidValueError("a text that is not empty")
    return value


def file_name(value: Any) -> str:
    """The name of a file in the same folder."""
    # A specification must not reach for files outside its own folder.
    if text(value) != Path(value).name or value in (".", "..") or "\\" in value:
        raise InvalidValueError("the name of a file beside this one, without folders")
    return value


def digest(value: Any) -> str:
    """A SHA-256 in hexadecimal digits, or none."""
    if not isinstance(value, str) or (value and (len(value) != 64 or set(value) - set("0123456789abcdef"))):
        raise InvalidValueError("64 lower-case hexadecimal digits")
    return value


def black_box(value: Any) -> dict[str, Any]:
    """How to ask a recognizer that has no weights here, with what was left out."""
    given = {"answers": "embeddings", "timeout_s": 30.0, **table(value)}
    ways = [key for key in ("command", "url") if key in given]
    if len(ways) != 1 or set(given) != {"answers", "timeout_s", *ways}:
        raise InvalidValueError("a table with either command or url, and answers and timeout_s where they differ")
    words = given.get("command", ["-"])
    if not isinstance(words, list) or not words or not all(isinstance(word, str) for word in words):
        raise InvalidValueError("a table whose command is a list of words")
    if given["answers"] not in ("embeddings", "scores") or not 0 < number(given["timeout_s"]) <= 3600:
        raise InvalidValueError("a table with answers = embeddings or scores and timeout_s from 0 to 3600")
    return given


def table(value: Any) -> dict[str, Any]:
    """A table."""
    if not isinstance(value, dict):
        raise InvalidValueError("a table")
    return value


def number(value: Any) -> float:
    """A finite number."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise InvalidValueError("a finite number")
    return float(value)


def integer_up_to(limit: int) -> Callable[[Any], int]:
    """The check for an integer from 1 to `limit`."""

    def check(value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= limit:
            raise InvalidValueError(f"an integer from 1 to {limit}")
        return value

    return check


def one_of(*choices: str) -> Callable[[Any], str]:
    """The check for one of several words."""

    def check(value: Any) -> str:
        if value not in choices:
            raise InvalidValueError(f"one of {', '.join(choices)}")
        return value

    return check


def three_numbers(value: Any) -> tuple[float, ...]:
    """A number for each channel."""
    if not isinstance(value, list) or len(value) != 3:
        raise InvalidValueError("three numbers")
    return tuple(number(entry) for entry in value)


def three_spreads(value: Any) -> tuple[float, ...]:
    """A number above 0 for each channel."""
    if not all(entry > 0 for entry in three_numbers(value)):
        raise InvalidValueError("three numbers above 0")
    return three_numbers(value)


def places(value: Any) -> tuple[tuple[float, float], ...]:
    """Where landmarks lie in a crop, in pixels."""
    if not isinstance(value, list) or not all(isinstance(place, list) and len(place) == 2 for place in value):
        raise InvalidValueError("a list of [x, y] pixels")
    places = tuple((number(x), number(y)) for x, y in value)
    if len(set(places)) < 2:
        raise InvalidValueError("at least two different places")
    return places


def point_names(value: Any) -> tuple[str, ...]:
    """Names of landmarks."""
    if not isinstance(value, list) or not all(name in POINT_NAMES for name in value):
        raise InvalidValueError(f"a list of landmarks out of {', '.join(POINT_NAMES)}")
    return tuple(value)


def thresholds(value: Any) -> dict[str, float]:
    """A score for each of `FMRS`."""
    if not isinstance(value, dict) or set(value) != set(FMRS):
        raise InvalidValueError(f"a table with the keys {' and '.join(FMRS)}")
    return {fmr: number(value[fmr]) for fmr in FMRS}
