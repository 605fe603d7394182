"""Everything about a worn mask on one picture: five views, layers, strain, what cameras see, cells."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from maskdesign.errors import PatternError
from maskdesign.evaluation.pictures import PREVIEW_POSES_DEG, preview_strip, preview_views
from maskdesign.faces.scan import FaceScan
from maskdesign.geometry.mesh import mesh_edges
from maskdesign.mask.cells import board_corners_mm, cell_quads, chessboard_pixels
from maskdesign.mask.loops import head_with_loops
from maskdesign.mask.measure import edge_strain
from maskdesign.mask.pattern import MaskPattern
from maskdesign.mask.worn import WornMask
from maskdesign.render.scene import Scene, build_scene
from maskdesign.render.sheet_visibility import SheetVisibility, see_cells, see_sheet

VIEW_PX = 360
FRONT = list(PREVIEW_POSES_DEG).index("front")


def mask_sheet(face: FaceScan, worn: WornMask, pattern: MaskPattern, dpi: int = 110) -> NDArray[np.uint8]:
    """The sheet as a picture, (H, W, 3) uint8."""
    from matplotlib.figure import Figure

    scene = build_scene(head_with_loops(face, worn, pattern), worn, pattern)
    seen = see_sheet(scene, worn, pattern, [view.camera for view in preview_views(VIEW_PX)])
    figure = Figure(figsize=(15, 6.4), layout="constrained")
    grid = figure.add_gridspec(2, 4, height_ratios=(3, 2.9))
    _draw_views(figure.add_subplot(grid[0, :]), scene, pattern)
    panels = [figure.add_subplot(grid[1, column]) for column in range(4)]
    _draw_layers(panels[0], worn, pattern)
    _draw_strain(panels[1], worn, pattern)
    _draw_seen(panels[2], seen, pattern)
    _draw_cells(panels[3], worn, pattern, seen)
    report = worn.report
    figure.suptitle(
        f"{face.source}   opening {report.opening_mm:.1f} mm   strain {report.strain_rms:.2%} rms, "
        f"{report.strain_max:.1%} at most   {report.layer_violations} layers out of order   "
        f"{report.crossings} edges through the sheet",
        size=11,
    )
    buffer = io.BytesIO()
    figure.savefig(buffer, dpi=dpi, facecolor="white")
    return np.asarray(Image.open(buffer).convert("RGB"))


def _draw_views(axes: Any, scene: Scene, pattern: MaskPattern) -> None:
    board = torch.from_numpy(chessboard_pixels(pattern)).permute(2, 0, 1).float() / 255
    strip = preview_strip(scene, board, VIEW_PX)
    axes.imshow(strip)
    step = strip.shape[1] / len(PREVIEW_POSES_DEG)
    axes.set_xticks((np.arange(len(PREVIEW_POSES_DEG)) + 0.5) * step, list(PREVIEW_POSES_DEG))
    axes.set_yticks([])
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)


def _frame(axes: Any, pattern: MaskPattern, title: str) -> None:
    axes.set_title(title, size=10)
    axes.set(xlim=(0, pattern.width_mm), ylim=(pattern.height_mm, 0), aspect="equal")
    axes.set_xlabel("sheet mm", size=8)
    axes.tick_params(labelsize=8)
    for v_mm, kind in pattern.fold_rows_mm:
        axes.axhline(v_mm, color="#b3261e" if kind == "mountain" else "#1d4e9e", linewidth=0.8)


def _draw_layers(axes: Any, worn: WornMask, pattern: MaskPattern) -> None:
    _frame(axes, pattern, "panels between folds; reversed ones dark")
    dark = 0.25 + 0.5 * (worn.layer[worn.mesh.triangles].max(axis=1) % 2 == 0)
    axes.tripcolor(*worn.sheet_mm.T, worn.mesh.triangles, facecolors=dark, cmap="gray", vmin=0, vmax=1)


def _draw_strain(axes: Any, worn: WornMask, pattern: MaskPattern) -> None:
    _frame(axes, pattern, "strain of the threads, %")
    lines, strain = mesh_edges(worn.mesh.triangles), edge_strain(worn.mesh.vertices, worn.sheet_mm, worn.mesh.triangles)
    worst = np.zeros(len(worn.sheet_mm))
    np.maximum.at(worst, lines, abs(strain)[:, None])
    drawn = axes.tripcolor(*worn.sheet_mm.T, 100 * worst, triangles=worn.mesh.triangles, vmin=0, vmax=5)
    axes.figure.colorbar(drawn, ax=axes, shrink=0.7).ax.tick_params(labelsize=8)


def _draw_seen(axes: Any, seen: SheetVisibility, pattern: MaskPattern) -> None:
    _frame(axes, pattern, f"seen by how many of the five views; {seen.ever_share:.0%} by any")
    extent = (0, pattern.width_mm, pattern.height_mm, 0)
    axes.imshow(seen.seen.sum(axis=0), extent=extent, cmap="cividis", vmin=0, vmax=len(seen.seen))


def _draw_cells(axes: Any, worn: WornMask, pattern: MaskPattern, seen: SheetVisibility) -> None:
    """The cells that the front view sees by half or more, colored by how far they are from an affine picture."""
    _frame(axes, pattern, "cells seen from the front: misfit of equation 6, mm")
    try:
        quads = cell_quads(board_corners_mm(pattern)).reshape(-1, 4, 2)
    except PatternError:
        return
    camera = preview_views(VIEW_PX)[FRONT].camera
    residual = see_cells(worn, pattern, camera, seen.seen[FRONT]).residual.ravel()
    known = np.isfinite(residual)
    from matplotlib.collections import PolyCollection

    axes.add_collection(PolyCollection(list(quads[~known]), facecolor="#dddddd", edgecolor="white"))
    colored = PolyCollection(list(quads[known]), array=residual[known], edgecolor="white", cmap="magma")
    axes.add_collection(colored)
    axes.figure.colorbar(colored, ax=axes, shrink=0.7).ax.tick_params(labelsize=8)
