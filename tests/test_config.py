"""Configuration: round trip, overrides, and errors that name the nearest key."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from maskdesign.config import apply_overrides, config_hash, from_mapping, read_toml, to_toml
from maskdesign.errors import ConfigError, InputError
from maskdesign.jobs.config import JobConfig, load_config


def test_defaults_survive_a_round_trip_through_toml(tmp_path):
    path = tmp_path / "job.toml"
    path.write_text(to_toml(JobConfig()))
    assert load_config(path, ()) == JobConfig()


@given(
    steps=st.integers(1, 10_000),
    rate=st.floats(0.03, 10, allow_nan=False),
    inks=st.lists(st.from_regex(r"#[0-9a-f]{6}", fullmatch=True), min_size=2, max_size=6),
)
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # a busy machine is no fault
def test_any_values_survive_a_round_trip(tmp_path_factory, steps, rate, inks):
    config = from_mapping(
        JobConfig, {"design": {"steps": steps, "learning_rate": rate}, "texture": {"inks": inks}, "seed": 7}
    )
    path = tmp_path_factory.mktemp("config") / "job.toml"
    path.write_text(to_toml(config))
    again = load_config(path, ())
    assert again == config
    assert config_hash(again) == config_hash(config)


def test_hash_changes_with_any_value():
    assert config_hash(JobConfig()) != config_hash(load_config(None, ("design.steps=299",)))


def test_overrides_win_over_the_file(tmp_path):
    path = tmp_path / "job.toml"
    path.write_text("seed = 4\n[design]\nsteps = 10\n")
    config = load_config(path, ("design.steps=20", "papers=['a3']"))
    assert (config.seed, config.design.steps, config.papers) == (4, 20, ("a3",))


def test_overrides_leave_the_given_mapping_alone():
    values = {"design": {"steps": 3}}
    apply_overrides(values, ["design.steps=4"])
    assert values == {"design": {"steps": 3}}


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("design.step=5", "unknown configuration key design.step; did you mean steps?"),
        ("desing.steps=5", "unknown configuration key desing; did you mean design?"),
        ("design.steps='many'", "design.steps = 'many' must be of type int"),
        ("design.steps=2.5", "design.steps = 2.5 must be of type int"),
        ("design.steps=true", "design.steps = True must be of type int"),
        ("design.learning_rate=inf", "design.learning_rate = inf must be finite"),
        ("design.steps=0", "design.steps = 0 must be at least 1"),
        ("design=5", "design is a table; write its keys as design.NAME = value"),
        ("design.steps", "write it as KEY=VALUE"),
        ("seed.x=1", "seed"),
        ("openings_mm=110", "openings_mm = 110 must be a list"),
        ("texture.inks=['red','#ffffff']", "write each color as #rrggbb"),
        ("texture.inks=['#ffffff']", "at least two colors"),
        ("evaluation.opening_mm=107.0", "must differ from every one of openings_mm"),
        ("seed=-1", "seed = -1 must not be negative"),
    ],
)
def test_a_wrong_setting_is_named_with_its_remedy(override, message):
    with pytest.raises(ConfigError) as caught:
        load_config(None, (override,))
    assert message in str(caught.value)
    assert caught.value.exit_code == 2


def test_files_that_are_no_configuration(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        read_toml(tmp_path / "absent.toml")
    broken = tmp_path / "broken.toml"
    broken.write_text("seed = = 1")
    with pytest.raises(ConfigError, match=r"broken.toml: not valid TOML"):
        read_toml(broken)
    huge = tmp_path / "huge.toml"
    huge.write_bytes(b"#" * (1 << 21))
    with pytest.raises(ConfigError, match="larger than 1 MiB"):
        read_toml(huge)
