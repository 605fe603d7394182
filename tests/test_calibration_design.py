"""What a calibration folder tells a design, what stands above it, and which folders are refused."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import pytest

from maskdesign.calibration.color import fit_response
from maskdesign.cli.main import main
from maskdesign.errors import ConfigError
from maskdesign.jobs.calibrate_apply import calibrated_values, is_doubted, write_design
from maskdesign.jobs.calibrate_reading import RESULT
from maskdesign.jobs.config import load_config
from maskdesign.mask.pattern import MaskPattern
from tests.test_calibration_color import PATCHES, press


def worn_document(**changes) -> dict:
    pattern = MaskPattern(pleat_rows_mm=(35.0, 67.5))
    return {"asked_opening_mm": 117.3, "placement_mm": -3.0, "pattern": asdict(pattern), **changes}


def test_design_configuration_carries_what_was_measured(tmp_path):
    fit = fit_response(PATCHES, press(PATCHES))
    response = {"exponents": fit.response.exponents, "coefficients": fit.response.coefficients}
    write_design(tmp_path, {"worn": worn_document(), "color": {"response": response}})
    config = load_config(tmp_path / "design.toml", ())
    # Two pleats: shut they are 115 mm high, so the lower opening is not below that.
    assert config.drape.opening_mm == config.evaluation.opening_mm == 117.3
    assert config.openings_mm == (115.0, 121.3)
    assert config.mask == MaskPattern(pleat_rows_mm=(35.0, 67.5), nose_v_mm=32.0)
    assert config.render.print_response == fit.response


def test_doubted_fit_leaves_no_design_configuration(tmp_path):
    write_design(tmp_path, {"worn": worn_document()})
    assert (tmp_path / "design.toml").exists()
    doubted = {"worn": worn_document(doubted=True)}
    write_design(tmp_path, doubted)
    assert not (tmp_path / "design.toml").exists()
    assert is_doubted(doubted) and not is_doubted({}) and not is_doubted({"worn": worn_document()})


def folder_of(folder: Path, document: dict) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / RESULT).write_text(json.dumps(document))
    write_design(folder, document)
    return folder


def test_measured_values_stand_above_the_file_and_below_settings(tmp_path: Path) -> None:
    own = tmp_path / "own.toml"
    own.write_text("seed = 5\nopenings_mm = [100.0]\n[drape]\nopening_mm = 110.0\nfriction = 0.2\n")
    calibrated = calibrated_values(folder_of(tmp_path / "cal", {"worn": worn_document(pattern=asdict(MaskPattern()))}))
    config = load_config(own, ["evaluation.opening_mm=118"], calibrated)
    assert (config.seed, config.drape.friction) == (5, 0.2)
    assert config.drape.opening_mm == 117.3 and config.openings_mm == (113.3, 121.3)
    assert config.evaluation.opening_mm == 118
    assert config.mask.nose_v_mm == MaskPattern().nose_v_mm - 3.0


def test_a_calibration_of_another_mask_is_refused(tmp_path: Path) -> None:
    own = tmp_path / "own.toml"
    own.write_text("[mask]\nwidth_mm = 180.0\n")
    with pytest.raises(ConfigError, match=r"mask.width_mm = 180.0 .* 175.0 in the calibration"):
        load_config(own, (), calibrated_values(folder_of(tmp_path / "cal", {"worn": worn_document()})))


@pytest.mark.parametrize(
    ("document", "message"),
    [
        (None, "nothing calibrated yet"),
        ({"worn": worn_document(doubted=True)}, "carries a WARNING"),
        ({"lens": {}}, "tells neither how the mask lies nor its colors"),
    ],
)
def test_folders_without_a_result_are_refused_with_the_remedy(document, message, tmp_path, capsys) -> None:
    folder = tmp_path / "cal"
    if document is not None:
        folder_of(folder, document)
    assert main(["design", "--photo", str(tmp_path / "me.jpg"), "--calibration", str(folder)]) == 3
    said = capsys.readouterr().err
    assert message in said and "maskdesign calibrate" in said and said.count("\n") == 1
