"""Which pages a sheet has: whole pieces where the paper is large enough, else parts."""

from __future__ import annotations

from dataclasses import replace

from maskdesign.errors import InputError
from maskdesign.sheets.arrange import whole_page
from maskdesign.sheets.page import SheetLayout
from maskdesign.sheets.paper import Paper, known_papers
from maskdesign.sheets.piece import Piece
from maskdesign.sheets.template import Template
from maskdesign.sheets.tiling import tiles

MOST_PAGES = 60


def plan_pages(paper: Paper, piece: Piece, template: Template) -> list[SheetLayout]:
    """The pages that show every copy of the piece: whole ones where the paper is large enough, else tiles.

    Raises:
        InputError: not even tiles fit, or only tiles would and a transfer cannot have them; the message says what does.
    """
    copies = template.page.copies
    plans = [whole_page(turned, piece, template, copies) for turned in (paper, paper.lying)]
    if fitting := [plan for plan in plans if plan is not None]:
        page = max(fitting, key=lambda plan: len(plan.masks))
        return _repeated(page, piece, template, copies)
    if template.piece.mirrored:
        what = "is too small for the mask, and the parts of a transfer cannot be taped together"
        raise InputError(f"paper {paper.title}: {what}; {_remedy(piece, template)}")
    tilings = [parts for turned in (paper, paper.lying) if (parts := list(tiles(turned, piece, template)))]
    if not tilings:
        raise InputError(_too_small(paper, piece, template))
    fewest = min(tilings, key=len) * copies
    if len(fewest) > MOST_PAGES:
        count = f"{len(fewest)} pages would be needed, at most {MOST_PAGES} are made"
        raise InputError(f"paper {paper.title}: {count}; {_remedy(piece, template)}")
    return fewest


def _repeated(page: SheetLayout, piece: Piece, template: Template, copies: int) -> list[SheetLayout]:
    full, left = divmod(copies, len(page.masks))
    return [page] * full + ([replace(page, masks=page.masks[:left])] if left else [])


def _too_small(paper: Paper, piece: Piece, template: Template) -> str:
    size = f"{paper.width_mm:g} x {paper.height_mm:g} mm with margins of {template.page.margin_mm:g} mm"
    return f"paper {paper.title}: {size} is too small even for parts of the mask; {_remedy(piece, template)}"


def _remedy(piece: Piece, template: Template) -> str:
    """Names the papers that carry the piece whole."""
    whole = [
        known.name
        for known in known_papers()
        if any(whole_page(turned, piece, template, 1) for turned in (known, known.lying))
    ]
    return f"use --paper {' or '.join(whole)}" if whole else "use a larger --paper WIDTHxHEIGHT"
