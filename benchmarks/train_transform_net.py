"""Train T-Net (`maskdesign.faces.transform_net`) on projected heads; about three CPU minutes on one thread.

    OMP_NUM_THREADS=1 python -m benchmarks.train_transform_net --ict ICT.npz [--steps 6000] [--out WEIGHTS]

Half of the heads are the built-in population, half identities of an ICT-FaceKit model (MIT licence). The same machine
gives the same bytes; the digest that it prints belongs into `transform_net.SHA256`.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from maskdesign.cli.terminal import shown_progress
from maskdesign.faces.formats.ict import read_ict
from maskdesign.faces.posed_landmarks import PoseRanges, pose_landmarks, random_ict_landmarks, random_landmarks
from maskdesign.faces.transform_net import WEIGHTS, TransformNet, rotations, save_transform_net
from maskdesign.optimize.training import TrainingSettings, train

HEADS, SEED, BATCH = 2000, 1, 256
"""Of each kind; the test draws its heads from other seeds."""


def training_heads(ict: Path) -> np.ndarray:
    return np.concatenate([random_ict_landmarks(read_ict(ict), HEADS, SEED), random_landmarks(HEADS, SEED)])


def trained(ict: Path, steps: int, progress) -> TransformNet:
    heads, ranges = training_heads(ict), PoseRanges()
    torch.manual_seed(SEED)
    network = TransformNet()

    def loss_at(step: int, part: int) -> Tensor:
        views = pose_landmarks(heads, ranges, BATCH, np.random.default_rng([SEED, step, part]))
        visible = torch.from_numpy(views.visible)
        found = rotations(network, torch.from_numpy(views.points).float(), visible)
        # Not squared, so that the median counts: few views are ambiguous, and they shall not rule.
        return (found - torch.from_numpy(views.rotations)).square().sum(dim=(1, 2)).add(1e-6).sqrt().mean().float()

    settings = TrainingSettings(steps=steps, learning_rate=2e-3, beta1=0.9, final_share=0.01, warm_up=100)
    with tempfile.TemporaryDirectory() as folder:
        train(network, loss_at, settings, Path(folder) / "state.safetensors", "transform net", progress)
    return network


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ict", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=6000)
    parser.add_argument("--out", type=Path, default=WEIGHTS)
    options = parser.parse_args()
    torch.set_num_threads(1)
    with shown_progress() as progress:
        print(save_transform_net(trained(options.ict, options.steps, progress), options.out))


if __name__ == "__main__":
    main()
