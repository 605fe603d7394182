"""The paper's networks: XOR exact as a layer, training that resumes bit for bit, tau, and the search of sigma."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from skimage.data import astronaut
from torch import nn

from maskdesign.cli.main import main
from maskdesign.digital.cells import TemplateSettings
from maskdesign.digital.chimp import SearchSettings, chimp_search, plain_search
from maskdesign.digital.face_task import face_task
from maskdesign.digital.networks import PerturbationNetwork, TemplateNetwork, target_distribution, template_loss
from maskdesign.digital.perturb import LADDER, PerturbSettings, climb
from maskdesign.digital.picture import Picture, write_picture
from maskdesign.digital.region import face_regions, working_picture
from maskdesign.digital.settings import ProtectSettings
from maskdesign.digital.sigma import intercepted, searched_sigma, sigma_task, uniform_sigma, visibility
from maskdesign.digital.superposition import PARTS, TemplateNode, fit_tau, part_maps, superpose, trim_conflicts
from maskdesign.digital.xor import xor_towards
from maskdesign.errors import ConfigError, InputError, MaskdesignError, RunError
from maskdesign.jobs.photo_figures import found_share
from maskdesign.jobs.photo_networks import load_networks
from maskdesign.optimize.training import TrainingSettings, load_parameters, train
from maskdesign.recognition.registry import load_dlib_recognizer


class Silent:
    def stage(self, title):
        pass

    def advance(self, done, total, note=""):
        pass


@pytest.mark.parametrize("low_bits", [1, 3, 4, 8])
def test_xor_towards_is_the_best_operand_of_all_that_are_allowed(low_bits):
    """Slow twin: every operand below 2 ** low_bits is tried at every pixel value."""
    pixels, change = torch.arange(256.0), torch.from_numpy(np.random.default_rng(0).normal(0, 9, 256)).float()
    result = xor_towards(pixels, change, low_bits)
    operands = torch.arange(2**low_bits)
    reached = (pixels.long()[:, None] ^ operands).float()
    nearest = (reached - (pixels + change)[:, None]).abs().amin(dim=1)
    torch.testing.assert_close((result - pixels - change).abs(), nearest)
    assert (pixels.long() ^ result.long()).max() < 2**low_bits


def test_its_gradient_is_that_of_the_change_inside_the_block():
    change = torch.tensor([0.4, 30.0, -30.0], requires_grad=True)
    xor_towards(torch.full((3,), 100.0), change, 4).sum().backward()
    assert change.grad.tolist() == [1.0, 0.0, 0.0]


@pytest.mark.parametrize("low_bits", [1, 4, 8])
def test_the_perturbation_network_is_an_xor_under_the_template(low_bits):
    torch.manual_seed(0)
    network = PerturbationNetwork(low_bits, max_change=40, width=4)
    photo = torch.randint(0, 256, (3, 37, 50)).float()
    template = torch.rand(37, 50) < 0.3
    changed = network(photo, torch.randn(1, 37, 50), template)
    operand = photo.long() ^ changed.long()
    assert torch.equal(changed, changed.round()) and changed.min() >= 0 and changed.max() <= 255
    assert operand.max() < 2**low_bits and operand[:, template].any()
    assert not operand[:, ~template].any()
    (gradient,) = torch.autograd.grad(changed.sum(), network.last.weight)
    assert gradient.abs().max() > 0
    assert not any(isinstance(layer, nn.MaxPool2d | nn.Linear) for layer in network.modules())


def test_the_template_network_has_the_papers_stages_and_answers_with_a_distribution():
    torch.manual_seed(0)
    network, sizes = TemplateNetwork(hidden=8), []
    for layer in network.features:
        layer.register_forward_hook(lambda _, __, output: sizes.append(tuple(output.shape[1:])))
    answer = network(torch.rand(1, 3, 256, 256))
    assert {(32, 128, 128), (64, 64, 64), (128, 16, 16)} <= set(sizes)
    assert answer.shape == (1, 64, 64)
    assert answer.sum().item() == pytest.approx(1, abs=1e-5)
    target = target_distribution(torch.rand(3, 250, 243))
    assert target.shape == (64, 64) and target.sum().item() == pytest.approx(1, abs=1e-5)
    assert template_loss(target, target) == 0 < template_loss(answer[0], target)


def small() -> tuple[nn.Module, object]:
    torch.manual_seed(3)
    network = nn.Linear(5, 2)

    def loss_at(step: int, part: int = 0) -> torch.Tensor:
        rng = np.random.default_rng(step)
        inputs = torch.from_numpy(rng.normal(size=(8, 5)).astype(np.float32))
        return (network(inputs) - inputs[:, :2]).square().mean()

    return network, loss_at


def test_training_that_was_interrupted_ends_with_the_same_bits(tmp_path):
    settings = TrainingSettings(steps=40, learning_rate=0.05, ridge=1e-4)
    whole, loss_at = small()
    first_loss = loss_at(0).item()
    train(whole, loss_at, settings, tmp_path / "a", "job", Silent())
    assert loss_at(0).item() < 0.2 * first_loss
    halves, loss_at = small()
    train(halves, loss_at, TrainingSettings(steps=17, learning_rate=0.05, ridge=1e-4), tmp_path / "b", "job", Silent())
    again, loss_at = small()
    train(again, loss_at, settings, tmp_path / "b", "job", Silent())
    assert torch.equal(whole.weight, again.weight) and torch.equal(whole.bias, again.bias)
    assert load_parameters(small()[0], tmp_path / "b", "job") == 40
    with pytest.raises(RunError, match="another job"):
        load_parameters(small()[0], tmp_path / "b", "other")


def test_a_diverging_training_is_named(tmp_path):
    network, _ = small()
    with pytest.raises(MaskdesignError, match=r"lower training\.learning_rate"):
        train(
            network, lambda *_: network.weight.sum() * float("inf"), TrainingSettings(), tmp_path / "a", "job", Silent()
        )
    for wrong in ({"steps": 0}, {"learning_rate": 0.0}, {"beta1": 1.0}, {"ridge": -1.0}):
        with pytest.raises(ConfigError):
            TrainingSettings(**wrong)


def bowl(point: np.ndarray) -> float:
    return float(((point - 0.3) ** 2).sum())


@pytest.mark.parametrize("seed", range(5))
def test_chimps_stay_in_the_box_and_repeat_themselves(seed):
    low, high, seen = np.full(5, 0.2), np.full(5, 1.5), []
    settings = SearchSettings(chimps=6, rounds=7)

    def watched(point: np.ndarray) -> float:
        seen.append(point.copy())
        return bowl(point)

    point, value = chimp_search(watched, low, high, settings, seed)
    assert len(seen) == settings.evaluations
    assert (np.stack(seen) >= low).all() and (np.stack(seen) <= high).all()
    assert value == bowl(point) == min(map(bowl, seen))
    again, _ = chimp_search(bowl, low, high, settings, seed)
    np.testing.assert_array_equal(point, again)


def test_chimps_beat_a_plain_search_of_equal_length_on_a_bowl():
    low, high, settings = np.zeros(6), np.full(6, 1.5), SearchSettings(chimps=8, rounds=12)
    pairs = [
        (chimp_search(bowl, low, high, settings, seed)[1], plain_search(bowl, low, high, settings, seed)[1])
        for seed in range(20)
    ]
    assert np.mean([chimp < plain for chimp, plain in pairs]) > 0.8


@pytest.fixture(scope="module")
def parts():
    pixels = np.ascontiguousarray(astronaut()[:250, 90:340])
    region = face_regions(Picture(pixels), "portrait")[0]
    return part_maps(region, region.height_px // region.block_px, region.width_px // region.block_px)


def nodes(shape) -> list[TemplateNode]:
    rng = np.random.default_rng(0)
    return [TemplateNode(name, rng.random(shape), rng.normal(size=shape)) for name in ("a", "b")]


def test_every_part_of_the_face_has_pixels(parts):
    assert set(np.unique(parts)) == set(range(len(PARTS)))


def test_tau_selects_and_joins(parts):
    first, second = nodes(parts.shape)
    tau = np.zeros((2, len(PARTS)))
    tau[0] = 1
    np.testing.assert_allclose(superpose([first, second], parts, tau), first.worth)
    tau[1, PARTS.index("mouth")] = 3
    joint = superpose([first, second], parts, tau)
    mouth = parts == PARTS.index("mouth")
    np.testing.assert_allclose(joint[mouth], (first.worth + 3 * second.worth)[mouth])
    np.testing.assert_allclose(joint[~mouth], first.worth[~mouth])
    with pytest.raises(ConfigError, match="tau must be 2 x 6"):
        superpose([first, second], parts, tau[:1])


def test_a_new_recognizer_is_reached_through_tau_without_training(parts):
    known = nodes(parts.shape)
    true = np.random.default_rng(1).random((2, len(PARTS)))
    wanted = superpose(known, parts, true)
    np.testing.assert_allclose(fit_tau(known, parts, wanted), true, atol=1e-9)


def test_conflicts_are_trimmed_and_agreement_is_kept():
    worth = np.ones((4, 4))
    pull = np.ones((4, 4))
    other = pull.copy()
    other[0] = -1
    pair = [TemplateNode("a", worth, pull), TemplateNode("b", worth, other)]
    trimmed = trim_conflicts(pair, worth * 2, most=0.3)
    assert (trimmed[0] == 0).all() and (trimmed[1:] == 2).all()
    np.testing.assert_array_equal(trim_conflicts(pair, worth * 2, most=0.0), worth * 2)


def test_train_learns_from_a_folder_and_protect_begins_with_it(tmp_path, monkeypatch, capsys):
    monkeypatch.delenv("MASKDESIGN_MODELS", raising=False)
    monkeypatch.setenv("MASKDESIGN_PASSPHRASE", "secret")
    pixels = np.ascontiguousarray(astronaut()[:250, 90:340])
    for name in ("ann", "bea"):
        write_picture(tmp_path / "in" / name / "1.png", Picture(pixels if name == "ann" else pixels[:, ::-1].copy()))
    words = ["train", str(tmp_path / "in"), "--out", str(tmp_path / "net")]
    words += ["--set", "template.steps=1", "--set", "perturbation.steps=2"]
    assert main(words) == 0
    assert "random noise of equal size" in capsys.readouterr().out
    before = (tmp_path / "net" / "perturbation.safetensors").read_bytes()
    assert main(["design", "--mode", "template", "--photos", *words[1:]]) == 0
    assert (tmp_path / "net" / "perturbation.safetensors").read_bytes() == before
    assert main([*words, "--set", "seed=2"]) == 3, "another configuration in the same folder"
    source = tmp_path / "in" / "ann" / "1.png"
    alone = ("--set", f"network={tmp_path / 'net'}", "--set", "protect.perturb.steps=0", "--strength", "faint")
    assert main(["protect", str(source), "--out", str(tmp_path / "out"), *alone]) == 0
    with pytest.raises(InputError, match="holds no trained network"):
        load_networks(tmp_path / "in", [load_dlib_recognizer()])


@pytest.fixture(scope="module")
def search():
    pixels = np.ascontiguousarray(astronaut()[:250, 90:340])
    region, rng = face_regions(Picture(pixels), "portrait")[0], np.random.default_rng(0)
    image = working_picture(region, pixels)
    task, _ = face_task(region, image, [load_dlib_recognizer()], ProtectSettings(), rng)
    quick = PerturbSettings(steps=12, further_steps=0, check_views=0)
    _, change = climb(task, LADDER[2:], quick, rng)
    return sigma_task(region, task, change, quick, rng)


def test_sigma_takes_back_part_by_part(search):
    sigma = np.zeros(len(PARTS))
    sigma[PARTS.index("mouth")] = 1
    kept = intercepted(search.change, search.parts, sigma)
    mouth = search.parts == PARTS.index("mouth")
    torch.testing.assert_close(kept[:, mouth], search.change[:, mouth])
    assert not kept[:, ~mouth].any()
    whole = np.ones(len(PARTS))
    torch.testing.assert_close(intercepted(search.change, search.parts, whole), search.change)
    # Nothing left of the change: nothing is seen of it, and the face is known.
    assert visibility(search, 0 * whole) > visibility(search, whole)


def test_every_search_of_sigma_hides_with_less(search):
    whole = visibility(search, np.ones(len(PARTS)))
    settings = SearchSettings(chimps=4, rounds=3)
    for sigma in (
        uniform_sigma(search, 6), searched_sigma(search, settings, 0), searched_sigma(search, settings, 0, plain_search)
    ):  # fmt: skip
        assert visibility(search, sigma) <= whole
        assert ((sigma >= 0) & (sigma <= 1)).all()


def test_tau_decides_where_the_template_looks():
    pixels = np.ascontiguousarray(astronaut()[:250, 90:340])
    region = face_regions(Picture(pixels), "portrait")[0]
    image, mouth = working_picture(region, pixels), tuple(float(part == "mouth") for part in PARTS)
    cells = TemplateSettings(near_features=0, salient=60)
    settings, dlib = ProtectSettings(tau=(mouth,), template=cells), [load_dlib_recognizer()]
    chosen = face_task(region, image, dlib, settings, np.random.default_rng(0))[1].own
    parts = part_maps(region, *image.shape[1:])
    touched = parts[chosen[:, 1, None] + np.arange(4), chosen[:, 0, None] + np.arange(4)]
    assert (touched == PARTS.index("mouth")).any(axis=1).all()
    with pytest.raises(ConfigError, match="tau must be 1 x 6"):
        face_task(region, image, dlib, ProtectSettings(tau=((1.0,),)), np.random.default_rng(0))


def test_template_figures_name_what_a_perfect_map_names():
    truth = np.random.default_rng(0).random((128, 64))
    assert found_share(truth, truth, 2) == 1.0
    assert found_share(np.random.default_rng(1).random((128, 64)), truth, 2) == pytest.approx(500 / 4096, abs=0.03)
