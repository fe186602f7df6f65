"""Weights that a configuration gives: held against the network, and where training begins."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rnnkit.config.describe import to_yaml
from rnnkit.errors import ConfigError
from rnnkit.network.spec import check_given_weights
from rnnkit.tasks.language_model.config import CharGenerationConfig, LanguageModelConfig
from rnnkit.tasks.language_model.network import language_network
from rnnkit.tasks.task import load_config, parse_config
from rnnkit.tasks.text_classification.network import classifier_network

START = """\
version: 1
task: char_generation
data: {path: text.txt, validation_fraction: 0.0, windows: {kind: sliding, length: 3}}
training: {max_steps: 1, batch_size: 1}
model:
  cell: simple_rnn
  units: 2
  input: {kind: one_hot}
"""


def configure(weights: str, model: str = "") -> CharGenerationConfig:
    text = f"{START}{model}  initial_weights: {weights}\n"
    config = parse_config(text, source="x.yaml", base=Path())
    assert isinstance(config, CharGenerationConfig)
    return config


@pytest.mark.parametrize(
    ("weights", "model", "said"),
    [
        ("{recurrent_0/kernels: [1]}", "", "no such weight. Did you mean 'recurrent_0/kernel'"),
        ("{recurrent_0/bias: [1, 2, 3]}", "", "expected 2 numbers, found 3 numbers"),
        (
            "{recurrent_0/recurrent_kernel: [[1, 2], [3]]}",
            "",
            "rows of different lengths; expected 2 rows of 2 numbers",
        ),
        ("{recurrent_0/recurrent_kernel: [1, 2]}", "", "expected 2 rows of 2 numbers, found 2 num"),
        ("{logits/kernel: [[1], [2], [3]]}", "", "2 rows with a number for each token"),
        ("{recurrent_0/kernel: [[1], [2]]}", "", "rows of 2 numbers, one for each token"),
        ("{recurrent_1/bias: [1, 2]}", "", "no such weight"),
        ("{}", "", "at least one entry|KEY: VALUE"),
        ("{recurrent_0/bias: [1, .nan]}", "", "a finite number is needed"),
        ("{recurrent_0/bias: [1, 1e31]}", "", r"found \[1, 1e\+31\]"),
        (
            "{recurrent_0/recurrent_kernel: [[1, 0], [0, 1]]}",
            "  recurrent_initializer: identity\n",
            "recurrent_initializer: has no effect where initial_weights gives every",
        ),
    ],
)
def test_what_does_not_fit_is_refused_by_name(weights: str, model: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        configure(weights, model)


def test_sizes_of_the_vocabulary_are_checked_with_the_data() -> None:
    model = configure("{logits/bias: [1, 2, 3]}").model
    check_given_weights(language_network(model, vocabulary_size=3), model.initial_weights)
    with pytest.raises(ConfigError, match="logits/bias: expected 4 numbers, found 3 numbers"):
        check_given_weights(language_network(model, vocabulary_size=4), model.initial_weights)


def test_they_survive_being_written_out(tmp_path: Path) -> None:
    config = configure("{recurrent_0/bias: [1, -2.5e-3], logits/kernel: [[1, 2], [3, 4]]}")
    (tmp_path / "x.yaml").write_text(to_yaml(config))
    again = load_config(tmp_path / "x.yaml")
    assert again.model == config.model


def test_a_wrong_vocabulary_is_exit_3_before_tensorflow(tmp_path: Path, run_cli: Any) -> None:
    (tmp_path / "text.txt").write_text("hello")
    (tmp_path / "x.yaml").write_text(f"{START}  initial_weights: {{logits/bias: [1, 2, 3]}}\n")
    result = run_cli("train", tmp_path / "x.yaml", "--runs-dir", tmp_path / "runs")
    assert result.exit_code == 3
    assert "The vocabulary of the text has 4 tokens." in result.stderr
    assert "TensorFlow" not in result.stderr


@pytest.mark.parametrize("cell", ["simple_rnn", "lstm", "gru"])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"input": {"kind": "one_hot"}, "normalization": "layer"},
        {"input": {"kind": "scaled"}, "normalization": "batch", "units": (3, 4)},
        {"input": {"kind": "embedding", "size": 4}, "units": 4, "tie_weights": True},
    ],
)
def test_shapes_are_those_of_the_network(cell: str, options: dict[str, Any]) -> None:
    from rnnkit.network.keras import build_saved_model, weights_by_name

    model = LanguageModelConfig.model_validate({"cell": cell, "units": 5, **options})
    built = weights_by_name(build_saved_model(language_network(model, vocabulary_size=7)))
    assert language_network(model, vocabulary_size=7).weight_shapes == {
        name: w.shape for name, w in built.items()
    }


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize(
    "options",
    [
        {"pooling": ("last", "attention"), "dense": (3, 2)},
        {"normalization": "batch", "layers": 2, "output": "sigmoid"},
        {"cell": "lstm", "units": (4, 3), "normalization": "layer"},
    ],
)
def test_shapes_are_those_of_the_classifier(bidirectional: bool, options: dict[str, Any]) -> None:
    from rnnkit.network.keras import build_saved_model, weights_by_name
    from rnnkit.tasks.text_classification.config import ClassifierConfig

    model = ClassifierConfig.model_validate(
        {
            "units": 4,
            **options,
            "bidirectional": bidirectional,
            "embedding": {"kind": "learned", "size": 5},
        }
    )
    sizes = {"vocabulary_size": 9, "classes": 2}
    built = weights_by_name(build_saved_model(classifier_network(model, **sizes)))
    assert classifier_network(model, **sizes).weight_shapes == {
        n: w.shape for n, w in built.items()
    }


def test_training_begins_with_them(tmp_path: Path) -> None:
    from rnnkit.tasks.task import prepare
    from rnnkit.training.execution import choose_execution

    (tmp_path / "text.txt").write_text("hello")
    text = f"{START}  initial_weights: {{recurrent_0/recurrent_kernel: [[1, 2], [3, 4]]}}\n"
    overrides = ["training.weight_average=0.9"]
    config = parse_config(text, source="x.yaml", base=tmp_path, overrides=overrides)
    assert isinstance(config, CharGenerationConfig)
    subject = prepare(config).build(choose_execution(batch_size=1))
    before = {w.path: w.numpy() for w in subject.learner.model.weights}
    subject.start()
    for weight in subject.learner.model.weights:
        if "recurrent_kernel" in weight.path:
            np.testing.assert_array_equal(weight.numpy(), [[1.0, 2.0], [3.0, 4.0]])
        else:
            np.testing.assert_array_equal(weight.numpy(), before[weight.path])
    with subject.learner.averages.in_place():
        found = {w.path: w.numpy() for w in subject.learner.model.weights}
    assert [[1.0, 2.0], [3.0, 4.0]] in [w.tolist() for w in found.values()]
