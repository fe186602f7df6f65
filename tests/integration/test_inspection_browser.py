"""The pages of `rnnkit inspect` in a real browser: headless Chromium, where there is one."""

from pathlib import Path

import pytest
from browser import BROWSER, WIDTHS, measure
from made_up_inspections import attributions, state_study
from made_up_reports import HOSTILE, LONG

from rnnkit.inspection.attribution_study import Shapley
from rnnkit.inspection.attributions import show_attributions
from rnnkit.inspection.states import show_states
from rnnkit.views.html import render

pytestmark = pytest.mark.skipif(BROWSER is None, reason="no `chromium` on PATH")

TEXTS = ["not a bad film", f"{HOSTILE} {LONG}", ""]

PAGES = {
    "states": lambda: render(show_states(state_study(), run="run")),
    "hostile states": lambda: render(show_states(state_study(hostile=True, tokens=40), run=LONG)),
    "attributions": lambda: render(
        show_attributions(
            [attributions(text, sampled=True) for text in TEXTS],
            [HOSTILE, LONG],
            method=Shapley(),
            is_bidirectional=True,
            run=f"run{HOSTILE}",
        )
    ),
}


@pytest.mark.parametrize("name", PAGES)
def test_the_page_fits_and_asks_for_nothing(name: str, tmp_path: Path) -> None:
    measured, console = measure(PAGES[name](), tmp_path)
    assert console == []
    assert [found["width"] for found in measured] == list(WIDTHS)
    for found in measured:
        assert found["content"] <= found["width"], found["width"]
        assert found["loaded"] == []
        assert found["title"] != "taken"
        assert found["outside"] == []
        assert found["headings"] >= 3
        for width, height, paths in found["drawings"]:
            assert 200 <= width <= found["width"]
            assert 0.4 <= height / width <= 1.0
            assert paths > 3
    assert all(len(found["drawings"]) == (2 if name == "attributions" else 0) for found in measured)
