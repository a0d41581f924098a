"""What every settings dataclass shares: a field with its help and limits, and its checks.

A field carries its own one-line help, choices and limits, so that the checks here, the command
line's ``--set`` and the form on the Train page all read the same source.
"""

from __future__ import annotations

import dataclasses
import functools
import marshal
import math
import typing
from collections.abc import Mapping
from dataclasses import field
from typing import Any

from redshift_core.errors import InputError, nearest

_SECTIONS = 1024  # sections that are remembered
_sections: dict[tuple[type[Settings], bytes], Settings] = {}  # class and values → settings
_KINDS = {int: "a whole number", float: "a number", str: "text", bool: "true or false"}


def setting(
    default: Any,
    text: str,
    *,
    names: Mapping[str, str] | None = None,
    low: float | None = None,
    high: float | None = None,
) -> Any:
    """Field of a settings dataclass with its one-line help and inclusive limits.

    Parameters
    ----------
    names : mapping, optional
        Every name the setting may take → one line on it.
    """
    metadata = {"help": text, "choices": dict(names or {}), "low": low, "high": high}
    return field(default=default, metadata=metadata)


def _plain(value: Any) -> Any:
    if isinstance(value, Settings):
        return value.to_dict()
    return [_plain(item) for item in value] if isinstance(value, tuple) else value


def _coerce(name: str, value: Any, kind: Any) -> Any:
    """Value in the type of its field, from JSON or command-line text; InputError otherwise."""
    origin = typing.get_origin(kind)
    if origin is tuple:
        parts = value
        if isinstance(value, str):
            parts = value.removesuffix(",").split(",") if value.strip() else []
        if not isinstance(parts, list | tuple):
            parts = [parts]
        inner = typing.get_args(kind)[0]
        if all(type(part) is inner for part in parts):
            return tuple(parts)
        return tuple(_coerce(name, part, inner) for part in parts)
    if isinstance(kind, type) and issubclass(kind, Settings):
        if not isinstance(value, kind | Mapping):
            raise InputError(
                f"{name} = {value!r} is not a section of settings; give names and values in "
                "braces, or leave it out."
            )
        return value if isinstance(value, kind) else _section(kind, value)
    if kind is bool and isinstance(value, str):
        word = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
        value = word.get(value.lower(), value)
    if kind in (int, float) and not isinstance(value, bool):
        try:
            number = float(value)
            value = int(number) if kind is int and number.is_integer() else number
        except (TypeError, ValueError, OverflowError):
            pass
    if not isinstance(value, kind) or (kind is not bool and isinstance(value, bool)):
        raise InputError(f"{name} = {value!r} is not {_KINDS[kind]}.")
    return value


def _section(kind: type[Settings], values: Mapping[str, Any]) -> Settings:
    """Settings from a dictionary; made once of those that many runs have alike."""
    try:
        key = kind, marshal.dumps(values, 2)  # the last version in which equal values give one text
    except ValueError:  # something that JSON does not know
        return kind.from_dict(values)
    if key not in _sections:
        if len(_sections) == _SECTIONS:
            _sections.clear()
        _sections[key] = kind.from_dict(values)
    return _sections[key]


@functools.cache
def _fields(cls: type[Settings]) -> list[tuple[str, Any, tuple[Any, ...]]]:
    """Name, type and limits of every field: choices, lowest and highest value; () without any."""
    hints, found = typing.get_type_hints(cls), []
    for item in dataclasses.fields(cls):  # type: ignore[arg-type]
        limits = tuple(item.metadata.get(key) for key in ("choices", "low", "high"))
        none = not limits[0] and limits[1:] == (None, None)
        found.append((item.name, hints[item.name], () if none else limits))
    return found


def _check(
    name: str, value: Any, names: Mapping[str, str] | None, low: float | None, high: float | None
) -> None:
    if names and value not in names:
        raise InputError(f"{name} = {value!r} is not known; choose one of {', '.join(names)}.")
    if isinstance(value, float) and not math.isfinite(value):
        raise InputError(f"{name} = {value} is not a finite number; give one{_range(low, high)}.")
    if low is not None and not value >= low:
        raise InputError(f"{name} = {value} is too small; the lowest value is {_limit(low)}.")
    if high is not None and not value <= high:
        raise InputError(f"{name} = {value} is too large; the highest value is {_limit(high)}.")


def _range(low: float | None, high: float | None) -> str:
    """`` from 0 to 1`` or `` of 0 or more``, as far as there are limits."""
    if low is None or high is None:
        return "" if low is None else f" of {_limit(low)} or more"
    return f" from {_limit(low)} to {_limit(high)}"


def _limit(value: float) -> str:
    """A limit as a user would write it: whole numbers in full."""
    return str(value) if isinstance(value, int) else f"{value:g}"


class Settings:
    """Checks on construction and dictionaries, shared by every settings dataclass."""

    def __post_init__(self) -> None:
        """Check every field against its type, choices and limits."""
        for name, kind, limits in _fields(type(self)):
            value = getattr(self, name)
            if type(value) is not kind:
                value = _coerce(name, value, kind)
                object.__setattr__(self, name, value)
            if limits:
                for single in value if isinstance(value, tuple) else (value,):
                    _check(name, single, *limits)
        self.check()

    def check(self) -> None:
        """Rules between fields; overridden where there are any."""

    def to_dict(self) -> dict[str, Any]:
        """Nested dictionary of plain JSON types."""
        return {
            item.name: _plain(getattr(self, item.name))
            for item in dataclasses.fields(self)  # type: ignore[arg-type]
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> typing.Self:
        """Settings from a dictionary; unknown keys are refused by name."""
        if not isinstance(values, Mapping):
            raise InputError(
                f"{values!r} is not a table of settings; give names and values in braces, such as "
                '{"seed": 1}.'
            )
        known = [name for name, _, _ in _fields(cls)]
        unknown = sorted(set(values) - set(known), key=str)
        if unknown:
            raise InputError(
                f"Unknown setting {', '.join(map(repr, unknown))}"
                f"{nearest(unknown[0], known)}; known here are "
                f"{', '.join(known)}."
            )
        return cls(**values)
