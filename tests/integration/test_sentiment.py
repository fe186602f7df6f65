"""Classifiers from labelled texts to a run: learning, repeating, resuming, starting from others."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from experiments import (
    assert_same_training,
    configure,
    configure_labelled,
    evaluations,
    start,
    stop_after,
    train_here,
    train_new,
)

from rnnkit.errors import ConfigError, InterruptedTrainingError, RunError
from rnnkit.runs.files import read_document
from rnnkit.tasks.text_classification.data import prepare_texts
from rnnkit.tasks.text_classification.initial import class_ratios, initial_weights

EVERYTHING = (
    "model.cell=lstm",
    "model.layers=2",
    "model.bidirectional=true",
    "model.pooling=[mean, attention]",
    "model.dropout=0.2",
    "model.embedding_dropout=0.2",
    "model.recurrent_dropout=0.2",
    "model.normalization=batch",
    "training.weight_average=0.9",
    "training.class_weights=balanced",
    "training.label_smoothing=0.1",
    "training.monitor=roc_auc",
    "training.schedule={kind: plateau, warmup_steps: 3, patience: 1}",
)
CASES = {"plain": (), "everything": EVERYTHING}


@pytest.mark.parametrize("case", CASES)
def test_repeated_and_resumed_runs_are_equal(tmp_path: Path, case: str) -> None:
    config = configure_labelled(tmp_path, *CASES[case])
    whole = train_new(tmp_path, config, "whole")
    prepared, run = start(tmp_path, config, "stopped")
    for _ in range(2):
        with pytest.raises(InterruptedTrainingError):
            train_here(config, prepared, run, should_stop=stop_after(11))
    train_here(config, prepared, run)
    assert_same_training(whole, run)


def test_a_clear_signal_is_learned(tmp_path: Path) -> None:
    config = configure_labelled(tmp_path, "training.max_steps=120", "model.pooling=max")
    run = train_new(tmp_path, config, "run")
    last = evaluations(run)[-1]
    assert last["validation_accuracy"] > 0.9
    assert last["validation_roc_auc"] > 0.9
    summary = read_document(run.summary, "summary")
    assert summary["classes"] == ["neg", "pos"]
    assert read_document(run.data_summary, "data")["rows"] == {
        "train": 72,
        "validation": 24,
    }


def test_the_best_model_is_the_one_of_the_monitored_metric(tmp_path: Path) -> None:
    config = configure_labelled(
        tmp_path, "training.monitor=macro_f1", "training.optimizer.learning_rate=0.1"
    )
    run = train_new(tmp_path, config, "run")
    records = [record for record in evaluations(run) if "validation_macro_f1" in record]
    assert len(records) > 1
    best = max(records, key=lambda record: record["validation_macro_f1"])
    assert read_document(run.summary, "summary")["best_step"] == best["step"]


def test_ratios_compare_the_classes(tmp_path: Path) -> None:
    prepared = prepare_texts(configure_labelled(tmp_path))
    ratios = class_ratios(prepared)
    assert ratios.shape == (prepared.encoder.size, 1)
    assert ratios[prepared.encoder.vocabulary.id_of("lovely"), 0] > 1.0
    assert ratios[prepared.encoder.vocabulary.id_of("dull"), 0] < -1.0
    assert ratios[0, 0] == 0.0

    # By hand, for one token: texts of each class that hold it, plus one, over the sum of all.
    texts, token = prepared.split("train"), prepared.encoder.vocabulary.id_of("film")
    counts = np.ones((2, prepared.encoder.size))
    for index in range(len(texts)):
        for found in set(texts.row(index).tolist()):
            counts[texts.labels[index], found] += 1
    shares = counts / counts.sum(axis=1, keepdims=True)
    assert ratios[token, 0] == pytest.approx(np.log(shares[1, token] / shares[0, token]))


def test_a_language_model_gives_its_layers(tmp_path: Path) -> None:
    language = train_new(tmp_path, configure(tmp_path, "training.max_steps=3"), "language")
    overrides = (
        "data.tokens={kind: characters, lowercase: true}",
        "model.embedding.size=4",
        "model.units=8",
        f"training.init_from={language.path}",
    )
    config = configure_labelled(tmp_path, *overrides, "model.bidirectional=true")
    prepared = prepare_texts(config)
    found = initial_weights(config, prepared).weights
    with np.load(language.best_checkpoint) as source:
        assert np.array_equal(found["recurrent_0_forward/kernel"], source["recurrent_0/kernel"])
        letters = sorted({*"the quick brown fox jumps over the lazy dog; pack my box"})
        table = source["embedding/embeddings"]
    vocabulary = read_document(language.vocabulary, "vocabulary")["tokens"]
    row = vocabulary.index("f")
    assert "f" in letters
    ours = found["embedding/embeddings"][prepared.encoder.vocabulary.id_of("f")]
    assert np.array_equal(ours, table[row])
    other = configure_labelled(tmp_path, *overrides, "model.units=9")
    with pytest.raises(ConfigError, match=r"model\.units"):
        initial_weights(other, prepared)
    with pytest.raises(RunError, match="not a run directory"):
        initial_weights(
            configure_labelled(tmp_path, f"training.init_from={tmp_path / 'none'}"), prepared
        )


def test_a_run_goes_on_without_the_run_that_it_began_with(tmp_path: Path) -> None:
    origin = train_new(tmp_path, configure_labelled(tmp_path, "training.max_steps=3"), "origin")
    config = configure_labelled(tmp_path, f"training.init_from={origin.path}", "seed=3")
    whole = train_new(tmp_path, config, "whole")
    prepared, run = start(tmp_path, config, "stopped")
    with pytest.raises(InterruptedTrainingError):
        train_here(config, prepared, run, should_stop=stop_after(11))
    shutil.rmtree(origin.path)
    train_here(config, prepared, run)
    assert_same_training(whole, run)


def test_cross_validation_covers_every_text_once_and_goes_on(
    tmp_path: Path, run_cli: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    from experiments import LABELLED_SETTINGS

    configure_labelled(tmp_path)  # writes the texts
    (tmp_path / "r.yaml").write_text(LABELLED_SETTINGS, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    options = ("--folds", 3, "--name", "cv", "--set", "training.max_steps=12", "--json")
    first = run_cli("crossval", "r.yaml", *options)
    assert first.exit_code == 0, first.stderr
    folder = tmp_path / "runs" / "cv"
    rows = (folder / "out_of_fold.csv").read_text("utf-8").splitlines()
    header, *body = [row.split(",") for row in rows]
    assert header[:5] == ["fold", "file", "row", "label", "predicted"]
    assert len({row[2] for row in body}) == len(body) == 96
    accuracy = read_document(folder / "crossval.json", "crossval")["metrics"]["accuracy"]
    by_fold = [
        np.mean([row[3] == row[4] for row in body if row[0] == str(fold)]) for fold in (1, 2, 3)
    ]
    assert accuracy["folds"] == pytest.approx(by_fold)
    assert accuracy["value"] == pytest.approx(np.mean(by_fold))
    assert accuracy["low"] < accuracy["value"] < accuracy["high"]

    # A fold that was not finished is trained again, to the same result.
    (folder / "fold-02" / "summary.json").unlink()
    again = run_cli("crossval", "--resume", "cv", "--json")
    assert again.exit_code == 0, again.stderr
    assert (folder / "out_of_fold.csv").read_text("utf-8").splitlines() == rows
    shown = run_cli("crossval", "--resume", "cv").stdout
    assert shown == run_cli("runs", "show", "cv").stdout
    for value in (min(by_fold), max(by_fold)):
        assert f"{value:.4f}" in shown
    assert run_cli("crossval", "r.yaml", *options).exit_code == 5  # the name is taken
    assert run_cli("crossval", "--resume", "cv", "--folds", 4).exit_code == 2


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (("--set", "data.fold={number: 1, of: 2}"), 3),
        (("--set", "data.path=nowhere.csv"), 4),
        (("--folds", 60), 4),
        (("--name", "a/b"), 2),
    ],
)
def test_a_refused_cross_validation_leaves_nothing_behind(
    tmp_path: Path,
    run_cli: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
    options: tuple[Any, ...],
    code: int,
) -> None:
    from experiments import LABELLED_SETTINGS

    configure_labelled(tmp_path)  # writes the texts
    (tmp_path / "r.yaml").write_text(LABELLED_SETTINGS, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    refused = run_cli("crossval", "r.yaml", *options)
    assert refused.exit_code == code, refused.stderr
    assert not (tmp_path / "runs").exists()
