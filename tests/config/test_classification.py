"""The task decides which keys there are; labels, paths and messages of sentiment."""

from pathlib import Path

import pytest

from rnnkit.errors import ConfigError
from rnnkit.tasks.task import parse_config, task_of
from rnnkit.tasks.text_classification.config import ClassificationConfig, PretrainedEmbedding

BASE = "{version: 1, task: char_generation, data: {path: text.txt}, training: {max_steps: 9}}"
SENTIMENT = """\
version: 1
task: sentiment
data:
  path: tweets.csv
  labels:
    0: negative
    4: positive
model:
  units: 16
training:
  max_steps: 100
"""


def load_sentiment(text: str = SENTIMENT, *overrides: str) -> ClassificationConfig:
    config = parse_config(text, source="x.yaml", base=Path("/base"), overrides=overrides)
    assert isinstance(config, ClassificationConfig)
    return config


def errors(text: str, *overrides: str) -> list[str]:
    with pytest.raises(ConfigError) as error:
        parse_config(text, source="x.yaml", base=Path("/base"), overrides=overrides)
    return str(error.value).splitlines()


# --- tasks


TASKS = "one of char_generation, word_generation, text_classification"


@pytest.mark.parametrize(
    ("task", "message"),
    [
        (
            "",
            "x.yaml:1: task: missing; write task: char_generation or task: word_generation or "
            "task: text_classification",
        ),
        (
            "task: sentimental\n",
            f"x.yaml:2: task: expected {TASKS}, found 'sentimental'. Did you mean 'sentiment'?",
        ),
        ("task: 5\n", f"x.yaml:2: task: expected {TASKS}, found 5"),
        ("task: [sentiment]\n", f'x.yaml:2: task: expected {TASKS}, found ["sentiment"]'),
    ],
)
def test_without_a_task_only_what_all_tasks_need_is_said(task: str, message: str) -> None:
    """Which keys there are depends on the task: nothing is said of labels."""
    text = f"version: 1\n{task}" + "nonsense: 1\ndata: {labels: 3}\n"
    found = errors(text)
    assert message in found
    others = [line.partition(": ")[2] for line in found if line != message]
    assert sorted(others) == [
        "data.path: missing",
        "nonsense: unknown key",
        "training: missing; this section needs max_epochs, max_steps or max_minutes",
    ]


def test_the_task_can_be_set_beside_a_file() -> None:
    text = "version: 1\ndata: {path: a.csv}\ntraining: {max_steps: 1}\n"
    assert load_sentiment(text, "task=sentiment").data.path == "/base/a.csv"
    assert errors(text, "task=sentimental") == [
        f"--set task=sentimental: task: expected {TASKS}, found 'sentimental'. "
        "Did you mean 'sentiment'?"
    ]


def test_both_names_of_the_task_mean_the_same_and_are_kept() -> None:
    text = "version: 1\ndata: {path: a.csv}\ntraining: {max_steps: 1}\n"
    named = [load_sentiment(text, f"task={name}") for name in ("text_classification", "sentiment")]
    assert [config.task for config in named] == ["text_classification", "sentiment"]
    assert {task_of(config).name for config in named} == {"text_classification"}
    first, second = (config.model_copy(update={"task": ""}) for config in named)
    assert first == second


@pytest.mark.parametrize(
    ("text", "override", "message"),
    [
        (
            BASE,
            "data.labels={}",
            "data.labels: is a key of task: text_cl",
        ),
        (BASE, "model.pooling=max", "model.pooling: is a key of task: text_classification"),
        (BASE, "model.embedding.size=4", "model.embedding: is a key of task: text_classification"),
        (SENTIMENT, "generation={}", "generation: is a key of task: char_generation; this is task"),
        (SENTIMENT, "data.windows={}", "data.windows: is a key of task: char_generation"),
        (SENTIMENT, "training.samples={}", "training.samples: is a key of task: char_generation"),
        (SENTIMENT, "model.input.size=4", "model.input: is a key of task: char_generation"),
    ],
)
def test_keys_of_the_other_task_are_told_as_such(text: str, override: str, message: str) -> None:
    [line] = errors(text, override)
    assert line.partition(": ")[2].startswith(message)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("path: tweets.csv", "encoding: utf-8", "data.path: missing; give the labelled texts"),
        (
            "0: negative",
            "0: 1",
            "x.yaml:6: data.labels.0: expected a non-empty text, found ",
        ),
        ("0: negative", "0: 1", "found 1; put it in quotes"),
        ("0: negative", "0: true", "data.labels.0: "),
        ("0: negative", "0:", "data.labels.0: expected a non-empty text, found nothing"),
        ("0: negative", "'': negative", "data.labels.'': expected a non-empty text"),
        ("0: negative", "0: {a: b}", "data.labels.0: expected a non-empty text, found a s"),
        ("0: negative", "00: negative", "x.yaml:6: data.labels: 00 can mean an octal number"),
        ("0: negative", '"4": negative', "x.yaml:7: data.labels.4: this key is there twice"),
        ("0: negative", "0: positive", "x.yaml:5: data.labels: all labels are of the class"),
        ("units: 16", "dense: 100", "model.dense: expected a list, each a whole number of at lea"),
        ("units: 16", "dense: [0]", "model.dense: expected a list, each a whole number of at lea"),
        ("units: 16", "pooling: avg", "model.pooling: expected one of last, mean, max, attention"),
        ("units: 16", "pooling: []", "or a list of at least one, found []"),
        ("units: 16", "embedding: pretrained", "found 'pretrained'; write {kind: pretrained}"),
        ("units: 16", "embedding: {kind: pretrained}", "model.embedding.path: missing; expected a"),
        ("units: 16", "embedding: {path: v.txt}", "no such key beside kind: learned; it goes with"),
        ("path: tweets.csv", "path: a\n  tokens: words", "found 'words'; write {kind: words}"),
        (
            "path: tweets.csv",
            "path: a\n  layout: {text: -1}",
            "data.layout.text: expected a non-empty text or a whole number of at least 0, ",
        ),
        (
            "path: tweets.csv",
            "path: a\n  layout: {separator: ', '}",
            "data.layout.separator: expected one character, or null, found ', '",
        ),
        ("max_steps: 100", "max_steps: 9\n  monitor: f1", "balanced_accuracy, macro_f1, roc_auc"),
        ("max_steps: 100", 'max_steps: 9\n  init_from: "\\0"', "training.init_from: a file name c"),
        ("path: tweets.csv", 'path: a\n  test_path: ["\\0"]', "data.test_path: a file name cannot"),
    ],
)
def test_one_mistake_one_message_in_sentiment(old: str, new: str, message: str) -> None:
    assert old in SENTIMENT
    lines = errors(SENTIMENT.replace(old, new, 1))
    assert any(message in line for line in lines), lines
    assert all(line.startswith("x.yaml:") for line in lines)


def test_every_wrong_label_is_named_and_nothing_else() -> None:
    text = SENTIMENT.replace("0: negative", "0: 1\n    2: [2]\n    3: good")
    lines = errors(text, "model.output=sigmoid")
    assert [line.split(": ")[1] for line in lines] == ["data.labels.0", "data.labels.2"]


@pytest.mark.parametrize(
    ("value", "labels"),
    [
        ("{0: negative, 4: positive}", {"0": "negative", "4": "positive"}),
        ("{4: positive, 0: negative}", {"4": "positive", "0": "negative"}),
        ("{'0': no, -1: yes, 0.5: a}", {"0": "no", "-1": "yes", "0.5": "a"}),
        ("{true: good, false: bad}", {"true": "good", "false": "bad"}),
        ("{1: bad, 2: bad, 3: good}", {"1": "bad", "2": "bad", "3": "good"}),
        ("{a b.c: x, é: y}", {"a b.c": "x", "é": "y"}),
    ],
)
def test_labels_are_texts_in_their_order(value: str, labels: dict[str, str]) -> None:
    config = load_sentiment(SENTIMENT, f"data.labels={value}")
    assert config.data.labels is not None
    assert list(config.data.labels.items()) == list(labels.items())


def test_one_label_can_be_set() -> None:
    config = load_sentiment(SENTIMENT, "data.labels.2=neutral", "data.labels.0=bad")
    assert config.data.labels == {"0": "bad", "4": "positive", "2": "neutral"}


# --- paths


def test_every_path_of_sentiment_becomes_absolute(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", "/home/somebody")
    monkeypatch.chdir(tmp_path)
    here = str(tmp_path.resolve())
    vectors = "model.embedding={kind: pretrained, path: v.txt}"
    in_file = SENTIMENT.replace(
        "  labels:", "  test_path: [test/*.csv, ~/t.csv]\n  labels:"
    ).replace("units: 16", "embedding: {kind: pretrained, path: '../v[1].txt'}")
    config = load_sentiment(in_file)
    assert config.data.path == "/base/tweets.csv"
    assert config.data.test_path == ("/base/test/*.csv", "/home/somebody/t.csv")
    assert isinstance(config.model.embedding, PretrainedEmbedding)
    assert config.model.embedding.path == "/v[1].txt"
    assert load_sentiment(SENTIMENT, "training.init_from=~/runs/lm").training.init_from == (
        "/home/somebody/runs/lm"
    )

    overridden = load_sentiment(in_file, "data.test_path=t.csv", vectors)
    assert overridden.data.path == "/base/tweets.csv"
    assert overridden.data.test_path == f"{here}/t.csv"
    assert isinstance(overridden.model.embedding, PretrainedEmbedding)
    assert overridden.model.embedding.path == f"{here}/v.txt"
    start = load_sentiment(SENTIMENT, "training.init_from=runs/lm").training.init_from
    assert start == f"{here}/runs/lm"


def test_only_patterns_have_the_folder_of_the_file_escaped() -> None:
    text = SENTIMENT.replace("tweets.csv", "'*.csv'").replace(
        "units: 16", "embedding: {kind: pretrained, path: 'v*.txt'}"
    )
    config = parse_config(text, source="x", base=Path("/a[1]"))
    assert isinstance(config, ClassificationConfig)
    assert config.data.path == "/a[[]1]/*.csv"
    assert isinstance(config.model.embedding, PretrainedEmbedding)
    assert config.model.embedding.path == "/a[1]/v*.txt"
