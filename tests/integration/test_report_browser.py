"""The page in a real browser: headless Chromium, where there is one on PATH."""

from collections.abc import Callable
from pathlib import Path

import pytest
from browser import BROWSER, WIDTHS, measure
from made_up_reports import HOSTILE, LONG, language_report, sentiment_report

from rnnkit.views.html import render
from rnnkit.views.view import View

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(BROWSER is None, reason="no `chromium` on PATH"),
]

REPORTS: dict[str, Callable[[], View]] = {
    "language": lambda: language_report(hostile=True),
    "two classes": lambda: sentiment_report(threshold=0.4),
    "hostile classes": lambda: sentiment_report([HOSTILE, f"$f{HOSTILE}", LONG, "d"], hostile=True),
    "twelve classes": lambda: sentiment_report([f"class {i}" for i in range(12)]),
    "many classes": lambda: sentiment_report([f"intent {i}" for i in range(30)], rows=900),
}


@pytest.mark.parametrize("name", REPORTS)
def test_the_page_fits_and_asks_for_nothing(name: str, tmp_path: Path) -> None:
    report = REPORTS[name]()
    measured, console = measure(render(report), tmp_path)
    assert console == []
    assert [found["width"] for found in measured] == list(WIDTHS)
    for found in measured:
        assert found["content"] <= found["width"], found["width"]
        assert found["loaded"] == []
        assert found["title"] != "taken"
        assert all(complete and width > 0 for complete, width in found["images"])
        assert len(found["drawings"]) >= 7
        for width, height, paths in found["drawings"]:
            assert 200 <= width <= found["width"]
            assert 0.4 <= height / width <= 1.0
            assert paths > 3
        assert found["outside"] == []
        assert found["headings"] >= 5
        assert found["font"] == found["body_font"]


BROKEN = {
    "wide": "<div style='width:2000px'>x</div>",
    "script": "<script>console.error('ran')</script>",
    "image": "<img src='missing.png'>",
    "drawing": "<svg viewBox='0 0 10 10' width=300><text x=9>far too long</text></svg>",
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_page_would_be_seen(kind: str, tmp_path: Path) -> None:
    measured, console = measure(f"<!doctype html><body>{BROKEN[kind]}", tmp_path)
    narrow = measured[-1]
    seen = {
        "wide": narrow["content"] > narrow["width"],
        "script": bool(console),
        "image": bool(narrow["loaded"]) or [True, 0] in narrow["images"],
        "drawing": bool(narrow["outside"]),
    }
    assert seen[kind]


def test_hostile_text_does_not_run_even_without_escaping(tmp_path: Path) -> None:
    page = render(language_report()).replace("But soft", "<script>document.title='taken'</script>")
    measured, console = measure(page, tmp_path)
    assert {found["title"] for found in measured} == {"run · rnnkit report"}
    assert any("Content Security Policy" in line for line in console)
