"""`maskdesign design`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from maskdesign.cli.demo import print_summary
from maskdesign.cli.terminal import (
    OptionalInt,
    OptionalPath,
    Settings,
    Switch,
    parse,
    print_json,
    shown_progress,
)

if TYPE_CHECKING:
    from maskdesign.jobs.config import JobConfig

PhotoPath = Annotated[Path, tyro.conf.arg(aliases=("--photos",))]


@dataclass(frozen=True)
class DesignArgs:
    """Design a mask for the face in a photo, with that person's consent, or one for many people.

    The same command goes on where it stopped.

    Attributes:
        mode: Mask designs a mask; template trains the photo mode's networks on a folder, as `maskdesign train` does.
        photo: Photo of the unmasked face; or a folder (PERSON/PERSON_0001.jpg and pairs.txt) for one common design.
        people: Of a folder, how many people to design for; those of the test folds are never looked at.
        config: TOML file; keys that it leaves out keep their defaults.
        calibration: Folder of `maskdesign calibrate`: openings, placement and colors as measured of your own mask.
        out: Run folder; runs/NAME after the photo else.
        models: Folder of ONNX recognizers (NAME.onnx with NAME.toml) that join the ensemble; MASKDESIGN_MODELS else.
        face: Which face, counted from the left from 1, where the photo shows several.
        set: Configuration value, KEY=VALUE; may be repeated, as in --set design.steps=50 or picture.file=MY.png (a
            picture of your own as the prior).
        json: Print one JSON document on stdout.
    """

    photo: PhotoPath
    mode: Literal["mask", "template"] = "mask"
    people: int = 120
    config: OptionalPath = None
    calibration: OptionalPath = None
    out: OptionalPath = None
    models: OptionalPath = None
    face: OptionalInt = None
    set: Settings = ()
    json: Switch = False


def main(words: Sequence[str]) -> int:
    """Run the verb; returns the exit code."""
    args = parse(DesignArgs, "design", words)
    if args.mode == "template":
        from maskdesign.cli.train import TrainArgs, train

        out = args.out if args.out is not None else Path("runs") / f"{args.photo.resolve().name}-networks"
        return train(TrainArgs(args.photo, out, args.models, args.set, args.json))
    return _design_for_many(args) if args.photo.is_dir() else _design_for_one(args)


def _config(args: DesignArgs) -> JobConfig:
    from maskdesign.jobs.calibrate_apply import calibrated_values
    from maskdesign.jobs.config import load_config

    return load_config(args.config, args.set, None if args.calibration is None else calibrated_values(args.calibration))


def _design_for_one(args: DesignArgs) -> int:
    from maskdesign.jobs.design import design_mask, read_photo

    config = _config(args)
    photo = read_photo(args.photo, config.ipd_mm or None, args.face)
    out = args.out if args.out is not None else Path("runs") / args.photo.stem
    with shown_progress() as progress:
        summary = design_mask(photo, config, out, args.models, progress)
    print_summary(asdict(summary), args.json)
    return 0


def _design_for_many(args: DesignArgs) -> int:
    from maskdesign.jobs.universal import design_for_many

    config, folder = _config(args), args.photo
    out = args.out if args.out is not None else Path("runs") / f"{folder.resolve().name}-{args.people}"
    with shown_progress() as progress:
        summary = design_for_many(folder, folder / "pairs.txt", args.people, config, out, args.models, progress)
    if args.json:
        print_json(asdict(summary))
    else:
        if summary.in_interval is False:
            print("The interval was not reached: a recognizer still matches too often; see the run's metrics.jsonl.")
        print(
            f"Designed for {summary.people} people in {summary.seconds:.0f} s: {summary.texture}; "
            f"test it with `maskdesign evaluate {summary.run} --photos {folder}`"
        )
    return 0
