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
    """

    camera: PinholeCamera
    light: Light
    response: CameraResponse
    scene_index: int
    background_rgb: tuple[float, float, float]
    noise_seed: int
