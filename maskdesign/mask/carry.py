"""A mask draped once is carried over to many heads: warped as the head is, then relaxed for a moment.

Draping takes seconds a head, too long for thousands of photos. Heads from photos share one topology, so where the
draped head goes on another one is known at every point; a thin-plate spline (Bookstein 1989) through some of these
points takes the mask along. The warp stretches the cloth by some percent; a few steps of the drape's own solver take
most of that out again. What is left stands in the drape report: rms strain of 1 to 3 % where a drape has 0.5 %, and
the cloth lies 2 to 6 mm (rms) from where a drape of its own would put it, about as far as two people put on a mask.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from maskdesign.errors import FaceError
from maskdesign.faces.scan import FaceScan
from maskdesign.mask.drape import settle_mask
from maskdesign.mask.pattern import MaskPattern
from maskdesign.mask.settings import DrapeSettings, DrapeStage
from maskdesign.mask.worn import WornMask

CONTROLS = 150
SMOOTHING = 100.0
"""Of the spline, which need not follow every wrinkle of the other head."""
BACK_MM, TOP_MM, BOTTOM_MM = -110.0, 60.0, -95.0
"""The part of the head around the mask, seen from the tip of the nose."""
SETTLING = (DrapeStage(True, 10, opens=False, load=0.3, bending=0.1, hinge=0.05, crease=0.1, damping=0.9, sweeps=30),)


@dataclass(frozen=True, eq=False)
class DrapedTemplate:
    """A mask on the head it was draped on, ready to be carried to other heads.

    Attributes:
        head: the head.
        worn: the mask on it.
        controls: (n,) vertices of the head that the spline goes through.
        spread: (V, n) what the way of each control adds to the way of each point of the mask.
    """

    head: FaceScan
    worn: WornMask
    controls: NDArray[np.int64]
    spread: NDArray[np.float64]


def prepare_carrying(head: FaceScan, worn: WornMask) -> DrapedTemplate:
    """Work out the spline once; it is linear in how far its controls move."""
    from scipy.interpolate import RBFInterpolator

    points = head.mesh.vertices
    around = np.flatnonzero((points[:, 2] > BACK_MM) & (points[:, 1] > BOTTOM_MM) & (points[:, 1] < TOP_MM))
    controls = around[_farthest(points[around], CONTROLS)]
    spline = RBFInterpolator(points[controls], np.eye(len(controls)), kernel="thin_plate_spline", smoothing=SMOOTHING)
    return DrapedTemplate(head, worn, controls, spline(worn.mesh.vertices))


def carry_mask(template: DrapedTemplate, face: FaceScan, pattern: MaskPattern, settings: DrapeSettings) -> WornMask:
    """The template's mask on another head.

    Args:
        face: a head of the same topology, as every head from a photo is.
        pattern, settings: what the template was draped with.

    Raises:
        FaceError: a head of another topology.
    """
    if face.mesh.vertices.shape != template.head.mesh.vertices.shape:
        raise FaceError(f"{face.source}: is no head of this program's topology; drape the mask on it instead")
    moved = (face.mesh.vertices - template.head.mesh.vertices)[template.controls]
    return settle_mask(face, pattern, settings, template.worn.mesh.vertices + template.spread @ moved, SETTLING)


def _farthest(points: NDArray[np.float64], count: int) -> NDArray[np.int64]:
    """Indices of points spread evenly: each next one is the farthest from those before (Gonzalez 1985)."""
    chosen, distance = [0], np.full(len(points), np.inf)
    while len(chosen) < count:
        distance = np.minimum(distance, ((points - points[chosen[-1]]) ** 2).sum(axis=1))
        chosen.append(int(distance.argmax()))
    return np.array(chosen)
