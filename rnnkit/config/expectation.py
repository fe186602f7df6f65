"""What a field takes, read from its annotation and put in a user's words.

The same words stand in the error messages and in docs/CONFIG.md.
"""

import json
import types
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt, MaxLen, MinLen
from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from rnnkit.config.base import LARGEST, Section
from rnnkit.config.source import shorten


@dataclass(frozen=True)
class SectionShape:
    """A field that holds a section: `variants` by tag when there are several (`tag_key` is the
    key that decides), else the one under `""`."""

    variants: dict[str, type[Section]]
    tag_key: str
    default_tag: str
    optional: bool


def annotation_of(field: FieldInfo) -> Any:
    """The whole annotation again: pydantic keeps the type and its limits apart."""
    return Annotated[field.annotation, *field.metadata] if field.metadata else field.annotation


def section_shape(field: FieldInfo) -> SectionShape | None:
    """The section or sections a field holds; None for a field with a plain value."""
    members = _members(field.annotation)
    sections = [m for m in members if isinstance(m, type) and issubclass(m, Section)]
    if not sections:
        return None
    optional = type(None) in members
    tag_key = field.discriminator
    if not isinstance(tag_key, str):
        return SectionShape({"": sections[0]}, "", "", optional)
    variants = {get_args(s.model_fields[tag_key].annotation)[0]: s for s in sections}
    default_tag = getattr(field.default, tag_key, "")
    return SectionShape(variants, tag_key, default_tag, optional)


def entry_annotations(field: FieldInfo) -> tuple[Any, Any] | None:
    """What keys and values are in a field whose keys are the user's own; None for others."""
    for member in _members(field.annotation):
        if get_origin(member) is dict:
            key, value = get_args(member)
            return key, value
    return None


def is_valid(value: object, annotation: Any) -> bool:
    """Whether a plain value fits a plain field, by the rules of the configuration file."""
    adapter = TypeAdapter(annotation, config=ConfigDict(strict=True))
    try:
        adapter.validate_json(json.dumps(value))
    except ValidationError:
        return False
    return True


def expectation(annotation: Any, *, null: bool = True) -> str:
    """`Annotated[int, Ge(1)] | None` -> "a whole number of at least 1, or null"."""
    kind, limits = _peel(annotation)
    if get_origin(kind) is Literal:
        choices = [json.dumps(c) if not isinstance(c, str) else c for c in get_args(kind)]
        return choices[0] if len(choices) == 1 else "one of " + ", ".join(choices)
    if get_origin(kind) in (Union, types.UnionType):
        members = [m for m in get_args(kind) if m is not type(None)]
        words = " or ".join(expectation(member) for member in members)
        return f"{words}, or null" if null and len(members) < len(get_args(kind)) else words
    if get_origin(kind) is tuple:
        empty = any(isinstance(limit, MinLen) for limit in limits)
        article = "a list with at least one entry" if empty else "a list"
        return f"{article}, each {expectation(get_args(kind)[0])}"
    if get_origin(kind) is dict:
        return f"KEY: VALUE entries, each value {expectation(get_args(kind)[1])}"
    if kind is bool:
        return "true or false"
    if kind is str:
        if any(isinstance(limit, MaxLen) for limit in limits):
            return "one character"
        return "a text that is not empty" if limits else "text"
    noun = {int: "a whole number", float: "a number"}[kind]
    return noun + _bounds(limits)


def choices(annotation: Any) -> tuple[str, ...]:
    """The words that a `Literal` allows; none for other fields."""
    kind, _ = _peel(annotation)
    if get_origin(kind) in (Union, types.UnionType):
        return tuple(c for member in get_args(kind) for c in choices(member))
    return tuple(c for c in get_args(kind) if isinstance(c, str)) if _is_literal(kind) else ()


def found(value: object) -> str:
    """A value as the user wrote it, for the end of a message."""
    match value:
        case None:
            return "nothing (null)"
        case dict():
            return "a section" if value else "an empty section"
        case str():
            return shorten(repr(value))
        case _:
            return shorten(json.dumps(value, ensure_ascii=False))


def _members(annotation: Any) -> tuple[Any, ...]:
    kind, _ = _peel(annotation)
    if get_origin(kind) in (Union, types.UnionType):
        return tuple(_peel(member)[0] for member in get_args(kind))
    return (kind,)


def _peel(annotation: Any) -> tuple[Any, list[Any]]:
    """`Annotated[int, Field(ge=1)]` -> `(int, [Ge(1)])`."""
    if get_origin(annotation) is not Annotated:
        return annotation, []
    kind, *metadata = get_args(annotation)
    limits: list[Any] = []
    for item in metadata:
        limits += item.metadata if isinstance(item, FieldInfo) else [item]
    inner, inner_limits = _peel(kind)
    return inner, [*inner_limits, *limits]


def _is_literal(kind: Any) -> bool:
    return get_origin(kind) is Literal


def _bounds(limits: list[Any]) -> str:
    words: list[str] = []
    for limit in limits:
        match limit:
            case Ge(ge=bound):
                words.append(f"of at least {bound:g}")
            case Gt(gt=bound):
                words.append(f"above {bound:g}")
            case Le(le=bound) if bound != LARGEST:
                words.append(f"up to {bound:g}")
            case Lt(lt=bound):
                words.append(f"below {bound:g}")
            case _:
                pass
    return " " + " and ".join(words) if words else ""
