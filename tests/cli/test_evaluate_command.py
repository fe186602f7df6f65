"""`rnnkit evaluate` in this process, on runs with random weights."""

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rnnkit.runs.directory import RunDirectory, locked
from rnnkit.runs.files import read_document, write_document

TEXT = "".join(random.Random(0).choices("etaoin shrdlu.\n", k=9000))
FRACTIONS = {"validation_fraction": 0.4, "test_fraction": 0.2}
SCORES = ("loss", "bits_per_character", "perplexity", "accuracy")


@pytest.fixture
def evaluate(run_cli: Callable[..., Any], tmp_path: Path) -> Callable[..., Any]:
    """The command, looking for runs where the tests make them."""

    def run(*arguments: object, **more: Any) -> Any:
        return run_cli("evaluate", *arguments, "--runs-dir", tmp_path / "runs", **more)

    return run


@pytest.fixture
def small(make_model_run: Callable[..., RunDirectory]) -> RunDirectory:
    evaluation = {"context_windows": [16, 64], "bootstrap_samples": 50}
    return make_model_run(TEXT, data=FRACTIONS, evaluation=evaluation)


def test_a_split_is_scored_on_the_stream_and_on_windows(evaluate: Any, small: RunDirectory) -> None:
    result = evaluate("--split", "validation", "--json")
    assert result.exit_code == 0
    answer = json.loads(result.stdout)
    assert answer["run"] == str(small.path)
    assert answer["split"] == "validation"
    assert answer["data"] is None
    assert answer["tokens"] == 3600 - 1
    prefixes = ("", "window_16_", "window_64_")
    assert list(answer["metrics"]) == [p + name for p in prefixes for name in SCORES]
    for name, score in answer["metrics"].items():
        assert score["low"] <= score["value"] <= score["high"], name
    assert answer["notes"] == []


def test_the_table_has_the_same_numbers(evaluate: Any, small: RunDirectory) -> None:
    metrics = json.loads(evaluate("--split", "validation", "--json").stdout)["metrics"]
    result = evaluate("--split", "validation")
    assert f"{small.path} on validation text, 3,599 predictions" in result.stdout
    rows = [line.split() for line in result.stdout.splitlines()[2:]]
    assert rows[0] == ["metric", "value", "low", "high"]
    assert rows[1:] == [
        [name, *(f"{score[part]:,.4f}" for part in ("value", "low", "high"))]
        for name, score in metrics.items()
    ]
    assert result.stderr == f"Using the newest run, {small.path}\n"


@pytest.mark.parametrize(("split", "tokens"), [("train", 3600), ("test", 1800)])
def test_another_part_can_be_chosen(
    evaluate: Any, small: RunDirectory, split: str, tokens: int
) -> None:
    answer = json.loads(evaluate("small", "--split", split, "--json").stdout)
    assert (answer["split"], answer["tokens"]) == (split, tokens - 1)


@pytest.mark.parametrize(
    ("fractions", "split", "note"),
    [
        (FRACTIONS, "test", ""),
        ({"validation_fraction": 0.5, "test_fraction": 0.0}, "validation", "no test split"),
        ({"validation_fraction": 0.0, "test_fraction": 0.0}, "train", "memorization"),
    ],
)
def test_test_is_scored_before_validation_before_train(
    evaluate: Any,
    make_model_run: Callable[..., RunDirectory],
    fractions: dict[str, float],
    split: str,
    note: str,
) -> None:
    make_model_run(TEXT, data=fractions)
    result = evaluate("--json")
    answer = json.loads(result.stdout)
    assert answer["split"] == split
    held_out = [line for line in answer["notes"] if line.startswith("This run holds")]
    assert [note in line for line in held_out] == ([True] if note else [])
    assert note in result.stderr
    assert f"on {split} text" in evaluate().stdout
    if split == "train":
        missing = evaluate("--split", "validation")
        assert missing.exit_code == 4
        assert "data.validation_fraction" in missing.stderr


def test_a_stopped_run_says_how_to_resume(evaluate: Any, small: RunDirectory) -> None:
    small.summary.unlink()
    result = evaluate("small")
    assert (result.exit_code, result.stdout) == (5, "")
    assert f"rnnkit train --resume {small.path}" in result.stderr
    assert "summary.json" not in result.stderr
    with locked(small):
        held = evaluate("small")
    assert held.exit_code == 5
    assert "wait for its end" in held.stderr
    assert "--resume" not in held.stderr


def test_a_file_with_the_same_text_scores_the_same(
    evaluate: Any, small: RunDirectory, tmp_path: Path
) -> None:
    part = tmp_path / "validation.txt"
    part.write_text(TEXT[3600:7200])
    own = json.loads(evaluate("--split", "validation", "--json").stdout)
    other = json.loads(evaluate("--data", part, "--json").stdout)
    assert other["metrics"] == own["metrics"]
    assert other["split"] is None
    assert other["data"] == [str(part)]


def test_several_files_are_one_text(evaluate: Any, small: RunDirectory, tmp_path: Path) -> None:
    first, second = tmp_path / "a.txt", tmp_path / "b.txt"
    first.write_text(TEXT[3600:5000])
    second.write_text(TEXT[5000:7200])
    own = json.loads(evaluate("--split", "validation", "--json").stdout)
    other = json.loads(evaluate("--data", first, "--data", second, "--json").stdout)
    assert other["metrics"] == own["metrics"]


def test_unseen_characters_of_a_file(evaluate: Any, small: RunDirectory, tmp_path: Path) -> None:
    strange = tmp_path / "strange.txt"
    strange.write_text(TEXT[:500] + "Ω", encoding="utf-8")
    refused = evaluate("--data", strange)
    assert refused.exit_code == 4
    assert "'Ω' (U+03A9) 1 time" in refused.stderr
    skipped = evaluate("--data", strange, "--unseen", "skip", "--json")
    assert json.loads(skipped.stdout)["tokens"] == 499
    assert "left out" in skipped.stderr


def test_too_short_for_an_interval(evaluate: Any, small: RunDirectory, tmp_path: Path) -> None:
    short = tmp_path / "short.txt"
    short.write_text(TEXT[:300])
    result = evaluate("--data", short, "--json")
    answer = json.loads(result.stdout)
    assert answer["metrics"]["loss"]["low"] is None
    assert answer["metrics"]["window_16_loss"]["low"] is not None
    assert "no interval" in result.stderr
    assert evaluate("--data", short).stdout.splitlines()[3].split()[2:] == ["-", "-"]


def test_a_sliding_model_is_scored_on_its_windows(
    evaluate: Any, make_model_run: Callable[..., RunDirectory]
) -> None:
    make_model_run(
        TEXT, data={**FRACTIONS, "windows": {"kind": "sliding", "length": 10, "stride": 2}}
    )
    answer = json.loads(evaluate("--split", "validation", "--json").stdout)
    assert tuple(answer["metrics"]) == SCORES
    assert answer["tokens"] == len(range(0, 3600 - 10, 2))


def test_a_text_that_has_changed_is_refused(
    evaluate: Any, small: RunDirectory, tmp_path: Path
) -> None:
    text = tmp_path / "small.txt"
    text.write_text(text.read_text().replace("e", "t", 1))
    result = evaluate()
    assert result.exit_code == 4
    assert "has changed since" in result.stderr
    assert "--data" in result.stderr
    text.unlink()
    gone = evaluate()
    assert gone.exit_code == 4
    assert str(text) in gone.stderr


@pytest.mark.parametrize(
    "options",
    [["--split", "train", "--data", "x"], ["--split", "dev"], ["--unseen", "skip"]],
    ids=" ".join,
)
def test_nonsense_is_a_usage_error(evaluate: Any, small: RunDirectory, options: list[str]) -> None:
    result = evaluate(*options)
    assert result.exit_code == 2
    assert result.stdout == ""


def test_a_tampered_configuration_is_refused(evaluate: Any, small: RunDirectory) -> None:
    small.config.write_text(small.config.read_text() + "\n# harmless\n")
    result = evaluate("small")
    assert result.exit_code == 5
    assert str(small.config) in result.stderr


def test_a_summary_of_another_text_is_noticed(evaluate: Any, small: RunDirectory) -> None:
    summary = read_document(small.summary, "summary")
    write_document(small.summary, "summary", {**summary, "corpus_fingerprint": "0" * 64})
    assert evaluate("small").exit_code == 4
    small.summary.unlink()
    assert evaluate("small").exit_code == 5


def test_a_missing_file_is_a_data_error(evaluate: Any, small: RunDirectory, tmp_path: Path) -> None:
    result = evaluate("--data", tmp_path / "nowhere.txt")
    assert result.exit_code == 4
    assert "nowhere.txt" in result.stderr


def test_data_in_another_encoding(evaluate: Any, small: RunDirectory, tmp_path: Path) -> None:
    other = tmp_path / "other.txt"
    other.write_bytes("é".encode("latin-1") + TEXT[:2000].encode())
    refused = evaluate("small", "--data", other, "--unseen", "skip")
    assert refused.exit_code == 4
    assert "--encoding latin-1" in refused.stderr
    scored = evaluate(
        "small", "--data", other, "--unseen", "skip", "--encoding", "latin-1", "--json"
    )
    assert json.loads(scored.stdout)["tokens"] == 2000 - 1
    assert evaluate("small", "--encoding", "latin-1").exit_code == 2
