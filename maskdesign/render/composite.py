"""The mask over the real photograph of its wearer: the photo's own pose, light estimated from its skin."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from maskdesign.errors import InputError
from maskdesign.faces.scan import FaceScan
from maskdesign.render.camera import FACE_TO_CAMERA, PinholeCamera, project_points
from maskdesign.render.color import DECODED, srgb_encode
from maskdesign.render.illumination import Samples, gather_samples, reflected_light, surface_samples
from maskdesign.render.light import HARMONICS, Light, spherical_harmonics
from maskdesign.render.print_response import UNCHANGED, PrintResponse, printed_color
from maskdesign.render.scene import FACE, MASK, PRINTED, SKIN, Scene
from maskdesign.render.sensor import CameraResponse
from maskdesign.render.shading import RenderSettings
from maskdesign.render.texture import AffineView, show_texture
from maskdesign.render.view import View

DISTANCE_MM = 1500.0
"""Heads are made from photos as if from far away, so a portrait's distance fits them; a crop tells none."""

MIN_POINTS = 6
SKIN_ALBEDO = 0.4
"""Reflectance that the wearer's skin is taken for: exposure and skin cannot be told apart in one photo."""
BRIGHTEST = 1.0
RIDGE = 0.02
TRIM_ROUNDS = 4
TRIM_DEVIATIONS = 1.5
FITTED = 4
"""Harmonics that are fitted: skin is not even enough to tell those of the second order."""
TO_LUMINANCE = np.array([0.2126, 0.7152, 0.0722])
IDEAL = CameraResponse(blur_sigma_px=0.0, noise_std=0.0, gain=1.0, white_balance=(1.0, 1.0, 1.0), gamma=1.0)


@dataclass(frozen=True)
class PhotoPose:
    """How a photograph was taken, as far as it shows.

    Attributes:
        camera: sees the head in the face frame as the photo does.
        error_px: root mean square distance between the photo's landmarks and the head's.
    """

    camera: PinholeCamera
    error_px: float


def photo_pose(
    face: FaceScan, points_px: Mapping[str, NDArray[np.float64]], width_px: int, height_px: int
) -> PhotoPose:
    """The camera under which a head's landmarks fall on those of its photo.

    Args:
        face: the head.
        points_px: landmark name -> (2,) pixels; names that the head lacks are left out.
        width_px, height_px: of the photo, or of the part of it that is at hand.

    Raises:
        InputError: fewer than 6 landmarks in common.
    """
    import cv2

    names = tuple(name for name in points_px if name in face.landmarks)
    if len(names) < MIN_POINTS:
        raise InputError(f"{face.source}: {len(names)} landmarks of the photo are known, at least {MIN_POINTS} needed")
    points_mm, pixels = face.points_mm(names), np.stack([np.asarray(points_px[name])[:2] for name in names])
    spread = np.sqrt(pixels.var(axis=0).sum() / points_mm[:, :2].var(axis=0).sum())
    center = pixels.mean(axis=0)
    K = np.array([[spread * DISTANCE_MM, 0, center[0]], [0, spread * DISTANCE_MM, center[1]], [0, 0, 1.0]])
    rotation, translation = cv2.Rodrigues(FACE_TO_CAMERA)[0], np.array([[0.0], [0.0], [DISTANCE_MM]])
    cv2.solvePnP(points_mm, pixels, K, np.zeros(5), rotation, translation, useExtrinsicGuess=True)
    camera = PinholeCamera(
        np.asarray(cv2.Rodrigues(rotation)[0], np.float64), translation[:, 0], K, width_px, height_px
    )
    apart = project_points(camera, points_mm)[:, :2] - pixels
    return PhotoPose(camera, float(np.sqrt((apart**2).sum(axis=1).mean())))


def resized_camera(camera: PinholeCamera, factor: float) -> PinholeCamera:
    """The camera of the same photo with another number of pixels."""
    K = np.diag([factor, factor, 1.0]) @ camera.K
    width_px, height_px = round(camera.width_px * factor), round(camera.height_px * factor)
    return replace(camera, K=K, width_px=width_px, height_px=height_px)


def estimate_light(bare: Scene, camera: PinholeCamera, photo: NDArray[np.uint8]) -> Light:
    """Light under which even skin would look like the photo's, as spherical harmonics of the first order.

    Luminance over the skin is fitted by least squares, as Basri and Jacobs, "Lambertian reflectance and linear
    subspaces", IEEE TPAMI 25(2), 2003, section 3, with what is no even skin (eyes, brows, hair) trimmed away. The light
    is white: its color cannot be told from that of the skin, and the photo is taken to be balanced.

    Args:
        bare: the head without a mask.
        camera: of `photo_pose`.
        photo: (H, W, 3) uint8 sRGB.

    Raises:
        InputError: the photo shows too little of the head.
    """
    samples = surface_samples(bare, _view(camera, _darkness()), RenderSettings(1))
    chosen = (samples.material == FACE) & (samples.shown == SKIN) & _near_the_face(samples)
    if chosen.sum() < 10 * HARMONICS:
        raise InputError(f"the photo shows {chosen.sum()} pixels of the face, too few to estimate its light")
    normals = samples.normals[chosen] @ (FACE_TO_CAMERA.T @ camera.R).T
    luminance = (DECODED[photo].reshape(-1, 3) @ TO_LUMINANCE)[samples.place[chosen]]
    shading = _fit_shading(normals, luminance) / SKIN_ALBEDO
    # Facing any visible way, white stays within the picture's range.
    shading *= min(1.0, BRIGHTEST / max(float((_basis(normals) @ shading).max()), 1e-6))
    padded = np.concatenate([shading, np.zeros(HARMONICS - FITTED)])
    colors = tuple((float(value), float(value), float(value)) for value in padded)
    return replace(_darkness(), harmonics_rgb=colors)


def _basis(normals: NDArray[np.float64]) -> NDArray[np.float64]:
    return spherical_harmonics(normals)[:, :FITTED] * np.array([1.0, 2 / 3, 2 / 3, 2 / 3])


def _fit_shading(normals: NDArray[np.float64], luminance: NDArray[np.float64]) -> NDArray[np.float64]:
    basis, kept = _basis(normals), np.ones(len(luminance), bool)
    solution = np.zeros(FITTED)
    for _ in range(TRIM_ROUNDS):
        left = basis[kept].T @ basis[kept] + RIDGE * kept.sum() * np.diag([0.0] + [1.0] * (FITTED - 1)) / (4 * np.pi)
        solution = np.linalg.solve(left, basis[kept].T @ luminance[kept])
        apart = luminance - basis @ solution
        kept = np.abs(apart) <= TRIM_DEVIATIONS * apart[kept].std() + 1e-9
    return solution


def _near_the_face(samples: Samples) -> NDArray[np.bool_]:
    # The origin is the tip of the nose: hair, ears and neck lie outside.
    x, y, z = samples.points_mm.T
    return (np.abs(x) < 65) & (y > -70) & (y < 60) & (z > -90)


def _darkness() -> Light:
    return Light((0.0, 0.0, 0.0), (0.0, 0.0, 0.0), (0.0, 0.0, 1.0))


def _view(camera: PinholeCamera, light: Light) -> View:
    return View(camera, light, IDEAL, scene_index=0, background_rgb=(0.0, 0.0, 0.0), noise_seed=0)


def composite_view(
    scene: Scene, camera: PinholeCamera, light: Light, photo: NDArray[np.uint8], settings: RenderSettings
) -> AffineView:
    """The photo in linear light with the mask before it, as a function of the texture.

    The head hides what lies behind it and casts shadows on the mask; what is seen besides the mask is the photo.

    Args:
        scene: head and mask.
        camera: of `photo_pose`, of the photo's size.
        light: of `estimate_light`.
        photo: (H, W, 3) uint8 sRGB.

    Raises:
        InputError: a photo of another size than the camera's.
    """
    if photo.shape[:2] != (camera.height_px, camera.width_px):
        raise InputError(
            f"the photo has {photo.shape[1]} x {photo.shape[0]} pixels, "
            f"its camera {camera.width_px} x {camera.height_px}; see resized_camera"
        )
    view = _view(camera, light)
    samples = surface_samples(scene, view, settings)
    diffuse, shine = reflected_light(scene, view, settings, samples)
    back = np.where(samples.shown[:, None] == PRINTED, 0.0, diffuse * np.asarray(settings.plain_back_rgb)) + shine
    behind = DECODED[photo].transpose(2, 0, 1)
    return gather_samples(samples, samples.material == MASK, diffuse, back, behind, settings)


def composite(view: AffineView, texture: Tensor, response: PrintResponse = UNCHANGED) -> Tensor:
    """The picture of a composite: (3, h, w) sRGB texture -> (3, H, W) sRGB, differentiable.

    Args:
        response: what printing makes of the texture's colors.
    """
    printed = printed_color(response, texture)
    return srgb_encode(torch.clamp(show_texture(printed, [view])[0], 0, 1))
