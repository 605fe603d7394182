"""Photo mode: what restores, what refuses, how long a photo takes; protection from the table of `measure_photos`.

The rates cost half an hour of one core and come from docs/photo-mode/figures.json, which
`python -m benchmarks.measure_photos PHOTOS --models DIR --out docs/photo-mode/figures.json` writes.
"""

from __future__ import annotations

import itertools
import json
import os
import time
from pathlib import Path

import numpy as np
import torch
from skimage.data import astronaut

from maskdesign.digital.cells import overlap, photo_template
from maskdesign.digital.face_task import face_task
from maskdesign.digital.key import apply_key, make_key
from maskdesign.digital.keyfile import SealError, seal, unseal
from maskdesign.digital.networks import PerturbationNetwork, TemplateNetwork, TrainedNetworks
from maskdesign.digital.perturb import LADDER, PerturbSettings
from maskdesign.digital.picture import Picture, pixels_digest, read_picture
from maskdesign.digital.protect import protect
from maskdesign.digital.region import face_regions, working_picture
from maskdesign.digital.settings import ProtectSettings
from maskdesign.digital.template import Template
from maskdesign.recognition.registry import load_recognizers

ROOT = Path(__file__).parents[1]
FIGURES = ROOT / "docs" / "photo-mode" / "figures.json"
SHARED = Path(os.environ.get("MASKDESIGN_SHARED", ROOT.parent / "shared"))
MODELS = SHARED / "models"
RESTORED = 200
LOG2_N = 14


def figure(value: float | None, goal: float | None, better: str, unit: str) -> dict:
    return {"value": value, "goal": goal, "better": better, "unit": unit, "issue": "digital"}


def figures() -> dict[str, dict]:
    torch.set_num_threads(1)
    restored, refused = restored_share(RESTORED), refused_share(300)
    return {
        "photo_restored_bit_for_bit": figure(restored, 1.0, "higher", "share"),
        **lfw_restored(),
        "photo_spoiled_keys_refused": figure(refused, 1.0, "higher", "share"),
        "photo_protect_seconds": figure(protect_seconds(ProtectSettings(), None), 10.0, "lower", "s"),
        "photo_protect_seconds_network_alone": figure(network_seconds(), 1.0, "lower", "s"),
        "photo_templates_of_two_users_overlap": figure(users_overlap(), None, "lower", "share"),
        **rates(),
        **searches(),
    }


def _random_case(rng: np.random.Generator) -> tuple[Picture, Picture, Template]:
    height, width = rng.integers(8, 400, 2)
    return _spoiled(Picture(rng.integers(0, 256, (height, width, rng.integers(1, 5)), dtype=np.uint8)), rng)


def _spoiled(original: Picture, rng: np.random.Generator) -> tuple[Picture, Picture, Template]:
    """A picture, the same with noise XORed under a random template, and the template."""
    height, width = original.shape
    side = rng.integers(1, 6, 200)
    cells = np.stack([rng.integers(0, width - side + 1), rng.integers(0, height - side + 1), side], axis=1)
    template, pixels = Template(cells.astype(np.int32)), original.pixels.copy()
    noise = rng.integers(0, 256, (height, width, original.color_channels), dtype=np.uint8)
    pixels[..., : original.color_channels] ^= noise * template.mask(int(height), int(width))[..., None]
    return original, original.with_pixels(pixels), template


def restored_share(count: int) -> float:
    """Share of random pictures of many sizes and kinds whose SHA-256 comes back; every tenth through a sealed key."""
    return sum(_comes_back(number, *_random_case(np.random.default_rng(number))) for number in range(count)) / count


def lfw_restored() -> dict[str, dict]:
    """The same for real photos, cut to many sizes; none where there are no photos."""
    paths = sorted((SHARED / "photos" / "lfw").glob("*/*_0001.jpg"))[:: max(1, 4500 // RESTORED)][:RESTORED]
    if len(paths) < RESTORED:
        return {}
    good = 0
    for number, path in enumerate(paths):
        rng = np.random.default_rng(number)
        height, width = rng.integers(32, 251, 2)
        good += _comes_back(number, *_spoiled(Picture(read_picture(path).pixels[:height, :width].copy()), rng))
    return {"photo_lfw_restored_bit_for_bit": figure(good / RESTORED, 1.0, "higher", "share")}


def _comes_back(number: int, original: Picture, protected: Picture, template: Template) -> bool:
    key = make_key(original, protected, template)
    if number % 10 == 0:
        key = unseal(seal(key, b"secret", LOG2_N), b"secret")
    return pixels_digest(apply_key(key, protected).pixels) == pixels_digest(original.pixels)


def refused_share(count: int) -> float:
    """Share of sealed keys with one flipped bit, or cut short, that do not open; the tests flip every bit."""
    rng = np.random.default_rng(0)
    data, refused = seal(make_key(*_random_case(rng)), b"secret", LOG2_N), 0
    for number in range(count):
        spoiled = bytearray(data)
        # After the header, whose flips cost up to 2^20 of scrypt each.
        place = int(rng.integers(40 * 8, len(data) * 8))
        spoiled[place // 8] ^= 1 << place % 8
        try:
            unseal(bytes(spoiled if number % 2 else data[: place // 8]), b"secret")
        except SealError:
            refused += 1
    return refused / count


def protect_seconds(settings: ProtectSettings, networks: TrainedNetworks | None) -> float:
    """Process time for one 256 x 256 portrait on one thread, every recognizer at hand."""
    recognizers = load_recognizers(MODELS if MODELS.is_dir() else None)
    picture = Picture(np.ascontiguousarray(astronaut()[:256, 96:352]))
    # The first photo of a process also loads mediapipe; a folder pays that once.
    protect(picture, recognizers[:1], ProtectSettings("faint"), np.random.default_rng(0), "warm")
    started = time.process_time()
    protect(picture, recognizers, settings, np.random.default_rng(0), "portrait", networks)
    return time.process_time() - started


def network_seconds() -> float:
    """The same without any optimization; how long networks take does not depend on what they have learned."""
    templates = {entry.spec.name: TemplateNetwork() for entry in load_recognizers(MODELS if MODELS.is_dir() else None)}
    settings = ProtectSettings("faint", perturb=PerturbSettings(steps=0, check_views=0))
    return protect_seconds(settings, TrainedNetworks(templates, PerturbationNetwork()))


def users_overlap(users: int = 5) -> float:
    """Mean share of the pixels under either of two users' templates of one portrait that lie under both."""
    pixels = np.ascontiguousarray(astronaut()[:256, 96:352])
    region = face_regions(Picture(pixels), "portrait")[0]
    image, recognizers = working_picture(region, pixels), load_recognizers(MODELS if MODELS.is_dir() else None)[:1]
    templates = []
    for seed in range(users):
        settings = ProtectSettings(user_seed=seed)
        _, cells = face_task(region, image, recognizers, settings, np.random.default_rng(0))
        templates.append(photo_template(region, cells.own, settings.template.cell_px))
    return float(np.mean([overlap(a, b, *pixels.shape[:2]) for a, b in itertools.combinations(templates, 2)]))


def searches() -> dict[str, dict]:
    """What `measure_sigma` and `maskdesign train` wrote into docs/photo-mode."""
    found = {}
    sigma, networks, warm = (FIGURES.with_name(name) for name in ("sigma.json", "networks.json", "warm-start.json"))
    if sigma.exists():
        saved = json.loads(sigma.read_text())["chimps_save"]["interval"][0]
        found["photo_chimps_save_ssim_over_plain_search_lower_bound"] = figure(saved, 0.0, "higher", "SSIM")
    if networks.exists():
        made = json.loads(networks.read_text())["perturbation"]
        found["photo_network_hidden_from_the_weakest"] = figure(
            min(made["hidden_from"].values()), None, "higher", "rate"
        )
        found |= _warm_start(json.loads(warm.read_text())["ways"]) if warm.exists() else {}
        found["photo_network_ssim"] = figure(made["ssim"], None, "higher", "SSIM")
    return found


def _warm_start(ways: dict[str, dict]) -> dict[str, dict]:
    """Seconds of a warm start, and what it hides beyond a start from noise with as many steps, recognizers averaged."""
    (way,) = (way for way in ways if way.startswith("network, "))
    hidden = [
        np.mean([value["mean"] for name, value in ways[one].items() if name not in ("seconds", "ssim_face")])
        for one in (way, way.replace("network", "noise"))
    ]
    return {
        "photo_warm_start_seconds": figure(ways[way]["seconds"]["mean"], 3.0, "lower", "s"),
        "photo_warm_start_gain_over_noise": figure(float(hidden[0] - hidden[1]), 0.0, "higher", "rate"),
    }


def rates() -> dict[str, dict]:
    if not FIGURES.exists():
        return {}
    conditions = json.loads(FIGURES.read_text())["conditions"]
    found = {}
    for rung in LADDER:
        row = conditions.get(f"all, {rung.name}")
        if row:
            worst = min(cell["fnmr"] for cell in row["recognizers"].values())
            found[f"photo_{rung.name}_worst_fnmr"] = figure(worst, _goal(row["ssim_photo"]), "higher", "rate")
            found[f"photo_{rung.name}_ssim"] = figure(row["ssim_photo"], 0.96, "higher", "SSIM")
            found[f"photo_{rung.name}_ssim_in_face"] = figure(row["ssim_face"], None, "higher", "SSIM")
    found |= {f"photo_left_out_{name}": value for name, value in _left_out(conditions).items()}
    for rung in LADDER[1:]:
        start = f"all, {rung.name}"
        losses = [
            _loss(conditions, f"{start}, JPEG {q}", start) for q in (95, 85, 75) if f"{start}, JPEG {q}" in conditions
        ]
        if losses:
            found[f"photo_{rung.name}_jpeg_loss"] = figure(max(losses), 0.05, "lower", "rate")
        alone = [name for name in conditions if name.startswith("only ") and name.endswith(rung.name)]
        if alone:
            lost = max(_loss(conditions, start, name, name.split(",")[0].removeprefix("only ")) for name in alone)
            found[f"photo_{rung.name}_loss_from_one_to_all"] = figure(lost, 0.03, "lower", "rate")
    return found


def _goal(similarity: float) -> float | None:
    """The goal holds for what few notice; the faintest rung is reported as it is."""
    return 0.95 if similarity < 0.9955 else None


def _left_out(conditions: dict) -> dict[str, dict]:
    """Gain over random noise of equal size on the recognizer that a protection never met, at the strongest rung."""
    found = {}
    for name in next(iter(conditions.values()))["recognizers"]:
        row = conditions.get(f"without {name}, strong")
        if row:
            noise = conditions["random noise, strong"]["recognizers"][name]["fnmr"]
            found[f"{name}_gain"] = figure(row["recognizers"][name]["fnmr"] - noise, 0.5, "higher", "rate")
    return found


def _loss(conditions: dict, after: str, before: str, recognizer: str | None = None) -> float:
    """By how much FNMR is lower in one condition than in another: on one recognizer, or the most on any."""
    first, second = (conditions[name]["recognizers"] for name in (before, after))
    return max(first[name]["fnmr"] - second[name]["fnmr"] for name in ([recognizer] if recognizer else first))
