"""Keys that would have no effect, or cannot work, beside the others."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from rnnkit.config import rules
from rnnkit.config.describe import to_yaml
from rnnkit.errors import ConfigError
from rnnkit.tasks.task import SCHEMAS, Config, parse_config

BASE = "{version: 1, task: char_generation, data: {path: /t.txt}, training: {max_steps: 100}}"
SENTIMENT = "{version: 1, task: sentiment, data: {path: /t.csv}, training: {max_steps: 100}}"


def contradictions(config: Config) -> list[rules.Contradiction]:
    return list(rules.contradictions(config, SCHEMAS[config.task].rules))


def load(*overrides: str, text: str = BASE) -> Config:
    return parse_config(text, source="x.yaml", base=Path("/"), overrides=overrides)


REFUSED: list[tuple[list[str], str, str]] = [
    (["data.tokens=bytes", "data.minimum_count=2"], "data.minimum_count", "256 bytes"),
    (
        ["data.validation_fraction=0.5", "data.test_fraction=0.5"],
        "data.validation_fraction",
        r"0.5 \+ 0.5",
    ),
    (["model.units=[4, 5]", "model.layers=3"], "model.layers", "units lists 2 layers"),
    (["model.units=[4, 5]", "model.layers=1"], "model.layers", "units lists 2 layers"),
    (["model.residual=true"], "model.residual", "one layer"),
    (["model.residual=true", "model.units=[4]"], "model.residual", "one layer"),
    (["model.residual=true", "model.units=[4, 5]"], "model.residual", "found 4, 5"),
    (["model.tie_weights=true", "model.input={kind: one_hot}"], "model.tie_weights", "one_hot"),
    (["model.tie_weights=true", "model.input={kind: scaled}"], "model.tie_weights", "scaled"),
    (["model.tie_weights=true"], "model.tie_weights", "input.size 64 and units 256"),
    (["model.tie_weights=true", "model.units=[64, 8]"], "model.tie_weights", "units 8"),
    (["model.cell=lstm", "model.activation=relu"], "model.activation", "lstm"),
    (["model.cell=gru", "model.activation=tanh"], "model.activation", "gru"),
    (
        ["model.cell=lstm", "model.recurrent_initializer=identity"],
        "model.recurrent_initializer",
        "found lstm",
    ),
    (["model.bidirectional=true"], "model.bidirectional", "needs the future"),
    (["model.dropout_mask=sequence"], "model.dropout_mask", "without dropout"),
    (
        ["model.dropout_mask=sequence", "model.dropout=0.1", "data.windows.length=1"],
        "model.dropout_mask",
        "length 1",
    ),
    (
        ["model.dropout_mask=sequence", "model.dropout=0.1", "data.windows.kind=sliding"],
        "model.dropout_mask",
        "one layer",
    ),
    (
        ["model.recurrent_dropout=0.1", "data.windows={kind: sliding, length: 1}"],
        "model.recurrent_dropout",
        "no state",
    ),
    (
        ["model.recurrent_initializer=he_normal", "data.windows={kind: sliding, length: 1}"],
        "model.recurrent_initializer",
        "no state",
    ),
    (["training.max_steps=null"], "training", "max_epochs, max_steps or max_minutes"),
    (
        ["training.optimizer={name: sgd, nesterov: true}"],
        "training.optimizer.nesterov",
        "without momentum",
    ),
    (
        ["training.schedule.kind=linear", "training.max_steps=null", "training.max_minutes=1"],
        "training.schedule.kind",
        "linear needs max_epochs or max_steps",
    ),
    (
        ["training.schedule.kind=cosine", "training.max_steps=null", "training.max_minutes=1"],
        "training.schedule.kind",
        "cosine needs",
    ),
    (
        ["training.schedule={kind: cosine, final_fraction: 1}"],
        "training.schedule.final_fraction",
        "kind: constant",
    ),
    (
        ["training.schedule={kind: step, every_steps: 100}"],
        "training.schedule.every_steps",
        "never be reduced",
    ),
    (
        ["training.schedule={kind: plateau, patience: 5}", "training.early_stopping={}"],
        "training.schedule.patience",
        r"early_stopping.patience \(5\)",
    ),
    (["generation={temperature: 0, top_k: 3}"], "generation.top_k", "temperature: 0"),
    (["generation={temperature: 0, top_p: 0.5}"], "generation.top_p", "temperature: 0"),
    (["generation={temperature: 0, min_p: 0.5}"], "generation.min_p", "temperature: 0"),
    (["generation={temperature: 0, typical_p: 0.5}"], "generation.typical_p", "temperature: 0"),
    (["generation={top_k: 1, typical_p: 0.5}"], "generation.typical_p", "top_k: 1"),
    (["generation={top_k: 1, top_p: 0.5}"], "generation.top_p", "top_k: 1"),
    (
        ["evaluation.context_windows=[8]", "data.windows.kind=sliding"],
        "evaluation.context_windows",
        "only ever sees 40",
    ),
    (["evaluation.context_windows=[8, 8]"], "evaluation.context_windows", "twice"),
    (
        ["training.monitor=accuracy", "training.early_stopping.minimum_improvement=1"],
        "training.early_stopping.minimum_improvement",
        "1 cannot be reached: accuracy",
    ),
]
ONE_LAYER = ("model.dropout=0.1", "model.dropout_mask=sequence")
REFUSED_IN_SENTIMENT: list[tuple[list[str], str, str]] = [
    (
        ["data.validation_fraction=0.5", "data.test_fraction=0.5"],
        "data.validation_fraction",
        r"0.5 \+ 0.5",
    ),
    (["data.test_path=t.csv", "data.test_fraction=0.1"], "data.test_fraction", "test_path names"),
    (["data.fold={number: 4, of: 3}"], "data.fold.number", "from 1 to 3"),
    (["data.fold={number: 1, of: 3}", "data.test_fraction=0.1"], "data.test_fraction", "fold"),
    (["data.fold={number: 1, of: 3}", "data.test_path=t.csv"], "data.test_path", "fold"),
    (["data.fold={number: 1, of: 3}", "data.split=ordered"], "data.split", "fold"),
    (["data.split=ordered", "data.validation_fraction=0"], "data.split", "nothing is split"),
    (["data.encoding=utf8x"], "data.encoding", "no encoding 'utf8x'"),
    (["data.encoding=rot13"], "data.encoding", "no encoding"),
    (["data.encoding=hex"], "data.encoding", "no encoding"),
    (["data.encoding=undefined"], "data.encoding", "no encoding"),
    (['data.encoding="\\0"'], "data.encoding", "no encoding"),
    (["data.encoding=é"], "data.encoding", "no encoding"),
    (["data.layout={header: false, label: 0}"], "data.layout.text", "no names, found 'text'"),
    (["data.layout={header: false, text: 0}"], "data.layout.label", "no names, found 'label'"),
    (["data.layout.text=label"], "data.layout.label", "column of the texts too"),
    (["data.layout={text: 3, label: 3}"], "data.layout.label", "column of the texts too"),
    (["data.layout.separator='\"'"], "data.layout.separator", "cannot separate"),
    (['data.layout.separator="\\n"'], "data.layout.separator", "cannot separate"),
    (["data.tokens={punctuation: false, emoji: drop}"], "data.tokens.emoji", "drops emoji too"),
    (["data.labels={0: bad}"], "data.labels", "class 'bad'"),
    (["data.labels={0: bad, 1: bad}"], "data.labels", "class 'bad'"),
    (["data.labels={0: a, 1: b, 2: c}", "model.output=sigmoid"], "model.output", "labels name 3"),
    (["model.units=[4, 5]", "model.layers=3"], "model.layers", "units lists 2 layers"),
    (["model.residual=true"], "model.residual", "one layer"),
    (["model.residual=true", "model.units=[4, 5]"], "model.residual", "found 4, 5"),
    (["model.cell=lstm", "model.activation=relu"], "model.activation", "lstm"),
    (["model.recurrent_initializer=identity"], "model.recurrent_initializer", "found gru"),
    (["model.dropout_mask=sequence"], "model.dropout_mask", "without dropout"),
    ([*ONE_LAYER], "model.dropout_mask", "pooling: last and one layer"),
    ([*ONE_LAYER, "model.pooling=[last]"], "model.dropout_mask", "pooling: last and one layer"),
    (
        [*ONE_LAYER, "model.layers=2", "data.maximum_length=1"],
        "model.dropout_mask",
        "maximum_length 1",
    ),
    (
        ["data.maximum_length=1", "model.recurrent_dropout=0.1"],
        "model.recurrent_dropout",
        "no state",
    ),
    (
        ["data.maximum_length=1", "model.recurrent_initializer=he_normal"],
        "model.recurrent_initializer",
        "no state",
    ),
    (["model.pooling=[mean, max, mean]"], "model.pooling", "twice"),
    (["model.dense_activation=tanh"], "model.dense_activation", "without dense"),
    (["model.dense_activation=[relu]"], "model.dense_activation", "lists 1, but dense has 0"),
    (
        ["model.dense=[3, 4]", "model.dense_activation=[relu]"],
        "model.dense_activation",
        "lists 1, but dense has 2",
    ),
    (["model.dense_dropout=0.1"], "model.dense_dropout", "without dense"),
    *(
        (
            [f"training.monitor={monitor}", "data.validation_fraction=0"],
            "training.monitor",
            f"{monitor} is computed on the validation split",
        )
        for monitor in ("balanced_accuracy", "macro_f1", "roc_auc")
    ),
    (
        ["training.monitor=roc_auc", "training.early_stopping.minimum_improvement=2"],
        "training.early_stopping.minimum_improvement",
        "2 cannot be reached: roc_auc",
    ),
    (
        ["training.init_from=/lm", "model.embedding={kind: pretrained, path: /v.txt}"],
        "training.init_from",
        "initial vectors",
    ),
    (
        ["training.init_from=/lm", "model.embedding.class_ratios=1"],
        "model.embedding.class_ratios",
        "initial vectors",
    ),
    (["training.max_steps=null"], "training", "max_epochs, max_steps or max_minutes"),
    (
        ["training.optimizer={name: sgd, nesterov: true}"],
        "training.optimizer.nesterov",
        "without momentum",
    ),
    (
        ["training.schedule.kind=linear", "training.max_steps=null", "training.max_minutes=1"],
        "training.schedule.kind",
        "linear needs max_epochs or max_steps",
    ),
    (
        ["training.schedule={kind: plateau, patience: 5}", "training.early_stopping={}"],
        "training.schedule.patience",
        r"early_stopping.patience \(5\)",
    ),
]


@pytest.mark.parametrize(("overrides", "path", "message"), REFUSED)
def test_a_key_without_effect_is_refused(overrides: Sequence[str], path: str, message: str) -> None:
    with pytest.raises(ConfigError, match=rf": {path}: .*{message}") as error:
        load(*overrides)
    assert len(str(error.value).splitlines()) == 1


@pytest.mark.parametrize(("overrides", "path", "message"), REFUSED_IN_SENTIMENT)
def test_a_key_without_effect_is_refused_in_sentiment(
    overrides: Sequence[str], path: str, message: str
) -> None:
    with pytest.raises(ConfigError, match=rf": {path}: .*{message}") as error:
        load(*overrides, text=SENTIMENT)
    assert len(str(error.value).splitlines()) == 1


@pytest.mark.parametrize(
    "overrides",
    [
        ["data.test_path=t.csv", "data.validation_fraction=0"],
        ["data.split=ordered", "data.validation_fraction=0", "data.test_fraction=0.1"],
        ["data.fold={number: 3, of: 3}", "data.validation_fraction=0"],
        ["model.embedding.class_ratios=1", "data.labels={0: a, 1: b, 2: c}"],
        ["data.encoding=utf-8-sig"],
        ["data.encoding=UTF_16"],
        ["data.encoding=ISO-8859-15"],
        ["data.layout={header: false, text: 1, label: 0}"],
        ["data.layout={text: 5, label: mood}"],
        ["data.layout.separator=;"],
        ['data.layout.separator="\\t"'],
        ["data.layout.kind=sentiment140", "data.labels={0: a, 2: b, 4: c}"],
        ["data.layout.kind=folders"],
        ["data.tokens={punctuation: false, hashtags: split}"],
        ["data.tokens={stop_words: drop, lemmas: true}"],
        ["data.labels={0: bad, 1: bad, 2: good}", "model.output=sigmoid"],
        ["model.output=sigmoid"],
        ["data.truncate=start", "data.maximum_length=1"],
        [*ONE_LAYER, "model.pooling=[last, mean]"],
        [*ONE_LAYER, "model.pooling=attention"],
        [*ONE_LAYER, "model.layers=2"],
        ["model.dense=[3, 4]", "model.dense_activation=[sigmoid, relu]", "model.dense_dropout=0.5"],
        ["model.dense=[3, 4]", "model.dense_activation=gelu"],
        ["model.cell=simple_rnn", "model.activation=relu", "model.recurrent_initializer=identity"],
        ["model.units=[4, 4]", "model.residual=true", "model.bidirectional=true"],
        ["model.embedding={kind: pretrained, path: v.txt, trainable: true}"],
        ["model.embedding_dropout=0.1", "model.embedding={kind: pretrained, path: v.txt}"],
        ["training.init_from=/lm", "model.embedding.size=8"],
        ["training.monitor=accuracy", "data.validation_fraction=0"],
        ["training.monitor=roc_auc", "training.early_stopping.minimum_improvement=0.001"],
        ["training.monitor=macro_f1", "training.schedule.kind=plateau"],
        ["training.early_stopping.minimum_improvement=1"],
        ["training.class_weights=balanced", "training.label_smoothing=0.1"],
    ],
)
def test_what_goes_together_is_accepted_in_sentiment(overrides: Sequence[str]) -> None:
    assert contradictions(load(*overrides, text=SENTIMENT)) == []


@pytest.mark.parametrize(
    "overrides",
    [
        ["data.tokens=bytes", "data.newlines=keep", "data.normalization=NFC"],
        ["data.validation_fraction=0.5", "data.test_fraction=0.4"],
        ["model.units=[4, 5]", "model.layers=2"],
        ["model.units=[4, 4]", "model.residual=true"],
        ["model.layers=3", "model.residual=true"],
        ["model.units=[8, 64]", "model.tie_weights=true"],
        ["model.cell=simple_rnn", "model.activation=relu", "model.recurrent_initializer=identity"],
        ["model.dropout=0.1", "model.dropout_mask=sequence"],
        ["model={dropout: 0.1, dropout_mask: sequence, layers: 2}", "data.windows.kind=sliding"],
        ["training.optimizer={name: sgd, nesterov: true, momentum: 0.9}"],
        ["training.schedule={kind: linear, warmup_steps: 99}"],
        ["training.schedule.kind=cosine", "training.max_steps=null", "training.max_epochs=1"],
        ["training.schedule={kind: plateau, patience: 4}", "training.early_stopping={}"],
        ["generation={temperature: 0, repetition_penalty: 1.1}"],
        ["evaluation.context_windows=[]", "data.windows.kind=sliding"],
        ["evaluation.context_windows=[1, 8]"],
        ["data.windows={kind: sliding, length: 1}"],
    ],
)
def test_what_goes_together_is_accepted(overrides: Sequence[str]) -> None:
    assert contradictions(load(*overrides)) == []


@pytest.mark.parametrize("cell", ["simple_rnn", "lstm", "gru"])
@pytest.mark.parametrize("windows", ["stream", "sliding"])
@pytest.mark.parametrize("tokens", ["characters", "bytes"])
@pytest.mark.parametrize("schedule", ["constant", "linear", "cosine", "plateau"])
@pytest.mark.parametrize("optimizer", ["adam", "adamw", "rmsprop", "sgd"])
def test_defaults_written_out_are_always_accepted(
    cell: str, windows: str, tokens: str, schedule: str, optimizer: str
) -> None:
    config = load(
        f"model.cell={cell}",
        f"data.windows.kind={windows}",
        f"data.tokens={tokens}",
        f"training.schedule.kind={schedule}",
        f"training.optimizer.name={optimizer}",
    )
    again = parse_config(to_yaml(config), source="resolved.yaml", base=Path("/elsewhere"))
    assert again == config


@pytest.mark.parametrize("layout", ["table", "sentiment140", "files", "folders"])
@pytest.mark.parametrize("tokens", ["words", "characters", "subwords"])
@pytest.mark.parametrize("embedding", ["{kind: learned}", "{kind: pretrained, path: /v.txt}"])
@pytest.mark.parametrize("pooling", ["last", "[mean, max]"])
def test_defaults_of_sentiment_written_out_are_always_accepted(
    layout: str, tokens: str, embedding: str, pooling: str
) -> None:
    config = load(
        f"data.layout.kind={layout}",
        f"data.tokens.kind={tokens}",
        f"model.embedding={embedding}",
        f"model.pooling={pooling}",
        text=SENTIMENT,
    )
    again = parse_config(to_yaml(config), source="resolved.yaml", base=Path("/elsewhere"))
    assert again == config
