"""Generation with networks whose predictions can be worked out by hand."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rnnkit.errors import DataError, RunError, UsageError
from rnnkit.inference.decoding import READ_AT_ONCE, LanguageModel, Prompt, decode
from rnnkit.inference.runtime import States
from rnnkit.inference.sampling import SamplingOptions
from rnnkit.inference.writing import Completion, Piece, split_at_stop
from rnnkit.tasks.language_model.generate import (
    GenerationOptions,
    complete,
    prepare_generation,
    read_prompt,
)
from rnnkit.text.cleaning import TextRules
from rnnkit.text.vocabulary import Vocabulary
from tests.support.toy_models import (
    BYTES,
    LETTERS,
    WITH_UNKNOWN,
    elman,
    script,
    session_of,
    successor,
)

GREEDY = SamplingOptions(temperature=0.0)


def completions(model: LanguageModel, prompt: str, **more: Any) -> list[Completion]:
    events = list(events_of(model, prompt, **more))
    found = [event for event in events if isinstance(event, Completion)]
    for completion in found:  # what was streamed is what was returned
        streamed = [
            e.text for e in events if isinstance(e, Piece) and e.sample == completion.sample
        ]
        assert "".join(streamed) == completion.text
        assert all(streamed)
    return sorted(found, key=lambda completion: completion.sample)


def events_of(
    model: LanguageModel, prompt: str, options: SamplingOptions = GREEDY, **more: Any
) -> Iterator[Piece | Completion]:
    chosen = {"length": 10, **more}
    return decode(model, read_prompt(model.vocabulary, prompt), options=[options], **chosen)


def told(event: Piece | Completion) -> tuple[int, str, int, bool]:
    """What a completion says, without its tokens."""
    assert isinstance(event, Completion)
    return event.sample, event.text, event.tokens, event.stopped


# ------------------------------------------------------------------------------------ stepping


def test_greedy_follows_the_model() -> None:
    (completion,) = completions(successor(), "ab", length=9)
    assert told(completion) == (0, "cdefgh\nab", 9, False)


@pytest.mark.parametrize("prompt", ["a", "abcabc", "h" * (READ_AT_ONCE + 3)])
def test_carried_state_equals_reading_everything_anew(prompt: str) -> None:
    model = elman()
    (completion,) = completions(model, prompt, length=30)
    text = prompt
    for _ in range(30):
        ids = np.array([model.vocabulary.encode(text)])
        logits, _ = model.step(ids, model.zero_states(1))
        text += model.vocabulary.decode([int(logits[0, -1].argmax())])
    assert prompt + completion.text == text


@pytest.mark.parametrize("prompt", ["a", "abc", "abcdefgh"])
def test_a_sliding_model_reads_its_last_tokens_from_a_zero_state(prompt: str) -> None:
    model = elman(context=3)
    (completion,) = completions(model, prompt, length=30)
    text = prompt
    for _ in range(30):
        ids = np.array([model.vocabulary.encode(text[-3:])])
        logits, _ = model.step(ids, model.zero_states(1))
        text += model.vocabulary.decode([int(logits[0, -1].argmax())])
    assert prompt + completion.text == text


def test_text_comes_as_soon_as_it_is_made() -> None:
    steps = 0
    inner = successor()

    def run_graph(ids: np.ndarray, states: States) -> Any:
        nonlocal steps
        steps += 1
        return inner.run_graph(ids, states)

    events = events_of(session_of(run_graph), "a", length=1000)
    assert next(events) == Piece(0, "b")
    assert steps == 1


def test_no_step_is_taken_for_nothing() -> None:
    steps = 0
    inner = successor()

    def run_graph(ids: np.ndarray, states: States) -> Any:
        nonlocal steps
        steps += 1
        return inner.run_graph(ids, states)

    completions(session_of(run_graph), "ab", length=4)
    assert steps == 4
    assert completions(session_of(run_graph), "ab", length=0) == [Completion(0, "", (), False)]
    assert steps == 4


def test_a_broken_model_is_an_error_of_the_run() -> None:
    def run_graph(ids: np.ndarray, states: States) -> Any:
        return np.full((*ids.shape, LETTERS.size), np.nan, np.float32), list(states)

    with pytest.raises(RunError, match="not finite"):
        completions(session_of(run_graph), "a")


# -------------------------------------------------------------------------------------- chance


def test_a_seed_repeats_the_text_and_another_one_does_not() -> None:
    model, options = elman(), SamplingOptions()
    first = completions(model, "a", options=options, seed=7, length=40)
    assert completions(model, "a", options=options, seed=7, length=40) == first
    assert completions(model, "a", options=options, seed=8, length=40) != first


@pytest.mark.parametrize("context", [None, 4])
def test_a_sample_does_not_depend_on_how_many_are_made(context: int | None) -> None:
    model, options = elman(context=context), SamplingOptions(repetition_penalty=1.3)
    more: dict[str, Any] = {"options": options, "seed": 3, "length": 40, "stop": "g"}
    many = completions(model, "ab", samples=8, **more)
    assert [completion.sample for completion in many] == list(range(8))
    assert len({completion.text for completion in many}) > 4
    assert len({completion.tokens for completion in many}) > 1  # some stopped before others
    for count in (1, 2, 5):
        assert completions(model, "ab", samples=count, **more) == many[:count]


def test_unknown_is_never_generated() -> None:
    model = successor(WITH_UNKNOWN)  # after "d" it is sure of <unk>
    for options in (GREEDY, SamplingOptions(), SamplingOptions(temperature=5.0)):
        (completion,) = completions(model, "d", length=60, options=options)
        assert len(completion.text) == 60
        assert set(completion.text) <= set("abcd")


def test_the_penalty_sees_the_prompt_and_what_was_made() -> None:
    def run_graph(ids: np.ndarray, states: States) -> Any:
        logits = np.linspace(1.0, 2.0, LETTERS.size, dtype=np.float32)
        return np.tile(logits, (*ids.shape, 1)), list(states)

    options = SamplingOptions(temperature=0.0, repetition_penalty=100.0)
    (completion,) = completions(session_of(run_graph), "hg", length=7, options=options)
    assert completion.text == "fedcba\n"


def test_the_penalty_forgets_after_64_tokens() -> None:
    vocabulary = Vocabulary(TextRules(), "characters", tuple(chr(0x4E00 + i) for i in range(80)))

    def run_graph(ids: np.ndarray, states: States) -> Any:
        logits = np.linspace(2.0, 1.0, vocabulary.size, dtype=np.float32)
        return np.tile(logits, (*ids.shape, 1)), list(states)

    options = SamplingOptions(temperature=0.0, repetition_penalty=100.0)
    (completion,) = completions(
        session_of(run_graph, vocabulary=vocabulary),
        vocabulary.tokens[0],
        length=66,
        options=options,
    )
    # 64 tokens are known at a time, so the 65th after the prompt may be the prompt's again.
    assert completion.text == "".join(vocabulary.tokens[1:65] + vocabulary.tokens[0:2])


# --------------------------------------------------------------------------------------- prompt


def test_the_prompt_gets_the_text_rules() -> None:
    vocabulary = Vocabulary(TextRules(lowercase=True), "characters", tuple("\nabc"))
    assert read_prompt(vocabulary, "AB\r\nC") == Prompt("ab\nc", (1, 2, 0, 3))


def test_unseen_characters_are_named_with_the_choices() -> None:
    with pytest.raises(DataError) as caught:
        read_prompt(LETTERS, "aXbé")
    message = str(caught.value)
    assert "'X' (U+0058)" in message
    assert "'é' (U+00E9)" in message
    assert "--unseen skip" in message
    assert "--unseen unk" not in message  # there is no <unk> to read them as
    with pytest.raises(DataError, match="--unseen unk"):
        read_prompt(WITH_UNKNOWN, "aX")


def test_unseen_characters_can_be_left_out_or_read_as_unknown() -> None:
    assert read_prompt(LETTERS, "aXb", unseen="skip") == Prompt("ab", (1, 2))
    assert read_prompt(WITH_UNKNOWN, "aXb", unseen="unk") == Prompt("aXb", (1, 0, 2))
    with pytest.raises(DataError, match="has no <unk>"):
        read_prompt(LETTERS, "aXb", unseen="unk")


def test_the_choice_does_not_matter_when_all_is_known() -> None:
    for unseen in ("error", "skip", "unk"):
        assert read_prompt(LETTERS, "abc", unseen=unseen) == Prompt("abc", (1, 2, 3))


@pytest.mark.parametrize(
    ("tokens", "has_unknown", "first"),
    [("\n ab", False, 0), (" ab", False, 0), ("!a", False, 0), ("ab", True, 1), ("\nab", True, 1)],
)
def test_an_empty_prompt_starts_from_a_newline_a_space_or_the_lowest_token(
    tokens: str, has_unknown: bool, first: int
) -> None:
    vocabulary = Vocabulary(TextRules(), "characters", tuple(tokens), has_unknown)
    assert read_prompt(vocabulary, "") == Prompt("", (first,))
    assert read_prompt(vocabulary, "X", unseen="skip") == Prompt("", (first,))


def test_an_empty_prompt_of_bytes_starts_from_a_newline() -> None:
    assert read_prompt(BYTES, "") == Prompt("", (10,))
    assert completions(successor(BYTES), "", length=2)[0].text == "\v\f"


# --------------------------------------------------------------------------------- bytes, stop


def test_bytes_are_streamed_as_whole_characters() -> None:
    text = "né€🎵!"
    events = list(events_of(script(text), "x", length=11))
    assert [event.text for event in events if isinstance(event, Piece)] == list(text)
    assert told(events[-1]) == (0, text, 11, False)


def test_bytes_at_the_end_that_make_no_character_are_dropped() -> None:
    (completion,) = completions(script("né"), "x", length=2)
    assert told(completion) == (0, "n", 2, False)


def test_generation_ends_before_the_stop_text() -> None:
    (completion,) = completions(successor(), "a", length=50, stop="fgh")
    assert told(completion) == (0, "bcde", 7, True)


def test_the_beginning_of_a_stop_text_is_held_back_until_it_is_refuted() -> None:
    steps = 0
    inner = script("no, nor ")

    def run_graph(ids: np.ndarray, states: States) -> Any:
        nonlocal steps
        steps += 1
        return inner.run_graph(ids, states)

    model = session_of(run_graph, vocabulary=BYTES)
    shown = []
    for event in events_of(model, "x", length=8, stop="nor"):
        if isinstance(event, Piece):
            shown.append((steps, event.text))
        else:
            assert told(event) == (0, "no, ", 7, True)
    assert shown == [(3, "n"), (3, "o"), (3, ","), (4, " ")]


def test_a_held_back_beginning_is_given_out_at_the_end() -> None:
    (completion,) = completions(script("so be"), "x", length=5, stop="bed")
    assert told(completion) == (0, "so be", 5, False)


def test_a_stop_text_in_the_prompt_does_not_count() -> None:
    (completion,) = completions(successor(), "abc", length=3, stop="cd")
    assert completion.text == "def"


def test_the_stop_text_gets_the_text_rules() -> None:
    vocabulary = Vocabulary(TextRules(lowercase=True), "characters", tuple("abcdefgh"))
    options = GenerationOptions(temperatures=(0.0,), stop="EF")
    ((completion,), _) = complete(prepare_generation(successor(vocabulary), "a", options))
    assert completion.text == "bcd"


def test_an_empty_stop_text_is_refused() -> None:
    with pytest.raises(UsageError, match="--stop"):
        prepare_generation(successor(), "a", GenerationOptions(stop=""))


@given(st.text("ab", max_size=30), st.text("ab", min_size=1, max_size=4), st.data())
def test_stopping_does_not_depend_on_how_the_text_arrives(
    text: str, stop: str, data: st.DataObject
) -> None:
    shown, waiting, found = "", "", False
    rest = text
    while rest and not found:
        size = data.draw(st.integers(1, len(rest)))
        ready, waiting, found = split_at_stop(waiting + rest[:size], stop)
        shown, rest = shown + ready, rest[size:]
        assert not waiting or stop.startswith(waiting)
    assert found == (stop in text)
    assert shown + waiting == (text.split(stop)[0] if found else text)
