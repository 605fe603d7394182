"""Random views: where the head turns, how far the camera stands, what light falls on it."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np

from maskdesign.errors import ConfigError
from maskdesign.render.camera import orbit_camera
from maskdesign.render.cloth import CONTROLS
from maskdesign.render.light import KELVIN_RANGE, Light, color_temperature_rgb
from maskdesign.render.sensor import CameraResponse
from maskdesign.render.view import View

MAX_IMAGE_PX = 4096

LIMITS: dict[str, tuple[float, float]] = {
    "yaw_deg": (0, 90),
    "pitch_deg": (0, 90),
    "roll_deg": (0, 180),
    "distance_mm": (150, 100_000),
    "px_per_mm": (0.01, 100),
    "kelvin": KELVIN_RANGE,
    "cast_left": (0, 1),
    "ambient": (0, 10),
    "directional": (0, 10),
    "light_azimuth_deg": (0, 180),
    "light_elevation_deg": (-90, 90),
    "gain": (0.01, 100),
    "blur_px": (0, 10),
    "noise_std": (0, 0.5),
    "gamma": (0.2, 5),
    "background": (0, 1),
    "motion_px": (0, 40),
    "distortion": (-0.1, 0.1),
    "jpeg_share": (0, 1),
    "jpeg_quality": (1, 100),
    "sensor_px": (0, 8192),
    "field_of_view_deg": (5, 150),
    "cloth_mm": (0, 20),
}


@dataclass(frozen=True)
class ViewRanges:
    """What views are drawn from, each quantity uniformly and by itself.

    Attributes:
        image_px: side of the square image.
        yaw_deg, pitch_deg, roll_deg: largest turn of the head to either side.
        distance_mm: camera to head; decides the perspective.
        px_per_mm: resolution at the head's distance. With a sensor, only the highest one counts: what the sensor
            resolves more finely is binned to it.
        kelvin: color temperature of the light.
        cast_left: share (as an exponent) of the light's color that the camera does not balance away.
        ambient, directional: light that a white surface reflects, mean over the channels, before the cast.
        light_azimuth_deg: largest angle of the lamp to either side of the camera.
        light_elevation_deg: angle of the lamp above the camera.
        gain: exposure.
        blur_px: standard deviation of the lens blur.
        noise_std: standard deviation of the noise in linear light.
        gamma: exponent of the encoded value.
        background: linear gray behind the head; each channel differs from it by at most 10 %.
        motion_px: way that the picture moves during the exposure, in any direction; none by default.
        distortion: radial distortion of the lens, < 0 is a barrel; none by default.
        jpeg_share: share of pictures that are stored as JPEG; none by default.
        jpeg_quality: of those pictures.
        sensor_px: pixels across the camera's whole picture, of which a view is the part around the head: 2048 of a
            good camera down to 300, where a face at arm's length just fills a recognizer's crop. With it the distance
            decides the resolution, and blur, noise and motion are those of the sensor's pixels. 0 for no sensor.
        field_of_view_deg: across the sensor's whole picture.
        cloth_mm: standard deviation of the cloth's deformation at each control point, in sheet millimeters.

    Raises:
        ConfigError: a range outside its limits, or one that runs backwards.
    """

    image_px: int = 160
    yaw_deg: float = 45.0
    pitch_deg: float = 20.0
    roll_deg: float = 10.0
    distance_mm: tuple[float, float] = (450.0, 1500.0)
    px_per_mm: tuple[float, float] = (0.55, 0.85)
    kelvin: tuple[float, float] = (2700.0, 7500.0)
    cast_left: tuple[float, float] = (0.0, 0.5)
    ambient: tuple[float, float] = (0.3, 0.7)
    directional: tuple[float, float] = (0.2, 0.7)
    light_azimuth_deg: float = 70.0
    light_elevation_deg: tuple[float, float] = (-10.0, 70.0)
    gain: tuple[float, float] = (0.75, 1.2)
    blur_px: tuple[float, float] = (0.0, 1.2)
    noise_std: tuple[float, float] = (0.0, 0.02)
    gamma: tuple[float, float] = (0.9, 1.1)
    background: tuple[float, float] = (0.02, 0.8)
    motion_px: tuple[float, float] = (0.0, 0.0)
    distortion: tuple[float, float] = (0.0, 0.0)
    jpeg_share: float = 0.0
    jpeg_quality: tuple[float, float] = (60.0, 95.0)
    sensor_px: tuple[float, float] = (0.0, 0.0)
    field_of_view_deg: tuple[float, float] = (50.0, 75.0)
    cloth_mm: tuple[float, float] = (0.0, 0.0)

    def __post_init__(self) -> None:
        if not 1 <= self.image_px <= MAX_IMAGE_PX:
            raise ConfigError(f"views.image_px = {self.image_px} must lie between 1 and {MAX_IMAGE_PX}")
        if 0 == self.sensor_px[0] < self.sensor_px[1]:
            raise ConfigError(f"views.sensor_px = {self.sensor_px} must be (0, 0) or start above 0")
        for field in fields(self)[1:]:
            value = getattr(self, field.name)
            lowest, highest = value if isinstance(value, tuple) else (0.0, value)
            limits = LIMITS[field.name]
            if not limits[0] <= lowest <= highest <= limits[1]:
                raise ConfigError(
                    f"views.{field.name} = {value} must rise and lie between {limits[0]:g} and {limits[1]:g}"
                )


@dataclass(frozen=True)
class HeldOutRanges(ViewRanges):
    """Harder views than those of a design: farther turned, from real sensors, shaken, stored as JPEG, on soft cloth."""

    yaw_deg: float = 55.0
    pitch_deg: float = 25.0
    roll_deg: float = 15.0
    distance_mm: tuple[float, float] = (400.0, 2000.0)
    motion_px: tuple[float, float] = (0.0, 4.0)
    distortion: tuple[float, float] = (-0.03, 0.03)
    jpeg_share: float = 0.5
    sensor_px: tuple[float, float] = (640.0, 2048.0)
    cloth_mm: tuple[float, float] = (0.5, 2.0)


def sample_views(ranges: ViewRanges, seed: int, step: int, count: int, scene_count: int) -> list[View]:
    """Random views, counter based: view i depends on (seed, step, i) alone, however many are drawn.

    Args:
        seed, step: not negative, below 2^63.
        count: number of views.
        scene_count: each view shows one of this many scenes, all equally likely; at least 1.
    """
    return [_sample_view(ranges, _generator(seed, step, index), scene_count) for index in range(count)]


def _generator(seed: int, step: int, index: int) -> np.random.Generator:
    # The low words of the counter stay free: Philox counts them up while a view draws.
    return np.random.Generator(np.random.Philox(key=seed, counter=[0, 0, step, index]))


def _sample_view(ranges: ViewRanges, generator: np.random.Generator, scene_count: int) -> View:
    def between(bounds: tuple[float, float]) -> float:
        return float(generator.uniform(*bounds))

    def around_zero(bound: float) -> float:
        return float(generator.uniform(-bound, bound))

    yaw_deg, pitch_deg, roll_deg = (around_zero(b) for b in (ranges.yaw_deg, ranges.pitch_deg, ranges.roll_deg))
    distance_mm, px_per_mm = between(ranges.distance_mm), between(ranges.px_per_mm)
    tint = color_temperature_rgb(between(ranges.kelvin))
    tint /= tint.mean()
    light = Light(
        ambient_rgb=_triple(between(ranges.ambient) * tint),
        directional_rgb=_triple(between(ranges.directional) * tint),
        direction=_lamp_direction(around_zero(ranges.light_azimuth_deg), between(ranges.light_elevation_deg)),
    )
    response = CameraResponse(
        blur_sigma_px=between(ranges.blur_px),
        noise_std=between(ranges.noise_std),
        gain=between(ranges.gain),
        white_balance=_triple(tint ** (between(ranges.cast_left) - 1)),
        gamma=between(ranges.gamma),
    )
    background = np.clip(between(ranges.background) * generator.uniform(0.9, 1.1, 3) * tint, 0, 1)
    scene_index, noise_seed = int(generator.integers(scene_count)), int(generator.integers(2**31))
    # Drawn last, so that views without them are what they were before.
    response = replace(
        response,
        motion_px=between(ranges.motion_px),
        motion_deg=float(generator.uniform(0, 180)),
        distortion=between(ranges.distortion),
        jpeg_quality=int(generator.uniform() < ranges.jpeg_share) * round(between(ranges.jpeg_quality)),
    )
    sensor_px, field_of_view_deg = between(ranges.sensor_px), between(ranges.field_of_view_deg)
    cloth_mm = generator.normal(0, 1, 2 * CONTROLS) * between(ranges.cloth_mm)
    binning = 1.0
    if ranges.sensor_px[1] > 0:
        sharpest = sensor_px / (2 * np.tan(np.radians(field_of_view_deg) / 2) * distance_mm)
        binning = max(1.0, float(sharpest) / ranges.px_per_mm[1])
        px_per_mm = float(sharpest) / binning
    camera = orbit_camera(
        yaw_deg, pitch_deg, roll_deg, distance_mm, distance_mm * px_per_mm, ranges.image_px, ranges.image_px
    )
    return View(
        camera,
        light,
        coarser(response, binning),
        scene_index,
        _triple(background),
        noise_seed,
        binning,
        tuple(map(float, cloth_mm)) if ranges.cloth_mm[1] > 0 else (),
    )


def coarser(response: CameraResponse, factor: float) -> CameraResponse:
    """A response in pixels that are `factor` times as wide: lengths shrink, and noise averages out."""
    return replace(
        response,
        blur_sigma_px=response.blur_sigma_px / factor,
        motion_px=response.motion_px / factor,
        noise_std=response.noise_std / factor,
    )


def _lamp_direction(azimuth_deg: float, elevation_deg: float) -> tuple[float, float, float]:
    azimuth, elevation = np.radians([azimuth_deg, elevation_deg])
    return _triple(
        np.array([np.sin(azimuth) * np.cos(elevation), np.sin(elevation), np.cos(azimuth) * np.cos(elevation)])
    )


def _triple(values: np.ndarray) -> tuple[float, float, float]:
    return float(values[0]), float(values[1]), float(values[2])
