"""`View`: one picture to be taken of one scene."""

from __future__ import annotations

from dataclasses import dataclass

from maskdesign.render.camera import PinholeCamera
from maskdesign.render.light import Light
from maskdesign.render.sensor import CameraResponse


@dataclass(frozen=True)
class View:
    """One picture.

    Attributes:
        camera: where it is taken from.
        light: light in the room.
        response: what the camera makes of the light.
        scene_index: which scene of a list it shows.
        background_rgb: linear light behind the head, [0, 1]; it passes through the camera like everything else.
        noise_seed: of the sensor's noise, 0 to 2^31 - 1.
        binning: pixels of the sensor along each side of a pixel of the picture, >= 1; the response's noise, blur and
            motion already count in pixels of the picture.
        cloth_mm: how the cloth is deformed, as `maskdesign.render.cloth.deform_cloth` takes it; empty for not at all.
    """

    camera: PinholeCamera
    light: Light
    response: CameraResponse
    scene_index: int
    background_rgb: tuple[float, float, float]
    noise_seed: int
    binning: float = 1.0
    cloth_mm: tuple[float, ...] = ()
