"""`rnnkit suggest` on runs with random weights."""

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rnnkit.runs.directory import RunDirectory
from rnnkit.tasks.language_model.model import load_language_model
from rnnkit.tasks.language_model.suggest import suggest as suggest_words

TEXT = "the cat sat on the mat. the catalogue is on the mat\n" * 20
KINDS: dict[str, dict[str, Any]] = {
    "characters": {},
    "words": {"task": "word_generation"},
    "subwords": {
        "task": "word_generation",
        "data": {"tokens": "subwords", "vocabulary_size": 270},
    },
    "sliding": {"data": {"windows": {"kind": "sliding", "length": 3}}},
}


@pytest.fixture(params=KINDS)
def run(
    request: pytest.FixtureRequest, make_model_run: Callable[..., RunDirectory]
) -> RunDirectory:
    return make_model_run(TEXT, **KINDS[request.param])


@pytest.fixture
def suggest(run_cli: Callable[..., Any], tmp_path: Path) -> Callable[..., Any]:
    def run(*arguments: object, **more: Any) -> Any:
        return run_cli("suggest", *arguments, "--runs-dir", tmp_path / "runs", **more)

    return run


def test_it_shows_what_the_library_finds(suggest: Callable[..., Any], run: RunDirectory) -> None:
    expected = suggest_words(load_language_model(run), "the cat sat on ", count=3)
    result = suggest("the cat sat on ", "--count", 3)
    assert result.exit_code == 0, result.stderr
    lines = [f"{word.probability:.4f}\t{word.word}" for word in expected.words]
    assert result.stdout.splitlines() == lines
    assert "Using the newest run" in result.stderr

    answer = json.loads(suggest(run.path, "the cat sat on ", "--count", 3, "--json").stdout)
    assert answer == {
        "run": str(run.path),
        "texts": [
            {
                "text": "the cat sat on ",
                "way": "next",
                "words": [vars(word) for word in expected.words],
            }
        ],
    }


def test_what_is_to_be_added_makes_the_word(suggest: Callable[..., Any], run: RunDirectory) -> None:
    for text, options in (("the ca", ["--complete"]), ("the cat", ["--next"]), ("", [])):
        answer = json.loads(suggest("--run", run.path, text, "--json", *options).stdout)
        (found,) = answer["texts"]
        assert found["words"] or found["way"] == "complete"
        for word in found["words"]:
            whole = text + word["text"]
            assert whole.split()[-1] == word["word"]
            if options == ["--complete"]:
                assert word["word"].startswith("ca")
                assert whole.startswith("the ca")


def test_several_texts_are_told_apart(suggest: Callable[..., Any], run: RunDirectory) -> None:
    result = suggest("--run", run.path, "the ", "cat ", "--count", 2)
    lines = result.stdout.splitlines()
    assert (lines[0], lines[3]) == ("the ", "cat ")
    assert all(re.fullmatch(r"\d\.\d{4}\t\S+", line) for line in lines[1:3] + lines[4:])


def test_lines_of_standard_input(suggest: Callable[..., Any], run: RunDirectory) -> None:
    result = suggest(run.path, "--json", input="the cat \nthe mat \n")
    answer = json.loads(result.stdout)
    assert [found["text"] for found in answer["texts"]] == ["the cat ", "the mat "]
    alone = json.loads(suggest("--run", run.path, "the mat ", "--json").stdout)
    assert answer["texts"][1] == alone["texts"][0]


def test_a_line_is_answered_before_the_next_one_comes(
    make_model_run: Callable[..., RunDirectory],
) -> None:
    run = make_model_run(TEXT, **KINDS["words"])
    process = subprocess.Popen(
        [sys.executable, "-m", "rnnkit", "suggest", "--run", str(run.path), "--count", "2"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    for text in ("the cat", "on the"):
        process.stdin.write(f"{text}\n")
        process.stdin.flush()
        assert process.stdout.readline() == f"{text}\n"
        assert [process.stdout.readline().count("\t") for _ in range(2)] == [1, 1]
    process.stdin.close()
    assert process.wait() == 0
    process.stdout.close()


def test_no_word_begins_like_that(
    suggest: Callable[..., Any], make_model_run: Callable[..., RunDirectory]
) -> None:
    make_model_run(TEXT, **KINDS["words"])
    result = suggest("the xyz")
    assert (result.exit_code, result.stdout) == (0, "")
    assert "The model knows no word that completes 'the xyz'." in result.stderr


def test_a_classifier_is_no_model_of_text(
    suggest: Callable[..., Any], make_class_run: Callable[..., RunDirectory]
) -> None:
    rows = [("pos", f"good {n}") for n in range(9)] + [("neg", f"bad {n}") for n in range(9)]
    run = make_class_run(rows)
    result = suggest("--run", run.path, "the")
    assert result.exit_code == 5
    assert "sentiment" in result.stderr


def test_next_and_complete_exclude_each_other(suggest: Any, run: RunDirectory) -> None:
    result = suggest("--next", "--complete", "the qu")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "--next and --complete" in result.stderr


@pytest.mark.parametrize("encoding", ["hex", "base64", "rot13", "nothing"])
def test_an_encoding_that_is_none_of_text_is_a_usage_error(
    encoding: str, suggest: Any, run: RunDirectory
) -> None:
    result = suggest("--encoding", encoding, input="the\n")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "--encoding" in result.stderr


def test_a_closed_standard_input_is_a_usage_error(run: RunDirectory) -> None:
    command = [sys.executable, "-m", "rnnkit", "suggest", str(run.path)]
    done = subprocess.run(
        ["sh", "-c", 'exec "$@" <&-', "sh", *command],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "Standard input is closed" in done.stderr
