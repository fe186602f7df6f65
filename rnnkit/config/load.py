"""A file and `--set` options -> one checked `Config`, or one error that lists everything."""

import contextlib
import glob
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from rnnkit.config.base import Schemas, Section
from rnnkit.config.messages import complete_tags, diagnose, diagnose_task, suggest
from rnnkit.config.overrides import apply_override, override_origin
from rnnkit.config.source import KeyPath, Origin, Problem, read_yaml
from rnnkit.errors import ConfigError

_PATTERNS = (("data", "path"), ("data", "validation_path"), ("data", "test_path"))
_FILES = (("model", "embedding", "path"), ("model", "input", "path"), ("training", "init_from"))
"""Keys that hold paths: those that may be glob patterns, and those that name one file."""

LARGEST_FILE = 1 << 20
"""Bytes; a text given in place of a configuration is refused before it is read whole."""


def load_config(path: Path, overrides: Sequence[str], schemas: Schemas) -> Section:
    """Read and check a configuration file, with `KEY=VALUE` overrides laid over it.

    Paths become absolute: relative to the file where the file names them, relative to the
    current directory where an override does. Whether they exist is not looked at here.

    Raises ConfigError; its message holds one line for every problem.
    """
    text = _read_text(path)
    return parse_config(
        text, source=str(path), base=path.parent, overrides=overrides, schemas=schemas
    )


def parse_config(
    text: str, *, source: str, base: Path, overrides: Sequence[str], schemas: Schemas
) -> Section:
    """The same for a text: `source` names it in messages, `base` is what paths are relative to."""
    document = read_yaml(text, source=source)
    start = document.origins[()]
    if document.value is None and not document.problems:
        raise ConfigError(f"{source}: empty; expected a configuration that begins with version: 1")
    if not isinstance(document.value, dict):
        problems = document.problems or (
            Problem(start, (), "expected KEY: VALUE lines beginning with version: 1"),
        )
        raise ConfigError("\n".join(map(str, problems)))
    values: dict[str, Any] = document.value
    origins = dict(document.origins)
    problems = list(document.problems)
    for override in overrides:
        problems += apply_override(values, origins, override)
    _refuse_other_versions(values.get("version"), _origin(("version",), origins))
    if wrong_task := diagnose_task(values, schemas):
        problem = Problem(_origin(("task",), origins), ("task",), wrong_task)
        known = [known for known in problems if known.path != ("task",)]
        raise _error([*known, problem], overrides)

    schema = schemas[values["task"]]
    values = complete_tags(values, schema.tree)
    config = None
    if not problems:
        config = _validate(values, schema.tree)
    if config is None:
        findings, remains = diagnose(values, schemas)
        known = {problem.path for problem in problems}
        problems += [
            Problem(_origin(path, origins), path, message)
            for path, message in findings
            if path not in known
        ]
        partial = _validate(remains, schema.tree)
        if not problems or partial is None:
            raise AssertionError(f"diagnosis and schema disagree about {source}")
    else:
        partial = config
    broken = [problem.path for problem in problems if problem.path]
    for found in schema.contradictions(partial):
        paths = [tuple(path.split(".")) for path in (found.path, *found.beside)]
        if not any(_overlap(path, other) for path in paths for other in broken):
            problems.append(Problem(_origin(paths[0], origins), paths[0], found.message))
    problems += _path_problems(partial, origins)
    if problems or config is None:
        raise _error(problems, overrides)
    return _with_absolute_paths(config, base, origins)


def _error(problems: list[Problem], overrides: Sequence[str]) -> ConfigError:
    """One line for each problem, in the order of the file and then of the overrides."""
    sources = [str(override_origin(override)) for override in overrides]
    problems.sort(
        key=lambda problem: (
            (0, problem.origin.line)
            if problem.origin.line is not None
            else (1, sources.index(problem.origin.source))
        )
    )
    return ConfigError("\n".join(map(str, problems)))


def _validate(values: dict[str, Any], tree: type[Section]) -> Section | None:
    try:
        return tree.model_validate_json(json.dumps(values))
    except ValidationError:
        return None


def _refuse_other_versions(version: object, origin: Origin) -> None:
    """A newer file may mean anything by its other keys: nothing else is worth saying."""
    if isinstance(version, int) and not isinstance(version, bool) and version > 1:
        raise ConfigError(
            f"{origin}: version: found {version}, this rnnkit reads version 1; "
            "a newer rnnkit is needed"
        )


def _origin(path: KeyPath, origins: dict[KeyPath, Origin]) -> Origin:
    """Where a key stands; for one that is missing, where its section stands."""
    while path not in origins:
        path = path[:-1]
    return origins[path]


def _overlap(path: KeyPath, other: KeyPath) -> bool:
    shorter = min(len(path), len(other))
    return path[:shorter] == other[:shorter]


def _path_problems(config: Section, origins: dict[KeyPath, Origin]) -> list[Problem]:
    return [
        Problem(_origin(key, origins), key, "a file name cannot contain NUL")
        for key in (*_PATTERNS, *_FILES)
        if any("\0" in path for path in _paths_at(config, key))
    ]


def _paths_at(config: Section, key: KeyPath) -> tuple[str, ...]:
    """What a key holds; nothing where it is null or the chosen kind of section has no such key."""
    value: Any = config
    for name in key:
        value = getattr(value, str(name), None)
    return (value,) if isinstance(value, str) else value or ()


def _with_absolute_paths(config: Section, base: Path, origins: dict[KeyPath, Origin]) -> Section:
    for key in (*_PATTERNS, *_FILES):
        if paths := _paths_at(config, key):
            folder = (Path.cwd() if _origin(key, origins).line is None else base).resolve()
            absolute = tuple(_absolute(path, folder, key in _PATTERNS) for path in paths)
            config = _replaced(config, key, absolute)
    return config


S = TypeVar("S", bound=Section)


def _replaced(section: S, key: tuple[str, ...], paths: tuple[str, ...]) -> S:
    """A copy with other paths at `key`, a single one where there was a single one."""
    name, *rest = key
    value = getattr(section, name)
    if rest:
        new: object = _replaced(value, tuple(rest), paths)
    else:
        new = paths[0] if isinstance(value, str) else paths
    return section.model_copy(update={name: new})


def _absolute(path: str, base: Path, is_pattern: bool) -> str:
    """`../data/*.txt` beside `/a/[b]/configs` -> `/a/[[]b]/data/*.txt`: only what the user wrote
    as a pattern acts as one."""
    with contextlib.suppress(RuntimeError):  # `~name` of nobody: a name like any other
        path = str(Path(path).expanduser())
    root = glob.escape(str(base)) if is_pattern and glob.has_magic(path) else str(base)
    return os.path.normpath(Path(root) / path)


def _read_text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST_FILE + 1)
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file{_similar(path)}") from None
    except IsADirectoryError:
        raise ConfigError(f"{path}: a directory; expected a configuration file") from None
    except PermissionError:
        raise ConfigError(f"{path}: no permission to read it") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ConfigError(f"{path}: cannot be read: {reason}") from None
    if len(content) > LARGEST_FILE:
        raise ConfigError(f"{path}: larger than 1 MiB; expected a configuration file")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ConfigError(
            f"{path}:{line}: not UTF-8 (byte 0x{content[error.start]:02x}); save the file as UTF-8"
        ) from None


def _similar(path: Path) -> str:
    try:
        names = sorted(p.name for p in path.parent.glob("*.y*ml"))
    except (OSError, ValueError):
        return ""
    hint = suggest(path.name, names)
    return f".{hint}" if hint else ""
