"""`maskdesign demo`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from maskdesign.cli.terminal import OptionalPath, Settings, Switch, parse, print_json, shown_progress


@dataclass(frozen=True)
class DemoArgs:
    """Design a mask for NASA's portrait of the astronaut Eileen Collins (public domain); nothing is downloaded.

    Attributes:
        out: Run folder; the same command goes on in it after an interruption.
        models: Folder of ONNX recognizers (NAME.onnx with NAME.toml) that join the ensemble; MASKDESIGN_MODELS else.
        set: Configuration value, KEY=VALUE; may be repeated, as in --set design.steps=50.
        json: Print one JSON document on stdout.
    """

    out: Path = Path("runs/demo")
    models: OptionalPath = None
    set: Settings = ()
    json: Switch = False


def main(words: Sequence[str]) -> int:
    """Run the verb; returns the exit code."""
    args = parse(DemoArgs, "demo", words)
    from maskdesign.jobs.config import load_config
    from maskdesign.jobs.design import demo_photo, design_mask

    config = load_config(None, args.set)
    with shown_progress() as progress:
        summary = design_mask(demo_photo(), config, args.out, args.models, progress)
    print_summary(asdict(summary), args.json)
    return 0


def print_summary(summary: dict, as_json: bool) -> None:
    """What a finished design says, to people or to programs."""
    if as_json:
        print_json(summary)
        return
    if summary["in_interval"] is False:
        print("The interval was not reached: a recognizer still matches too often; see the run's metrics.jsonl.")
    print(f"Designed in {summary['seconds']:.0f} s. Open {summary['report']}; print {summary['sheet']} at 100 %.")
