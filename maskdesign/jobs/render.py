"""Pictures of a run's mask from named sides, and a turntable."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from maskdesign.errors import UsageError
from maskdesign.evaluation.pictures import PREVIEW_CENTER_MM, PREVIEW_DISTANCE_MM, PREVIEW_FIELD_MM, preview_views
from maskdesign.files import read_image, write_bytes, write_image
from maskdesign.jobs.config import JobConfig
from maskdesign.jobs.stages import Subject, drape_stage, read_subject, run_config, run_texture, scene_at
from maskdesign.jobs.turntable import LARGEST_PX, turn_around
from maskdesign.optimize.texture import texture_pixels, texture_tensor
from maskdesign.progress import Progress
from maskdesign.render.camera import orbit_camera
from maskdesign.render.composite import composite, composite_view, estimate_light, photo_pose, resized_camera
from maskdesign.render.renderer import RenderSettings, render_views
from maskdesign.render.scene import Scene, build_scene
from maskdesign.render.view import View
from maskdesign.run import Run, locked, open_run

SIZE_RANGE_PX = (32, 4096)
PHOTO = "photo"
"""Name of the view that shows the mask on the wearer's photograph."""
PHOTO_SAMPLES = 3
SIGNS = {"left": (-1, 0), "right": (1, 0), "up": (0, 1), "down": (0, -1)}
FARTHEST_DEG = {"left": 180.0, "right": 180.0, "up": 90.0, "down": 90.0}
TURN = re.compile(r"(left|right|up|down)(\d+(?:\.\d+)?)")


def parse_view(name: str) -> tuple[float, float]:
    """Angles of a named view: `front`, or turns such as `left45` and `down20`, joined with +.

    Returns:
        yaw and pitch in degrees.

    Convention: as the picture shows it, `left45` turns the face towards the left edge, `up45` raises the chin.

    Raises:
        UsageError: any other name, or a turn beyond 180 degrees sideways or 90 degrees up and down.
    """
    if name == "front":
        return 0.0, 0.0
    yaw_deg = pitch_deg = 0.0
    for word in name.split("+"):
        match = TURN.fullmatch(word)
        if match is None or float(match[2]) > FARTHEST_DEG[match[1]]:
            raise UsageError(
                f"--views: {name!r} is no view; write front, photo, or left, right (0 to 180), up, down (0 to 90) "
                "with degrees, as in left45 or right30+up10"
            )
        yaw_sign, pitch_sign = SIGNS[match[1]]
        yaw_deg, pitch_deg = yaw_deg + yaw_sign * float(match[2]), pitch_deg + pitch_sign * float(match[2])
    return yaw_deg, pitch_deg


def render_run(
    folder: Path,
    names: Sequence[str],
    size_px: int,
    texture: Path | None,
    out: Path | None,
    turntable: str | None,
    progress: Progress,
) -> list[Path]:
    """Write `NAME.png` for every view of a run, and a turntable when asked.

    Args:
        names: what `parse_view` reads, or `photo` for the mask on the wearer's photograph.
        size_px: longer side of the pictures, 32 to 4096.
        texture: a picture to show on the sheet in place of the design.
        turntable: "gif", "mp4" or None.
        out: folder of the pictures; None puts them into `renders` of the run.

    Returns:
        the files, in order.

    Raises:
        UsageError: a name or a size that is not understood.
        RunError: no run, or an unfinished one and no texture given.
    """
    poses = {name: parse_view(name) for name in names if name != PHOTO}
    if not SIZE_RANGE_PX[0] <= size_px <= SIZE_RANGE_PX[1]:
        raise UsageError(f"--size {size_px} must lie between {SIZE_RANGE_PX[0]} and {SIZE_RANGE_PX[1]} pixels")
    run = open_run(folder)
    config = run_config(run)
    shown = run_texture(run, config) if texture is None else texture_tensor(read_image(texture))
    subject, scene = _subject_and_scene(run, config, progress)
    target, files = out if out is not None else run.path("renders"), []
    progress.stage("Pictures")
    for done, name in enumerate(dict.fromkeys(names)):
        files.append(target / f"{name}.png")
        if name == PHOTO:
            write_image(files[-1], _on_photo(subject, scene, shown, size_px, config))
        else:
            write_image(files[-1], _picture(scene, shown, poses[name], size_px, config))
        progress.advance(done + 1, len(names), name)
    if turntable is not None:
        side_px = min(size_px, LARGEST_PX[turntable])
        name, content = turn_around(lambda pose: _picture(scene, shown, pose, side_px, config), turntable, progress)
        files.append(target / name)
        write_bytes(files[-1], content)
    return files


def _subject_and_scene(run: Run, config: JobConfig, progress: Progress) -> tuple[Subject, Scene]:
    with locked(run):
        subject = read_subject(run)
        progress.stage("Mask")
        worn = drape_stage(run, subject.face, config, progress)[config.drape.opening_mm]
        return subject, scene_at(subject.face, worn, config)


@torch.no_grad()
def _on_photo(subject: Subject, scene: Scene, texture: Tensor, size_px: int, config: JobConfig) -> NDArray[np.uint8]:
    height_px, width_px = subject.photo.shape[:2]
    pose = photo_pose(subject.face, subject.points_px, width_px, height_px)
    light = estimate_light(build_scene(subject.face, None, config.mask), pose.camera, subject.photo)
    camera = resized_camera(pose.camera, size_px / max(height_px, width_px))
    size = (camera.width_px, camera.height_px)
    photo = np.asarray(Image.fromarray(subject.photo).resize(size, Image.Resampling.LANCZOS))
    settings = RenderSettings(PHOTO_SAMPLES, config.render.plain_back_rgb)
    view = composite_view(scene, camera, light, photo, settings)
    return texture_pixels(composite(view, texture, config.render.print_response))


def _view(pose_deg: tuple[float, float], size_px: int) -> View:
    focal_px = PREVIEW_DISTANCE_MM * size_px / PREVIEW_FIELD_MM
    camera = orbit_camera(*pose_deg, 0.0, PREVIEW_DISTANCE_MM, focal_px, size_px, size_px, PREVIEW_CENTER_MM)
    return replace(preview_views(size_px)[0], camera=camera)


@torch.no_grad()
def _picture(
    scene: Scene, texture: Tensor, pose_deg: tuple[float, float], size_px: int, config: JobConfig
) -> NDArray[np.uint8]:
    # As many samples as it takes to meet every texel of the print, so that fine patterns do not alias.
    texel_mm = config.mask.width_mm / texture.shape[2]
    samples = int(np.clip(np.ceil(PREVIEW_FIELD_MM / size_px / texel_mm), 2, 8))
    settings = replace(config.render, supersample=samples)
    return texture_pixels(render_views((scene,), (_view(pose_deg, size_px),), texture, settings)[0])
