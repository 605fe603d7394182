"""`maskdesign sheet`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from tyro.conf import Positional

from maskdesign.cli.terminal import OptionalFloat, OptionalPath, Switch, parse, print_json
from maskdesign.errors import UsageError


@dataclass(frozen=True)
class SheetArgs:
    """Make the print sheet of a finished design, or measure how true a printed one is to scale.

    Attributes:
        run: Run folder of a finished design.
        paper: a5, a4, letter, legal, tabloid, a3 or WIDTHxHEIGHT in millimeters (a4); small ones get tiles.
        template: sheet, fabric, sublimation or your own .toml file; everything else is set there.
        out: Place of the .pdf, .svg or .png; a PDF in the run folder else.
        dpi: Resolution of PNG pages, or of the scan to check.
        check: Measure this PDF, scan or photo instead; exit code 4 when its scale is off by more than 0.5 %.
        json: Print one JSON document on stdout.
    """

    run: Positional[OptionalPath] = None
    paper: str = ""
    template: str = "sheet"
    out: OptionalPath = None
    dpi: OptionalFloat = None
    check: OptionalPath = None
    json: Switch = False


def main(words: Sequence[str]) -> int:
    """Run the verb; returns the exit code."""
    args = parse(SheetArgs, "sheet", words)
    if (args.run is None) == (args.check is None):
        raise UsageError("name either a run folder or a file with --check, as in `maskdesign sheet runs/demo`")
    return _check(args.check, args) if args.check is not None else _make(args)


def _make(args: SheetArgs) -> int:
    from maskdesign.jobs.sheet import sheet_for_run

    assert args.run is not None
    paper = args.paper or "a4"
    paths = sheet_for_run(args.run, paper, args.out, args.template, args.dpi)
    if args.json:
        print_json({"sheet": str(paths[0]), "files": [str(path) for path in paths], "paper": paper})
    else:
        print(f"Wrote {', '.join(map(str, paths))}. Print at 100 %, without fit to page.")
    return 0


def _check(path: Path, args: SheetArgs) -> int:
    from maskdesign.sheets.check import check_file
    from maskdesign.sheets.paper import find_paper

    result = check_file(path, find_paper(args.paper) if args.paper else None, args.dpi)
    if args.json:
        print_json(asdict(result))
    else:
        where = f" page {result.page} of {result.pages}:" if result.pages > 1 and not result.passed else ""
        print(f"{path}:{where} {result.verdict}")
    return 0 if result.passed else 4
