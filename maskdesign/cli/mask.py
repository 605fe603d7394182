"""`maskdesign mask`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from maskdesign.cli.terminal import OptionalFloat, OptionalPath, Switch, parse, print_json
from maskdesign.errors import UsageError

if TYPE_CHECKING:
    from maskdesign.mask.worn import DrapeReport


@dataclass(frozen=True)
class MaskArgs:
    """Drape a pleated mask on a face.

    Attributes:
        face: Face file (.npz).
        pattern: Name of a template (see --list) or a TOML file.
        out: Worn mask: .npz, or .glb with the head and a chessboard on the mask.
        show: Also write NAME_sheet.png: five views, layers, strain, what cameras see, cells.
        opening_mm: Height of the mask along its middle; the folded height is shut.
        list: List the patterns and meshes at hand.
        json: Print one JSON document on stdout.
    """

    face: OptionalPath = None
    pattern: str = "three_pleat"
    out: OptionalPath = None
    opening_mm: OptionalFloat = None
    show: Switch = False
    list: Switch = False
    json: Switch = False


def main(words: Sequence[str]) -> int:
    """Run the verb; returns the exit code."""
    args = parse(MaskArgs, "mask", words)
    if args.list:
        return _list(args.json)
    if args.face is None or args.out is None:
        raise UsageError("name a face and an output, as in `maskdesign mask --face face.npz --out worn.npz`, or --list")
    return _make(args, args.face, args.out)


def _list(as_json: bool) -> int:
    from maskdesign.jobs.mask import list_masks

    rows = list_masks()
    if as_json:
        print_json([asdict(row) for row in rows])
        return 0
    width = max(len(row.name) for row in rows)
    for row in rows:
        print(f"{row.kind:<8}{row.name:<{width}}  {row.detail}")
    return 0


def _make(args: MaskArgs, face: Path, out: Path) -> int:
    from maskdesign.jobs.mask import make_mask

    report = make_mask(face, args.pattern, out, args.opening_mm, args.show).report
    if args.json:
        print_json({"worn": str(out), "pattern": args.pattern, "report": asdict(report)})
        return 0
    print_report(str(out), report)
    return 0


def print_report(out: str, report: DrapeReport) -> None:
    """What was written and how well it settled; a warning where the sheet cuts through itself."""
    print(
        f"Wrote {out}. Opening {report.opening_mm:.1f} mm; threads stretched {report.strain_rms:.2%} rms, "
        f"{report.strain_max:.1%} at most; {report.penetration_mm:.2f} mm deep in the face; "
        f"{report.layer_violations} layers out of order, {report.crossings} edges through the sheet; "
        f"{report.gap_mm:.1f} mm off the skin at the median, {report.side_gap_mm:.1f} at the sides; "
        f"{report.seconds:.1f} s."
    )
    if report.crossings:
        print(
            f"WARNING: {report.crossings} edges of the sheet go through another layer and show as specks; "
            "another --opening-mm may have none."
        )
