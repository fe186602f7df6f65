"""The fields of a section, read from their annotations: kinds of sections, types, limits."""

import json
import types
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt, MaxLen, MinLen
from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from rnnkit.config.base import LARGEST, SIZE_LIMIT, Section


@dataclass(frozen=True)
class SectionShape:
    """A field that holds a section: `variants` by tag when there are several (`tag_key` is the
    key that decides), else the one under `""`."""

    variants: dict[str, type[Section]]
    tag_key: str
    default_tag: str


def section_shape(field: FieldInfo) -> SectionShape | None:
    """Return the section or sections a field holds; None for a field with a plain value."""
    members = _members(field.annotation)
    sections = [m for m in members if isinstance(m, type) and issubclass(m, Section)]
    if not sections:
        return None
    tag_key = field.discriminator
    if not isinstance(tag_key, str):
        return SectionShape({"": sections[0]}, "", "")
    variants = {get_args(s.model_fields[tag_key].annotation)[0]: s for s in sections}
    return SectionShape(variants, tag_key, getattr(field.default, tag_key, ""))


def annotation_of(field: FieldInfo) -> Any:
    """Return the whole annotation: pydantic keeps the type and its limits apart."""
    return Annotated[field.annotation, *field.metadata] if field.metadata else field.annotation


def entry_annotations(annotation: Any) -> tuple[Any, Any] | None:
    """Return the types of keys and values of a mapping whose keys are the user's own."""
    for member in _members(annotation):
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


def choices(annotation: Any) -> tuple[str, ...]:
    """Return the words that a `Literal` allows; none for other fields."""
    found = [get_args(kind) for kind in _members(annotation) if get_origin(kind) is Literal]
    return tuple(choice for words in found for choice in words if isinstance(choice, str))


def expectation(annotation: Any, *, null: bool = True) -> str:
    """Describe a type for a message.

    >>> expectation(Annotated[int, Ge(1)] | None)
    'a whole number of at least 1, or null'
    """
    kind, limits = _peel(annotation)
    if get_origin(kind) is Literal:
        words = [json.dumps(c) if not isinstance(c, str) else c for c in get_args(kind)]
        return words[0] if len(words) == 1 else "one of " + ", ".join(words)
    if get_origin(kind) in (Union, types.UnionType):
        return _union(get_args(kind), null=null)
    if get_origin(kind) is tuple:
        return f"a list{_least(limits)}, each {expectation(get_args(kind)[0])}"
    if get_origin(kind) is dict:
        return f"KEY: VALUE entries, each value {expectation(get_args(kind)[1])}"
    if kind is bool:
        return "true or false"
    if kind is str:
        if any(isinstance(limit, MaxLen) for limit in limits):
            return "one character"
        return "a non-empty text" if limits else "text"
    return {int: "a whole number", float: "a number"}[kind] + _bounds(limits)


def _union(members: tuple[Any, ...], *, null: bool) -> str:
    """`int | tuple[int, ...]` -> "a whole number or a list of at least one"."""
    plain = [member for member in members if member is not type(None)]
    words: list[str] = []
    for member in plain:
        kind, limits = _peel(member)
        entry = get_args(kind)[0] if get_origin(kind) is tuple else None
        if entry is not None and entry in plain:
            words.append(f"a list{_least(limits)}")
        else:
            words.append(expectation(member))
    text = " or ".join(words)
    return f"{text}, or null" if null and len(plain) < len(members) else text


def _least(limits: list[Any]) -> str:
    return " of at least one" if any(isinstance(limit, MinLen) for limit in limits) else ""


def notation(annotation: Any) -> str:
    """Describe a type for the reference page, in the notation of Python.

    >>> notation(Annotated[int, Ge(1)] | Annotated[tuple[Annotated[int, Ge(1)], ...], MinLen(1)])
    '`int | list[int]`, at least 1'
    """
    limits = [limit for part in _parts(annotation) for limit in _peel(part)[1]]
    needs = [_bounds(limits).removeprefix(" of").strip()]
    if any(isinstance(limit, MinLen) for limit in limits):
        one = any(isinstance(limit, MaxLen) for limit in limits)
        needs.append("one character" if one else "non-empty")
    return ", ".join(filter(None, [f"`{_python_type(annotation)}`", *needs]))


def _parts(annotation: Any) -> list[Any]:
    """Return the members of a union and the entries of its lists."""
    kind, _ = _peel(annotation)
    if get_origin(kind) in (Union, types.UnionType):
        return [part for member in get_args(kind) for part in _parts(member)]
    inside = _parts(get_args(kind)[0]) if get_origin(kind) is tuple else []
    return [annotation, *inside]


def _python_type(annotation: Any) -> str:
    kind, _ = _peel(annotation)
    arguments = get_args(kind)
    if get_origin(kind) is Literal:
        return " | ".join(c if isinstance(c, str) else json.dumps(c) for c in arguments)
    if get_origin(kind) in (Union, types.UnionType):
        members = [member for member in arguments if member is not type(None)]
        return " | ".join(dict.fromkeys(map(_python_type, members)))
    if get_origin(kind) is tuple:
        return f"list[{_python_type(arguments[0])}]"
    if get_origin(kind) is dict:
        return f"dict[{_python_type(arguments[0])}, {_python_type(arguments[1])}]"
    return str(kind.__name__)


def _members(annotation: Any) -> tuple[Any, ...]:
    kind, _ = _peel(annotation)
    if get_origin(kind) in (Union, types.UnionType):
        return tuple(inner for member in get_args(kind) for inner in _members(member))
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


def _bounds(limits: list[Any]) -> str:
    words: list[str] = []
    for limit in limits:
        match limit:
            case Ge(ge=bound) if bound != -SIZE_LIMIT:
                words.append(f"of at least {bound:g}")
            case Gt(gt=bound):
                words.append(f"above {bound:g}")
            case Le(le=bound) if bound not in (LARGEST, SIZE_LIMIT):
                words.append(f"up to {bound:g}")
            case Lt(lt=bound):
                words.append(f"below {bound:g}")
            case _:
                pass
    return " " + " and ".join(dict.fromkeys(words)) if words else ""
