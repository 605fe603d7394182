"""How long work says where it is. Rooms call this; the command line decides how it looks."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Receives what a job does."""

    def stage(self, title: str) -> None:
        """A new stage begins."""

    def advance(self, done: int, total: int, note: str = "") -> None:
        """`done` of `total` units of the current stage are finished."""


class Silent:
    """Says nothing; for libraries and tests."""

    def stage(self, title: str) -> None:
        """Ignore."""

    def advance(self, done: int, total: int, note: str = "") -> None:
        """Ignore."""
