"""`maskdesign compare`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from tyro.conf import Positional

from maskdesign.cli.terminal import OptionalInt, OptionalPath, Settings, Switch, parse, print_json, shown_progress


@dataclass(frozen=True)
class CompareArgs:
    """Run the papers' experiments on your own photos, with their controls. The same command goes on where it stopped.

    photos: the mask template paper's: every way to protect a photo, every recognizer.
    attention: PrivacyMask's experiment A: its attention against plain averaging, for one recognizer and for several.
    methods: PrivacyMask's Table 1: five other methods, this program and controls on the same people.
    styles: what wearability costs: one design in several styles, and whether its sheet shows a face.
    heads: PrivacyMask's section 4.3, rendered: 30 heads and people, a hundred textures, each with each.

    Attributes:
        what: photos, attention, methods, styles or heads.
        folder: Photos as PERSON/PHOTO.jpg, at least two a person; beside photos, also pairs.txt, as LFW has it.
        out: Folder for figures.json, plots and all that is worked out on the way.
        models: Folder of NAME.onnx with NAME.toml; else MASKDESIGN_MODELS counts.
        people: photos: take only the first of this many people. Else: design for this many (40).
        seeds: attention: designs of each kind (5; fewer where the question needs fewer). heads: of each style (8).
        set: Not for photos: configuration value, KEY=VALUE, as in --set design.steps=50; may be repeated.
        json: Print one JSON document on stdout.
    """

    what: Positional[Literal["photos", "attention", "methods", "styles", "heads"]]
    folder: Positional[Path]
    out: Path
    models: OptionalPath = None
    people: OptionalInt = None
    seeds: OptionalInt = None
    set: Settings = ()
    json: Switch = False


PEOPLE, SEEDS, HEAD_SEEDS = 40, 5, 8


def main(words: Sequence[str]) -> int:
    """Run the verb; returns the exit code."""
    args = parse(CompareArgs, "compare", words)
    from maskdesign.errors import InputError, UsageError

    if not args.folder.is_dir():
        raise InputError(f"{args.folder}: no such folder; give photos arranged as PERSON/PHOTO.jpg")
    if (args.people is not None and args.people < 1) or (args.seeds is not None and args.seeds < 1):
        raise UsageError("--people and --seeds must be at least 1")
    verbs = {"photos": _photos, "attention": _attention, "methods": _methods, "styles": _styles, "heads": _heads}
    lines = verbs[args.what](args)
    print("\n".join(lines)) if lines else None
    return 0


def _photos(args: CompareArgs) -> list[str]:
    from maskdesign.errors import UsageError
    from maskdesign.evaluation.photo_plots import budget_plot, feature_plot
    from maskdesign.evaluation.photo_tables import baselines_table, controls_table, table_2, table_3
    from maskdesign.jobs.compare_photos import compare_photos, people_in
    from maskdesign.recognition.registry import load_recognizers

    if args.set or args.seeds:
        raise UsageError("compare photos takes neither --set nor --seeds")
    people = people_in(args.folder)[: args.people]
    with shown_progress() as progress:
        figures = compare_photos(people, load_recognizers(args.models), args.out / "people", progress)
    conditions = figures["conditions"]
    plots = {"budget": budget_plot(conditions), "features": feature_plot(figures["features"])}
    lines = _written(args, figures, plots)
    titles = ("Each recognizer alone", "One recognizer to all", "Controls and losses on the way", "Other methods")
    for title, table in zip(titles, (table_2, table_3, controls_table, baselines_table), strict=True):
        lines += ["", f"{title} ({figures['people']} people, {figures['pairs']} pairs)", "", *table(conditions)]
    return [] if args.json else lines


def _attention(args: CompareArgs) -> list[str]:
    from maskdesign.evaluation.trial_plots import trial_plot
    from maskdesign.evaluation.trial_tables import attention_lines
    from maskdesign.jobs.compare_attention import SETTINGS, compare_attention, from_trial
    from maskdesign.jobs.config import load_config

    config = load_config(None, (*SETTINGS, *args.set))
    people, seeds = args.people or PEOPLE, args.seeds or SEEDS
    with shown_progress() as progress:
        figures = compare_attention(args.folder, people, seeds, config, args.out, args.models, progress)
    curves = trial_plot([from_trial(trial) for trial in figures["trials"]], figures["interval"])
    lines = [*_written(args, figures, {"curves": curves}), *attention_lines(figures)]
    return [] if args.json else lines


def _methods(args: CompareArgs) -> list[str]:
    from maskdesign.evaluation.method_tables import method_lines
    from maskdesign.jobs.compare_attention import SETTINGS
    from maskdesign.jobs.compare_methods import compare_methods
    from maskdesign.jobs.config import load_config

    _refuse_seeds(args)
    config = load_config(None, (*SETTINGS, *args.set))
    with shown_progress() as progress:
        figures = compare_methods(args.folder, args.people or PEOPLE, config, args.out, args.models, progress)
    lines = [*_written(args, figures, {}), *method_lines(figures)]
    return [] if args.json else lines


def _styles(args: CompareArgs) -> list[str]:
    from maskdesign.evaluation.style_tables import style_lines, style_plot
    from maskdesign.jobs.compare_attention import SETTINGS
    from maskdesign.jobs.compare_styles import compare_styles

    _refuse_seeds(args)
    settings = (*SETTINGS, *args.set)
    with shown_progress() as progress:
        figures = compare_styles(args.folder, args.people or PEOPLE, settings, args.out, args.models, progress)
    lines = [*_written(args, figures, {"styles": style_plot(figures)}), *style_lines(figures)]
    return [] if args.json else lines


def _heads(args: CompareArgs) -> list[str]:
    from maskdesign.evaluation.crossed import crossed_lines
    from maskdesign.jobs.compare_heads import SETTINGS, compare_heads
    from maskdesign.jobs.ground import FREE_STYLE

    settings, seeds = (*FREE_STYLE, *SETTINGS, *args.set), args.seeds or HEAD_SEEDS
    with shown_progress() as progress:
        figures = compare_heads(args.folder, args.people or PEOPLE, seeds, settings, args.out, args.models, progress)
    lines = [*_written(args, figures, {}), *crossed_lines(figures)]
    return [] if args.json else lines


def _refuse_seeds(args: CompareArgs) -> None:
    from maskdesign.errors import UsageError

    if args.seeds:
        raise UsageError(f"compare {args.what} takes no --seeds; repeat it with --set seed=3 and another --out")


def _written(args: CompareArgs, figures: Mapping[str, Any], plots: Mapping[str, bytes]) -> list[str]:
    from maskdesign.files import write_bytes, write_json

    write_json(args.out / "figures.json", figures)
    for name, png in plots.items():
        write_bytes(args.out / f"{name}.png", png)
    if args.json:
        print_json(figures)
    return []
