"""The print sheet of a run, and the check that measures one."""

from __future__ import annotations

import datetime
from pathlib import Path

from maskdesign.config import config_hash
from maskdesign.jobs.config import JobConfig
from maskdesign.jobs.stages import run_config, run_texture
from maskdesign.optimize.texture import texture_pixels
from maskdesign.run import Run, locked, open_run
from maskdesign.sheets.page import SheetInfo
from maskdesign.sheets.paper import find_paper
from maskdesign.sheets.template import DEFAULT, load_template
from maskdesign.sheets.write import write_sheet


def sheet_for_run(
    folder: Path, paper: str, out: Path | None, template: str = DEFAULT, dpi: float | None = None
) -> list[Path]:
    """Write the sheet of a finished run for one paper.

    Args:
        paper: "a4", "letter", "a3" or "WxH" in millimeters.
        out: place of the .pdf, .svg or .png; None puts a PDF into the run.
        template: name of a page template, or path of a TOML file.
        dpi: of PNG pages; the template's where None.

    Returns:
        the files, in the order of the pages.
    """
    run = open_run(folder)
    path = out if out is not None else run.sheet(find_paper(paper).name)
    with locked(run):
        return make_sheet(run, run_config(run), paper, path, template, dpi)


def make_sheet(
    run: Run, config: JobConfig, paper: str, path: Path, template: str = DEFAULT, dpi: float | None = None
) -> list[Path]:
    """Texture of a run -> pages in true millimeters."""
    page_template = load_template(template)
    pixels = texture_pixels(run_texture(run, config))
    designed_on = datetime.date.fromtimestamp(run.config.stat().st_mtime).isoformat()
    info = SheetInfo(run_id=run.run_id, config_hash=config_hash(config), date=designed_on)
    return write_sheet(path, pixels, config.mask, info, find_paper(paper), page_template, dpi)
