"""Everything that is wrong with the plain values of a file, one message for each path.

pydantic decides what is valid; here its verdict on single fields is turned into messages, since
its own speak of unions, tuples and tags that a user never wrote.
"""

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from rnnkit.config.base import LARGEST, Schemas, Section
from rnnkit.config.expectation import (
    SectionShape,
    annotation_of,
    choices,
    entry_annotations,
    expectation,
    found,
    is_valid,
    section_shape,
)
from rnnkit.config.source import KeyPath, read_scalar, render_path, shorten

Finding = tuple[KeyPath, str]


@dataclass(frozen=True)
class _Report:
    """What one diagnosis collects."""

    task: str
    schemas: Schemas
    findings: list[Finding]

    def add(self, path: KeyPath, message: str) -> None:
        self.findings.append((path, message))


def diagnose_task(values: Mapping[str, Any], schemas: Schemas) -> str | None:
    """What is wrong with `task`, on which everything else depends; None when nothing is."""
    task = values.get("task")
    if isinstance(task, str) and task in schemas:
        return None
    if "task" not in values:
        return f"missing; write {' or '.join(f'task: {name}' for name in schemas)}"
    return _wrong_choice(task, tuple(schemas))


def complete_tags(values: Mapping[str, Any], tree: type[Section]) -> dict[str, Any]:
    """Write the default kind into sections of several kinds that do not name theirs:
    `optimizer: {learning_rate: 0.01}` becomes `{name: adamw, learning_rate: 0.01}`."""
    return _complete(values, tree)


def _complete(values: Mapping[str, Any], section: type[Section]) -> dict[str, Any]:
    completed: dict[str, Any] = dict(values)
    for name, field in section.model_fields.items():
        value, shape = completed.get(name), section_shape(field)
        if not isinstance(value, dict) or shape is None:
            continue
        if shape.tag_key and shape.tag_key not in value and shape.default_tag:
            value = {shape.tag_key: shape.default_tag, **value}
        variant = _variant(shape, value)
        completed[name] = value if variant is None else _complete(value, variant)
    return completed


def diagnose(values: Mapping[str, Any], schemas: Schemas) -> tuple[list[Finding], dict[str, Any]]:
    """All findings, and what remains of the values when everything refused is left out.

    The remains, with placeholders for missing required keys, always make a `Config`: the one in
    which contradictions between the keys that are right can still be looked for. `task` has to be
    one of those there are.
    """
    report = _Report(values["task"], schemas, [])
    remains = _check_section(values, schemas[report.task].tree, (), "", report) or {}
    remains.setdefault("version", 1)
    remains.setdefault("training", {})
    remains["data"] = {"path": "-", **remains.get("data", {})}
    return report.findings, remains


def suggest(word: str, candidates: Iterator[str] | list[str] | tuple[str, ...]) -> str:
    """` Did you mean 'units'?`, or nothing."""
    close = difflib.get_close_matches(word[:100], list(candidates), n=1, cutoff=0.6)
    return f" Did you mean '{close[0]}'?" if close else ""


def _check_section(
    values: Mapping[str, Any],
    section: type[Section],
    path: KeyPath,
    kind: str,
    report: _Report,
    others: tuple[tuple[str, type[Section]], ...] = (),
) -> dict[str, Any] | None:
    """Check one section; None when so much is wrong that nothing of it can be used.

    `kind` is " for kind: stream" in sections of several kinds, `others` are the other kinds.
    """
    remains: dict[str, Any] = {}
    usable = True
    for key in values:
        if key not in section.model_fields:
            report.add((*path, key), _unknown_key(key, section, path, kind, others, report))
    for name, field in section.model_fields.items():
        here = (*path, name)
        if name not in values:
            if field.is_required():
                report.add(here, _missing_key(name, field, path, report.task))
                usable = usable and path in ((), ("data",))
            continue
        value, shape = values[name], section_shape(field)
        if shape is None:
            if is_valid(value, annotation_of(field)):
                remains[name] = value
            elif value and isinstance(value, dict) and (entries := entry_annotations(field)):
                _check_entries(value, entries, here, report)
            else:
                report.add(here, _wrong_value(value, annotation_of(field), name))
                usable = usable and (not field.is_required() or path in ((), ("data",)))
        elif value is None and shape.optional:
            remains[name] = None
        elif isinstance(value, dict):
            checked = _check_variant(value, shape, here, report)
            if checked is not None:
                remains[name] = checked
        else:
            report.add(here, _no_section(value, shape))
    return remains if usable else None


def _check_entries(
    value: dict[str, Any], annotations: tuple[Any, Any], path: KeyPath, report: _Report
) -> None:
    """Name the wrong entries of a field whose keys are the user's own."""
    for key, inner in value.items():
        for word, annotation in zip((key, inner), annotations, strict=True):
            if not is_valid(word, annotation):
                report.add((*path, key), _wrong_value(word, annotation, ""))
                break


def _check_variant(
    value: dict[str, Any], shape: SectionShape, path: KeyPath, report: _Report
) -> dict[str, Any] | None:
    variant = _variant(shape, value)
    if variant is None:
        tag = value.get(shape.tag_key)
        report.add((*path, shape.tag_key), _wrong_choice(tag, tuple(shape.variants)))
        return None
    if not shape.tag_key:
        return _check_section(value, variant, path, "", report)
    tag = value[shape.tag_key]
    others = tuple((t, s) for t, s in shape.variants.items() if t != tag)
    return _check_section(value, variant, path, f"{shape.tag_key}: {tag}", report, others)


def _variant(shape: SectionShape, value: Mapping[str, Any]) -> type[Section] | None:
    tag = value.get(shape.tag_key, "") if shape.tag_key else ""
    return shape.variants.get(tag) if isinstance(tag, str) else None


def _unknown_key(
    key: str,
    section: type[Section],
    path: KeyPath,
    kind: str,
    others: tuple[tuple[str, type[Section]], ...],
    report: _Report,
) -> str:
    tag_key = kind.partition(":")[0]
    homes = [tag for tag, other in others if key in other.model_fields]
    if homes:
        return f"no such key beside {kind}; it goes with {tag_key}: {' or '.join(homes)}"
    message = "unknown key."
    if "." in key:
        nested = ": {".join(key.split(".")) + ": ..." + "}" * key.count(".")
        return f"{message} Keys are nested in a file: {shorten(nested)}"
    for other, schema in report.schemas.items():
        if other != report.task and (*path, key) in _all_paths(schema.tree, ()):
            return f"is a key of task: {other}; this is task: {report.task}"
    if hint := suggest(key, list(section.model_fields)):
        return message + hint
    own = _all_paths(report.schemas[report.task].tree, ())
    if elsewhere := [p for p in own if p[-1] == key and p[:-1] != path]:
        return f"{message} Did you mean '{render_path(elsewhere[0])}'?"
    beside = f" beside {kind}" if kind else ""
    return f"{message} Known here{beside}: {', '.join(section.model_fields)}"


def _all_paths(section: type[Section], path: KeyPath) -> Iterator[KeyPath]:
    for name, field in section.model_fields.items():
        yield (*path, name)
        if shape := section_shape(field):
            for variant in shape.variants.values():
                yield from _all_paths(variant, (*path, name))


def _missing_key(name: str, field: Any, path: KeyPath, task: str) -> str:
    match (*path, name):
        case ("version",):
            return "missing; write version: 1"
        case ("data", "path"):
            what = "labelled texts" if task == "sentiment" else "text file"
            return f"missing; give the {what} to learn from"
    if section_shape(field) is not None:
        return "missing; this section is needed"
    return f"missing; expected {expectation(annotation_of(field))}"


def _no_section(value: object, shape: SectionShape) -> str:
    keys = next(iter(shape.variants.values())).model_fields
    known = f"{shape.tag_key}: {' or '.join(shape.variants)}" if shape.tag_key else ", ".join(keys)
    message = f"expected a section ({known}), found {found(value)}"
    if value is None:
        return f"{message}; leave the key away for the defaults"
    if isinstance(value, str) and value in shape.variants:
        return f"{message}; write {{{shape.tag_key}: {value}}}"
    return message


def _wrong_choice(value: object, allowed: tuple[str, ...]) -> str:
    message = f"expected one of {', '.join(allowed)}, found {found(value)}."
    if isinstance(value, str):
        message += suggest(value.lower(), allowed)
    return message.rstrip(".")


def _wrong_value(value: object, annotation: Any, name: str) -> str:
    expected = expectation(annotation)
    message = f"expected {expected}, found {found(value)}"
    allowed = choices(annotation)
    if name == "version":
        return f"expected 1, the version of the format that this rnnkit reads, found {found(value)}"
    if isinstance(value, str):
        if allowed:
            return message + (f".{hint}" if (hint := suggest(value.lower(), allowed)) else "")
        try:
            if is_valid(read_scalar(value), annotation):
                return f"{message}; remove the quotes"
        except ValueError:
            pass
    elif is_valid(str(value), annotation) and not isinstance(value, (dict, list)):
        return f"{message}; put it in quotes"
    elif isinstance(value, float) and value.is_integer() and is_valid(int(value), annotation):
        return f"{message}; write {int(value)}"
    elif isinstance(value, int) and value > LARGEST and "whole number" in expected:
        return f"{message}, which is more than {LARGEST}"
    return message
