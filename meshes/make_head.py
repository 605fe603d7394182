"""Makes meshes/head.npz and meshes/portrait.png: a head that is nobody's, from formulas alone.

Run `python meshes/make_head.py` in a clone. mediapipe finds the landmarks on the painted portrait; made symmetric and
metric they are the canonical face. A shell around it (scalp, jaw underside, neck) is shrink-wrapped onto an implicit
head; both are one control mesh of a Loop subdivision surface. The ears are closed shells of their own.
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline, PchipInterpolator
from scipy.spatial import cKDTree

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

from head_shape import ear, face_triangles, implicit_head, mirror_of, neck_ring, shell_triangles, with_open_mouth  # noqa: E402
from paint_portrait import ORIGIN_PX, paint_portrait  # noqa: E402

from maskdesign.faces.detect import detect_face  # noqa: E402
from maskdesign.faces.head_model import EYE_BULGE_MM, FACE_CONTROLS, LEVELS, giving_rim, reach_share, with_eye_middles  # noqa: E402
from maskdesign.faces.landmarks import FACE_OVAL, LEFT_IRIS, NOSE_TIP, RIGHT_IRIS  # noqa: E402
from maskdesign.files import write_image, write_npz, write_text  # noqa: E402
from maskdesign.geometry.mesh import vertex_normals  # noqa: E402
from maskdesign.geometry.subdivide import interpolating_controls, loop_operator  # noqa: E402
from maskdesign.geometry.warp import fair, spread_smoothly  # noqa: E402

OVAL = list(FACE_OVAL)
CONTENTS = {
    "portrait.png": "a painted face",
    "head.npz": "head and ears as control meshes in mm, texture coordinates, mediapipe landmarks of the portrait",
}
ROWS = 10
"""Rows of control vertices from the oval of the face (exclusive) to the neck cut."""
ROUNDS = 40
HEAD_SCALE = 1.04
FAIRING_MM = 22.0
PUPIL_DISTANCE_MM = 63.0
"""Mean of adults (Dodgson 2004, "Variation and extrema of human interpupillary distance")."""
HAIR_MM = 7.0
FACE_RADIUS, SHELL_RADIUS = 0.36, 0.495
HOOK_CLEARANCE_MM = 3.0
EAR_HOOK_MM = (12.0, 19.0, -7.0)
"""In the ear's own frame: in the groove behind its upper half."""
EAR_ROOT_MM = (77.5, 17.0, -103.0)


def canonical_face(landmarks_px: NDArray) -> NDArray:
    """(478, 3) millimeters: the portrait's landmarks made symmetric, of the mean adult size, origin at the nose tip."""
    points = (landmarks_px - [*ORIGIN_PX, 0]) * [1, -1, -1]
    points = (points + points[mirror_of(points)] * [-1, 1, 1]) / 2
    pupils = points[[LEFT_IRIS[0], RIGHT_IRIS[0]], 0]
    return (points - points[NOSE_TIP]) * PUPIL_DISTANCE_MM / np.ptp(pupils)


def shell_rows(face: NDArray) -> NDArray:
    """(ROWS, 36, 3) control vertices from the oval to the neck, relaxed on the implicit head."""
    ring = project(face[OVAL])
    grid = np.stack([first_guess(ring[column], column) for column in range(len(OVAL))], axis=1)
    for _ in range(ROUNDS):
        across = (np.roll(grid, 1, axis=1) + np.roll(grid, -1, axis=1)) / 2
        grid[1:-1] = project(grid + 0.4 * (across - grid))[1:-1]
        grid = evenly_spaced(grid)
    grid[1:-1] = project(grid[1:-1])
    return grid


def evenly_spaced(grid: NDArray) -> NDArray:
    """The same meridians with their points at equal distances."""
    spaced = grid.copy()
    for column in range(grid.shape[1]):
        line = grid[:, column]
        length = np.r_[0, np.cumsum(np.linalg.norm(np.diff(line, axis=0), axis=1))]
        spaced[:, column] = CubicSpline(length, line)(np.linspace(0, length[-1], len(line)))
    return spaced


def first_guess(start: NDArray, column: int) -> NDArray:
    """(ROWS + 1, 3): from the oval over crown, side or throat to the neck cut, around the middle of the head."""
    center = np.array([0, 20, -105.0])
    share = np.minimum(column, 36 - column) / 18
    side, angle = (1 if column <= 18 else -1), np.pi * (1 - share)
    # Column 0 is the top of the forehead, whose meridian runs over crown and occiput; column 18 the chin.
    middle = np.array([side * 80 * np.sin(angle), 60 - 135 * share, -120 + (60 if share > 0.5 else 92) * np.cos(angle)])
    knots = [start, middle, neck_ring(column)]
    half = ROWS // 2
    return np.vstack([_arc(knots[0], knots[1], center, half)[:-1], _arc(knots[1], knots[2], center, ROWS - half)])


def _arc(a: NDArray, b: NDArray, center: NDArray, steps: int) -> NDArray:
    ra, rb = np.linalg.norm(a - center), np.linalg.norm(b - center)
    ua, ub = (a - center) / ra, (b - center) / rb
    angle, t = np.arccos(np.clip(ua @ ub, -1, 1)), np.linspace(0, 1, steps + 1)[:, None]
    turned = (np.sin((1 - t) * angle) * ua + np.sin(t * angle) * ub) / np.sin(angle)
    return center + turned * (ra + (rb - ra) * t)


def project(points: NDArray) -> NDArray:
    """The nearest points of the implicit head, by Newton steps along its gradient."""
    flat = points.reshape(-1, 3) / HEAD_SCALE
    for _ in range(8):
        value = implicit_head(flat)
        slope = np.stack([(implicit_head(flat + step) - value) / 0.1 for step in 0.1 * np.eye(3)], axis=1)
        flat -= (value / np.maximum((slope**2).sum(1), 0.1))[:, None] * slope
    return HEAD_SCALE * flat.reshape(points.shape)


def build_controls(face: NDArray) -> tuple[NDArray, NDArray]:
    """Control vertices (face, rows of the shell, middle of the neck cut) and triangles of the head without ears."""
    grid = shell_rows(face)
    cap = grid[-1].mean(axis=0) - [0, 16, 0]
    triangles = np.vstack([face_triangles(face), shell_triangles(len(face), ROWS)])
    vertices = np.vstack([face, grid[1:].reshape(-1, 3), cap])
    # The oval does not lie on the implicit head: what it is off by fades out smoothly over the shell.
    known = np.r_[np.arange(len(face)), np.arange(len(vertices) - 1 - 36, len(vertices))]
    on_head = vertices.copy()
    on_head[: len(face)] = project(face)
    moved = np.zeros((len(known), 3))
    moved[: len(face)] = face - on_head[: len(face)]
    ring = np.r_[OVAL, np.arange(len(vertices) - 1 - 36, len(vertices))]
    rows = np.isin(known, ring)
    vertices += _only_shell(spread_smoothly(on_head, triangles, known[rows], moved[rows]), len(face))
    return fair(vertices, triangles, np.setdiff1d(known, giving_rim(vertices, triangles)), FAIRING_MM), triangles


def with_hair(controls: NDArray, triangles: NDArray) -> NDArray:
    """The control vertices pushed out by the thickness of short hair, none around the ears where loops run."""
    folded = np.column_stack([np.abs(controls[:, 0]), controls[:, 1:]])
    from_ear = np.linalg.norm(folded - EAR_ROOT_MM, axis=1)
    thickness = HAIR_MM * scalp_share(controls) * np.clip((from_ear - 35) / 40, 0, 1)
    grown = controls + thickness[:, None] * vertex_normals(controls, triangles)
    return np.vstack([controls[:FACE_CONTROLS], grown[FACE_CONTROLS:]])


def _only_shell(moved: NDArray, face_count: int) -> NDArray:
    moved[:face_count] = 0
    return moved


def flat_coordinates(controls: NDArray, triangles: NDArray, face_count: int) -> NDArray:
    """(C, 2) texture coordinates: the face in the middle, the shell in rings around it, the neck cut on a circle.

    The face fills its oval unrolled about the vertical axis of the head.
    """
    import igl

    oval = controls[OVAL]
    unrolled = np.column_stack([95 * np.arctan2(oval[:, 0], oval[:, 2] + 115), -oval[:, 1]])
    unrolled -= (unrolled.min(axis=0) + unrolled.max(axis=0)) / 2
    rim = 0.5 + FACE_RADIUS * unrolled / np.linalg.norm(unrolled, axis=1).max()
    uv = np.full((len(controls), 2), 0.5)
    inside = triangles[(triangles < face_count).all(axis=1)].astype(np.int64)
    opened = with_open_mouth(controls[:face_count], inside)
    uv[:face_count] = igl.harmonic(opened, inside, np.array(OVAL, np.int64), rim, 1)
    outward = (rim - 0.5) / np.linalg.norm(rim - 0.5, axis=1, keepdims=True)
    share = (np.arange(1, ROWS + 1) / ROWS)[:, None, None]
    uv[face_count:-1] = ((1 - share) * rim + share * (0.5 + SHELL_RADIUS * outward)).reshape(-1, 2)
    return uv


def side(controls: NDArray, triangles: NDArray) -> NDArray:
    """(W,) 0 in the front of the refined face to 1 at its sides, where hair, ears and collars show in photos."""
    x, _, z = refined(controls, triangles).T
    return np.clip((np.degrees(np.arctan2(np.abs(x), z + 100)) - 44) / 10 + 0.5, 0, 1)


def refined(controls: NDArray, triangles: NDArray) -> NDArray:
    """(W, 3) the head's subdivision surface."""
    smooth, _ = loop_operator(triangles, len(controls), LEVELS)
    return smooth @ interpolating_controls(smooth, controls, reach_share(triangles))


def scalp(controls: NDArray, triangles: NDArray) -> NDArray:
    """(W,) how hairy the refined head is, 0 to 1: above a line from the forehead over the ears to the nape."""
    return scalp_share(refined(controls, triangles))


def scalp_share(points: NDArray) -> NDArray:
    """(n,) the same at any points of the head."""
    _, y, z = points.T
    line = PchipInterpolator([20, 45, 70, 92, 112, 130, 160, 200], [92, 84, 68, 40, 34, 10, -48, -58])(-z)
    return np.clip((y - line) / 22 + 0.5, 0, 1)


def placed_ear() -> tuple[NDArray, NDArray, NDArray, NDArray]:
    """The ear at the picture's right on the head: (n, 3), triangles, (n, 2) place in its patch, (n,) shade."""
    local, triangles = ear()
    flare, tilt = np.radians(24), np.radians(10)
    backward = np.array([np.sin(flare), 0, -np.cos(flare)])
    up = np.array([0, np.cos(tilt), 0]) - np.sin(tilt) * np.array([0, 0, 1.0])
    up = up - (up @ backward) * backward
    up /= np.linalg.norm(up)
    frame = np.stack([backward, up, np.cross(up, -backward)])
    flat = (local[:, :2] * [1, -1] - [11, 0]) / 76 + 0.5
    hollow = np.exp(-(((local[:, 0] - 8) / 8) ** 2) - ((local[:, 1] + 3) / 13) ** 2)
    return np.array(EAR_ROOT_MM) + 0.95 * local @ frame, triangles, flat, 1 - 0.35 * hollow


def hook_vertex(ear_vertices: NDArray, head: NDArray) -> int:
    """The ear's vertex in the groove behind its upper root that still lies outside the head."""
    free = cKDTree(head).query(ear_vertices)[0] > HOOK_CLEARANCE_MM
    outside = implicit_head(ear_vertices / HEAD_SCALE) > 0
    return int(np.argmin(np.linalg.norm(ear()[0] - EAR_HOOK_MM, axis=1) + 1000.0 * ~(free & outside)))


def main(folder: Path) -> None:
    """Write the portrait, the head and their manifest into a folder."""
    portrait = paint_portrait()
    landmarks = np.round(detect_face(portrait, "portrait").landmarks_px, 1)
    canonical = np.round(canonical_face(landmarks), 1)
    vertices, triangles = build_controls(with_eye_middles(canonical, EYE_BULGE_MM))
    vertices = with_hair(vertices, triangles)
    ear_vertices, ear_triangles, ear_uv, ear_shade = placed_ear()
    write_image(folder / "portrait.png", portrait)
    write_npz(
        folder / "head.npz",
        portrait_landmarks_px=landmarks,
        canonical_mm=canonical,
        mirror=mirror_of(canonical),
        controls_mm=np.round(vertices, 2),
        triangles=triangles.astype(np.int32),
        uv=np.round(flat_coordinates(vertices, triangles, FACE_CONTROLS), 5),
        scalp=np.round(scalp(vertices, triangles), 3),
        side=np.round(side(vertices, triangles), 3),
        ear_mm=np.round(ear_vertices, 2),
        ear_triangles=ear_triangles.astype(np.int32),
        ear_uv=np.round(ear_uv, 5),
        ear_shade=np.round(ear_shade, 3),
        ear_hook=np.array(hook_vertex(ear_vertices, refined(vertices, triangles))),
    )
    entries = [manifest_entry(folder / name, text) for name, text in CONTENTS.items()]
    write_text(folder / "manifest.toml", "\n".join(entries))


def manifest_entry(path: Path, contents: str) -> str:
    """One table of the manifest."""
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return (
        f'["{path.name}"]\ncontents = "{contents}"\nsha256 = "{digest}"\nlicense = "MIT"\n'
        'made_by = "python meshes/make_head.py"\nperson = "nobody; no photograph and no scan went into it"\n'
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE)
