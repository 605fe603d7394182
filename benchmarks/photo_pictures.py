"""Pictures of docs/photo-mode.md from a public-domain portrait (a NASA photo that scikit-image carries).

python -m benchmarks.photo_pictures [--models DIR]
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np
import torch
from skimage.data import astronaut

from maskdesign.digital import controls
from maskdesign.digital.cells import photo_template
from maskdesign.digital.face_task import face_task
from maskdesign.digital.perturb import LADDER, climbed_rungs
from maskdesign.digital.picture import Picture
from maskdesign.digital.protect import add_change, own_margins, photo_face_mask
from maskdesign.digital.region import face_regions, working_picture
from maskdesign.digital.settings import ProtectSettings
from maskdesign.digital.similarity import ssim_within
from maskdesign.evaluation.photo_plots import edges, side_by_side
from maskdesign.files import write_image
from maskdesign.recognition.registry import load_recognizers

OUT = Path(__file__).parents[1] / "docs" / "photo-mode"
DIFFERENCE_GAIN = 6
SCALE = 2


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    picture = Picture(np.ascontiguousarray(astronaut()[:256, 96:352]))
    recognizers, rng = load_recognizers(options.models), np.random.default_rng(1)
    region, settings = face_regions(picture, "astronaut")[0], ProtectSettings()
    task, cells = face_task(region, working_picture(region, picture.rgb), recognizers, settings, rng)
    mask = photo_template(region, cells.own, settings.template.cell_px).mask(*picture.shape)
    box, shown = photo_face_mask(region, *picture.shape), [("original", picture.pixels)]
    for rung, change in climbed_rungs(task, LADDER, settings.perturb, rng):
        pixels = picture.pixels.copy()
        add_change(region, pixels, change)
        shown.append((rung.name, pixels))
    shown.append(("random noise as strong", controls.random_noise(picture.pixels, pixels, rng)))
    shown.append(("inverted cells", controls.inverted_cells(picture.pixels, mask)))
    for name, pixels in shown[1:]:
        likeness = ssim_within(picture.pixels, pixels, (None, box, mask))
        margins = own_margins(picture, Picture(pixels), [region], recognizers)
        print(name, "SSIM", *(f"{value:.3f}" for value in likeness), {k: round(v, 2) for k, v in margins.items()})
    crop = slice(int(region.landmarks_px[10, 1]) - 50, 236), slice(40, 216)
    faces = [cv2.resize(p[crop], None, fx=SCALE, fy=SCALE, interpolation=cv2.INTER_CUBIC) for _, p in shown]
    # `strong` and inverted cells distort a real person's face: their figures are printed, their pictures not kept.
    write_image(OUT / "portrait.png", side_by_side(faces[:3]))
    write_image(OUT / "noise.png", faces[4])
    gray = [128 + DIFFERENCE_GAIN * (p[crop].astype(int) - picture.pixels[crop]) for _, p in shown[1:3]]
    enlarged = [np.kron(np.clip(d, 0, 255).astype(np.uint8), np.ones((SCALE, SCALE, 1), np.uint8)) for d in gray]
    write_image(OUT / "difference.png", side_by_side(enlarged))
    write_image(OUT / "edges.png", side_by_side([edges(face) for face in faces[:3]]))


if __name__ == "__main__":
    main()
