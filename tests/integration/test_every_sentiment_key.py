"""Every key of `task: sentiment` changes the run.

Keys of `training` that both tasks share go through the same loop and stand in the table of the
other task. Seventy trainings take a minute: `make test-slow`.
"""

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from experiments import (
    arrays,
    configure,
    configure_labelled,
    keys_of,
    start,
    train_here,
    train_new,
    without_times,
    write_reviews,
)

from rnnkit.runs.directory import RunDirectory
from rnnkit.tasks.language_model.config import LanguageTrainingConfig
from rnnkit.tasks.text_classification.config import ClassificationConfig

Case = tuple[str, tuple[str, ...], tuple[str, ...]]

SHORT = ("training.max_steps=4", "training.evaluate_every_steps=2")
SIMPLE = ("model.cell=simple_rnn",)
DEEP = ("model.layers=2",)
DENSE = ("model.dense=[4]",)
DROPOUT = ("model.dropout=0.5",)
VECTORS = ("model.embedding={kind: pretrained, path: {vectors}}",)
CHARACTERS = ("data.tokens={kind: characters}",)
SUBWORDS = ("data.tokens={kind: subwords}",)
FILES = ("data.path=[{pos}, {neg}]", "data.layout={kind: files}")


def words(**options: str) -> tuple[str, ...]:
    fields = ", ".join(f"{key}: {value}" for key, value in {"kind": "words", **options}.items())
    return (f"data.tokens={{{fields}}}",)


def layout(kind: str, **options: Any) -> tuple[str, ...]:
    fields = ", ".join(f"{key}: {value}" for key, value in {"kind": kind, **options}.items())
    return (f"data.layout={{{fields}}}",)


CASES: dict[str, Case] = {
    "seed": ("training", (), ("seed=5",)),
    "data.path": ("texts", (), ("data.path={other}",)),
    "data.test_path": ("texts", (), ("data.test_path={other}",)),
    "data.layout[table].kind": ("texts", FILES, ()),
    "data.layout[table].text": ("texts", (), layout("table", text="id")),
    "data.layout[table].label": ("texts", (), layout("table", label="group")),
    "data.layout[table].header": (
        "texts",
        ("data.path={bare}", *layout("table", text=1, label=2)),
        ("data.path={bare}", *layout("table", text=1, label=2, header="false")),
    ),
    "data.layout[table].separator": (
        "texts",
        ("data.path={other}",),
        ("data.path={semicolons}", *layout("table", separator='";"')),
    ),
    "data.layout[sentiment140].kind": (
        "texts",
        (),
        ("data.path={tweets}", *layout("sentiment140")),
    ),
    "data.layout[files].kind": ("texts", (), FILES),
    "data.layout[folders].kind": ("texts", (), ("data.path={folders}", *layout("folders"))),
    "data.encoding": (
        "texts",
        ("data.path={latin}", "data.encoding=latin-1"),
        ("data.path={latin}", "data.encoding=cp1252"),
    ),
    "data.labels": ("texts", (), ("data.labels={pos: liked, neg: disliked}",)),
    "data.bad_rows": ("rejected", ("data.path={ragged}",), ("data.bad_rows=drop",)),
    "data.deduplicate": ("rejected", ("data.path={twice}", "data.deduplicate=false"), ()),
    "data.split": ("texts", (), ("data.split=ordered",)),
    "data.validation_fraction": ("texts", (), ("data.validation_fraction=0.4",)),
    "data.test_fraction": ("texts", (), ("data.test_fraction=0.2",)),
    "data.fold.number": (
        "texts",
        ("data.fold={number: 1, of: 4}",),
        ("data.fold={number: 2, of: 4}",),
    ),
    "data.fold.of": (
        "texts",
        ("data.fold={number: 1, of: 4}",),
        ("data.fold={number: 1, of: 5}",),
    ),
    "data.tokens[words].kind": ("texts", CHARACTERS, ()),
    "data.tokens[words].lowercase": ("texts", (), words(lowercase="false")),
    "data.tokens[words].vocabulary_size": ("texts", (), words(vocabulary_size="5")),
    "data.tokens[words].minimum_count": ("texts", (), words(minimum_count="4")),
    "data.tokens[words].punctuation": ("texts", (), words(punctuation="false")),
    "data.tokens[words].markup": ("texts", (), words(markup="keep")),
    "data.tokens[words].urls": ("texts", (), words(urls="replace")),
    "data.tokens[words].mentions": ("texts", (), words(mentions="drop")),
    "data.tokens[words].hashtags": ("texts", (), words(hashtags="split")),
    "data.tokens[words].numbers": ("texts", (), words(numbers="replace")),
    "data.tokens[words].emoji": ("texts", (), words(emoji="drop")),
    "data.tokens[words].elongations": ("texts", (), words(elongations="shorten")),
    "data.tokens[words].stop_words": ("texts", (), words(stop_words="drop")),
    "data.tokens[words].lemmas": ("texts", (), words(lemmas="true")),
    "data.tokens[characters].kind": ("texts", (), CHARACTERS),
    "data.tokens[characters].lowercase": (
        "texts",
        CHARACTERS,
        ("data.tokens={kind: characters, lowercase: true}",),
    ),
    "data.tokens[characters].minimum_count": (
        "texts",
        CHARACTERS,
        ("data.tokens={kind: characters, minimum_count: 20}",),
    ),
    "data.tokens[subwords].kind": ("texts", (), SUBWORDS),
    "data.tokens[subwords].lowercase": (
        "texts",
        SUBWORDS,
        ("data.tokens={kind: subwords, lowercase: false}",),
    ),
    "data.tokens[subwords].vocabulary_size": (
        "texts",
        SUBWORDS,
        ("data.tokens={kind: subwords, vocabulary_size: 300}",),
    ),
    "data.maximum_length": ("texts", (), ("data.maximum_length=3",)),
    "data.truncate": (
        "texts",
        ("data.maximum_length=3",),
        ("data.maximum_length=3", "data.truncate=start"),
    ),
    "model.cell": ("training", (), ("model.cell=lstm",)),
    "model.units": ("training", (), ("model.units=7",)),
    "model.layers": ("training", (), DEEP),
    "model.bidirectional": ("training", (), ("model.bidirectional=true",)),
    "model.embedding[learned].kind": ("training", VECTORS, ()),
    "model.embedding[learned].size": ("training", (), ("model.embedding.size=4",)),
    "model.embedding[learned].class_ratios": (
        "training",
        (),
        ("model.embedding.class_ratios=0.3",),
    ),
    "model.embedding[pretrained].kind": ("training", (), VECTORS),
    "model.embedding[pretrained].path": (
        "training",
        VECTORS,
        ("model.embedding={kind: pretrained, path: {others}}",),
    ),
    "model.embedding[pretrained].trainable": (
        "training",
        VECTORS,
        ("model.embedding={kind: pretrained, path: {vectors}, trainable: true}",),
    ),
    "model.embedding_dropout": ("training", (), ("model.embedding_dropout=0.5",)),
    "model.activation": ("training", SIMPLE, (*SIMPLE, "model.activation=relu")),
    "model.kernel_initializer": ("training", (), ("model.kernel_initializer=he_normal",)),
    "model.recurrent_initializer": (
        "training",
        SIMPLE,
        (*SIMPLE, "model.recurrent_initializer=identity"),
    ),
    "model.dropout": ("training", (), DROPOUT),
    "model.dropout_mask": (
        "training",
        (*DROPOUT, "model.pooling=mean"),
        (*DROPOUT, "model.pooling=mean", "model.dropout_mask=sequence"),
    ),
    "model.recurrent_dropout": ("training", (), ("model.recurrent_dropout=0.5",)),
    "model.l1": ("training", (), ("model.l1=0.1",)),
    "model.l2": ("training", (), ("model.l2=0.1",)),
    "model.normalization": ("training", (), ("model.normalization=layer",)),
    "model.residual": ("training", DEEP, (*DEEP, "model.residual=true")),
    "model.pooling": ("training", (), ("model.pooling=[mean, attention]",)),
    "model.dense": ("training", (), DENSE),
    "model.dense_activation": ("training", DENSE, (*DENSE, "model.dense_activation=tanh")),
    "model.dense_dropout": ("training", DENSE, (*DENSE, "model.dense_dropout=0.5")),
    "model.output": ("training", (), ("model.output=sigmoid",)),
    "training.class_weights": ("training", (), ("training.class_weights=balanced",)),
    "training.label_smoothing": ("training", (), ("training.label_smoothing=0.2",)),
    "training.init_from": (
        "training",
        ("model.embedding.size=4", "model.units=8", *CHARACTERS),
        ("model.embedding.size=4", "model.units=8", *CHARACTERS, "training.init_from={language}"),
    ),
    "training.monitor": (
        "training",
        ("training.max_steps=16", "training.optimizer.learning_rate=0.3"),
        (
            "training.max_steps=16",
            "training.optimizer.learning_rate=0.3",
            "training.monitor=macro_f1",
        ),
    ),
    "evaluation.bootstrap_samples": ("evaluation", (), ("evaluation.bootstrap_samples=20",)),
    "evaluation.calibration_bins": ("evaluation", (), ("evaluation.calibration_bins=1000",)),
}

ONE_VALUE = {"version", "task"}


def test_the_table_has_every_key_of_the_schema() -> None:
    shared = {f"training.{key}" for key in keys_of(LanguageTrainingConfig)} - {"training.monitor"}
    own = set(keys_of(ClassificationConfig)) - shared
    assert sorted(own) == sorted({*CASES, *ONE_VALUE} - shared)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the texts of the cases lie."""
    folder = tmp_path_factory.mktemp("keys")
    reviews = folder / "reviews.csv"
    write_reviews(reviews)
    lines = reviews.read_text("utf-8").splitlines()
    grouped = [f"{line},{'ab'[i % 2]}" for i, line in enumerate(lines)]
    grouped[0] = "id,text,label,group"
    reviews.write_text("\n".join(grouped) + "\n", encoding="utf-8")
    write_reviews(folder / "other.csv", seed=1)
    other = (folder / "other.csv").read_text("utf-8")
    (folder / "bare.csv").write_text(other.split("\n", 1)[1], encoding="utf-8")
    (folder / "semicolons.csv").write_text(other.replace(",", ";").replace("12", "13"), "utf-8")
    (folder / "ragged.csv").write_text(other + "97,too,many,cells,here\n", encoding="utf-8")
    (folder / "twice.csv").write_text(other + other.split("\n", 1)[1], encoding="utf-8")
    (folder / "latin.csv").write_bytes(
        b"text,label\n" + b"".join(b"caf\x80 %d,%s\n" % (i, b"ab"[i % 2 :][:1]) for i in range(40))
    )
    (folder / "tweets.csv").write_text(
        "".join(f'"{4 * (i % 2)}","{i}","d","q","u","tweet {i}"\n' for i in range(40))
    )
    for name in ("pos", "neg"):
        (folder / f"{name}.txt").write_text("".join(f"{name} line {i}\n" for i in range(30)))
        (folder / "folders" / name).mkdir(parents=True)
        for i in range(20):
            (folder / "folders" / name / f"{i}.txt").write_text(f"{name} file {i}")
    for name, width in (("vectors", 3), ("others", 4)):
        (folder / f"{name}.vec").write_text(
            "".join(
                f"{word} {' '.join(str((i + j) % 5 - 2) for j in range(width))}\n"
                for i, word in enumerate(("film", "lovely", "bad", "plot", "dull"))
            )
        )
    language = train_new(folder, configure(folder, "training.max_steps=3"), "language")
    language.path.rename(folder / "language.run")
    return folder


@pytest.fixture(scope="module")
def observe(folder: Path, run_cli: Callable[..., Any]) -> Callable[..., object]:
    """`observe(what, overrides)`: what that configuration does, as a value to compare."""

    @cache
    def run_of(overrides: tuple[str, ...]) -> RunDirectory:
        config = configure_labelled(folder, *overrides)
        prepared, run = start(folder, config, f"run{len(list(folder.glob('runs/*')))}")
        train_here(config, prepared, run)
        return run

    def texts(overrides: tuple[str, ...]) -> object:
        from rnnkit.tasks.text_classification.data import prepare_texts

        return prepare_texts(configure_labelled(folder, *overrides)).fingerprint

    def rejected(overrides: tuple[str, ...]) -> object:
        from rnnkit.errors import DataError

        try:
            return texts(overrides)
        except DataError as error:
            return str(error)

    def training(overrides: tuple[str, ...]) -> object:
        run = run_of(overrides)
        best = arrays(run.best_checkpoint)
        return {k: (v.shape, v.tobytes()) for k, v in best.items()}, without_times(run)

    def evaluation(overrides: tuple[str, ...]) -> object:
        result = run_cli("evaluate", run_of(overrides).path, "--json")
        assert result.exit_code == 0, result.stderr
        return json.loads(result.stdout)["metrics"]

    observers: dict[str, Callable[[tuple[str, ...]], object]] = {
        "texts": texts,
        "rejected": rejected,
        "training": training,
        "evaluation": evaluation,
    }

    def observe(what: str, overrides: tuple[str, ...]) -> object:
        settings = list(overrides)
        for path in folder.glob("*"):
            settings = [setting.replace(f"{{{path.stem}}}", str(path)) for setting in settings]
        return observers[what]((*SHORT, *settings))

    return observe


@pytest.mark.slow
@pytest.mark.parametrize("key", CASES)
def test_key_has_an_effect(key: str, observe: Callable[..., object]) -> None:
    what, before, after = CASES[key]
    assert observe(what, before) != observe(what, after)
