"""`rnnkit inspect states` and `attributions` on runs that were trained, of every task."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from experiments import configure, configure_labelled, train_new

from rnnkit.runs.directory import RunDirectory
from rnnkit.tasks.task import parse_config

WORDS = """\
version: 1
task: word_generation
data:
  path: text.txt
  validation_fraction: 0.4
  windows: {kind: stream, length: 4}
model: {cell: simple_rnn, units: 6, input: {kind: embedding, size: 4}}
training: {batch_size: 4, max_steps: 4, optimizer: {name: adam, learning_rate: 0.01}}
"""

RunCli = Callable[..., Any]


@pytest.fixture(scope="module")
def sentiment(tmp_path_factory: pytest.TempPathFactory) -> RunDirectory:
    """A classifier that reads in both directions."""
    folder = tmp_path_factory.mktemp("sentiment")
    config = configure_labelled(folder, "model.bidirectional=true", "model.cell=lstm")
    return train_new(folder, config, "both")


@pytest.mark.parametrize("method", ["integrated-gradients", "shapley"])
def test_shares_add_up(run_cli: RunCli, sentiment: RunDirectory, method: str) -> None:
    texts = ("the plot was great", "poor, dull and it's awful in a zebra way " * 2)
    command = ("inspect", "attributions", sentiment.path, *texts, "--method", method, "--json")
    result = run_cli(*command)
    assert result.exit_code == 0, result.stderr
    for one in json.loads(result.stdout)["texts"]:
        whole = one["probabilities"][one["explained"]]
        total = sum(token["change"] for token in one["tokens"])
        assert total == pytest.approx(whole - one["baseline"], abs=1e-4)
        assert one["sampled"] == (method == "shapley" and len(one["tokens"]) > 10)


def test_points_make_the_integral_exact(run_cli: RunCli, sentiment: RunDirectory) -> None:
    def gap(points: int) -> float:
        command = ("--method", "integrated-gradients", "--points", points, "--json")
        result = run_cli("inspect", "attributions", sentiment.path, "great poor great", *command)
        (one,) = json.loads(result.stdout)["texts"]
        total = sum(token["change"] for token in one["tokens"])
        return abs(total - (one["probabilities"][one["explained"]] - one["baseline"]))

    assert gap(16) < 1e-6
    assert gap(1) > 10 * gap(16)


def test_a_page_of_a_network_that_reads_both_ways(
    run_cli: RunCli, sentiment: RunDirectory, tmp_path: Path
) -> None:
    page = tmp_path / "a.html"
    result = run_cli("inspect", "attributions", sentiment.path, "great", "--html", page)
    assert result.exit_code == 0
    assert "no verdict in the middle of a text" in page.read_text("utf-8")


def test_states_of_a_classifier(run_cli: RunCli, sentiment: RunDirectory, tmp_path: Path) -> None:
    page = tmp_path / "s.html"
    options = ("--text", "The plot was great!", "--unit", 2, "--unit", 8, "--html", page)
    shown = run_cli("inspect", "states", sentiment.path, *options)
    assert shown.exit_code == 0, shown.stderr
    assert "Layer 0: 12 units, lstm, cell state, tanh(c)" in shown.stdout
    assert "Unit 2, reads forward\n  the plot was great" in shown.stdout
    assert "Unit 8, reads backward\n" in shown.stdout
    assert "Units from 6 on read backwards" in shown.stderr
    assert "Unit 8, reads backward" in page.read_text("utf-8")
    found = json.loads(run_cli("inspect", "states", sentiment.path, *options, "--json").stdout)
    assert [one["direction"] for one in found["shown"]] == ["forward", "backward"]
    assert found["ranking"] is None
    hidden = run_cli("inspect", "states", sentiment.path, *options, "--state", "hidden", "--json")
    assert json.loads(hidden.stdout)["shown"] != found["shown"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ((), "give a text with --text or --file"),
        (("--text", "a", "--rank"), "A ranking is for language models"),
        (("--text", "a", "--rank-data", "x"), "A ranking is for language models"),
        (("--text", "a", "--layer", 1), "--layer 1: this network has one layer, 0"),
    ],
)
def test_what_a_classifier_cannot_show(
    run_cli: RunCli, sentiment: RunDirectory, options: tuple[object, ...], words: str
) -> None:
    result = run_cli("inspect", "states", sentiment.path, *options)
    assert (result.exit_code, result.stdout) == (2, "")
    assert words in result.stderr


def test_layers_of_a_language_model(run_cli: RunCli, tmp_path: Path) -> None:
    config = configure(tmp_path, "model.cell=lstm", "model.units=[8, 5]", "training.max_steps=4")
    run = train_new(tmp_path, config, "deep")
    answers = {}
    for layer in (0, 1):
        for kind in ("hidden", "cell"):
            options = ("--layer", layer, "--state", kind, "--unit", 4, "--text", "fox", "--json")
            result = run_cli("inspect", "states", run.path, *options)
            found = json.loads(result.stdout)
            assert (found["layer"], found["state"], found["units"]) == (layer, kind, (8, 5)[layer])
            answers[layer, kind] = found["shown"][0]["activations"]
    assert len({tuple(values) for values in answers.values()}) == 4
    default = run_cli("inspect", "states", run.path, "--unit", 4, "--text", "fox", "--json")
    assert json.loads(default.stdout)["shown"][0]["activations"] == answers[1, "cell"]


def test_a_model_of_words(run_cli: RunCli, tmp_path: Path) -> None:
    text = 'The "quick" fox (so they say) jumps.\nOver 5 lazy dogs, I think!\n' * 150
    (tmp_path / "text.txt").write_text(text, encoding="utf-8")
    config = parse_config(WORDS, source="words.yaml", base=tmp_path)
    run = train_new(tmp_path, config, "words")
    result = run_cli("inspect", "states", run.path, "--text", 'The fox (say "so").')
    assert result.exit_code == 0, result.stderr
    assert '\n  The fox (say "so").\n' in result.stdout
    assert "bracket depth" in result.stdout
    found = json.loads(run_cli("inspect", "states", run.path, "--json").stdout)
    assert found["ranking"]["tokens"] > 1000
    assert {"The", "fox"} <= set(found["tokens"])
