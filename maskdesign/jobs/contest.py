"""A contest of designs: one ground for each thing that is worn, one row of a table for each print."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from maskdesign.config import config_hash, to_toml
from maskdesign.evaluation.likeness import faces_on_sheet, faces_on_worn_sheet
from maskdesign.files import write_json
from maskdesign.jobs.config import JobConfig
from maskdesign.jobs.ground import Ground, choose_people, judge_texture, of_recognizers, prepare_ground
from maskdesign.jobs.groups import group_problem
from maskdesign.jobs.photo_store import PhotoStore, worn_by_mean_head
from maskdesign.jobs.stages import chosen_recognizers
from maskdesign.jobs.universal import STORE
from maskdesign.mask.accessories import Accessory
from maskdesign.optimize.baselines.baseline import Baseline
from maskdesign.optimize.loop import read_journal, run_design
from maskdesign.optimize.photo_probes import develop_photos
from maskdesign.optimize.printability import non_printability
from maskdesign.optimize.texture import texture_pixels
from maskdesign.progress import Progress, Silent
from maskdesign.recognition.detectors import faces_found
from maskdesign.recognition.recognizer import Recognizer
from maskdesign.recognition.score import confidence
from maskdesign.render.scene import Scene, build_scene
from maskdesign.run import Run, begin_run

DETECTION_SAMPLE = 30


@dataclass(frozen=True, eq=False)
class Contest:
    """What is the same for every method.

    Attributes:
        run: folder.
        config: of the design.
        grounds: what is worn -> its ground; None is the mask.
        sheets: the same -> it alone, as the mean head wears it in the test, without the head.
        met: names of the recognizers that designs meet; the others only judge.
    """

    run: Run
    config: JobConfig
    grounds: dict[Accessory | None, Ground]
    sheets: dict[Accessory | None, Scene]
    met: tuple[str, ...]


def open_contest(folder: Path, people: int, config: JobConfig, out: Path, every: Sequence[Recognizer]) -> Run:
    """The folder of a comparison; what is refused leaves none behind.

    Args:
        folder, people: as in `prepared_contest`.

    Raises:
        InputError: photos or pairs that do not do.
        RunError: it holds another one.
    """
    chosen_recognizers(list(every), config)
    choose_people(folder, people, config)
    job = {"people": people, "recognizers": {r.spec.name: r.spec.sha256 for r in every}}
    return begin_run(out, to_toml(config), job)


def prepared_contest(
    run: Run,
    folder: Path,
    people: int,
    config: JobConfig,
    models_dir: Path | None,
    every: Sequence[Recognizer],
    worn: Sequence[Accessory | None],
    progress: Progress,
) -> Contest:
    """Mask and embed everybody for each thing that is worn."""
    met = tuple(recognizer.spec.name for recognizer in chosen_recognizers(list(every), config))
    grounds, sheets = {}, {}
    for one in worn:
        own = worn_config(config, one)
        store = PhotoStore(run.folder.resolve().parent / STORE, own.mask, own.drape, own.render, one)
        grounds[one] = prepare_ground(folder, people, own, models_dir, every, store, progress)
        sheets[one] = build_scene(None, worn_by_mean_head(store, own.photos.test_opening_mm), own.mask)
    return Contest(run, config, grounds, sheets, met)


def worn_config(config: JobConfig, worn: Accessory | None) -> JobConfig:
    """The configuration of a design on another sheet; an accessory is too small for a pattern that comes back."""
    if worn is None:
        return config
    return replace(config, mask=worn.pattern, texture=replace(config.texture, repeats=(1, 1)))


def designed_row(contest: Contest, name: str, baseline: Baseline | None) -> dict[str, Any]:
    """Design and judge, or read what an earlier call left; None is this program's own method."""
    path = contest.run.path("methods") / name.replace(" ", "-").replace("'", "") / "row.json"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json(path, _measured(contest, name, baseline, Run(path.parent)))
    return json.loads(path.read_text())


def _measured(contest: Contest, name: str, baseline: Baseline | None, own: Run) -> dict[str, Any]:
    worn = None if baseline is None else baseline.accessory
    config = worn_config(replace(contest.config, recognizers=contest.met), worn)
    met, adversary = of_recognizers(contest.grounds[worn], contest.met), None
    if baseline is not None:
        config = replace(config, jitter=baseline.jitter)
        adversary = baseline.adversary(met.recognizers, met.design.known)
    problem = group_problem(met.design, met.held_out, met.recognizers, config, adversary)
    done, cpu = len(read_journal(own.metrics)), time.process_time()
    state = run_design(problem, own.checkpoint, own.metrics, config_hash(config) + name, Silent())
    spent = (time.process_time() - cpu) * config.design.steps / max(1, state.step - done)
    texture = problem.canvas.texture(state.best_parameters).detach()
    return judged_row(contest, name, worn, texture) | {"steps": state.step, "cpu_s": spent}


def judged_row(contest: Contest, name: str, worn: Accessory | None, texture: Tensor | None) -> dict[str, Any]:
    """What recognizers and detectors make of a print, (3, h, w); None is no mask."""
    ground = contest.grounds[worn]
    specs = {recognizer.spec.name: recognizer.spec for recognizer in ground.recognizers}
    found = judge_texture(ground, texture, contest.config.photos.bootstrap_rounds)
    pixels = None if texture is None else texture_pixels(texture)
    for recognizer, row in found.items():
        row["one_minus_confidence"] = 1 - confidence(specs[recognizer], row["scores"])
    return {
        "method": name,
        "worn": "nothing" if texture is None else "mask" if worn is None else worn.name,
        "recognizers": found,
        "pairs": len(ground.pairs.probe),
        "faces_found": _faces_found(ground, texture),
        "nps": None if texture is None else float(non_printability(texture)),
        "faces_on_sheet": None if pixels is None else faces_on_sheet(pixels),
        "faces_on_worn_sheet": None if pixels is None else faces_on_worn_sheet(contest.sheets[worn], pixels),
    }


def _faces_found(ground: Ground, texture: Tensor | None) -> dict[str, float]:
    photos = [ground.tested[row] for row in np.unique(ground.pairs.probe)[:DETECTION_SAMPLE]]
    if texture is None:
        pictures = [masked.photo for masked in photos]
    else:
        pictures = [texture_pixels(image) for image in develop_photos(photos, texture)]
    centers = np.array([masked.points_px["nose_tip"] for masked in photos])
    return dict(faces_found(pictures, centers))
