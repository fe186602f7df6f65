"""`rnnkit evaluate` on classifiers, in this process; the classifier adds up weights of words."""

import csv
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rnnkit.runs.directory import RunDirectory
from rnnkit.runs.files import read_document, write_document

DATA = {
    "labels": {"negative": "negative", "positive": "positive"},
    "validation_fraction": 0.3,
    "test_fraction": 0.2,
}
EVALUATION = {"bootstrap_samples": 100}


def make_rows(count: int, seed: int = 0) -> list[tuple[str, str]]:
    """Texts of weighty words; the label is mostly, not always, what their weights say."""
    rng = random.Random(seed)
    rows = []
    for number in range(count):
        words = rng.choices(["good", "great", "bad", "awful", "film", "the"], k=rng.randint(1, 5))
        score = sum({"good": 1, "great": 2, "bad": -1, "awful": -2}.get(word, 0) for word in words)
        label = "positive" if score + rng.gauss(0.0, 1.5) > 0.4 else "negative"
        rows.append((label, f"{' '.join(words)} {seed}-{number}"))
    return rows


ROWS = make_rows(600)


@pytest.fixture
def evaluate(run_cli: Callable[..., Any], tmp_path: Path) -> Callable[..., Any]:
    """The command, looking for runs where the tests make them."""

    def run(*arguments: object, **more: Any) -> Any:
        return run_cli("evaluate", *arguments, "--runs-dir", tmp_path / "runs", **more)

    return run


@pytest.fixture
def small(make_class_run: Callable[..., RunDirectory]) -> RunDirectory:
    return make_class_run(ROWS, data=DATA, evaluation=EVALUATION)


def answer(result: Any) -> dict[str, Any]:
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


def test_the_test_part_is_scored(evaluate: Any, small: RunDirectory) -> None:
    found = answer(evaluate("--json"))
    assert found["run"] == str(small.path)
    assert (found["split"], found["data"], found["rows"]) == ("test", None, 120)
    for name, score in found["metrics"].items():
        assert score["low"] <= score["value"] <= score["high"], name
    matrix = found["confusion_matrix"]
    assert matrix["classes"] == found["classes"] == ["negative", "positive"]
    assert sum(map(sum, matrix["counts"])) == 120
    right = matrix["counts"][0][0] + matrix["counts"][1][1]
    assert found["metrics"]["accuracy"]["value"] == pytest.approx(right / 120)
    assert found["metrics"]["accuracy"]["value"] > 0.7
    assert (found["worst"], found["comparison"]) == ([], None)


def test_the_tables_have_the_same_numbers(evaluate: Any, small: RunDirectory) -> None:
    found = answer(evaluate("--json", "--worst", 2))
    result = evaluate("--worst", 2)
    assert f"{small.path} on test texts, 120 rows" in result.stdout
    lines = [line.split() for line in result.stdout.splitlines()]
    for name, score in found["metrics"].items():
        values = [f"{score[part]:,.4f}" for part in ("value", "low", "high")]
        assert [name, *values] in lines
    for name, counts in zip(found["classes"], found["confusion_matrix"]["counts"], strict=True):
        assert [name, *map(str, counts)] in lines
    for error in found["worst"]:
        assert f"{error['file']}:{error['row']}: {error['label']}, predicted" in result.stdout
        assert error["text"] in result.stdout
        with Path(error["file"]).open(newline="") as file:
            row = list(csv.reader(file))[error["row"] - 1]
        assert row == [error["label"], error["text"]]
        assert error["label"] != error["predicted"]


def test_without_a_test_part_the_validation_part_is_scored_and_said(
    evaluate: Any, make_class_run: Callable[..., RunDirectory]
) -> None:
    make_class_run(ROWS, data={**DATA, "test_fraction": 0.0}, evaluation=EVALUATION)
    result = evaluate("--json")
    assert answer(result)["split"] == "validation"
    assert "a little too good" in result.stderr
    refused = evaluate("--split", "test")
    assert refused.exit_code == 4
    assert "validation, train" in refused.stderr.replace("train, validation", "validation, train")


def test_texts_that_changed_are_noticed(evaluate: Any, small: RunDirectory, tmp_path: Path) -> None:
    path = tmp_path / "small.csv"
    path.write_text(path.read_text().replace("great film", "great movie"))
    result = evaluate()
    assert result.exit_code == 4
    assert "changed since" in result.stderr


# ------------------------------------------------------------------------ threshold, calibration


def test_a_threshold_is_chosen_on_the_validation_part_and_used(
    evaluate: Any, small: RunDirectory, run_cli: Any
) -> None:
    before = answer(evaluate("--json"))
    result = evaluate("--threshold", "precision=0.95", "--json")
    after = answer(result)
    assert after["split"] == "test"
    decision = read_document(small.decision, "decision")
    assert after["decision"] == decision
    assert (decision["positive"], decision["goal"]) == ("positive", "precision=0.95")
    assert decision["threshold"] > 0.5
    assert "180 validation texts" in decision["how"]
    assert (
        after["metrics"]["recall_positive"]["value"] < before["metrics"]["recall_positive"]["value"]
    )
    assert after["metrics"]["roc_auc"] == before["metrics"]["roc_auc"]
    validation = answer(evaluate("--split", "validation", "--json"))
    assert validation["metrics"]["precision_positive"]["value"] >= 0.95
    predicted = run_cli("predict", small.path, "good", "--json")
    assert json.loads(predicted.stdout)["predictions"][0]["label"] == "negative"
    reset = evaluate("--reset-decision", "--json")
    assert answer(reset)["metrics"] == before["metrics"]
    assert not small.decision.exists()


def test_the_best_f1_of_either_class(evaluate: Any, small: RunDirectory) -> None:
    for positive in ("negative", "positive"):
        evaluate("--reset-decision")
        plain = answer(evaluate("--split", "validation", "--json"))
        result = evaluate(
            "--split", "validation", "--threshold", "f1", "--positive", positive, "--json"
        )
        chosen = answer(result)
        assert "these very texts" in result.stderr
        assert chosen["decision"]["positive"] == positive
        name = f"f1_{positive}"
        assert chosen["metrics"][name]["value"] >= plain["metrics"][name]["value"]


def test_calibration_lowers_the_loss_and_keeps_every_class(
    evaluate: Any, small: RunDirectory
) -> None:
    before = answer(evaluate("--split", "validation", "--threshold", "f1", "--json"))
    after = answer(evaluate("--split", "validation", "--calibrate", "--json"))
    assert after["decision"]["temperature"] != 1.0
    assert after["decision"]["threshold"] != before["decision"]["threshold"]
    assert after["metrics"]["loss"]["value"] < before["metrics"]["loss"]["value"]
    assert after["confusion_matrix"] == before["confusion_matrix"]
    again = answer(evaluate("--split", "validation", "--calibrate", "--json"))
    assert again["decision"]["temperature"] == pytest.approx(after["decision"]["temperature"])


def test_what_cannot_be_chosen_is_refused(
    evaluate: Any, make_class_run: Callable[..., RunDirectory]
) -> None:
    three = [("neutral", f"the film {i}") for i in range(20)]
    make_class_run(ROWS[:100] + three, name="three")
    assert evaluate("three", "--threshold", "f1").exit_code == 2
    assert evaluate("three", "--calibrate").exit_code == 0
    make_class_run(ROWS, name="two", data={**DATA, "validation_fraction": 0.0})
    assert evaluate("two", "--calibrate").exit_code == 4
    assert evaluate("two", "--threshold", "f3").exit_code == 2
    assert evaluate("two", "--threshold", "f1", "--positive", "sideways").exit_code == 2
    assert evaluate("two", "--positive", "positive").exit_code == 2


# ---------------------------------------------------------------------- other files, other runs


def write(path: Path, rows: list[tuple[str, str]], encoding: str = "utf-8") -> Path:
    with path.open("w", newline="", encoding=encoding) as file:
        csv.writer(file).writerows([("label", "text"), *rows])
    return path


def test_other_files(evaluate: Any, small: RunDirectory, tmp_path: Path) -> None:
    other = write(tmp_path / "other.csv", make_rows(50, seed=1))
    found = answer(evaluate("--data", other, "--json"))
    assert (found["split"], found["data"], found["rows"]) == (None, [str(other)], 50)
    write(other, [("positive", "great café"), ("negative", "bad")], "latin-1")
    assert evaluate("--data", other).exit_code == 4
    few = evaluate("--data", other, "--encoding", "latin-1", "--json")
    assert answer(few)["metrics"]["accuracy"] == {"value": 1.0, "low": None, "high": None}
    assert "No intervals" in few.stderr
    write(other, [("sideways", "great")])
    unknown = evaluate("--data", other)
    assert unknown.exit_code == 4
    assert "sideways" in unknown.stderr


def test_two_runs_on_the_same_texts(
    evaluate: Any, small: RunDirectory, make_class_run: Callable[..., RunDirectory], tmp_path: Path
) -> None:
    path = {"path": str(tmp_path / "small.csv")}
    make_class_run(ROWS, name="poor", weights={"good": 1.0}, data={**DATA, **path})
    found = answer(evaluate("small", "--compare", "poor", "--json"))["comparison"]
    first, second = (answer(evaluate(name, "--json"))["metrics"] for name in ("small", "poor"))
    for name in ("accuracy", "macro_f1"):
        difference = second[name]["value"] - first[name]["value"]
        assert found["differences"][name]["value"] == pytest.approx(difference)
    assert found["differences"]["accuracy"]["high"] < 0.0
    assert found["p_value"] < 0.01
    keys = ("both_right", "both_wrong", "only_first_right", "only_second_right")
    assert sum(found[key] for key in keys) == 120
    shown = evaluate("small", "--compare", "poor").stdout
    assert "McNemar's test: p = " in shown
    itself = answer(evaluate("small", "--compare", "small", "--json"))["comparison"]
    assert (itself["p_value"], itself["differences"]["accuracy"]["value"]) == (1.0, 0.0)


def test_runs_with_other_texts_are_compared_on_files_only(
    evaluate: Any, small: RunDirectory, make_class_run: Callable[..., RunDirectory], tmp_path: Path
) -> None:
    # The other way round: the class that is the first here is the last there. No sum of five of
    # these weights is 0, so that neither order of classes decides.
    weights = {"good": 1.0, "great": 2.1, "bad": -1.3, "awful": -2.7, "film": 0.01, "the": 0.013}
    make_class_run(ROWS, name="upright", weights=weights, data=DATA, evaluation=EVALUATION)
    weights = {word: -weight for word, weight in weights.items()}
    turned = {"labels": {"positive": "positive", "negative": "negative"}}
    make_class_run(ROWS, name="turned", weights=weights, data={**DATA, **turned}, seed=7)
    refused = evaluate("upright", "--compare", "turned")
    assert refused.exit_code == 4
    assert "--data" in refused.stderr
    other = write(tmp_path / "other.csv", make_rows(50, seed=1))
    result = evaluate("upright", "--compare", "turned", "--data", other, "--json")
    found = answer(result)["comparison"]
    assert found["differences"]["accuracy"]["value"] == 0.0
    assert found["only_first_right"] == 0
    make_class_run([*ROWS, *[("odd", f"x {i}") for i in range(9)]], name="three")
    assert evaluate("small", "--compare", "three", "--data", other).exit_code == 4


def test_options_of_the_other_task_are_refused(
    evaluate: Any,
    small: RunDirectory,
    make_model_run: Callable[..., RunDirectory],
    tmp_path: Path,
) -> None:
    make_model_run("abc" * 1000, name="letters")
    for option in (
        ["--calibrate"],
        ["--threshold", "f1"],
        ["--reset-decision"],
        ["--worst", "3"],
        ["--compare", "small"],
    ):
        result = evaluate("letters", *option)
        assert result.exit_code == 2
        assert f"{option[0]} is for classifiers" in result.stderr
    result = evaluate("small", "--data", tmp_path / "small.csv", "--unseen", "skip")
    assert result.exit_code == 2
    assert "--unseen is for language models" in result.stderr
    assert evaluate("small", "--compare", "letters").exit_code == 2
    # Without a name, the newest run that the options fit.
    assert "letters" in evaluate().stderr
    assert str(small.path) in evaluate("--worst", 1).stderr


def test_a_damaged_decision_can_be_reset(evaluate: Any, small: RunDirectory) -> None:
    write_document(small.decision, "decision", {"temperature": -1})
    assert evaluate().exit_code == 5
    assert evaluate("--reset-decision").exit_code == 0
    small.decision.write_text("rubbish")
    assert evaluate().exit_code == 5
    assert evaluate("--reset-decision").exit_code == 0
