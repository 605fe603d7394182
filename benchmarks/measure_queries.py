"""Design against dlib's compiled library as a black box: the margin by estimated gradients, with the questions counted.

The library (PyPI dlib-bin) gives embeddings and nothing more. The demo's built-in head wears the mask, the default
pattern is free in one repeat of the sheet, and views never used in a step judge it. The control is the pattern before
the first step. Writes docs/queries.json:

    python -m benchmarks.measure_queries [--steps 12] [--pairs 12]
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import replace
from pathlib import Path

import torch

from benchmarks.bench_step import single_wearer_problem
from maskdesign.faces.head import builtin_face
from maskdesign.files import write_json
from maskdesign.optimize.ensemble import probe_margins
from maskdesign.optimize.loop import run_design
from maskdesign.optimize.step import Problem, initial_state
from maskdesign.progress import Silent
from maskdesign.recognition.black_box import embedding_box, query_count
from maskdesign.recognition.dlib_net import dlib_spec
from tests.dlib_chips import dlib_oracle

OUT = Path(__file__).resolve().parents[1] / "docs" / "queries.json"
JUDGED_VIEWS, JUDGED_STREAM = 24, 2**31 - 3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--pairs", type=int, default=12)
    options = parser.parse_args()
    torch.set_num_threads(1)
    box = embedding_box(replace(dlib_spec(), name="dlib-bin"), ask_dlib, "PyPI dlib-bin")
    problem = single_wearer_problem(builtin_face(), [box])
    design = replace(
        problem.design, steps=options.steps, query_pairs=options.pairs, views_per_step=2, validation_views=4,
        validate_every=options.steps, learning_rate=0.6, final_learning_rate=0.2,
    )  # fmt: skip
    problem = replace(problem, design=replace(design, query_budget=design.queries))
    before, asked = judged(problem, initial_state(problem).parameters), query_count([box])
    with tempfile.TemporaryDirectory() as folder:
        state = run_design(problem, Path(folder) / "state", Path(folder) / "journal", "queries", Silent())
    asked = query_count([box]) - asked
    after = judged(problem, state.parameters)
    fall = (before - after).tolist()
    spread = float(torch.tensor(fall).std()) / len(fall) ** 0.5
    figures = {
        "margin_before": float(before.mean()),
        "margin_after": float(after.mean()),
        "fall": sum(fall) / len(fall),
    }
    figures |= {"standard_error_of_the_fall": spread, "queries": asked, "budget": problem.design.query_budget}
    print(figures)
    write_json(OUT, {**figures, "views": len(fall), "steps": options.steps, "pairs": options.pairs})


def ask_dlib(crops):
    pixels = (crops.transpose(0, 2, 3, 1) * 255).round().clip(0, 255).astype("uint8")
    return [list(dlib_oracle().compute_face_descriptor(picture.copy())) for picture in pixels]


@torch.no_grad()
def judged(problem: Problem, parameters: torch.Tensor) -> torch.Tensor:
    """(views,) margins on views that no step saw."""
    texture = problem.canvas.texture(parameters)
    return probe_margins(
        problem.adversary.recognizers, problem.probes.fixed_probes(JUDGED_STREAM, JUDGED_VIEWS), texture
    )[0]


if __name__ == "__main__":
    main()
