"""Generated text in colour: what is more surprising stands out more, for every eye."""

import re

import pytest

from rnnkit.cli import generated_texts
from rnnkit.cli.generated_texts import highlighted, legend
from rnnkit.inference.writing import Piece

PROBABILITIES = (0.9, 0.3, 0.15, 0.05, 0.02, 0.001)


def luminance(index: int) -> float:
    """Relative luminance (WCAG 2) of a colour of the 6 x 6 x 6 cube of 256 colours."""
    steps = [0, 95, 135, 175, 215, 255]
    cube = index - 16
    parts = (steps[cube // 36] / 255, steps[cube // 6 % 6] / 255, steps[cube % 6] / 255)
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def background(shown: str) -> int | None:
    found = re.search(r"\x1b\[48;5;(\d+)m", shown)
    return int(found[1]) if found else None


def test_six_shades_from_none_to_the_darkest_all_readable() -> None:
    shades = [background(highlighted(Piece(0, "a", p))) for p in PROBABILITIES]
    assert shades[0] is None
    light = [luminance(shade) for shade in shades[1:] if shade is not None]
    assert len(set(light)) == 5
    assert light == sorted(light, reverse=True)  # told apart without seeing hues
    assert min((shade + 0.05) / 0.05 for shade in light) > 4.5  # black letters, WCAG AA


@pytest.mark.parametrize("probability", [0.0, 1.0, 0.5, 0.2, 0.1, 0.03, 0.01, 1e-300])
def test_every_probability_has_a_shade(probability: float) -> None:
    assert "word" in highlighted(Piece(0, "word", probability))


def test_colours_end_before_the_line_does() -> None:
    shown = highlighted(Piece(0, "a\n\nb", 0.001))
    for line in shown.split("\n"):
        assert line.startswith("\x1b[")
        assert line.endswith("\x1b[0m")
    assert re.sub(r"\x1b\[[0-9;]*m", "", shown) == "a⏎\n⏎\nb"
    assert highlighted(Piece(0, "\n", 0.9)) == "\n"


def test_the_legend_names_the_bounds_in_their_colours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generated_texts, "has_colour", lambda: True)
    shown = legend()
    assert re.findall(r"48;5;(\d+)", shown) == [
        str(background(highlighted(Piece(0, "a", p)))) for p in PROBABILITIES[1:]
    ]
    assert re.findall(r"[≥<] \d+ %", shown) == [
        *("≥ 50 %", "≥ 20 %", "≥ 10 %", "≥ 3 %", "≥ 1 %", "< 1 %")
    ]
    monkeypatch.setattr(generated_texts, "has_colour", lambda: False)
    assert "\x1b" not in legend()
