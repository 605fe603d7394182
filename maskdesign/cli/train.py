"""`maskdesign train`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tyro.conf import Positional

from maskdesign.cli.terminal import OptionalPath, Settings, Switch, parse, print_json, shown_progress


@dataclass(frozen=True)
class TrainArgs:
    """Train the photo mode's networks; the same command goes on where it stopped. `protect` works without them.

    Attributes:
        photos: Folder of photos as PERSON/PHOTO.jpg, with their consent; a quarter of the people is held out.
        out: Folder for the networks and figures.json; `protect --set network=FOLDER` begins with them.
        models: Folder of NAME.onnx with NAME.toml; else MASKDESIGN_MODELS counts.
        set: Configuration value, KEY=VALUE; may be repeated, as in --set perturbation.steps=2000.
        json: Print one JSON document on stdout.
    """

    photos: Positional[Path]
    out: Path
    models: OptionalPath = None
    set: Settings = ()
    json: Switch = False


def main(words: Sequence[str]) -> int:
    """Run the verb; returns the exit code."""
    return train(parse(TrainArgs, "train", words))


def train(args: TrainArgs) -> int:
    """Train the networks and print what they are worth; returns the exit code."""
    from maskdesign.errors import InputError
    from maskdesign.jobs.photo_networks import train_networks
    from maskdesign.jobs.photo_samples import network_config
    from maskdesign.recognition.registry import load_recognizers

    if not args.photos.is_dir():
        raise InputError(f"{args.photos}: no such folder; give photos arranged as PERSON/PHOTO.jpg")
    config = network_config(args.set)
    with shown_progress() as progress:
        figures = train_networks(args.photos, args.out, config, load_recognizers(args.models), progress)
    if args.json:
        print_json(figures)
        return 0
    made = figures["perturbation"]
    for name, found in figures["templates"].items():
        shares = ", ".join(f"{key.replace('_', ' ')} {share:.2f}" for key, share in found.items())
        print(f"template, {name}: {shares}")
    print(f"perturbation: SSIM {made['ssim']:.3f}, {made['seconds']:.2f} s a photo; hidden share of held-out photos:")
    for name, share in made["hidden_from"].items():
        print(f"  {name}: {share:.2f}, random noise of equal size {made['hidden_by_random_noise'][name]:.2f}")
    return 0
