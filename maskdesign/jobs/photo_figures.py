"""What the template networks are worth on people they never saw, beside the controls they have to beat."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from maskdesign.digital.networks import TemplateNetwork, network_picture
from maskdesign.digital.superposition import TemplateNode, fit_tau, superpose
from maskdesign.jobs.photo_samples import Sample

CELLS = 500
"""As many as a template has."""
Maps = NDArray[np.float64]


def template_figures(
    networks: Sequence[TemplateNetwork], learned: Sequence[Sample], held_out: Sequence[Sample]
) -> list[dict[str, float]]:
    """For each recognizer, the share of the 500 cells it looks at most that are named on photos of other people.

    Named by its own network; by the networks of the others, joined by a tau that was fitted where the networks learned,
    which adapts to a recognizer without training; and by the mean map of where they learned, the control.
    """
    known, new = ([predicted(network, samples) for network in networks] for samples in (learned, held_out))
    parts, new_parts = (np.concatenate([sample.parts for sample in samples]) for samples in (learned, held_out))
    rows = []
    for row in range(len(networks)):
        wanted, truth = (_stacked([sample.targets[row] for sample in samples]) for samples in (learned, held_out))
        mean = np.tile(torch.stack([sample.targets[row] for sample in learned]).mean(dim=0).numpy(), (len(held_out), 1))
        named = {"cells_found": new[row], "cells_found_by_the_mean_map": mean}
        others = [other for other in range(len(networks)) if other != row]
        if others:
            tau = fit_tau([TemplateNode(str(other), known[other]) for other in others], parts, wanted)
            nodes = [TemplateNode(str(other), new[other]) for other in others]
            named["cells_found_through_tau"] = superpose(nodes, new_parts, tau)
        rows.append({key: found_share(maps, truth, len(held_out)) for key, maps in named.items()})
    return rows


@torch.no_grad()
def predicted(network: TemplateNetwork, samples: Sequence[Sample]) -> Maps:
    """(64 n, 64): what a network says of n photos, one below the other."""
    return _stacked([network(network_picture(sample.image))[0] for sample in samples])


def _stacked(maps: Sequence[torch.Tensor]) -> Maps:
    return torch.cat(list(maps)).double().numpy()


def found_share(named: Maps, truth: Maps, photos: int) -> float:
    """Mean share of the `CELLS` largest of each photo's map that are also the largest of its truth."""
    first, second = (np.argsort(-maps.reshape(photos, -1), axis=1)[:, :CELLS] for maps in (named, truth))
    return float(np.mean([len(np.intersect1d(a, b)) / CELLS for a, b in zip(first, second, strict=True)]))
