"""`rnnkit inspect` on trained runs: the same numbers as inference, and what is refused."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from experiments import configure, configure_labelled, train_new

from rnnkit.config.describe import to_yaml
from rnnkit.inspection.subject import ClassifierSubject, LanguageSubject, open_run
from rnnkit.runs.directory import RunDirectory
from rnnkit.tasks.language_model.model import load_language_model
from rnnkit.tasks.text_classification.classifier import load_classifier
from rnnkit.tasks.text_classification.predict import predict
from rnnkit.views.view import PNG_MARK, page_mark

RunCli = Callable[..., Any]

SHORT = ("training.max_steps=6", "training.evaluate_every_steps=3")
LANGUAGE = {
    "gru": (),
    "lstm": ("model.cell=lstm", "model.units=[5, 4]", "training.clip_norm=0.001"),
    "simple_rnn": ("model.cell=simple_rnn", "data.windows={kind: sliding, length: 5}"),
}


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, RunDirectory]:
    """A language model of each cell, and a classifier."""
    folder = tmp_path_factory.mktemp("trained")
    found = {
        name: train_new(folder, configure(folder, *SHORT, *options), name)
        for name, options in LANGUAGE.items()
    }
    labelled = configure_labelled(
        folder, *SHORT, "model.bidirectional=true", "model.pooling=attention"
    )
    return found | {"classes": train_new(folder, labelled, "classes")}


def answer(run_cli: RunCli, *arguments: object) -> Any:
    result = run_cli("inspect", *arguments, "--json")
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


# -------------------------------------------------------------------------------------- forward


@pytest.mark.parametrize("name", LANGUAGE)
def test_predictions_are_those_of_inference(
    run_cli: RunCli, runs: dict[str, RunDirectory], name: str
) -> None:
    text = "box"
    found = answer(run_cli, "forward", runs[name].path, "--text", text, "--units", 999)
    session = load_language_model(runs[name])
    ids = np.array([session.vocabulary.encode(text)], np.int64)
    logits, _ = session.step(ids, session.zero_states(1))
    for t, step in enumerate(found["steps"]):
        lines = {line["name"]: line["values"] for line in step["blocks"][-1]["lines"]}
        np.testing.assert_allclose(lines["W h + b"], logits[0, t], atol=1e-5)
    assert found["weights_are"] == "trained; its best weights"


def test_a_classifier_is_followed_to_its_classes(
    run_cli: RunCli, runs: dict[str, RunDirectory]
) -> None:
    text = "the film was great"
    found = answer(run_cli, "forward", runs["classes"].path, "--text", text)
    classifier = load_classifier(runs["classes"])
    wanted = predict(classifier, [text]).probabilities[0]
    assert list(found["probabilities"]) == list(classifier.classes)
    np.testing.assert_allclose(list(found["probabilities"].values()), wanted, atol=1e-6)
    assert [step["token"] for step in found["steps"]] == text.split()
    titles = [block["title"] for block in found["steps"][0]["blocks"]]
    assert any("reads from the end" in title for title in titles)
    assert [block["title"] for block in found["after"]] == ["pooling: attention", "classes"]
    empty = run_cli("inspect", "forward", runs["classes"].path, "--text", "")
    assert empty.exit_code == 0
    assert "read as one unknown word" in empty.stderr


# -------------------------------------------------------------------------------------- summary


@pytest.mark.parametrize("name", [*LANGUAGE, "classes"])
def test_parameters_are_those_of_the_run(
    run_cli: RunCli, runs: dict[str, RunDirectory], name: str
) -> None:
    found = answer(run_cli, "summary", runs[name].path)
    shown = json.loads(run_cli("runs", "show", runs[name].path, "--json").stdout)
    assert found["parameters"] == shown["summary"]["parameters"]
    sizes = [np.prod(size) for layer in found["layers"] for size in layer["weights"].values()]
    assert found["parameters"] == sum(sizes)
    printed = run_cli("inspect", "summary", runs[name].path).stdout
    assert f"{found['parameters']:,}" in printed
    assert "recurrent_kernel" in printed


def test_a_configuration_has_the_same_summary_before_training(
    run_cli: RunCli, runs: dict[str, RunDirectory], tmp_path: Path
) -> None:
    for name in ("gru", "classes"):
        config = tmp_path / f"{name}.yaml"
        config.write_bytes(runs[name].config.read_bytes())
        trained = answer(run_cli, "summary", runs[name].path)
        untrained = answer(run_cli, "summary", config)
        assert untrained["weights_are"] == "untrained; random weights (seed 0)"
        assert untrained["layers"] == trained["layers"]


# ------------------------------------------------------------------------------------ gradients


def test_layers_and_cell_states_have_their_curves(
    run_cli: RunCli, runs: dict[str, RunDirectory]
) -> None:
    found = answer(run_cli, "gradients", runs["lstm"].path, "--windows", 5)
    (profile,) = found["profiles"]
    kinds = [(state["layer"], state["state"]) for state in profile["states"]]
    assert kinds == [(f"recurrent_{i}", kind) for i in (0, 1) for kind in ("hidden", "cell")]
    assert all(len(state["norms"]) == 51 for state in profile["states"])
    assert found["text"] == "the validation part of its text"
    clipping = found["clipping"]
    assert clipping["clip_norm"] == 0.001
    assert clipping["clipped_norm"] == pytest.approx(0.001)
    assert clipping["norm"] > 0.001


def test_fresh_cells_stand_beside_a_run(run_cli: RunCli, runs: dict[str, RunDirectory]) -> None:
    found = answer(run_cli, "gradients", runs["lstm"].path, "--compare", "cells", "--windows", 4)
    names = [profile["name"].rpartition("/")[2] for profile in found["profiles"]]
    assert names == ["lstm", "fresh simple_rnn", "fresh lstm", "fresh gru"]
    layers = [len(profile["states"]) for profile in found["profiles"]]
    assert layers == [4, 2, 4, 2]


def test_a_simple_rnn_is_seen_to_vanish_and_to_explode(run_cli: RunCli, tmp_path: Path) -> None:
    """A small matrix makes it vanish, a large one explode."""
    (tmp_path / "config.yaml").write_text(to_yaml(configure(tmp_path, "model.units=64")))

    def simple(scale: float) -> tuple[dict[str, Any], dict[str, Any]]:
        found = answer(
            run_cli, "gradients", tmp_path / "config.yaml", "--compare", "cells",
            "--recurrent-scale", scale, "--windows", 4, "--distance", 40, "--clip-norm", 1,
        )  # fmt: skip
        assert [profile["cell"] for profile in found["profiles"]] == ["simple_rnn", "lstm", "gru"]
        return found["profiles"][0]["states"][0], found["clipping"]

    (tame, unclipped), (small, _), (large, _) = simple(1.0), simple(0.5), simple(3.0)
    assert (small["fate"], large["fate"]) == ("vanishes", "explodes")
    assert small["ratio"] < 0.5**40 * 1.001
    assert large["ratio"] > 1e3
    assert 0.1 < tame["ratio"] <= 1.0
    assert small["factor_per_step"] < tame["factor_per_step"] < large["factor_per_step"]
    assert unclipped["clipped_norm"] == pytest.approx(min(unclipped["norm"], 1.0))


def test_runs_stand_side_by_side(run_cli: RunCli, runs: dict[str, RunDirectory]) -> None:
    result = run_cli(
        "inspect", "gradients", runs["gru"].path, "--compare", runs["lstm"].path,
        "--windows", 4, "--distance", 10,
    )  # fmt: skip
    assert result.exit_code == 0, result.stderr
    assert "lstm recurrent_1 c" in result.stdout
    assert "a step" in result.stdout
    sliding = run_cli(
        "inspect", "gradients", runs["gru"].path, "--compare", runs["simple_rnn"].path
    )
    assert "       4  " in sliding.stdout  # the longest way back inside a window of 5
    assert "       5  " not in sliding.stdout


def test_a_text_and_a_file_may_be_given(
    run_cli: RunCli, runs: dict[str, RunDirectory], tmp_path: Path
) -> None:
    text = "the quick brown fox"
    (tmp_path / "t.txt").write_text(text)
    given = answer(run_cli, "gradients", runs["gru"].path, "--text", text)
    read = answer(run_cli, "gradients", runs["gru"].path, "--file", tmp_path / "t.txt")
    assert given["profiles"] == read["profiles"]
    assert given["profiles"][0]["warm_up"] == 0
    assert len(given["profiles"][0]["states"][0]["norms"]) == len(text) - 1


def test_a_classifier_has_gradients_in_both_directions(
    run_cli: RunCli, runs: dict[str, RunDirectory], tmp_path: Path
) -> None:
    run = runs["classes"].path
    found = answer(run_cli, "gradients", run, "--windows", 5, "--distance", 3)
    (profile,) = found["profiles"]
    assert [state["layer"] for state in profile["states"]] == [
        "recurrent_0_forward",
        "recurrent_0_backward",
    ]
    assert all(len(state["norms"]) == 4 for state in profile["states"])
    assert "The pooling hands the gradient to every step" in found["notes"][0]
    assert found["clipping"] is None
    (tmp_path / "t.txt").write_text("a great film\n\nthe film was bad\n")
    other = answer(run_cli, "gradients", run, "--file", tmp_path / "t.txt", "--compare", "cells")
    assert [profile["windows"] for profile in other["profiles"]] == [2, 2, 2, 2]


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (["--text", "a", "--file", "b"], 2, "use one"),
        (["--recurrent-scale", "nan"], 2, "finite"),
        (["--recurrent-scale", "-1"], 2, "--recurrent-scale"),
        (["--clip-norm", "0"], 2, "--clip-norm"),
        (["--distance", "0"], 2, "--distance"),
        (["--distance", "9999"], 4, "smaller --distance"),
        (["--text", "x"], 4, "tokens"),
        (["--file", "no-such-file"], 4, "no-such-file"),
        (["--compare", "no-such-run"], 5, "no such run"),
        (["--compare", "{classes}"], 2, "cannot be compared"),
    ],
)
def test_wrong_use_is_one_message(
    run_cli: RunCli, runs: dict[str, RunDirectory], options: list[str], code: int, said: str
) -> None:
    options = [option.format(classes=runs["classes"].path) for option in options]
    result = run_cli("inspect", "gradients", runs["gru"].path, *options)
    assert result.exit_code == code, result.stderr
    assert said in result.stderr


def test_clipping_is_for_language_models(run_cli: RunCli, runs: dict[str, RunDirectory]) -> None:
    result = run_cli("inspect", "gradients", runs["classes"].path, "--clip-norm", 1)
    assert (result.exit_code, "is a classifier" in result.stderr) == (2, True)


# ------------------------------------------------------------------------------ files and damage


@pytest.mark.parametrize(
    "arguments",
    [["summary"], ["forward", "--text", "box"], ["gradients", "--compare", "cells"]],
    ids=lambda arguments: arguments[0],
)
@pytest.mark.parametrize("name", ["lstm", "classes"])
def test_pages_and_pictures(
    run_cli: RunCli, runs: dict[str, RunDirectory], tmp_path: Path, arguments: list[str], name: str
) -> None:
    page, picture = tmp_path / "a.html", tmp_path / "a.png"
    command, *options = arguments
    options += ["--windows", "4"] if command == "gradients" else []
    for _ in range(2):  # our own may be replaced
        result = run_cli(
            "inspect", command, runs[name].path, *options, "--html", page, "--png", picture
        )
        assert result.exit_code == 0, result.stderr
    assert page.read_text("utf-8").startswith(page_mark("inspect"))
    assert "://" not in page.read_text("utf-8")
    assert PNG_MARK in picture.read_bytes()[:512]
    mine = tmp_path / "mine.html"
    mine.write_text("mine")
    refused = run_cli("inspect", command, runs[name].path, *options, "--html", mine)
    assert refused.exit_code == 2
    assert mine.read_text() == "mine"


def test_damage_is_exit_5(run_cli: RunCli, tmp_path: Path) -> None:
    run = train_new(tmp_path, configure(tmp_path, "training.max_steps=1"), "run")
    whole = run.best_checkpoint.read_bytes()
    for part in (whole[:-10], whole[: len(whole) // 2], b"nothing", b""):
        run.best_checkpoint.write_bytes(part)
        cut = run_cli("inspect", "summary", run.path)
        assert (cut.exit_code, "best.npz: damaged" in cut.stderr) == (5, True)
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 1
    run.best_checkpoint.write_bytes(bytes(flipped))
    changed = run_cli("inspect", "summary", run.path)
    assert (changed.exit_code, "best.npz: damaged" in changed.stderr) == (5, True)
    other = train_new(tmp_path, configure(tmp_path, "training.max_steps=1", "model.units=9"), "o")
    run.best_checkpoint.write_bytes(other.best_checkpoint.read_bytes())
    foreign = run_cli("inspect", "summary", run.path)
    assert (foreign.exit_code, "has shape" in foreign.stderr) == (5, True)
    run.best_checkpoint.unlink()
    missing = run_cli("inspect", "summary", run.path)
    assert (missing.exit_code, "missing" in missing.stderr) == (5, True)


def test_runs_are_opened_as_what_they_are(runs: dict[str, RunDirectory]) -> None:
    language, classifier = open_run(runs["simple_rnn"]), open_run(runs["classes"])
    assert isinstance(language, LanguageSubject)
    assert language.context == 5
    assert isinstance(classifier, ClassifierSubject)
    assert classifier.temperature == 1.0


@pytest.mark.parametrize("command", ["summary", "forward", "gradients"])
def test_tensorflow_is_not_loaded(runs: dict[str, RunDirectory], command: str) -> None:
    options = ["--text", "box the fox"] if command != "summary" else []
    code = (
        "import sys; from rnnkit.cli import cli\n"
        f"cli(['inspect', {command!r}, {str(runs['gru'].path)!r}, *{options!r}], "
        "standalone_mode=False)\n"
        "print(sorted({'tensorflow', 'keras', 'onnxruntime', 'matplotlib', 'pandas'} & "
        "set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=os.environ
    )
    assert done.stdout.splitlines()[-1] == "[]"
