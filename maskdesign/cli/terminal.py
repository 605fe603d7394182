"""What the verbs share: parsing, progress on stderr, one JSON document on stdout."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, TypeVar

import tyro

from maskdesign.progress import Progress

Args = TypeVar("Args")
OptionalPath = Annotated[Path | None, tyro.conf.arg(metavar="PATH", help_behavior_hint="")]
Paths = Annotated[tuple[Path, ...], tyro.conf.arg(metavar="PATH ...", help_behavior_hint="")]
OptionalFloat = Annotated[float | None, tyro.conf.arg(metavar="NUMBER", help_behavior_hint="")]
OptionalInt = Annotated[int | None, tyro.conf.arg(metavar="N", help_behavior_hint="")]
Settings = Annotated[tuple[str, ...], tyro.conf.arg(metavar="KEY=VALUE")]
Switch = Annotated[bool, tyro.conf.arg(help_behavior_hint="")]
PLAIN_INTERVAL_S = 10.0


def parse(cls: type[Args], verb: str, words: Sequence[str]) -> Args:
    """Words of a command line -> a dataclass; exits with 2 and a hint where they do not fit."""
    config = (tyro.conf.FlagCreatePairsOff, tyro.conf.UseAppendAction)
    return tyro.cli(cls, prog=f"maskdesign {verb}", args=list(words), config=config)


def print_json(document: Any) -> None:
    """One JSON document on stdout."""
    print(json.dumps(document, indent=2, allow_nan=False))


@contextmanager
def shown_progress() -> Iterator[Progress]:
    """A bar with the time left on a terminal, a plain line every ten seconds elsewhere."""
    if not sys.stderr.isatty():
        yield LineProgress()
        return
    bars = BarProgress()
    try:
        yield bars
    finally:
        bars.close()


def time_left(started: float, done: int, total: int) -> str:
    """Time left at the pace so far, as "1:05 left"."""
    seconds = (time.monotonic() - started) / max(done, 1) * (total - done)
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d} left"


class LineProgress:
    """Plain lines on stderr: each stage once, and every ten seconds how far it is."""

    def __init__(self) -> None:
        self._title, self._started, self._spoke = "", time.monotonic(), time.monotonic()
        self._first = 0

    def stage(self, title: str) -> None:
        """Say that a stage begins."""
        self._title, self._started, self._spoke, self._first = title, time.monotonic(), time.monotonic(), 0
        print(f"{title} ...", file=sys.stderr, flush=True)

    def advance(self, done: int, total: int, note: str = "") -> None:
        """Say how far the stage is, at most every ten seconds."""
        self._first = self._first or done
        if time.monotonic() - self._spoke >= PLAIN_INTERVAL_S:
            self._spoke = time.monotonic()
            # A resumed stage starts at a count above zero: the pace is that of this process.
            pace = time_left(self._started, done - self._first + 1, total - self._first + 1)
            print(f"  {self._title}: {done} of {total}, {pace}, {note}", file=sys.stderr, flush=True)


class BarProgress:
    """One bar a stage on stderr, with the time left."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as Bars

        self._bars = Bars(
            TextColumn("{task.description:<18}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}"),
            console=Console(stderr=True),
        )
        self._bars.start()
        self._task = None

    def stage(self, title: str) -> None:
        """Finish the bar of the last stage and start a new one."""
        self._finish_stage()
        self._task = self._bars.add_task(title, total=None, note="")

    def advance(self, done: int, total: int, note: str = "") -> None:
        """Move the bar."""
        if self._task is not None:
            self._bars.update(self._task, completed=done, total=total, note=note)

    def close(self) -> None:
        """Leave the terminal as it was."""
        self._finish_stage()
        self._bars.stop()

    def _finish_stage(self) -> None:
        if self._task is not None:
            total = self._bars.tasks[self._task].total or 1
            self._bars.update(self._task, completed=total, total=total, note="")
