"""A file and `--set` options -> one checked `Config`, or one error that lists everything."""

import contextlib
import difflib
import glob
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

from rnnkit.config.base import Section
from rnnkit.config.messages import (
    Findings,
    check,
    check_task,
    common_findings,
    found,
)
from rnnkit.config.rules import Schema, Schemas, contradictions
from rnnkit.config.source import (
    KeyPath,
    Origin,
    Problem,
    read_override,
    read_yaml,
    render_path,
    shorten,
)
from rnnkit.errors import ConfigError

_PATTERNS = (("data", "path"), ("data", "validation_path"), ("data", "test_path"))
_FILES = (("model", "embedding", "path"), ("model", "input", "path"), ("training", "init_from"))
"""Keys that hold paths: those that may be glob patterns, and those that name one file."""

_EXAMPLE = "write --set KEY=VALUE, for example --set model.units=512"

LARGEST_FILE = 1 << 20
"""Bytes; a text given in place of a configuration is refused before it is read whole."""


def load_config(path: Path, overrides: Sequence[str], schemas: Schemas) -> Section:
    """Read and check a configuration file, changed by `KEY=VALUE` overrides.

    Paths become absolute: relative to the file where the file names them, relative to the
    current directory where an override does. Whether they exist is not checked here.

    Raises ConfigError; its message holds one line for every problem.
    """
    text = _read_text(path)
    return parse_config(
        text, source=str(path), base=path.parent, overrides=overrides, schemas=schemas
    )


def parse_config(
    text: str, *, source: str, base: Path, overrides: Sequence[str], schemas: Schemas
) -> Section:
    """Check a configuration given as text: `source` names it in messages, paths are relative to
    `base`. Raises ConfigError."""
    values, origins, problems = _read_values(text, source, overrides)
    _refuse_other_versions(values.get("version"), _origin(("version",), origins))
    if wrong_task := check_task(values, schemas):
        findings = {("task",): wrong_task, **common_findings(values, schemas)}
        raise _error(_with_findings(problems, findings, origins), overrides)
    task = values["task"]
    problems += _replace_former_keys(values, origins, schemas[task])
    config, findings = check(values, task, schemas)
    problems = _with_findings(problems, findings, origins)
    broken = [problem.path for problem in problems if problem.path]
    for rule in contradictions(config, schemas[task].rules):
        paths = (rule.path, *rule.beside)
        if not any(_overlap(path, other) for path in paths for other in broken):
            problems.append(Problem(_origin(rule.path, origins), rule.path, rule.message))
    problems += _path_problems(config, origins)
    if problems:
        raise _error(problems, overrides)
    return _with_absolute_paths(config, base, origins)


Origins = dict[KeyPath, Origin]


def _read_values(
    text: str, source: str, overrides: Sequence[str]
) -> tuple[dict[str, Any], Origins, list[Problem]]:
    """Return the values of the file and the overrides, where each came from, and problems."""
    document = read_yaml(text, source=source)
    if document.value is None and not document.problems:
        raise ConfigError(f"{source}: empty; expected a configuration that begins with version: 1")
    if not isinstance(document.value, dict):
        expected = "expected KEY: VALUE lines beginning with version: 1"
        problems = document.problems or (Problem(document.origins[()], (), expected),)
        raise ConfigError("\n".join(map(str, problems)))
    values: dict[str, Any] = document.value
    origins, problems = dict(document.origins), list(document.problems)
    for override in overrides:
        problems += _apply_override(values, origins, override)
    return values, origins, problems


def _replace_former_keys(values: dict[str, Any], origins: Origins, schema: Schema) -> list[Problem]:
    """Give keys in a former spelling their name, in place, and drop switches that are off."""
    problems: list[Problem] = []
    for former, new in (*schema.former.items(), *((key, "") for key in schema.gone)):
        *parents, key = former.split(".")
        section: Any = values
        for name in parents:
            section = section.get(name) if isinstance(section, dict) else None
        if not isinstance(section, dict) or key not in section:
            continue
        name = new.rpartition(".")[2]
        origin = origins[*parents, key]
        if not new:
            if section[key] is False:
                del section[key]
        elif name in section:
            problems.append(Problem(origin, (*parents, key), f"is {name} too; give one of them"))
        else:
            section[name], origins[*parents, name] = section.pop(key), origin
    return problems


def _with_findings(problems: list[Problem], findings: Findings, origins: Origins) -> list[Problem]:
    """Add what was found, but nothing about a key that could not be read."""
    known = {problem.path for problem in problems}
    return problems + [
        Problem(_origin(path, origins), path, message)
        for path, message in findings.items()
        if path not in known
    ]


def _override_origin(override: str) -> Origin:
    """Return the name of an override in messages: as it was typed, cut when it is long."""
    return Origin(shorten(f"--set {override}", 100))


def _apply_override(values: dict[str, Any], origins: Origins, override: str) -> list[Problem]:
    """Apply one `--set` to the values, in place; missing sections are made.

    The value of a key replaces the former one as a whole; `training.optimizer.name=sgd` therefore
    keeps the other keys of the optimizer and `training.optimizer={name: sgd}` drops them.
    """
    origin = _override_origin(override)
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


def _error(problems: list[Problem], overrides: Sequence[str]) -> ConfigError:
    """Return an error with a line for each problem: those of the file, then of the overrides."""
    sources = [str(_override_origin(override)) for override in overrides]
    problems.sort(
        key=lambda problem: (
            (0, problem.origin.line)
            if problem.origin.line is not None
            else (1, sources.index(problem.origin.source))
        )
    )
    return ConfigError("\n".join(map(str, problems)))


def _refuse_other_versions(version: object, origin: Origin) -> None:
    """Refuse a newer version by itself: the other keys of such a file may mean anything."""
    if isinstance(version, int) and not isinstance(version, bool) and version > 1:
        raise ConfigError(
            f"{origin}: version: found {version}, this rnnkit reads version 1; "
            "a newer rnnkit is needed"
        )


def _origin(path: KeyPath, origins: Origins) -> Origin:
    """Return the place of a key; of a missing one, the place of its section."""
    while path not in origins:
        path = path[:-1]
    return origins[path]


def _overlap(path: KeyPath, other: KeyPath) -> bool:
    shorter = min(len(path), len(other))
    return path[:shorter] == other[:shorter]


def _path_problems(config: Section, origins: Origins) -> list[Problem]:
    return [
        Problem(_origin(key, origins), key, "a file name cannot contain NUL")
        for key in (*_PATTERNS, *_FILES)
        if any("\0" in path for path in _paths_at(config, key))
    ]


def _paths_at(config: Section, key: KeyPath) -> tuple[str, ...]:
    """Return the paths of a key; none where it is null or the kind of section has no such key."""
    value: Any = config
    for name in key:
        value = getattr(value, str(name), None)
    return (value,) if isinstance(value, str) else value or ()


def _with_absolute_paths(config: Section, base: Path, origins: Origins) -> Section:
    for key in (*_PATTERNS, *_FILES):
        if paths := _paths_at(config, key):
            folder = (Path.cwd() if _origin(key, origins).line is None else base).resolve()
            absolute = tuple(_absolute(path, folder, key in _PATTERNS) for path in paths)
            config = _replaced(config, key, absolute)
    return config


S = TypeVar("S", bound=Section)


def _replaced(section: S, key: tuple[str, ...], paths: tuple[str, ...]) -> S:
    """Return a copy with other paths at `key`, a single one where there was a single one."""
    name, *rest = key
    value = getattr(section, name)
    if rest:
        new: object = _replaced(value, tuple(rest), paths)
    else:
        new = paths[0] if isinstance(value, str) else paths
    return section.model_copy(update={name: new})


def _absolute(path: str, base: Path, is_pattern: bool) -> str:
    """Make a path absolute; only what the user wrote as a pattern acts as one.

    `../data/*.txt` in `/a/[b]/configs` -> `/a/[[]b]/data/*.txt`
    """
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
    stems = {Path(name).stem: name for name in names}
    close = difflib.get_close_matches(path.stem[:100], stems, n=1, cutoff=0.7)
    return f". Did you mean '{stems[close[0]]}'?" if close else ""
