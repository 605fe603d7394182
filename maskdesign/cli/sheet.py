"""`maskdesign sheet`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from tyro.conf import Positional

from maskdesign.cli.terminal import OptionalPath, Switch, parse, print_json
from maskdesign.errors import UsageError


@dataclass(frozen=True)
class SheetArgs:
    """Make the print sheet of a finished design, or measure the scale of one.

    Attributes:
        run: Run folder of a finished design.
        paper: a4, letter, a3 or WIDTHxHEIGHT in millimeters.
        out: Place of the PDF; into the run folder else.
        check: Measure this PDF instead; exit code 4 when its scale is off.
        json: Print one JSON document on stdout.
    """

    run: Positional[OptionalPath] = None
    paper: str = "a4"
    out: OptionalPath = None
    check: OptionalPath = None
    json: Switch = False


def main(words: Sequence[str]) -> int:
    """Run the verb; returns the exit code."""
    args = parse(SheetArgs, "sheet", words)
    if (args.run is None) == (args.check is None):
        raise UsageError("name either a run folder or a PDF with --check, as in `maskdesign sheet runs/demo`")
    return _check(args.check, args.json) if args.check is not None else _make(args)


def _make(args: SheetArgs) -> int:
    from maskdesign.jobs.sheet import sheet_for_run

    assert args.run is not None
    path = sheet_for_run(args.run, args.paper, args.out)
    if args.json:
        print_json({"sheet": str(path), "paper": args.paper})
    else:
        print(f"Wrote {path}. Print it at 100 %, without fit to page.")
    return 0


def _check(path: Path, as_json: bool) -> int:
    from maskdesign.sheets.check import check_sheet

    result = check_sheet(path)
    if as_json:
        print_json(asdict(result))
    else:
        print(f"{path}: {result.verdict}")
    return 0 if result.passed else 4
