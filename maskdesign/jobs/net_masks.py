"""Faces that wear a mask of this project's renderer."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from maskdesign.jobs.config import JobConfig
from maskdesign.jobs.net_faces import Faces
from maskdesign.jobs.photo_store import PhotoStore, fill_store
from maskdesign.optimize.photo_probes import develop_photos
from maskdesign.optimize.texture import texture_pixels
from maskdesign.progress import Progress
from maskdesign.render.masked_photo import WINDOW_PX, MaskedPhoto

MASK_STREAM = 1


def masked_rows(faces: Faces, learned: NDArray[np.int64], count: int, seed: int) -> NDArray[np.int64]:
    """Which faces get a mask, drawn from those that are learned from."""
    generator = np.random.Generator(np.random.Philox(key=seed, counter=[0, 0, 0, MASK_STREAM]))
    return np.sort(generator.permutation(learned)[:count])


def mask_faces(
    faces: Faces, rows: NDArray[np.int64], cache: Path, config: JobConfig, progress: Progress
) -> tuple[PhotoStore, list[str], NDArray[np.int64]]:
    """Render the masks of some faces, once.

    Returns:
        the store, the keys of what it holds, and the rows of the faces; photos on which no mask settles are left out.
    """
    store = PhotoStore(cache / "masked-photos", config.mask, config.drape, config.render)
    openings = config.openings_mm
    jobs = [(faces.photos[row], openings[row % len(openings)]) for row in rows]
    keys = fill_store(store, jobs, progress)
    kept = [number for number, job in enumerate(jobs) if store.reason(keys[job]) is None]
    return store, [keys[jobs[number]] for number in kept], rows[kept]


def layers_of(masked: MaskedPhoto, prints: Tensor) -> NDArray[np.uint8]:
    """(n, S, S, 4): the photo with each print, (n, 3, h, w), and which pixels its mask changes."""
    layers = np.zeros((len(prints), WINDOW_PX, WINDOW_PX, 4), np.uint8)
    layers[..., 3].reshape(len(prints), -1)[:, masked.touched] = 255
    for layer, texture in zip(layers, prints, strict=True):
        layer[..., :3] = texture_pixels(develop_photos([masked], texture)[0])
    return layers
