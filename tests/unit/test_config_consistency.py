"""Keys that would have no effect, or cannot work, beside the others."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from rnnkit.config.consistency import find_contradictions
from rnnkit.config.describe import to_yaml
from rnnkit.config.load import parse_config
from rnnkit.config.schema import Config
from rnnkit.errors import ConfigError

BASE = "{version: 1, task: char_generation, data: {path: /t.txt}, training: {max_steps: 100}}"


def load(*overrides: str) -> Config:
    return parse_config(BASE, source="x.yaml", base=Path("/"), overrides=overrides)


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
    (["model.bidirectional=true"], "model.bidirectional", "future characters"),
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
    (["training.schedule.warmup_steps=100"], "training.schedule.warmup_steps", "below max_steps"),
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
    (["generation={top_k: 1, top_p: 0.5}"], "generation.top_p", "top_k: 1"),
    (
        ["evaluation.context_windows=[8]", "data.windows.kind=sliding"],
        "evaluation.context_windows",
        "only ever sees 40",
    ),
    (["evaluation.context_windows=[8, 8]"], "evaluation.context_windows", "twice"),
]


@pytest.mark.parametrize(("overrides", "path", "message"), REFUSED)
def test_a_key_without_effect_is_refused(overrides: Sequence[str], path: str, message: str) -> None:
    with pytest.raises(ConfigError, match=rf": {path}: .*{message}") as error:
        load(*overrides)
    assert len(str(error.value).splitlines()) == 1


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
    assert find_contradictions(load(*overrides)) == []


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
