"""Frozen dataclasses <-> TOML <-> `key=value` overrides. An unknown key is an error that names its nearest neighbor."""

from __future__ import annotations

import dataclasses
import difflib
import hashlib
import json
import tomllib
import types
import typing
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from maskdesign.errors import ConfigError
from maskdesign.files import check_readable

T = TypeVar("T")
MAX_TOML_BYTES = 1 << 20


def read_toml(path: Path) -> dict[str, Any]:
    """Parse a TOML file of at most 1 MiB.

    Raises:
        InputError: no such file.
        ConfigError: too large, not UTF-8, or not TOML; the message holds the line.
    """
    check_readable(path)
    if path.stat().st_size > MAX_TOML_BYTES:
        raise ConfigError(f"{path}: larger than {MAX_TOML_BYTES >> 20} MiB; this is no configuration")
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ConfigError(f"{path}: not valid TOML ({error})") from error


def from_mapping(cls: type[T], values: Mapping[str, Any], where: str = "") -> T:
    """Build a nested frozen dataclass; keys that are left out keep their defaults.

    Args:
        cls: dataclass type with fields of bool, int, float, str, tuples of these, or dataclasses.
        values: nested mapping as TOML gives it.
        where: dotted place of `values`, for messages.

    Raises:
        ConfigError: unknown key (with the nearest one), a value of the wrong type, or a mapping in a value's place.
    """
    hints = typing.get_type_hints(cls)
    names = [field.name for field in dataclasses.fields(cls)]  # type: ignore[arg-type]
    arguments = {}
    for key, value in values.items():
        place = f"{where}.{key}" if where else key
        if key not in names:
            raise ConfigError(_unknown_key(place, key, names))
        arguments[key] = _convert(hints[key], value, place)
    return cls(**arguments)


def _unknown_key(place: str, key: str, names: Sequence[str]) -> str:
    close = difflib.get_close_matches(key, names, n=1, cutoff=0.5)
    hint = f"did you mean {close[0]}?" if close else f"known here: {', '.join(names)}"
    return f"unknown configuration key {place}; {hint}"


def _convert(hint: Any, value: Any, place: str) -> Any:
    if isinstance(hint, types.UnionType):
        hint = next(option for option in typing.get_args(hint) if option is not type(None))
    if dataclasses.is_dataclass(hint):
        if not isinstance(value, Mapping):
            raise ConfigError(f"{place} is a table; write its keys as {place}.NAME = value")
        return from_mapping(typing.cast(type, hint), value, place)
    if typing.get_origin(hint) is tuple:
        return _convert_tuple(typing.get_args(hint), value, place)
    return _convert_scalar(hint, value, place)


def _convert_tuple(arguments: tuple[Any, ...], value: Any, place: str) -> tuple[Any, ...]:
    if not isinstance(value, list | tuple):
        raise ConfigError(f"{place} = {value!r} must be a list")
    if len(arguments) == 2 and arguments[1] is Ellipsis:
        arguments = (arguments[0],) * len(value)
    if len(value) != len(arguments):
        raise ConfigError(f"{place} must hold {len(arguments)} values, not {len(value)}")
    return tuple(_convert(hint, item, place) for hint, item in zip(arguments, value, strict=True))


def _convert_scalar(hint: type, value: Any, place: str) -> Any:
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if type(value) is not hint:
        raise ConfigError(f"{place} = {value!r} must be of type {hint.__name__}")
    if hint is float and not abs(value) < float("inf"):
        raise ConfigError(f"{place} = {value} must be finite")
    return value


def apply_overrides(values: dict[str, Any], overrides: Sequence[str]) -> dict[str, Any]:
    """A copy of a nested mapping with `a.b=value` settings on top; a value is TOML, or else a plain string.

    Raises:
        ConfigError: an override without `=`, or one that sets a key inside a plain value.
    """
    merged = json.loads(json.dumps(values))
    for override in overrides:
        key, equals, text = override.partition("=")
        if not equals:
            raise ConfigError(f"--set {override}: write it as KEY=VALUE, for example design.steps=100")
        *tables, name = key.strip().split(".")
        place = merged
        for table in tables:
            place = place.setdefault(table, {})
            if not isinstance(place, dict):
                raise ConfigError(f"--set {override}: {table} is a value, not a table")
        place[name] = _parse_value(text.strip())
    return merged


def merge(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of a nested mapping with the values of another one in their places; tables are merged key by key."""
    merged = dict(below)
    for key, value in above.items():
        nested = isinstance(value, Mapping) and isinstance(below.get(key), Mapping)
        merged[key] = merge(below[key], value) if nested else value
    return merged


def _parse_value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def to_toml(config: Any) -> str:
    """Every value of a nested dataclass as TOML, defaults included; None is left out."""
    return mapping_to_toml(dataclasses.asdict(config))


def mapping_to_toml(values: Mapping[str, Any]) -> str:
    """A nested mapping as TOML, plain values before tables; None is left out."""
    return "\n".join(_toml_lines(values, "")) + "\n"


def _toml_lines(values: Mapping[str, Any], table: str) -> list[str]:
    lines = [
        f"{key} = {_toml_value(value)}" for key, value in values.items() if not _is_table(value) and value is not None
    ]
    for key, value in values.items():
        if _is_table(value):
            name = f"{table}.{key}" if table else key
            lines += ["", f"[{name}]", *_toml_lines(value, name)]
    return lines


def _is_table(value: Any) -> bool:
    return isinstance(value, Mapping)


def _toml_value(value: Any) -> str:
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_toml_value(item) for item in value) + "]"
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{key} = {_toml_value(item)}" for key, item in value.items()) + " }"
    # JSON's escapes for strings, numbers and booleans are valid TOML.
    return json.dumps(value)


def config_hash(config: Any) -> str:
    """First 12 hexadecimal digits of the SHA-256 of the resolved configuration."""
    return hashlib.sha256(to_toml(config).encode()).hexdigest()[:12]
