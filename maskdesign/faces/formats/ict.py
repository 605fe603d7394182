"""Identities of ICT-FaceKit: a neutral head and modes of its shape, in an .npz.

Li et al. 2020, "Learning Formation of Physically-Based Face Attributes"; a head is neutral + sum a_i mode_i with
a_i from N(0, 1). The project ships no model; the user names a file.
"""

from __future__ import annotations

import json
import struct
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from maskdesign.errors import MeshError, ScanError
from maskdesign.files import check_readable, read_npz
from maskdesign.geometry.mesh import TriangleMesh
from maskdesign.geometry.seams import split_at_seams

ARRAYS = ("vertices", "identity_modes", "triangles", "uv", "uv_triangles")
MM_PER_UNIT = 10.0
MAX_BYTES = 256 << 20
MAX_LIST_BYTES = 1 << 20


@dataclass(frozen=True)
class IctModel:
    """A linear model of heads.

    Attributes:
        vertices_mm: (V, 3) the neutral head.
        modes: (M, V, 3) displacement for one standard deviation, centimeters as stored (often float16).
        triangles: (T, 3).
        uv: (U, 2), v downward.
        uv_triangles: (T, 3).
        source: name of the file.
    """

    vertices_mm: NDArray[np.float64]
    modes: NDArray[np.floating]
    triangles: NDArray[np.int64]
    uv: NDArray[np.float64]
    uv_triangles: NDArray[np.int64]
    source: str


def is_ict(path: Path) -> bool:
    """Whether an .npz names the arrays of an ICT model; False where it cannot be opened."""
    try:
        with zipfile.ZipFile(path) as archive:
            return {f"{name}.npy" for name in ARRAYS} <= set(archive.namelist())
    except (OSError, zipfile.BadZipFile, NotImplementedError, ValueError):
        return False


def read_ict(path: Path) -> IctModel:
    """Read a model.

    Raises:
        InputError: no such file, or no .npz.
        ScanError: arrays are missing, of the wrong shape, not finite, or index what is not there.
    """
    check_readable(path)
    try:
        with zipfile.ZipFile(path) as archive:
            unpacked = sum(entry.file_size for entry in archive.infolist())
        if unpacked > MAX_BYTES:
            raise ScanError(f"{path}: unpacks to {unpacked >> 20} MiB; at most {MAX_BYTES >> 20} are read")
        arrays = read_npz(path)
    except (
        zipfile.BadZipFile,
        zlib.error,
        struct.error,
        RuntimeError,
        NotImplementedError,
        SyntaxError,
        OSError,
        ValueError,
        MemoryError,
    ) as error:
        raise ScanError(f"{path}: the file is damaged ({str(error)[:80]}); copy it again") from error
    missing = [name for name in ARRAYS if name not in arrays]
    if missing:
        raise ScanError(f"{path}: lacks {', '.join(missing)}; not an ICT-FaceKit identity file")
    return _validated(arrays, path)


def _validated(arrays: dict[str, NDArray], path: Path) -> IctModel:
    vertices, modes = arrays["vertices"], arrays["identity_modes"]
    for name in ARRAYS:
        wanted = "f" if name in ("vertices", "identity_modes", "uv") else "iu"
        if arrays[name].dtype.kind not in wanted:
            raise ScanError(
                f"{path}: {name} holds {arrays[name].dtype}, not {'numbers' if wanted == 'f' else 'indices'}"
            )
    if modes.ndim != 3 or vertices.ndim != 2 or modes.shape[1:] != vertices.shape or not len(modes):
        raise ScanError(f"{path}: identity_modes {modes.shape} do not fit vertices {vertices.shape}")
    if not np.isfinite(modes).all():
        raise ScanError(f"{path}: identity_modes hold values that are not finite")
    try:
        TriangleMesh(vertices, arrays["triangles"])
        uv_only = TriangleMesh(np.pad(arrays["uv"], ((0, 0), (0, 1))), arrays["uv_triangles"])
    except (MeshError, ValueError) as error:
        raise ScanError(f"{path}: {error}") from error
    if arrays["triangles"].shape != arrays["uv_triangles"].shape:
        raise ScanError(f"{path}: uv_triangles {arrays['uv_triangles'].shape} do not fit triangles")
    uv = uv_only.vertices[:, :2] * [1, -1] + [0, 1]
    return IctModel(
        vertices.astype(np.float64) * MM_PER_UNIT,
        modes,
        arrays["triangles"].astype(np.int64),
        uv,
        arrays["uv_triangles"].astype(np.int64),
        path.name,
    )


def read_coefficients(path: Path) -> NDArray[np.float64]:
    """(m,) the coefficients a_i of one head: a JSON list of numbers.

    Raises:
        InputError: no such file.
        ScanError: something else than such a list; `ict_vertices` says whether the numbers fit a model.
    """
    check_readable(path)
    try:
        values = json.loads(path.read_bytes()[:MAX_LIST_BYTES])
    except (ValueError, RecursionError) as error:
        raise ScanError(f"{path}: not a JSON list of numbers ({str(error)[:80]}); write [0.5, -1.2, ...]") from error
    if not isinstance(values, list) or not values or not all(type(value) in (int, float) for value in values):
        raise ScanError(f"{path}: not a JSON list of numbers; write [0.5, -1.2, ...], one for each mode")
    return np.array([max(-1e9, min(1e9, value)) for value in values])


def ict_vertices(model: IctModel, coefficients: NDArray[np.float64]) -> NDArray[np.float64]:
    """(V, 3) millimeters: the head of (m,) coefficients, m at most M; in the file's own frame.

    Raises:
        ScanError: more coefficients than modes, or some that are not finite or beyond 10.
    """
    if coefficients.ndim != 1 or len(coefficients) > len(model.modes) or not (np.abs(coefficients) <= 10).all():
        raise ScanError(
            f"{model.source}: {coefficients.size} coefficients; give at most {len(model.modes)}, from -10 to 10"
        )
    moves = np.tensordot(coefficients.astype(np.float32), model.modes[: len(coefficients)].astype(np.float32), 1)
    return model.vertices_mm + moves.astype(np.float64) * MM_PER_UNIT


def ict_mesh(model: IctModel, coefficients: NDArray[np.float64]) -> tuple[TriangleMesh, NDArray[np.int64]]:
    """The head as a mesh with uv, and for each of its vertices the row of `ict_vertices` it came from."""
    return split_at_seams(ict_vertices(model, coefficients), model.triangles, model.uv, model.uv_triangles)
