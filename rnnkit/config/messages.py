"""pydantic's verdict on the values of a file in a user's words: one message for each key."""

import copy
import difflib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from rnnkit.config.base import LARGEST, Section
from rnnkit.config.fields import (
    SectionShape,
    annotation_of,
    choices,
    entry_annotations,
    expectation,
    is_valid,
    section_shape,
)
from rnnkit.config.rules import Schemas
from rnnkit.config.source import KeyPath, read_scalar, render_path, shorten

Findings = dict[KeyPath, str]

_PLACEHOLDERS: dict[KeyPath, Any] = {
    ("version",): 1,
    ("data",): {"path": "-"},
    ("data", "path"): "-",
    ("training",): {},
}
"""Stand in for required keys that are missing or wrong, so that the rest can be checked."""


def suggest(word: str, candidates: Iterable[str]) -> str:
    """Return ` Did you mean 'units'?` for the closest candidate, "" when none is close."""
    close = difflib.get_close_matches(word[:100], list(candidates), n=1, cutoff=0.7)
    return f" Did you mean '{close[0]}'?" if close else ""


def found(value: object) -> str:
    """Return a value as the user wrote it, for the end of a message."""
    match value:
        case None:
            return "nothing (null)"
        case dict():
            return "a section" if value else "an empty section"
        case str():
            return shorten(repr(value))
        case _:
            return shorten(json.dumps(value, ensure_ascii=False))


def check_task(values: Mapping[str, Any], schemas: Schemas) -> str | None:
    """Return what is wrong with `task`, on which everything else depends; None for nothing."""
    task = values.get("task")
    if isinstance(task, str) and task in schemas:
        return None
    names = list(dict.fromkeys(schema.names[0] for schema in schemas.values()))
    if "task" not in values:
        return f"missing; write {' or '.join(f'task: {name}' for name in names)}"
    return _wrong_choice(task, names, also=schemas)


def common_findings(values: Mapping[str, Any], schemas: Schemas) -> Findings:
    """Return what is wrong with values without a task, whatever their task may be."""
    each = [
        check({**values, "task": schema.names[0]}, schema.names[0], schemas)[1]
        for schema in dict.fromkeys(schemas.values())
    ]
    common: Findings = {}
    for path, message in each[0].items():
        messages = {findings.get(path, "") for findings in each}
        problems = {re.split("[.;]", text)[0] for text in messages}  # without the advice
        if len(problems) == 1:
            common[path] = message if len(messages) == 1 else problems.pop()
    return common


def complete_tags(values: Mapping[str, Any], tree: type[Section]) -> dict[str, Any]:
    """Write the default kind into sections of several kinds that do not name theirs:
    `optimizer: {learning_rate: 0.01}` becomes `{name: adamw, learning_rate: 0.01}`."""
    completed = dict(values)
    for name, field in tree.model_fields.items():
        value, shape = completed.get(name), section_shape(field)
        if not isinstance(value, dict) or shape is None:
            continue
        if shape.tag_key and shape.tag_key not in value:
            value = {shape.tag_key: shape.default_tag, **value}
        variant = _variant(shape, value)
        completed[name] = value if variant is None else complete_tags(value, variant)
    return completed


def check(values: Mapping[str, Any], task: str, schemas: Schemas) -> tuple[Section, Findings]:
    """Check the values of a file against the tree of its task.

    Returns:
        A configuration and what is wrong. With findings, the configuration holds what is right,
        and defaults or placeholders for the rest: rules between keys can still be checked.
    """
    schema = schemas[task]
    remaining = complete_tags(copy.deepcopy(dict(values)), schema.tree)
    findings: Findings | None = None
    while True:
        try:
            return schema.tree.model_validate_json(json.dumps(remaining)), findings or {}
        except ValidationError as error:
            details = error.errors(include_url=False, include_input=False)
        places = [_locate(detail, schema.tree, remaining) for detail in details]
        if findings is None:
            findings = {}
            for place in places:
                findings.setdefault(place.path, _message(place, task, schemas))
        for place in places:
            _repair(remaining, place.unusable)


# -------------------------------------------------------------------------- what pydantic found


@dataclass(frozen=True)
class _Place:
    """One of pydantic's errors: the key it is about, as a user knows it."""

    error: str
    """pydantic's name of the error: missing, extra_forbidden, union_tag_invalid, ..."""
    path: KeyPath
    unusable: KeyPath
    """What cannot stay: the key, or the section that lacks a key or is of no kind there is."""
    section: type[Section]
    """The section that holds the key, or that it is missing from."""
    beside: str
    """`kind: stream` in sections of several kinds."""
    others: Mapping[str, type[Section]]
    """The other kinds of that section, by tag."""
    annotation: Any
    """Type of the value; None for unknown keys."""
    field: FieldInfo | None
    value: object


def _locate(detail: ErrorDetails, tree: type[Section], values: Mapping[str, Any]) -> _Place:
    """Follow pydantic's location, which also names the tags and members of unions."""
    section, beside, others = tree, "", {}
    path: KeyPath = ()
    value: Any = values
    field, annotation = None, None
    rest = list(detail["loc"])
    while rest:
        name = str(rest.pop(0))
        path, value = (*path, name), value.get(name) if isinstance(value, dict) else None
        field = section.model_fields.get(name)
        if field is None:
            break
        annotation, shape = annotation_of(field), section_shape(field)
        if shape is None:
            entries = entry_annotations(annotation)
            if entries and rest and isinstance(value, dict):
                key = str(rest.pop(0))
                is_key = "[key]" in rest
                path, annotation = (*path, key), entries[0 if is_key else 1]
                value = key if is_key else value.get(key)
            break
        if not rest:
            break
        tag = str(rest.pop(0)) if shape.tag_key else ""
        section = shape.variants[tag]
        beside = f"{shape.tag_key}: {tag}" if tag else ""
        others = {other: kind for other, kind in shape.variants.items() if other != tag}
    error, unusable = detail["type"], path
    if error == "missing" and path not in _PLACEHOLDERS:
        unusable = path[:-1]
    shape = None if field is None else section_shape(field)
    if shape is not None and shape.tag_key and isinstance(value, dict):
        path, value = (*path, shape.tag_key), value.get(shape.tag_key)
    return _Place(error, path, unusable, section, beside, others, annotation, field, value)


def _repair(values: dict[str, Any], path: KeyPath) -> None:
    """Put a placeholder at a key that cannot stay, or remove it."""
    new = _PLACEHOLDERS.get(path)
    section: Any = values
    for name in path[:-1]:
        section = section.get(name) if isinstance(section, dict) else None
    if not isinstance(section, dict):
        return  # removed with a section around it
    section.pop(path[-1], None)
    if new is not None:
        section[path[-1]] = dict(new) if isinstance(new, dict) else new


# ------------------------------------------------------------------------------------ messages


def _message(place: _Place, task: str, schemas: Schemas) -> str:
    shape = section_shape(place.field) if place.field is not None else None
    match place.error:
        case "extra_forbidden":
            return _unknown_key(place, task, schemas)
        case "missing":
            return _missing_key(place, shape, schemas[task].missing)
        case _ if place.path == ("version",):
            expected = "expected 1, the version of the format that this rnnkit reads"
            return f"{expected}, found {found(place.value)}"
        case "union_tag_invalid" | "union_tag_not_found" if shape is not None:
            return _wrong_choice(place.value, shape.variants)
        case _ if shape is not None:
            return _no_section(place.value, shape)
        case _:
            return _wrong_value(place.value, place.annotation)


def _unknown_key(place: _Place, task: str, schemas: Schemas) -> str:
    schema, name = schemas[task], str(place.path[-1])
    if reason := schema.gone.get(render_path(place.path)):
        return reason
    homes = [tag for tag, other in place.others.items() if name in other.model_fields]
    if homes:
        tag_key = place.beside.partition(":")[0]
        return f"no such key beside {place.beside}; it goes with {tag_key}: {' or '.join(homes)}"
    message = "unknown key."
    if "." in name:
        nested = ": {".join(name.split(".")) + ": ..." + "}" * name.count(".")
        return f"{message} Keys are nested in a file: {shorten(nested)}"
    for other in schemas.values():
        if other is not schema and place.path in _all_paths(other.tree, ()):
            return f"is a key of task: {other.names[0]}; this is task: {task}"
    if hint := suggest(name, place.section.model_fields):
        return message + hint
    elsewhere = (path for path in _all_paths(schema.tree, ()) if path[-1] == name)
    if path := next((path for path in elsewhere if path != place.path), None):
        return f"{message} Did you mean '{render_path(path)}'?"
    beside = f" beside {place.beside}" if place.beside else ""
    return f"{message} Known here{beside}: {', '.join(place.section.model_fields)}"


def _all_paths(section: type[Section], path: KeyPath) -> Iterator[KeyPath]:
    for name, field in section.model_fields.items():
        yield (*path, name)
        if shape := section_shape(field):
            for variant in shape.variants.values():
                yield from _all_paths(variant, (*path, name))


def _missing_key(place: _Place, shape: SectionShape | None, missing: Mapping[str, str]) -> str:
    path = render_path(place.path)
    needed = {key: what for key, what in missing.items() if key.startswith(path)}
    if path in needed:
        return f"missing; give {needed[path]}"
    match path:
        case "version":
            return "missing; write version: 1"
        case "training":
            return "missing; this section needs max_epochs, max_steps or max_minutes"
        case _ if needed:
            keys = " and ".join(f"{key}, {what}" for key, what in needed.items())
            return f"missing; this section needs {keys}"
        case _ if shape is not None:
            return "missing; this section is needed"
        case _:
            return f"missing; expected {expectation(place.annotation)}"


def _no_section(value: object, shape: SectionShape) -> str:
    keys = next(iter(shape.variants.values())).model_fields
    known = f"{shape.tag_key}: {' or '.join(shape.variants)}" if shape.tag_key else ", ".join(keys)
    message = f"expected a section ({known}), found {found(value)}"
    if value is None:
        return f"{message}; leave it out for the defaults"
    if isinstance(value, str) and value in shape.variants:
        return f"{message}; write {{{shape.tag_key}: {value}}}"
    return message


def _wrong_choice(value: object, allowed: Iterable[str], *, also: Iterable[str] = ()) -> str:
    """`also` are other spellings that are accepted."""
    names = list(allowed)
    expected = f"one of {', '.join(names)}" if len(names) > 1 else names[0]
    hint = suggest(value.lower(), [*names, *also]) if isinstance(value, str) else ""
    return f"expected {expected}, found {found(value)}" + (f".{hint}" if hint else "")


def _wrong_value(value: object, annotation: Any) -> str:
    message = f"expected {expectation(annotation)}, found {found(value)}"
    if isinstance(value, str):
        if allowed := choices(annotation):
            return message + (f".{hint}" if (hint := suggest(value.lower(), allowed)) else "")
        try:
            if value and is_valid(read_scalar(value), annotation):
                return f"{message}; remove the quotes"
        except ValueError:
            pass
    elif not isinstance(value, dict | list) and is_valid(str(value), annotation):
        return f"{message}; put it in quotes"
    elif isinstance(value, float) and value.is_integer() and is_valid(int(value), annotation):
        return f"{message}; write {int(value)}"
    elif isinstance(value, int) and value > LARGEST and "whole number" in message:
        return f"{message}, which is more than {LARGEST}"
    return message


def _variant(shape: SectionShape, value: Mapping[str, Any]) -> type[Section] | None:
    tag = value.get(shape.tag_key, "") if shape.tag_key else ""
    return shape.variants.get(tag) if isinstance(tag, str) else None
