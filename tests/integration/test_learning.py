"""Training does what it is for: the loss falls, text is learned, and scores mean what they say."""

import json
import math
import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from experiments import TEXT, arrays, configure, evaluations, train_new

from rnnkit.runs.directory import RunDirectory
from rnnkit.runs.files import read_document
from rnnkit.training.events import Started

pytestmark = pytest.mark.slow  # trains many small networks

RunCli = Callable[..., Any]

OPTIMIZERS = {
    "adam": "{name: adam, learning_rate: 0.02}",
    "adamw": "{name: adamw, learning_rate: 0.02}",
    "rmsprop": "{name: rmsprop, learning_rate: 0.01}",
    "sgd": "{name: sgd, learning_rate: 0.2, momentum: 0.9}",
    "sgd, Nesterov": "{name: sgd, learning_rate: 0.2, momentum: 0.9, nesterov: true}",
}


def entropy(text: str) -> float:
    """Nats per character of who knows how often each occurs, and nothing more."""
    shares = [count / len(text) for count in Counter(text).values()]
    return -sum(share * math.log(share) for share in shares)


def summary_of(run: RunDirectory) -> dict[str, Any]:
    return read_document(run.summary, "summary")


def scores_of(run_cli: RunCli, run: RunDirectory, *options: object) -> dict[str, float]:
    answer = run_cli("evaluate", run.path, "--json", *options)
    assert answer.exit_code == 0, answer.stderr
    return {name: score["value"] for name, score in json.loads(answer.stdout)["metrics"].items()}


# ----------------------------------------------------------------------------- the loss falls


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("cell", ["simple_rnn", "lstm", "gru"])
def test_the_loss_falls_below_counting_characters(
    tmp_path: Path, cell: str, optimizer: str
) -> None:
    config = configure(
        tmp_path,
        f"model.cell={cell}",
        "model.units=16",
        f"training.optimizer={OPTIMIZERS[optimizer]}",
        "training.clip_norm=1.0",
        "training.max_steps=120",
        "training.evaluate_every_steps=60",
    )
    run = train_new(tmp_path, config, "run")
    first, last = evaluations(run)
    assert last["train_loss"] < first["train_loss"]
    assert last["validation_loss"] < first["validation_loss"]
    # Better than every model without context can be.
    assert last["validation_loss"] < 0.8 * entropy(TEXT)


def test_a_text_is_learned_by_heart(run_cli: RunCli, tmp_path: Path) -> None:
    config = configure(
        tmp_path,
        "model.units=32",
        "data.validation_fraction=0.0",
        "training.batch_size=2",
        "training.max_steps=400",
        "training.evaluate_every_steps=50",
        "training.optimizer.learning_rate=0.02",
    )
    run = train_new(tmp_path, config, "run")
    assert summary_of(run)["metrics"]["train_loss"] < 0.2
    answer = run_cli("generate", run.path, "--seed", TEXT[:20], "--length", 150, "--temperature", 0)
    assert answer.stdout == TEXT[:170] + "\n"


def test_the_state_reaches_further_back_than_a_window(tmp_path: Path) -> None:
    """Each third letter repeats the first, and half of the pairs lie in two windows."""
    generator = random.Random(0)
    text = "".join(f"{letter}-{letter}" for letter in generator.choices("abcdefgh", k=800))
    config = configure(
        tmp_path,
        "model.units=48",
        "training.batch_size=16",
        "training.max_steps=750",
        "training.evaluate_every_steps=750",
        "data.windows.length=2",
        text=text,
    )
    run = train_new(tmp_path, config, "run")
    # The first of three letters is a surprise of log 8, the second always a dash, the third none
    # with a memory; for who forgets between windows it is log 8 half of the time.
    assert evaluations(run)[-1]["validation_loss"] < 1.25 * math.log(8) / 3


# ------------------------------------------------------------------------ what is exported


def test_the_best_model_is_exported_and_early_stopping_waits_for_it(
    run_cli: RunCli, tmp_path: Path
) -> None:
    """Random letters: the training text can be learned by heart, the rest only gets worse."""
    letters = random.Random(1).choices("abcdefgh", k=400)
    config = configure(
        tmp_path,
        "model.units=48",
        "training.batch_size=1",
        "training.max_steps=2000",
        "training.evaluate_every_steps=20",
        "training.optimizer.learning_rate=0.02",
        "training.early_stopping={patience: 3}",
        text="".join(letters),
    )
    run = train_new(tmp_path, config, "run")
    summary, losses = summary_of(run), [r["validation_loss"] for r in evaluations(run)]
    assert summary["stopped_by"] == "early_stopping"
    best = int(np.argmin(losses))
    assert summary["best_step"] == 20 * (best + 1)
    assert summary["steps"] == summary["best_step"] + 3 * 20
    assert summary["metrics"]["validation_loss"] == losses[best] < losses[-1]
    assert scores_of(run_cli, run)["loss"] == pytest.approx(losses[best], abs=1e-4)


@pytest.mark.parametrize(
    "overrides",
    [
        (),
        ("model.cell=lstm", "model.units=[8, 6]", "model.normalization=layer"),
        ("model.cell=simple_rnn", "model.layers=2", "model.normalization=batch"),
        ("model.dropout=0.3", "model.recurrent_dropout=0.3", "model.l2=0.001"),
        ("training.weight_average=0.9",),
        ("data.windows={kind: sliding, length: 5, stride: 2}", "training.batch_size=7"),
    ],
    ids=["plain", "layer norm", "batch norm", "dropout and L2", "averaged", "sliding windows"],
)
def test_evaluate_agrees_with_what_training_said(
    run_cli: RunCli, tmp_path: Path, overrides: tuple[str, ...]
) -> None:
    # One stream, so that both read the text from its start to its end.
    config = configure(tmp_path, "training.batch_size=1", *overrides)
    run = train_new(tmp_path, config, "run")
    said = summary_of(run)["metrics"]
    found = scores_of(run_cli, run)
    assert found["loss"] == pytest.approx(said["validation_loss"], abs=1e-4)
    assert found["bits_per_character"] == pytest.approx(said["bits_per_character"], abs=2e-4)
    # Float32 may decide a near tie the other way.
    assert found["accuracy"] == pytest.approx(said["validation_accuracy"], abs=0.011)


def test_averaged_weights_are_what_is_scored_and_saved(tmp_path: Path) -> None:
    config = configure(tmp_path, "training.weight_average=0.9")
    run = train_new(tmp_path, config, "run")
    assert summary_of(run)["best_step"] == 40, "the last weights are to be the best here"
    last, best = arrays(run.last_checkpoint), arrays(run.best_checkpoint)
    averages = {key: value for key, value in last.items() if key.startswith("average/")}
    assert averages.keys() == {f"average/{i}" for i in range(len(best))}
    saved = sorted((v.shape, v.tobytes()) for v in best.values())
    assert saved == sorted((v.shape, v.tobytes()) for v in averages.values())
    weights = {key: value for key, value in last.items() if key.startswith("model/")}
    assert saved != sorted((v.shape, v.tobytes()) for v in weights.values())


def test_averaging_lags_behind_the_weights(tmp_path: Path) -> None:
    """A decay near 1 keeps the averages near where training began."""
    distance = {}
    for decay in (0.05, 0.9):
        config = configure(tmp_path, f"training.weight_average={decay}")
        last = arrays(train_new(tmp_path, config, f"run{decay}").last_checkpoint)
        averages, weights = (
            {values.shape: values for name, values in last.items() if name.startswith(group)}
            for group in ("average/", "model/")
        )
        assert len(averages) == 6, "every weight here has a shape of its own"
        distance[decay] = sum(
            float(np.square(values - weights[shape]).sum()) for shape, values in averages.items()
        )
    assert 0.0 < distance[0.05] < 0.1 * distance[0.9]


# ------------------------------------------------------------------ regularisation and clipping


def matrices(run: RunDirectory) -> np.ndarray:
    """All entries of the weight matrices of the best model."""
    weights = arrays(run.best_checkpoint)
    return np.concatenate([w.ravel() for name, w in weights.items() if not name.endswith("bias")])


@pytest.mark.parametrize("penalty", ["l1", "l2"])
def test_penalties_shrink_the_weights(tmp_path: Path, penalty: str) -> None:
    sizes = []
    for strength in (0.0, 0.01):
        config = configure(tmp_path, f"model.{penalty}={strength}", "training.max_steps=100",
                           "training.evaluate_every_steps=100")  # fmt: skip
        entries = matrices(train_new(tmp_path, config, f"run{strength}"))
        sizes.append(float(np.abs(entries).sum() if penalty == "l1" else np.square(entries).sum()))
    assert sizes[0] > 1.2 * sizes[1]


def test_the_penalty_is_not_part_of_the_reported_loss(tmp_path: Path) -> None:
    config = configure(tmp_path, "model.l2=10.0", "training.max_steps=2")
    loss = evaluations(train_new(tmp_path, config, "run"))[-1]["train_loss"]
    assert loss == pytest.approx(math.log(len(set(TEXT))), rel=0.05)


@pytest.mark.parametrize("clip", ["norm", "value"])
def test_clipping_bounds_every_step(tmp_path: Path, clip: str) -> None:
    """Plain gradient descent moves the weights by the clipped gradient and nothing else."""
    limit = 1e-3
    ends = []
    for steps in (1, 2):
        config = configure(
            tmp_path,
            "training.optimizer={name: sgd, learning_rate: 1.0}",
            f"training.clip_{clip}={limit}",
            f"training.max_steps={steps}",
        )
        run = train_new(tmp_path, config, f"run{steps}")
        ends.append(arrays(run.last_checkpoint))
        # What is reported is the norm before clipping: how much was cut can be seen.
        assert evaluations(run)[-1]["gradient_norm"] > 50 * limit
    before, after = ends
    moved = np.concatenate(
        [(after[name] - before[name]).ravel() for name in after if name.startswith("model/")]
    )
    size = np.linalg.norm(moved) if clip == "norm" else np.abs(moved).max()
    assert float(size) == pytest.approx(limit, rel=1e-3)


# ---------------------------------------------------------------------------- generated text


def test_generated_text_has_the_vocabulary_of_the_training_text(
    run_cli: RunCli, tmp_path: Path
) -> None:
    rare = "äöü"
    text = TEXT + rare + "\n" + TEXT
    config = configure(
        tmp_path,
        "data.minimum_count=5",
        "training.max_steps=10",
        "training.samples={temperatures: [0, 1, 100], length: 200}",
        text=text,
    )
    run = train_new(tmp_path, config, "run")
    kept = set(TEXT)
    samples = evaluations(run)[-1]["samples"]
    assert [sample["temperature"] for sample in samples] == [0, 1, 100]
    for sample in samples:
        assert len(sample["text"]) == 201
        assert set(sample["text"]) <= kept
    assert len(set(samples[2]["text"])) > len(kept) / 2, "temperature 100 is nearly uniform"
    answer = run_cli(
        "generate", run.path, "--seed", "the", "--length", 2000, "--temperature", 50,
        "--random-seed", 3,
    )  # fmt: skip
    assert set(answer.stdout) == kept
    assert run_cli("generate", run.path, "--seed", "ä").exit_code == 4


def test_bytes_are_learned_and_written_as_text(run_cli: RunCli, tmp_path: Path) -> None:
    text = "Grüße aus Köln, schöner Föhn! 東京\n" * 30
    config = configure(
        tmp_path,
        "data.tokens=bytes",
        "data.windows.length=40",
        "model.units=48",
        "model.input.size=16",
        "training.max_steps=500",
        "training.evaluate_every_steps=100",
        text=text,
    )
    run = train_new(tmp_path, config, "run")
    said = summary_of(run)["metrics"]
    begin = int(len(text.encode()) * (1 - config.data.validation_fraction))
    predicted = text.encode()[begin + 1 :]
    begun = sum((byte & 0xC0) != 0x80 for byte in predicted)  # the first byte of a character
    per_character = len(predicted) / begun
    assert said["bits_per_character"] == pytest.approx(
        said["validation_loss"] / math.log(2) * per_character
    )
    answer = run_cli("generate", run.path, "--seed", text[:10], "--temperature", 0,
                     "--length", len(text[10:66].encode()))  # fmt: skip
    assert answer.stdout == text[:66] + "\n"


@pytest.mark.parametrize("cell", ["simple_rnn", "lstm", "gru"])
def test_our_kernel_trains_as_the_keras_loop_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cell: str
) -> None:
    """200 steps on shards through our kernel, and in one piece through the loop of Keras."""
    overrides = (
        f"model.cell={cell}",
        "model.layers=2",
        "training.batch_size=16",
        "training.max_steps=200",
        "training.evaluate_every_steps=20",
        "training.optimizer={name: adam, learning_rate: 0.003}",
        "training.clip_norm=1.0",
    )
    config = configure(tmp_path, *overrides)
    started: list[Started] = []

    def observe(event: object) -> None:
        if isinstance(event, Started):
            started.append(event)

    ours = train_new(tmp_path, config, "ours", observe=observe)
    with monkeypatch.context() as patch:
        # As on a GPU, where Keras chooses: here that is its own loop.
        patch.setattr("rnnkit.training.execution.has_gpu", lambda: True)
        stock = train_new(tmp_path, config, "stock", observe=observe)
    there = "rnnkit," if cell == "simple_rnn" else "keras, without cuDNN"
    assert started[0].kernel.startswith("rnnkit/float32")
    assert started[1].kernel.startswith(there)
    curves = [
        [(record["train_loss"], record["validation_loss"]) for record in evaluations(run)]
        for run in (ours, stock)
    ]
    assert len(curves[0]) == 10
    np.testing.assert_allclose(curves[0], curves[1], rtol=2e-4)
    assert curves[0][-1][0] < 0.9 * curves[0][0][0]
