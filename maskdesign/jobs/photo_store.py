"""A store of masked photos: each made once, named after everything that decides it, by as many processes as there are.

Stores merge by copying files, so several machines may fill one with `--shard`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np

from maskdesign.config import config_hash
from maskdesign.errors import FaceError, InputError
from maskdesign.faces.detect import FaceDetection, find_faces
from maskdesign.faces.photo import mean_face, uncolored_face
from maskdesign.faces.scan import FaceScan
from maskdesign.files import read_image, sweep_partial_files, write_json
from maskdesign.jobs.pool import in_processes
from maskdesign.mask.accessories import Accessory
from maskdesign.mask.carry import DrapedTemplate, carry_mask, prepare_carrying
from maskdesign.mask.drape import drape_mask
from maskdesign.mask.pattern import MaskPattern
from maskdesign.mask.settings import DrapeSettings
from maskdesign.mask.worn import WornMask, load_worn, save_worn
from maskdesign.progress import Progress
from maskdesign.render.masked_photo import MaskedPhoto, face_window, load_masked, mask_photo, save_masked
from maskdesign.render.shading import RenderSettings

VERSION = 1
"""Of the way photos are masked; a new one makes them all again."""


@dataclass(frozen=True)
class PhotoStore:
    """Where masked photos lie, and what masks them.

    Attributes:
        folder: of the store.
        pattern, drape: the mask, and how it is worn but for its opening.
        render: how pixels are made.
        accessory: what is worn in place of a mask, on whose `pattern` it is printed; None for a mask.
    """

    folder: Path
    pattern: MaskPattern
    drape: DrapeSettings
    render: RenderSettings
    accessory: Accessory | None = None

    def key(self, photo: Path, opening_mm: float) -> str:
        """Name of a masked photo: the digest of the photo's bytes and of everything else that decides it.

        Raises:
            InputError: no such photo.
        """
        try:
            content = photo.read_bytes()
        except OSError as error:
            raise InputError(f"{photo}: cannot be read ({error.strerror})") from error
        return hashlib.sha256(content + self._about(opening_mm).encode()).hexdigest()[:32]

    def _about(self, opening_mm: float) -> str:
        parts = [config_hash(part) for part in (self.pattern, self.drape, self.render)]
        worn = [] if self.accessory is None else [self.accessory.name]
        return json.dumps([VERSION, opening_mm, *parts, *worn])

    def place(self, key: str) -> Path:
        """Where a masked photo lies once it is made."""
        return self.folder / key[:2] / f"{key}.npz"

    def refusal(self, key: str) -> Path:
        """Where the reason lies for which a photo was refused."""
        return self.folder / key[:2] / f"{key}.json"

    def load(self, key: str) -> MaskedPhoto:
        """A masked photo that was made before."""
        return load_masked(self.place(key))

    def reason(self, key: str) -> str | None:
        """Why a photo was refused; None where it was not."""
        path = self.refusal(key)
        return json.loads(path.read_text())["reason"] if path.exists() else None

    def template(self, opening_mm: float) -> Path:
        """Where the drape on the mean head lies, from which masks are carried to the photos' heads."""
        digest = hashlib.sha256(self._about(opening_mm).encode()).hexdigest()[:16]
        return self.folder / f"mean-head-{opening_mm:g}mm-{digest}.npz"


def fill_store(
    store: PhotoStore, wanted: Sequence[tuple[Path, float]], progress: Progress
) -> dict[tuple[Path, float], str]:
    """Mask every photo that the store lacks.

    Args:
        wanted: photos that exist, each with a pleat opening.

    Returns:
        the key of each.
    """
    keys = {job: store.key(*job) for job in dict.fromkeys(wanted)}
    sweep_partial_files(store.folder)
    lacking = [job for job, key in keys.items() if not store.place(key).exists() and not store.refusal(key).exists()]
    for opening_mm in sorted({opening for _, opening in lacking}) if store.accessory is None else ():
        _draped(store, opening_mm)
    work = [(store, *job, keys[job]) for job in lacking]
    for done, _ in enumerate(in_processes(_mask_one, work), start=1):
        progress.advance(len(keys) - len(lacking) + done, len(keys), f"{done} new")
    return keys


def _mask_one(store: PhotoStore, photo: Path, opening_mm: float, key: str) -> None:
    try:
        save_masked(_masked(store, photo, opening_mm), store.place(key))
    except InputError as error:
        write_json(store.refusal(key), {"reason": str(error).removeprefix(f"{photo}: ")})


def _masked(store: PhotoStore, photo: Path, opening_mm: float) -> MaskedPhoto:
    image = read_image(photo)
    found = uncolored_face(image, middle_face(image, str(photo)))
    worn = _worn(store, found.scan, opening_mm)
    window, points_px = face_window(image, found.points_px)
    return mask_photo(window, points_px, found.scan, worn, store.pattern, store.render)


def _worn(store: PhotoStore, face: FaceScan, opening_mm: float) -> WornMask:
    if store.accessory is not None:
        return store.accessory.lay(face)
    return carry_mask(_draped(store, opening_mm), face, store.pattern, _opened(store.drape, opening_mm))


def worn_by_mean_head(store: PhotoStore, opening_mm: float) -> WornMask:
    """What the photos of a store wear, on the mean head; a mask is draped once and kept in the store."""
    path, head = store.template(opening_mm), mean_face()
    if store.accessory is not None:
        return store.accessory.lay(head)
    if not path.exists():
        save_worn(drape_mask(head, store.pattern, _opened(store.drape, opening_mm)), path)
    return load_worn(path)


def middle_face(image: np.ndarray, source: str) -> FaceDetection:
    """The face nearest to the middle of a photo, which is whom a photo of a collection is named after.

    Raises:
        FaceError: no face.
    """
    middle = np.array(image.shape[1::-1]) / 2
    faces = sorted(find_faces(image), key=lambda points: float(np.linalg.norm(points[:, :2].mean(axis=0) - middle)))
    if not faces:
        raise FaceError(f"{source}: no face found")
    return FaceDetection(faces[0], source)


@lru_cache(maxsize=8)
def _draped(store: PhotoStore, opening_mm: float) -> DrapedTemplate:
    return prepare_carrying(mean_face(), worn_by_mean_head(store, opening_mm))


def _opened(settings: DrapeSettings, opening_mm: float) -> DrapeSettings:
    return replace(settings, opening_mm=opening_mm)
