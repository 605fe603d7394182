"""`maskdesign evaluate`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from tyro.conf import Positional

from maskdesign.cli.terminal import OptionalPath, Switch, parse, print_json, shown_progress


@dataclass(frozen=True)
class EvaluateArgs:
    """Judge a finished design again on views it never saw, beside its controls, and rewrite its report.

    Attributes:
        run: Run folder of a finished design.
        models: Folder of the ONNX recognizers that the design used; MASKDESIGN_MODELS else.
        photos: Folder of many people's photos (PERSON/PERSON_0001.jpg): test on real people whom the design never saw.
        pairs: Their list of pairs as LFW has it; pairs.txt in the folder else.
        robustness: Score it by yaw, pitch, light, distance, pleat opening and placement, too: heat maps in the report.
        rasterizer: Who works out what is visible: embreex or open3d are independent of the design's own zbuffer.
        shard: Do part I of N, as in 2/4, where several machines share the work; then once without.
        json: Print the rows as one JSON document on stdout.
    """

    run: Positional[Path]
    models: OptionalPath = None
    photos: OptionalPath = None
    pairs: OptionalPath = None
    robustness: Switch = False
    rasterizer: str = "zbuffer"
    shard: str = "1/1"
    json: Switch = False


def main(words: Sequence[str]) -> int:
    """Run the verb; returns the exit code."""
    args = parse(EvaluateArgs, "evaluate", words)
    return _on_views(args) if args.photos is None else _on_photos(args, args.photos)


def _on_views(args: EvaluateArgs) -> int:
    from maskdesign.evaluation.table import row_dicts
    from maskdesign.jobs.evaluate import evaluate_run

    with shown_progress() as progress:
        evaluation = evaluate_run(args.run, args.models, args.robustness, args.rasterizer, progress)
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


def _on_photos(args: EvaluateArgs, photos: Path) -> int:
    from maskdesign.jobs.evaluate_photos import evaluate_on_photos
    from maskdesign.jobs.photo_embeddings import parse_shard

    pairs, shard = args.pairs or photos / "pairs.txt", parse_shard(args.shard)
    with shown_progress() as progress:
        evaluation = evaluate_on_photos(args.run, photos, pairs, args.models, shard, progress)
    if evaluation is None:
        print(f"part {args.shard} is done; when all are, copy their stores together and run once without --shard")
        return 0
    if args.json:
        print_json(asdict(evaluation))
        return 0
    print(f"{evaluation.pairs} pairs of {evaluation.people} people; FNMR and FMR at FMR 1e-3 of unmasked strangers")
    print(f"{'recognizer':<22}{'texture':<24}{'score':>8}{'FNMR':>7}   {'95 %':<14}{'FMR':>9}{'rank 1':>8}")
    for row in evaluation.rows:
        low, high = row.fnmr_1e3_ci
        print(
            f"{row.recognizer:<22}{row.texture:<24}{row.mean_score:>8.3f}{row.fnmr_1e3:>7.2f}   "
            f"{f'{low:.2f} to {high:.2f}':<14}{row.fmr_1e3:>9.1e}{row.rank1:>8.2f}"
        )
    for gain in evaluation.gains:
        low, high = gain.fnmr_1e3_ci
        own = " (own surrogate)" if gain.recognizer in evaluation.surrogates else ""
        left_out = "" if gain.used else " (left out)"
        print(
            f"{gain.recognizer}{own}{left_out}: {gain.fnmr_1e3:+.2f} [{low:+.2f}, {high:+.2f}] "
            f"over the strongest control, {gain.control}"
        )
    return 0
