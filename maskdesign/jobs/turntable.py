"""A full turn of a head as one file: a GIF for pages, an MP4 for everything larger."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from maskdesign.errors import OutputError
from maskdesign.progress import Progress

TURNTABLE_FRAMES = 48
FRAME_MS = 80
LARGEST_PX = {"gif": 480, "mp4": 1024}
"""Largest side of a frame: a GIF of larger frames is too heavy for a page."""


def turn_around(
    picture: Callable[[tuple[float, float]], NDArray[np.uint8]], kind: str, progress: Progress
) -> tuple[str, bytes]:
    """Name and content of a turntable.

    Args:
        picture: yaw and pitch in degrees -> (H, W, 3).
        kind: "gif" or "mp4".
    """
    progress.stage("Turntable")
    frames = []
    for index in range(TURNTABLE_FRAMES):
        pose = (360.0 * index / TURNTABLE_FRAMES, 0.0)
        frames.append(picture(pose))
        progress.advance(index + 1, TURNTABLE_FRAMES, f"{pose[0]:g} degrees")
    return f"turntable.{kind}", {"gif": encode_gif, "mp4": encode_mp4}[kind](frames)


def encode_gif(frames: Sequence[NDArray[np.uint8]]) -> bytes:
    """An endless GIF; each frame has the 256 colors that suit it."""
    indexed = [Image.fromarray(frame).quantize(256, method=Image.Quantize.MEDIANCUT) for frame in frames]
    buffer = io.BytesIO()
    indexed[0].save(buffer, "GIF", save_all=True, append_images=indexed[1:], duration=FRAME_MS, loop=0)
    return buffer.getvalue()


def encode_mp4(frames: Sequence[NDArray[np.uint8]]) -> bytes:
    """An MP4 (MPEG-4 part 2, which every desktop player reads).

    Raises:
        OutputError: this build of OpenCV writes no video.
    """
    height, width = frames[0].shape[:2]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "turntable.mp4"
        writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), 1000 / FRAME_MS, (width, height))
        if not writer.isOpened():
            raise OutputError("this build of OpenCV writes no MP4; take --turntable gif")
        for frame in frames:
            writer.write(cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))
        writer.release()
        return path.read_bytes()
