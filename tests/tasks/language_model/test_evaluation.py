"""Scores against sums written out in plain Python, and the intervals around them."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rnnkit.errors import DataError, RunError
from rnnkit.inference.decoding import LanguageModel
from rnnkit.inference.intervals import (
    LEAST_BLOCKS,
    MOST_BLOCKS,
    Estimate,
    Totals,
    estimate,
)
from rnnkit.inference.runtime import GenerationDefaults, States
from rnnkit.tasks.language_model.evaluation import text_of_files
from rnnkit.tasks.language_model.scoring import STREAM_BLOCK, STREAM_CHUNK, TextScores, score_text
from rnnkit.text.cleaning import TextRules
from rnnkit.text.vocabulary import Vocabulary

LETTERS = Vocabulary(TextRules(), "characters", tuple("abcdef"))
BYTES = Vocabulary(TextRules(), "bytes")
RNG = np.random.default_rng(0)


def elman(vocabulary: Vocabulary = LETTERS, context: int | None = None) -> LanguageModel:
    """A small recurrent network in NumPy: its scores depend on all that it has read."""
    rng = np.random.default_rng(1)
    size = vocabulary.size
    inputs = rng.normal(size=(size, 4)).astype(np.float32)
    recurrent = rng.normal(size=(4, 4)).astype(np.float32)
    outputs = rng.normal(size=(4, size)).astype(np.float32)

    def run_graph(ids: np.ndarray, states: States) -> tuple[np.ndarray, list[np.ndarray]]:
        assert ids.dtype == np.int64
        assert ids.size <= 10_000  # memory must not grow with the text
        h = states[0]
        logits = []
        for step in ids.T:
            h = np.tanh(inputs[step] + h @ recurrent)
            logits.append(h @ outputs)
        return np.stack(logits, axis=1), [h]

    return LanguageModel(
        vocabulary=vocabulary,
        context=context,
        generation=GenerationDefaults(),
        state_sizes=(4,),
        run_graph=run_graph,
    )


def random_ids(tokens: int, vocabulary: Vocabulary = LETTERS) -> np.ndarray:
    return np.random.default_rng(2).integers(0, vocabulary.size, tokens).astype(np.uint8)


def reference(
    session: LanguageModel, pieces: list[tuple[np.ndarray, np.ndarray]]
) -> dict[str, float]:
    """Loss and accuracy when each piece (inputs, targets at its end) starts from zero."""
    losses, hits = [], []
    for inputs, targets in pieces:
        logits, _ = session.step(inputs[np.newaxis].astype(np.int64), session.zero_states(1))
        for row, target in zip(logits[0, -len(targets) :].astype(float), targets, strict=True):
            losses.append(math.log(sum(math.exp(value) for value in row)) - row[target])
            hits.append(int(row.argmax()) == target)
    loss = sum(losses) / len(losses)
    return {
        "loss": loss,
        "bits_per_character": loss / math.log(2),
        "perplexity": math.exp(loss),
        "accuracy": sum(hits) / len(hits),
    }


def windows_of(ids: np.ndarray, length: int) -> list[tuple[np.ndarray, np.ndarray]]:
    starts = range(0, len(ids) - 1, length)
    return [
        (ids[s : min(s + length, len(ids) - 1)], ids[s + 1 : min(s + length, len(ids) - 1) + 1])
        for s in starts
    ]


def values(evaluation: TextScores) -> dict[str, float]:
    return {name: score.value for name, score in evaluation.metrics.items()}


# -------------------------------------------------------------------------------------- scores


@pytest.mark.parametrize("tokens", [2, 3, 65, 256, 257, STREAM_CHUNK + 1, 2 * STREAM_CHUNK + 77])
def test_stream_and_windows_equal_the_reference(tokens: int) -> None:
    session, ids = elman(), random_ids(tokens)
    found = score_text(session, ids, context_windows=(8, 64), resamples=20)
    expected = reference(session, windows_of(ids, tokens))
    for length in (8, 64):
        scores = reference(session, windows_of(ids, length))
        expected |= {f"window_{length}_{name}": value for name, value in scores.items()}
    assert list(found.metrics) == list(expected)
    assert values(found) == pytest.approx(expected, rel=1e-6)
    assert found.tokens == tokens - 1


def test_a_window_longer_than_a_chunk_carries_its_state() -> None:
    length = STREAM_CHUNK + 500
    session, ids = elman(), random_ids(2 * length + 30)
    found = score_text(session, ids, context_windows=(length,), resamples=20)
    expected = reference(session, windows_of(ids, length))
    assert found.metrics[f"window_{length}_loss"].value == pytest.approx(expected["loss"], rel=1e-6)


@pytest.mark.parametrize("stride", [1, 3])
@pytest.mark.parametrize("tokens", [6, 7, 8, 700])
def test_a_sliding_model_is_scored_on_its_own_windows(tokens: int, stride: int) -> None:
    session, ids = elman(context=5), random_ids(tokens)
    found = score_text(session, ids, context_windows=(64,), stride=stride, resamples=20)
    pieces = [
        (ids[start : start + 5], ids[start + 5 : start + 6])
        for start in range(0, tokens - 5, stride)
    ]
    assert values(found) == pytest.approx(reference(session, pieces), rel=1e-6)
    assert found.tokens == len(pieces)


def test_bits_per_character_of_a_model_of_bytes_divide_by_characters() -> None:
    session = elman(BYTES)
    text = "Grüße aus Köln, 東京 🎵! " * 20
    ids = np.frombuffer(text.encode(), np.uint8)
    found = values(score_text(session, ids, context_windows=(), resamples=20))
    # The first character is where the stream starts and is not predicted.
    expected = found["loss"] * (len(ids) - 1) / (len(text) - 1) / math.log(2)
    assert found["bits_per_character"] == pytest.approx(expected)
    assert found["perplexity"] == pytest.approx(math.exp(found["loss"]))


def test_a_sure_and_right_model_has_no_loss() -> None:
    def run_graph(ids: np.ndarray, states: States) -> Any:
        return 1000.0 * np.eye(6, dtype=np.float32)[(ids + 1) % 6], list(states)

    session = LanguageModel(LETTERS, None, GenerationDefaults(), (1,), run_graph)
    ids = (np.arange(4000) % 6).astype(np.uint8)
    found = score_text(session, ids, context_windows=(64,), resamples=50)
    for prefix in ("", "window_64_"):
        assert found.metrics[f"{prefix}loss"] == Estimate(0.0, 0.0, 0.0)
        assert found.metrics[f"{prefix}perplexity"] == Estimate(1.0, 1.0, 1.0)
        accuracy = found.metrics[f"{prefix}accuracy"]
        assert (accuracy.value, accuracy.high) == (1.0, 1.0)
        assert accuracy.low is not None
        assert 0.7 < accuracy.low < 1.0, "no text proves that the next token is right, too"


def test_progress_reaches_its_end_without_going_back() -> None:
    seen: list[tuple[int, int]] = []
    score_text(
        elman(),
        random_ids(3000),
        context_windows=(64, 256),
        resamples=20,
        progress=lambda done, total: seen.append((done, total)),
    )
    assert {total for _, total in seen} == {3 * 2999}
    assert [done for done, _ in seen] == sorted({done for done, _ in seen})
    assert seen[-1][0] == 3 * 2999


@pytest.mark.parametrize(("context", "tokens"), [(None, 0), (None, 1), (5, 5)])
def test_a_text_too_short_for_one_prediction_is_refused(context: int | None, tokens: int) -> None:
    with pytest.raises(DataError, match=f"has {tokens} tokens"):
        score_text(elman(context=context), random_ids(tokens), context_windows=(64,))


def test_a_broken_model_is_an_error_of_the_run() -> None:
    def run_graph(ids: np.ndarray, states: States) -> Any:
        return np.full((*ids.shape, 6), np.nan, np.float32), list(states)

    with pytest.raises(RunError, match="not finite"):
        score_text(
            LanguageModel(LETTERS, None, GenerationDefaults(), (1,), run_graph),
            random_ids(50),
            context_windows=(),
        )


# ----------------------------------------------------------------------------------- intervals


def totals_of(losses: np.ndarray, *, tokens: float = 100.0) -> Totals:
    blocks = len(losses)
    return Totals(
        losses=losses * tokens,
        correct=np.full(blocks, tokens / 2),
        tokens=np.full(blocks, tokens),
        characters=np.full(blocks, tokens),
        words=np.full(blocks, tokens / 5),
    )


def test_too_little_text_has_no_interval_and_says_so() -> None:
    found = score_text(elman(), random_ids(700), context_windows=(64,), resamples=20)
    assert found.metrics["loss"].low is None
    assert found.metrics["loss"].high is None
    assert found.metrics["window_64_loss"].low is not None
    assert len(found.notes) == 1
    assert "The stream" in found.notes[0]
    assert str(LEAST_BLOCKS) in found.notes[0]


def test_the_same_seed_gives_the_same_interval() -> None:
    totals = totals_of(RNG.normal(2.0, 0.3, 200))
    assert estimate(totals, resamples=100, seed=1) == estimate(totals, resamples=100, seed=1)
    assert estimate(totals, resamples=100, seed=1) != estimate(totals, resamples=100, seed=2)


@pytest.mark.parametrize("blocks", [50, 400, 3 * MOST_BLOCKS + 5])
def test_the_interval_has_the_width_of_the_normal_theory(blocks: int) -> None:
    losses = np.random.default_rng(4).normal(2.0, 0.3, blocks)
    found = estimate(totals_of(losses), resamples=2000, seed=0)["loss"]
    assert found.low is not None
    assert found.high is not None
    half = 1.96 * losses.std() / math.sqrt(blocks)
    assert found.value == pytest.approx(losses.mean())
    assert found.low == pytest.approx(losses.mean() - half, abs=0.15 * half)
    assert found.high == pytest.approx(losses.mean() + half, abs=0.15 * half)


def test_intervals_cover_the_truth_about_as_often_as_they_promise() -> None:
    rng = np.random.default_rng(5)
    covered = 0
    for seed in range(200):
        found = estimate(totals_of(rng.normal(2.0, 0.3, 60)), resamples=200, seed=seed)["loss"]
        assert found.low is not None
        assert found.high is not None
        covered += found.low <= 2.0 <= found.high
    assert 175 <= covered <= 199  # 190 expected; percentile intervals are a little narrow


def test_correlated_tokens_widen_the_interval() -> None:
    """Blocks see that a long hard passage is one event and not hundreds."""
    rng = np.random.default_rng(6)
    per_passage = rng.normal(2.0, 0.5, 100)
    tokens = np.repeat(per_passage, STREAM_BLOCK)
    blocks = estimate(totals_of(per_passage), resamples=500, seed=0)["loss"]
    singles = estimate(totals_of(tokens, tokens=1.0), resamples=500, seed=0)["loss"]
    assert blocks.high is not None
    assert blocks.low is not None
    assert singles.high is not None
    assert singles.low is not None
    assert blocks.high - blocks.low > 2 * (singles.high - singles.low)


def test_derived_scores_go_with_the_loss() -> None:
    found = estimate(totals_of(RNG.normal(2.0, 0.3, 100)), resamples=300, seed=0)
    loss, bits, perplexity = (found[name] for name in ("loss", "bits_per_character", "perplexity"))
    for part in ("value", "low", "high"):
        nats = getattr(loss, part)
        assert getattr(bits, part) == pytest.approx(nats / math.log(2))
        assert getattr(perplexity, part) == pytest.approx(math.exp(nats), rel=1e-3)


def test_blocks_of_different_length_weigh_by_their_tokens() -> None:
    totals = Totals(
        losses=np.array([100.0, 6.0]),
        correct=np.array([50.0, 0.0]),
        tokens=np.array([100.0, 2.0]),
        characters=np.array([100.0, 2.0]),
        words=np.array([20.0, 1.0]),
    )
    found = estimate(totals, resamples=10, seed=0)
    assert found["loss"].value == pytest.approx(106 / 102)
    assert found["accuracy"].value == pytest.approx(50 / 102)


# ----------------------------------------------------------------------------------- --data


def with_unknown() -> Vocabulary:
    return Vocabulary(TextRules(), "characters", tuple("abcdef"), has_unknown=True)


@pytest.fixture
def strange(tmp_path: Path) -> str:
    path = tmp_path / "strange.txt"
    path.write_text("abXcXdéa", encoding="utf-8")
    return str(path)


def score_file(path: str, vocabulary: Vocabulary, unseen: Any) -> tuple[list[int], str]:
    text = text_of_files([path], vocabulary, encoding="utf-8", unseen=unseen)
    assert text.split is None
    return text.ids.tolist(), " ".join(text.notes)


def test_unseen_characters_of_another_text_are_counted_and_refused(strange: str) -> None:
    with pytest.raises(DataError) as caught:
        score_file(strange, LETTERS, None)
    message = str(caught.value)
    assert "3 of 8 characters" in message
    assert "'X' (U+0058) 2 times" in message
    assert "'é' (U+00E9) 1 time" in message
    assert "--unseen skip" in message
    with pytest.raises(DataError, match="--unseen unk"):
        score_file(strange, with_unknown(), "error")
    with pytest.raises(DataError, match="has no <unk>"):
        score_file(strange, LETTERS, "unk")


@pytest.mark.parametrize(
    ("vocabulary", "unseen", "ids", "word"),
    [
        (LETTERS, "skip", [0, 1, 2, 3, 0], "left out"),
        (with_unknown(), "skip", [1, 2, 3, 4, 1], "left out"),
        (with_unknown(), None, [1, 2, 0, 3, 0, 4, 0, 1], "as <unk>"),
        (with_unknown(), "unk", [1, 2, 0, 3, 0, 4, 0, 1], "as <unk>"),
    ],
)
def test_unseen_characters_are_left_out_or_scored_as_unknown(
    strange: str, vocabulary: Vocabulary, unseen: str | None, ids: list[int], word: str
) -> None:
    found, notes = score_file(strange, vocabulary, unseen)
    assert found == ids
    assert word in notes


def test_a_text_of_unseen_characters_alone_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "foreign.txt"
    path.write_text("XYZ", encoding="utf-8")
    checks: list[Callable[[], object]] = [
        lambda: score_file(str(path), LETTERS, "skip"),
        lambda: score_file(str(path), with_unknown(), "skip"),
    ]
    for check in checks:
        with pytest.raises(DataError):
            check()
