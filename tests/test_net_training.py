"""Training small recognizers: lists of people, mixtures, batches, the loss, resuming, and several processes."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import distributed, multiprocessing, nn
from torch.nn import functional

from maskdesign.errors import ConfigError, InputError, OutputError, RunError
from maskdesign.jobs.net_faces import read_people
from maskdesign.jobs.net_targets import joint_targets
from maskdesign.optimize.distillation import DistillationSettings, distillation_loss, margin_loss, person_centers
from maskdesign.optimize.face_batches import BatchSettings, Masks, TrainingFaces, draw_batch
from maskdesign.optimize.morphs import Morphs, draw_morphs, heights_in_crop, mix_crops, second_share
from maskdesign.optimize.training import (
    TrainingSettings,
    TrainingState,
    buffers_to_vector,
    learning_rate_at,
    train,
    training_step,
)
from maskdesign.progress import Silent
from maskdesign.recognition.own_file import own_spec

SIDE = 176


def test_people_of_the_left_out_folds_are_not_read(tmp_path):
    path = tmp_path / "people.txt"
    path.write_text("3\n2\nAnn\t1\nBob\t2\n1\nCid\t4\n2\nDot\t1\nEve\t9\n")
    assert read_people(path, (2,)) == ["Ann", "Bob", "Dot", "Eve"]
    assert read_people(path, (1, 3)) == ["Cid"]
    path.write_text("Zoe\nAnn\t3\n\nAnn\n")
    assert read_people(path, (7, 8)) == ["Ann", "Zoe"]


@pytest.mark.parametrize("text", ["2\n2\nAnn\t1\n", "2\n1\nAnn\t1\n", "1\nAnn\n", "1\n5\nAnn\n"])
def test_a_list_that_ends_too_early_is_refused(tmp_path, text):
    path = tmp_path / "people.txt"
    path.write_text(text)
    with pytest.raises(InputError, match=r"people\.txt: fold \d"):
        read_people(path, ())


def faces(count: int = 12, morphs: int = 6, masks: bool = True) -> TrainingFaces:
    rng = np.random.default_rng(0)
    spec = own_spec("student", "", "noise", "MIT")
    five = np.tile(np.asarray(spec.template_px, np.float32) + 32, (count, 1, 1))
    people = np.repeat(np.arange(count // 2), 2)
    shapes = rng.normal(size=(count, 24)).astype(np.float32)
    colors = rng.uniform(60, 200, (count, 3)).astype(np.float32)
    learned = np.arange(count - 2)
    targets = rng.normal(size=(count + morphs, 256)).astype(np.float32)
    layers = rng.integers(0, 256, (3, SIDE, SIDE, 4)).astype(np.uint8)
    return TrainingFaces(
        windows=rng.integers(0, 256, (count, SIDE, SIDE, 3)).astype(np.uint8),
        five_px=five,
        shapes=shapes,
        colors=colors,
        people=people,
        learned=learned,
        targets=targets / np.linalg.norm(targets, axis=1, keepdims=True),
        morphs=draw_morphs(morphs, people, shapes, colors, learned, 5),
        masks=Masks(layers[: 3 if masks else 0], five[:3], np.arange(3 if masks else 0)),
        spec=spec,
        seed=4,
    )


def test_mixtures_are_of_different_people_and_depend_on_their_number_alone():
    many = faces(40, 30).morphs
    few = faces(40, 10).morphs
    people = faces(40, 0).people
    assert (people[many.first] != people[many.second]).all()
    assert max(many.first.max(), many.second.max()) < 38, "validation people are learned from"
    for name in Morphs.__dataclass_fields__:
        np.testing.assert_array_equal(getattr(many, name)[:10], getattr(few, name))


def test_a_mixture_of_a_face_with_itself_is_that_face():
    morphs = faces(12, 4).morphs
    morphs.gain[:] = 1
    face = torch.rand(4, 3, 112, 112)
    torch.testing.assert_close(mix_crops(face, face, morphs, heights_in_crop(112)), face)
    share = second_share(morphs, heights_in_crop(112))
    assert share.min() >= 0 and share.max() <= 1


def test_heights_agree_between_crop_and_canvas():
    canvas = heights_in_crop(216, 1.5, 24)
    assert canvas[24].item() == pytest.approx(1 / 3) and canvas[24 + 167].item() == pytest.approx(112 - 1 / 3)


def test_batches_come_from_their_numbers_alone():
    data, settings = faces(), BatchSettings(crops=8)
    first, again, other = (draw_batch(data, settings, step, 1) for step in (3, 3, 4))
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert not torch.equal(first[0], other[0])
    assert first[0].shape == (8, 3, 112, 112) and first[0].min() >= 0 and first[0].max() <= 1
    assert not torch.equal(first[0], draw_batch(data, settings, 3, 2)[0])


def test_targets_belong_to_their_crops():
    data, settings = faces(), BatchSettings(crops=64)
    _, targets, people = draw_batch(data, settings, 0, 0)
    rows = (targets @ torch.from_numpy(data.targets).T).argmax(dim=1)
    real = rows < len(data.people)
    assert torch.equal(real, people >= 0)
    assert torch.equal(torch.from_numpy(data.people)[rows[real]], people[real])
    assert set(rows[real].tolist()) <= set(data.learned.tolist())


def test_batches_need_neither_masks_nor_mixtures():
    crops, _, people = draw_batch(faces(morphs=0, masks=False), BatchSettings(crops=4), 0, 0)
    assert torch.isfinite(crops).all() and (people >= 0).all()


@pytest.mark.parametrize("wrong", [{"crops": 1}, {"masked": -0.1}, {"noise": 99.0}])
def test_batch_settings_out_of_range_are_refused(wrong):
    with pytest.raises(ConfigError):
        BatchSettings(**wrong)


def test_the_loss_vanishes_at_the_targets_only():
    targets = functional.normalize(torch.randn(6, 16), dim=1)
    centers = targets[:3]
    nobody, settings = torch.full((6,), -1), DistillationSettings()
    assert distillation_loss(settings, 3 * targets, targets, nobody, centers).item() == pytest.approx(0, abs=1e-5)
    assert distillation_loss(settings, targets.flip(0), targets, nobody, centers).item() > 0.1


def test_the_margin_loss_is_cosface():
    unit, centers = (functional.normalize(torch.randn(n, 8, dtype=torch.float64), dim=1) for n in (5, 4))
    people = torch.tensor([0, 3, 1, 1, 2])
    expected = []
    for row, person in zip(unit, people.tolist(), strict=True):
        scaled = [10 * (float(row @ center) - (0.3 if k == person else 0)) for k, center in enumerate(centers)]
        expected.append(np.log(np.exp(scaled).sum()) - scaled[person])
    assert margin_loss(unit, people, centers, 0.3, 10).item() == pytest.approx(np.mean(expected))


def test_centers_are_mean_directions():
    centers = person_centers(torch.tensor([[2.0, 0], [0, 2], [-3, 0]]), torch.tensor([0, 0, 1]))
    torch.testing.assert_close(centers, torch.tensor([[0.5**0.5, 0.5**0.5], [-1, 0]]))


def test_joint_targets_keep_the_mean_of_the_teachers_cosines():
    rng = np.random.default_rng(1)
    embeddings = [rng.normal(size=(40, size)).astype(np.float32) + 3 for size in (8, 12)]
    joint = joint_targets(embeddings, 40, 20)
    sides = [rows - rows.mean(axis=0) for rows in embeddings]
    units = [rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in sides]
    assert joint_targets(embeddings, 40, 30)[:, 20:].any() == 0
    np.testing.assert_allclose(joint @ joint.T, (units[0] @ units[0].T + units[1] @ units[1].T) / 2, atol=1e-5)


class Tiny(nn.Sequential):
    def __init__(self) -> None:
        torch.manual_seed(0)
        # A bias before a batch norm has no gradient but rounding, which Adam blows up.
        super().__init__(
            nn.Conv2d(3, 4, 3, bias=False), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 36, 2)
        )


def tiny_loss(network: nn.Module):
    def loss_at(step: int, part: int) -> torch.Tensor:
        generator = torch.Generator().manual_seed(100 * step + part)
        crops = torch.rand(6, 3, 8, 8, generator=generator)
        network.train()
        return (network(crops) - crops.mean(dim=(2, 3))[:, :2]).square().mean()

    return loss_at


SETTINGS = TrainingSettings(steps=12, learning_rate=0.01, beta1=0.9, final_share=0.1, warm_up=3, parts=4)


def trained(path, settings=SETTINGS) -> nn.Module:
    network = Tiny()
    train(network, tiny_loss(network), settings, path, "job", Silent())
    return network


def test_a_killed_training_goes_on_bit_for_bit(tmp_path):
    whole = trained(tmp_path / "whole.safetensors")
    network = Tiny()

    def killed(step: int, part: int) -> torch.Tensor:
        if step == 7:
            raise KeyboardInterrupt
        return tiny_loss(network)(step, part)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("maskdesign.optimize.training.CHECKPOINT_SECONDS", 0.0)
        with pytest.raises(KeyboardInterrupt):
            train(network, killed, SETTINGS, tmp_path / "cut.safetensors", "job", Silent())
    again = trained(tmp_path / "cut.safetensors")
    for name, value in whole.state_dict().items():
        if "batches" not in name:
            assert torch.equal(value, again.state_dict()[name]), name
    with pytest.raises(RunError, match="another job"):
        train(network, tiny_loss(network), SETTINGS, tmp_path / "cut.safetensors", "other", Silent())


def test_a_full_disk_leaves_the_last_checkpoint(tmp_path, monkeypatch):
    path = tmp_path / "net.safetensors"
    trained(path, TrainingSettings(steps=4, learning_rate=0.01, parts=4))
    before = path.read_bytes()

    def full(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("maskdesign.files.os.fsync", full)
    with pytest.raises(OutputError, match="No space left on device"):
        trained(path, TrainingSettings(steps=9, learning_rate=0.01, parts=4))
    assert path.read_bytes() == before
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


def test_the_mean_over_parts_is_what_one_step_takes():
    network = Tiny()
    flat = torch.cat([p.detach().reshape(-1) for p in network.parameters()])
    state = TrainingState(flat, torch.zeros_like(flat), torch.zeros_like(flat), buffers_to_vector(network), 0)
    _, loss = training_step(network, tiny_loss(network), SETTINGS, state)
    single = [training_step(network, lambda step, _, p=p: tiny_loss(network)(step, p), TrainingSettings(), state)[1]
              for p in range(4)]  # fmt: skip
    assert loss == pytest.approx(np.mean(single))


def _share(rank: int, folder) -> None:
    distributed.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2)
    torch.set_num_threads(1)
    network = trained(folder / "shared.safetensors")
    if rank == 1:
        torch.save(network.state_dict(), folder / "second.pt")
    distributed.barrier()
    distributed.destroy_process_group()


def test_two_processes_train_the_same_network(tmp_path):
    alone = trained(tmp_path / "alone.safetensors")
    multiprocessing.spawn(_share, (tmp_path,), nprocs=2)
    second = torch.load(tmp_path / "second.pt", weights_only=True)
    for name, value in alone.state_dict().items():
        if "batches" not in name:
            torch.testing.assert_close(second[name], value, atol=1e-5, rtol=1e-4)


def test_the_learning_rate_rises_and_falls():
    rates = [learning_rate_at(SETTINGS, step) for step in range(SETTINGS.steps)]
    assert rates[0] < rates[1] < rates[3] <= SETTINGS.learning_rate and rates[-1] < 0.2 * SETTINGS.learning_rate
    assert learning_rate_at(TrainingSettings(), 123) == TrainingSettings().learning_rate
    for wrong in ({"final_share": 0.0}, {"warm_up": -1}, {"parts": 0}):
        with pytest.raises(ConfigError):
            TrainingSettings(**wrong)
