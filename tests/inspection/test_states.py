"""The states after each token: two engines agree, and pieces side by side are as good as one."""

from typing import Any

import numpy as np
import onnxruntime
import pytest

from rnnkit.errors import DataError, RunError, UsageError
from rnnkit.inference.decoding import LanguageModel
from rnnkit.inference.runtime import GenerationDefaults
from rnnkit.inspection.state_reading import (
    WARM_UP,
    StateArray,
    classifier_states,
    find_state,
    long_text_states,
    text_states,
)
from rnnkit.inspection.state_study import ShownUnit, StateChoice, choose_units, study_classifier
from rnnkit.inspection.tracking import Ranking, Tracked
from rnnkit.network.cells import CELLS
from rnnkit.network.onnx import export_onnx
from rnnkit.network.reference import build_network, run
from rnnkit.tasks.language_model.config import LanguageModelConfig
from rnnkit.tasks.language_model.network import language_network
from rnnkit.tasks.text_classification.config import ClassifierConfig
from rnnkit.tasks.text_classification.network import classifier_network
from rnnkit.text.cleaning import TextRules
from rnnkit.text.encoder import TextEncoder
from rnnkit.text.vocabulary import Vocabulary
from rnnkit.text.words import WordRules

VOCABULARY = Vocabulary(TextRules(), "characters", tuple("abcdef"))
IDS = [0, 3, 1, 5, 5, 2, 4, 0, 1, 2, 3]


def random_weights(shapes: dict[str, Any], seed: int = 3) -> dict[str, np.ndarray]:
    draw = np.random.default_rng(seed)
    return {
        name: draw.normal(scale=0.5, size=tuple(int(n) for n in shape)).astype(np.float32)
        for name, shape in shapes.items()
    }


def onnx_session(model: LanguageModelConfig, weights: dict[str, np.ndarray]) -> LanguageModel:
    """A session on the file that training would write."""
    facts = {"task": "char_generation", "context": None, "generation": {}}
    runtime = onnxruntime.InferenceSession(
        export_onnx(
            weights, language_network(model, vocabulary_size=VOCABULARY.size), metadata=facts
        ),
        providers=["CPUExecutionProvider"],
    )
    nodes = [node for node in runtime.get_inputs() if node.name != "ids"]

    def run_graph(ids: np.ndarray, states: Any) -> tuple[np.ndarray, list[np.ndarray]]:
        named = dict(zip([node.name for node in nodes], states, strict=True))
        logits, *after = runtime.run(None, {"ids": ids, **named})
        return np.asarray(logits), [np.asarray(state) for state in after]

    return LanguageModel(
        VOCABULARY, None, GenerationDefaults(), tuple(node.shape[1] for node in nodes), run_graph
    )


def fading_session(*, context: int | None = None, decay: float = 0.5) -> LanguageModel:
    """One unit: half of what it was plus the id. The second array is twice the first."""

    def run_graph(ids: np.ndarray, states: Any) -> tuple[np.ndarray, list[np.ndarray]]:
        h = np.array(states[0])
        for column in ids.T:
            h = (decay * h + column[:, np.newaxis]).astype(np.float32)
        return np.zeros((*ids.shape, 6), np.float32), [h, 2 * h]

    return LanguageModel(VOCABULARY, context, GenerationDefaults(), (1, 1), run_graph)


def faded(ids: np.ndarray | list[int], decay: float = 0.5) -> float:
    h = 0.0
    for index in ids:
        h = decay * h + index
    return h


HIDDEN = StateArray(0, "hidden", 0, 1)


# ------------------------------------------------------------------------------- language models


@pytest.mark.parametrize("cell", ["simple_rnn", "lstm", "gru"])
@pytest.mark.parametrize("layer", [0, 1])
def test_states_are_those_of_the_reference_cells(cell: str, layer: int) -> None:
    model = LanguageModelConfig.model_validate({"cell": cell, "units": (5, 4)})
    weights = random_weights(
        dict(language_network(model, vocabulary_size=VOCABULARY.size).weight_shapes)
    )
    session = onnx_session(model, weights)
    network = build_network(language_network(model, vocabulary_size=VOCABULARY.size), weights)
    trace = run(network, np.array([IDS])).layers[layer].cells[0]
    hidden = text_states(
        session, IDS, find_state(session, cell=CELLS[cell], layer=layer, kind="hidden")
    )
    np.testing.assert_allclose(hidden, trace.hidden[0], atol=1e-6)
    if cell == "lstm":
        state = find_state(session, cell=CELLS[cell], layer=layer, kind="cell")
        assert trace.cell is not None
        expected = np.tanh(trace.cell[0])
        np.testing.assert_allclose(text_states(session, IDS, state), expected, atol=1e-6)


def test_a_sliding_window_starts_from_zero() -> None:
    found = text_states(fading_session(context=3), IDS, HIDDEN)[:, 0]
    windows = [IDS[max(0, end - 3) : end] for end in range(1, len(IDS) + 1)]
    assert found.tolist() == [faded(window) for window in windows]
    whole, counted = long_text_states(fading_session(context=3), np.array(IDS), HIDDEN)
    assert whole[:, 0].tolist() == found.tolist()
    assert counted == slice(0, len(IDS))


def test_a_text_shorter_than_the_window() -> None:
    found = text_states(fading_session(context=50), IDS[:4], HIDDEN)[:, 0]
    assert found.tolist() == [faded(IDS[:end]) for end in range(1, 5)]


@pytest.mark.parametrize("tokens", [1, 300, 6000])
def test_pieces_side_by_side_have_read_what_is_needed(tokens: int) -> None:
    ids = np.random.default_rng(0).integers(0, 6, tokens)
    found, counted = long_text_states(fading_session(), ids, HIDDEN)
    stream = text_states(fading_session(), ids.tolist(), HIDDEN)
    assert len(found) == len(ids[counted]) >= tokens - WARM_UP - 32
    np.testing.assert_allclose(found, stream[counted], rtol=1e-6)  # 0.5**128 of the past is left


def test_each_piece_reads_the_tokens_before_it() -> None:
    """A state that forgets nothing tells how much it has read."""
    ids = np.ones(6000, int)
    found, _ = long_text_states(fading_session(decay=1.0), ids, HIDDEN)
    length = (6000 - WARM_UP) // 32
    assert found[:, 0].tolist() == list(range(WARM_UP + 1, WARM_UP + length + 1)) * 32


def test_progress_comes_to_nearly_all() -> None:
    for context in (None, 2):
        seen: list[tuple[int, int]] = []
        long_text_states(
            fading_session(context=context),
            np.zeros(6000, int),
            HIDDEN,
            progress=lambda *at, seen=seen: seen.append(at),
        )
        assert all(done < total for done, total in seen)
        assert seen == sorted(seen)
        assert seen[-1][0] > 0.6 * seen[-1][1]


@pytest.mark.parametrize(
    ("cell", "layer", "kind", "index"),
    [("gru", None, "hidden", 1), ("gru", 0, "hidden", 0), ("lstm", None, "cell", 1)],
)
def test_where_a_state_is_found(cell: str, layer: int | None, kind: Any, index: int) -> None:
    state = find_state(fading_session(), cell=CELLS[cell], layer=layer, kind=kind)
    assert (state.index, state.units) == (index, 1)


@pytest.mark.parametrize(
    ("cell", "layer", "kind", "words"),
    [
        ("gru", 2, "hidden", "--layer 2: this network has 2 layers, 0 to 1"),
        ("lstm", -1, "hidden", "--layer -1: this network has one layer, 0"),
        ("gru", 0, "cell", "only an LSTM has a cell state; this network is a gru"),
    ],
)
def test_states_that_are_not_there(cell: str, layer: int, kind: Any, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        find_state(fading_session(), cell=CELLS[cell], layer=layer, kind=kind)


def test_states_that_are_no_numbers() -> None:
    with pytest.raises(RunError, match="not finite"):
        text_states(fading_session(decay=np.nan), IDS, HIDDEN)


# ----------------------------------------------------------------------------------- classifiers


def classifier(**options: Any) -> Any:
    model = ClassifierConfig.model_validate(
        {"units": 3, "embedding": {"kind": "learned", "size": 4}, **options}
    )
    shapes = classifier_network(model, vocabulary_size=8, classes=2).weight_shapes
    return build_network(
        classifier_network(model, vocabulary_size=8, classes=2), random_weights(dict(shapes))
    )


@pytest.mark.parametrize("kind", ["hidden", "cell"])
def test_each_direction_knows_its_side_of_the_text(kind: Any) -> None:
    network = classifier(cell="lstm", bidirectional=True)
    ids = [2, 7, 3, 3, 5]
    states = classifier_states(network, ids, layer=0, kind=kind)
    assert states.shape == (5, 6)
    for place in range(5):
        until = classifier_states(network, ids[: place + 1], layer=0, kind=kind)
        after = classifier_states(network, ids[place:], layer=0, kind=kind)
        np.testing.assert_allclose(states[place, :3], until[-1, :3], atol=1e-7)
        np.testing.assert_allclose(states[place, 3:], after[0, 3:], atol=1e-7)
    if kind == "cell":
        assert not np.allclose(states, classifier_states(network, ids, layer=0, kind="hidden"))


ENCODER = TextEncoder(
    Vocabulary(WordRules(), "words", tuple("abcdef"), has_unknown=True), maximum_length=4
)


def test_the_view_of_a_classifier() -> None:
    network = classifier(cell="gru", layers=2, bidirectional=True)
    view = study_classifier(network, ENCODER, "a zebra c d e", choice=StateChoice(most_units=2))
    assert (view.layer, view.kind, view.width, view.spaced) == (1, "hidden", 6, True)
    assert view.pieces == ("a", "zebra", "c", "d")  # what the model reads
    assert view.labels[1] == "zebra (unknown)"
    assert [view.direction(unit) for unit in (2, 3)] == ["forward", "backward"]
    states = classifier_states(network, ENCODER.encode("a zebra c d e"), layer=1, kind="hidden")
    assert [unit.unit for unit in view.units] == np.argsort(-states.std(axis=0))[:2].tolist()
    assert any("from 3 on read backwards" in note for note in view.notes)
    short = study_classifier(
        network, ENCODER, "a zebra c d e", choice=StateChoice(units=(4,), most_tokens=2)
    )
    assert short.pieces == ("a", "zebra")
    assert short.units[0].values.tolist() == states[:2, 4].tolist()
    assert "Of 4 tokens the first 2 are shown (--tokens)." in short.notes


def test_the_view_of_a_classifier_that_reads_forwards() -> None:
    view = study_classifier(classifier(cell="lstm"), ENCODER, "a b", choice=StateChoice())
    assert (view.kind, view.direction(0), view.notes) == ("cell", "", ())


def test_a_classifier_needs_a_word() -> None:
    with pytest.raises(DataError, match="holds no token"):
        study_classifier(classifier(cell="gru"), ENCODER, " ", choice=StateChoice())


# ------------------------------------------------------------------------------ which are chosen


def tracked(name: str, unit: int, *, is_found: bool = True) -> Tracked:
    return Tracked(name, unit, 0.5, 0.1, 0.2, None, (), is_found)


STATES = np.random.default_rng(0).normal(size=(9, 6)) * np.array([1.0, 6, 2, 5, 3, 4])


def chosen(asked: tuple[int, ...], ranking: Ranking | None, most: int = 3) -> list[int]:
    return [unit.unit for unit in choose_units(STATES, asked, ranking, most=most)]


def test_which_units_are_shown() -> None:
    found = Ranking(
        (
            tracked("quotes", 4),
            tracked("depth", 0),
            tracked("more", 4),
            tracked("luck", 2, is_found=False),
        ),
        (),
        9,
        0,
    )
    assert chosen((5, 1, 5), found) == [5, 1]
    assert chosen((), found) == [4, 0]
    assert chosen((), found, most=1) == [4]
    by_spread = np.argsort(-STATES.std(axis=0))[:3].tolist()
    assert chosen((), None) == by_spread
    assert chosen((), Ranking((tracked("luck", 2, is_found=False),), (), 9, 0)) == by_spread
    (shown, *_) = choose_units(STATES, (), found, most=3)
    assert [one.name for one in shown.tracks] == ["quotes", "more"]
    assert shown.largest == np.abs(STATES[:, 4]).max()
    assert ShownUnit(0, np.empty(0), ()).largest == 0.0


@pytest.mark.parametrize("unit", [-1, 6])
def test_units_that_are_not_there(unit: int) -> None:
    with pytest.raises(UsageError, match=f"--unit {unit}: the layer has units 0 to 5"):
        chosen((unit,), None)
