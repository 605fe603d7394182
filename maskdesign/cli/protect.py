"""`maskdesign protect`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro
from tyro.conf import Positional

from maskdesign.cli.terminal import OptionalInt, OptionalPath, Settings, Switch, parse, print_json


@dataclass(frozen=True)
class ProtectArgs:
    """Hide the faces of a photo, or of every photo in a folder, from recognizers; `maskdesign restore` undoes it.

    Attributes:
        photos: A photo or a folder of photos; each person in them should agree.
        out: Folder for NAME.png, NAME.key and the table protected.json; the same command goes on where it stopped.
        strength: How visible a change may become where less does not suffice.
        recognizers: Names of those to be fooled, with commas; all at hand where left out.
        unique: Your seed: your templates differ from those of others.
        models: Folder of NAME.onnx with NAME.toml; else MASKDESIGN_MODELS counts.
        passphrase_file: Holds the passphrase of the keys; else MASKDESIGN_PASSPHRASE counts, else you are asked.
        set: Settings such as format=webp, protect.low_bits=4 or protect.perturb.steps=40.
        json: Print one JSON document on stdout.
    """

    photos: Positional[Path]
    out: Path
    strength: Literal["faint", "balanced", "strong"] = "balanced"
    recognizers: Annotated[str, tyro.conf.arg(metavar="A,B", help_behavior_hint="")] = ""
    unique: OptionalInt = None
    models: OptionalPath = None
    passphrase_file: OptionalPath = None
    set: Settings = ()
    json: Switch = False


def main(words: Sequence[str]) -> int:
    """Run the verb; returns the exit code."""
    args = parse(ProtectArgs, "protect", words)
    from maskdesign.cli.passphrase import read_passphrase
    from maskdesign.errors import InputError
    from maskdesign.jobs.protect import protect_config, protect_photos
    from maskdesign.jobs.protect_outcome import Outcome, summary

    if not args.photos.exists():
        raise InputError(f"{args.photos}: no such file")
    config = protect_config(args.set, args.strength, args.unique)
    names = tuple(name.strip() for name in args.recognizers.split(",") if name.strip())
    if config.format == "jpeg":
        print("warning: JPEG loses pixels; no key is written and nothing can restore these photos", file=sys.stderr)
    passphrase = b"" if config.format == "jpeg" else read_passphrase(args.passphrase_file, confirm=True)

    def report(outcome: Outcome) -> None:
        if outcome.reason or not args.json:
            print(outcome, file=sys.stderr if outcome.reason else sys.stdout, flush=True)

    outcomes = protect_photos(args.photos, args.out, config, names, args.models, passphrase, report)
    if args.json:
        print_json(summary(outcomes, args.out))
    return 3 if any(outcome.reason for outcome in outcomes) else 0
