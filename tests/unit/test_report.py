"""The parts that a report is made of: markup, colours, figures, loss by position."""

import html
import itertools
import math
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rnnkit.errors import DataError, RunError
from rnnkit.inference.decoding import LanguageModel
from rnnkit.inference.runtime import GenerationDefaults, States
from rnnkit.tasks.language_model.scoring import loss_by_position, position_groups, score_text
from rnnkit.text.cleaning import TextRules
from rnnkit.text.vocabulary import Vocabulary
from rnnkit.views.figures import Curve, Marker, course, thinned
from rnnkit.views.markup import Html, escape, table, tag, visible
from rnnkit.views.style import STYLE_SHEET
from rnnkit.views.words import duration, number

# ------------------------------------------------------------------------------------- markup


class Texts(HTMLParser):
    def __init__(self, markup: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.attributes: list[dict[str, str | None]] = []
        self.text = ""
        self.feed(markup)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes.append(dict(attrs))

    def handle_data(self, data: str) -> None:
        self.text += data


@given(st.text(st.characters(codec=None)))
def test_any_text_comes_through_as_text(text: str) -> None:
    found = Texts(tag("p", text, title=text))
    assert found.tags == ["p"]
    assert found.text == visible(text)
    assert found.attributes == [{"title": visible(text)}]
    found.text.encode()  # and can be written in UTF-8


def test_markup_is_not_escaped_twice() -> None:
    assert tag("p", tag("b", "a<b"), " & c", None) == "<p><b>a&lt;b</b> &amp; c</p>"
    assert isinstance(escape("a"), Html)


def test_control_characters_become_visible() -> None:
    assert visible("a\x00\x1b\x7f\x85\ud800\ufffe") == "a␀␛␡���"
    assert visible("line\n\ttab é 中 🎉") == "line\n\ttab é 中 🎉"


def test_a_table_has_headers_and_a_caption() -> None:
    markup = table(("class", "n"), [("<x>", "1")], caption="the caption")
    assert '<th scope="row">&lt;x&gt;</th><td class="number">1</td>' in markup
    assert "<caption>the caption</caption>" in markup
    assert 'aria-label="the caption"' in markup
    assert "<thead>" not in table(("", ""), [("a", "b")], caption="x")


# ------------------------------------------------------------------------------------ colours


def colours(*, dark: bool) -> dict[str, str]:
    """Variables of the style sheet with their values."""
    blocks = re.findall(r":root \{(.*?)\}", STYLE_SHEET, flags=re.S)
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


# ------------------------------------------------------------------------------------ figures


def test_a_figure_shows_its_labels_as_text() -> None:
    label = "$\\frac{1}$ <b> & \x00 中文"
    markup = course(
        [Curve(label, [1, 2], [3.0, 2.0]), Curve("b", [1, 2], [3.0, 1.0])],
        name="loss",
        description='says "this" & <that>',
        y_label="loss",
        best=Marker("best", 2, 1.0),
    )
    found = Texts(markup)
    assert visible(label) in found.text
    assert found.tags[0] == "svg"
    assert found.attributes[0]["aria-label"] == 'says "this" & <that>'
    assert "http" not in markup
    assert "b" not in found.tags


def test_a_figure_has_the_same_bytes_every_time() -> None:
    def make(name: str) -> str:
        return course([Curve("a", [1, 2], [3, 2])], name=name, description="d", y_label="y")

    assert make("one") == make("one")
    names = [set(re.findall(r' id="([^"]*)"', make(name))) for name in ("one", "two")]
    assert names[0]
    assert not names[0] & names[1]


def test_thinning_keeps_the_ends() -> None:
    values = np.arange(1001)
    kept = thinned(values, 10)
    assert (len(kept), kept[0], kept[-1]) == (10, 0, 1000)
    assert np.all(np.diff(kept) > 0)
    assert thinned(values[:5], 10) is not None
    assert len(thinned(values[:5], 10)) == 5


def test_numbers_in_words() -> None:
    assert [duration(s) for s in (None, 4.24, 59.6, 200, 7500)] == [
        "-", "4.2 s", "1 min 0 s", "3 min 20 s", "2 h 5 min",
    ]  # fmt: skip
    assert [number(None), number(12345), number(1.58911, 4)] == ["-", "12,345", "1.5891"]


# --------------------------------------------------------------------------- loss by position

SIZE = 5


def make_session(*, context: int | None = None, broken: bool = False) -> LanguageModel:
    """A model that is surer of a fixed successor the more it has read: its state counts tokens."""

    def run_graph(ids: np.ndarray, states: States) -> tuple[np.ndarray, list[np.ndarray]]:
        read = states[0] + np.arange(1, ids.shape[1] + 1)
        logits = np.zeros((*ids.shape, SIZE), dtype=np.float32)
        rows, places = np.indices(ids.shape)
        logits[rows, places, (ids + 1) % SIZE] = np.log(read)
        if broken:
            logits[:] = np.nan
        return logits, [states[0] + ids.shape[1]]

    return LanguageModel(
        vocabulary=Vocabulary(TextRules(), "characters", tuple("abcde")),
        context=context,
        generation=GenerationDefaults(),
        state_sizes=(1,),
        run_graph=run_graph,
    )


CYCLE = (np.arange(5000) % SIZE).astype(np.uint8)


def test_losses_are_those_of_every_position() -> None:
    found = loss_by_position(make_session(), CYCLE, length=200)
    read = np.arange(1, 201)
    np.testing.assert_allclose(found.mean, np.log((read + SIZE - 1) / read), rtol=1e-5)
    assert found.windows == 24
    for band in found.bands:
        part = found.mean[band.first - 1 : band.last]
        assert band.mean == pytest.approx(part.mean())
        assert (band.low, band.high) == pytest.approx((band.mean, band.mean))


def test_the_mean_is_what_evaluate_says_of_windows() -> None:
    rng = np.random.default_rng(0)
    ids = rng.integers(0, SIZE, 40 * 64 + 1).astype(np.uint8)
    found = loss_by_position(make_session(), ids, length=64)
    expected = score_text(make_session(), ids, context_windows=[64]).metrics["window_64_loss"].value
    assert found.mean.mean() == pytest.approx(expected)
    # After one token this model always loses the same, so that the first interval is a point.
    assert all(band.low < band.mean < band.high for band in found.bands[1:])


def test_a_long_text_is_read_in_places_all_over_it() -> None:
    late = np.concatenate([np.zeros(5000, np.uint8), CYCLE])  # only the second half is a cycle
    found = loss_by_position(make_session(), late, length=100, most_windows=10)
    assert found.windows == 10
    surest = math.log((100 + SIZE - 1) / 100)
    assert surest < found.mean[-1] < math.log(100 + SIZE - 1)


@pytest.mark.parametrize(("context", "tokens", "positions"), [(7, 500, 7), (None, 20, 19)])
def test_windows_are_no_longer_than_model_or_text(
    context: int | None, tokens: int, positions: int
) -> None:
    found = loss_by_position(make_session(context=context), CYCLE[:tokens])
    assert len(found.mean) == positions


def test_too_little_text_and_broken_models_are_refused() -> None:
    with pytest.raises(DataError, match="1 tokens"):
        loss_by_position(make_session(), CYCLE[:1])
    with pytest.raises(RunError, match="not finite"):
        loss_by_position(make_session(broken=True), CYCLE)


@given(st.integers(1, 3000))
def test_groups_of_positions_follow_each_other(length: int) -> None:
    groups = position_groups(length)
    assert groups[0][0] == 1
    assert groups[-1][1] == length
    assert all(a[1] + 1 == b[0] for a, b in itertools.pairwise(groups))
    assert all(first <= last for first, last in groups)
    assert len(groups) <= 2 * math.log2(length) + 2


def test_html_entities_of_python_and_ours_agree() -> None:
    assert html.unescape(escape('<a href="x">\'&amp;')) == '<a href="x">\'&amp;'
