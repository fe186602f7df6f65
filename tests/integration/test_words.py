"""Language models of words and subwords, from the configuration to text, scores and report."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from experiments import (
    assert_same_training,
    configure_words,
    evaluations,
    start,
    stop_after,
    train_here,
    train_new,
)

from rnnkit.errors import InterruptedTrainingError
from rnnkit.runs.directory import RunDirectory
from rnnkit.runs.files import read_document
from rnnkit.runs.records import read_summary
from rnnkit.tasks.language_model.config import WordGenerationConfig
from rnnkit.tasks.language_model.data import prepare
from rnnkit.tasks.language_model.model import load_language_model
from rnnkit.training.step import Learner

VECTORS = "fox 0.5 -0.5 0.25 0.125\nthe 1.0 2.0 -1.0 0.5\n"
CASES: dict[str, tuple[str, ...]] = {
    "words": ("training.samples={length: 5, prompt: the quick}",),
    "tied, every dropout": (
        "model.input.size=8",
        "model.tie_weights=true",
        "model.input_dropout=0.2",
        "model.embedding_dropout=0.2",
        "model.dropout=0.2",
        "model.dropout_mask=sequence",
        "training.weight_average=0.9",
    ),
    "two words in, the third out": (
        "data.windows={kind: sliding, length: 2}",
        "model.cell=lstm",
    ),
    "vectors": ("model.input={kind: pretrained, path: VECTORS}", "model.cell=lstm"),
    "subwords": ("data.tokens=subwords", "data.vocabulary_size=290"),
    "sentences": ("data.layout=sentences", "data.minimum_count=2"),
}


def configure(folder: Path, case: str, *more: str) -> WordGenerationConfig:
    vectors = folder / "vectors.txt"
    vectors.write_text(VECTORS, encoding="utf-8")
    overrides = [override.replace("VECTORS", str(vectors)) for override in CASES[case]]
    return configure_words(folder, *overrides, *more)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, RunDirectory]:
    """One uninterrupted run of each case."""
    folder = tmp_path_factory.mktemp("words")
    return {
        case: train_new(folder, configure(folder, case), f"run-{place}")
        for place, case in enumerate(CASES)
    }


@pytest.mark.parametrize("case", CASES)
def test_stopped_and_resumed_equals_uninterrupted(
    tmp_path: Path, case: str, runs: dict[str, RunDirectory]
) -> None:
    config = configure(tmp_path, case)
    prepared, parts = start(tmp_path, config, "parts")
    for steps in (3, 11):
        with pytest.raises(InterruptedTrainingError):
            train_here(config, prepared, parts, should_stop=stop_after(steps))
    train_here(config, prepared, parts)
    assert_same_training(runs[case], parts)


@pytest.mark.parametrize("case", CASES)
def test_the_loss_falls_and_is_that_of_the_evaluation(
    case: str, runs: dict[str, RunDirectory], run_cli: Callable[..., Any]
) -> None:
    records = [record for record in evaluations(runs[case]) if "validation_loss" in record]
    assert records[-1]["validation_loss"] < records[0]["validation_loss"]
    best = min(records, key=lambda record: record["validation_loss"])
    result = run_cli("evaluate", runs[case].path, "--json")
    assert result.exit_code == 0, result.stderr
    found = {name: score["value"] for name, score in json.loads(result.stdout)["metrics"].items()}
    # Streams are laid out differently, windows are the same.
    tolerance = 1e-4 if case == "two words in, the third out" else 0.2
    assert found["loss"] == pytest.approx(best["validation_loss"], rel=tolerance)
    for name in ("bits_per_character", "perplexity_per_word"):
        assert found[name] == pytest.approx(best[name], rel=0.5)
    assert found["perplexity"] == pytest.approx(math.exp(found["loss"]))


@pytest.mark.parametrize("case", CASES)
def test_scores_are_those_of_the_text(case: str, runs: dict[str, RunDirectory]) -> None:
    """Bits per character and perplexity per word, counted on the text itself."""
    from rnnkit.tasks.language_model.scoring import score_text

    session = load_language_model(runs[case])
    ids = prepare(_config(runs[case])).split("validation")
    found = score_text(session, ids, context_windows=())
    known = "".join(session.vocabulary.decode([0]))
    text = session.vocabulary.decode(ids.tolist())
    first = session.vocabulary.decode(ids[: session.context or 1].tolist())
    if session.vocabulary.kind == "words":
        text, first = text.replace(known, "?"), first.replace(known, "?")
    nats = found.metrics["loss"].value * found.tokens
    bits = nats / math.log(2) / (len(text) - len(first))
    assert found.metrics["bits_per_character"].value == pytest.approx(bits)
    words = len(text.split()) - len(first.split())
    per_word = found.metrics["perplexity_per_word"].value
    assert math.log(per_word) == pytest.approx(nats / words, rel=0.02)


def _config(run: RunDirectory) -> WordGenerationConfig:
    from rnnkit.tasks.task import load_config

    config = load_config(run.config)
    assert isinstance(config, WordGenerationConfig)
    return config


@pytest.mark.parametrize("case", CASES)
def test_the_text_goes_on_in_words(
    case: str, runs: dict[str, RunDirectory], run_cli: Callable[..., Any]
) -> None:
    seed = "the quick"
    for blanks in ("", " "):
        result = run_cli(
            *("generate", runs[case].path, "--seed", seed + blanks, "--length", 30),
            *("--random-seed", 4, "--temperature", 1.5),
        )
        assert result.exit_code == 0, result.stderr
        assert result.stdout.startswith(seed)
        assert "<unk>" not in result.stdout
        if case != "subwords":  # every new word brings its space
            assert result.stdout[len(seed)] in " \n,.;-"
    greedy = run_cli("generate", runs[case].path, "--seed", seed, "--temperature", 0)
    assert (
        greedy.stdout
        == run_cli(
            "generate", runs[case].path, "--seed", seed, "--temperature", 0, "--random-seed", 9
        ).stdout
    )


def test_unknown_words_are_refused_left_out_or_read_as_unknown(
    runs: dict[str, RunDirectory], run_cli: Callable[..., Any], tmp_path: Path
) -> None:
    run = runs["sentences"].path
    refused = run_cli("generate", run, "--seed", "the slow fox")
    assert refused.exit_code == 4
    assert "The prompt holds words that the model has never seen: 'slow'." in refused.stderr
    skipped = run_cli("generate", run, "--seed", "the slow fox", "--unseen", "skip")
    assert skipped.stdout.startswith("the fox")
    read = run_cli("generate", run, "--seed", "the slow fox", "--unseen", "unk")
    assert read.stdout.startswith("the slow fox")

    other = tmp_path / "other.txt"
    other.write_text("the slow fox jumps over the slow dog;\n" * 3)
    for options, words in (((), 27), (("--unseen", "skip"), 21)):
        result = run_cli("evaluate", run, "--data", other, "--json", *options)
        assert result.exit_code == 0, result.stderr
        assert "6 of 27 words are unknown to the model: 'slow' 6 times." in result.stderr
        assert json.loads(result.stdout)["tokens"] == words - 1
    assert run_cli("evaluate", run, "--data", other, "--unseen", "error").exit_code == 4


def test_vectors_that_are_not_trained_stay_as_they_are(runs: dict[str, RunDirectory]) -> None:
    vocabulary = read_document(runs["vectors"].vocabulary, "vocabulary")
    with np.load(runs["vectors"].best_checkpoint) as archive:
        table = archive["embedding/embeddings"]
    for line in VECTORS.splitlines():
        word, *numbers = line.split()
        row = vocabulary["tokens"].index(word) + 1
        assert table[row].tolist() == [float(number) for number in numbers]


def test_a_sample_begins_with_its_prompt(runs: dict[str, RunDirectory]) -> None:
    for record in evaluations(runs["words"]):
        for sample in record.get("samples", ()):
            assert sample["text"].startswith("the quick")
            assert "<unk>" not in sample["text"]


@pytest.mark.parametrize(
    ("prompt", "code", "message"),
    [
        ("the slow fox", 0, "has words that the text lacks: 'slow'; samples start from the first"),
        ('"  "', 4, "is empty; give another text"),
    ],
)
def test_a_prompt_of_another_text_is_replaced_and_an_empty_one_refused(
    tmp_path: Path, run_cli: Callable[..., Any], prompt: str, code: int, message: str
) -> None:
    configure(tmp_path, "words")
    settings = tmp_path / "x.yaml"
    settings.write_text(
        "version: 1\ntask: word_generation\ndata: {path: text.txt, windows: {length: 6}}\n"
        f"training: {{max_steps: 1, batch_size: 2, samples: {{prompt: {prompt}}}}}\n"
    )
    result = run_cli("train", settings, "--runs-dir", tmp_path / "runs")
    assert result.exit_code == code
    assert f"training.samples.prompt {message}" in result.stderr


def test_a_run_of_words_is_listed_and_reported(
    runs: dict[str, RunDirectory], run_cli: Callable[..., Any]
) -> None:
    for case in ("words", "subwords", "two words in, the third out"):
        run = runs[case].path
        listed = run_cli("runs", "show", run)
        assert "word_generation" in listed.stdout
        report = run_cli("report", run)
        assert report.exit_code == 0, report.stderr
        page = (run / "report.html").read_text(encoding="utf-8")
        assert "Word generation" in page


def test_a_text_that_changed_is_noticed(tmp_path: Path, run_cli: Callable[..., Any]) -> None:
    run = train_new(tmp_path, configure(tmp_path, "words", "training.max_steps=2"), "run")
    text = tmp_path / "text.txt"
    text.write_text(text.read_text() + "more words\n")
    result = run_cli("evaluate", run.path)
    assert result.exit_code == 4
    assert "the text has changed since this run was trained" in result.stderr


def test_a_damaged_vocabulary_is_named(tmp_path: Path, run_cli: Callable[..., Any]) -> None:
    run = train_new(tmp_path, configure(tmp_path, "words", "training.max_steps=2"), "run")
    content = run.vocabulary.read_text().replace('"text"', '"poem"')
    run.vocabulary.write_text(content)
    result = run_cli("generate", run.path, "--seed", "the")
    assert result.exit_code == 5
    assert "vocabulary.json" in result.stderr


def test_a_classifier_may_begin_with_a_model_of_words(tmp_path: Path) -> None:
    """Every word that both know starts with the vector of the language model."""
    from experiments import configure_labelled

    from rnnkit.tasks.text_classification.data import prepare_texts
    from rnnkit.tasks.text_classification.initial import initial_weights

    reviews = "the film was lovely and great, the plot dull and bad\n" * 20
    source = configure_words(
        tmp_path, "model.units=6", "model.input.size=5", "training.max_steps=3", text=reviews
    )
    run = train_new(tmp_path, source, "source")
    config = configure_labelled(tmp_path, f"training.init_from={run.path}")
    prepared = prepare_texts(config)
    begun = initial_weights(config, prepared).weights["embedding/embeddings"]
    vocabulary = prepare(source).vocabulary
    assert vocabulary.kind == "words"
    with np.load(run.best_checkpoint) as archive:
        table = archive["embedding/embeddings"]
    for word in ("film", "lovely", "dull"):
        row = prepared.encoder.vocabulary.id_of(word)
        assert begun[row].tolist() == table[vocabulary.id_of(word)].tolist()


def test_samples_never_hold_unknown_words(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Not even where the model is certain of one."""
    config = configure_words(
        tmp_path,
        *("data.vocabulary_size=4", "training.max_steps=2", "training.samples={length: 9}"),
        "training.evaluate_every_steps=1",
    )
    original = Learner.predict

    def certain(self: Learner, *arguments: Any) -> Any:
        logits, states = original(self, *arguments)
        logits = np.array(logits)
        logits[..., 0] = 1e6
        return logits, states

    monkeypatch.setattr(Learner, "predict", certain)
    run = train_new(tmp_path, config, "run")
    texts = [sample["text"] for record in evaluations(run) for sample in record.get("samples", ())]
    assert texts
    assert not any("<unk>" in text[6:] for text in texts)


def test_the_summary_has_every_metric_of_the_best_evaluation(
    runs: dict[str, RunDirectory],
) -> None:
    summary = read_summary(runs["words"])
    best = next(r for r in evaluations(runs["words"]) if r["step"] == summary.best_step)
    assert summary.metrics["perplexity_per_word"] == best["perplexity_per_word"]
    assert summary.metrics["validation_loss"] == best["validation_loss"]
