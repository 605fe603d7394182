"""The pictures and the page of a run."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from maskdesign.evaluation.attended import attended_strip
from maskdesign.evaluation.controls import control_textures
from maskdesign.evaluation.heatmaps import heat_map_svg
from maskdesign.evaluation.pictures import loss_curve_svg, preview_strip
from maskdesign.evaluation.report import HEADLINE_CONTROL, ReportContent, report_html
from maskdesign.evaluation.robustness_plots import robustness_svg
from maskdesign.evaluation.table import DESIGNED, NO_MASK, Evaluation
from maskdesign.files import write_image, write_text
from maskdesign.jobs.config import JobConfig
from maskdesign.jobs.robustness import read_robustness
from maskdesign.jobs.stages import Subject, run_texture, scene_at
from maskdesign.mask.worn import DrapeReport, WornMask
from maskdesign.optimize.ensemble import Member
from maskdesign.optimize.loop import read_journal
from maskdesign.recognition.score import margins
from maskdesign.recognition.spec import RecognizerSpec
from maskdesign.render.scene import build_scene
from maskdesign.run import Run
from maskdesign.sheets.paper import find_paper
from maskdesign.sheets.preview import sheet_preview

MAPPED = (NO_MASK, HEADLINE_CONTROL, DESIGNED)
CAPTIONS = {
    "face": "The head made from the photo",
    "plain": "A plain blue mask draped on it",
    "designed": "The same mask with the designed texture",
}
ATTENDED = "Where {name} looks: bare, under a plain blue mask, under the design (red: what decides its score most)"


def report_stage(
    run: Run,
    config: JobConfig,
    subject: Subject,
    worn: WornMask,
    members: Sequence[Member],
    evaluation: Evaluation,
) -> None:
    """Write `previews/*.png` and `report.html` of a run whose evaluation and sheets are done."""
    specs = [member.recognizer.spec for member in members]
    pictures = _pictures(run, config, subject, worn)
    attended = _attended(run, config, subject, worn, members)
    for name, pixels in attended.items():
        write_image(run.previews / f"attended-{name}.png", pixels)
    for name, pixels in pictures.items():
        write_image(run.previews / f"{name}.png", pixels)
    about = json.loads(run.photo_facts.read_text())
    environment = json.loads(run.environment.read_text())
    robustness = read_robustness(run)
    content = ReportContent(
        run_id=run.run_id,
        source=about["source"],
        scale=about["scale"],
        pictures={CAPTIONS[name]: pixels for name, pixels in pictures.items()}
        | {ATTENDED.format(name=name): pixels for name, pixels in attended.items()},
        curve_svg=loss_curve_svg(read_journal(run.metrics)),
        heat_svg={spec.name: _heat_maps(config, spec, evaluation) for spec in specs},
        robustness=robustness,
        robustness_svg={} if robustness is None else _robustness_maps(robustness),
        evaluation=evaluation,
        recognizers={spec.name: _about(spec) for spec in specs},
        surrogates=frozenset(spec.name for spec in specs if spec.is_surrogate),
        drape=_drape_figures(worn.report),
        sheet=sheet_preview(run.sheet(find_paper(config.papers[0]).name)),
        config_toml=run.config.read_text(),
        environment={**environment.pop("packages"), **environment},
    )
    write_text(run.report, report_html(content))


def _pictures(run: Run, config: JobConfig, subject: Subject, worn: WornMask) -> dict:
    plain = control_textures(config.texture, config.mask)["plain blue"]
    masked = scene_at(subject.face, worn, config)
    bare = build_scene(subject.face, None, config.mask)
    return {
        "face": preview_strip(bare, plain),
        "plain": preview_strip(masked, plain),
        "designed": preview_strip(masked, run_texture(run, config)),
    }


def _attended(
    run: Run, config: JobConfig, subject: Subject, worn: WornMask, members: Sequence[Member]
) -> dict[str, NDArray[np.uint8]]:
    """A strip for each recognizer that has a gradient."""
    plain, masked = control_textures(config.texture, config.mask)["plain blue"], scene_at(subject.face, worn, config)
    scenes = (build_scene(subject.face, None, config.mask), masked, masked)
    textures = (plain, plain, run_texture(run, config))
    seen = [member for member in members if not member.recognizer.spec.black_box]
    return {m.recognizer.spec.name: attended_strip(m, subject.face, scenes, textures) for m in seen}


def _heat_maps(config: JobConfig, spec: RecognizerSpec, evaluation: Evaluation) -> str:
    scores = {name: values for name, values in evaluation.scores[spec.name].items() if name in MAPPED}
    in_margins = {name: margins(spec, torch.tensor(values)).tolist() for name, values in scores.items()}
    return heat_map_svg(config.evaluation, in_margins, spec.name)


def _robustness_maps(found: Mapping[str, Any]) -> dict[str, str]:
    rows = np.array(found["conditions"])
    return {
        name: robustness_svg(found["levels"], rows, {texture: row["margins"] for texture, row in rates.items()})
        for name, rates in found["recognizers"].items()
    }


def _about(spec: RecognizerSpec) -> str:
    own = "a surrogate of this project, made to design against: results on it count for less; "
    return (
        f"{own if spec.is_surrogate else ''}{spec.architecture}; licence {spec.licence}; trained on {spec.training_set}"
    )


def _drape_figures(report: DrapeReport) -> dict[str, str]:
    return {
        "edge strain, rms": f"{100 * report.strain_rms:.2f} %",
        "edge strain, 99th percentile": f"{100 * report.strain_p99:.2f} %",
        "edge strain, largest": f"{100 * report.strain_max:.2f} %",
        "worn area / sheet area": f"{report.area_ratio:.4f}",
        "deepest point inside the face": f"{report.penetration_mm:.3f} mm",
        "pleat opening along the middle": f"{report.opening_mm:.1f} mm",
        "layer order violations": str(report.layer_violations),
        "edges that pierce the sheet": str(report.crossings),
    }
