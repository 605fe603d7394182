"""How far a flattening is from an isometry and from a conformal map."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from maskdesign.geometry.mesh import TriangleMesh, triangle_normals

FLAT = 1e-9
"""Share of the usual determinant below which a triangle's image has no area."""


@dataclass(frozen=True)
class FlattenReport:
    """Figures of a map from a surface to the plane.

    With sigma1 >= sigma2 the singular values of the map's Jacobian in a triangle, the quasi-conformal error is
    sigma1 / sigma2: 1 where angles are kept. Means, percentiles and areas are weighted by area on the surface.

    Attributes:
        dirichlet_energy: 1/2 integral |grad F|^2, equation 5 of the PrivacyMask paper, in squared units of the map.
        conformal_energy: Dirichlet energy minus the area of the image, 0 where the map is conformal and not flipped
            (Pinkall and Polthier 1993, equation 3).
        quasi_conformal_mean, quasi_conformal_p99, quasi_conformal_max: of sigma1 / sigma2, >= 1.
        area_log_rms: root mean square of log(image area / surface area) after the total areas are made equal.
        area_least, area_most: least and greatest such ratio of a triangle.
        strain_rms: root mean square of sigma - 1 over both singular values, total areas made equal.
        flipped: triangles whose image is turned over or has no area.
    """

    dirichlet_energy: float
    conformal_energy: float
    quasi_conformal_mean: float
    quasi_conformal_p99: float
    quasi_conformal_max: float
    area_log_rms: float
    area_least: float
    area_most: float
    strain_rms: float
    flipped: int


def measure_flattening(mesh: TriangleMesh, flat: NDArray[np.float64]) -> FlattenReport:
    """All figures of a flattening.

    Args:
        mesh: the surface, every triangle with area.
        flat: (V, 2) its image.

    Convention: counterclockwise triangles must stay counterclockwise (first coordinate right, second up).
    """
    first, second, determinant = singular_values(mesh, flat)
    areas = np.linalg.norm(triangle_normals(mesh.vertices, mesh.triangles), axis=1) / 2
    total = areas.sum()
    dirichlet = float((areas * (first**2 + second**2)).sum() / 2)
    upright = ~turned_over(determinant)
    scale = np.sqrt(total / max(abs((areas * determinant).sum()), 1e-300))
    wide = upright & (second > 0)
    ratio = np.where(wide, first / np.where(wide, second, 1), np.inf)
    log_area = np.log(np.maximum(abs(determinant) * scale**2, 1e-300))
    strain = ((first * scale - 1) ** 2 + (second * scale - 1) ** 2) / 2
    return FlattenReport(
        dirichlet_energy=dirichlet,
        conformal_energy=dirichlet - float((areas * determinant).sum()),
        quasi_conformal_mean=float((areas * ratio).sum() / total),
        quasi_conformal_p99=weighted_percentile(ratio, areas, 99),
        quasi_conformal_max=float(ratio.max()),
        area_log_rms=float(np.sqrt((areas * log_area**2).sum() / total)),
        area_least=float(np.exp(log_area.min())),
        area_most=float(np.exp(log_area.max())),
        strain_rms=float(np.sqrt((areas * strain).sum() / total)),
        flipped=int((~upright).sum()),
    )


def singular_values(
    mesh: TriangleMesh, flat: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Singular values (T,) of the Jacobian in each triangle, larger first, and its determinant, < 0 where flipped."""
    jacobian = _jacobians(mesh, flat)
    a, b, c, d = jacobian[:, 0, 0], jacobian[:, 0, 1], jacobian[:, 1, 0], jacobian[:, 1, 1]
    # Half sum and half difference of the two values: lengths of the complex derivatives of the map.
    holomorphic, antiholomorphic = np.hypot(a + d, c - b) / 2, np.hypot(a - d, c + b) / 2
    return holomorphic + antiholomorphic, abs(holomorphic - antiholomorphic), a * d - b * c


def turned_over(determinant: NDArray[np.float64]) -> NDArray[np.bool_]:
    """(T,) which triangles have an image that is turned over or has no area, of the map's determinant in each."""
    # Rounding leaves a little of either sign where a triangle collapses to a line.
    return determinant <= FLAT * np.median(abs(determinant))


def _jacobians(mesh: TriangleMesh, flat: NDArray[np.float64]) -> NDArray[np.float64]:
    p, q = mesh.vertices[mesh.triangles], flat[mesh.triangles]
    e1, e2 = p[:, 1] - p[:, 0], p[:, 2] - p[:, 0]
    x1 = np.linalg.norm(e1, axis=1)
    x2 = (e1 * e2).sum(1) / x1
    y2 = np.linalg.norm(np.cross(e1, e2), axis=1) / x1
    f1, f2 = q[:, 1] - q[:, 0], q[:, 2] - q[:, 0]
    along = f1 / x1[:, None]
    across = (f2 - along * x2[:, None]) / y2[:, None]
    return np.stack([along, across], axis=2)


def weighted_percentile(values: NDArray[np.float64], weights: NDArray[np.float64], percent: float) -> float:
    """Least value below or at which at least `percent` of the weight lies."""
    order = np.argsort(values)
    reached = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(reached, percent / 100 * reached[-1])])


def least_angle_deg(points: NDArray[np.float64], triangles: NDArray[np.int32]) -> float:
    """Smallest angle of any triangle.

    Args:
        points: (n, 2) or (n, 3).
        triangles: (T, 3), T >= 1.
    """
    corners = points[triangles]
    following, preceding = np.roll(corners, -1, axis=1) - corners, np.roll(corners, 1, axis=1) - corners
    cosine = (following * preceding).sum(2) / (np.linalg.norm(following, axis=2) * np.linalg.norm(preceding, axis=2))
    return float(np.degrees(np.arccos(np.clip(cosine, -1, 1).max())))
