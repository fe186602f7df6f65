"""The JSON Schema that editors check files by agrees with what is loaded."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rnnkit.config.describe import json_schema, to_yaml
from rnnkit.config.messages import check, check_task
from rnnkit.config.source import read_yaml
from rnnkit.tasks.task import SCHEMAS, parse_config

SCHEMA: Any = json_schema(SCHEMAS)
TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "array": (list,),
    "object": (dict,),
    "boolean": (bool,),
    "null": (type(None),),
}
KEYWORDS = {
    *("$defs", "$ref", "$schema", "title", "description", "default", "discriminator"),
    *("type", "const", "enum", "oneOf", "anyOf", "properties", "required"),
    *("additionalProperties", "items", "minItems", "minProperties", "minLength", "maxLength"),
    *("minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum", "propertyNames"),
}


def fits(value: Any, schema: dict[str, Any]) -> bool:
    """A validator for the part of JSON Schema that is used here; no other keyword may turn up."""
    assert schema.keys() <= KEYWORDS, schema.keys() - KEYWORDS
    if "$ref" in schema:
        return fits(value, SCHEMA["$defs"][schema["$ref"].rpartition("/")[2]])
    if "oneOf" in schema and sum(fits(value, option) for option in schema["oneOf"]) != 1:
        return False
    if "anyOf" in schema and not any(fits(value, option) for option in schema["anyOf"]):
        return False
    if "const" in schema and value != schema["const"]:
        return False
    if "enum" in schema and value not in schema["enum"]:
        return False
    kinds = TYPES[schema["type"]] if "type" in schema else (object,)
    if not isinstance(value, kinds) or (isinstance(value, bool) and int in kinds):
        return False
    match value:
        case dict():
            return _fits_object(value, schema)
        case list():
            items = schema.get("items", {})
            return len(value) >= schema.get("minItems", 0) and all(fits(v, items) for v in value)
        case str():
            return schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", 1e9)
        case bool() | None:
            return True
        case _:
            return (
                schema.get("minimum", value) <= value <= schema.get("maximum", value)
                and schema.get("exclusiveMinimum", value - 1) < value
                and value < schema.get("exclusiveMaximum", value + 1)
            )


def _fits_object(value: dict[str, Any], schema: dict[str, Any]) -> bool:
    properties, others = schema.get("properties", {}), schema.get("additionalProperties", True)
    if len(value) < schema.get("minProperties", 0) or schema.get("required", []) - value.keys():
        return False
    if not all(fits(key, schema.get("propertyNames", {})) for key in value):
        return False
    for key, inner in value.items():
        rule = properties.get(key, others)
        if not (rule if isinstance(rule, bool) else fits(inner, rule)):
            return False
    return True


def plain(text: str) -> dict[str, Any]:
    document = read_yaml(text, source="x.yaml")
    assert isinstance(document.value, dict)
    return document.value


CHARACTERS = "version: 1\ntask: char_generation\ndata: {path: a.txt}\ntraining: {max_steps: 9}\n"
SENTIMENT = "version: 1\ntask: sentiment\ndata: {path: a.csv}\ntraining: {max_steps: 9}\n"
VARIANTS = [
    (CHARACTERS, []),
    (CHARACTERS, ["data.windows.kind=sliding", "model.input.kind=one_hot", "model.units=[4, 4]"]),
    (CHARACTERS, ["training.schedule.kind=cosine", "training.samples={}", "generation.top_k=4"]),
    (SENTIMENT, []),
    (SENTIMENT, ["data.labels={0: bad, 4: good}", "data.tokens.kind=characters"]),
    (SENTIMENT, ["data.layout={text: 5, label: mood}", "training.early_stopping={}"]),
    (SENTIMENT, ["data.layout.kind=files", "data.tokens.kind=subwords", "data.path=[a, b]"]),
    (SENTIMENT, ["model.embedding={kind: pretrained, path: v}", "model.pooling=[mean, max]"]),
    (SENTIMENT, ["model={dense: [4, 3], dense_activation: [relu, tanh]}", "data.test_path=t"]),
]
COMPLETE = [
    to_yaml(parse_config(text, source="x.yaml", base=Path("/"), overrides=overrides))
    for text, overrides in VARIANTS
]
VALUES: list[Any] = [
    None,
    True,
    0,
    1,
    1.0,
    -1,
    5,
    101,
    2**31,
    0.5,
    1.5,
    -0.1,
    "",
    "a",
    "ab",
    [],
    {},
]
VALUES += [[0], [3, 4], ["a"], [""], ["mean", "max"], {"a": "b"}, {"a": 1}, {"": "b"}, {"kind": 3}]
VALUES += ["relu", "words", "lstm", "sentiment", {"kind": "words"}, {"kind": "stream"}, {"x": 1}]


@pytest.mark.parametrize("text", [CHARACTERS, SENTIMENT, *COMPLETE])
def test_what_loads_fits_the_schema(text: str) -> None:
    parse_config(text, source="x.yaml", base=Path("/"))
    assert fits(plain(text), SCHEMA)


@settings(
    max_examples=150, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow]
)
@given(st.sampled_from(COMPLETE), st.data())
def test_editors_and_the_loader_agree(text: str, data: st.DataObject) -> None:
    """One value changed, removed or added: the schema refuses what the loader refuses."""
    values = section = plain(text)
    while True:
        name = data.draw(st.sampled_from(sorted(section)))
        if not isinstance(section[name], dict) or not section[name] or data.draw(st.booleans()):
            break
        section = section[name]
    match data.draw(st.sampled_from(["change", "remove", "add"])):
        case "change":
            section[name] = data.draw(st.sampled_from(VALUES))
        case "remove":
            del section[name]
        case _:
            section["nonsense"] = "a"
    accepted = check_task(values, SCHEMAS) is None and not check(values, values["task"], SCHEMAS)[1]
    assert fits(values, SCHEMA) == accepted, json.dumps(values)
