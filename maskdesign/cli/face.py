"""`maskdesign face`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tyro.conf import Positional

from maskdesign.cli.terminal import (
    OptionalFloat,
    OptionalInt,
    OptionalPath,
    Paths,
    Switch,
    parse,
    print_json,
    shown_progress,
)
from maskdesign.errors import InputError, UsageError


@dataclass(frozen=True)
class FaceArgs:
    """Turn any face into a clean, aligned head in millimeters, with that person's consent.

    Attributes:
        input: A scan (.abs, .abs.gz, .bnt, .wrl, .obj, .ply, .stl, .glb), a photo, several photos of one person, or a
            folder of photos; with --ict a JSON list of coefficients, or nothing; left out for a population.
        out: face.npz or face.glb; several photos and a folder of photos become one head then. A folder makes a head
            of every photo in the input folder, and takes a population.
        texture: Picture of a scan, where the scan does not name it.
        landmarks: TOML or JSON, NAME = [x, y, z] in the scan's unit, or [x, y] in pixels of a photo; wins over what
            is found.
        ipd_mm: Distance between the pupils in millimeters; wins over any guess of the unit.
        ict: ICT-FaceKit identities (.npz): make a head of this model, random by --seed where no coefficients are given.
        population: Make this many different heads, of --ict or of the project's own shape modes; the same command goes
            on where it stopped.
        seed: Of random heads; the same seed gives the same bits.
        show: Also write a contact sheet: five views, wireframe, landmarks, shape index, UV.
        json: Print one JSON document on stdout.
    """

    out: Path
    input: Positional[Paths] = ()
    texture: OptionalPath = None
    landmarks: OptionalPath = None
    ipd_mm: OptionalFloat = None
    ict: OptionalPath = None
    population: OptionalInt = None
    seed: int = 1
    show: Switch = False
    json: Switch = False


def main(words: Sequence[str]) -> int:
    """Run the verb; returns the exit code."""
    args = parse(FaceArgs, "face", words)
    for path in (*args.input, *filter(None, (args.ict, args.texture, args.landmarks))):
        if not path.exists():
            raise InputError(f"{path}: no such file")
    summary = _run(args)
    if args.json:
        print_json(summary)
    else:
        _print_summary(summary)
    return 0


def _run(args: FaceArgs) -> dict[str, Any]:
    if args.seed < 0:
        raise UsageError(f"--seed {args.seed} must not be negative")
    first = args.input[0] if len(args.input) == 1 else None
    if args.population is not None:
        if args.input:
            raise UsageError("a population is made without an input; name a model as --ict FILE.npz")
        _refuse_unused(args, "a population", "texture", "landmarks", "ipd_mm")
        from maskdesign.jobs.face import make_population

        with shown_progress() as progress:
            return make_population(args.ict, args.out, args.population, args.seed, args.show, progress)
    if not args.input and args.ict is None:
        raise UsageError("name a scan, a photo or a folder of photos, a model as --ict FILE.npz, or --population N")
    if args.ict is None and first is not None and first.is_dir() and not args.out.suffix:
        _refuse_unused(args, "a folder of photos, each of which becomes a head", "texture", "landmarks", "show")
        from maskdesign.jobs.face_folder import make_faces

        with shown_progress() as progress:
            return make_faces(first, args.out, args.ipd_mm, progress)
    if args.ict is not None or (first is not None and first.suffix.lower() == ".npz"):
        _refuse_unused(args, "a head of known size and landmarks", "texture", "landmarks", "ipd_mm")
    from maskdesign.jobs.face import FaceRequest, make_face

    request = FaceRequest(args.texture, args.landmarks, args.ipd_mm, args.ict, args.seed)
    return make_face(args.input, args.out, request, args.show)


def _refuse_unused(args: FaceArgs, what: str, *names: str) -> None:
    """Say that a flag would change nothing, rather than overlook it."""
    for name in names:
        if getattr(args, name) not in (None, False):
            raise UsageError(f"--{name.replace('_', '-')} does nothing for {what}; leave it out")


def _print_summary(summary: dict[str, Any]) -> None:
    for name, value in summary.items():
        if isinstance(value, dict):
            _print_summary({f"{name}, {part}": detail for part, detail in value.items()})
        elif value not in (None, ""):
            print(f"{name}: {value:.4g}" if isinstance(value, float) else f"{name}: {value}")
