"""A configuration as text: resolved, compared, as JSON Schema and as a reference page."""

import functools
import json
import operator
from collections.abc import Iterator
from typing import Annotated, Any

import yaml
from pydantic import Field, TypeAdapter
from pydantic.fields import FieldInfo

from rnnkit.config.base import Section
from rnnkit.config.fields import annotation_of, notation, section_shape
from rnnkit.config.rules import Schemas
from rnnkit.config.source import read_scalar

Difference = tuple[str, Any, Any]
_Page = tuple[str, type[Section]]

_REFERENCE_HEAD = """\
# Configuration reference

One YAML file describes an experiment. This page is generated from the schema by
`rnnkit config schema --markdown`; `rnnkit config schema` prints it as JSON Schema for editors.

- Unknown keys are refused, and so is every key that would have no effect beside the others.
- Switches are `true` and `false`. `1e-3` is a number, `no` is text. `010`, `1_000` and `1:30` are
  refused because programs read them differently. Quotes make a value text.
- `--set model.units=512` replaces a value of the file and is read by the same rules
  (`--set model.units='[256, 128]'`).
- Paths are relative to the configuration file, those in `--set` to the current directory.
- A section of several kinds names its kind in its first key; without it, the default kind is used.
- The keys depend on the task. [char_generation](#task-char_generation) and
  [word_generation](#task-word_generation) learn a text and continue it, by characters or by words;
  [text_classification](#task-text_classification) learns the classes of texts (`sentiment` is an
  earlier name of this task).
- `null` stands for "none" wherever the default is none.
"""


def to_yaml(config: Section) -> str:
    """Return the complete configuration, every default written out, in the order of the schema.

    Loading it again gives an equal `Config`; paths are written as they are, absolute once loaded.
    """
    return yaml.dump(
        config.model_dump(mode="json"),
        Dumper=_Dumper,
        sort_keys=False,
        allow_unicode=True,
        default_flow_style=False,
        width=2**31,
    )


def differences(config: Section, other: Section | None) -> list[Difference]:
    """Return the keys in which two configurations differ: `(path, value, other value)`.

    Without `other` the defaults take its place; sections of several kinds are compared with the
    defaults of the chosen kind, so that what is listed is what a file has to say. None stands for
    a key that is null or that the other side does not have.
    """
    left = _leaves(config)
    right = _default_leaves(config) if other is None else _leaves(other)
    paths = [*left, *(path for path in right if path not in left)]
    return [
        (path, left.get(path), right.get(path))
        for path in paths
        if _ordered(left.get(path)) != _ordered(right.get(path))
    ]


def json_schema(schemas: Schemas) -> dict[str, object]:
    """Return the JSON Schema (draft 2020-12) of the configuration file, for editors."""
    trees: list[Any] = [schema.tree for schema in dict.fromkeys(schemas.values())]
    either: Any = Annotated[functools.reduce(operator.or_, trees), Field(discriminator="task")]
    schema = TypeAdapter[Any](either).json_schema(mode="validation")
    head = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "rnnkit configuration",
    }
    return {**head, **_without_titles(schema)}


def reference_markdown(schemas: Schemas) -> str:
    """Return the reference page: a table for each section of each task, in the schema's order."""
    page = _REFERENCE_HEAD
    seen: dict[_Page, str] = {}
    for schema in dict.fromkeys(schemas.values()):
        task = schema.names[0]
        page += f"\n## task: {task}\n\nStart of a file:\n\n"
        page += f"```yaml\n{schema.example}```\n"
        page += "".join(_section_pages(schema.tree, "", "", task, seen))
    return page


class _Dumper(yaml.SafeDumper):
    """Writes what `source.py` reads: quotes around every text that would be read otherwise."""

    def ignore_aliases(self, data: object) -> bool:
        return True


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    try:
        plain = read_scalar(text) == text
    except ValueError:
        plain = False
    # Double quotes are the one style that holds every character and every line break.
    style = None if plain and text.isprintable() else '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


def _represent_list(dumper: yaml.SafeDumper, items: list[object]) -> yaml.SequenceNode:
    return dumper.represent_sequence("tag:yaml.org,2002:seq", items, flow_style=True)


_Dumper.add_representer(str, _represent_text)
_Dumper.add_representer(list, _represent_list)


def _leaves(section: Section, path: str = "") -> dict[str, object]:
    """`model: {units: 3}` -> `{"model.units": 3}`; a mapping of the user's own is one value."""
    leaves: dict[str, object] = {}
    for name in type(section).model_fields:
        value = getattr(section, name)
        if isinstance(value, Section):
            leaves |= _leaves(value, f"{path}{name}.")
        else:
            leaves[path + name] = _plain(value)
    return leaves


def _default_leaves(section: Section, path: str = "") -> dict[str, object]:
    """Return all defaults, of the kinds that `section` chose; the kinds keep their own default."""
    leaves: dict[str, object] = {}
    for name, field in type(section).model_fields.items():
        value, shape = getattr(section, name), section_shape(field)
        if isinstance(value, Section) and shape is not None and field.default is not None:
            leaves |= _default_leaves(value, f"{path}{name}.")
            if shape.tag_key:
                leaves[f"{path}{name}.{shape.tag_key}"] = shape.default_tag
        else:
            leaves[path + name] = None if field.is_required() else _plain(field.default)
    return leaves


def _ordered(value: object) -> object:
    """Return a mapping as a list: the order of its entries counts, it is that of the classes."""
    return list(value.items()) if isinstance(value, dict) else value


def _plain(value: object) -> object:
    return list(value) if isinstance(value, tuple) else value


def _without_titles(value: Any) -> Any:
    """Drop the titles pydantic makes of key names; `title` as a key of a section stays."""
    if isinstance(value, list):
        return [_without_titles(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        key: _without_titles(item)
        for key, item in value.items()
        if not (key == "title" and isinstance(item, str))
    }


def _section_pages(
    section: type[Section], path: str, kind: str, task: str, seen: dict[_Page, str]
) -> Iterator[str]:
    """Yield a heading and a table, then the pages of the sections inside.

    `seen` holds the pages of the tasks before, which are not repeated.
    """
    seen[path, section] = task
    heading = f"`{path}`{f' with `{kind}`' if kind else ''}" if path else "Top level"
    yield f"\n### {heading}\n\n"
    yield f"{_one_line(section.__doc__ or '')}\n\n"
    yield "| key | type | default | |\n|---|---|---|---|\n"
    for name, field in section.model_fields.items():
        row = (f"`{name}`", _type_words(field), _default_words(field), field.description or "")
        yield "| " + " | ".join(_one_line(cell).replace("|", "\\|") for cell in row) + " |\n"
    for name, field in section.model_fields.items():
        if (shape := section_shape(field)) is None:
            continue
        inner = f"{path}.{name}" if path else name
        first = {seen.get((inner, variant), task) for variant in shape.variants.values()}
        if first != {task}:
            yield f"\n### `{inner}`\n\nAs for task: {' and '.join(sorted(first))}.\n"
            continue
        for tag, variant in shape.variants.items():
            words = f"{shape.tag_key}: {tag}" if tag else ""
            yield from _section_pages(variant, inner, words, task, seen)


def _type_words(field: FieldInfo) -> str:
    shape = section_shape(field)
    if shape is None:
        return notation(annotation_of(field))
    if shape.tag_key:
        return f"section, {shape.tag_key}: {' or '.join(shape.variants)}"
    return "section"


def _default_words(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    shape = section_shape(field)
    if shape is not None and isinstance(field.default, Section):
        return f"`{shape.tag_key}: {shape.default_tag}`" if shape.tag_key else "the defaults below"
    return "none" if field.default is None else f"`{json.dumps(_plain(field.default))}`"


def _one_line(text: str) -> str:
    return " ".join(text.split())
