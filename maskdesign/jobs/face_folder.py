"""A folder of photos -> a folder of heads: in parallel, resumable, with a table of what became of each photo."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from maskdesign.errors import InputError, MaskdesignError, OutputError
from maskdesign.faces.scan import save_face
from maskdesign.files import sweep_partial_files
from maskdesign.jobs.face_photo import PHOTO_ENDINGS, head_from_photo, photos_in
from maskdesign.jobs.outcomes import read_outcomes, write_outcomes
from maskdesign.jobs.pool import in_processes
from maskdesign.progress import Progress
from maskdesign.render.photo_view import save_photo_views

TABLE = "outcomes.json"
SAVE_EVERY = 50


@dataclass(frozen=True)
class Outcome:
    """What became of a photo.

    Attributes:
        photo: its place in the folder.
        face: place of the head in the output folder; None where the photo was refused.
        reason: why it was refused, empty where it was not.
        yaw_deg, face_px, sharpness: its quality, 0 where it was refused before.
    """

    photo: str
    face: str | None
    reason: str
    yaw_deg: float = 0.0
    face_px: float = 0.0
    sharpness: float = 0.0


def make_faces(folder: Path, out: Path, ipd_mm: float | None, progress: Progress) -> dict[str, Any]:
    """Make a head of every photo in a folder and its folders; photos that the table knows already are left alone.

    Args:
        folder: photos, as PERSON/PERSON_0001.jpg or any other way.
        out: folder for the heads and their photo views, under the photos' names, and the table `outcomes.json`.
        ipd_mm: distance between the pupils of everyone; as measured where None.

    Returns:
        how many photos were made or refused, and where the table is.

    Raises:
        InputError: there is no photo, or the table is damaged.
    """
    photos = [path.relative_to(folder) for path in photos_in(folder)]
    if not photos:
        raise InputError(f"{folder}: holds no photos; they end in {', '.join(PHOTO_ENDINGS)}")
    sweep_partial_files(out)
    outcomes = read_outcomes(out / TABLE, Outcome)
    waiting = [photo for photo in photos if str(photo) not in outcomes]
    progress.stage("photos")
    for outcome in in_processes(_make_one, [(folder, out, photo, ipd_mm) for photo in waiting]):
        outcomes[outcome.photo] = outcome
        if len(outcomes) % SAVE_EVERY == 0:
            write_outcomes(out / TABLE, outcomes)
        progress.advance(len(outcomes), len(photos), outcome.reason[-60:])
    write_outcomes(out / TABLE, outcomes)
    made = sum(outcome.face is not None for outcome in outcomes.values())
    reasons = Counter(reason_kind(outcome.reason) for outcome in outcomes.values() if outcome.face is None)
    return {"photos": len(photos), "made": made, "refused": dict(reasons.most_common()), "table": str(out / TABLE)}


def _make_one(folder: Path, out: Path, photo: Path, ipd_mm: float | None) -> Outcome:
    target = photo.with_suffix(".npz")
    try:
        head = head_from_photo(folder / photo, ipd_mm)
        save_photo_views(list(head.views), out / photo.with_name(f"{photo.stem}_photo.json"))
        save_face(head.face, out / target)
    except OutputError:
        raise
    except MaskdesignError as error:
        return Outcome(str(photo), None, str(error).removeprefix(f"{folder / photo}: "))
    return Outcome(str(photo), str(target), "", *(head.facts[name] for name in ("yaw_deg", "face_px", "sharpness")))


def reason_kind(reason: str) -> str:
    """A reason without its figures, for counting."""
    words = reason.split(";")[0].split(",")[0].split("(")[0].split()
    return " ".join("N" if word[0].isdigit() else word for word in words)
