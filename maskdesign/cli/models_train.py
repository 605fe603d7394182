"""`maskdesign models train`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from maskdesign.cli.terminal import OptionalPath, Settings, Switch, parse, print_json, shown_progress


@dataclass(frozen=True)
class ModelsTrainArgs:
    """Train a small recognizer from what larger ones say about photos; the same command goes on where it stopped.

    It is a surrogate to design masks against and not made to identify people. Faces, masks and the teachers' answers
    are prepared once beside the weights. Calibrate it afterwards with `maskdesign models calibrate`.

    Attributes:
        photos: Folder of photos as PERSON/PHOTO.jpg.
        people: Who is learned from: people.txt of Labeled Faces in the Wild, or one name a line.
        teachers: dlib and .onnx files with a .toml beside each, by commas.
        arch: Architecture: residual, mobile or attention.
        begin: FILE.safetensors of such a net to begin with; it also learns from prints that are designed against it.
        out: FILE.safetensors for the weights; FILE.toml describes them.
        set: Configuration value, KEY=VALUE; may be repeated, as in --set training.steps=4000.
        json: Print one JSON document on stdout.
    """

    photos: Path
    people: Path
    out: Path
    teachers: str = "dlib"
    arch: str = "residual"
    begin: OptionalPath = None
    set: Settings = ()
    json: Switch = False


def main(words: Sequence[str]) -> int:
    """Run the verb; returns the exit code."""
    args = parse(ModelsTrainArgs, "models train", words)
    from maskdesign.jobs.net_data import net_config
    from maskdesign.jobs.train_net import train_net
    from maskdesign.optimize.training import process_number

    teachers = [word.strip() for word in args.teachers.split(",") if word.strip()]
    config = net_config(args.set)
    with shown_progress() as progress:
        made = train_net(args.photos, args.people, teachers, args.arch, args.begin, args.out, config, progress)
    if process_number() > 0:
        return 0
    if args.json:
        print_json(asdict(made))
        return 0
    print(f"{made.weights}: learned from {made.faces} faces of {made.people} people; {made.skipped} photos skipped")
    told = f"{made.cosine:.3f}, masked {made.cosine_masked:.3f}, from print to print {made.cosine_prints:.3f}"
    print(f"cosine to the teachers on people kept for validation: {told}")
    known = f"{args.out.stem} --models {args.out.parent}"
    if made.calibrated:
        print(f"ready: --models {args.out.parent} takes it into designs")
    print(f"thresholds from more people: maskdesign models calibrate {known} --pairs pairs.txt --photos {args.photos}")
    return 0
