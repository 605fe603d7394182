"""A design on real photos of people that it never saw: rates, gains over controls, identification, faces found."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch.nn.functional as F  # noqa: N812 - the field's name
from torch import Tensor

from maskdesign.errors import RunError
from maskdesign.evaluation.controls import average_face, natural_print, upside_down
from maskdesign.evaluation.likeness import faces_on_sheet
from maskdesign.evaluation.pairs import Fold, Photo, read_pairs
from maskdesign.evaluation.photo_report import write_photo_report
from maskdesign.evaluation.protocol import DesignPeople, choose_design_people, other_folds, pairs_to_test
from maskdesign.evaluation.table import DESIGNED, NO_MASK, UPSIDE_DOWN
from maskdesign.evaluation.verification import PhotoGain, PhotoRow
from maskdesign.files import write_json
from maskdesign.jobs.config import JobConfig
from maskdesign.jobs.groups import design_photos, photo_jobs
from maskdesign.jobs.photo_data import read_data, test_jobs, tested_pairs
from maskdesign.jobs.photo_embeddings import Shard, embed_photos
from maskdesign.jobs.photo_store import PhotoStore
from maskdesign.jobs.photo_verdicts import AVERAGE_FACE, Evidence, judge, shown_pictures
from maskdesign.jobs.picture import run_controls
from maskdesign.jobs.stages import recorded_names, run_config, run_texture
from maskdesign.jobs.universal import store_beside
from maskdesign.optimize.photo_probes import develop_photos
from maskdesign.optimize.texture import grid_shape, texture_pixels
from maskdesign.progress import Progress
from maskdesign.recognition.detectors import faces_found
from maskdesign.recognition.recognizer import Recognizer
from maskdesign.recognition.registry import load_recognizers
from maskdesign.render.masked_photo import MaskedPhoto
from maskdesign.run import Run, locked, open_run, read_job

NATURAL = "flowered cloth"
CALIBRATION_PEOPLE = 120
DETECTION_SAMPLE = 60


@dataclass(frozen=True)
class PhotoEvaluation:
    """Everything that a test on real photos says.

    Attributes:
        rows, gains: one for each recognizer and texture, and for each recognizer.
        thresholds: recognizer -> FMR -> threshold.
        thresholds_from: recognizer -> what they were measured on: other people without masks here, or, where these are
            too few, whatever the specification rests on.
        pairs, people: that were tested.
        missing_photos: named by the list and not in the folder; their pairs are left out.
        photos_without_face: name -> reason; their pairs are left out, and count neither as matched nor as dodged.
        faces_found: texture -> detector -> share of a sample of masked photos in which a face is still found.
        faces_on_sheet: detector -> in how many of 8 pictures of the sheet alone it finds a face.
        mask_fit: median pose error in pixels and cloth strain of the masked photos.
        surrogates: recognizers that this project trained; what counts are the others.
    """

    rows: tuple[PhotoRow, ...]
    gains: tuple[PhotoGain, ...]
    thresholds: Mapping[str, Mapping[str, float]]
    thresholds_from: Mapping[str, str]
    pairs: int
    people: int
    missing_photos: tuple[str, ...]
    photos_without_face: Mapping[str, str]
    faces_found: Mapping[str, Mapping[str, float]]
    faces_on_sheet: Mapping[str, int]
    mask_fit: Mapping[str, float]
    surrogates: tuple[str, ...]


def evaluate_on_photos(
    folder: Path, photos: Path, pairs: Path, models_dir: Path | None, shard: Shard, progress: Progress
) -> PhotoEvaluation | None:
    """Test a finished run on the test folds of a list of pairs, and write tables, curves and pictures into it.

    Args:
        folder: of the run.
        photos: folder with PERSON/PERSON_0001.jpg.
        models_dir: folder of ONNX recognizers; those that the design did not meet are judged as left out.
        shard: which part of the work is done here.

    Returns:
        None where other shards have to be done first.

    Raises:
        MaskdesignError: anything a user can cause; what was worked out so far is kept.
    """
    run = open_run(folder)
    config = run_config(run)
    designed = run_texture(run, config)
    folds = read_pairs(pairs)
    genuine = pairs_to_test(folds, config.photos)
    design_people = _calibration_people(run, folds, config)
    _check_apart(run, genuine)
    recognizers = load_recognizers(models_dir, recorded_names(run))
    store = store_beside(folder, config)
    with locked(run):
        progress.stage("Masked photos")
        test = read_data(store, test_jobs(photos, genuine, config), photos, progress)
        other = read_data(store, photo_jobs(photos, design_photos(design_people), config), photos, progress)
        textures = evaluation_textures(run, config, designed, [store.load(key) for key in other.keys])
        progress.stage("Embeddings")
        embedded = embed_photos(store, test.keys, {NO_MASK: None, **textures}, models_dir, recognizers, shard, progress)
        bare = embed_photos(store, other.keys, {NO_MASK: None}, models_dir, recognizers, shard, progress)
        if any(len(found) <= len(textures) for found in embedded.values()) or not all(bare.values()):
            return None
        progress.stage("Tables")
        evidence = Evidence(test, other, tested_pairs(test, genuine), embedded, bare, textures)
        return _judge(run, config, recognizers, store, evidence)


def evaluation_textures(
    run: Run, config: JobConfig, designed: Tensor, others: Sequence[MaskedPhoto]
) -> dict[str, Tensor]:
    """Every texture of the table, at the spacing that pictures resolve.

    Args:
        designed: (3, h, w) at the print's spacing.
        others: photos of people who are not tested, for the average face.
    """
    texel_mm = config.texture.texel_mm
    size = grid_shape(config.mask, texel_mm)
    prints = {
        **run_controls(run, config),
        AVERAGE_FACE: average_face(others, config.mask, texel_mm),
        NATURAL: natural_print(config.mask, config.texture.print_texel_mm),
        DESIGNED: designed,
        UPSIDE_DOWN: upside_down(designed),
    }
    return {name: F.interpolate(t[None], size=size, mode="area")[0].contiguous() for name, t in prints.items()}


def _calibration_people(run: Run, folds: Sequence[Fold], config: JobConfig) -> DesignPeople:
    known = run.path("people.json")
    count = len(json.loads(known.read_text())["design"]) if known.exists() else CALIBRATION_PEOPLE
    able = {pair[0][0] for fold in other_folds(folds, config.photos) for pair in fold.genuine}
    count = max(1, min(count, len(able) - config.photos.validation_people))
    return choose_design_people(folds, config.photos, count, config.seed)


def _check_apart(run: Run, genuine: Sequence[tuple[Photo, Photo]]) -> None:
    path = run.path("people.json")
    if not path.exists():
        return
    known = json.loads(path.read_text())
    both = {pair[0][0] for pair in genuine} & {*known["design"], *known["validation"]}
    if both:
        raise RunError(f"{run.folder}: was designed on {sorted(both)[0]} and others of the test; take other test folds")


def _judge(
    run: Run, config: JobConfig, recognizers: Sequence[Recognizer], store: PhotoStore, evidence: Evidence
) -> PhotoEvaluation:
    used, tables = read_job(run).get("recognizers", {}), []
    for recognizer in recognizers:
        met = recognizer.spec.name in used
        tables.append(judge(recognizer.spec, met, evidence, config.photos.bootstrap_rounds))
    pairs, test = evidence.pairs, evidence.test
    photos = [store.load(test.keys[row]) for row in np.unique(pairs.probe)[:DETECTION_SAMPLE]]
    evaluation = PhotoEvaluation(
        rows=tuple(row for table in tables for row in table.rows),
        gains=tuple(table.gain for table in tables),
        thresholds={table.gain.recognizer: table.thresholds for table in tables},
        thresholds_from={table.gain.recognizer: table.thresholds_from for table in tables},
        pairs=len(pairs.probe),
        people=len(np.unique(pairs.people[pairs.probe])),
        missing_photos=tuple(test.missing),
        photos_without_face=test.refused,
        faces_found=_faces_found(photos, evidence.textures),
        faces_on_sheet=faces_on_sheet(texture_pixels(run_texture(run, config))),
        mask_fit={
            "pose_error_px": float(np.median([masked.pose_error_px for masked in photos])),
            "strain_rms": float(np.median([masked.strain_rms for masked in photos])),
        },
        surrogates=tuple(r.spec.name for r in recognizers if r.spec.is_surrogate),
    )
    write_json(run.path("photo-evaluation.json"), asdict(evaluation))
    named = [(test.photos[a], test.photos[b]) for a, b in zip(pairs.enrolled, pairs.probe, strict=True)]
    scores = {table.gain.recognizer: table.scores for table in tables}
    write_photo_report(run, evaluation, named, scores, shown_pictures(evidence, scores, store))
    return evaluation


def _faces_found(photos: Sequence[MaskedPhoto], textures: Mapping[str, Tensor]) -> dict[str, dict[str, float]]:
    shown = {name: textures[name] for name in ("plain blue", DESIGNED)}
    pictures = {NO_MASK: [masked.photo for masked in photos]} | {
        name: [texture_pixels(image) for image in develop_photos(photos, texture)] for name, texture in shown.items()
    }
    centers = np.array([masked.points_px["nose_tip"] for masked in photos])
    return {name: {k: float(v) for k, v in faces_found(images, centers).items()} for name, images in pictures.items()}
