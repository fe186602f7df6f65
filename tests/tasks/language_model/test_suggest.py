"""Next words and completions, beside all the words that a small model can make."""

import itertools
from functools import partial

import numpy as np
import pytest

from rnnkit.inference.decoding import LanguageModel
from rnnkit.inference.runtime import GenerationDefaults, States
from rnnkit.tasks.language_model.suggest import Suggestions, suggest
from rnnkit.text.cleaning import TextRules
from rnnkit.text.stored import subword_vocabulary
from rnnkit.text.subwords import train_exact_subwords
from rnnkit.text.vocabulary import Vocabulary

RULES = TextRules()
CHARACTERS = Vocabulary(RULES, "characters", ("\n", " ", "'", ".", "a", "b", "é"), True)
BYTES = Vocabulary(RULES, "bytes")
SUBWORDS = subword_vocabulary(
    RULES, train_exact_subwords(["an ant and a band. an ant"] * 3, vocabulary_size=264)
)
TOKENS = ("<join>", " ", "the", "\n", ".", "cat", "cats", "Catalan", "'s", '<open ">', "a")
WORDS = Vocabulary(RULES, "words", TOKENS, has_unknown=True)


def session(
    vocabulary: Vocabulary, *, context: int | None = None, seed: int = 0, sharp: float = 1.5
) -> LanguageModel:
    """A model whose next token depends on the last two, in the form of a state or of a window."""
    size = vocabulary.size
    table = np.random.default_rng(seed).normal(0.0, sharp, (97, size)).astype(np.float32)
    if vocabulary.kind in ("bytes", "subwords"):  # most bytes hardly ever
        table[:, [i for i in range(256) if chr(i) not in "\n 'abdnt."]] -= 30.0

    def run_graph(ids: np.ndarray, states: States) -> tuple[np.ndarray, list[np.ndarray]]:
        before = states[0][:, 0].astype(np.int64)
        logits = []
        for token in ids.T:
            logits.append(table[(7 * token + 3 * before) % 97])
            before = token
        return np.stack(logits, axis=1), [before[:, np.newaxis].astype(np.float32)]

    return LanguageModel(
        vocabulary=vocabulary,
        context=context,
        generation=GenerationDefaults(),
        state_sizes=(1,),
        run_graph=run_graph,
    )


def softmax_after(model: LanguageModel, ids: list[int]) -> np.ndarray:
    states = model.zero_states(1)
    if model.context is not None:
        ids = ids[-model.context :]
    logits, _ = model.step(np.array([ids]), states)
    scores = logits[0, -1].astype(np.float64)
    if model.vocabulary.unknown_id is not None:
        scores[model.vocabulary.unknown_id] = -np.inf
    shares = np.exp(scores - scores.max())
    return shares / shares.sum()


def all_words(model: LanguageModel, context: str, beginning: str, longest: int) -> dict[str, float]:
    """Every word of up to `longest` tokens that begins so, by its probability, unnormalised: the
    sum over all ways to cut it."""
    vocabulary = model.vocabulary
    start = vocabulary.encode(context) or [vocabulary.start_id]
    spelled = {i: vocabulary.decode([i]) for i in range(vocabulary.size)}
    likely = [i for i in spelled if i != vocabulary.unknown_id and "\ufffd" not in spelled[i]]
    found: dict[str, float] = {}

    def is_word(text: str) -> bool:
        return bool(text) and all(c.isalnum() or c == "'" for c in text)

    def go(text: str, ids: list[int], share: float) -> None:
        shares = softmax_after(model, start + ids)
        word = text.removeprefix(" ")
        if text.startswith(beginning) and is_word(word):
            ends = sum(shares[i] for i in spelled if i not in likely or not is_word(spelled[i]))
            ends -= sum(shares[i] for i in spelled if i not in likely)
            found[word] = found.get(word, 0.0) + share * float(ends)
        if len(ids) == longest:
            return
        for token in likely:
            more = text + spelled[token]
            fits = beginning.startswith(more) or (
                more.startswith(beginning)
                and (more == " " or is_word(more.removeprefix(" ")))
                and (not text.startswith(beginning) or is_word(spelled[token]))
            )
            if fits and share * shares[token] > 1e-9:
                go(more, [*ids, token], share * float(shares[token]))

    go("", [], 1.0)
    return found


def answers(found: Suggestions) -> dict[str, float]:
    return {suggestion.word: suggestion.probability for suggestion in found.words}


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("context", [None, 2])
@pytest.mark.parametrize(
    ("text", "way", "before", "beginning"),
    [
        ("ab", "next", "ab", " "),
        ("ab ", "next", "ab", " "),
        ("b\n", "next", "b\n", ""),
        ("", "next", "", ""),
        ("b ab", "complete", "b", " ab"),
        ("a", "complete", "", "a"),
        ("b.a", "complete", "b.", "a"),
    ],
)
def test_the_most_probable_words_of_characters(
    seed: int, context: int | None, text: str, way: str, before: str, beginning: str
) -> None:
    model = session(CHARACTERS, context=context, seed=seed)
    found = suggest(model, text, count=4, way=way)  # type: ignore[arg-type]
    assert found.way == way
    expected = all_words(model, before, beginning, len(beginning) + 4)
    expected.pop(beginning.strip(), None)
    order = sorted(expected, key=lambda word: -expected[word])
    begun = 1.0
    for place in range(len(beginning)):
        ids = model.vocabulary.encode(before + beginning[:place]) or [model.vocabulary.start_id]
        (token,) = model.vocabulary.encode(beginning[place])
        begun *= softmax_after(model, ids)[token]
    shares = answers(found)
    assert list(shares.values()) == sorted(shares.values(), reverse=True)
    for word, share in shares.items():
        if word in expected:  # the others are longer than what is listed
            assert share == pytest.approx(expected[word] / begun)
    shorter = [word for word in order if expected[word] / begun > min(shares.values()) * 1.0001]
    assert set(shorter) <= set(shares)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    ("text", "way", "before", "beginning"),
    [("an ant", "next", "an ant", " "), ("an an", "complete", "an", " an")],
)
def test_words_of_subwords_are_found_however_they_are_cut(
    seed: int, text: str, way: str, before: str, beginning: str
) -> None:
    model = session(SUBWORDS, seed=seed, sharp=3.0)
    found = suggest(model, text, count=3, way=way)  # type: ignore[arg-type]
    expected = all_words(model, before, beginning, 4)
    expected.pop(beginning.strip(), None)
    total = sum(expected.values()) or 1.0
    assert found.words
    for suggestion in found.words:
        assert suggestion.word.startswith(beginning.strip())
        if suggestion.word in expected:
            # A rarer way to cut a word may not have been tried.
            assert suggestion.probability <= expected[suggestion.word] / total * 3
            assert suggestion.probability > 0
    best = max(expected, key=lambda word: expected[word])
    assert best in answers(found)


def test_bytes_make_whole_characters() -> None:
    model = session(BYTES)
    for suggestion in suggest(model, "ab a", count=8, way="complete").words:
        assert suggestion.word.startswith("a")
        assert "\ufffd" not in suggestion.word


@pytest.mark.parametrize("text", ["the cat", "the cat ", "the\n", "", "cat.", "the dog "])
def test_next_words_of_words(text: str) -> None:
    model = session(WORDS)
    found = suggest(model, text, count=9)
    assert found.way == "next"
    shares = softmax_after(model, WORDS.encode(text.rstrip(" ")) or [WORDS.start_id])
    expected = {word: shares[WORDS.id_of(word)] for word in ("the", "cat", "cats", "Catalan", "a")}
    assert answers(found) == pytest.approx(expected)
    for suggestion in found.words:
        gap = " " if text[-1:] not in (" ", "\n", "") else ""
        assert suggestion.text == gap + suggestion.word


def test_an_unknown_last_word_is_completed() -> None:
    model = session(WORDS)
    found = suggest(model, "the ca")
    assert (found.way, {s.word for s in found.words}) == ("complete", {"cat", "cats"})
    assert {s.text for s in found.words} == {"t", "ts"}
    shares = softmax_after(model, WORDS.encode("the"))
    cat, cats = (shares[WORDS.id_of(word)] for word in ("cat", "cats"))
    assert answers(found)["cat"] == pytest.approx(cat / (cat + cats))
    assert suggest(model, "the xyz").words == ()


def test_a_known_last_word_is_completed_on_demand() -> None:
    model = session(WORDS)
    assert suggest(model, "the cat").way == "next"
    found = suggest(model, "the cat", way="complete")
    assert [(s.word, s.text) for s in found.words] == [("cats", "s")]
    shares = softmax_after(model, WORDS.encode("the"))
    cat, cats = (shares[WORDS.id_of(word)] for word in ("cat", "cats"))
    assert found.words[0].probability == pytest.approx(cats / (cat + cats))


def test_characters_end_a_word_where_the_model_ends_it() -> None:
    ways = {suggest(session(CHARACTERS, seed=seed), "b ab").way for seed in range(12)}
    assert ways == {"next", "complete"}
    for seed in range(12):
        model = session(CHARACTERS, seed=seed)
        shares = softmax_after(model, CHARACTERS.encode("b ab"))
        ended = 1.0 - sum(shares[CHARACTERS.encode(c)[0]] for c in "abé'")
        assert (suggest(model, "b ab").way == "next") == (ended >= 0.5)


@pytest.mark.parametrize("vocabulary", [CHARACTERS, SUBWORDS, WORDS], ids=lambda v: v.kind)
def test_what_is_unknown_does_no_harm(vocabulary: Vocabulary) -> None:
    model = session(vocabulary)
    for text in ("日本 ", "zzz qqq", "\ud800 ", "...", "a  b  ", "'", "\t"):
        for way in (None, "next", "complete"):
            found = suggest(model, text, count=3, way=way)  # type: ignore[arg-type]
            assert all(0.0 <= s.probability <= 1.0 + 1e-9 for s in found.words)


@pytest.mark.parametrize("count", [1, 2, 5, 20])
def test_as_many_words_as_asked_for(count: int) -> None:
    make = partial(suggest, session(CHARACTERS), "b ")
    found = make(count=count).words
    assert len(found) == count
    assert found[:1] == make(count=1).words
    assert len(set(itertools.chain(s.word for s in found))) == count
