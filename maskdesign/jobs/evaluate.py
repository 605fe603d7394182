"""Judge a run's texture beside its controls, on views that the design never saw."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path

from maskdesign.evaluation.controls import upside_down
from maskdesign.evaluation.grid import evaluation_views
from maskdesign.evaluation.likeness import faces_on_sheet
from maskdesign.evaluation.table import (
    DESIGNED,
    OWN_RASTERIZER,
    UPSIDE_DOWN,
    Evaluation,
    evaluate_scores,
    score_textures,
)
from maskdesign.files import write_json
from maskdesign.jobs.config import JobConfig
from maskdesign.jobs.picture import run_controls
from maskdesign.jobs.report import report_stage
from maskdesign.jobs.robustness import robustness_stage
from maskdesign.jobs.stages import (
    Subject,
    drape_stage,
    enroll_all,
    read_subject,
    recorded_names,
    recorded_recognizers,
    run_config,
    run_texture,
    scene_at,
)
from maskdesign.mask.worn import WornMask
from maskdesign.optimize.enrolment import photo_margin
from maskdesign.optimize.ensemble import Member, Wearer
from maskdesign.optimize.texture import texture_pixels
from maskdesign.progress import Progress
from maskdesign.recognition.registry import load_recognizers
from maskdesign.render.scene import build_scene
from maskdesign.run import Run, locked, open_run


def evaluate_run(
    folder: Path, models_dir: Path | None, robustness: bool, rasterizer: str, progress: Progress
) -> Evaluation:
    """Evaluate a finished run again and rewrite its table and report.

    Args:
        robustness: on the robustness grid, too.
        rasterizer: what works out visibility in the table, so that the design's own does not judge itself.

    Raises:
        RunError: no run, an unfinished one, or one whose recognizers are not at hand.
    """
    run = open_run(folder)
    config = run_config(run)
    with locked(run):
        run_texture(run, config)
        subject = read_subject(run)
        recognizers = recorded_recognizers(run, load_recognizers(models_dir, recorded_names(run)))
        progress.stage("Mask")
        worn = drape_stage(run, subject.face, config, progress)
        progress.stage("Evaluation")
        members = enroll_all(subject.face, recognizers, config)
        evaluation = evaluation_stage(run, config, subject, worn, members, progress, rasterizer)
        if robustness:
            robustness_stage(run, config, subject, members, progress)
        report_stage(run, config, subject, worn[config.drape.opening_mm], members, evaluation)
    return evaluation


def evaluation_stage(
    run: Run,
    config: JobConfig,
    subject: Subject,
    worn: Mapping[float, WornMask],
    members: tuple[Member, ...],
    progress: Progress,
    rasterizer: str = OWN_RASTERIZER,
) -> Evaluation:
    """Score every texture on the evaluation grid and write `evaluation.json`."""
    designed = run_texture(run, config)
    textures = {
        **run_controls(run, config),
        DESIGNED: designed,
        UPSIDE_DOWN: upside_down(designed),
    }
    masked = Wearer(subject.face, (scene_at(subject.face, worn[config.evaluation.opening_mm], config),))
    bare = Wearer(subject.face, (build_scene(subject.face, None, config.mask),))
    views = evaluation_views(config.evaluation)
    settings = config.evaluation
    scores = score_textures(members, masked, bare, views, textures, config.render, settings.batch, progress, rasterizer)
    fidelity = {m.recognizer.spec.name: photo_margin(m, subject.photo, subject.points_px) for m in members}
    sheet_faces = faces_on_sheet(texture_pixels(designed))
    evaluation = evaluate_scores(members, scores, settings.bootstrap_rounds, fidelity, sheet_faces)
    evaluation = replace(evaluation, rasterizer=rasterizer)
    write_json(run.evaluation, asdict(evaluation))
    return evaluation
