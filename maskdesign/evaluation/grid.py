"""The views a design is judged on: a regular grid, none of which the design has seen."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from maskdesign.errors import ConfigError
from maskdesign.render.camera import orbit_camera
from maskdesign.render.light import Light, color_temperature_rgb
from maskdesign.render.sensor import CameraResponse
from maskdesign.render.view import View

CAST_LEFT = 0.25
"""Share, as an exponent, of a light's color that the camera does not balance away."""


@dataclass(frozen=True)
class EvaluationSettings:
    """The grid and the control textures.

    Attributes:
        yaw_deg, pitch_deg: head poses; every yaw meets every pitch and every light.
        distance_mm: camera to head.
        px_per_mm: resolution at the head's distance.
        image_px: side of the square image.
        opening_mm: pleat opening of the evaluation, another one than the design's.
        batch: views rendered at once.
        bootstrap_rounds: resamplings of the intervals.
    """

    yaw_deg: tuple[float, ...] = (-45.0, -30.0, -15.0, 0.0, 15.0, 30.0, 45.0)
    pitch_deg: tuple[float, ...] = (-20.0, 0.0, 20.0)
    distance_mm: float = 800.0
    px_per_mm: float = 0.75
    image_px: int = 192
    opening_mm: float = 125.0
    batch: int = 16
    bootstrap_rounds: int = 2000

    def __post_init__(self) -> None:
        if not self.yaw_deg or not self.pitch_deg:
            raise ConfigError("evaluation.yaw_deg and evaluation.pitch_deg must name at least one angle each")
        if self.batch < 1 or self.bootstrap_rounds < 1:
            raise ConfigError("evaluation.batch and evaluation.bootstrap_rounds must be at least 1")


def evaluation_lights() -> dict[str, Light]:
    """Three lights: an office ceiling, a window from the side, a warm lamp from the other side."""
    return {
        "ceiling": _light(4000, 0.55, 0.45, (0.0, 0.9, 0.5)),
        "window": _light(6500, 0.35, 0.75, (0.8, 0.3, 0.6)),
        "lamp": _light(2900, 0.4, 0.6, (-0.7, 0.2, 0.7)),
    }


def _light(kelvin: float, ambient: float, directional: float, direction: tuple[float, float, float]) -> Light:
    # Cameras balance most of the cast away; the exponent keeps the part they miss.
    tint = color_temperature_rgb(kelvin) ** CAST_LEFT
    tint /= tint.mean()
    toward = np.asarray(direction) / np.linalg.norm(direction)
    return Light(_triple(ambient * tint), _triple(directional * tint), _triple(toward))


def _triple(values: np.ndarray) -> tuple[float, float, float]:
    return float(values[0]), float(values[1]), float(values[2])


def evaluation_views(settings: EvaluationSettings) -> list[View]:
    """Every combination of yaw, pitch and light, on scene 0, with a mild camera response."""
    poses = [
        (yaw, pitch, light)
        for light in evaluation_lights().values()
        for pitch in settings.pitch_deg
        for yaw in settings.yaw_deg
    ]
    return [
        evaluation_view(settings, yaw, pitch, light, seed, settings.distance_mm)
        for seed, (yaw, pitch, light) in enumerate(poses)
    ]


def evaluation_view(
    settings: EvaluationSettings,
    yaw_deg: float,
    pitch_deg: float,
    light: Light,
    seed: int,
    distance_mm: float,
    scene_index: int = 0,
) -> View:
    """One view with a mild camera response; another distance than the grid's keeps lens and field."""
    side = 2 * round(settings.image_px * settings.distance_mm / distance_mm / 2)
    focal_px = settings.distance_mm * settings.px_per_mm
    camera = orbit_camera(yaw_deg, pitch_deg, 0.0, distance_mm, focal_px, side, side)
    response = CameraResponse(blur_sigma_px=0.5, noise_std=0.005, gain=1.0, white_balance=(1.0, 1.0, 1.0), gamma=1.0)
    return View(camera, light, response, scene_index, background_rgb=(0.35, 0.35, 0.35), noise_seed=seed)
