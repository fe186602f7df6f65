"""Beam search against greedy decoding, against trying everything, and against itself."""

import itertools
import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rnnkit.errors import RunError
from rnnkit.inference.beam import Found, search, write_found
from rnnkit.inference.decoding import LanguageModel, decode
from rnnkit.inference.sampling import SamplingOptions
from rnnkit.inference.writing import Completion, Piece
from rnnkit.tasks.language_model.generate import read_prompt
from tests.support.toy_models import (
    BYTES,
    LETTERS,
    WITH_UNKNOWN,
    WORDS,
    elman,
    script,
    session_of,
    successor,
)

networks = st.builds(
    elman,
    st.sampled_from([LETTERS, WITH_UNKNOWN, WORDS]),
    st.sampled_from([None, 1, 3]),
    seed=st.integers(0, 1000),
    scale=st.sampled_from([0.1, 1.0, 3.0]),
)
prompts = st.text("abcd", max_size=6)


def found(model: LanguageModel, prompt: str, **more: Any) -> Found:
    vocabulary = model.vocabulary
    return search(model, read_prompt(vocabulary, prompt, unseen="skip"), **more)


def texts(
    model: LanguageModel, result: Found, prompt: str, **more: Any
) -> list[Piece | Completion]:
    read = read_prompt(model.vocabulary, prompt, unseen="skip")
    return list(write_found(model, read, result, **more))


def log_probability(model: LanguageModel, prompt: str, ids: tuple[int, ...]) -> float:
    """The sum for `ids`, reading the whole text anew for every token."""
    read = list(read_prompt(model.vocabulary, prompt, unseen="skip").ids)
    total = 0.0
    for token in ids:
        seen = np.array([read[-(model.context or len(read)) :]])
        scores = model.step(seen, model.zero_states(1))[0][0, -1].astype(np.float64)
        if model.vocabulary.unknown_id is not None:
            scores[model.vocabulary.unknown_id] = -np.inf
        total += scores[token] - scores.max() - np.log(np.exp(scores - scores.max()).sum())
        read.append(token)
    return total


@given(networks, prompts, st.integers(0, 12), st.sampled_from([None, "b", "da", "\n", "the", " a"]))
@settings(max_examples=60)
def test_a_beam_of_one_is_greedy_decoding(
    model: LanguageModel, prompt: str, length: int, stop: str | None
) -> None:
    for penalty in (1.0, 1.5):
        result = found(model, prompt, length=length, beams=1, stop=stop, repetition_penalty=penalty)
        *_, greedy = decode(
            model,
            read_prompt(model.vocabulary, prompt, unseen="skip"),
            length=length,
            options=[SamplingOptions(temperature=0.0, repetition_penalty=penalty)],
            stop=stop,
        )
        *_, written = texts(model, result, prompt, stop=stop)
        assert isinstance(written, Completion)
        assert (written.log_probability, written.score) == (result.log_probability, result.score)
        assert replace(written, log_probability=None, score=None) == greedy
        assert result.stopped == written.stopped


@given(networks, prompts, st.integers(1, 10))
@settings(max_examples=40)
def test_the_score_is_the_log_probability_of_the_text(
    model: LanguageModel, prompt: str, length: int
) -> None:
    result = found(model, prompt, length=length, beams=3)
    assert len(result.ids) == length
    assert result.score == result.log_probability
    assert result.log_probability == pytest.approx(
        log_probability(model, prompt, result.ids), abs=1e-5
    )


@given(networks, prompts, st.integers(1, 15), st.integers(2, 6))
@settings(max_examples=60)
def test_a_wider_beam_never_ends_with_a_less_probable_text(
    model: LanguageModel, prompt: str, length: int, widest: int
) -> None:
    scores = [
        found(model, prompt, length=length, beams=width).log_probability
        for width in range(1, widest + 1)
    ]
    assert scores == sorted(scores)


@given(
    networks,
    prompts,
    st.sampled_from(["a", "cd", "\n", "the", ", a"]),
    st.sampled_from([0.0, 0.6, 1.0, 2.0]),
)
@settings(max_examples=60)
def test_nor_with_a_lower_score_when_texts_end_early(
    model: LanguageModel, prompt: str, stop: str, penalty: float
) -> None:
    options = {"length": 12, "stop": stop, "length_penalty": penalty}
    results = [found(model, prompt, beams=width, **options) for width in range(1, 6)]
    scores = [result.score for result in results]
    assert scores == sorted(scores)
    for result in results:
        lengths = ((5 + len(result.ids)) / 6) ** penalty
        assert result.score == pytest.approx(result.log_probability / lengths)
        *_, written = texts(model, result, prompt, stop=stop)
        assert isinstance(written, Completion)
        assert written.stopped == result.stopped
        assert written.ids == result.ids  # it did not stop before its end
        assert stop not in written.text
        assert result.stopped or len(result.ids) == 12


def test_plain_beam_search_would_fall() -> None:
    """Where the beams of single widths get worse, ours do not: the property is not for free."""
    fell = 0
    for seed in range(60):
        model = elman(seed=seed)
        plain = [plain_beam(model, "ab", length=12, width=width) for width in (1, 2, 3, 4)]
        ours = [found(model, "ab", length=12, beams=width).score for width in (1, 2, 3, 4)]
        fell += plain != sorted(plain)
        best_so_far = list(itertools.accumulate(plain, max))
        assert ours == pytest.approx(best_so_far, abs=1e-9)
    assert fell > 0


def plain_beam(model: LanguageModel, prompt: str, *, length: int, width: int) -> float:
    """The best sum of textbook beam search, everything read anew at every step."""
    start = model.vocabulary.encode(prompt)
    beam: list[tuple[float, list[int]]] = [(0.0, [])]
    for _ in range(length):
        grown = []
        for total, ids in beam:
            logits, _ = model.step(np.array([start + ids]), model.zero_states(1))
            scores = logits[0, -1].astype(np.float64)
            scores -= scores.max() + np.log(np.exp(scores - scores.max()).sum())
            grown += [(total + scores[token], [*ids, token]) for token in range(len(scores))]
        beam = sorted(grown, key=lambda one: -one[0])[:width]
    return beam[0][0]


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("stop", [None, "a", "bc"])
@pytest.mark.parametrize("penalty", [0.0, 1.0])
def test_a_beam_that_holds_everything_finds_the_best_text(
    seed: int, stop: str | None, penalty: float
) -> None:
    model = elman(WITH_UNKNOWN, seed=seed)
    result = found(
        model, "ab", length=4, beams=64, stop=stop, length_penalty=penalty if stop else 0.0
    )
    best = -math.inf
    for ids in itertools.product(range(1, 5), repeat=4):
        for length in range(1, 5):
            text = model.vocabulary.decode(ids[:length])
            ends = stop is not None and stop in text and stop not in text[:-1]
            if ends or (length == 4 and (stop is None or stop not in text)):
                total = log_probability(model, "ab", ids[:length])
                best = max(best, total / ((5 + length) / 6) ** (penalty if stop else 0.0))
    assert result.score == pytest.approx(best, abs=1e-5)


def test_a_longer_text_wins_when_length_is_rewarded() -> None:
    def run_graph(ids: np.ndarray, states: Any) -> Any:
        # "b" ends a text; before it "a" is nearly as probable, and certain to go on.
        logits = np.full((*ids.shape, LETTERS.size), -50.0, np.float32)
        logits[..., 1], logits[..., 2] = 0.0, 0.1
        logits[ids == 1, 2] = -1.0
        return logits, [*states]

    model = session_of(run_graph)
    short = found(model, "c", length=8, beams=4, stop="b")
    long = found(model, "c", length=8, beams=4, stop="b", length_penalty=2.0)
    assert (len(short.ids), short.stopped) == (1, True)
    assert len(long.ids) == 8
    assert long.log_probability < short.log_probability


def test_unknown_is_never_found() -> None:
    result = found(successor(WITH_UNKNOWN), "d", length=10, beams=3)
    assert 0 not in result.ids


def test_it_repeats_itself_exactly() -> None:
    for _ in range(2):
        assert found(elman(seed=1), "abc", length=30, beams=5) == found(
            elman(seed=1), "abc", length=30, beams=5
        )


def test_more_slots_than_tokens() -> None:
    assert len(found(elman(WITH_UNKNOWN), "a", length=1, beams=40).ids) == 1
    assert found(elman(), "a", length=0, beams=3) == Found((), 0.0, 0.0, stopped=False)


def test_a_stop_text_over_several_bytes_and_tokens_without_text() -> None:
    result = found(script("né€🎵!"), "x", length=11, beams=2, stop="€🎵")
    assert result.stopped
    *_, written = texts(script(""), result, "x", stop="€🎵")
    assert isinstance(written, Completion)
    assert (written.text, written.ids, written.stopped) == ("né", result.ids, True)
    # <join> has no text of its own, however often it comes.
    join, the, king = (WORDS.id_of(word) for word in ("<join>", "the", "king"))

    def run_graph(ids: np.ndarray, states: Any) -> Any:
        state = states[0].copy()
        order = [the, *[join] * 20, king]
        logits = np.zeros((*ids.shape, WORDS.size), np.float32)
        logits[:, -1, order[int(state[0, 0]) % 22]] = 50.0
        state[:, 0] += 1
        return logits, [state]

    model = session_of(run_graph, vocabulary=WORDS)
    result = found(model, "a", length=30, beams=2, stop="theking")
    assert result.stopped
    assert len(result.ids) == 22


def test_probabilities_are_those_of_the_model() -> None:
    model = elman(seed=3)
    result = found(model, "ab", length=6, beams=3, repetition_penalty=1.4)
    *pieces, _ = texts(model, result, "ab", with_probabilities=True)
    logs = [math.log(p.probability or 0) for p in pieces if isinstance(p, Piece)]
    assert sum(logs) == pytest.approx(log_probability(model, "ab", result.ids), abs=1e-5)


def test_bad_models() -> None:
    def broken(ids: np.ndarray, states: Any) -> Any:
        return np.full((*ids.shape, BYTES.size), np.nan, np.float32), [*states]

    with pytest.raises(RunError, match="not finite"):
        found(session_of(broken, vocabulary=BYTES), "a", length=3, beams=2)
