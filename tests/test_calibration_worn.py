"""A photo of the worn board from end to end: the verb reads it, and what it writes is what was photographed."""

from __future__ import annotations

import io
import json
from contextlib import redirect_stdout
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from maskdesign.calibration.board import CODED, load_board
from maskdesign.calibration.drapes import OPENINGS, PLACEMENTS_MM, DrapeFamily, drape_cache, worn_between
from maskdesign.cli.main import main
from maskdesign.faces.photo import mean_face
from maskdesign.faces.scan import load_face, save_face
from maskdesign.files import write_npz
from maskdesign.jobs.config import load_config
from maskdesign.mask.drape import drape_mask
from maskdesign.mask.settings import STAGES, DrapeLimits, DrapeSettings, widest_opening_mm
from maskdesign.mask.worn import WornMask
from maskdesign.render.camera import orbit_camera
from maskdesign.render.scene import build_scene
from tests.calibration_photos import PATTERN, Conditions, Photo, random_view, take_photo

DRAPED_MM = 112.0
TRUTH_MM = (116.0, -2.5)
IN_FRONT_MM = 6.0
EXIF, FOCAL_35MM = 0x8769, 0xA405


@dataclass(frozen=True)
class Read:
    """What was photographed, and the folder that the verb wrote."""

    photo: Photo
    worn: WornMask
    folder: Path
    said: list[dict]


def stretched(worn: WornMask, opening_mm: float, shift_mm: float) -> np.ndarray:
    """The drape opened and moved by formula, in front of the face: fifteen drapes would take a minute."""
    x, y, z = worn.mesh.vertices.T
    return np.stack([x, y * opening_mm / DRAPED_MM + shift_mm, z + IN_FRONT_MM + 0.3 * abs(shift_mm)], axis=-1)


def family_of(worn: WornMask) -> DrapeFamily:
    asked = np.linspace(PATTERN.folded_height_mm + 2, widest_opening_mm(PATTERN), OPENINGS)
    vertices = np.stack([[stretched(worn, opening, shift) for shift in PLACEMENTS_MM] for opening in asked])
    opening = np.repeat(worn.report.opening_mm / DRAPED_MM * asked[:, None], len(PLACEMENTS_MM), axis=1)
    return DrapeFamily(PATTERN, asked, np.array(PLACEMENTS_MM), opening, vertices)


def keep(family: DrapeFamily, folder: Path) -> None:
    """Where the verb looks for drapes that an earlier call made."""
    for i, asked in enumerate(family.asked_mm):
        for j, shift in enumerate(family.placement_mm):
            node = {"vertices_mm": family.vertices_mm[i, j], "opening_mm": family.opening_mm[i, j]}
            write_npz(folder / f"drape-{asked:.1f}-{shift:+.1f}.npz", **node)


@pytest.fixture(scope="module")
def read(tmp_path_factory: pytest.TempPathFactory) -> Read:
    folder = tmp_path_factory.mktemp("worn")
    save_face(mean_face(), folder / "face.npz")
    face = load_face(folder / "face.npz")
    short = tuple(replace(stage, steps=stage.steps // 200 * 50 or 50) for stage in STAGES)
    wide = DrapeLimits(1, 1, 9, 1, 9, 90, 1)
    settings = DrapeSettings(opening_mm=DRAPED_MM, stages=short, settling_sweeps=200, limits=wide)
    family = family_of(drape_mask(face, PATTERN, settings))
    keep(family, folder / "cal" / "drapes" / drape_cache(face, PATTERN))
    worn = worn_between(family, *TRUTH_MM)
    middle = tuple(map(float, worn.mesh.vertices.mean(axis=0)))
    view = random_view(np.random.default_rng(61), Conditions(side_px=900, px_per_mm=(3.4, 3.6)), middle)
    camera = orbit_camera(-12, 4, 3, 500, 1750, 900, 900, middle)
    photo = take_photo(build_scene(face, worn, PATTERN), worn, load_board(CODED), replace(view, camera=camera))
    picture = Image.fromarray(photo.pixels)
    exif = picture.getexif()
    exif.get_ifd(EXIF)[FOCAL_35MM] = round(camera.K[0, 0] / 900 * 36)
    picture.save(folder / "front.jpg", quality=95, exif=exif)
    words = ["calibrate", "photo", str(folder / "front.jpg"), "--face", str(folder / "face.npz")]
    said = io.StringIO()
    with redirect_stdout(said):
        assert main([*words, "--out", str(folder / "cal"), "--json"]) == 0
    return Read(photo, worn, folder / "cal", json.loads(said.getvalue()))


def test_most_corners_are_found_and_the_reading_is_not_doubted(read: Read) -> None:
    (said,) = read.said
    assert said["kind"] == "worn" and not any("WARNING" in line for line in said["advice"])
    assert (read.folder / said["overlay"]).exists()
    found, visible = np.load(read.folder / "visibility.npz")["found"], read.photo.visible
    assert (found & visible).sum() >= 0.85 * visible.sum()
    assert said["residual_px"] < 1.5


def test_the_drape_is_the_one_that_was_photographed(read: Read) -> None:
    worn = json.loads((read.folder / "calibration.json").read_text())["worn"]
    assert worn["opening_mm"] == pytest.approx(read.worn.report.opening_mm, abs=2)
    assert worn["placement_mm"] == pytest.approx(TRUTH_MM[1], abs=2)
    # What a single photo can tell is no surer than the model behind it.
    assert worn["opening_sigma_mm"] >= 1 and worn["placement_sigma_mm"] >= 2


def test_each_cell_has_its_map_and_unseen_ones_have_none(read: Read) -> None:
    """M_theta brings the corners of a cell from the photo to where they are drawn."""
    stored, board = np.load(read.folder / "visibility.npz"), load_board(CODED)
    maps, found = stored["m_theta"][0], stored["found"]
    whole = found[:-1, :-1] & found[1:, :-1] & found[:-1, 1:] & found[1:, 1:]
    np.testing.assert_array_equal(np.isfinite(maps).all(axis=(-2, -1)), whole)
    at = read.photo.corners_px
    error = []
    for row, column in np.argwhere(whole):
        seen = np.append(at[row, column], 1.0)
        drawn = np.array([(column + 1) * board.cell_mm, (row + 1) * board.cell_mm])
        drawn += np.array([PATTERN.width_mm % board.cell_mm, PATTERN.height_mm % board.cell_mm]) / 2
        error.append(np.abs(maps[row, column] @ seen - drawn).max())
    assert np.median(error) < 1.0


def test_a_design_takes_what_was_measured(read: Read) -> None:
    config = load_config(read.folder / "design.toml", ())
    assert config.evaluation.opening_mm == pytest.approx(TRUTH_MM[0], abs=2.5)
    assert config.mask.nose_v_mm == pytest.approx(PATTERN.nose_v_mm + TRUTH_MM[1], abs=2)
    assert min(config.openings_mm) < config.evaluation.opening_mm < max(config.openings_mm)
