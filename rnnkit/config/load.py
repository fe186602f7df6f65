"""A file and `--set` options -> one checked `Config`, or one error that lists everything."""

import contextlib
import glob
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from rnnkit.config.consistency import contradictions
from rnnkit.config.diagnosis import complete_tags, diagnose, suggest
from rnnkit.config.overrides import apply_override, override_origin
from rnnkit.config.reader import KeyPath, Origin, Problem, read_yaml
from rnnkit.config.schema import Config
from rnnkit.errors import ConfigError

LARGEST_FILE = 1 << 20
"""Bytes; a text given in place of a configuration is refused before it is read whole."""


def load_config(path: Path, overrides: Sequence[str] = ()) -> Config:
    """Read and check a configuration file, with `KEY=VALUE` overrides laid over it.

    `data.path` becomes absolute: relative to the file where the file names it, relative to the
    current directory where an override does. Whether the data exist is not looked at here.

    Raises ConfigError; its message holds one line for every problem.
    """
    text = _read_text(path)
    return parse_config(text, source=str(path), base=path.parent, overrides=overrides)


def parse_config(text: str, *, source: str, base: Path, overrides: Sequence[str] = ()) -> Config:
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

    values = complete_tags(values)
    config = None
    if not problems:
        config = _validate(values)
    if config is None:
        findings, remains = diagnose(values)
        known = {problem.path for problem in problems}
        problems += [
            Problem(_origin(path, origins), path, message)
            for path, message in findings
            if path not in known
        ]
        partial = _validate(remains)
        if not problems or partial is None:
            raise AssertionError(f"diagnosis and schema disagree about {source}")
    else:
        partial = config
    broken = [problem.path for problem in problems if problem.path]
    for found in contradictions(partial):
        paths = [tuple(path.split(".")) for path in (found.path, *found.beside)]
        if not any(_overlap(path, other) for path in paths for other in broken):
            problems.append(Problem(_origin(paths[0], origins), paths[0], found.message))
    problems += _path_problems(partial, origins)
    if problems or config is None:
        sources = [str(override_origin(override)) for override in overrides]
        problems.sort(
            key=lambda problem: (
                (0, problem.origin.line)
                if problem.origin.line is not None
                else (1, sources.index(problem.origin.source))
            )
        )
        raise ConfigError("\n".join(map(str, problems)))
    base = Path.cwd() if _origin(("data", "path"), origins).line is None else base
    return _with_absolute_paths(config, base)


def _validate(values: dict[str, Any]) -> Config | None:
    try:
        return Config.model_validate_json(json.dumps(values))
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


def _path_problems(config: Config, origins: dict[KeyPath, Origin]) -> list[Problem]:
    paths = (config.data.path,) if isinstance(config.data.path, str) else config.data.path
    key = ("data", "path")
    if any("\0" in path for path in paths):
        return [Problem(_origin(key, origins), key, "a file name cannot contain NUL")]
    return []


def _with_absolute_paths(config: Config, base: Path) -> Config:
    path = config.data.path
    base = base.resolve()
    absolute = (
        _absolute(path, base) if isinstance(path, str) else tuple(_absolute(p, base) for p in path)
    )
    return config.model_copy(update={"data": config.data.model_copy(update={"path": absolute})})


def _absolute(path: str, base: Path) -> str:
    """`../data/*.txt` beside `/a/[b]/configs` -> `/a/[[]b]/data/*.txt`: only what the user wrote
    as a pattern acts as one."""
    with contextlib.suppress(RuntimeError):  # `~name` of nobody: a name like any other
        path = str(Path(path).expanduser())
    root = glob.escape(str(base)) if glob.has_magic(path) else str(base)
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
