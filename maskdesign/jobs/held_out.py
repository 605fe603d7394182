"""How much of a design's effect is left on views that are harder than those it was made for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict

from maskdesign.evaluation.table import DESIGNED, evaluate_scores, row_dicts, score_textures
from maskdesign.files import write_json
from maskdesign.jobs.config import JobConfig
from maskdesign.jobs.picture import run_controls
from maskdesign.jobs.stages import Subject, run_texture, scene_at
from maskdesign.mask.misplaced import misplaced
from maskdesign.mask.worn import WornMask
from maskdesign.optimize.ensemble import Member, Wearer
from maskdesign.progress import Progress
from maskdesign.render.distribution import ViewRanges, sample_views
from maskdesign.render.scene import Scene, build_scene
from maskdesign.run import Run

STREAM = 2**31 - 2
"""Step number under which these views are drawn; neither a design's step nor its validation has it."""


def held_out_stage(
    run: Run,
    config: JobConfig,
    subject: Subject,
    worn: Mapping[float, WornMask],
    members: Sequence[Member],
    progress: Progress,
) -> None:
    """Judge the texture and its controls on fresh views of both distributions, and save both in `held_out.json`."""
    held_out = config.held_out
    if not held_out.count:
        return
    own = [scene_at(subject.face, worn[opening], config) for opening in config.openings_mm]
    placed = misplaced(subject.face, worn[config.evaluation.opening_mm], held_out.placement, config.seed)
    others = [scene_at(subject.face, mask, config) for mask in placed]
    found = {}
    for name, ranges, scenes in (("training", config.views, own), ("held_out", held_out.views, others)):
        progress.stage(f"Views: {name.replace('_', ' ')}")
        judged = _judge(run, config, subject, members, ranges, scenes, progress)
        found[name] = {"views": asdict(ranges), **judged}
    found["held_out"]["placement"] = asdict(held_out.placement)
    write_json(run.path("held_out.json"), found)


def _judge(
    run: Run,
    config: JobConfig,
    subject: Subject,
    members: Sequence[Member],
    ranges: ViewRanges,
    scenes: Sequence[Scene],
    progress: Progress,
) -> dict:
    textures = {**run_controls(run, config), DESIGNED: run_texture(run, config)}
    views = sample_views(ranges, config.seed, STREAM, config.held_out.count, len(scenes))
    bare = build_scene(subject.face, None, config.mask)
    masked, unmasked = (Wearer(subject.face, tuple(shown)) for shown in (scenes, [bare] * len(scenes)))
    scores = score_textures(
        members, masked, unmasked, views, textures, config.render, config.evaluation.batch, progress
    )
    evaluation = evaluate_scores(members, scores, config.evaluation.bootstrap_rounds, {}, {})
    return {"rows": row_dicts(evaluation), "gains": [asdict(gain) for gain in evaluation.gains]}
