"""A text written together: whatever way it came about, the model reads the same tokens."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rnnkit.errors import DataError
from rnnkit.inference.decoding import LanguageModel
from rnnkit.inference.sampling import SamplingOptions
from rnnkit.tasks.language_model.composition import Composition
from rnnkit.tasks.language_model.generate import read_prompt
from tests.support.toy_models import BYTES, LETTERS, WITH_UNKNOWN, WORDS, elman, script, session_of

GREEDY = SamplingOptions(temperature=0.0)


def compose(model: LanguageModel, prompt: str = "a", **options: Any) -> Composition:
    read = read_prompt(model.vocabulary, prompt)
    return Composition(model, read, options=SamplingOptions(**options), seed=1)


@pytest.mark.parametrize("vocabulary", [LETTERS, WITH_UNKNOWN, WORDS])
@pytest.mark.parametrize("context", [None, 3])
@given(changes=st.lists(st.sampled_from(["take", "write", "run", "undo"]), max_size=8))
@settings(max_examples=20)
def test_candidates_are_those_of_the_text_read_anew(
    vocabulary: Any, context: int | None, changes: list[str]
) -> None:
    model = elman(vocabulary, context)
    composition = compose(model)
    states = [(composition.text, composition.ids)]
    for change in changes:
        match change:
            case "take":
                composition.take(composition.candidates(3)[-1])
            case "write":
                composition.write("a king" if vocabulary is WORDS else "abca")
            case "run":
                list(composition.run(4))
            case _:
                assert composition.undo() == (len(states) > 1)
                states = states[:-1] or states
                assert (composition.text, composition.ids) == states[-1]
                continue
        states.append((composition.text, composition.ids))
    read = [*read_prompt(vocabulary, "a").ids, *composition.ids]
    seen = np.array([read[-(context or len(read)) :]])
    logits = model.step(seen, model.zero_states(1))[0][0, -1].astype(np.float64)
    if vocabulary.unknown_id is not None:
        logits[vocabulary.unknown_id] = -np.inf
    shares = np.exp(logits - logits.max()) / np.exp(logits - logits.max()).sum()
    for candidate in composition.candidates(9):
        assert candidate.probability == pytest.approx(shares[candidate.id], abs=1e-5)


def test_candidates_have_the_probabilities_of_drawing_them() -> None:
    composition = compose(elman(), temperature=0.7, top_k=5)
    candidates = composition.candidates(20)
    assert len(candidates) == 5
    assert sum(candidate.probability for candidate in candidates) == pytest.approx(1.0)
    shares = {candidate.label: candidate.probability for candidate in candidates}
    draws = [next(composition.run(1)) for _ in range(2000) if composition.undo() or True]
    labels = [LETTERS.label(LETTERS.encode(text)[0]) for text in draws]
    # Each draw but the first follows an undo, so all follow the prompt.
    for label, share in shares.items():
        assert labels.count(label) / 2000 == pytest.approx(share, abs=0.05)


def test_at_temperature_0_there_is_still_a_choice() -> None:
    composition = compose(elman(), temperature=0.0)
    candidates = composition.candidates(4)
    assert len(candidates) == 4
    assert "".join(composition.run(1)) == LETTERS.decode([candidates[0].id])


def test_the_penalty_sees_the_prompt_and_everything_after_it() -> None:
    def run_graph(ids: np.ndarray, states: Any) -> Any:
        return np.ones((*ids.shape, LETTERS.size), np.float32), [*states]

    model = session_of(run_graph)
    composition = compose(model, "abc", temperature=0.0, repetition_penalty=2.0)
    written = "".join(composition.run(3))
    composition.write("f")
    written += "f" + "".join(composition.run(2))
    assert sorted("abc" + written) == sorted(LETTERS.tokens)


def test_words_bring_their_spaces() -> None:
    composition = compose(elman(WORDS), "the king")
    composition.write("  sees ")
    composition.write("a queen, the king")
    assert composition.text == "the king sees a queen, the king"
    with pytest.raises(DataError, match="words: 'emperor', 'horse'"):
        composition.write("the emperor sees a horse")
    with pytest.raises(DataError, match="nothing to write"):
        composition.write("  ")
    assert composition.text == "the king sees a queen, the king"
    assert composition.undo()
    assert composition.text == "the king sees"


def test_half_characters_wait() -> None:
    composition = compose(script("né€"), "x", temperature=0.0)
    assert [text for text in composition.run(5)] == ["n", "", "é", "", ""]
    assert composition.text == "xné"
    assert list(composition.run(1)) == ["€"]
    assert composition.text == "xné€"
    assert BYTES.label(0xC3) == "<0xC3>"


def test_what_was_run_is_one_change_even_when_it_was_stopped() -> None:
    composition = compose(elman(), "ab")
    running = composition.run(100)
    for _ in range(7):
        next(running)
    assert len(composition.ids) == 7
    assert composition.undo()
    assert (composition.text, composition.ids) == ("ab", [])
    assert not composition.undo()


def test_undoing_is_remembered_for_long() -> None:
    composition = compose(elman())
    for _ in range(1005):
        composition.write("a")
    undone = 0
    while composition.undo():
        undone += 1
    assert undone == 1000
    assert len(composition.ids) == 5
