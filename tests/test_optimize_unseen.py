from __future__ import annotations

import numpy as np
import pytest
import torch

from maskdesign.errors import InputError
from maskdesign.mask.pattern import MaskPattern
from maskdesign.optimize.canvas import Texels
from maskdesign.optimize.ensemble import Probe
from maskdesign.optimize.likeness import facelikeness
from maskdesign.optimize.objective import total_variation
from maskdesign.optimize.photo_probes import photo_view
from maskdesign.optimize.printability import non_printability
from maskdesign.optimize.step import DesignSettings, Problem
from maskdesign.optimize.texture import TextureStyle
from maskdesign.optimize.unseen import ShownCanvas, mark_seen, membrane, without_unseen
from maskdesign.recognition.mtcnn_nets import load_cascade
from maskdesign.render.renderer import Shot
from maskdesign.render.texture import AffineView, show_texture

PATTERN = MaskPattern()
FREE = TextureStyle(grid_mm=5.0, texel_mm=2.5, print_texel_mm=1.25, repeats=(1, 1))


def strips(shape: tuple[int, int]) -> np.ndarray:
    """Everything but the pleats' strips, which end in triangles."""
    height, width = shape
    v, u = np.mgrid[:height, :width] / np.array([[[height]], [[width]]])
    return (abs(v % (1 / 3) - 0.2) > 0.06 * (0.3 + abs(u - 0.5))) | (v < 0.1)


def shown(style: TextureStyle = FREE, goes_on: bool = False) -> tuple[Texels, ShownCanvas, torch.Tensor]:
    canvas = Texels(style, PATTERN)
    parameters = canvas.initial(1)
    seen = strips(tuple(canvas.texture(parameters).shape[1:]))
    assert 0.02 < 1 - seen.mean() < 0.3
    return canvas, ShownCanvas(canvas, seen, goes_on), parameters


def probe(uv: np.ndarray) -> Probe:
    uv = np.asarray(uv, np.float32)
    affine = AffineView(
        np.zeros((3, 8, 8), np.float32), np.zeros(len(uv), np.int32), uv, np.ones((len(uv), 3), np.float32)
    )
    return Probe(Shot(photo_view(), affine), {}, ())


@pytest.mark.parametrize("goes_on", [True, False])
@pytest.mark.parametrize("loss", ["variation", "printability", "likeness"])
def test_a_texel_that_is_never_seen_gets_no_gradient_from_a_regularizer(loss, goes_on):
    losses = {
        "variation": total_variation,
        "printability": non_printability,
        "likeness": lambda texture: facelikeness(texture, load_cascade()),
    }
    canvas, own, parameters = shown(goes_on=goes_on)
    plain = canvas.texture(parameters).detach().requires_grad_(True)
    held = torch.where(torch.from_numpy(own.seen), plain, own._filled(plain.detach()))
    gradient = torch.autograd.grad(losses[loss](held), plain)[0]
    assert (gradient[:, ~own.seen] == 0).all()
    assert (gradient[:, own.seen] != 0).any()
    # The same by the canvas: a parameter whose texels are all hidden has no say.
    free = parameters.clone().requires_grad_(True)
    torch.autograd.grad(canvas.texture(free)[:, torch.from_numpy(own.seen)].square().sum(), free)
    by_canvas = torch.autograd.grad(losses[loss](own.texture(free)), free)[0]
    through = torch.autograd.grad(canvas.texture(free), free, gradient)[0]
    torch.testing.assert_close(by_canvas, through)


@pytest.mark.parametrize("goes_on", [True, False])
def test_what_is_seen_keeps_its_bits(goes_on):
    canvas, own, parameters = shown(goes_on=goes_on)
    assert torch.equal(own.texture(parameters)[:, own.seen], canvas.texture(parameters)[:, own.seen])
    fine = own.seen.repeat(2, axis=0).repeat(2, axis=1)
    ours, theirs = own.finished(parameters), canvas.finished(parameters)
    assert ours.shape == theirs.shape == (3, *fine.shape)
    assert torch.equal(ours[:, fine], theirs[:, fine])
    assert torch.equal(ours, theirs) == goes_on
    assert torch.equal(own.initial(3), canvas.initial(3))


def test_what_is_filled_is_the_mean_of_its_neighbors_and_lies_between_what_is_seen():
    seen = strips((40, 50))
    texture = torch.rand(3, 40, 50, dtype=torch.float64)
    filled = membrane(seen)(texture).numpy()
    rows, columns = np.nonzero(~seen)
    for row, column in zip(rows, columns, strict=True):
        beside = [(row + r, column + c) for r, c in ((-1, 0), (1, 0), (0, -1), (0, 1))]
        values = [filled[:, r, c] for r, c in beside if 0 <= r < 40 and 0 <= c < 50]
        np.testing.assert_allclose(filled[:, row, column], np.mean(values, axis=0), atol=1e-12)
    assert filled[:, ~seen].min() > texture[:, torch.from_numpy(seen)].min()
    assert filled[:, ~seen].max() < texture[:, torch.from_numpy(seen)].max()
    np.testing.assert_array_equal(filled[:, seen], texture.numpy()[:, seen])


def test_a_hidden_strip_between_two_colors_fades_from_one_to_the_other():
    seen = np.ones((12, 6), np.bool_)
    seen[3:8] = False
    texture = torch.zeros(3, 12, 6)
    texture[:, 8:] = 1
    filled = membrane(seen)(texture)
    torch.testing.assert_close(filled[0, 2:9, 3], torch.linspace(0, 1, 7))


def test_a_sheet_that_is_all_seen_is_left_alone():
    texture = torch.rand(3, 6, 6)
    assert membrane(np.ones((6, 6), np.bool_))(texture) is texture


def test_seen_texels_are_those_that_have_a_gradient():
    uv = np.random.default_rng(2).uniform(-0.1, 1.1, (60, 2))
    uv[:4] = [[0, 0], [1, 1], [0.5, 0], [1, 0.25]]
    given = probe(uv)
    seen = np.zeros((31, 35), np.bool_)
    mark_seen(seen, [given])
    texture = torch.rand(3, 31, 35, requires_grad=True)
    gradient = torch.autograd.grad(show_texture(texture, [given.shot.affine]).sum(), texture)[0]
    touched = (gradient != 0).any(dim=0).numpy()
    assert seen[touched].all()
    # A sample right on the middle of a texel touches its neighbors with weight 0.
    assert (seen & ~touched).sum() <= 8


class Views:
    """Three steps of pictures that show the upper half of the sheet."""

    def __init__(self, empty: bool = False) -> None:
        self.asked: list[int] = []
        self.empty = empty

    def probes(self, step: int, count: int) -> list[Probe]:
        self.asked.append(step)
        u, v = np.meshgrid(np.linspace(0, 1, 200), np.linspace(0, 0.5, 100))
        return [probe(np.zeros((0, 2)) if self.empty else np.column_stack([u.ravel(), v.ravel()]))] * count

    def fixed_probes(self, stream: int, count: int) -> list[Probe]:
        return self.probes(stream, count)


class Silent:
    def stage(self, title: str) -> None: ...
    def advance(self, done: int, total: int, note: str = "") -> None: ...


def problem(views: Views) -> Problem:
    design = DesignSettings(steps=9, bank_steps=3, views_per_step=2)
    return Problem(adversary=None, probes=views, canvas=Texels(FREE, PATTERN), design=design, seed=1)  # type: ignore[arg-type]


def test_the_views_of_the_bank_decide_what_is_seen():
    views = Views()
    canvas = without_unseen(problem(views), False, Silent()).canvas
    assert views.asked == [0, 1, 2]
    assert isinstance(canvas, ShownCanvas)
    height = canvas.seen.shape[0]
    assert canvas.seen[: height // 2].all()
    assert not canvas.seen[height // 2 + 2 :].any()


def test_views_that_show_no_sheet_are_refused():
    with pytest.raises(InputError, match="no view of the design shows the sheet"):
        without_unseen(problem(Views(empty=True)), False, Silent())
