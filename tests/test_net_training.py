"""Training small recognizers: lists of people, mixtures, batches, the loss, resuming, and several processes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import distributed, multiprocessing, nn
from torch.nn import functional

from maskdesign.errors import ConfigError, InputError, OutputError, RunError
from maskdesign.jobs.net_export import center_embeddings, data_crops
from maskdesign.jobs.net_faces import photos_of_people, read_people, write_map
from maskdesign.jobs.net_targets import joint_targets
from maskdesign.optimize.damage import BatchSettings
from maskdesign.optimize.distillation import (
    DistillationSettings,
    difference_loss,
    distillation_loss,
    margin_loss,
    person_centers,
)
from maskdesign.optimize.face_batches import GROUP, Covered, TrainingFaces, draw_bare, draw_lesson
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
from maskdesign.recognition.recognizer import normalize_crops
from maskdesign.recognition.small_nets import ARCHITECTURES

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


@pytest.mark.parametrize("name", ["../others", "/etc", "..", "a/b"])
def test_names_that_lead_out_of_the_folder_are_refused(tmp_path, name):
    path = tmp_path / "people.txt"
    path.write_text(f"Ann\n{name}\n")
    with pytest.raises(InputError, match="is no name of a folder of photos"):
        read_people(path, ())


def test_a_folder_without_photos_of_these_people_is_refused(tmp_path):
    (tmp_path / "Ann").mkdir()
    with pytest.raises(InputError, match="holds photos of none of the 2 people"):
        photos_of_people(tmp_path, ["Ann", "Bob"], 5)


def faces(count: int = 12, morphs: int = 6, learned_groups: int = 3) -> TrainingFaces:
    rng = np.random.default_rng(0)
    spec = own_spec("student", "", "noise", "MIT")
    five = np.tile(np.asarray(spec.template_px, np.float32) + 32, (count, 1, 1))
    people = np.repeat(np.arange(count // 2), 2)
    shapes = rng.normal(size=(count, 24)).astype(np.float32)
    colors = rng.uniform(60, 200, (count, 3)).astype(np.float32)
    learned = np.arange(count - 2)
    covered = (learned_groups + 1) * GROUP
    targets = rng.normal(size=(count + morphs + covered, 256)).astype(np.float32)
    pictures = rng.integers(0, 256, (learned_groups + 1, GROUP, SIDE, SIDE, 3)).astype(np.uint8)
    return TrainingFaces(
        windows=rng.integers(0, 256, (count, SIDE, SIDE, 3)).astype(np.uint8),
        five_px=five,
        people=people,
        learned=learned,
        targets=targets / np.linalg.norm(targets, axis=1, keepdims=True),
        morphs=draw_morphs(morphs, people, shapes, colors, learned, 5),
        covered=Covered(pictures, np.tile(five[:1], (covered, 1, 1)), learned_groups * GROUP),
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
    first, again, other = (draw_lesson(data, settings, step, 1) for step in (3, 3, 4))
    assert torch.equal(first.crops, again.crops) and torch.equal(first.targets, again.targets)
    assert not torch.equal(first.crops, other.crops)
    assert first.crops.shape == (8, 3, 112, 112) and first.crops.min() >= 0 and first.crops.max() <= 1
    assert not torch.equal(first.crops, draw_lesson(data, settings, 3, 2).crops)


def test_targets_belong_to_their_crops():
    data, settings = faces(), BatchSettings(crops=64)
    _, targets, people = draw_bare(data, settings, 0, 0)
    rows = (targets @ torch.from_numpy(data.targets).T).argmax(dim=1)
    real = rows < len(data.people)
    assert torch.equal(real, people >= 0)
    assert torch.equal(torch.from_numpy(data.people)[rows[real]], people[real])
    assert set(rows[real].tolist()) <= set(data.learned.tolist())


def test_masked_faces_come_in_whole_groups_of_people_who_are_learned_from():
    data = faces()
    lesson = draw_lesson(data, BatchSettings(crops=32, masked=0.5), 0, 0)
    assert lesson.groups.shape == (4, GROUP) and (lesson.people[lesson.groups] == -1).all()
    first = len(data.people) + len(data.morphs)
    rows = (lesson.targets[lesson.groups] @ torch.from_numpy(data.targets).T).argmax(dim=2) - first
    assert (rows % GROUP == torch.arange(GROUP)).all() and (rows // GROUP == rows[:, :1] // GROUP).all()
    assert rows.min() >= 0 and rows.max() < data.covered.learned


def test_within_a_group_the_print_alone_differs():
    data = faces()
    same = np.repeat(data.covered.windows(np.arange(0, 16, GROUP))[:, None], GROUP, axis=1)
    data = replace(data, covered=replace(data.covered, chunks=same))
    lesson = draw_lesson(data, BatchSettings(crops=16, noise=0.0), 0, 0)
    for group in lesson.crops[lesson.groups]:
        torch.testing.assert_close(group, group[:1].expand_as(group))
    assert not torch.equal(lesson.crops[lesson.groups[0, 0]], lesson.crops[lesson.groups[1, 0]])


def test_batches_need_neither_masks_nor_mixtures():
    lesson = draw_lesson(faces(morphs=0, learned_groups=0), BatchSettings(crops=4), 0, 0)
    assert torch.isfinite(lesson.crops).all() and (lesson.people >= 0).all() and len(lesson.groups) == 0
    # A few bare faces are left whatever the share says.
    assert draw_lesson(faces(), BatchSettings(crops=9, masked=1.0), 0, 0).groups.shape == (1, GROUP)


def test_what_all_prints_share_is_not_their_difference():
    targets = torch.randn(3, GROUP, 8)
    assert difference_loss(targets + torch.randn(3, 1, 8), targets).item() == pytest.approx(0, abs=1e-10)
    assert difference_loss(targets + torch.randn(3, GROUP, 8), targets).item() > 0.1


@pytest.mark.parametrize("wrong", [{"crops": 1}, {"masked": -0.1}, {"noise": 99.0}])
def test_batch_settings_out_of_range_are_refused(wrong):
    with pytest.raises(ConfigError):
        BatchSettings(**wrong)


def test_the_loss_vanishes_at_the_targets_only():
    targets = functional.normalize(torch.randn(6, 16), dim=1)
    centers = targets[:3]
    nobody, settings, groups = torch.full((6,), -1), DistillationSettings(), torch.arange(4).reshape(1, 4)
    told = (targets, nobody, centers, groups)
    assert distillation_loss(settings, 3 * targets, *told).item() == pytest.approx(0, abs=1e-5)
    assert distillation_loss(settings, targets.flip(0), *told).item() > 0.1


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


def test_bare_faces_have_no_direction_in_common_once_centered():
    data, network = faces(), ARCHITECTURES["attention"]().eval()
    crops = normalize_crops(data_crops(data, data.learned), data.spec)
    with torch.no_grad():
        before = network(crops)
        center_embeddings(network, data)
        after = network(crops)
    torch.testing.assert_close(after, before - before.mean(dim=0), atol=1e-4, rtol=1e-3)


def test_a_map_holds_its_parts_one_behind_the_other(tmp_path):
    parts = [np.arange(12).reshape(2, 3, 2), np.zeros((0, 3, 2), int), np.full((1, 3, 2), 7)]
    write_map(tmp_path / "m.npy", parts)
    np.testing.assert_array_equal(np.load(tmp_path / "m.npy", mmap_mode="r"), np.concatenate(parts))


def test_a_full_disk_leaves_no_half_map(tmp_path, monkeypatch):
    def full(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("maskdesign.files.os.fsync", full)
    with pytest.raises(OutputError, match="No space left on device"):
        write_map(tmp_path / "m.npy", [np.zeros((2, 3))])
    assert not list(tmp_path.iterdir())
