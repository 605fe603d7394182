"""`maskdesign design`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from maskdesign.cli.demo import print_summary
from maskdesign.cli.terminal import OptionalFloat, OptionalInt, OptionalPath, Settings, Switch, parse, shown_progress


@dataclass(frozen=True)
class DesignArgs:
    """Design a mask for the face in a photo, with that person's consent. The same command goes on where it stopped.

    Attributes:
        photo: Photo of the unmasked face.
        config: TOML file; keys that it leaves out keep their defaults.
        out: Run folder; runs/NAME after the photo else.
        models: Folder of ONNX recognizers (NAME.onnx with NAME.toml) that join the ensemble; MASKDESIGN_MODELS else.
        ipd_mm: Distance between the wearer's pupils in millimeters; measured from the iris else.
        face: Which face, counted from the left from 1, where the photo shows several.
        set: Configuration value, KEY=VALUE; may be repeated, as in --set design.steps=50.
        json: Print one JSON document on stdout.
    """

    photo: Path
    config: OptionalPath = None
    out: OptionalPath = None
    models: OptionalPath = None
    ipd_mm: OptionalFloat = None
    face: OptionalInt = None
    set: Settings = ()
    json: Switch = False


def main(words: Sequence[str]) -> int:
    """Run the verb; returns the exit code."""
    args = parse(DesignArgs, "design", words)
    from maskdesign.jobs.config import load_config
    from maskdesign.jobs.design import design_mask, read_photo

    config = load_config(args.config, args.set)
    photo = read_photo(args.photo, args.ipd_mm, args.face)
    out = args.out if args.out is not None else Path("runs") / args.photo.stem
    with shown_progress() as progress:
        summary = design_mask(photo, config, out, args.models, progress)
    print_summary(asdict(summary), args.json)
    return 0
