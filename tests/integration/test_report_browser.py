"""The page in a real browser: headless Chromium, where there is one on PATH."""

import html
import json
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from made_up_reports import HOSTILE, LONG, language_report, sentiment_report

from rnnkit.report.gather import Report
from rnnkit.report.page import render

BROWSER = shutil.which("chromium")

pytestmark = pytest.mark.skipif(BROWSER is None, reason="no `chromium` on PATH")

WIDTHS = (1280, 768, 390, 320)
"""Pixels: a desktop, a tablet, a phone, a small phone."""

REPORTS: dict[str, Callable[[], Report]] = {
    "language": lambda: language_report(hostile=True),
    "two classes": lambda: sentiment_report(threshold=0.4),
    "hostile classes": lambda: sentiment_report([HOSTILE, f"$f{HOSTILE}", LONG, "d"], hostile=True),
    "twelve classes": lambda: sentiment_report([f"class {i}" for i in range(12)]),
    "many classes": lambda: sentiment_report([f"intent {i}" for i in range(30)], rows=900),
}

# The page stands in frames of several widths, untouched; the frames' owner looks into them.
HARNESS = """<!doctype html><meta charset="utf-8"><title>measuring</title>
<body>FRAMES<pre id="measured"></pre><script>
addEventListener("load", () => {
  const measured = [...document.querySelectorAll("iframe")].map((frame) => {
    const page = frame.contentDocument, view = frame.contentWindow;
    page.querySelectorAll("details").forEach((element) => { element.open = true; });
    const outside = [];
    page.querySelectorAll("svg").forEach((svg) => {
      const box = svg.getBoundingClientRect();
      svg.querySelectorAll("text").forEach((text) => {
        const part = text.getBoundingClientRect();
        if (part.left < box.left - 2 || part.right > box.right + 2
            || part.top < box.top - 2 || part.bottom > box.bottom + 2)
          outside.push(text.textContent);
      });
    });
    return {
      width: view.innerWidth,
      content: page.documentElement.scrollWidth,
      title: page.title,
      loaded: view.performance.getEntriesByType("resource").map((entry) => entry.name),
      images: [...page.images].map((image) => [image.complete, image.naturalWidth]),
      drawings: [...page.querySelectorAll("svg")].map((svg) => {
        const box = svg.getBoundingClientRect();
        return [box.width, box.height, svg.querySelectorAll("path").length];
      }),
      outside,
      headings: page.querySelectorAll("h2").length,
      font: view.getComputedStyle(page.querySelector("svg text") ?? page.body).fontFamily,
      body_font: view.getComputedStyle(page.body).fontFamily,
    };
  });
  document.getElementById("measured").textContent = JSON.stringify(measured);
});
</script>"""


def open_in_browser(path: Path, profile: Path, *options: str) -> tuple[str, str]:
    """What the browser makes of a file (its DOM as HTML), and what it logs."""
    done = subprocess.run(
        [
            str(BROWSER),
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            f"--user-data-dir={profile}",
            "--enable-logging=stderr",
            "--window-size=1300,900",
            *options,
            "--dump-dom",
            path.as_uri(),
        ],
        capture_output=True,
        text=True,
        encoding="utf-8",
        errors="replace",
        check=True,
        timeout=120,
    )
    return done.stdout, done.stderr


def measure(page: str, folder: Path) -> tuple[list[dict[str, Any]], list[str]]:
    """One measurement for every width, and the lines of the console."""
    frames = "".join(
        f'<iframe style="width:{width}px;height:900px;border:0" srcdoc="{html.escape(page)}">'
        "</iframe>"
        for width in WIDTHS
    )
    path = folder / "harness.html"
    path.write_text(HARNESS.replace("FRAMES", frames), encoding="utf-8")
    dom, log = open_in_browser(path, folder / "profile")
    found = re.search(r'<pre id="measured">(.*?)</pre>', dom, flags=re.S)
    assert found is not None
    assert found[1], log
    console = [line for line in log.splitlines() if "CONSOLE" in line]
    return json.loads(html.unescape(found[1])), console


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
