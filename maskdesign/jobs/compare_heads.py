"""The rendered counterpart of PrivacyMask's section 4.3: many heads and many textures, each head with each texture."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from maskdesign.config import config_hash
from maskdesign.evaluation.controls import PLAIN_COLORS, average_face, natural_print
from maskdesign.evaluation.crossed import crossed_figures
from maskdesign.faces.photo import mean_face
from maskdesign.faces.population import random_head
from maskdesign.files import write_json
from maskdesign.jobs.compare_styles import TEXTILE_INKS
from maskdesign.jobs.config import JobConfig, load_config
from maskdesign.jobs.contest import Contest, open_contest, prepared_contest
from maskdesign.jobs.groups import group_problem
from maskdesign.jobs.stages import enroll_all, scene_at
from maskdesign.mask.carry import carry_mask, prepare_carrying
from maskdesign.mask.drape import drape_mask
from maskdesign.optimize.ensemble import Probe, WearerProbes, probe_margins
from maskdesign.optimize.loop import run_design
from maskdesign.optimize.photo_probes import photo_view
from maskdesign.optimize.texture import grid_shape, initial_parameters, texture_from_parameters
from maskdesign.progress import Progress, Silent
from maskdesign.recognition.recognizer import Recognizer
from maskdesign.recognition.registry import load_recognizers
from maskdesign.render.bank import ShotBank
from maskdesign.render.masked_photo import affine_view
from maskdesign.render.renderer import Shot
from maskdesign.run import locked

SETTINGS = (
    "design.steps=12",
    "design.views_per_step=4",
    "design.validate_every=12",
    "design.validation_views=8",
    "photos.validation_people=8",
    "photos.pairs_per_person=1",
)
"""Designs that are short, as many are needed; settings of one's own win."""
STYLES = {
    "free": (),
    "tiles 2 x 2": (TEXTILE_INKS, "texture.repeats=[2,2]"),
    "tiles 5 x 4": (TEXTILE_INKS, "texture.repeats=[5,4]"),
}
HEADS, PEOPLE = 20, 10
"""Rendered heads of the built-in population, and people in photos."""
LEVELS = (0.15, 0.5, 0.85)
RANDOM_SEEDS = 15
VIEW_STREAM = 2**31 - 5


@dataclass(frozen=True, eq=False)
class Print:
    """A texture, (3, h, w) sRGB, its name and its kind."""

    name: str
    kind: str
    texture: Tensor


def compare_heads(
    folder: Path,
    people: int,
    seeds: int,
    settings: Sequence[str],
    out: Path,
    models_dir: Path | None,
    progress: Progress,
) -> dict[str, Any]:
    """Let every recognizer judge every head with every texture.

    Args:
        folder: photos as PERSON/PERSON_0001.jpg, and pairs.txt.
        people: to design for; they are not among the heads.
        seeds: designs in each style; 8 make a hundred textures.
        settings: of the free style; a style's own win.
        out: folder of the comparison; the same call goes on there.

    Raises:
        MaskdesignError: anything a user can cause, in one line with the remedy.
    """
    config = load_config(None, (*settings, f"photos.test_people={PEOPLE}"))
    every = load_recognizers(models_dir, config.recognizers)
    run = open_contest(folder, people, config, out, every)
    with locked(run):
        contest = prepared_contest(run, folder, people, config, models_dir, every, (None,), progress)
        recognizers = contest.grounds[None].recognizers
        progress.stage("Heads")
        wearers = {"rendered head": head_probes(recognizers, config, progress), "photo": photo_probes(contest)}
        progress.stage("Textures")
        names, kinds, margins = [], [], []
        for one in prints(contest, settings, seeds):
            names.append(one.name)
            kinds.append(one.kind)
            margins.append(_judged(run.path("margins") / f"{one.name}.json", recognizers, wearers, one.texture))
            progress.advance(len(names), 31 + len(STYLES) * (RANDOM_SEEDS + seeds), one.name)
    heads = [kind for kind, probes in wearers.items() for _ in probes]
    titles = [recognizer.spec.name for recognizer in recognizers]
    found = np.array(margins)
    table = {"names": names, "kinds": kinds, "margins": np.round(found, 4).tolist()}
    return crossed_figures(found, titles, kinds, heads) | {"seeds": seeds, "steps": config.design.steps, "table": table}


def head_probes(recognizers: Sequence[Recognizer], config: JobConfig, progress: Progress) -> list[Probe]:
    """One view of each head of the population, which every recognizer has enrolled bare."""
    drape = replace(config.drape, opening_mm=config.photos.test_opening_mm)
    template = prepare_carrying(mean_face(), drape_mask(mean_face(), config.mask, drape))
    found = []
    for number in range(HEADS):
        face = random_head(config.seed, number)
        scene = scene_at(face, carry_mask(template, face, config.mask, drape), config)
        bank = ShotBank((scene,), config.views, config.render, config.seed, 1)
        members = enroll_all(face, list(recognizers), config)
        found += WearerProbes(face, members, bank).fixed_probes(VIEW_STREAM - number, 1)
        progress.advance(number + 1, HEADS, face.source)
    return found


def photo_probes(contest: Contest) -> list[Probe]:
    """One masked photo of each tested person, enrolled by another one."""
    ground = contest.grounds[None]
    owners = ground.pairs.people[ground.pairs.probe]
    found = []
    for pair in np.unique(owners, return_index=True)[1]:
        masked = ground.tested[ground.pairs.probe[pair]]
        known = tuple(bare[ground.pairs.enrolled[pair]] for bare in ground.bare)
        found.append(Probe(Shot(photo_view(), affine_view(masked)), masked.points_px, known))
    return found


def prints(contest: Contest, settings: Sequence[str], seeds: int) -> Iterator[Print]:
    """Plain colors, random prints, a flowered cloth, a printed average face, and short designs."""
    config = contest.config
    height, width = grid_shape(config.mask, config.texture.texel_mm)
    for rgb in [*PLAIN_COLORS.values(), *product(LEVELS, LEVELS, LEVELS)]:
        plain = torch.tensor(rgb)[:, None, None].expand(3, height, width)
        yield Print("plain-" + "-".join(f"{x:g}" for x in rgb), "plain", plain)
    yield Print("flowers", "prints", natural_print(config.mask, config.texture.texel_mm))
    photos = contest.grounds[None].design.photos
    yield Print("average-face", "prints", average_face(photos, config.mask, config.texture.texel_mm))
    for style, own in STYLES.items():
        styled = load_config(None, (*settings, *own))
        slug = style.replace(" ", "-")
        for seed in range(RANDOM_SEEDS):
            noise = 3 * initial_parameters(styled.texture, styled.mask, seed) / styled.texture.noise
            texture = texture_from_parameters(styled.texture, styled.mask, noise, styled.texture.texel_mm)
            yield Print(f"random-{slug}-{seed}", f"random, {style}", texture)
        for seed in range(seeds):
            texture = _designed(contest, replace(styled, seed=styled.seed + seed), f"designed-{slug}-{seed}")
            yield Print(f"designed-{slug}-{seed}", f"designed, {style}", texture)


def _designed(contest: Contest, config: JobConfig, name: str) -> Tensor:
    ground, own = contest.grounds[None], contest.run.path("designs") / name
    own.mkdir(parents=True, exist_ok=True)
    problem = group_problem(ground.design, ground.held_out, ground.recognizers, config)
    state = run_design(problem, own / "checkpoint.safetensors", own / "metrics.jsonl", config_hash(config), Silent())
    return problem.canvas.texture(state.parameters).detach()


@torch.no_grad()
def _judged(
    path: Path, recognizers: Sequence[Recognizer], wearers: dict[str, list[Probe]], texture: Tensor
) -> list[list[float]]:
    """(R, W) margins at FMR 1e-3, from the file of an earlier call where it is there."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        # Pictures of one size each.
        parts = [probe_margins(recognizers, probes, texture) for probes in wearers.values()]
        write_json(path, torch.cat(parts, dim=1).tolist())
    return json.loads(path.read_text())
