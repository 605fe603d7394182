"""Signs of determinants that decide a triangulation, exact: floating point first, fractions where it cannot tell.

Shewchuk 1997, "Adaptive precision floating-point arithmetic and fast robust geometric predicates": the error bounds
of his first stage; a double is a fraction, so the second stage is plain rational arithmetic.
"""

from __future__ import annotations

from fractions import Fraction

Point = tuple[float, float]

ROUNDING = 2.0**-53
ORIENT_BOUND = (3 + 16 * ROUNDING) * ROUNDING
CIRCLE_BOUND = (10 + 96 * ROUNDING) * ROUNDING


def orient(a: Point, b: Point, c: Point) -> int:
    """1 where a, b, c run counterclockwise (x right, y up), -1 clockwise, 0 where they lie on a line."""
    left, right = (a[0] - c[0]) * (b[1] - c[1]), (a[1] - c[1]) * (b[0] - c[0])
    determinant = left - right
    if abs(determinant) > ORIENT_BOUND * (abs(left) + abs(right)):
        return _sign(determinant)
    (ax, ay), (bx, by), (cx, cy) = (_exact(p) for p in (a, b, c))
    return _sign((ax - cx) * (by - cy) - (ay - cy) * (bx - cx))


def in_circle(a: Point, b: Point, c: Point, p: Point) -> int:
    """1 where p lies inside the circle through a, b, c (counterclockwise), -1 outside, 0 on it."""
    value, magnitude = _circle_determinant(a, b, c, p)
    if abs(value) > CIRCLE_BOUND * magnitude:
        return _sign(value)
    return _sign(_circle_determinant(*(_exact(q) for q in (a, b, c, p)))[0])


def _circle_determinant(a, b, c, p):
    ax, ay, bx, by, cx, cy = a[0] - p[0], a[1] - p[1], b[0] - p[0], b[1] - p[1], c[0] - p[0], c[1] - p[1]
    lift_a, lift_b, lift_c = ax * ax + ay * ay, bx * bx + by * by, cx * cx + cy * cy
    value = lift_a * (bx * cy - by * cx) + lift_b * (cx * ay - cy * ax) + lift_c * (ax * by - ay * bx)
    magnitude = (
        lift_a * (abs(bx * cy) + abs(by * cx))
        + lift_b * (abs(cx * ay) + abs(cy * ax))
        + lift_c * (abs(ax * by) + abs(ay * bx))
    )
    return value, magnitude


def _exact(point: Point) -> tuple[Fraction, Fraction]:
    return Fraction(point[0]), Fraction(point[1])


def _sign(value: float | Fraction) -> int:
    return (value > 0) - (value < 0)
