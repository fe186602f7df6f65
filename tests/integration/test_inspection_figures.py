"""The pages and pictures of summary, forward and gradients, as a browser reads them."""

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from browser import BROWSER, WIDTHS, measure
from made_up_reports import HOSTILE, LONG
from read_page import Page, check_that_nothing_is_loaded

from rnnkit.inspection.forward import (
    Forward,
    classifier_forward,
    language_forward,
    show_forward,
)
from rnnkit.inspection.gradient_study import GradientStudy
from rnnkit.inspection.gradients import show_gradients
from rnnkit.inspection.profiles import Clipping, Profile, StateProfile
from rnnkit.inspection.subject import ClassifierSubject, LanguageSubject
from rnnkit.inspection.summary import show_summary, summarize
from rnnkit.network.initializers import untrained
from rnnkit.tasks.language_model.config import LanguageModelConfig
from rnnkit.tasks.language_model.network import language_network
from rnnkit.tasks.text_classification.config import (
    ClassifierConfig,
    LearnedEmbedding,
    PretrainedEmbedding,
)
from rnnkit.tasks.text_classification.network import classifier_network
from rnnkit.views.canvas import VARIABLES
from rnnkit.views.figures import draw_png
from rnnkit.views.formats import memory, visible
from rnnkit.views.html import render
from rnnkit.views.view import PNG_MARK, View, page_mark

TOKENS = [HOSTILE, LONG, "⏎", "␣", "$x_1$", "a<b"]


class Tokens:
    """A vocabulary, or an encoder, whose tokens a page must not take for markup."""

    size = len(TOKENS)

    def encode(self, text: str) -> list[int]:
        return [int(digit) for digit in text]

    def tokenize(self, text: str) -> list[str]:
        return [TOKENS[index] for index in self.encode(text)]

    def label(self, index: int) -> str:
        return TOKENS[index]

    token_of = label

    @property
    def vocabulary(self) -> "Tokens":
        return self


VOCABULARY: Any = Tokens()
LANGUAGE = LanguageModelConfig.model_validate(
    {"cell": "lstm", "units": (5, 3), "normalization": "layer"}
)
CLASSIFIER = ClassifierConfig(
    units=4, bidirectional=True, pooling=("attention", "last"), embedding=LearnedEmbedding(size=3)
)


def language(text: str = "012345", *, steps: int = 3, units: int = 4) -> Forward:
    network = untrained(language_network(LANGUAGE, vocabulary_size=6), seed=0)
    config: Any = None
    subject = LanguageSubject("n", None, config, network, VOCABULARY, None, "")
    return language_forward(subject, text, units=units, steps=steps)


def classified(text: str = "0123") -> Forward:
    network = untrained(classifier_network(CLASSIFIER, vocabulary_size=6, classes=2), seed=0)
    config: Any = None
    subject = ClassifierSubject("n", None, config, network, VOCABULARY, (HOSTILE, LONG), 1.5, "")
    return classifier_forward(subject, text, units=4, steps=2)


def summary() -> View:
    embedding = PretrainedEmbedding(kind="pretrained", path="v.txt")
    model = CLASSIFIER.model_copy(update={"embedding": embedding})
    found = summarize(classifier_network(model, vocabulary_size=6, classes=2, vector_size=3))
    return show_summary(found, name=f"runs/{LONG}", origin=HOSTILE)


def picture_of(view: View) -> bytes:
    assert view.picture is not None
    return draw_png(view.picture)


def curve(layer: str, factor: float, *, kind: Any = "hidden") -> StateProfile:
    return StateProfile(layer, kind, 2.0 * factor ** np.arange(41.0))


def gradients(*, profiles: int = 3, clipped: bool = True) -> GradientStudy:
    states = (curve("recurrent_0", 0.7), curve("recurrent_0", 0.95, kind="cell"))
    found = [
        Profile(f"runs/{HOSTILE}", "lstm", "trained", 64, 41, states),
        Profile("runs/grows", "gru", LONG, 64, 41, (curve("recurrent_0", 1.4),)),
        Profile("runs/range", "simple_rnn", "x", 1, 0, (curve("recurrent_0", 1e7),)),
    ]
    infinite = np.where(np.arange(41) > 9, np.inf, found[2].states[0].norms)
    found[2] = replace(found[2], states=(replace(found[2].states[0], norms=infinite),))
    clipping = Clipping({"a/b": 3.0, "c/d": 4.0}, {"a/b": 0.6, "c/d": 0.8}, 1.0, None, 64, 41)
    return GradientStudy(
        tuple(found[:profiles]), clipping if clipped else None, HOSTILE, (f"note {HOSTILE}",)
    )


def shown(found: Forward) -> View:
    return show_forward(
        found, name=f"runs/{HOSTILE}", origin=LONG, text=f"{HOSTILE}{LONG}", digits=3
    )


def page_of(found: Forward) -> str:
    return render(shown(found))


PAGES: dict[str, Callable[[], str]] = {
    "summary": lambda: render(summary()),
    "forward": lambda: page_of(language()),
    "one token": lambda: page_of(language("3", steps=0)),
    "classes": lambda: page_of(classified()),
    "gradients": lambda: render(show_gradients(gradients())),
    "one profile": lambda: render(show_gradients(gradients(profiles=1, clipped=False))),
}


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_whole_and_loads_nothing(name: str) -> None:
    text = PAGES[name]()
    assert text == PAGES[name]()
    assert text.startswith(page_mark("inspect"))
    page = Page(text)
    check_that_nothing_is_loaded(page)
    names = page.attributes("id")
    assert len(names) == len(set(names))
    assert page.tags()["table"] == page.tags()["caption"]
    assert page.tags()["svg"] == 1
    assert not [stand_in for stand_in in VARIABLES if stand_in in text]
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f]", text)
    (label,) = [given["aria-label"] for tag, given in page.elements if tag == "svg"]
    assert label


@pytest.mark.parametrize("name", ["forward", "classes", "gradients"])
def test_hostile_names_are_shown_as_they_are(name: str) -> None:
    shown = "".join(Page(PAGES[name]()).texts)
    assert visible(HOSTILE) in shown


@pytest.mark.skipif(BROWSER is None, reason="no `chromium` on PATH")
@pytest.mark.parametrize("name", PAGES)
def test_a_page_fits_every_width(name: str, tmp_path: Path) -> None:
    measured, console = measure(PAGES[name](), tmp_path)
    assert console == []
    assert [found["width"] for found in measured] == list(WIDTHS)
    for found in measured:
        assert found["content"] <= found["width"], found["width"]
        assert found["loaded"] == []
        assert found["title"] != "taken"
        assert found["outside"] == []
        ((width, height, paths),) = found["drawings"]
        assert 200 <= width <= found["width"]
        assert 0.4 <= height / width <= 1.05
        assert paths > 3


def test_numbers_of_the_page_are_those_of_the_view() -> None:
    texts = Page(PAGES["gradients"]()).texts
    assert {"0.700", "0.950", "1.400"} <= set(texts)
    assert any("it vanishes" in text for text in texts)
    assert any("With clip_norm 1 it is 1: times 0.2." in text for text in texts)
    found = language()
    step = found.steps[0].prediction
    assert step is not None
    assert f"{step.predicted_probability:.3f}" in Page(PAGES["forward"]()).texts


@pytest.mark.parametrize(
    "draw",
    [
        lambda: picture_of(summary()),
        lambda: picture_of(shown(language("0" * 200))),
        lambda: picture_of(shown(classified())),
        lambda: picture_of(show_gradients(gradients())),
    ],
)
def test_pictures_are_ours(draw: Callable[[], bytes]) -> None:
    data = draw()
    assert data.startswith(b"\x89PNG")
    assert PNG_MARK in data[:512]
    assert data == draw()


@pytest.mark.parametrize(
    ("size", "words"), [(0, "0 B"), (960, "960 B"), (1536, "1.5 KiB"), (2**36, "64.0 GiB")]
)
def test_memory_is_written_for_people(size: int, words: str) -> None:
    assert memory(size) == words
