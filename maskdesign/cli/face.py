"""`maskdesign face`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tyro.conf import Positional

from maskdesign.cli.terminal import OptionalFloat, OptionalInt, OptionalPath, Switch, parse, print_json, shown_progress
from maskdesign.errors import InputError, UsageError


@dataclass(frozen=True)
class FaceArgs:
    """Turn any face into a clean, aligned head in millimeters, with that person's consent.

    Attributes:
        input: A scan (.abs, .abs.gz, .bnt, .wrl, .obj, .ply, .stl, .glb), a photo, an ICT-FaceKit .npz, or a folder of
            photos; left out for a population of the project's own heads.
        out: face.npz or face.glb; a folder for a folder of photos and for a population.
        texture: Picture of a scan, where the scan does not name it.
        landmarks: TOML or JSON, NAME = [x, y, z] in the scan's unit; wins over what is found.
        ipd_mm: Distance between the pupils in millimeters; wins over any guess of the unit.
        population: Make this many different heads; the same command goes on where it stopped.
        seed: Of random heads; the same seed gives the same bits.
        show: Also write a contact sheet: five views, wireframe, landmarks, shape index, UV.
        json: Print one JSON document on stdout.
    """

    out: Path
    input: Positional[OptionalPath] = None
    texture: OptionalPath = None
    landmarks: OptionalPath = None
    ipd_mm: OptionalFloat = None
    population: OptionalInt = None
    seed: int = 1
    show: Switch = False
    json: Switch = False


def main(words: Sequence[str]) -> int:
    """Run the verb; returns the exit code."""
    args = parse(FaceArgs, "face", words)
    if args.input is not None and not args.input.exists():
        raise InputError(f"{args.input}: no such file")
    summary = _run(args)
    if args.json:
        print_json(summary)
    else:
        _print_summary(summary)
    return 0


def _run(args: FaceArgs) -> dict[str, Any]:
    if args.seed < 0:
        raise UsageError(f"--seed {args.seed} must not be negative")
    if args.population is not None:
        from maskdesign.jobs.face import make_population

        with shown_progress() as progress:
            return make_population(args.input, args.out, args.population, args.seed, args.show, progress)
    if args.input is None:
        raise UsageError("name a scan, a photo or a folder of photos, or ask for --population N")
    if args.input.is_dir():
        from maskdesign.jobs.face_folder import make_faces

        with shown_progress() as progress:
            return make_faces(args.input, args.out, args.ipd_mm, progress)
    from maskdesign.jobs.face import FaceRequest, make_face

    request = FaceRequest(args.texture, args.landmarks, args.ipd_mm, args.seed)
    return make_face(args.input, args.out, request, args.show)


def _print_summary(summary: dict[str, Any]) -> None:
    for name, value in summary.items():
        if isinstance(value, dict):
            for part, detail in value.items():
                print(f"{name}, {part}: {detail}")
        elif value not in (None, ""):
            print(f"{name}: {value:.2f}" if isinstance(value, float) else f"{name}: {value}")
