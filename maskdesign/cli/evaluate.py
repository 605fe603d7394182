"""`maskdesign evaluate`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tyro.conf import Positional

from maskdesign.cli.terminal import OptionalPath, Switch, parse, print_json, shown_progress


@dataclass(frozen=True)
class EvaluateArgs:
    """Judge a finished design again on views it never saw, beside its controls, and rewrite its report.

    Attributes:
        run: Run folder of a finished design.
        models: Folder of the ONNX recognizers that the design used; MASKDESIGN_MODELS else.
        json: Print the rows as one JSON document on stdout.
    """

    run: Positional[Path]
    models: OptionalPath = None
    json: Switch = False


def main(words: Sequence[str]) -> int:
    """Run the verb; returns the exit code."""
    args = parse(EvaluateArgs, "evaluate", words)
    from maskdesign.evaluation.table import row_dicts
    from maskdesign.jobs.evaluate import evaluate_run

    with shown_progress() as progress:
        evaluation = evaluate_run(args.run, args.models, progress)
    if args.json:
        print_json(row_dicts(evaluation))
        return 0
    print(
        f"{'recognizer':<22}{'texture':<24}{'score':>8}{'margin':>9}{'FNMR 1e-2':>11}{'FNMR 1e-3':>11}   95 % interval"
    )
    for row in evaluation.rows:
        low, high = row.fnmr_1e3_ci
        print(
            f"{row.recognizer:<22}{row.texture:<24}{row.mean_score:>8.3f}{row.mean_margin:>+9.2f}"
            f"{row.fnmr_1e2:>11.2f}{row.fnmr_1e3:>11.2f}   {low:.2f} to {high:.2f}"
        )
    return 0
