"""What each word adds to a decision, for a classifier whose words are known to weigh something."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rnnkit.errors import UsageError
from rnnkit.inference.decision import Decision
from rnnkit.inspection.attribution_study import (
    MOST_EXACT,
    IntegratedGradients,
    LeaveOneOut,
    Method,
    Shapley,
    attribute,
    exact_shapley,
    integrated_gradients,
)
from rnnkit.inspection.attributions import attributions_view
from rnnkit.network.reference import Network, build_network, run, softmax
from rnnkit.tasks.text_classification.classifier import Classifier
from rnnkit.tasks.text_classification.config import ClassifierConfig
from rnnkit.tasks.text_classification.explain import explain
from rnnkit.tasks.text_classification.network import classifier_network
from rnnkit.text.encoder import UNKNOWN, TextEncoder
from rnnkit.text.vocabulary import Vocabulary
from rnnkit.text.words import WordRules

WEIGHTS = {"good": 1.5, "bad": -2.0, "film": 0.0, "very": 0.25}
SIZE, CLASSES = len(WEIGHTS) + 2, 3


def encoder(maximum_length: int = 40) -> TextEncoder:
    return TextEncoder(
        Vocabulary(WordRules(), "words", tuple(WEIGHTS), has_unknown=True),
        maximum_length=maximum_length,
    )


def summing_classifier(*, temperature: float = 1.0, maximum_length: int = 40) -> Classifier:
    """Its log-odds are the sum of its words' weights; `<unk>` weighs -0.25."""
    table = np.zeros((SIZE, 2), np.float32)
    table[UNKNOWN, 1] = -0.25
    table[2:, 1] = list(WEIGHTS.values())
    return Classifier(
        encoder(maximum_length),
        ("no", "yes"),
        Decision(temperature),
        lambda ids: table[ids].sum(axis=1),
    )


def network(**options: object) -> Network:
    """A small network with random weights."""
    model = ClassifierConfig.model_validate(
        {"units": 5, "embedding": {"kind": "learned", "size": 4}, **options}
    )
    shapes = classifier_network(model, vocabulary_size=SIZE, classes=CLASSES).weight_shapes
    draw = np.random.default_rng(8)
    weights = {
        name: np.abs(value) + 0.5 if name.endswith("variance") else value
        for name, shape in shapes.items()
        if (value := draw.normal(scale=0.7, size=tuple(int(n or 0) for n in shape))) is not None
    }
    return build_network(classifier_network(model, vocabulary_size=SIZE, classes=CLASSES), weights)


def share(log_odds: float) -> float:
    return 1.0 / (1.0 + math.exp(-log_odds))


# ------------------------------------------------------------------------------------ any method


@pytest.mark.parametrize("method", [Shapley(), LeaveOneOut()])
@pytest.mark.parametrize("explained", [None, 0, 1])
def test_the_decision_and_its_course(method: Method, explained: int | None) -> None:
    words = ["good", "film", "very", "bad"]
    found = attribute(
        summing_classifier(temperature=2.0), " ".join(words), method=method, explained=explained
    )
    odds = np.cumsum([WEIGHTS[word] for word in words]) / 2.0
    np.testing.assert_allclose(found.after_each[:, 1], [share(value) for value in odds], atol=1e-6)
    np.testing.assert_allclose(found.after_each[-1], found.probabilities, atol=1e-7)
    assert found.empty[1] == pytest.approx(share(-0.125), abs=1e-6)
    assert found.label == 0  # -0.25 / 2
    assert found.explained == (0 if explained is None else explained)
    assert [token.token for token in found.tokens] == words
    assert found.total == pytest.approx(sum(token.change for token in found.tokens))
    assert found.largest == max(abs(token.change) for token in found.tokens)


def test_the_class_decided_for_follows_the_threshold() -> None:
    eager = Classifier(
        encoder(), ("no", "yes"), Decision(1.0, 0.1, "yes"), summing_classifier().run_graph
    )
    assert attribute(eager, "bad film", method=LeaveOneOut()).label == 1


def test_unknown_words_count_and_are_marked() -> None:
    found = attribute(summing_classifier(), "good zebra", method=Shapley())
    assert [token.is_known for token in found.tokens] == [True, False]
    assert found.tokens[1].change < 0


@pytest.mark.parametrize("text", ["", "  ", "\n"])
def test_a_text_without_words_has_a_verdict_alone(text: str) -> None:
    for method in (Shapley(), LeaveOneOut()):
        found = attribute(summing_classifier(), text, method=method)
        assert found.tokens == ()
        assert found.after_each.shape == (0, 2)
        assert found.probabilities.tolist() == found.empty.tolist()
        assert (found.total, found.largest, found.baseline) == (0, 0.0, None)


def test_only_what_the_model_reads_is_shared_out() -> None:
    text = "good bad film very good bad film"
    found = attribute(summing_classifier(maximum_length=3), text, method=Shapley())
    assert [token.token for token in found.tokens] == ["good", "bad", "film"]


def test_classes_have_names() -> None:
    def explained(name: str | None) -> str:
        view = attributions_view(
            summing_classifier(), ["bad"], run="r", method=LeaveOneOut(), class_name=name
        )
        return view.document["texts"][0]["explained"]

    assert (explained(None), explained("yes")) == ("no", "yes")
    with pytest.raises(UsageError, match="'maybe': this run has no such class; it has no, yes"):
        explained("maybe")


# --------------------------------------------------------------------------------------- methods


@given(st.lists(st.sampled_from([*WEIGHTS, "zebra"]), min_size=1, max_size=6), st.integers(0, 1))
def test_leave_one_out_is_what_predict_explains(words: list[str], label: int) -> None:
    classifier, text = summing_classifier(), " ".join(words)
    found = attribute(classifier, text, method=LeaveOneOut(), explained=label)
    effects = explain(classifier, text, label=label)
    assert [(t.token, t.change, t.is_known) for t in found.tokens] == [
        (e.token, e.change, e.is_known) for e in effects
    ]
    assert (found.baseline, found.is_sampled) == (None, False)


@pytest.mark.parametrize("length", [1, 3, MOST_EXACT, MOST_EXACT + 1, 25])
def test_shapley_values_add_up_to_the_difference_to_an_empty_text(length: int) -> None:
    words = (list(WEIGHTS) * 10)[:length]
    found = attribute(summing_classifier(), " ".join(words), method=Shapley(pairs=4), explained=1)
    assert found.baseline == pytest.approx(share(-0.25), abs=1e-6)
    assert found.total == pytest.approx(found.probabilities[1] - share(-0.25), abs=1e-6)
    assert found.is_sampled == (length > MOST_EXACT)
    assert any(token.error > 0 for token in found.tokens) == found.is_sampled


def test_shapley_values_of_a_short_text_are_exact() -> None:
    ids = [2, 3, 5]

    def worth(subsets: object) -> np.ndarray:
        assert isinstance(subsets, list)
        sums = [sum(list(WEIGHTS.values())[i - 2] for i in ids) for ids in subsets]
        # An empty text is one unknown word.
        return np.array(
            [share(total if ids else -0.25) for total, ids in zip(sums, subsets, strict=True)]
        )

    found = attribute(summing_classifier(), "good bad very", method=Shapley(), explained=1)
    changes = [token.change for token in found.tokens]
    np.testing.assert_allclose(changes, exact_shapley(ids, worth), atol=1e-6)


def test_the_seed_reaches_the_orders() -> None:
    text = "good bad film very " * 4
    changes = [
        [t.change for t in attribute(summing_classifier(), text, method=Shapley(2, seed)).tokens]
        for seed in (0, 0, 1)
    ]
    assert changes[0] == changes[1]
    assert changes[0] != changes[2]


# -------------------------------------------------------------------------- integrated gradients

NETWORKS = {
    **{cell: {"cell": cell} for cell in ("simple_rnn", "lstm", "gru")},
    "bidirectional": {"cell": "gru", "bidirectional": True, "layers": 2},
    "residual": {"cell": "lstm", "layers": 3, "residual": True, "normalization": "layer"},
    "attention": {"cell": "gru", "pooling": "attention", "dense": (3,), "dense_activation": "gelu"},
    "mean": {"cell": "simple_rnn", "pooling": "mean", "normalization": "batch"},
}


@pytest.mark.parametrize("name", NETWORKS)
def test_integrated_gradients_add_up_to_the_difference_to_zero_vectors(name: str) -> None:
    own, ids = network(**NETWORKS[name]), np.array([2, 5, 3, 3, 4])
    values, baseline = integrated_gradients(own, ids, label=1, temperature=1.5, points=64)
    whole = softmax(run(own, ids[np.newaxis]).logits[0] / 1.5)[1]
    assert values.sum() == pytest.approx(whole - baseline, abs=1e-6)
    assert np.abs(values).max() > 1e-3


@pytest.mark.parametrize("name", NETWORKS)
def test_integrated_gradients_are_those_of_finite_differences(name: str) -> None:
    own, ids = network(**NETWORKS[name]), np.array([2, 5, 3])
    vectors = own.table[ids]

    def probability(inputs: np.ndarray) -> float:
        return float(softmax(run(own, inputs=inputs[np.newaxis]).logits[0])[2])

    places, weights = np.polynomial.legendre.leggauss(3)
    expected = np.zeros(3)
    for place, weight in zip((places + 1) / 2, weights / 2, strict=True):
        for token, entry in np.ndindex(vectors.shape):
            step = np.zeros_like(vectors)
            step[token, entry] = 1e-5
            slope = probability(place * vectors + step) - probability(place * vectors - step)
            expected[token] += weight * slope / 2e-5 * vectors[token, entry]
    values, _ = integrated_gradients(own, ids, label=2, points=3)
    np.testing.assert_allclose(values, expected, atol=1e-8)


def test_integrated_gradients_of_a_classifier() -> None:
    own = network(cell="gru", pooling=("mean", "max"))

    def run_graph(ids: np.ndarray) -> np.ndarray:
        rows = [run(own, row[np.newaxis, row > 0]).logits[0] for row in ids]
        return np.array(rows, np.float32)

    classifier = Classifier(encoder(), ("a", "b", "c"), Decision(2.0), run_graph)
    found = attribute(
        classifier, "good zebra bad", method=IntegratedGradients(own, 64), explained=1
    )
    assert found.baseline is not None
    assert found.compared_with == "vectors of zero"
    assert found.total == pytest.approx(found.probabilities[1] - found.baseline, abs=1e-3)
    assert not found.is_sampled
    rough = attribute(classifier, "good zebra bad", method=IntegratedGradients(own, 1), explained=1)
    assert rough.total != pytest.approx(found.total, abs=1e-6)
