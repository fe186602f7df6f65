"""`--set model.units=512`: values laid over those of a file, before anything is checked."""

import re
from typing import Any

from rnnkit.config.expectation import found
from rnnkit.config.source import (
    KeyPath,
    Origin,
    Problem,
    read_override,
    render_path,
    shorten,
)
from rnnkit.errors import ConfigError

_EXAMPLE = "write --set KEY=VALUE, for example --set model.units=512"


def override_origin(override: str) -> Origin:
    """How messages name an override: as it was typed, cut when it is long."""
    return Origin(shorten(f"--set {override}", 100))


def apply_override(
    values: dict[str, Any], origins: dict[KeyPath, Origin], override: str
) -> list[Problem]:
    """Lay one `--set` over the values, in place; sections that are not there are made.

    The value of a key replaces the former one as a whole; `training.optimizer.name=sgd` therefore
    keeps the other keys of the optimizer and `training.optimizer={name: sgd}` drops them.
    """
    origin = override_origin(override)
    key, equals, text = override.partition("=")
    key = key.strip()
    if not equals:
        return [Problem(origin, (), f"no '='; {_EXAMPLE}")]
    parts = tuple(key.split("."))
    if not all(re.fullmatch(r"[^\s.=]+", part) and part.isprintable() for part in parts):
        named = f"{shorten(key)!r} is not the path of a key" if key else "no key before the '='"
        return [Problem(origin, (), f"{named}; {_EXAMPLE}")]
    if not text.strip():
        return [
            Problem(origin, parts, "no value after the '='; null is none, '\"\"' an empty text")
        ]
    try:
        document = read_override(text, source=str(origin))
    except ConfigError as error:
        return [Problem(origin, parts, str(error).removeprefix(f"{origin}: "))]
    section = values
    for depth, part in enumerate(parts[:-1], start=1):
        inner = section.get(part)
        if inner is None:
            origins[parts[:depth]] = origin
            inner = section[part] = {}
        elif not isinstance(inner, dict):
            return [
                Problem(
                    origin,
                    parts,
                    f"{render_path(parts[:depth])} is no section but "
                    f"{found(inner)}; set it as a whole",
                )
            ]
        section = inner
    section[parts[-1]] = document.value
    for path in [path for path in origins if path[: len(parts)] == parts]:
        del origins[path]
    for path in document.origins:
        origins[parts + path] = origin
    return [Problem(p.origin, parts + p.path, p.message) for p in document.problems]
