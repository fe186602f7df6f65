"""Random configurations: what is valid survives resolving, what is not is a ConfigError."""

import copy
import json
import re
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

import pytest
from hypothesis import HealthCheck, event, example, given, settings
from hypothesis import strategies as st

from rnnkit.config.base import Section
from rnnkit.config.describe import differences, to_yaml
from rnnkit.config.fields import annotation_of, section_shape
from rnnkit.errors import ConfigError
from rnnkit.tasks.task import SCHEMAS, Config, load_config, parse_config

ROOT = Path(__file__).parents[2]
READY = [path.read_text(encoding="utf-8") for path in sorted((ROOT / "configs").rglob("*.yaml"))]
COMPLETE = to_yaml(load_config(ROOT / "configs" / "hello.yaml"))
SENTIMENT = to_yaml(
    parse_config(
        "{version: 1, task: sentiment, data: {path: a.csv, labels: {0: bad, 4: good}}, "
        "training: {max_epochs: 1, early_stopping: {}}}",
        source="sentiment",
        base=Path("/"),
    )
)
ODD_SCALARS = [
    *("010", "0o7", "0x1f", "1_000", "1:30", ".inf", "-.inf", ".nan", "1e999", "9" * 30, "1e-3"),
    *("yes", "no", "true", "null", "~", "", "''", "2024-01-31", "*a", "&a b", "!!python/name:x"),
    *(
        "[",
        "]",
        "{",
        "}",
        "[1, 2]",
        "{a: 1}",
        "{<<: {a: 1}}",
        "- a",
        "? a",
        "|",
        ">",
        "@",
        "`",
        "%",
    ),
    *(
        '"\\ud800"',
        '"\\0"',
        '"\\UFFFFFFFF"',
        "\t",
        "\x00",
        "\ufeff",
        "\udcff",
        "😀",
        "#",
        ": ",
        "---",
    ),
    *("-1", "0", "1.5", "text", "adam", "sliding", "lstm", "[[[[[[", "&a [*a]", "2147483648"),
]
fuzz = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow], database=None
)


def assert_loads_or_says_why(text: str, overrides: list[str]) -> None:
    """The property of this file: a Config, or a ConfigError that names a place in each line."""
    try:
        config = parse_config(text, source="x.yaml", base=Path("/base"), overrides=overrides)
    except ConfigError as error:
        event("refused")
        last = max(len(text.splitlines()), 1) + 1
        for line in str(error).split("\n"):
            place = re.match(r"x\.yaml:(\d+): \S|x\.yaml: empty|--set\b", line)
            assert place, line
            assert int(place.group(1) or 1) <= last
            jargon = re.search(r"tuple\[|constrained-|Input should|expected (int|str)\b", line)
            assert not jargon, line
    else:
        event("loaded")
        assert isinstance(config, Config)


# --- mutations


@st.composite
def mutated_texts(draw: st.DrawFn) -> str:
    text = draw(st.sampled_from([*READY, COMPLETE, SENTIMENT, SENTIMENT]))
    for _ in range(draw(st.integers(1, 3))):
        lines = text.split("\n")
        at = draw(st.integers(0, len(lines) - 1))
        match draw(st.sampled_from(["edit", "delete", "double", "swap", "value", "indent"])):
            case "edit":
                position = draw(st.integers(0, len(text)))
                inserted = draw(st.text(max_size=2) | st.sampled_from(ODD_SCALARS))
                lines = [text[:position] + inserted + text[position + draw(st.integers(0, 3)) :]]
            case "delete":
                del lines[at]
            case "double":
                lines.insert(at, lines[at])
            case "swap":
                other = draw(st.integers(0, len(lines) - 1))
                lines[at], lines[other] = lines[other], lines[at]
            case "value":
                key = lines[at].partition(":")[0]
                lines[at] = f"{key}: {draw(st.sampled_from(ODD_SCALARS))}"
            case _:
                lines[at] = draw(st.sampled_from([" ", "  ", "\t"])) + lines[at]
        text = "\n".join(lines)
    return text


@fuzz
@given(mutated_texts())
def test_mutated_files_load_or_say_why(text: str) -> None:
    assert_loads_or_says_why(text, [])


@fuzz
@given(st.text(max_size=60) | st.text(alphabet="a:-[]{}&*!|>'\"%@`#?,\n\t 01.~<", max_size=40))
def test_any_text_loads_or_says_why(text: str) -> None:
    assert_loads_or_says_why(text, [])


# --- overrides


def _paths(section: type[Section], path: str = "") -> list[str]:
    found = []
    for name, field in section.model_fields.items():
        found.append(f"{path}{name}")
        if shape := section_shape(field):
            for variant in shape.variants.values():
                found += _paths(variant, f"{path}{name}.")
    return sorted(set(found))


PATHS = sorted({path for schema in SCHEMAS.values() for path in _paths(schema.tree)})
overrides = st.lists(
    st.builds(
        lambda path, value: f"{path}={value}",
        st.sampled_from(PATHS) | st.text(max_size=8),
        st.sampled_from(ODD_SCALARS) | st.text(max_size=8) | st.integers().map(str),
    )
    | st.text(max_size=12),
    min_size=1,
    max_size=3,
)


@fuzz
@given(st.sampled_from([*READY, SENTIMENT, SENTIMENT]), overrides)
def test_random_overrides_load_or_say_why(text: str, overrides: list[str]) -> None:
    assert_loads_or_says_why(text, overrides)


# --- valid configurations


def _values(annotation: Any) -> st.SearchStrategy[Any]:
    """Plain values that one field takes, small where a number may be large."""
    if get_origin(annotation) in (Union, types.UnionType):
        return st.one_of([_values(member) for member in get_args(annotation)])
    if get_origin(annotation) is Literal:
        return st.sampled_from(get_args(annotation))
    if hasattr(annotation, "__metadata__"):
        return _values(get_args(annotation)[0])
    if get_origin(annotation) is dict:
        keys, values = map(_values, get_args(annotation))
        return st.dictionaries(keys, values, min_size=1, max_size=3)
    if get_origin(annotation) is tuple:
        return st.lists(_values(get_args(annotation)[0]), min_size=1, max_size=3)
    return {
        int: st.integers(1, 4) | st.integers(1, 2**31 - 1),
        float: st.floats(1e-9, 0.45) | st.sampled_from([0.5, 1e-5, 0.25]),
        bool: st.booleans(),
        str: st.text(min_size=1, max_size=8) | st.sampled_from(["010", "no", "5", "*.txt", "~/x"]),
        type(None): st.none(),
    }[annotation]


@st.composite
def sections(draw: st.DrawFn, section: type[Section]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name, field in section.model_fields.items():
        if not field.is_required() and draw(st.booleans()):
            continue
        shape = section_shape(field)
        if shape is None:
            values[name] = draw(_values(annotation_of(field)))
        else:
            tag = draw(st.sampled_from(sorted(shape.variants)))
            values[name] = draw(sections(shape.variants[tag]))
            if shape.tag_key:
                values[name][shape.tag_key] = tag
    return values


experiments = st.one_of([sections(schema.tree) for schema in SCHEMAS.values()])


def _load_without_contradictions(values: dict[str, Any]) -> Config | None:
    """Drop the keys that are refused until the rest loads: it must, after a few rounds."""
    for _ in range(8):
        try:
            return parse_config(json.dumps(values), source="x.yaml", base=Path("/base"))
        except ConfigError as error:
            paths = [line.split(": ")[1].split(".") for line in str(error).split("\n")]
            # The deepest key there is: a message may name a key that is missing or at its
            # default, whose section then cannot stay, or quote one of the user's own.
            deepest = [keys[-1] for path in paths if (keys := list(_present(values, path)))]
            for section, key in deepest:
                section.pop(key, None)
            values.setdefault("training", {"max_epochs": 1})
            values.setdefault("data", {}).setdefault(
                "path", "text.txt"
            )  # a drawn one may contain NUL
    return None


def _present(values: dict[str, Any], path: list[str]) -> Iterator[tuple[dict[str, Any], str]]:
    section: Any = values
    for key in path:
        if not isinstance(section, dict) or key not in section:
            return
        yield section, key
        section = section[key]


B25 = {
    "version": 1,
    "task": "char_generation",
    "data": {"path": "text.txt"},
    "model": {
        "cell": "simple_rnn",
        "embedding_dropout": 0.1,
        "initial_weights": {"0": [0.25], ".": [0.25]},
    },
    "training": {"max_epochs": 1, "weight_average": 0.25},
}
"""Weights that no network has, one of them named by a dot, which also separates keys."""


@settings(fuzz, max_examples=120)
@given(experiments)
@example(copy.deepcopy(B25))
def test_valid_configurations_survive_resolving(values: dict[str, Any]) -> None:
    config = _load_without_contradictions(values)
    assert config is not None
    text = to_yaml(config)
    again = parse_config(text, source="resolved.yaml", base=Path("/somewhere/else"))
    assert again == config
    assert to_yaml(again) == text
    assert differences(config, again) == []


@settings(fuzz, max_examples=40)
@given(experiments)
def test_what_differs_from_the_defaults_is_all_a_file_needs(values: dict[str, Any]) -> None:
    """Writing only the listed differences gives the same configuration."""
    config = _load_without_contradictions(values)
    assert config is not None
    short: dict[str, Any] = {}
    for key, value, _ in differences(config, None):
        section = short
        *parents, name = key.split(".")
        for parent in parents:
            section = section.setdefault(parent, {})
        section[name] = value
    again = parse_config(json.dumps(short), source="short.yaml", base=Path("/"))
    assert again == config


def test_the_mutations_do_reach_both_outcomes() -> None:
    """The property would hold trivially if nothing loaded, or if nothing were refused."""
    parse_config(COMPLETE, source="x.yaml", base=Path("/"))
    with pytest.raises(ConfigError):
        parse_config(COMPLETE + "x: 1\n", source="x.yaml", base=Path("/"))


def test_the_name_of_a_weight_may_hold_a_dot() -> None:
    with pytest.raises(ConfigError) as error:
        parse_config(json.dumps(B25), source="x.yaml", base=Path("/base"))
    places = [line.split(": ")[1] for line in str(error.value).splitlines()]
    assert places == ["model.initial_weights.0", "model.initial_weights.'.'"]
