"""The automaton against looking at every substring."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rnnkit.tasks.language_model import suffix_automaton
from rnnkit.tasks.language_model.suffix_automaton import TooLargeError, build, compare

texts = st.lists(st.integers(0, 3), max_size=30)
many_tokens = st.lists(st.integers(0, 40), max_size=40)


def substrings(text: list[int]) -> set[tuple[int, ...]]:
    return {tuple(text[i:j]) for i in range(len(text) + 1) for j in range(i, len(text) + 1)}


@given(texts)
def test_the_paths_from_the_start_are_the_substrings(text: list[int]) -> None:
    automaton = build(text)
    tables = (
        automaton.after.reshape(-1, automaton.width),
        automaton.most.reshape(-1, automaton.width),
    )
    expected = substrings(text)
    todo: list[tuple[tuple[int, ...], int]] = [((), 0)]
    found = set()
    while todo:
        path, state = todo.pop()
        found.add(path)
        for token, column in automaton.columns.items():
            # A transition, and not a suffix link with a transition: it keeps the whole path.
            if tables[1][state, column] >= len(path):
                todo.append(((*path, token), tables[0][state, column] // automaton.width))
    assert found == expected


@given(
    st.one_of(st.tuples(texts, texts), st.tuples(many_tokens, many_tokens)),
    st.integers(1, 4),
    st.integers(1, 5),
)
def test_what_is_shared_is_what_brute_force_finds(
    pair: tuple[list[int], list[int]], lanes: int, steps: int
) -> None:
    text, corpus = pair
    sizes = (1, 2, 3, 5)
    shared = compare(build(text), np.array(corpus, np.uint8), sizes=sizes, lanes=lanes, steps=steps)
    common = substrings(text) & substrings(corpus)
    longest = max(map(len, common))
    assert shared.length == longest
    if longest:
        starts = [i for i in range(len(corpus)) if tuple(corpus[i : i + longest]) in common]
        starts = [i for i in starts if i + longest <= len(corpus)]
        assert shared.start == starts[0]
    for size in sizes:
        expected = [
            end + 1 >= size and tuple(text[end + 1 - size : end + 1]) in common
            for end in range(len(text))
        ]
        assert shared.present[size].tolist() == expected


def test_a_long_copy_over_many_lanes_and_chunks() -> None:
    rng = np.random.default_rng(0)
    corpus = rng.integers(0, 50, 5000).astype(np.uint16)
    text = [*rng.integers(0, 50, 100).tolist(), *corpus[1234:2345].tolist(), 49, 49]
    progress = []
    shared = compare(
        build(text),
        corpus,
        sizes=(500,),
        lanes=16,
        steps=20,
        progress=lambda *at: progress.append(at),
    )
    assert shared.length >= 1111
    assert shared.start <= 1234
    assert corpus[shared.start : shared.start + shared.length].tolist() in [
        text[i : i + shared.length] for i in range(len(text))
    ]
    assert shared.present[500].sum() == shared.length - 499
    assert progress[-1] == (5000, 5000)


def test_a_table_that_would_not_fit_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(suffix_automaton, "LARGEST_TABLE", 100)
    build([1, 2, 1, 2])
    with pytest.raises(TooLargeError, match="20 tokens, 20 of them different"):
        build(list(range(20)))
