"""`maskdesign compare`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tyro.conf import Positional

from maskdesign.cli.terminal import OptionalInt, OptionalPath, Switch, parse, print_json, shown_progress


@dataclass(frozen=True)
class CompareArgs:
    """Run the mask template paper's experiments on your own photos: every method, every control, every recognizer.

    Attributes:
        what: photos.
        folder: Photos as PERSON/PHOTO.jpg, at least two a person; the first is protected, up to three others know them.
        out: Folder for figures.json, two plots and one file of scores a person; the same command goes on there.
        models: Folder of NAME.onnx with NAME.toml; else MASKDESIGN_MODELS counts.
        people: Take only the first of this many people.
        json: Print one JSON document on stdout.
    """

    what: Positional[Literal["photos"]]
    folder: Positional[Path]
    out: Path
    models: OptionalPath = None
    people: OptionalInt = None
    json: Switch = False


def main(words: Sequence[str]) -> int:
    """Run the verb; returns the exit code."""
    args = parse(CompareArgs, "compare", words)
    from maskdesign.errors import InputError
    from maskdesign.evaluation.photo_plots import budget_plot, feature_plot
    from maskdesign.evaluation.photo_tables import baselines_table, controls_table, table_2, table_3
    from maskdesign.files import write_bytes, write_json
    from maskdesign.jobs.compare_photos import compare_photos, people_in
    from maskdesign.recognition.registry import load_recognizers

    if not args.folder.is_dir():
        raise InputError(f"{args.folder}: no such folder; give photos arranged as PERSON/PHOTO.jpg")
    people = people_in(args.folder)[: args.people]
    with shown_progress() as progress:
        figures = compare_photos(people, load_recognizers(args.models), args.out / "people", progress)
    write_json(args.out / "figures.json", figures)
    write_bytes(args.out / "budget.png", budget_plot(figures["conditions"]))
    write_bytes(args.out / "features.png", feature_plot(figures["features"]))
    if args.json:
        print_json(figures)
        return 0
    titles = ("Each recognizer alone", "One recognizer to all", "Controls and losses on the way", "Other methods")
    for title, table in zip(titles, (table_2, table_3, controls_table, baselines_table), strict=True):
        print(f"\n{title} ({figures['people']} people, {figures['pairs']} pairs)\n")
        print("\n".join(table(figures["conditions"])))
    return 0
