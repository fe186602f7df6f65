"""Colours of pages can be read in light and in dark."""

import re

import pytest

from rnnkit.views.canvas import ON_PAPER
from rnnkit.views.html import style_sheet


def colours(*, dark: bool) -> dict[str, str]:
    """Variables of the style sheet with their values."""
    blocks = re.findall(r":root \{(.*?)\}", style_sheet(), flags=re.S)
    found: dict[str, str] = {}
    for block in blocks[: 2 if dark else 1]:
        found |= dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", block))
    return found


def luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    """Contrast ratio as WCAG 2 defines it."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_contrast_is_that_of_the_definition() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21.0)
    assert contrast("#767676", "#ffffff") == pytest.approx(4.54, abs=0.01)


@pytest.mark.parametrize("dark", [False, True])
def test_text_and_curves_stand_out(dark: bool) -> None:
    found = colours(dark=dark)
    assert len([name for name in found if name.startswith("series-")]) == 6
    for ground in ("page", "surface"):
        for name in ("ink", "muted", "accent"):
            assert contrast(found[name], found[ground]) >= 4.5, (name, ground)
    for i in range(1, 7):
        assert contrast(found[f"series-{i}"], found["surface"]) >= 3.0, i
    assert contrast(found["warn"], found["warn-surface"]) >= 4.5


def test_pictures_have_the_light_colours_of_pages() -> None:
    light = colours(dark=False)
    assert ON_PAPER.series == tuple(light[f"series-{i}"] for i in range(1, 7))
    assert (ON_PAPER.ink, ON_PAPER.muted, ON_PAPER.grid) == (
        light["ink"], light["muted"], light["grid"],
    )  # fmt: skip
