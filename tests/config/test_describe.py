"""Resolved configurations, comparisons, the JSON Schema and the reference page."""

import json
from pathlib import Path
from typing import Any

import pytest

from rnnkit.config.describe import differences, json_schema, reference_markdown, to_yaml
from rnnkit.tasks.language_model.config import CharGenerationConfig
from rnnkit.tasks.task import SCHEMAS, load_config, parse_config
from rnnkit.tasks.text_classification.config import ClassificationConfig

ROOT = Path(__file__).parents[2]
BASE = "{version: 1, task: char_generation, data: {path: /t.txt}, training: {max_steps: 9}}"


SENTIMENT = "{version: 1, task: sentiment, data: {path: /t.csv}, training: {max_steps: 9}}"

TASKS = ["char_generation", "word_generation", "text_classification"]


def load(*overrides: str) -> CharGenerationConfig:
    config = parse_config(BASE, source="x.yaml", base=Path("/"), overrides=overrides)
    assert isinstance(config, CharGenerationConfig)
    return config


def load_sentiment(*overrides: str) -> ClassificationConfig:
    config = parse_config(SENTIMENT, source="x.yaml", base=Path("/"), overrides=overrides)
    assert isinstance(config, ClassificationConfig)
    return config


def test_the_reference_page_is_the_generated_one() -> None:
    page = (ROOT / "docs" / "CONFIG.md").read_text(encoding="utf-8")
    expected = reference_markdown(SCHEMAS)
    assert page == expected, "run: rnnkit config schema --markdown > docs/CONFIG.md"


def test_the_examples_of_the_reference_page_load() -> None:
    blocks = reference_markdown(SCHEMAS).split("```yaml\n")[1:]
    examples = [text.split("```")[0] for text in blocks]
    tasks = [parse_config(text, source="docs", base=Path("/")).task for text in examples]
    assert tasks == TASKS


def test_the_reference_page_has_every_key_of_every_task_and_nothing_twice() -> None:
    page = reference_markdown(SCHEMAS)
    parts = page.split("\n## task: ")[1:]
    assert [part.split("\n")[0] for part in parts] == TASKS
    for part, schema in zip(parts, dict.fromkeys(SCHEMAS.values()), strict=True):
        headings = [line for line in part.splitlines() if line.startswith("#")]
        assert len(headings) == len(set(headings))
        for name in schema.tree.model_fields:
            assert f"| `{name}` |" in part
    assert page.count("| `beta_1` |") == 2, "optimizers are described once for all tasks"


def test_a_resolved_configuration_holds_every_key_in_the_order_of_the_schema() -> None:
    text = to_yaml(load())
    top = [line.split(":")[0] for line in text.splitlines() if not line.startswith(" ")]
    assert top == list(CharGenerationConfig.model_fields)
    assert "  minimum_count: 1\n" in text
    assert "  context_windows: [64, 256]\n" in text


@pytest.mark.parametrize(
    "prime",
    [
        *("5", "1e-3", "010", "true", "null", "~", "no", "1:30", "0x1", ".inf", "=", "<<", "-"),
        *(
            "*a",
            "a: b",
            "a #b",
            " a ",
            "'",
            '"',
            "\\",
            "!x",
            "%",
            "- a",
            "? a",
            "{a",
            ";",
            "é",
            "😀",
        ),
        *("\n", "a\nb\n", "\r\n", "\t", "\x00", "\x85", "\u2028", "\ufeff"),
        *("2024-01-31", "x" * 500, "a b " * 200),
    ],
)
def test_any_text_survives_being_written_and_read(prime: str) -> None:
    config = load(f"training.samples.prompt={json.dumps(prime)}")
    assert config.training.samples is not None
    assert config.training.samples.prompt == prime
    assert parse_config(to_yaml(config), source="x", base=Path("/other")) == config


def test_differences_from_the_defaults_are_what_a_file_has_to_say() -> None:
    config = load("model.units=[8, 4]", "training.optimizer={name: sgd, momentum: 0.5}")
    assert differences(config, None) == [
        ("version", 1, None),
        ("task", "char_generation", None),
        ("data.path", "/t.txt", None),
        ("model.units", [8, 4], 256),
        ("training.max_steps", 9, None),
        ("training.optimizer.name", "sgd", "adamw"),
        ("training.optimizer.momentum", 0.5, 0.0),
    ]


def test_differences_between_two_configurations() -> None:
    left, right = load(), load("seed=4", "training.early_stopping={}", "data.windows.kind=sliding")
    assert differences(left, left) == []
    assert differences(left, right) == [
        ("seed", 0, 4),
        ("data.windows.kind", "stream", "sliding"),
        ("data.windows.length", 64, 40),
        ("data.windows.stride", None, 1),
        ("training.early_stopping.patience", None, 5),
        ("training.early_stopping.minimum_improvement", None, 0.0),
    ]
    swapped = [(path, before, value) for path, value, before in differences(right, left)]
    assert sorted(swapped, key=str) == sorted(differences(left, right), key=str)


@pytest.mark.parametrize(
    "text", ["0", "4.0", "true", "null", "010", "a: b", "a.b", "\n", "x" * 200]
)
def test_any_label_survives_being_written_and_read(text: str) -> None:
    labels = json.dumps({text: "bad", "other": text})
    config = load_sentiment(f"data.labels={labels}")
    assert config.data.labels == {text: "bad", "other": text}
    again = parse_config(to_yaml(config), source="x", base=Path("/other"))
    assert again == config
    assert differences(again, config) == []


def test_labels_are_one_value_and_their_order_counts() -> None:
    left = load_sentiment("data.labels={0: negative, 4: positive}")
    right = load_sentiment("data.labels={4: positive, 0: negative}")
    [(path, *values)] = differences(left, right)
    assert path == "data.labels"
    assert [json.dumps(value) for value in values] == [
        '{"0": "negative", "4": "positive"}',
        '{"4": "positive", "0": "negative"}',
    ]
    [difference] = differences(load_sentiment("data.labels={a.b: x, c: y}"), load_sentiment())
    assert difference == ("data.labels", {"a.b": "x", "c": "y"}, None)
    assert '  labels:\n    "4": positive\n    "0": negative\n' in to_yaml(right)


def test_two_tasks_can_be_compared() -> None:
    found = {path: (value, other) for path, value, other in differences(load(), load_sentiment())}
    assert found["task"] == ("char_generation", "sentiment")
    assert found["data.windows.length"] == (64, None)
    assert found["model.embedding.size"] == (None, 64)
    assert "training.max_steps" not in found


def _objects(schema: Any) -> list[dict[str, Any]]:
    if isinstance(schema, list):
        return [found for item in schema for found in _objects(item)]
    if not isinstance(schema, dict):
        return []
    inner = [found for item in schema.values() for found in _objects(item)]
    return [schema, *inner] if "properties" in schema else inner


def test_the_json_schema_is_closed_and_documented() -> None:
    schema: Any = json_schema(SCHEMAS)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["title"] == "rnnkit configuration"
    assert schema["discriminator"]["propertyName"] == "task"
    assert sorted(schema["discriminator"]["mapping"]) == sorted(SCHEMAS)
    for name in ("CharGenerationConfig", "WordGenerationConfig", "ClassificationConfig"):
        required = schema["$defs"][name]["required"]
        assert required == ["version", "task", "data", "training"]
    objects = _objects(schema)
    assert len(objects) > 30
    for section in objects:
        assert section["additionalProperties"] is False
        assert section["description"]
        for name, field in section["properties"].items():
            assert field.get("description") or "$ref" in field, name
    assert json.loads(json.dumps(schema)) == schema


def test_the_json_schema_tells_the_kinds_apart() -> None:
    """Exactly one kind of a section may be left without its tag: the default one."""
    whole: Any = json_schema(SCHEMAS)
    definitions = whole["$defs"]
    windows = [definitions["StreamWindows"], definitions["SlidingWindows"]]
    assert ["kind" in w.get("required", []) for w in windows] == [False, True]
    assert [w["properties"]["kind"]["const"] for w in windows] == ["stream", "sliding"]


def test_ready_configurations_survive_resolving(tmp_path: Path) -> None:
    paths = sorted((ROOT / "configs").rglob("*.yaml"))
    assert paths
    for path in paths:
        config = load_config(path)
        (tmp_path / "resolved.yaml").write_text(to_yaml(config), encoding="utf-8")
        assert load_config(tmp_path / "resolved.yaml") == config
