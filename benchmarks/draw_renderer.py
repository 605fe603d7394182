"""Draws docs/renderer.png, one mask in several lights and finishes: `python -m benchmarks.draw_renderer`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from maskdesign.evaluation.controls import random_texture
from maskdesign.evaluation.pictures import preview_views
from maskdesign.faces.head import builtin_face
from maskdesign.files import write_image
from maskdesign.jobs.config import JobConfig
from maskdesign.jobs.stages import scene_at
from maskdesign.mask.drape import drape_mask
from maskdesign.optimize.texture import texture_pixels
from maskdesign.render.light import Light, PointLight
from maskdesign.render.material import NONWOVEN, SKIN
from maskdesign.render.print_response import PrintResponse
from maskdesign.render.renderer import RenderSettings, render_views

SIDE_PX = 300
DARK = (0.0, 0.0, 0.0)
AHEAD = (0.0, 0.0, 1.0)
SIDE_LAMP = Light((0.15, 0.15, 0.15), (0.8, 0.8, 0.8), (0.9, 0.6, 0.5))
NEAR_LAMP = Light((0.1, 0.1, 0.1), DARK, AHEAD, points=(PointLight((-250.0, 250.0, -450.0), (0.12, 0.11, 0.09)),))
SKY = tuple((a, a, 1.15 * a) for a in (1.6, 0.5, 0.3, -0.5, 0.0, 0.0, 0.0, 0.1, 0.0))
FADED = PrintResponse(coefficients=((0.6, 0.05, 0.05), (0.05, 0.6, 0.05), (0.05, 0.05, 0.6)))


def main() -> None:
    config, face = JobConfig(), builtin_face()
    scene = scene_at(face, drape_mask(face, config.mask, config.drape), config)
    texture = random_texture(config.texture, config.mask)
    base = replace(preview_views(SIDE_PX)[0], camera=preview_views(SIDE_PX)[4].camera, light=SIDE_LAMP)
    shiny = replace(scene, finishes=(SKIN, replace(NONWOVEN, specular=0.15, shininess=30.0)))
    tired = replace(base.response, blur_sigma_px=1.5, motion_px=6.0, noise_std=0.02, jpeg_quality=40)
    plain, shadows = RenderSettings(3), RenderSettings(3, shadow_map_px=2048)
    shown = [
        (scene, base, plain),
        (scene, base, shadows),
        (scene, replace(base, light=NEAR_LAMP), shadows),
        (scene, replace(base, light=Light(DARK, DARK, AHEAD, harmonics_rgb=SKY)), plain),
        (shiny, base, shadows),
        (scene, replace(base, response=tired), shadows),
        (scene, base, replace(shadows, print_response=FADED)),
    ]
    with torch.no_grad():
        pictures = [texture_pixels(render_views([s], [v], texture, settings)[0]) for s, v, settings in shown]
    write_image(Path(__file__).parents[1] / "docs" / "renderer.png", np.concatenate(pictures, axis=1))


if __name__ == "__main__":
    main()
