"""`maskdesign flatten`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tyro.conf import Positional

from maskdesign.cli.terminal import OptionalPath, Switch, parse, print_json


@dataclass(frozen=True)
class FlattenArgs:
    """Lay a face, a worn mask or any mesh that is a disc flat, triangulate it anew, and say how good both are.

    Attributes:
        surface: face.npz (what lies under the mask), worn.npz, or a mesh (.obj, .ply, .stl, .glb, .wrl).
        method: bff (boundary first flattening), lscm, spectral or harmonic; placed (a face: nose and upper edge where
            the pattern has them) or sheet (a worn mask: where each point is printed). Left out: sheet, else bff.
        out: flat.npz with both triangulations, or .obj with the flattening as its texture coordinates.
        pattern: The mask's template or TOML file: which part of a face, which folds of a worn mask.
        points: About how many points the new triangulation gets; a worn mask's are key points on outline and folds.
        min_angle_deg: Least angle of the new triangulation in the plane, 0 to 33.
        show: Also write NAME_flat.png: a checker on the surface, areas, the new triangles.
        compare: Only compare all methods.
        json: Print one JSON document on stdout.
    """

    surface: Positional[Path]
    method: str = ""
    out: OptionalPath = None
    pattern: str = "three_pleat"
    points: int = 428
    min_angle_deg: float = 20.7
    show: Switch = False
    compare: Switch = False
    json: Switch = False


def main(words: Sequence[str]) -> int:
    """Run the verb; returns the exit code."""
    args = parse(FlattenArgs, "flatten", words)
    from maskdesign.jobs.flat_surfaces import FlattenRequest

    request = FlattenRequest(args.surface, args.method, args.pattern, args.points, args.min_angle_deg)
    return _compare(request, args) if args.compare else _flatten(request, args)


def _compare(request: Any, args: FlattenArgs) -> int:
    from maskdesign.jobs.flatten import compare_methods

    reports = {method: asdict(report) for method, report in compare_methods(request).items()}
    if args.json:
        print_json({method: _plain(figures) for method, figures in reports.items()})
        return 0
    names = list(next(iter(reports.values())))
    print(f"{'':<22}" + "".join(f"{method:>12}" for method in reports))
    for name in names:
        print(f"{name:<22}" + "".join(f"{figures[name]:>12.5g}" for figures in reports.values()))
    return 0


def _flatten(request: Any, args: FlattenArgs) -> int:
    from maskdesign.jobs.flatten import flatten_surface

    done = flatten_surface(request, args.out, args.show)
    parts = {"repair": done.repair, "map": done.report, "triangulation": done.triangulation}
    if args.json:
        written = {} if args.out is None else {"out": str(args.out)}
        print_json({"method": done.method, **written, **{name: _plain(asdict(part)) for name, part in parts.items()}})
        return 0
    print(f"{args.surface}: {len(done.mesh.vertices)} vertices, {len(done.mesh.triangles)} triangles, by {done.method}")
    for name, part in parts.items():
        for figure, value in asdict(part).items():
            print(f"{name:<15}{figure:<22}{value:>12.5g}")
    return 0


def _plain(figures: dict[str, Any]) -> dict[str, Any]:
    """Infinite figures, which JSON lacks, become null."""
    return {name: value if abs(value) < float("inf") else None for name, value in figures.items()}
