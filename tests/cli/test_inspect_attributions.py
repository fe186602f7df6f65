"""`rnnkit inspect attributions`: what it answers, what it writes, what it refuses."""

import json
import math
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rnnkit.cli import answer
from rnnkit.runs.directory import RunDirectory
from rnnkit.views.view import page_mark

ROWS = [
    row
    for number in range(10)
    for row in (("pos", f"good great film {number}"), ("neg", f"bad awful film {number}"))
]


@pytest.fixture
def run(make_class_run: Callable[..., RunDirectory]) -> RunDirectory:
    """A classifier whose log-odds are sums: good 1, great 2, bad -1, awful -2."""
    return make_class_run(ROWS)


def attributions(
    run_cli: Callable[..., Any], run: RunDirectory, *options: object, **more: Any
) -> Any:
    return run_cli("inspect", "attributions", run.path, *options, **more)


def documents(run_cli: Callable[..., Any], run: RunDirectory, *options: object) -> Any:
    result = attributions(run_cli, run, "--json", *options)
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


def share(log_odds: float) -> float:
    return 1 / (1 + math.exp(-log_odds))


def test_a_table_for_every_text(run_cli: Callable[..., Any], run: RunDirectory) -> None:
    result = attributions(run_cli, run, "good bad film", "great zebra")
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines[0].split() == ["neg", "0.50", "good", "bad", "film"]
    assert lines[1].split() == ["token", "adds", "to", "neg", "cut", "after", "it"]
    assert lines[2].split() == ["good", "-0.2311", f"{1 - share(1):.3f}"]
    assert lines[3].split() == ["bad", "+0.2311", "0.500"]
    assert lines[6].startswith("pos 0.88  great zebra")
    assert lines[9].split() == ["zebra", "+0.0000", "0.881", "unknown", "to", "the", "model"]
    assert lines[5] == (
        "  The changes add up to +0.0000. neg: 0.5000, of an empty text 0.5000, a difference of "
        "+0.0000."
    )


def test_one_text_needs_no_name(run_cli: Callable[..., Any], run: RunDirectory) -> None:
    assert attributions(run_cli, run, "great").stdout.startswith("pos 0.88\n")


def test_lines_of_standard_input(run_cli: Callable[..., Any], run: RunDirectory) -> None:
    given = attributions(run_cli, run, "good bad", "").stdout
    assert attributions(run_cli, run, input="good bad\n\n").stdout == given
    assert attributions(run_cli, run, "-", input="good bad\n\n").stdout == given
    assert "(no token to explain)" in given


@pytest.mark.parametrize("method", ["shapley", "leave-one-out"])
def test_a_document_holds_every_number(
    run_cli: Callable[..., Any], run: RunDirectory, method: str
) -> None:
    found = documents(run_cli, run, "good great", "--method", method, "--class", "neg")
    (text,) = found["texts"]
    assert (found["method"], found["classes"]) == (method, ["neg", "pos"])
    assert (text["label"], text["explained"]) == ("pos", "neg")
    assert text["probabilities"]["neg"] == pytest.approx(share(-3), abs=1e-6)
    assert text["empty_probabilities"]["neg"] == pytest.approx(0.5)
    after = [token["probabilities_after"]["pos"] for token in text["tokens"]]
    assert after == pytest.approx([share(1), share(3)], abs=1e-6)
    changes = [token["change"] for token in text["tokens"]]
    if method == "shapley":
        assert text["baseline"] == pytest.approx(0.5)
        assert sum(changes) == pytest.approx(share(-3) - 0.5, abs=1e-6)
    else:
        assert text["baseline"] is None
        assert changes == pytest.approx([share(-3) - share(-2), share(-3) - share(-1)], abs=1e-6)
    assert [token["standard_error"] for token in text["tokens"]] == [None, None]


def test_long_texts_are_sampled(run_cli: Callable[..., Any], run: RunDirectory) -> None:
    words = "good bad great film awful " * 3
    (one,), (same,), (other,), (more,) = (
        documents(run_cli, run, words, *options)["texts"]
        for options in ((), ("--random-seed", 0), ("--random-seed", 1), ("--pairs", 64))
    )
    assert one == same
    assert one["sampled"]
    assert one["tokens"] != other["tokens"]
    errors = [[token["standard_error"] for token in text["tokens"]] for text in (one, more)]
    assert all(
        (error > 0) == (one["tokens"][i]["token"] != "film") for i, error in enumerate(errors[0])
    )
    assert sum(errors[1]) < sum(errors[0])
    assert "standard error" in attributions(run_cli, run, words).stdout


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("x", "--class", "maybe"), "this run has no such class; it has neg, pos"),
        (("x", "--method", "leave-one-out", "--pairs", 4), "--pairs is for --method shapley"),
        (("x", "--points", 4), "--points is for --method integrated-gradients; this is shapley"),
        (("x", "--pairs", 1), "--pairs"),
        (("x", "y", "--png", "p.png"), "--png is a picture of one text; there are 2"),
    ],
)
def test_options_without_effect_are_refused(
    run_cli: Callable[..., Any], run: RunDirectory, options: tuple[object, ...], words: str
) -> None:
    result = attributions(run_cli, run, *options)
    assert (result.exit_code, result.stdout) == (2, "")
    assert words in result.stderr


def test_nothing_to_explain(
    run_cli: Callable[..., Any], run: RunDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    from click import testing

    monkeypatch.setattr(testing._NamedTextIOWrapper, "isatty", lambda self: True, raising=False)
    result = attributions(run_cli, run)
    assert result.exit_code == 2
    assert "Nothing to explain" in result.stderr


def test_a_language_model_has_no_verdict(
    run_cli: Callable[..., Any], make_model_run: Callable[..., RunDirectory]
) -> None:
    made = make_model_run("the quick brown fox\n" * 40)
    result = attributions(run_cli, made, "the")
    assert result.exit_code == 5
    assert "is a run of task" in result.stderr


def test_colours_on_a_terminal(
    run_cli: Callable[..., Any], run: RunDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answer, "has_colour", lambda: True)
    shown = attributions(run_cli, run, "great awful film").stdout
    assert "  great awful film\n" in shown  # this terminal takes colours away again
    assert "orange adds to the probability of neg, blue takes from it" in shown


def test_a_page_and_a_picture(
    run_cli: Callable[..., Any], run: RunDirectory, tmp_path: Path
) -> None:
    page, picture = tmp_path / "a.html", tmp_path / "a.png"
    hostile = "<script>alert(1)</script> good & <b>bad</b>"
    result = attributions(run_cli, run, hostile, "--html", page, "--png", picture)
    assert result.exit_code == 0, result.stderr
    text = page.read_text("utf-8")
    assert text.startswith(page_mark("inspect"))
    assert "<script" not in text
    assert "<b>bad" not in text
    assert "&lt;script&gt;alert(1)" in text
    assert "://" not in text
    assert picture.read_bytes().startswith(b"\x89PNG")
    again = attributions(run_cli, run, "good", "", "--html", page)
    assert again.exit_code == 0
    assert "(no text)" in page.read_text("utf-8")
    mine = tmp_path / "mine.html"
    mine.write_text("mine")
    assert attributions(run_cli, run, "good", "--html", mine).exit_code == 2
    assert mine.read_text() == "mine"


def test_nothing_heavy_is_loaded(run_cli: Callable[..., Any], run: RunDirectory) -> None:
    """A verdict needs neither TensorFlow nor matplotlib."""
    import subprocess

    code = (
        "import sys; from rnnkit.cli import cli\n"
        f"cli(['inspect', 'attributions', {str(run.path)!r}, 'good bad'], standalone_mode=False)\n"
        "print(sorted({'tensorflow', 'keras', 'matplotlib', 'pandas'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120
    )
    assert done.stdout.splitlines()[-1] == "[]"


def test_the_quantity_is_named_and_that_of_predict_is_one_of_them(
    run_cli: Callable[..., Any], run: RunDirectory
) -> None:
    text = "great awful film"
    shown = attributions(run_cli, run, text).stdout
    assert "Changes are Shapley values; predict --explain shows leave-one-out values" in shown
    options = ("--method", "leave-one-out")
    same = attributions(run_cli, run, text, *options)
    assert "leave-one-out values, as in predict --explain" in same.stdout
    found = json.loads(attributions(run_cli, run, text, *options, "--json").stdout)["texts"][0]
    predicted = run_cli("predict", "--run", run.path, text, "--explain", "--json")
    (told,) = json.loads(predicted.stdout)["predictions"]
    assert [token["change"] for token in told["tokens"]] == [
        token["change"] for token in found["tokens"]
    ]


@pytest.mark.parametrize("encoding", ["hex", "rot13", "no-such"])
def test_a_codec_that_is_no_text_encoding_is_wrong_use(
    run_cli: Callable[..., Any], run: RunDirectory, encoding: str
) -> None:
    result = attributions(run_cli, run, "--encoding", encoding)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "--encoding" in result.stderr


def test_a_closed_standard_input_is_wrong_use(run: RunDirectory) -> None:
    import subprocess

    done = subprocess.run(
        ["bash", "-c", f"{sys.executable} -m rnnkit inspect attributions {run.path} <&-"],
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
