"""`maskdesign calibrate`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from tyro.conf import Positional

from maskdesign.cli.terminal import OptionalFloat, OptionalPath, Switch, parse, print_json, shown_progress


@dataclass(frozen=True)
class CalibrateArgs:
    """Fit a design to your printer, your mask and your camera: print a board, wear it, photograph it.

    Attributes:
        action: board (make pages to print), photo (read photos of the board, flat or worn), color (read photos of the
            printed chart), report (say what is known).
        files: Photos.
        board: Name of a board or of the chart, or a TOML file.
        face: The wearer's head (.npz), as `maskdesign face` writes it; the built-in head else.
        paper: a4, letter, a3 or WIDTHxHEIGHT in millimeters.
        out: Calibration folder.
        dpi: Resolution, where the photos are scans.
        icc: ICC profile of the printer, instead of photos of the chart.
        json: Print one JSON document on stdout.
    """

    action: Positional[Literal["board", "photo", "color", "report"]]
    files: Positional[tuple[Path, ...]] = ()
    board: str = "board_coded_three_pleat"
    face: OptionalPath = None
    paper: str = "a4"
    out: Path = Path("calibration-run")
    dpi: OptionalFloat = None
    icc: OptionalPath = None
    json: Switch = False


def main(words: Sequence[str]) -> int:
    """Run the verb; returns the exit code."""
    args = parse(CalibrateArgs, "calibrate", words)
    return {"board": _board, "photo": _photo, "color": _color, "report": _report}[args.action](args)


def _board(args: CalibrateArgs) -> int:
    from maskdesign.jobs.calibrate_board import print_board

    path = print_board(args.board, args.paper, args.out)
    if args.json:
        print_json({"page": str(path), "board": args.board, "paper": args.paper})
    else:
        print(f"Wrote {path}. Print it at 100 %, without fit to page.")
    return 0


def _photo(args: CalibrateArgs) -> int:
    from maskdesign.jobs.calibrate import read_photos

    with shown_progress() as progress:
        readings = read_photos(args.files, args.board, args.face, args.out, args.dpi, progress)
    if args.json:
        print_json([asdict(reading) for reading in readings])
        return 0
    for reading in readings:
        print(
            f"{reading.photo}: {reading.kind}, {reading.corners} of {reading.of} corners, "
            f"{reading.residual_px:.2f} px from the model; see {args.out / reading.overlay}"
        )
        for line in reading.advice:
            print(f"  {line}")
    return _report(args)


def _color(args: CalibrateArgs) -> int:
    from maskdesign.jobs.calibrate_color import SRGB_VOLUME, read_color

    reading = read_color(args.files, args.icc, args.out)
    if args.json:
        print_json(asdict(reading))
        return 0
    print(
        f"{reading.patches} patches, {reading.terms} terms: left-out patches are off by CIEDE2000 "
        f"{reading.mean_error:.1f} on average, {reading.worst_error:.1f} at most; "
        f"what can be printed fills {reading.gamut / SRGB_VOLUME:.0%} of sRGB."
    )
    return _report(args)


def _report(args: CalibrateArgs) -> int:
    from maskdesign.jobs.calibrate_reading import require_result
    from maskdesign.jobs.calibrate_report import describe

    document = require_result(args.out)
    if args.json:
        print_json(document)
        return 0
    for line in describe(document):
        print(line)
    return 0
