"""The stages of a run: each reads what an earlier call left in the folder, or makes it and writes it whole."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from maskdesign.config import from_mapping, read_toml
from maskdesign.errors import ConfigError, RunError
from maskdesign.faces.photo import PhotoFace
from maskdesign.faces.scan import FaceScan, load_face, save_face
from maskdesign.files import read_image, write_image, write_json
from maskdesign.jobs.config import ALL, JobConfig
from maskdesign.mask.drape import drape_mask
from maskdesign.mask.loops import head_with_loops
from maskdesign.mask.worn import WornMask, load_worn, save_worn
from maskdesign.optimize.enrolment import enroll
from maskdesign.optimize.ensemble import Member
from maskdesign.optimize.texture import grid_shape, texture_tensor
from maskdesign.progress import Progress
from maskdesign.recognition.recognizer import Recognizer
from maskdesign.render.scene import Scene, build_scene
from maskdesign.run import Run, read_job

CROP_MARGIN = 0.9
"""Part of the face's extent kept around it in `photo.png`: enough for every crop, and little of anybody else."""


@dataclass(frozen=True)
class Subject:
    """The wearer as the photo shows them.

    Attributes:
        face: the head in millimeters.
        photo: (H, W, 3) uint8, the part of the photo around the face.
        points_px: landmark name -> (2,) pixels in `photo`.
    """

    face: FaceScan
    photo: NDArray[np.uint8]
    points_px: Mapping[str, NDArray[np.float64]]


def face_stage(run: Run, found: PhotoFace | None, image: NDArray[np.uint8]) -> Subject:
    """Write the head of a photo into the run; None where the run already holds it."""
    if found is not None:
        photo, points_px = crop_photo(image, found.points_px)
        save_face(found.scan, run.face)
        write_image(run.photo, photo)
        # Written last: its presence says that the stage is whole.
        points = {name: [float(x) for x in point] for name, point in points_px.items()}
        about = {"source": found.scan.source, "scale": found.scale_source, "points_px": points}
        write_json(run.photo_facts, about)
    return read_subject(run)


def read_subject(run: Run) -> Subject:
    """What `face_stage` left in a run.

    Raises:
        RunError: the run has not come that far.
    """
    try:
        about = json.loads(run.photo_facts.read_text())
        points_px = {name: np.array(point, dtype=np.float64) for name, point in about["points_px"].items()}
    except (OSError, ValueError, KeyError, AttributeError) as error:
        raise RunError(f"{run.folder}: the run holds no face yet; finish it with `maskdesign design`") from error
    return Subject(load_face(run.face), read_image(run.photo), points_px)


def crop_photo(
    image: NDArray[np.uint8], points_px: Mapping[str, NDArray[np.float64]]
) -> tuple[NDArray[np.uint8], dict[str, NDArray[np.float64]]]:
    """The part of a photo around a face, and the landmarks in it."""
    points = np.stack([point[:2] for point in points_px.values()])
    extent = np.ptp(points, axis=0).max() * CROP_MARGIN
    low = np.maximum(np.floor(points.min(axis=0) - extent), 0).astype(int)
    high = np.minimum(np.ceil(points.max(axis=0) + extent), image.shape[1::-1]).astype(int)
    crop = np.ascontiguousarray(image[low[1] : high[1], low[0] : high[0]])
    return crop, {name: point[:2] - low for name, point in points_px.items()}


def drape_stage(
    run: Run, face: FaceScan, config: JobConfig, progress: Progress, openings_mm: Sequence[float] | None = None
) -> dict[float, WornMask]:
    """The mask on the face at every opening that the job needs, from the run's files where they are there.

    Args:
        openings_mm: other openings than those of `needed_openings`.
    """
    openings = needed_openings(config) if openings_mm is None else openings_mm
    worn = {}
    for done, opening_mm in enumerate(openings):
        path = run.worn(opening_mm)
        if not path.exists():
            settings = replace(config.drape, opening_mm=opening_mm)
            save_worn(drape_mask(face, config.mask, settings), path)
        worn[opening_mm] = load_worn(path)
        progress.advance(done + 1, len(openings), f"opening {opening_mm:g} mm")
    return worn


def needed_openings(config: JobConfig) -> list[float]:
    """Openings of the design, of the evaluation and of the pictures, sorted, each once."""
    return sorted({*config.openings_mm, config.evaluation.opening_mm, config.drape.opening_mm})


def scene_at(face: FaceScan, worn: WornMask, config: JobConfig) -> Scene:
    """Head, loops and worn mask as one scene."""
    return build_scene(head_with_loops(face, worn, config.mask), worn, config.mask)


def enroll_all(face: FaceScan, recognizers: list[Recognizer], config: JobConfig) -> tuple[Member, ...]:
    """Every recognizer enrols the wearer without a mask."""
    bare = build_scene(face, None, config.mask)
    return tuple(enroll(recognizer, face, bare) for recognizer in recognizers)


def job_identity(
    image: NDArray[np.uint8], recognizers: list[Recognizer], ipd_mm: float | None, face_number: int | None
) -> dict[str, object]:
    """What decides a run's result besides its configuration."""
    return {
        "photo": hashlib.sha256(image.tobytes() + str(image.shape).encode()).hexdigest(),
        "recognizers": {recognizer.spec.name: recognizer.spec.sha256 for recognizer in recognizers},
        "interpupillary distance": ipd_mm,
        "face": face_number,
    }


def chosen_recognizers(recognizers: list[Recognizer], config: JobConfig) -> list[Recognizer]:
    """Those of the recognizers at hand that a design meets.

    Raises:
        ConfigError: none are named, or one that is not at hand.
    """
    wanted, at_hand = config.recognizers, [recognizer.spec.name for recognizer in recognizers]
    if not wanted:
        raise ConfigError(f'recognizers = [] is an ensemble of nobody; name some of {at_hand}, or ["{ALL}"]')
    unknown = [name for name in wanted if name not in (ALL, *at_hand)]
    if unknown:
        raise ConfigError(f"recognizers = {list(wanted)}: {unknown[0]} is not at hand; known: {at_hand}")
    return [recognizer for recognizer in recognizers if ALL in wanted or recognizer.spec.name in wanted]


def recorded_names(run: Run) -> list[str]:
    """Names of the recognizers that a run was designed against."""
    return list(read_job(run).get("recognizers", {}))


def recorded_recognizers(run: Run, recognizers: list[Recognizer]) -> list[Recognizer]:
    """Those of the given recognizers that the run was designed against.

    Raises:
        RunError: one of them is not at hand, or has changed.
    """
    known = {recognizer.spec.name: recognizer for recognizer in recognizers}
    wanted = read_job(run).get("recognizers", {})
    for name, sha256 in wanted.items():
        if name not in known or known[name].spec.sha256 != sha256:
            raise RunError(
                f"{run.folder}: was designed against {name}, which is not at hand; name its folder with --models"
            )
    return [known[name] for name in wanted]


def run_config(run: Run) -> JobConfig:
    """The resolved configuration that a run was made with."""
    return from_mapping(JobConfig, read_toml(run.config))


def run_texture(run: Run, config: JobConfig) -> Tensor:
    """The designed texture of a finished run, (3, h, w) sRGB.

    Raises:
        RunError: the design is not finished, or the picture has another size.
    """
    if not run.texture.exists():
        raise RunError(f"{run.folder}: the design is not finished; run `maskdesign design` on it again")
    pixels = read_image(run.texture)
    if pixels.shape[:2] != grid_shape(config.mask, config.texture.print_texel_mm):
        raise RunError(f"{run.texture}: {pixels.shape[1]} x {pixels.shape[0]} pixels do not fit the run's pattern")
    return texture_tensor(pixels)


def output_folder(out: Path | None, source: str) -> Path:
    """The folder the user named, or `runs/NAME` after the photo."""
    return out if out is not None else Path("runs") / Path(source).stem
