"""Checks of values that were read from JSON; each says what is wrong."""

from collections.abc import Mapping
from typing import Any


def read_mapping(value: object, keys: set[str], name: str) -> Mapping[str, Any]:
    """`value` as a mapping with exactly these keys; raises ValueError otherwise."""
    if not isinstance(value, dict) or set(value) != keys:
        raise ValueError(f"{name} is not an object with exactly {', '.join(sorted(keys))}")
    return value


def read_choice(value: object, allowed: tuple[str, ...], name: str) -> Any:
    """`value` as one of `allowed`; raises ValueError otherwise."""
    if not isinstance(value, str) or value not in allowed:
        raise ValueError(f"{name} is {value!r} and not one of {', '.join(allowed)}")
    return value


def read_flag(value: object, name: str) -> bool:
    """`value` as true or false; raises ValueError otherwise."""
    if not isinstance(value, bool):
        raise ValueError(f"{name} is {value!r} and not true or false")
    return value
