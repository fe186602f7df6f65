"""`rnnkit inspect states`: what it shows, what it writes, what it refuses."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rnnkit.runs.directory import RunDirectory
from rnnkit.views.view import PNG_MARK, page_mark

WORDS = ["The quick", '"brown"', "fox", "(so they", "say)", "jumps", "over 5;", "BOXES."]


def _lines() -> str:
    """Lines that do not repeat each other: in a text that does, much is chance."""
    draw = np.random.default_rng(0)
    lines = [draw.permutation(WORDS)[: draw.integers(3, 9)] for _ in range(250)]
    return "".join(" ".join(line) + "\n" for line in lines)


TEXT = _lines()


@pytest.fixture
def run(make_model_run: Callable[..., RunDirectory]) -> RunDirectory:
    """A GRU of 8 random units over characters."""
    return make_model_run(TEXT, data={"validation_fraction": 0.3})


def states(run_cli: Callable[..., Any], run: RunDirectory, *options: object) -> Any:
    return run_cli("inspect", "states", run.path, *options)


def document(run_cli: Callable[..., Any], run: RunDirectory, *options: object) -> Any:
    result = states(run_cli, run, "--json", *options)
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


def test_units_are_ranked_and_shown(run_cli: Callable[..., Any], run: RunDirectory) -> None:
    result = states(run_cli, run)
    assert result.exit_code == 0, result.stderr
    assert "Layer 0: 8 units, gru, hidden state" in result.stdout
    assert "tokens of the validation part of the run:" in result.stdout
    assert "position in line" in result.stdout
    assert "token alone" in result.stdout
    # A piece of the text that begins with a whole line.
    (_, shown, *_) = result.stdout.split("\nUnit ")[1].split("\n")
    assert shown.removeprefix("  ").removesuffix("⏎") in TEXT.splitlines()
    assert "\x1b" not in result.stdout


def test_a_document_holds_every_number(run_cli: Callable[..., Any], run: RunDirectory) -> None:
    found = document(run_cli, run, "--text", "The fox\n", "--most", 1)
    assert (found["cell"], found["layer"], found["units"], found["state"]) == (
        "gru", 0, 8, "hidden",
    )  # fmt: skip
    assert found["tokens"] == ["T", "h", "e", "␣", "f", "o", "x", "⏎"]
    assert len(found["shown"]) == 1
    for shown in found["shown"]:
        assert len(shown["activations"]) == 8
        assert all(-1 <= value <= 1 for value in shown["activations"])
    ranking = found["ranking"]
    names = {one["property"] for one in ranking["properties"]}
    assert {"position in line", "inside quotes", "bracket depth", "white space next"} <= names
    assert set(ranking["missing"]) == {"indentation of line", "inside <...>"}
    for one in ranking["properties"]:
        assert 0 <= one["unit"] < 8
        assert -1 <= one["correlation"] <= 1
        assert 0 < one["chance"] < 1
        assert len(one["others"]) == 3


def test_units_asked_for_are_not_ranked(run_cli: Callable[..., Any], run: RunDirectory) -> None:
    options = ("--text", "fox", "--unit", 5, "--unit", 2)
    found = document(run_cli, run, *options)
    assert [shown["unit"] for shown in found["shown"]] == [5, 2]
    assert found["ranking"] is None
    assert document(run_cli, run, *options, "--rank")["ranking"] is not None
    run.config.with_name("x").write_text("")  # the text of the run is not needed
    Path(run.path.parents[1] / "small.txt").unlink()
    assert document(run_cli, run, *options)["shown"] == found["shown"]


def test_the_text_may_come_from_a_file(
    run_cli: Callable[..., Any], run: RunDirectory, tmp_path: Path
) -> None:
    path = tmp_path / "shown.txt"
    path.write_bytes("\ufeffThe fox".encode())
    of_file = document(run_cli, run, "--file", path, "--unit", 1)
    assert of_file == document(run_cli, run, "--text", "The fox", "--unit", 1)
    short = document(run_cli, run, "--file", path, "--unit", 1, "--tokens", 3)
    assert short["tokens"] == ["T", "h", "e"]
    assert short["shown"][0]["activations"] == of_file["shown"][0]["activations"][:3]
    assert short["notes"] == ["Of 7 tokens the first 3 are shown (--tokens)."]


def test_units_may_be_ranked_on_another_text(
    run_cli: Callable[..., Any], run: RunDirectory, tmp_path: Path
) -> None:
    path = tmp_path / "other.txt"
    path.write_text(('so "fox" so\n' * 200) + "é")
    result = states(run_cli, run, "--rank-data", path, "--text", "fox", "--rank-tokens", 1500)
    assert result.exit_code == 0, result.stderr
    assert f"on 1,500 tokens of {path}:" in result.stdout
    assert "'é' (U+00E9)" in result.stderr  # left out
    short = tmp_path / "short.txt"
    short.write_text("fox\n" * 200)
    refused = states(run_cli, run, "--rank-data", short)
    assert refused.exit_code == 4
    assert "has 800 tokens; at least 1000 are needed" in refused.stderr


def test_a_text_that_is_gone(run_cli: Callable[..., Any], run: RunDirectory) -> None:
    Path(run.path.parents[1] / "small.txt").unlink()
    result = states(run_cli, run)
    assert result.exit_code == 4
    assert "--rank-data FILE" in result.stderr
    unranked = states(run_cli, run, "--text", "fox", "--no-rank")
    assert (unranked.exit_code, "No ranking" in unranked.stderr) == (0, False)
    by_default = states(run_cli, run, "--text", "fox")
    assert by_default.stdout == unranked.stdout
    assert "No ranking: " in by_default.stderr
    assert states(run_cli, run, "--text", "fox", "--rank").exit_code == 4


def test_a_text_that_is_too_short_to_rank_on(
    run_cli: Callable[..., Any], make_model_run: Callable[..., RunDirectory]
) -> None:
    made = make_model_run(TEXT[:2000], data={"validation_fraction": 0.3})
    result = states(run_cli, made)
    assert result.exit_code == 0
    assert "No ranking: The text to rank units on has 600 tokens" in result.stderr
    assert states(run_cli, made, "--rank").exit_code == 4


def test_a_run_without_held_out_text_says_so(
    run_cli: Callable[..., Any], make_model_run: Callable[..., RunDirectory]
) -> None:
    made = make_model_run(TEXT, data={"validation_fraction": 0.0})
    result = states(run_cli, made, "--text", "fox")
    assert result.exit_code == 0
    assert "ranked on its training text" in result.stderr


def test_a_model_of_windows_says_what_is_shown(
    run_cli: Callable[..., Any], make_model_run: Callable[..., RunDirectory]
) -> None:
    windows = {"kind": "sliding", "length": 4}
    made = make_model_run(TEXT, data={"validation_fraction": 0.3, "windows": windows})
    found = document(run_cli, made, "--text", "fox fox fox", "--unit", 0, "--unit", 1)
    assert "the state after the 4 that end with it" in found["notes"][0]
    values = np.array([shown["activations"] for shown in found["shown"]])
    np.testing.assert_allclose(values[:, 4:7], values[:, 8:11], atol=1e-6)  # the same windows
    assert not np.allclose(values[:, 0:3], values[:, 4:7])
    assert document(run_cli, made)["ranking"]["tokens"] > 1000


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        (("--unit", 8), 2, "--unit 8: the layer has units 0 to 7"),
        (("--layer", 1), 2, "--layer 1: this network has one layer, 0"),
        (("--state", "cell"), 2, "only an LSTM has a cell state"),
        (("--text", "a", "--file", "b"), 2, "--text and --file both"),
        (("--text", ""), 4, "The text to show is empty"),
        (("--text", "é"), 4, "never occurred in the training text"),
        (("--file", "nowhere.txt"), 4, "nowhere.txt: cannot be read"),
        (("--unit", 1, "--rank-data", "x"), 2, "there is none without --rank"),
        (("--no-rank", "--rank-data", "x"), 2, "there is none without --rank"),
        (("--tokens", 0), 2, "--tokens"),
    ],
)
def test_what_cannot_be_shown(
    run_cli: Callable[..., Any],
    run: RunDirectory,
    options: tuple[object, ...],
    code: int,
    words: str,
) -> None:
    result = states(run_cli, run, *options)
    assert result.exit_code == code
    assert words in result.stderr
    assert result.stdout == ""


def test_bytes_that_are_no_text(
    run_cli: Callable[..., Any], run: RunDirectory, tmp_path: Path
) -> None:
    path = tmp_path / "x.txt"
    path.write_bytes(b"ab\xff")
    result = states(run_cli, run, "--file", path)
    assert (result.exit_code, "byte 2 is not UTF-8" in result.stderr) == (4, True)


# ---------------------------------------------------------------------------- pages and pictures


def test_a_page_and_a_picture(
    run_cli: Callable[..., Any], run: RunDirectory, tmp_path: Path
) -> None:
    page, picture = tmp_path / "s.html", tmp_path / "s.png"
    result = states(run_cli, run, "--html", page, "--png", picture, "--text", 'The "fox"\n' * 20)
    assert result.exit_code == 0
    assert f"Wrote {page}\nWrote {picture}\n" in result.stderr
    text = page.read_text("utf-8")
    assert text.startswith(page_mark("inspect"))
    assert "What units track" in text
    assert "://" not in text
    assert "<script" not in text
    data = picture.read_bytes()
    assert data.startswith(b"\x89PNG")
    assert PNG_MARK in data[:512]
    # The same again, over the old ones; the same bytes.
    assert states(run_cli, run, "--html", page, "--text", 'The "fox"\n' * 20).exit_code == 0
    assert page.read_text("utf-8") == text


@pytest.mark.parametrize("option", ["--html", "--png"])
def test_files_of_others_are_not_replaced(
    run_cli: Callable[..., Any], run: RunDirectory, tmp_path: Path, option: str
) -> None:
    path = tmp_path / "mine"
    path.write_text("<!doctype html>mine")
    result = states(run_cli, run, option, path)
    assert result.exit_code == 2
    assert "exists and is no p" in result.stderr
    assert path.read_text() == "<!doctype html>mine"
    unwritable = states(run_cli, run, option, tmp_path / "no" / "where", "--text", "fox")
    assert unwritable.exit_code == 5
    assert "cannot be written" in unwritable.stderr


def test_a_hostile_text_is_text(
    run_cli: Callable[..., Any],
    make_model_run: Callable[..., RunDirectory],
    tmp_path: Path,
) -> None:
    hostile = "<script>alert(1)</script>\x1b[2J\"'>&amp;"
    made = make_model_run(TEXT + hostile)
    page = tmp_path / "s.html"
    result = states(run_cli, made, "--html", page, "--unit", 0, "--text", hostile)
    assert result.exit_code == 0, result.stderr
    assert "\x1b" not in result.stdout
    text = page.read_text("utf-8")
    assert "<script" not in text
    assert "\x1b" not in text
    assert text.count('title="&lt; ') == 2
