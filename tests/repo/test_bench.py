"""The figures that the pages show are those of bench/results.json."""

import copy
import importlib
import json
import re
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
PAGES = "".join((ROOT / page).read_text("utf-8") for page in ("README.md", "docs/BENCHMARKS.md"))
RESULTS = json.loads((ROOT / "bench" / "results.json").read_text("utf-8"))
MARK = r"<!-- measured: (\w+) -->\n(.*?)\n<!-- end -->"
SHOWN = re.findall(r"<!-- measured: (\w+) -->", PAGES)


@pytest.fixture
def tables(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """bench/ is no part of the installed package."""
    monkeypatch.syspath_prepend(str(ROOT))
    return importlib.import_module("bench.tables")


def test_measured_tables_are_those_of_the_results(tables: ModuleType) -> None:
    assert tables.with_tables(PAGES, RESULTS) == PAGES, "run: python -m bench.tables"
    assert len(re.findall(MARK, PAGES, flags=re.DOTALL)) == len(SHOWN) == len(set(SHOWN))


def test_what_is_measured_is_shown(tables: ModuleType) -> None:
    assert set(SHOWN) <= set(tables.TABLES)
    for name in set(tables.TABLES) - set(SHOWN):
        text = tables.with_tables(f"<!-- measured: {name} -->\n\n<!-- end -->", RESULTS)
        assert tables.NOT_MEASURED in text, f"no page shows the table {name}"


@pytest.mark.parametrize("name", [name for name in SHOWN if name != "machine"])
def test_a_figure_that_differs_is_seen(tables: ModuleType, name: str) -> None:
    [table] = [text for shown, text in re.findall(MARK, PAGES, flags=re.DOTALL) if shown == name]
    digits = [match.start() for match in re.finditer(r"\d", table)]
    assert digits or table == tables.NOT_MEASURED
    for place in digits[:: max(1, len(digits) // 20)]:
        other = str((int(table[place]) + 1) % 10)
        changed = PAGES.replace(table, table[:place] + other + table[place + 1 :])
        assert changed != PAGES
        assert tables.with_tables(changed, RESULTS) == PAGES


@pytest.mark.parametrize("part", [part for part in RESULTS if isinstance(RESULTS[part], dict)])
def test_what_is_not_measured_shows_no_figures(tables: ModuleType, part: str) -> None:
    results = {name: value for name, value in RESULTS.items() if name != part}
    text = tables.with_tables(PAGES, results)
    if part != "parts":
        assert text != PAGES
    for (name, shown), (_, before) in zip(
        re.findall(MARK, text, flags=re.DOTALL),
        re.findall(MARK, PAGES, flags=re.DOTALL),
        strict=True,
    ):
        assert shown in (before, tables.NOT_MEASURED) or name in ("machine", "start"), name


def test_every_table_can_be_written(tables: ModuleType) -> None:
    results = made_up_results()
    for name, write in tables.TABLES.items():
        if name != "machine":
            lines = write(results).splitlines()
            assert len(lines) > 2
            assert {line.count("|") for line in lines} == {lines[1].count("|")}, lines
    assert "Keras 3.15.1" in tables.with_tables(
        "<!-- measured: machine -->\n\n<!-- end -->", results
    )


def made_up_results() -> dict[str, Any]:
    """The results with everything that can be left out."""
    results = copy.deepcopy(RESULTS)
    figures = {"median": 2.0, "lowest": 1.0, "highest": 300.0, "values": [2.0, 1.0, 300.0]}
    rows = results["training"]["rows"]
    for row in rows:
        row["sides"]["rnnkit_bf16"] = row["sides"]["rnnkit"]
        row["rnnkit_bf16_over"] = {"rnnkit": figures, **row["rnnkit_over"]}
    names = ("import_tensorflow", "python", "help", "generate_200", "predict", "evaluate_1000")
    side = {"characters_per_second": figures}
    results["start"] = {"values": {f"{name}_seconds": [2.0, 1.0] for name in names}}
    results["generation"] |= {
        "sides": dict.fromkeys(("rnnkit", "command", "torch", "keras_window"), side),
        "rnnkit_over": {"torch": figures, "keras_window": figures},
    }
    results["words"] = {
        "trigram": {"perplexity": 100.0},
        "model": {
            "config": "words",
            "parameters": 1_000_000,
            "training_seconds": 60.0,
            "metrics": {"perplexity": {"value": 80.0, "low": 79.0, "high": 81.0}},
        },
    }
    results["parts"] = {"training": {"versions": {"keras": "3.15.1"}}}
    return results
