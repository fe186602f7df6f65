"""Runs of the first edition give the answers of the first edition.

tests/fixtures/first_edition holds run directories that commit bc3c324 wrote, and what its commands
answered (tests/fixtures/make_first_edition.py made both). Every command is repeated here in a copy.
Numbers may differ by 1e-6; any other difference is listed in `DIFFERENCES` with its reason.
No TensorFlow is needed.
"""

import copy
import fnmatch
import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import RunCli
from tests.fixtures.make_first_edition import FIXTURE, readable, written

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Difference:
    """Answers that differ on purpose.

    `answers` is a pattern of `group: name`, `path` one of the place in the answer, such as
    `stdout.metrics.*`; what is found there is not compared. `exit_code` and `file` are places
    too; of a page, `file.` is followed by the cells of a row. With `old`, only places where the
    first edition answered this differ.
    """

    answers: str
    path: str
    reason: str
    old: Any = None


_LIMITS = "95 % intervals without variation among the resamples are exact, or left out"
_ONE_WAY = "the key was always refused where it is no longer part of the schema"
_PROMPT = "the key samples.prime has the field's name, samples.prompt; files may say either"
_QUANTITY = "explanations name the quantity that changes"

_TEST_FIRST = "the test split is scored before validation, by every task"

DIFFERENCES: tuple[Difference, ...] = (
    Difference("scores: *", "stdout.metrics.*.low", _LIMITS, old=1.0),
    Difference("scores: *", "stdout.metrics.*.high", _LIMITS, old=1.0),
    Difference("scores: *", "stdout.metrics.ece.*", _LIMITS, old=0.0),
    Difference("reports: *", "file.*1.000 to 1.000*", _LIMITS),
    Difference("reports: *", "file.*1.0000 to 1.0000*", _LIMITS),
    Difference("reports: *", "file.*100.0 % to 100.0 %*", _LIMITS),
    Difference("reports: *", "file.*1.000\N{EN DASH}1.000*", _LIMITS),
    Difference("reports: *", "file.0.000 | 0.000 to 0.000", _LIMITS),
    Difference("*", "*model.bidirectional", _ONE_WAY, old=False),
    Difference("*", "*training.samples.prime", _PROMPT),
    Difference("*", "*training.samples.prompt", _PROMPT),
    Difference("configs: *", "task", "the task has a name that fits any classes", old="sentiment"),
    Difference("predictions: explained as text", "stdout", _QUANTITY),
    *(
        Difference(
            "scores: *",
            "stdout.notes.*",
            "one block is no blocks",
            old=f"{reading}: no interval, because the text makes only 1 blocks of 256 and 10 are "
            "needed.",
        )
        for reading in ("The stream", "Windows of 10")
    ),
    Difference("runs: list", "stdout.*.changed_at", "a list has dates"),
    Difference("runs: list", "stdout.*.folds", "a cross-validation is listed as what it is"),
    Difference("runs: show *", "stdout.overview.changed_at", "a list has dates"),
    Difference("runs: show *", "stdout.overview.folds", "a cross-validation is listed, too"),
    Difference("scores: char_gru: default", "stdout.*", _TEST_FIRST),
    Difference("inspections: gradients compared", "stdout.*", _TEST_FIRST),
    Difference("reports: char_gru", "file.*", _TEST_FIRST),
    Difference("scores: *", "stdout.notes.*", "notes in plain terms; what the decision used"),
    Difference("reports: *", "file.macro F1", "columns have the titles of the table of scores"),
    Difference("reports: *words*", "file.*", "perplexity per word has a column"),
)


def _records() -> Iterator[tuple[str, dict[str, Any]]]:
    for path in sorted((FIXTURE / "answers").glob("*.json")):
        for name, record in json.loads(path.read_text(encoding="utf-8")).items():
            yield f"{path.stem}: {name}", record


RECORDS = dict(_records())
CONFIGURATIONS = sorted((FIXTURE / "configs").rglob("*.json"))


@pytest.fixture(scope="module")
def copied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of the fixture, which commands may write to."""
    target = tmp_path_factory.mktemp("first-edition") / "first_edition"
    shutil.copytree(FIXTURE, target, ignore=shutil.ignore_patterns("answers", "configs"))
    return target


def test_the_fixture_is_complete() -> None:
    runs = {path.name for path in (FIXTURE / "trained").iterdir()}
    assert len(runs) == 13
    assert len(RECORDS) > 200
    for run in runs - {"stopped_gru"}:
        assert (FIXTURE / "trained" / run / "summary.json").exists()
    assert (FIXTURE / "trained" / "reviews_gru" / "decision.json").exists()
    assert not (FIXTURE / "trained" / "stopped_gru" / "summary.json").exists()


@pytest.mark.parametrize("name", RECORDS)
def test_the_answer_is_that_of_the_first_edition(
    name: str, copied: Path, run_cli: RunCli, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = RECORDS[name]
    monkeypatch.chdir(copied)
    result = run_cli(*record["arguments"])
    found = {
        "exit_code": result.exit_code,
        "stdout": readable(result.stdout, as_json="--json" in record["arguments"], root=copied),
    }
    if "file" in record:
        output = Path(record["arguments"][record["arguments"].index("--output") + 1])
        found["file"] = written(output, root=copied) if output.exists() else None
    expected = {key: record[key] for key in found}
    differences = [
        (path, old, new)
        for path, old, new in _differences(_comparable(expected), _comparable(found), "")
        if not _is_listed(name, path, old)
    ]
    assert not differences, f"rnnkit {' '.join(record['arguments'])}\n{result.stderr}" + "\n".join(
        f"{path}: {old!r} -> {new!r}" for path, old, new in differences[:20]
    )


def test_every_difference_names_an_answer() -> None:
    names = [*RECORDS, *(f"configs: {path.stem}" for path in CONFIGURATIONS)]
    for difference in DIFFERENCES:
        assert fnmatch.filter(names, difference.answers), difference
        assert difference.reason


@pytest.mark.parametrize(
    "stored", CONFIGURATIONS, ids=lambda path: str(path.relative_to(FIXTURE / "configs"))
)
def test_shipped_configurations_have_the_values_of_the_first_edition(
    stored: Path, run_cli: RunCli
) -> None:
    expected = json.loads(stored.read_text(encoding="utf-8"))
    source = ROOT / "configs" / stored.relative_to(FIXTURE / "configs").with_suffix(".yaml")
    result = run_cli("config", "show", source, "--json")
    assert result.exit_code == 0, result.stderr
    found = readable(result.stdout, as_json=True, root=ROOT)
    name = f"configs: {stored.stem}"
    differences = _differences(expected, found, "")
    assert not [found for found in differences if not _is_listed(name, *found[:2])]


def _comparable(answer: dict[str, Any]) -> dict[str, Any]:
    """Return an answer without what follows from the clock or from the wording of a page."""
    stdout: Any = copy.deepcopy(answer["stdout"])
    file: Any = answer.get("file")
    if isinstance(stdout, list) and stdout and isinstance(stdout[0], dict) and "name" in stdout[0]:
        # `runs list` is in the order of file times, which a checkout does not keep.
        stdout = sorted(stdout, key=lambda row: row["name"])
    if isinstance(file, list) and isinstance(stdout, dict):
        del stdout["bytes"]
        file = {" | ".join(row): True for row in file}
    return {**answer, "stdout": stdout, **({"file": file} if "file" in answer else {})}


def _is_listed(name: str, path: str, old: Any) -> bool:
    return any(
        fnmatch.fnmatch(name, each.answers)
        and fnmatch.fnmatch(path, each.path)
        and each.old in (None, old)
        for each in DIFFERENCES
    )


_MISSING = "(missing)"


def _differences(old: Any, new: Any, path: str) -> Iterator[tuple[str, Any, Any]]:
    """Yield place, old and new value of everything that is not equal."""
    if isinstance(old, dict) and isinstance(new, dict):
        # A page may show more; a document may not.
        added = [key for key in new if key not in old] if path != "file" else []
        for key in [*old, *added]:
            place = f"{path}.{key}" if path else key
            yield from _differences(old.get(key, _MISSING), new.get(key, _MISSING), place)
    elif isinstance(old, list) and isinstance(new, list):
        if len(old) != len(new):
            yield f"{path}.length", len(old), len(new)
        for index, (left, right) in enumerate(zip(old, new, strict=False)):
            yield from _differences(left, right, f"{path}.{index}")
    elif _is_number(old) and _is_number(new):
        if old != pytest.approx(new, rel=1e-6, abs=1e-6, nan_ok=True):
            yield path, old, new
    elif isinstance(old, str) and isinstance(new, str) and old != new:
        if not _equal_but_for_last_digits(old, new):
            yield path, old, new
    elif old != new:
        yield path, old, new


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _equal_but_for_last_digits(old: str, new: str) -> bool:
    """Tell whether two texts, such as CSV, differ only in the last digits of their numbers."""
    left, right = (text.replace("\t", ",").replace("\n", ",").split(",") for text in (old, new))
    if len(left) != len(right):
        return False
    for one, other in zip(left, right, strict=True):
        try:
            if one != other and float(one) != pytest.approx(float(other), rel=1e-6, abs=1e-6):
                return False
        except ValueError:
            return False
    return True
