"""The page as a browser would read it, without a browser."""

import itertools
import re
from collections.abc import Callable
from dataclasses import replace

import pytest
from made_up_reports import (
    HOSTILE,
    LONG,
    class_evaluation,
    language_report,
    run_details,
    sentiment_report,
)
from read_page import Page, check_that_nothing_is_loaded

from rnnkit.report import training_section, whole_report
from rnnkit.runs.listing import RunDetails
from rnnkit.runs.records import MetricsLine
from rnnkit.tasks.text_classification.sections import ClassReport, report_view
from rnnkit.views.canvas import VARIABLES
from rnnkit.views.formats import visible
from rnnkit.views.html import render, style_sheet
from rnnkit.views.plot import Line
from rnnkit.views.view import Grid, Group, Table, View, page_mark

MANY = [f"intent {i}" for i in range(30)]
HOSTILE_CLASSES = [HOSTILE, f"$f{HOSTILE}", LONG, "neutral"]

REPORTS = {
    "language": lambda: language_report(),
    "hostile language": lambda: language_report(hostile=True),
    "two classes": lambda: sentiment_report(),
    "hostile classes": lambda: sentiment_report(HOSTILE_CLASSES, hostile=True),
    "hostile pair": lambda: sentiment_report(HOSTILE_CLASSES[:2], hostile=True, threshold=0.4),
    "many classes": lambda: sentiment_report(MANY, rows=900),
    "no mistakes": lambda: sentiment_report(skill=50.0),
    "one class only": lambda: sentiment_report(only_class=1),
    "few texts": lambda: sentiment_report(rows=3),
}


@pytest.fixture(params=REPORTS, scope="module")
def report(request: pytest.FixtureRequest) -> View:
    return REPORTS[request.param]()


@pytest.fixture(scope="module")
def html(report: View) -> str:
    return render(report)


@pytest.fixture(scope="module")
def page(html: str) -> Page:
    return Page(html)


def test_nothing_is_loaded_and_nothing_runs(page: Page) -> None:
    check_that_nothing_is_loaded(page)


def test_the_page_is_a_file_in_utf_8(html: str) -> None:
    assert html.startswith(page_mark("report"))
    assert html.encode().decode() == html
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f]", html)


def test_names_are_unique_and_links_lead_somewhere(page: Page) -> None:
    names = page.attributes("id")
    assert len(names) == len(set(names))
    references = [link[1:] for link in page.attributes("href") if link.startswith("#")]
    values = [value or "" for _, given in page.elements for value in given.values()]
    references += [name for value in values for name in re.findall(r"url\(#(.*?)\)", value)]
    assert len(references) > 5
    assert set(references) <= set(names)


def test_everything_has_a_name_for_those_who_hear_it(page: Page) -> None:
    tags = page.tags()
    assert tags["svg"] >= 2
    for tag, given in page.elements:
        if tag == "svg":
            assert given["role"] == "img"
            assert len(given["aria-label"] or "") > 30
    assert tags["table"] == tags["caption"]
    assert tags["figure"] == tags["figcaption"]
    assert tags["h1"] == 1
    assert page.elements[0] == ("html", {"lang": "en"})
    levels = [int(tag[1]) for tag, _ in page.elements if re.fullmatch("h[1-6]", tag)]
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))


def test_figures_take_their_colours_from_the_page(html: str, page: Page) -> None:
    assert not [stand_in for stand_in in VARIABLES if stand_in in html]
    used = set(re.findall(r"var\((--[\w-]+)\)", html))
    assert used - {"--share", "--a"} <= set(re.findall(r"(--[\w-]+):", style_sheet()))
    for tag, given in page.elements:
        if tag in ("path", "use", "text"):
            assert not re.search("#[0-9a-f]{6}", given.get("style") or ""), given


def test_the_same_report_gives_the_same_bytes() -> None:
    first, second = (render(sentiment_report(threshold=0.4)) for _ in range(2))
    assert first == second


@pytest.mark.parametrize(
    "make",
    [
        lambda: language_report(hostile=True),
        lambda: sentiment_report(HOSTILE_CLASSES, hostile=True),
    ],
)
def test_hostile_text_is_shown_as_it_is(make: Callable[[], View]) -> None:
    page = Page(render(make()))
    assert visible(HOSTILE) in page.texts  # in a sample or an error, whole
    assert any(f"run{visible(HOSTILE)}" in text for text in page.texts)


def test_numbers_on_the_page_are_those_of_the_scores() -> None:
    found = class_evaluation(threshold=0.4)
    page = Page(render(sentiment_report(threshold=0.4)))
    for key in ("loss", "accuracy", "macro_f1", "roc_auc", "brier", "ece"):
        assert f"{found.metrics[key].value:.4f}" in page.texts
    for cell in found.scores.confusion.ravel():
        assert f"{cell:,}" in page.texts
    assert f"positive ({found.metrics['roc_auc'].value:.3f})" in page.texts
    assert any("from a probability of 0.4000 on" in text for text in page.texts)


def test_errors_come_after_the_curves_of_training() -> None:
    names = [section.name for section in sentiment_report().sections]
    assert names == [
        "scores", "curves", "training", "data", "errors", "configuration", "environment",
    ]  # fmt: skip


def test_a_report_without_anything_says_so() -> None:
    details = replace(run_details("sentiment"), summary=None, environment={}, lines=())
    own = report_view(
        ClassReport(data=None, maximum_length=50), training=training_section(details), lines=()
    )
    note = "Training has not finished."
    page = Page(render(whole_report(details, replace(own, notes=(note,)))))
    assert {note, "Nothing has been evaluated yet."} <= set(page.texts)
    assert page.tags()["svg"] == 0


@pytest.mark.parametrize("broken", [float("nan"), float("inf"), None])
def test_values_that_are_no_numbers_are_left_out(broken: float | None) -> None:
    names = ("validation_loss", "gradient_norm")

    def change(details: RunDetails) -> RunDetails:
        lines = [
            replace(
                line,
                metrics={key: value for key, value in line.metrics.items() if key not in names}
                | ({} if broken is None else dict.fromkeys(names, broken)),
            )
            for line in details.lines
        ]
        return replace(details, lines=tuple(lines))

    page = Page(render(language_report(change=change)))
    assert "Gradient norm" not in page.texts
    assert "Loss" in page.texts


def test_the_training_loss_is_a_mean_since_the_point_before() -> None:
    """That of an evaluation is a mean since the evaluation before, which looks like a jump."""
    losses = ((25, 4.0, False), (50, 2.0, False), (60, 2.9, True), (120, 1.5, True))
    lines = [
        MetricsLine(step, metrics={"train_loss": loss}, is_evaluation=is_evaluation)
        for step, loss, is_evaluation in losses
    ]
    grid = training_section(replace(run_details("sentiment"), lines=tuple(lines))).blocks[0]
    assert isinstance(grid, Grid)
    curve = grid.figures[0].panels[0].marks[0]
    assert isinstance(curve, Line)
    assert list(curve.x) == [25.0, 50.0, 120.0]
    assert list(curve.y) == [4.0, 2.0, 1.5]


def test_the_training_loss_between_evaluations_is_drawn() -> None:
    def change(details: RunDetails) -> RunDetails:
        between = [
            MetricsLine(step, metrics={"train_loss": 4.0 - step / 100}, is_evaluation=False)
            for step in range(10, 100, 10)
        ]
        return replace(details, lines=(*between, *details.lines))

    view = language_report(change=change)
    (training,) = (section for section in view.sections if section.name == "training")
    grid, group = training.blocks
    assert isinstance(grid, Grid)
    assert isinstance(group, Group)
    (loss,) = (figure for figure in grid.figures if figure.title == "Loss")
    curve = loss.panels[0].marks[0]
    assert isinstance(curve, Line)
    assert list(curve.x)[:3] == [10.0, 20.0, 30.0]
    (evaluations,) = group.blocks
    assert isinstance(evaluations, Table)
    assert len(evaluations.rows) == 23, "evaluations alone"
