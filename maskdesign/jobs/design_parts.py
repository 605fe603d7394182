"""The exchangeable parts of a design, as its configuration names them: adversary, canvas, beginning and end."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from torch import Tensor

from maskdesign.config import config_hash
from maskdesign.errors import ConfigError, RunError
from maskdesign.jobs.config import JobConfig
from maskdesign.jobs.stages import run_config
from maskdesign.optimize.adversary import Adversary, MarginFusion
from maskdesign.optimize.canvas import Canvas, Texels
from maskdesign.optimize.control import ControlSettings
from maskdesign.optimize.encoder import Extrusion, analytic_extrusion, encode_ensemble
from maskdesign.optimize.fusion import AttentionFusion
from maskdesign.optimize.generator import Generator, generator_from_texels, texels_from_generator
from maskdesign.optimize.likeness import Unfacelike
from maskdesign.optimize.loop import load_state
from maskdesign.recognition.mtcnn_nets import load_cascade
from maskdesign.recognition.recognizer import Recognizer
from maskdesign.run import open_run


def chosen_adversary(recognizers: Sequence[Recognizer], known: Sequence[Tensor], config: JobConfig) -> Adversary:
    """The loss that `fusion` names.

    Args:
        recognizers: the ensemble.
        known: for each recognizer (n, E) embeddings of the same n faces without masks; from one face alone no axes can
            be learned, and the encoder's normalization is the analytic one.

    Raises:
        ConfigError: an ensemble of nobody.
    """
    if not recognizers:
        raise ConfigError("an ensemble needs at least one recognizer; name some in `recognizers`")
    adversary = _fused(tuple(recognizers), tuple(known), config)
    weight = config.objective.face_weight
    return Unfacelike(adversary, load_cascade(), weight) if weight else adversary


def _fused(recognizers: tuple[Recognizer, ...], known: tuple[Tensor, ...], config: JobConfig) -> Adversary:
    if config.fusion == "mean":
        return MarginFusion(recognizers, config.objective)
    encoders = _encoders(recognizers, known, config) if config.attention.feature_weight else ()
    return AttentionFusion(recognizers, encoders, config.objective, config.attention)


def _encoders(
    recognizers: tuple[Recognizer, ...], known: tuple[Tensor, ...], config: JobConfig
) -> tuple[Extrusion, ...]:
    settings = config.attention
    if all(len(rows) > 1 for rows in known):
        return encode_ensemble(recognizers, known, settings.length, settings.filter_share)
    length = min([settings.length] + [rows.shape[1] for rows in known])
    # The channels of one face tell how large channels are, not how they differ between people.
    return tuple(analytic_extrusion(rows.shape[1], length, rows.square().mean().sqrt().item()) for rows in known)


def chosen_canvas(config: JobConfig) -> Canvas:
    """Free texels or the generator, from noise or from where another run ended.

    Raises:
        ConfigError: a run to begin from that has other inks or repeats.
        RunError: a run to begin from that does not exist or has not begun.
    """
    begun = begun_logits(config)
    if config.canvas == "texels":
        return Texels(config.texture, config.mask, begun)
    generator = Generator(config.generator, Texels(config.texture, config.mask), noise_seed=config.seed)
    return generator if begun is None else generator_from_texels(generator, begun)


def begun_logits(config: JobConfig) -> Tensor | None:
    """(K, rows, columns) ink logits of one repeat of the run that a design begins from; None where it begins anew."""
    if not config.begin_from:
        return None
    run = open_run(Path(config.begin_from))
    other = run_config(run)
    if (other.texture.inks, other.texture.repeats) != (config.texture.inks, config.texture.repeats):
        raise ConfigError(f"begin_from = {config.begin_from}: that run has other texture.inks or texture.repeats")
    state = load_state(run.checkpoint, config_hash(other))
    if state is None:
        raise RunError(f"{run.folder}: holds no design yet; finish it, or name another run in begin_from")
    canvas = chosen_canvas(other)
    best = state.best_parameters
    return texels_from_generator(canvas, best) if isinstance(canvas, Generator) else best


def begun_identity(config: JobConfig) -> dict[str, str]:
    """What a run's job must record of where it begins; nothing where it begins anew."""
    begun = begun_logits(config)
    return {} if begun is None else {"beginning": hashlib.sha256(begun.numpy().tobytes()).hexdigest()}


def chosen_control(config: JobConfig) -> ControlSettings | None:
    """The interval that ends a design; None where it takes all its steps."""
    return config.control if config.until == "interval" else None
