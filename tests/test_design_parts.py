"""Adversary, canvas, beginning and end of a design, as a configuration names them."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from maskdesign.config import config_hash, to_toml
from maskdesign.errors import ConfigError, RunError
from maskdesign.jobs.config import load_config
from maskdesign.jobs.design_parts import begun_identity, chosen_adversary, chosen_canvas, chosen_control
from maskdesign.jobs.stages import chosen_recognizers
from maskdesign.optimize.adversary import MarginFusion
from maskdesign.optimize.canvas import Texels
from maskdesign.optimize.fusion import AttentionFusion
from maskdesign.optimize.generator import Generator
from maskdesign.optimize.loop import save_state
from maskdesign.optimize.step import DesignState
from maskdesign.recognition.registry import load_recognizers
from maskdesign.run import begin_run

COARSE = ("texture.grid_mm=10", "texture.texel_mm=5", "texture.print_texel_mm=5", "texture.repeats=[1,1]")
DECODER = ("generator.side_px=32", "generator.noise_px=4", "generator.widths=[6,4]")


def test_the_configuration_names_the_loss():
    dlib, known = load_recognizers(None)[0], torch.randn(20, 128)
    assert isinstance(chosen_adversary([dlib], [known], load_config(None, ())), MarginFusion)
    config = load_config(None, ("fusion=attention", "attention.length=7"))
    adversary = chosen_adversary([dlib], [known], config)
    assert isinstance(adversary, AttentionFusion)
    assert adversary.encoders[0](known).shape == (20, 7)
    bare = chosen_adversary([dlib], [known], replace(config, attention=replace(config.attention, feature_weight=0.0)))
    assert isinstance(bare, AttentionFusion)
    assert bare.encoders == ()


def test_one_face_gets_the_analytic_normalization():
    dlib, face = load_recognizers(None)[0], 0.1 * torch.randn(1, 128)
    adversary = chosen_adversary([dlib], [face], load_config(None, ("fusion=attention", "attention.length=200")))
    assert isinstance(adversary, AttentionFusion)
    traits = torch.logit(adversary.encoders[0](face))
    torch.testing.assert_close(traits.square().mean(), torch.tensor(1.0))
    assert traits.shape == (1, 128)


def test_an_ensemble_of_nobody_is_refused():
    with pytest.raises(ConfigError, match="at least one recognizer"):
        chosen_adversary([], [], load_config(None, ()))


def test_recognizers_are_named_or_all_at_hand():
    at_hand = load_recognizers(None)
    for wanted in ("", 'recognizers=["all"]', 'recognizers=["dlib"]', 'recognizers=["all","dlib"]'):
        assert chosen_recognizers(at_hand, load_config(None, (wanted,) if wanted else ())) == at_hand
    with pytest.raises(ConfigError, match=r'an ensemble of nobody; name some of \[.dlib.\], or \["all"\]'):
        chosen_recognizers(at_hand, load_config(None, ("recognizers=[]",)))
    with pytest.raises(ConfigError, match="nobody_knows is not at hand"):
        chosen_recognizers(at_hand, load_config(None, ('recognizers=["all","nobody_knows"]',)))


@pytest.mark.parametrize("name", ["fusion", "canvas", "until"])
def test_an_unknown_choice_is_refused(name):
    with pytest.raises(ConfigError, match=f"{name} = foo must be one of"):
        load_config(None, (f"{name}=foo",))


def test_the_interval_ends_a_design_only_where_it_is_asked_for():
    assert chosen_control(load_config(None, ())) is None
    control = chosen_control(load_config(None, ("until=interval", "control.lowest=0.6")))
    assert control is not None
    assert control.lowest == 0.6
    with pytest.raises(ConfigError, match="inside"):
        load_config(None, ("control.lowest=1.2",))


def finished_run(folder, config):
    """A run whose checkpoint holds a canvas's beginning at twice its strength, and nothing else."""
    run = begin_run(folder, to_toml(config), {})
    canvas = chosen_canvas(config)
    best = 2 * canvas.initial(3)
    save_state(run.checkpoint, DesignState(best, best.clone(), best.clone(), best.clone(), 0.1, 5), config_hash(config))
    return canvas.texture(best)


@pytest.mark.parametrize("first", ["texels", "generator"])
@pytest.mark.parametrize("then", ["texels", "generator"])
def test_a_design_goes_on_from_the_run_of_either_canvas(tmp_path, first, then):
    ended = finished_run(tmp_path / "first", load_config(None, (*COARSE, *DECODER, f"canvas={first}")))
    config = load_config(None, (*COARSE, *DECODER, f"canvas={then}", f"begin_from={tmp_path / 'first'}"))
    canvas = chosen_canvas(config)
    assert isinstance(canvas, Texels if then == "texels" else Generator)
    begun = canvas.texture(canvas.initial(0))
    # Free texels lie on another grid than what the generator draws: shapes stay, edges move a little.
    assert (begun - ended).abs().mean() < 0.6 * (ended - ended.mean(dim=(1, 2), keepdim=True)).abs().mean()
    if first == then == "texels":
        torch.testing.assert_close(begun, ended)
    assert begun_identity(config).keys() == {"beginning"}
    assert begun_identity(load_config(None, ())) == {}


def test_a_beginning_must_be_there_and_fit(tmp_path):
    finished_run(tmp_path / "first", load_config(None, COARSE))
    with pytest.raises(ConfigError, match=r"other texture.inks or texture.repeats"):
        chosen_canvas(load_config(None, (f"begin_from={tmp_path / 'first'}",)))
    with pytest.raises(RunError, match="holds no run"):
        chosen_canvas(load_config(None, (f"begin_from={tmp_path / 'none'}",)))
    config = load_config(None, COARSE)
    begin_run(tmp_path / "empty", to_toml(config), {})
    with pytest.raises(RunError, match="holds no design yet"):
        chosen_canvas(load_config(None, (*COARSE, f"begin_from={tmp_path / 'empty'}")))
