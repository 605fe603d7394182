"""The counterpart of PrivacyMask's Table 1: its methods, this program's and controls on one ground."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from maskdesign.config import config_hash, to_toml
from maskdesign.evaluation.controls import PLAIN_COLORS, random_texture
from maskdesign.evaluation.verification import people_interval
from maskdesign.files import write_json
from maskdesign.jobs.config import JobConfig
from maskdesign.jobs.ground import Ground, judge_texture, of_recognizers, prepare_ground
from maskdesign.jobs.groups import group_problem
from maskdesign.jobs.photo_store import PhotoStore
from maskdesign.jobs.stages import chosen_recognizers
from maskdesign.jobs.universal import STORE
from maskdesign.mask.accessories import EYEGLASSES, FOREHEAD_STICKER, Accessory
from maskdesign.optimize.baselines.adversarial_mask import ADVERSARIAL_MASK
from maskdesign.optimize.baselines.advhat import ADVHAT
from maskdesign.optimize.baselines.baseline import Baseline
from maskdesign.optimize.baselines.detector_patch import DETECTOR_PATCH
from maskdesign.optimize.baselines.eyeglasses import GLASSES
from maskdesign.optimize.baselines.universal_patch import UNIVERSAL_PATCH
from maskdesign.optimize.loop import read_journal, run_design
from maskdesign.optimize.photo_probes import develop_photos
from maskdesign.optimize.printability import non_printability
from maskdesign.optimize.texture import TextureStyle, grid_shape, texture_pixels
from maskdesign.progress import Progress, Silent
from maskdesign.recognition.detectors import faces_found
from maskdesign.recognition.recognizer import Recognizer
from maskdesign.recognition.registry import load_recognizers
from maskdesign.recognition.spec import RecognizerSpec
from maskdesign.run import Run, begin_run, locked

BASELINES = (ADVHAT, GLASSES, DETECTOR_PATCH, UNIVERSAL_PATCH, ADVERSARIAL_MASK)
OURS, WEARABLE = "this program", "this program, wearable repeat"
DETECTION_SAMPLE = 30


@dataclass(frozen=True, eq=False)
class Contest:
    """What is the same for every method.

    Attributes:
        run: folder.
        config: of the design.
        grounds: what is worn -> its ground; None is the mask.
        met: names of the recognizers that designs meet; the others only judge.
    """

    run: Run
    config: JobConfig
    grounds: dict[Accessory | None, Ground]
    met: tuple[str, ...]


def compare_methods(
    folder: Path, people: int, config: JobConfig, out: Path, models_dir: Path | None, progress: Progress
) -> dict[str, Any]:
    """Design with every method for the same people and judge all of them on the same tested people.

    Args:
        folder: photos as PERSON/PERSON_0001.jpg, and pairs.txt.
        people: to design for.
        config: `recognizers` are those that designs meet; the others at hand are left out and only judge.
        out: folder of the comparison; the same call goes on there.

    Returns:
        one row a method and control, and this program's gain over each of them.

    Raises:
        MaskdesignError: anything a user can cause, in one line with the remedy.
    """
    every = load_recognizers(models_dir, config.recognizers)
    met = tuple(recognizer.spec.name for recognizer in chosen_recognizers(every, config))
    job = {"people": people, "recognizers": {r.spec.name: r.spec.sha256 for r in every}}
    run = begin_run(out, to_toml(config), job)
    with locked(run):
        grounds = {
            worn: _ground(folder, people, worn_config(config, worn), models_dir, every, out, worn, progress)
            for worn in (None, FOREHEAD_STICKER, EYEGLASSES)
        }
        contest, rows = Contest(run, config, grounds, met), []
        progress.stage("Methods")
        for number, row in enumerate(_rows(contest)):
            rows.append(row)
            progress.advance(number + 1, len(BASELINES) + 9, row["method"])
    return {"met": list(met), "steps": config.design.steps, "rows": rows, "gains": _gains(rows, contest)}


def worn_config(config: JobConfig, worn: Accessory | None) -> JobConfig:
    """The configuration of a design on another sheet; an accessory is too small for a pattern that comes back."""
    if worn is None:
        return config
    return replace(config, mask=worn.pattern, texture=replace(config.texture, repeats=(1, 1)))


def _ground(
    folder: Path,
    people: int,
    config: JobConfig,
    models_dir: Path | None,
    recognizers: Sequence[Recognizer],
    out: Path,
    worn: Accessory | None,
    progress: Progress,
) -> Ground:
    store = PhotoStore(out.resolve().parent / STORE, config.mask, config.drape, config.render, worn)
    return prepare_ground(folder, people, config, models_dir, recognizers, store, progress)


def _rows(contest: Contest) -> Iterator[dict[str, Any]]:
    yield _judged(contest, "no mask", None, None)
    yield from _controls(contest)
    ours = _designed(contest, OURS, None)
    yield ours
    wearable = replace(contest, config=replace(contest.config, texture=TextureStyle()))
    yield _designed(wearable, WEARABLE, None)
    for baseline in BASELINES:
        row = _designed(contest, baseline.name, baseline)
        yield row
        # Whoever pays less for a step gets more of them.
        steps = round(row["steps"] * ours["cpu_s"] / row["cpu_s"])
        if steps > 1.25 * row["steps"]:
            longer = replace(contest.config, design=replace(contest.config.design, steps=steps))
            yield _designed(replace(contest, config=longer), f"{baseline.name}, same CPU seconds", baseline)


def _controls(contest: Contest) -> Iterator[dict[str, Any]]:
    style = contest.config.texture
    for worn, title in ((None, "mask"), (FOREHEAD_STICKER, "sticker"), (EYEGLASSES, "frame")):
        pattern = worn_config(contest.config, worn).mask
        height, width = grid_shape(pattern, style.texel_mm)
        plain = torch.tensor(PLAIN_COLORS["plain blue" if worn is None else "plain white"])
        plain_texture = plain[:, None, None].expand(3, height, width)
        yield _judged(contest, f"plain {title}", worn, plain_texture)
        yield _judged(contest, f"random {title}", worn, random_texture(replace(style, repeats=(1, 1)), pattern))


def _designed(contest: Contest, name: str, baseline: Baseline | None) -> dict[str, Any]:
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
    return _judged(contest, name, worn, texture) | {"steps": state.step, "cpu_s": spent}


def _judged(contest: Contest, name: str, worn: Accessory | None, texture: Tensor | None) -> dict[str, Any]:
    ground = contest.grounds[worn]
    specs = {recognizer.spec.name: recognizer.spec for recognizer in ground.recognizers}
    found = judge_texture(ground, texture, contest.config.photos.bootstrap_rounds)
    for recognizer, row in found.items():
        row["one_minus_confidence"] = 1 - confidence(specs[recognizer], row["scores"])
    return {
        "method": name,
        "worn": "nothing" if texture is None else "mask" if worn is None else worn.name,
        "recognizers": found,
        "pairs": len(ground.pairs.probe),
        "faces_found": _faces_found(ground, texture),
        "nps": None if texture is None else float(non_printability(texture)),
    }


def confidence(spec: RecognizerSpec, scores: Sequence[float]) -> float:
    """Mean confidence: 0 at strangers' mean score, 1 at one's own, cut off there; services have scales of their own."""
    shares = (np.array(scores) - spec.impostor_mean) / (spec.genuine_mean - spec.impostor_mean)
    return float(np.clip(shares, 0, 1).mean())


def _faces_found(ground: Ground, texture: Tensor | None) -> dict[str, float]:
    photos = [ground.tested[row] for row in np.unique(ground.pairs.probe)[:DETECTION_SAMPLE]]
    if texture is None:
        pictures = [masked.photo for masked in photos]
    else:
        pictures = [texture_pixels(image) for image in develop_photos(photos, texture)]
    centers = np.array([masked.points_px["nose_tip"] for masked in photos])
    return dict(faces_found(pictures, centers))


def _gains(rows: Sequence[dict[str, Any]], contest: Contest) -> list[dict[str, Any]]:
    """FNMR of this program minus that of every other row, paired over the tested people."""
    ours = next(row for row in rows if row["method"] == OURS)
    gains = []
    for row in rows:
        ground = contest.grounds[None]
        if row is ours or row["pairs"] != ours["pairs"]:
            continue
        for recognizer in ground.recognizers:
            spec = recognizer.spec
            missed = [np.array(r["recognizers"][spec.name]["scores"]) < spec.thresholds["1e-3"] for r in (ours, row)]
            owners = ground.pairs.people[ground.pairs.probe]
            gains.append(
                {
                    "method": row["method"],
                    "recognizer": spec.name,
                    "fnmr": float(missed[0].mean() - missed[1].mean()),
                    "fnmr_ci": people_interval(missed, owners, contest.config.photos.bootstrap_rounds),
                }
            )
    return gains
