"""Everything that is wrong with the plain values of a file, one message for each path.

pydantic decides what is valid; here its verdict on single fields is turned into messages, since
its own speak of unions, tuples and tags that a user never wrote.
"""

import difflib
from collections.abc import Iterator, Mapping
from typing import Any

from rnnkit.config.expectation import (
    SectionShape,
    annotation_of,
    choices,
    expectation,
    found,
    is_valid,
    section_shape,
)
from rnnkit.config.reader import KeyPath, read_scalar, render_path, shorten
from rnnkit.config.schema import LARGEST, Config, Section

Finding = tuple[KeyPath, str]


def complete_tags(values: Mapping[str, Any], section: type[Section] = Config) -> dict[str, Any]:
    """Write the default kind into sections of several kinds that do not name theirs:
    `optimizer: {learning_rate: 0.01}` becomes `{name: adamw, learning_rate: 0.01}`."""
    completed: dict[str, Any] = dict(values)
    for name, field in section.model_fields.items():
        value, shape = completed.get(name), section_shape(field)
        if not isinstance(value, dict) or shape is None:
            continue
        if shape.tag_key and shape.tag_key not in value and shape.default_tag:
            value = {shape.tag_key: shape.default_tag, **value}
        variant = _variant(shape, value)
        completed[name] = value if variant is None else complete_tags(value, variant)
    return completed


def diagnose(values: Mapping[str, Any]) -> tuple[list[Finding], dict[str, Any]]:
    """All findings, and what remains of the values when everything refused is left out.

    The remains, with placeholders for missing required keys, always make a `Config`: the one in
    which contradictions between the keys that are right can still be looked for.
    """
    findings: list[Finding] = []
    remains = _check_section(values, Config, (), "", findings) or {}
    remains.setdefault("version", 1)
    remains.setdefault("task", "char_generation")
    remains.setdefault("training", {})
    remains["data"] = {"path": "-", **remains.get("data", {})}
    return findings, remains


def suggest(word: str, candidates: Iterator[str] | list[str] | tuple[str, ...]) -> str:
    """` Did you mean 'units'?`, or nothing."""
    close = difflib.get_close_matches(word[:100], list(candidates), n=1, cutoff=0.6)
    return f" Did you mean '{close[0]}'?" if close else ""


def _check_section(
    values: Mapping[str, Any],
    section: type[Section],
    path: KeyPath,
    kind: str,
    findings: list[Finding],
    others: tuple[tuple[str, type[Section]], ...] = (),
) -> dict[str, Any] | None:
    """Check one section; None when so much is wrong that nothing of it can be used.

    `kind` is " for kind: stream" in sections of several kinds, `others` are the other kinds.
    """
    remains: dict[str, Any] = {}
    usable = True
    for key in values:
        if key not in section.model_fields:
            findings.append(((*path, key), _unknown_key(key, section, path, kind, others)))
    for name, field in section.model_fields.items():
        here = (*path, name)
        if name not in values:
            if field.is_required():
                findings.append((here, _missing_key(name, field, path)))
                usable = usable and path in ((), ("data",))
            continue
        value, shape = values[name], section_shape(field)
        if shape is None:
            if is_valid(value, field):
                remains[name] = value
            else:
                findings.append((here, _wrong_value(value, field, name)))
                usable = usable and (not field.is_required() or path in ((), ("data",)))
        elif value is None and shape.optional:
            remains[name] = None
        elif isinstance(value, dict):
            checked = _check_variant(value, shape, here, findings)
            if checked is not None:
                remains[name] = checked
        else:
            findings.append((here, _no_section(value, shape)))
    return remains if usable else None


def _check_variant(
    value: dict[str, Any], shape: SectionShape, path: KeyPath, findings: list[Finding]
) -> dict[str, Any] | None:
    variant = _variant(shape, value)
    if variant is None:
        tag = value.get(shape.tag_key)
        findings.append(((*path, shape.tag_key), _wrong_choice(tag, tuple(shape.variants))))
        return None
    if not shape.tag_key:
        return _check_section(value, variant, path, "", findings)
    tag = value[shape.tag_key]
    others = tuple((t, s) for t, s in shape.variants.items() if t != tag)
    return _check_section(value, variant, path, f"{shape.tag_key}: {tag}", findings, others)


def _variant(shape: SectionShape, value: Mapping[str, Any]) -> type[Section] | None:
    tag = value.get(shape.tag_key, "") if shape.tag_key else ""
    return shape.variants.get(tag) if isinstance(tag, str) else None


def _unknown_key(
    key: str,
    section: type[Section],
    path: KeyPath,
    kind: str,
    others: tuple[tuple[str, type[Section]], ...],
) -> str:
    tag_key = kind.partition(":")[0]
    homes = [tag for tag, other in others if key in other.model_fields]
    if homes:
        return f"no such key beside {kind}; it goes with {tag_key}: {' or '.join(homes)}"
    message = "unknown key."
    if "." in key:
        nested = ": {".join(key.split(".")) + ": ..." + "}" * key.count(".")
        return f"{message} Keys are nested in a file: {shorten(nested)}"
    if hint := suggest(key, list(section.model_fields)):
        return message + hint
    if elsewhere := [p for p in _all_paths(Config, ()) if p[-1] == key and p[:-1] != path]:
        return f"{message} Did you mean '{render_path(elsewhere[0])}'?"
    beside = f" beside {kind}" if kind else ""
    return f"{message} Known here{beside}: {', '.join(section.model_fields)}"


def _all_paths(section: type[Section], path: KeyPath) -> Iterator[KeyPath]:
    for name, field in section.model_fields.items():
        yield (*path, name)
        if shape := section_shape(field):
            for variant in shape.variants.values():
                yield from _all_paths(variant, (*path, name))


def _missing_key(name: str, field: Any, path: KeyPath) -> str:
    match (*path, name):
        case ("version",):
            return "missing; write version: 1"
        case ("task",):
            return f"missing; write task: {choices(annotation_of(field))[0]}"
        case ("data", "path"):
            return "missing; give the text file to learn from"
    if section_shape(field) is not None:
        return "missing; this section is needed"
    return f"missing; expected {expectation(annotation_of(field))}"


def _no_section(value: object, shape: SectionShape) -> str:
    keys = next(iter(shape.variants.values())).model_fields
    known = f"{shape.tag_key}: {' or '.join(shape.variants)}" if shape.tag_key else ", ".join(keys)
    message = f"expected a section ({known}), found {found(value)}"
    return f"{message}; leave the key away for the defaults" if value is None else message


def _wrong_choice(value: object, allowed: tuple[str, ...]) -> str:
    message = f"expected one of {', '.join(allowed)}, found {found(value)}."
    if isinstance(value, str):
        message += suggest(value.lower(), allowed)
    return message.rstrip(".")


def _wrong_value(value: object, field: Any, name: str) -> str:
    annotation = annotation_of(field)
    expected = expectation(annotation)
    message = f"expected {expected}, found {found(value)}"
    allowed = choices(annotation)
    if name == "version":
        return f"expected 1, the version of the format that this rnnkit reads, found {found(value)}"
    if isinstance(value, str):
        if allowed:
            return message + (f".{hint}" if (hint := suggest(value.lower(), allowed)) else "")
        try:
            if is_valid(read_scalar(value), field):
                return f"{message}; remove the quotes"
        except ValueError:
            pass
    elif is_valid(str(value), field) and not isinstance(value, (dict, list)):
        return f"{message}; put it in quotes"
    elif isinstance(value, float) and value.is_integer() and is_valid(int(value), field):
        return f"{message}; write {int(value)}"
    elif isinstance(value, int) and value > LARGEST and "whole number" in expected:
        return f"{message}, which is more than {LARGEST}"
    return message
