"""Does a design that knows "this" mask do better on it? Rendered photos with known truth, controls beside.

Six masks on the built-in head, each with its own opening and place of the nose, all from one printer (a press whose
colors are not of the fitted form). Of each mask three photos of the worn board are read as `calibrate photo` reads
them, and one reading of the color chart gives the print response. Then textures are designed from the same seed:

    uncalibrated    the defaults
    colors          the defaults and the print response
    calibrated      what `design --calibration` takes: openings, place of the nose and print response
    another mask's  the calibrated design of the next mask in the list, whose seed differs, too

and all are judged on this mask's true drape, in the press's true colors, on the evaluation grid that no design sees.
Everything is kept in --cache, so the same command goes on where it stopped.

    python -m benchmarks.measure_calibrated_design --cache FOLDER [--steps 100] [--set KEY=VALUE ...] [--out FILE]

Each call adds its run to --out, or replaces the one with the same steps and settings.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchmarks.measure_worn_board import TRUTHS, told_focal_px, true_drape
from maskdesign.calibration.board import CODED, load_board
from maskdesign.calibration.chart import load_chart
from maskdesign.calibration.color import fit_response
from maskdesign.calibration.drapes import drape_cache, drape_family
from maskdesign.calibration.worn import read_worn
from maskdesign.cli.terminal import shown_progress
from maskdesign.config import config_hash, read_toml
from maskdesign.evaluation.grid import evaluation_views
from maskdesign.evaluation.table import score_textures
from maskdesign.faces.head import builtin_face
from maskdesign.faces.scan import FaceScan
from maskdesign.files import write_json
from maskdesign.jobs.calibrate_apply import write_design
from maskdesign.jobs.config import JobConfig, load_config
from maskdesign.jobs.design import build_problem
from maskdesign.jobs.stages import Subject, enroll_all, scene_at
from maskdesign.mask.drape import drape_mask
from maskdesign.mask.worn import WornMask, load_worn, save_worn
from maskdesign.optimize.ensemble import Member, Wearer
from maskdesign.optimize.loop import run_design
from maskdesign.progress import Progress, Silent
from maskdesign.recognition.registry import load_recognizers
from maskdesign.recognition.score import margins
from maskdesign.render.camera import orbit_camera
from maskdesign.render.color import srgb_encode
from maskdesign.render.scene import build_scene
from tests.calibration_photos import PATTERN, Conditions, random_view, take_photo
from tests.test_calibration_color import press

OUT = Path(__file__).parent.parent / "docs" / "calibration" / "design.json"
SEED = 31_011
YAWS_DEG = (-28.0, 0.0, 28.0)
ARMS = ("uncalibrated", "colors", "calibrated")
OTHER = "another mask's"
STUDENT_5 = 2.5706
"""The 97.5 % quantile of Student's t with five degrees of freedom, for intervals over six masks."""


def fitted(face: FaceScan, worn: WornMask, number: int, cache: Path, progress: Progress) -> dict[str, Any]:
    """What three photos of a worn mask and one chart tell, as `calibration.json` would hold it."""
    board, rng = load_board(CODED), np.random.default_rng([SEED, number])
    scene = build_scene(face, worn, PATTERN)
    x, y, z = map(float, worn.mesh.vertices.mean(axis=0))
    middle = (x, y, z)
    views = [random_view(rng, Conditions(), middle) for _ in YAWS_DEG]
    cameras = [orbit_camera(yaw, 0.0, 0.0, 600.0, 2700.0, 1200, 1200, middle) for yaw in YAWS_DEG]
    photos = [
        take_photo(scene, worn, board, replace(v, camera=camera)) for v, camera in zip(views, cameras, strict=True)
    ]
    family = drape_family(face, PATTERN, progress, cache)
    reading = read_worn([p.pixels for p in photos], board, face, family, [told_focal_px(p) for p in photos])
    assert reading is not None, "three photos from the front and both sides can be read"
    patches = load_chart().patch_rgb
    color = fit_response(patches, press(patches) * rng.normal(1, 0.01, (len(patches), 3))).response
    drape = {"asked_opening_mm": reading.fit.asked_mm, "placement_mm": reading.fit.placement_mm}
    return {"worn": {**drape, "pattern": asdict(PATTERN)}, "color": {"response": asdict(color)}}


def configurations(document: dict[str, Any], settings: Sequence[str], folder: Path) -> dict[str, JobConfig]:
    """One of each arm, by the way that `design --calibration` goes."""
    folder.mkdir(parents=True, exist_ok=True)
    write_design(folder, document)
    measured = read_toml(folder / "design.toml")
    parts = {"uncalibrated": None, "colors": {"render": measured["render"]}, "calibrated": measured}
    return {arm: load_config(None, settings, parts[arm]) for arm in ARMS}


def designed(face: FaceScan, members: tuple[Member, ...], config: JobConfig, cache: Path) -> Tensor:
    """(3, h, w) the texture at the spacing that cameras resolve."""
    worn = {opening: _drape(face, config, opening, cache) for opening in config.openings_mm}
    subject = Subject(face, np.zeros((2, 2, 3), np.uint8), {})
    problem, key = build_problem(subject, worn, members, config), config_hash(config)
    state = run_design(problem, cache / f"{key}.safetensors", cache / f"{key}.jsonl", key, Silent())
    return problem.canvas.texture(state.best_parameters).detach()


def _drape(face: FaceScan, config: JobConfig, opening_mm: float, cache: Path) -> WornMask:
    path = cache / f"design-{opening_mm:g}-{config.mask.nose_v_mm:g}.npz"
    if not path.exists():
        save_worn(drape_mask(face, config.mask, replace(config.drape, opening_mm=opening_mm)), path)
    return load_worn(path)


def printed(texture: Tensor) -> Tensor:
    """What the press makes of a texture: (3, h, w) sRGB that a camera then sees in white light."""
    sent = texture.permute(1, 2, 0).reshape(-1, 3).double().numpy() * 255
    light = torch.from_numpy(press(sent)).reshape(*texture.shape[1:], 3).permute(2, 0, 1)
    return srgb_encode(light).float()


def judged(
    face: FaceScan, worn: WornMask, members: tuple[Member, ...], textures: Mapping[str, Tensor]
) -> dict[str, dict[str, NDArray[np.float64]]]:
    """Recognizer -> texture -> margin in each view of the evaluation grid, > 0 = recognized."""
    config = JobConfig()
    masked = Wearer(face, (scene_at(face, worn, config),))
    bare = Wearer(face, (build_scene(face, None, config.mask),))
    views, shown = evaluation_views(config.evaluation), {name: printed(image) for name, image in textures.items()}
    scores = score_textures(members, masked, bare, views, shown, config.render, config.evaluation.batch, Silent())
    return {
        member.recognizer.spec.name: {
            name: margins(member.recognizer.spec, torch.from_numpy(scores[member.recognizer.spec.name][name])).numpy()
            for name in textures
        }
        for member in members
    }


def summarize(rows: list[dict]) -> dict:
    """Per recognizer: mean margin and FNMR of each arm, and paired differences with t intervals over the masks."""
    summary: dict[str, dict] = {}
    for name in rows[0]["margin"]:
        margin = {arm: np.array([row["margin"][name][arm] for row in rows]) for arm in rows[0]["margin"][name]}
        missed = {arm: np.array([row["fnmr_1e3"][name][arm] for row in rows]) for arm in margin}
        summary[name] = {
            "margin": {arm: float(values.mean()) for arm, values in margin.items()},
            "fnmr_1e3": {arm: float(values.mean()) for arm, values in missed.items()},
            "margin_gained": {
                "by all": _paired(margin["uncalibrated"] - margin["calibrated"]),
                "by colors alone": _paired(margin["uncalibrated"] - margin["colors"]),
                "by geometry beside colors": _paired(margin["colors"] - margin["calibrated"]),
                "over another mask's": _paired(margin[OTHER] - margin["calibrated"]),
            },
        }
    return summary


def _paired(difference: NDArray[np.float64]) -> dict[str, Any]:
    reach = STUDENT_5 * difference.std(ddof=1) / np.sqrt(len(difference))
    mean = float(difference.mean())
    return {
        "mean": mean,
        "interval": [mean - float(reach), mean + float(reach)],
        "masks_better": int((difference > 0).sum()),
    }


def measure(face: FaceScan, cache: Path, settings: Sequence[str], progress: Progress) -> dict:
    """All masks; textures first, for each mask is also judged with another one's."""
    members = enroll_all(face, [r for r in load_recognizers(None) if r.spec.name == "dlib"], JobConfig())
    progress.stage("Calibrations and designs")
    drapes, documents, textures = [], [], []
    for number, truth in enumerate(TRUTHS):
        drapes.append(true_drape(face, *truth, cache))
        documents.append(fitted(face, drapes[-1], number, cache, Silent()))
        arms = configurations(documents[-1], [*settings, f"seed={SEED + number}"], cache / f"mask-{number}")
        textures.append({arm: designed(face, members, config, cache) for arm, config in arms.items()})
        progress.advance(number + 1, len(TRUTHS), f"opening {truth[0]:g} mm")
    progress.stage("Judging")
    rows = []
    for number, (worn, truth) in enumerate(zip(drapes, TRUTHS, strict=True)):
        other = textures[(number + 1) % len(TRUTHS)]["calibrated"]
        found = judged(face, worn, members, {**textures[number], OTHER: other})
        rows.append(_row(number, truth, documents[number], found))
        progress.advance(number + 1, len(TRUTHS), f"opening {truth[0]:g} mm")
    return {"summary": summarize(rows), "masks": rows}


def _row(number: int, truth: tuple[float, float], document: dict, found: dict) -> dict:
    return {
        "mask": number,
        "seed": SEED + number,
        "asked_opening_mm": truth[0],
        "placement_mm": truth[1],
        "read_opening_mm": document["worn"]["asked_opening_mm"],
        "read_placement_mm": document["worn"]["placement_mm"],
        "margin": {name: {arm: float(v.mean()) for arm, v in arms.items()} for name, arms in found.items()},
        "fnmr_1e3": {name: {arm: float((v < 0).mean()) for arm, v in arms.items()} for name, arms in found.items()},
    }


def with_run(out: Path, run: dict) -> dict:
    """The document with this run in it, in the place of an older one like it."""
    runs = json.loads(out.read_text())["runs"] if out.exists() else []
    kept = [other for other in runs if other["settings"] != run["settings"]]
    command = "python -m benchmarks.measure_calibrated_design --cache FOLDER --steps N --set KEY=VALUE"
    return {"command": command, "head": "built-in", "recognizer": "dlib", "seed": SEED, "runs": [*kept, run]}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cache", type=Path, required=True, help="for drapes and designs")
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--set", action="append", default=[], help="setting of every design")
    parser.add_argument("--out", type=Path, default=OUT)
    args = parser.parse_args()
    face, settings = builtin_face(), [f"design.steps={args.steps}", *args.set]
    with shown_progress() as progress:
        result = measure(face, args.cache / drape_cache(face, PATTERN), settings, progress)
    write_json(args.out, with_run(args.out, {"settings": settings, **result}))
    print(json.dumps(result["summary"], indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
