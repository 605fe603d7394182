"""Attention, encoder, generator and control against slow twins, closed forms and differences."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.autograd import gradcheck

from maskdesign.errors import ConfigError, InputError, MaskdesignError
from maskdesign.mask.pattern import MaskPattern
from maskdesign.optimize.agreement import check_people
from maskdesign.optimize.attention import (
    attend_regions,
    attended_weight,
    attention_distribution,
    fuse_features,
    region_energy,
    region_weights,
)
from maskdesign.optimize.canvas import Texels
from maskdesign.optimize.control import ControlSettings, collapsed, jumped, reached_interval, weakest
from maskdesign.optimize.encoder import (
    analytic_extrusion,
    encode_ensemble,
    filter_norms,
    learned_extrusion,
    strong_filters,
)
from maskdesign.optimize.ensemble import check_ensemble
from maskdesign.optimize.fusion import AttentionSettings, agreement, fused_recognition
from maskdesign.optimize.generator import Generator, GeneratorSettings, generator_from_texels, texels_from_generator
from maskdesign.optimize.loop import load_state, read_journal, run_design, save_state
from maskdesign.optimize.objective import ObjectiveSettings, objective
from maskdesign.optimize.step import RESTART_STRIDE, DesignSettings, Problem, initial_state
from maskdesign.optimize.texture import TextureStyle, ink_colors
from maskdesign.progress import Silent
from maskdesign.recognition.registry import load_recognizers

PATTERN = MaskPattern()
SHORT = DesignSettings(steps=60, validate_every=60, views_per_step=1, learning_rate=1.0, final_learning_rate=0.05)
SMALL = GeneratorSettings(side_px=32, noise_px=4, noise_channels=3, widths=(6, 4))


def slow_fusion(scores, features):
    """Eq 1 to 3 of the paper, a number at a time, for one picture: scores and features are lists of lists."""
    weights, vectors = [], []
    for s, y in zip(scores, features, strict=True):
        total = sum(math.exp(value) for value in s)
        x = [math.exp(value) / total for value in s]
        weights.append(sum(x[j] * y[j] for j in range(len(y))))
        vectors.append([x[j] * y[j] for j in range(len(y))])
    norm = math.sqrt(sum(value**2 for vector in vectors for value in vector))
    fused = [weight * value / norm for weight, vector in zip(weights, vectors, strict=True) for value in vector]
    return weights, fused


@given(st.integers(1, 4), st.integers(1, 6), st.integers(0, 1000))
def test_equations_against_the_slow_twin(recognizers, length, seed):
    random = np.random.default_rng(seed)
    scores, features = random.normal(0, 3, (recognizers, length)), random.uniform(0.01, 1, (recognizers, length))
    weights, fused = slow_fusion(scores.tolist(), features.tolist())
    x, y = attention_distribution(torch.tensor(scores)), torch.tensor(features)
    np.testing.assert_allclose(attended_weight(x, y), weights, rtol=1e-12)
    np.testing.assert_allclose(fuse_features(attended_weight(x, y), x * y), fused, rtol=1e-12)


def test_attention_is_a_constant_of_the_step():
    scores = torch.randn(3, 5, requires_grad=True)
    assert not attention_distribution(scores).requires_grad


def test_fused_recognition_against_the_slow_twin():
    random = np.random.default_rng(3)
    agreements = random.uniform(0, 1, (2, 4, 7))
    wanted = []
    for picture in range(4):
        rows = agreements[:, picture]
        _, fused = slow_fusion((5 * (2 * rows - 1)).tolist(), rows.tolist())
        wanted.append(sum(fused) / math.sqrt(len(fused)))
    np.testing.assert_allclose(fused_recognition(torch.tensor(agreements), 5.0), wanted, rtol=1e-12)


def test_agreement_is_highest_for_oneself_and_even_for_the_average_face():
    traits = torch.tensor([0.1, 0.9, 0.5])
    np.testing.assert_allclose(agreement(traits, traits), [0.82, 0.82, 0.5], rtol=1e-6)
    np.testing.assert_allclose(agreement(1 - traits, traits), [0.18, 0.18, 0.5], rtol=1e-6)


def test_regions_weigh_one_on_average_where_anything_matters():
    gradient = torch.randn(2, 3, 21, 16, dtype=torch.float64)
    gradient[:, :, :8] = 0
    weights = region_weights(gradient, 8, 3.0)
    assert weights.shape == (2, 1, 21, 16)
    assert (weights[:, :, :8] == 0).all()
    cells = weights[:, 0, ::8, ::8]
    np.testing.assert_allclose(cells[:, 1:].mean(dim=(1, 2)), 1, rtol=1e-12)
    strongest = region_energy(gradient, 8)[0, 0].argmax()
    assert weights[0, 0, ::8, ::8].reshape(-1)[strongest] == weights[0].max()


def test_regions_without_temperature_or_without_gradient_change_nothing():
    images = torch.rand(1, 3, 16, 16, dtype=torch.float64, requires_grad=True)
    (attend_regions(images, 4, 0.0) ** 2).sum().backward()
    torch.testing.assert_close(images.grad, 2 * images.detach())
    assert region_weights(torch.zeros(1, 3, 8, 8), 4, 2.0).isfinite().all()


def test_learned_extrusion_whitens_and_squeezes():
    torch.manual_seed(0)
    known = torch.randn(60, 12, dtype=torch.float64) * torch.arange(1, 13) + 5
    encode = learned_extrusion(known, 7)
    logits = torch.logit(encode(known))
    torch.testing.assert_close(logits.T.cov(), torch.eye(7, dtype=torch.float64), rtol=0, atol=1e-9)
    assert ((encode(known) > 0) & (encode(known) < 1)).all()
    torch.testing.assert_close(encode(known.mean(dim=0)), torch.full((7,), 0.5, dtype=torch.float64))
    with pytest.raises(ConfigError, match=r"attention.length = 13"):
        learned_extrusion(known, 13)


def test_extrusions_have_gradients():
    torch.manual_seed(1)
    known = torch.randn(20, 6, dtype=torch.float64)
    probe = torch.randn(3, 6, dtype=torch.float64, requires_grad=True)
    assert gradcheck(learned_extrusion(known, 4), (probe,))
    plain = analytic_extrusion(6, 4, 0.4)
    torch.testing.assert_close(plain(torch.zeros(6)), torch.full((4,), 0.5))


def test_cut_channels_do_not_matter():
    torch.manual_seed(2)
    known, kept = torch.randn(30, 8), torch.tensor([1, 0, 1, 1, 0, 1, 1, 1], dtype=torch.bool)
    encode = learned_extrusion(known, 5, kept)
    probe = torch.randn(4, 8)
    changed = torch.where(kept, probe, probe + 10)
    torch.testing.assert_close(encode(changed), encode(probe), rtol=1e-4, atol=1e-5)


def test_filters_are_sorted_by_their_norm():
    dlib = load_recognizers(None)[0]
    weight = dlib.network.head.weight
    torch.testing.assert_close(filter_norms(dlib, 1), weight.abs().sum(dim=1))
    torch.testing.assert_close(filter_norms(dlib, 2), weight.norm(dim=1))
    norms = filter_norms(dlib)
    kept = strong_filters(norms, 0.25)
    assert kept.sum() == 32
    assert norms[kept].min() >= norms[~kept].max()
    with pytest.raises(ConfigError, match="filter_share"):
        strong_filters(norms, 0.0)


def test_recognizers_that_disagree_on_people_are_refused():
    dlib = load_recognizers(None)[0]
    with pytest.raises(InputError, match="different numbers of faces"):
        encode_ensemble((dlib, dlib), (torch.randn(9, 128), torch.randn(8, 128)), 4, 0.5)


def test_an_ensemble_needs_members_that_know_the_people():
    class Known:
        enrolments = (torch.zeros(128),)

    class Stranger:
        enrolments = ()

    class Torn:
        enrolments = (torch.full((128,), torch.nan),)

    dlib = load_recognizers(None)[0]
    check_ensemble((dlib,), [Known()])
    with pytest.raises(ConfigError, match="at least one recognizer"):
        check_ensemble((), [])
    for wrong, message in ((Stranger(), "enrolled with 0"), (Torn(), "does not know whom probe 0")):
        with pytest.raises(InputError, match=message):
            check_ensemble((dlib,), [wrong])


def generator_of(style: TextureStyle | None = None) -> Generator:
    return Generator(SMALL, Texels(style or TextureStyle(repeats=(1, 1)), PATTERN), noise_seed=4)


def test_generator_prints_inks_only_and_repeats_its_bits():
    generator = generator_of()
    parameters = generator.initial(5)
    texture = generator.texture(parameters)
    inks = ink_colors(generator.texels.style)
    assert texture.shape == (3, 124, 140)
    assert (texture >= inks.min(0).values[:, None, None] - 1e-6).all()
    assert (texture <= inks.max(0).values[:, None, None] + 1e-6).all()
    assert not collapsed(texture)
    torch.testing.assert_close(generator_of().initial(5), parameters, rtol=0, atol=0)
    assert not torch.equal(generator.initial(6), parameters)
    assert GeneratorSettings().side_px >= 256


def test_generator_gradient_against_differences():
    style = TextureStyle(repeats=(1, 1), grid_mm=20, texel_mm=20)
    tiny = Generator(
        GeneratorSettings(side_px=8, noise_px=4, noise_channels=2, widths=(3, 2)), Texels(style, PATTERN), 1
    )
    parameters = tiny.initial(2).double().requires_grad_(True)
    weights = torch.rand(tiny.texture(parameters).shape, dtype=torch.float64)
    (gradient,) = torch.autograd.grad((tiny.texture(parameters) * weights).sum(), parameters)
    for seed in range(4):
        move = torch.randn(parameters.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
        with torch.no_grad():
            ahead, behind = ((tiny.texture(parameters + step * move) * weights).sum() for step in (1e-6, -1e-6))
        assert (gradient * move).sum().item() == pytest.approx((ahead - behind).item() / 2e-6, rel=1e-5)


def test_a_design_goes_on_from_either_canvas():
    texels = Texels(TextureStyle(repeats=(1, 1)), PATTERN)
    drawn = texels.initial(1) * 3
    # As fine as the texels at least: what a coarser grid cannot hold is averaged away.
    fine = Generator(replace(SMALL, side_px=256), texels, noise_seed=4)
    generator = generator_from_texels(fine, drawn)
    begun = generator.texture(generator.initial(8))
    assert (begun - texels.texture(drawn)).abs().mean() < 0.05
    back = texels_from_generator(generator, generator.initial(8))
    assert back.shape == drawn.shape
    assert (texels.texture(back) - begun).abs().mean() < 0.05


@settings(max_examples=30)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=4), st.lists(st.floats(0, 1), min_size=4, max_size=4))
def test_interval_asks_the_weakest_and_believes_no_jump(now, before):
    control = ControlSettings()
    old = before[: len(now)]
    reached = reached_interval(control, old, now)
    assert reached == (weakest(now) >= 0.8 and all(b - a <= 0.35 for a, b in zip(old, now, strict=True)))


def test_a_jump_needs_a_second_look():
    control = ControlSettings()
    assert jumped(control, (0.3, 0.7), (0.9, 0.9)) == (True, False)
    assert not reached_interval(control, (0.3, 0.7), (0.9, 0.9))
    assert reached_interval(control, (0.9, 0.9), (0.9, 0.9))
    assert not reached_interval(control, (), (0.9, 0.9))


@pytest.mark.parametrize(("low", "high"), [(0.0, 0.9), (0.8, 1.0), (0.9, 0.8), (-1, 2)])
def test_interval_outside_of_zero_to_one_is_refused(low, high):
    with pytest.raises(ConfigError, match=r"inside \(0, 1\)"):
        ControlSettings(lowest=low, highest=high)


@pytest.mark.parametrize("name", ["recognizer", "feature", "region"])
def test_attention_out_of_range_is_refused(name):
    with pytest.raises(ConfigError, match=f"attention.{name}"):
        AttentionSettings(**{name: -1.0})


class Pull:
    """An adversary without recognizers' cost: wants a texture of a given color; its margins fall with every step."""

    class Named:
        class spec:  # noqa: N801
            name = "pull"
            embedding_size = 1

    recognizers = (Named(),)

    def __init__(self, rates):
        self.rates, self.looks = rates, 0

    def judge(self, probes, texture):
        self.looks += not texture.requires_grad
        rate = self.rates[min(self.looks, len(self.rates)) - 1] if self.looks else 0.0
        margins = torch.ones(1, 20)
        margins[0, : round(20 * rate)] = -1
        return (texture - texture.mean(dim=(1, 2), keepdim=True)).square().mean() * self.pull, margins

    pull = 1.0


class Everybody:
    def __init__(self, name, log):
        self.name, self.log = name, log

    def probes(self, step, count):
        self.log.append(self.name)
        return [self._one()] * count

    def fixed_probes(self, stream, count):
        return [self._one()]

    def _one(self):
        class One:
            enrolments = (torch.zeros(1),)

        return One()


def problem_of(adversary, log, **design) -> Problem:
    style = TextureStyle(repeats=(1, 1), grid_mm=20, texel_mm=10)
    return Problem(
        adversary=adversary,
        probes=Everybody("first", log),
        canvas=Texels(style, PATTERN),
        design=DesignSettings(**{"steps": 40, "validate_every": 5, "views_per_step": 1, **design}),
        seed=1,
        control=ControlSettings(),
        joined=Everybody("second", log),
    )


def test_control_opens_the_second_round_and_hands_over(tmp_path):
    log: list[str] = []
    adversary = Pull([0.1, 0.4, 0.7, 0.85, 0.6, 0.9])
    adversary.pull = 0.0
    state = run_design(problem_of(adversary, log), tmp_path / "c", tmp_path / "j", "h", Silent())
    # Reached at the fourth look, step 20; the fifth falls short, the sixth hands over.
    assert log == ["first"] * 20 + ["second"] * 10
    assert (state.step, state.second_round, state.handed_over) == (30, True, True)


def test_people_join_at_half_time_at_the_latest(tmp_path):
    log: list[str] = []
    adversary = Pull([0.1])
    adversary.pull = 0.0
    state = run_design(problem_of(adversary, log), tmp_path / "c", tmp_path / "j", "h", Silent())
    assert log == ["first"] * 20 + ["second"] * 20
    assert not state.handed_over


class Shouting(Silent):
    def __init__(self):
        self.said: list[str] = []

    def stage(self, title):
        self.said.append(title)


def test_a_collapse_is_said_restarted_and_never_reported(tmp_path):
    adversary, progress = Pull([0.1]), Shouting()
    adversary.pull = 1e6
    # Fast enough to be at one color within a few steps.
    problem = replace(problem_of(adversary, []), design=SHORT)
    with pytest.raises(MaskdesignError, match="collapsed to one color from 4 seeds"):
        run_design(problem, tmp_path / "c", tmp_path / "j", "h", progress)
    assert len(progress.said) == 3
    starts = [problem.canvas.texture(initial_state(problem, n).parameters) for n in range(2)]
    assert not torch.equal(*starts)


class Smooth(Pull):
    """The objective itself, whose smoothness drowns everything for the steps of the first starts."""

    def __init__(self, flat_steps):
        super().__init__([0.1])
        self.flat_steps, self.steps = flat_steps, 0

    def judge(self, probes, texture):
        self.steps += texture.requires_grad
        margins = (0.2 - texture.flatten(1).std(dim=1))[None]
        weight = 1000.0 if self.steps <= self.flat_steps else 0.0
        return objective(margins, texture, ObjectiveSettings(tv_weight=weight)), margins.detach()


def drawn_problem(adversary, log):
    """A design of a generator, fast enough to reach one color before the first look."""
    problem = problem_of(adversary, log, steps=80, validate_every=40, learning_rate=1.0, final_learning_rate=0.5)
    texels = Texels(TextureStyle(repeats=(1, 1), grid_mm=20, texel_mm=10), PATTERN)
    canvas = Generator(GeneratorSettings(side_px=16, noise_px=4, noise_channels=4, widths=(6, 4), pace=0.3), texels, 1)
    return replace(problem, canvas=canvas, control=None, joined=None)


def test_a_generator_that_collapses_starts_anew_and_only_the_new_start_is_reported(tmp_path):
    progress = Shouting()
    problem = drawn_problem(Smooth(40), [])
    state = run_design(problem, tmp_path / "c", tmp_path / "j", "h", progress)
    assert progress.said == ["The texture collapsed to one color; start 2, from another seed"]
    assert (state.restarts, state.step) == (1, 80)
    assert not collapsed(problem.canvas.texture(state.best_parameters))
    steps = [line["step"] for line in read_journal(tmp_path / "j")]
    assert steps == [0, *range(1, 81)]
    # The same design from the second seed alone ends with the same bits.
    again = replace(problem, adversary=Smooth(0), seed=problem.seed + RESTART_STRIDE)
    alone = run_design(again, tmp_path / "c2", tmp_path / "j2", "h", Silent())
    torch.testing.assert_close(alone.best_parameters, state.best_parameters, rtol=0, atol=0)


def test_a_generator_that_collapses_from_every_seed_is_no_result(tmp_path):
    progress = Shouting()
    with pytest.raises(MaskdesignError, match="collapsed to one color from 4 seeds"):
        run_design(drawn_problem(Smooth(10_000), []), tmp_path / "c", tmp_path / "j", "h", progress)
    assert len(progress.said) == 3


def test_a_recognizer_that_knows_nobody_is_named():
    dlib = load_recognizers(None)[0]
    other = replace(dlib, spec=replace(dlib.spec, name="other"))
    faces = torch.nn.functional.normalize(torch.randn(10, 128), dim=1)
    check_people((dlib, other), (faces, faces), (faces, faces))
    with pytest.raises(InputError, match=r"^other knows its people in 0% of .*recognizers=\[\"dlib\"\]"):
        check_people((dlib, other), (faces, faces), (faces, -faces))
    with pytest.raises(InputError, match="or another photo"):
        check_people((other,), (faces,), (-faces,))


def test_a_flat_texture_is_a_collapse_and_a_quiet_one_is_not():
    flat = torch.full((3, 20, 20), 0.4)
    assert collapsed(flat)
    flat[:, :, :4] = 0.7
    assert not collapsed(flat)


def test_checkpoints_keep_round_rates_and_restarts(tmp_path):
    problem = problem_of(Pull([0.1]), [])
    state = replace(initial_state(problem, 2), rates=(0.25, 0.5), second_round=True, step=7)
    save_state(tmp_path / "c", state, "h")
    again = load_state(tmp_path / "c", "h")
    assert again is not None
    assert (again.rates, again.second_round, again.handed_over, again.restarts, again.step) == (
        (0.25, 0.5),
        True,
        False,
        2,
        7,
    )
