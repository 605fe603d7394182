"""The print sheet of a run, and the check that measures one."""

from __future__ import annotations

import datetime
from pathlib import Path

from maskdesign.config import config_hash
from maskdesign.jobs.config import JobConfig
from maskdesign.jobs.stages import run_config, run_texture
from maskdesign.optimize.texture import texture_pixels
from maskdesign.run import Run, locked, open_run
from maskdesign.sheets.layout import SheetInfo, find_paper
from maskdesign.sheets.pdf import write_sheet


def sheet_for_run(folder: Path, paper: str, out: Path | None) -> Path:
    """Write the sheet of a finished run for one paper.

    Args:
        paper: "a4", "letter", "a3" or "WxH" in millimeters.
        out: place of the PDF; None puts it into the run.

    Returns:
        where it lies.
    """
    run = open_run(folder)
    path = out if out is not None else run.sheet(find_paper(paper).name)
    with locked(run):
        make_sheet(run, run_config(run), paper, path)
    return path


def make_sheet(run: Run, config: JobConfig, paper: str, path: Path) -> None:
    """Texture of a run -> PDF in true millimeters."""
    pixels = texture_pixels(run_texture(run, config))
    designed_on = datetime.date.fromtimestamp(run.config.stat().st_mtime).isoformat()
    info = SheetInfo(run_id=run.run_id, config_hash=config_hash(config), date=designed_on)
    write_sheet(path, pixels, config.mask, info, find_paper(paper))
