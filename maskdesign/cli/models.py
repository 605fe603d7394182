"""`maskdesign models`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from tyro.conf import Positional

from maskdesign.cli.terminal import OptionalPath, Switch, parse, print_json, shown_progress
from maskdesign.errors import CheckFailedError, InputError, UsageError


@dataclass(frozen=True)
class ModelsArgs:
    """The recognizers at hand: dlib's, every NAME.onnx with a NAME.toml in a folder, and this project's surrogates.

    `list` shows them. `add FILE.onnx` checks a network, copies it into the folder and describes it. `verify` reads
    every one in full. `calibrate [NAME]` measures thresholds on pairs of unmasked photos. `pull NAME` downloads a
    public one from its official address (sface, arcface_r100) after showing its licence and asking. `train` has flags
    of its own: see `maskdesign models train --help`.

    Attributes:
        action: What to do.
        what: File to add, or name of a recognizer to calibrate or pull.
        models: Folder of ONNX recognizers; MASKDESIGN_MODELS else.
        template: Where its training put the landmarks (add).
        pixels: How it wants its pixels; half is [-1, 1], unit [0, 1], bytes [0, 255] (add).
        licence: Licence of its weights, for reports (add).
        pairs: pairs.txt as in Labeled Faces in the Wild (calibrate).
        photos: Folder with PERSON/PERSON_0001.jpg (calibrate).
        yes: Agree to the licence beforehand (pull).
        json: Print one JSON document on stdout.
    """

    action: Positional[Literal["list", "add", "verify", "calibrate", "pull", "train"]] = "list"
    what: Positional[str] = ""
    models: OptionalPath = None
    template: Literal["arcface", "sphereface", "omz", "dlib"] = "arcface"
    pixels: Literal["half", "half-bgr", "unit", "bytes", "bytes-bgr", "imagenet"] = "half"
    licence: str = "not stated"
    pairs: OptionalPath = None
    photos: OptionalPath = None
    yes: Switch = False
    json: Switch = False


def main(words: Sequence[str]) -> int:
    """Run the verb; returns the exit code."""
    if words and words[0] == "train":
        from maskdesign.cli import models_train

        return models_train.main(words[1:])
    args = parse(ModelsArgs, "models", words)
    if args.action == "train":
        raise UsageError("models train: write train first, then its flags; see `maskdesign models train --help`")
    actions = {"list": _list, "add": _add, "verify": _verify, "calibrate": _calibrate, "pull": _pull}
    return actions[args.action](args)


def _list(args: ModelsArgs) -> int:
    from maskdesign.recognition.listing import list_recognizers

    rows = list_recognizers(args.models)
    if args.json:
        print_json([asdict(row) for row in rows])
        return 0
    for row in rows:
        print(row)
    return 0


def _add(args: ModelsArgs) -> int:
    from maskdesign.jobs.add_model import add_model
    from maskdesign.jobs.models import models_folder

    if not args.what:
        raise UsageError("models add: name the .onnx file")
    folder = models_folder(args.models)
    spec = add_model(Path(args.what), folder, args.template, args.pixels, args.licence)
    _print_added(args, folder, spec)
    return 0


def _print_added(args: ModelsArgs, folder: Path, spec) -> None:
    toml = folder / f"{Path(spec.file).stem}.toml"
    if args.json:
        print_json({"name": spec.name, "embedding_size": spec.embedding_size, "specification": str(toml)})
        return
    print(f"{spec.name}: {spec.width_px} x {spec.height_px} px -> {spec.embedding_size} numbers, described in {toml}")
    print(f"next: maskdesign models calibrate {spec.name} --models {folder} --pairs pairs.txt --photos DIR")


def _verify(args: ModelsArgs) -> int:
    from maskdesign.jobs.models import verify_models

    checks = verify_models(args.models)
    if args.json:
        print_json([asdict(check) for check in checks])
    else:
        for check in checks:
            print(f"{'FAILED' if check.problem else 'ok':<8}{check.name}{': ' if check.problem else ''}{check.problem}")
    failed = [check.name for check in checks if check.problem]
    if failed:
        raise CheckFailedError(f"{', '.join(failed)}: not usable; see above")
    return 0


def _calibrate(args: ModelsArgs) -> int:
    from maskdesign.jobs.models import calibrate_models

    if args.pairs is None or args.photos is None:
        raise UsageError("models calibrate: name the list of pairs with --pairs and the photos' folder with --photos")
    with shown_progress() as progress:
        results = calibrate_models(args.what or None, args.models, args.pairs, args.photos, progress)
    if args.json:
        print_json([asdict(result) for result in results])
        return 0
    for result in results:
        m = result.measured
        low, high = m.tpr_1e3_ci
        print(
            f"{result.name}: thresholds by FMR 1e-2: {m.thresholds['1e-2']:.3f}, 1e-3: {m.thresholds['1e-3']:.3f}; "
            f"TPR at 1e-3 {m.tpr['1e-3']:.3f} [{low:.3f}, {high:.3f}], accuracy {m.accuracy:.3f}, on {m.genuine_pairs} "
            f"genuine and {m.impostor_pairs} impostor pairs of {m.people} people; {len(result.missing_photos)} photos "
            f"missing, {result.photos_without_a_face} without a face"
        )
        print(f"  {'written to ' + result.written if result.written else 'not written: its specification is shipped'}")
    return 0


def _pull(args: ModelsArgs) -> int:
    from maskdesign.jobs.add_model import known_source, pull_model
    from maskdesign.jobs.models import models_folder

    source, folder = known_source(args.what), models_folder(args.models)
    print(
        f"{args.what}: {source.architecture}\n  licence {source.licence}\n  {source.size_bytes / 1e6:.0f} MB from "
        f"{source.url}\n  sha256 {source.sha256}",
        file=sys.stderr,
    )
    if not args.yes and not _agreed(folder):
        raise InputError("nothing was fetched; agree to the licence at the prompt, or with --yes")
    with shown_progress() as progress:
        spec = pull_model(args.what, folder, progress)
    _print_added(args, folder, spec)
    return 0


def _agreed(folder: Path) -> bool:
    if not sys.stdin.isatty():
        return False
    print(f"Download it into {folder} under this licence? [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")
