"""What a test on real photos costs: seconds and memory of `evaluate --photos`, with few pairs and with many.

Every photo is masked and embedded anew, in a store of its own; the texture comes from a design of two steps, since what
it looks like decides nothing here. About half an hour on two cores at the full size.

    python -m benchmarks.measure_evaluation PHOTOS --models DIR --runs EMPTY_FOLDER [--pairs 150 600]
        [--out docs/evaluation/cost.json]
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from pathlib import Path

from maskdesign.files import write_json
from maskdesign.jobs.pool import available_cores

VERB = [sys.executable, "-m", "maskdesign.cli.main"]


def measure(options: argparse.Namespace, pairs: int) -> dict:
    run = options.runs / f"{pairs}-pairs" / "run"
    # Both directions of one pair a person.
    settings = ("design.steps=2", "photos.pairs_per_person=1", f"photos.test_people={pairs // 2}")
    folders = ["--photos", str(options.photos), "--models", str(options.models)]
    words = [*VERB, "design", *folders, "--people", str(options.people), "--out", str(run)]
    _run([*words, *(word for setting in settings for word in ("--set", setting))])
    started, before = time.monotonic(), _children()
    _run([*VERB, "evaluate", str(run), *folders])
    after = _children()
    found = json.loads((run / "photo-evaluation.json").read_text())
    return {
        "pairs": found["pairs"],
        "people": found["people"],
        "textures": len({row["texture"] for row in found["rows"]}),
        "recognizers": len(found["gains"]),
        "wall_s": time.monotonic() - started,
        "cpu_s": after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
        "largest_process_mib": after.ru_maxrss / 1024,
    }


def _children() -> resource.struct_rusage:
    # The largest of all processes so far: fewer pairs come first, so that a growth shows.
    return resource.getrusage(resource.RUSAGE_CHILDREN)


def _run(words: list[str]) -> None:
    done = subprocess.run(words, stdout=subprocess.DEVNULL)
    if done.returncode:
        sys.exit(done.returncode)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", type=Path, metavar="PHOTOS")
    parser.add_argument("--models", type=Path, required=True)
    parser.add_argument("--runs", type=Path, required=True)
    parser.add_argument("--people", type=int, default=20)
    parser.add_argument("--pairs", type=int, nargs="+", default=[150, 600])
    parser.add_argument("--out", type=Path, default=Path("docs/evaluation/cost.json"))
    options = parser.parse_args()
    rows = [measure(options, pairs) for pairs in sorted(options.pairs)]
    write_json(options.out, {"cores": available_cores(), "rows": rows})


if __name__ == "__main__":
    main()
