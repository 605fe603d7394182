"""A finished run on the robustness grid: every view's score, rates by factors, the poses of PrivacyMask's figures."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from maskdesign.evaluation.controls import control_textures
from maskdesign.evaluation.robustness import (
    FACTORS,
    LEVELS,
    RobustnessSettings,
    conditions,
    level_means,
    level_names,
    placement_shift_mm,
    pose_views,
    robustness_views,
)
from maskdesign.evaluation.table import DESIGNED, score_textures
from maskdesign.files import write_json, write_text
from maskdesign.jobs.config import JobConfig
from maskdesign.jobs.stages import Subject, drape_stage, run_texture, scene_at
from maskdesign.mask.misplaced import slide_mask
from maskdesign.mask.worn import WornMask
from maskdesign.optimize.ensemble import Member, Wearer
from maskdesign.progress import Progress
from maskdesign.recognition.score import confidence, margins
from maskdesign.recognition.spec import RecognizerSpec
from maskdesign.render.scene import Scene, build_scene
from maskdesign.run import Run

SHOWN_CONTROLS = ("plain blue", "random")
RESULTS, ROWS = "robustness.json", "robustness.csv"


def robustness_stage(
    run: Run, config: JobConfig, subject: Subject, members: Sequence[Member], progress: Progress
) -> None:
    """Score the design and its controls on every condition; write `robustness.json` and `robustness.csv`."""
    settings = config.robustness
    progress.stage("Mask at the openings of the robustness grid")
    worn = drape_stage(run, subject.face, config, progress, settings.opening_mm)
    progress.stage("Robustness grid")
    rows = conditions(settings)
    scores = _scores(run, config, subject, members, _scenes(subject, config, worn), rows, progress)
    specs = [member.recognizer.spec for member in members]
    write_text(run.path(ROWS), _csv(settings, rows, scores, specs))
    recognizers = {spec.name: _summary(settings, spec, scores[spec.name], rows) for spec in specs}
    levels = level_names(settings)
    write_json(run.path(RESULTS), {"levels": levels, "conditions": rows.tolist(), "recognizers": recognizers})


def read_robustness(run: Run) -> dict[str, Any] | None:
    """What `robustness_stage` left in a run; None where it was not asked for."""
    path = run.path(RESULTS)
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None


def _scenes(subject: Subject, config: JobConfig, worn: Mapping[float, WornMask]) -> list[Scene]:
    settings, scenes = config.robustness, []
    for opening, opening_mm in enumerate(settings.opening_mm):
        for placement in range(LEVELS):
            shift_mm = placement_shift_mm(settings, opening, placement)
            placed = slide_mask(subject.face, worn[opening_mm], shift_mm, roll_deg=0.0)
            scenes.append(scene_at(subject.face, placed, config))
    return scenes


def _scores(
    run: Run,
    config: JobConfig,
    subject: Subject,
    members: Sequence[Member],
    scenes: Sequence[Scene],
    rows: NDArray[np.int64],
    progress: Progress,
) -> dict[str, dict[str, NDArray[np.float64]]]:
    """Recognizer -> texture -> (n,) scores."""
    controls = control_textures(config.texture, config.mask)
    textures = {name: controls[name] for name in SHOWN_CONTROLS} | {DESIGNED: run_texture(run, config)}
    bare = build_scene(subject.face, None, config.mask)
    masked, unmasked = (Wearer(subject.face, tuple(shown)) for shown in (scenes, [bare] * len(scenes)))
    views, parts = robustness_views(config.robustness, config.evaluation, rows), []
    # Pictures of one distance have one size, and only those can be rendered together.
    for distance in range(LEVELS):
        chosen = [view for view, row in zip(views, rows, strict=True) if row[3] == distance]
        parts.append(
            score_textures(
                members, masked, unmasked, chosen, textures, config.render, config.evaluation.batch, progress
            )
        )
    return {
        name: {texture: np.concatenate([part[name][texture] for part in parts]) for texture in found}
        for name, found in parts[0].items()
    }


def _summary(
    settings: RobustnessSettings,
    spec: RecognizerSpec,
    scores: Mapping[str, NDArray[np.float64]],
    rows: NDArray[np.int64],
) -> dict[str, Any]:
    poses = pose_views(settings, rows)
    found = {}
    for texture, values in scores.items():
        missed = (values < spec.thresholds["1e-3"]).astype(float)
        found[texture] = {
            "views": len(values),
            "mean_score": float(values.mean()),
            "mean_confidence": confidence(spec, values),
            "fnmr_1e3": float(missed.mean()),
            "fnmr_1e3_by_level": {factor: level_means(rows, missed, n) for n, factor in enumerate(FACTORS)},
            "score_by_level": {factor: level_means(rows, values, n) for n, factor in enumerate(FACTORS)},
            "poses": {
                pose: {
                    "views": int(chosen.sum()),
                    "mean_confidence": confidence(spec, values[chosen]),
                    "fnmr_1e3": float(missed[chosen].mean()),
                }
                for pose, chosen in poses.items()
            },
            "margins": margins(spec, torch.from_numpy(values)).tolist(),
        }
    return found


def _csv(
    settings: RobustnessSettings,
    rows: NDArray[np.int64],
    scores: Mapping[str, Mapping[str, NDArray[np.float64]]],
    specs: Sequence[RecognizerSpec],
) -> str:
    levels, buffer = level_names(settings), io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow([*FACTORS, "recognizer", "texture", "score", "matched_at_fmr_1e3"])
    for spec in specs:
        for texture, values in scores[spec.name].items():
            for row, score in zip(rows, values, strict=True):
                named = [levels[factor][level] for factor, level in zip(FACTORS, row, strict=True)]
                writer.writerow([*named, spec.name, texture, f"{score:.6f}", int(score >= spec.thresholds["1e-3"])])
    return buffer.getvalue()
