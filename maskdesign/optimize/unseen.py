"""What no view of a design shows of the sheet: kept out of its losses, and filled from what lies beside it.

Shut pleats and the triangles beside the welds (Fig 8 of the PrivacyMask paper) never meet a camera. No recognizer says
anything about them, so whatever smooths or judges the flat sheet would be all that shapes them, and would count them
like what is worn in view.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import binary_closing
from scipy.sparse import coo_matrix
from scipy.sparse.linalg import splu
from torch import Tensor

from maskdesign.errors import InputError
from maskdesign.optimize.canvas import Canvas
from maskdesign.optimize.ensemble import Probe
from maskdesign.optimize.step import Problem
from maskdesign.progress import Progress


def mark_seen(seen: NDArray[np.bool_], probes: Sequence[Probe]) -> None:
    """Mark, in place, the (h, w) texels that pictures show: those between which their samples are interpolated."""
    height, width = seen.shape
    for probe in probes:
        place = probe.shot.affine.uv * np.array([width, height], np.float32) - np.float32(0.5)
        for corner in ((0, 0), (0, 1), (1, 0), (1, 1)):
            column, row = (
                (np.floor(place) + np.array(corner, np.float32)).clip(0, [width - 1, height - 1]).astype(np.intp).T
            )
            seen[row, column] = True


def membrane(seen: NDArray[np.bool_]) -> Callable[[Tensor], Tensor]:
    """A map from a texture (C, h, w) to one whose unseen texels are the mean of their neighbors; seen ones stay.

    The discrete Laplace equation with the seen texels held: no filled color lies beyond those around it, so what the
    inks can mix stays printable.

    Args:
        seen: (h, w), any of it true.
    """
    hidden = np.flatnonzero(~seen)
    if not len(hidden):
        return lambda texture: texture
    number = np.full(seen.size, -1)
    number[hidden] = np.arange(len(hidden))
    place = np.arange(seen.size).reshape(seen.shape)
    pairs = [(place[:, :-1], place[:, 1:]), (place[:-1], place[1:])]
    ends = np.concatenate([np.stack([a.ravel(), b.ravel()], axis=1) for a, b in pairs])
    ends = np.concatenate([ends, ends[:, ::-1]])
    ends = ends[number[ends[:, 0]] >= 0]
    rows, shape = number[ends[:, 0]], (len(hidden), seen.size)
    beside = coo_matrix((np.ones(len(ends)), (rows, ends[:, 1])), shape).tocsc()
    count = coo_matrix((np.bincount(rows), (np.arange(len(hidden)), np.arange(len(hidden)))))
    solve = splu((count - beside[:, hidden]).tocsc(), permc_spec="MMD_AT_PLUS_A", options={"SymmetricMode": True}).solve
    known = beside.multiply(seen.ravel()[None]).tocsr()

    def fill(texture: Tensor) -> Tensor:
        flat = texture.flatten(1).clone()
        filled = solve(known @ flat.double().numpy().T)
        flat[:, hidden] = torch.from_numpy(np.ascontiguousarray(filled.T)).to(flat)
        return flat.reshape(texture.shape)

    return fill


@dataclass(frozen=True, eq=False)
class ShownCanvas:
    """A canvas of which a design improves only what its views show; a `Canvas`.

    An unseen texel is a constant to every loss, so it has no gradient: recognizers never meet it, and regularizers
    are not to shape it. Seen texels are those of the canvas, bit for bit.

    Attributes:
        canvas: what is shown.
        seen: (h, w) which texels of `canvas.texture` any view shows.
        goes_on: the canvas repeats its pattern, which then goes on where nobody looks; else unseen texels are filled
            from those beside them.
    """

    canvas: Canvas
    seen: NDArray[np.bool_]
    goes_on: bool
    _fills: dict[tuple[int, int], Callable[[Tensor], Tensor]] = field(default_factory=dict, repr=False)

    def initial(self, seed: int) -> Tensor:
        """As in `Canvas`."""
        return self.canvas.initial(seed)

    def texture(self, parameters: Tensor) -> Tensor:
        """As in `Canvas`."""
        texture = self.canvas.texture(parameters)
        return torch.where(torch.from_numpy(self.seen), texture, self._filled(texture.detach()))

    def finished(self, parameters: Tensor) -> Tensor:
        """As in `Canvas`."""
        return self._filled(self.canvas.finished(parameters))

    def _filled(self, texture: Tensor) -> Tensor:
        if self.goes_on:
            return texture
        shape = (texture.shape[1], texture.shape[2])
        if shape not in self._fills:
            self._fills[shape] = membrane(_enlarged(self.seen, shape))
        return self._fills[shape](texture.detach())


def _enlarged(seen: NDArray[np.bool_], shape: tuple[int, int]) -> NDArray[np.bool_]:
    """The same map in texels of another size: each takes what lies at its middle."""
    rows, columns = (
        ((np.arange(wanted) + 0.5) * had / wanted).astype(int) for wanted, had in zip(shape, seen.shape, strict=True)
    )
    return seen[rows[:, None], columns]


def without_unseen(problem: Problem, goes_on: bool, progress: Progress, steps: int | None = None) -> Problem:
    """The same problem, with what its views never show held constant.

    The views are those that the design will meet: a bank keeps them, so they are not rendered twice. Texels that lie
    single between samples count as seen.

    Args:
        goes_on: as in `ShownCanvas`.
        steps: after which the design has met all its views; None for those of the bank.

    Raises:
        InputError: no view shows the sheet.
    """
    design = problem.design
    count = min(design.steps, design.bank_steps if steps is None else steps)
    with torch.no_grad():
        texture = problem.canvas.texture(problem.canvas.initial(problem.seed))
    seen = np.zeros((texture.shape[1], texture.shape[2]), np.bool_)
    for step in range(count):
        mark_seen(seen, (problem.joined or problem.probes).probes(step, design.views_per_step))
        progress.advance(step + 1, count)
    if not seen.any():
        raise InputError("no view of the design shows the sheet; widen views.yaw_deg or views.pitch_deg")
    closed = np.asarray(binary_closing(np.pad(seen, 1, mode="edge")), np.bool_)[1:-1, 1:-1]
    return replace(problem, canvas=ShownCanvas(problem.canvas, seen | closed, goes_on))
