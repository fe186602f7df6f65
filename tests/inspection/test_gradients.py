"""Gradients over time where their course is known, and what clipping leaves of them."""

import math
from typing import Any

import numpy as np
import pytest

from rnnkit.config.training import SGDConfig
from rnnkit.errors import DataError
from rnnkit.inspection.gradient_study import GradientStudy
from rnnkit.inspection.gradients import show_gradients
from rnnkit.inspection.profiles import (
    Profile,
    StateProfile,
    clipping_of,
    profile_of,
    usual_distance,
)
from rnnkit.network.initializers import untrained
from rnnkit.network.reference import Network, build_network
from rnnkit.tasks.language_model.config import LanguageModelConfig, LanguageTrainingConfig
from rnnkit.tasks.language_model.network import language_network
from rnnkit.views import terminal

VOCABULARY = 5
IDS = np.random.default_rng(0).integers(0, VOCABULARY, 400).astype(np.uint8)
TRAINING = LanguageTrainingConfig(
    max_steps=1, batch_size=8, optimizer=SGDConfig(name="sgd", learning_rate=0.1)
)


def linear(scale: float, *, layers: int = 1) -> Network:
    """A ReLU network that stays above zero, so that its recurrence is the matrix alone: scale
    times a rotation that only exchanges units."""
    units = 4
    draw = np.random.default_rng(1)
    weights: dict[str, np.ndarray] = {}
    for index, width in enumerate([VOCABULARY, *[units] * (layers - 1)]):
        weights |= {
            f"recurrent_{index}/kernel": draw.uniform(0.1, 1.0, (width, units)),
            f"recurrent_{index}/recurrent_kernel": scale * np.eye(units)[[1, 2, 3, 0]],
            f"recurrent_{index}/bias": np.full(units, 0.5),
        }
    weights["logits/kernel"] = draw.normal(size=(units, VOCABULARY)) * 1e-12
    weights["logits/bias"] = draw.normal(size=VOCABULARY)
    model = LanguageModelConfig.model_validate(
        {
            "cell": "simple_rnn",
            "activation": "relu",
            "units": units,
            "layers": layers,
            "input": {"kind": "one_hot"},
        }
    )
    return build_network(language_network(model, vocabulary_size=VOCABULARY), weights)


def profile(network: Network, **reach: Any) -> Profile:
    chosen: dict[str, Any] = {"distance": 30, "windows": 12, "context": None, **reach}
    return profile_of(network, IDS, **chosen)


def fresh(scale: float, **options: Any) -> Network:
    """Random weights, an orthogonal recurrent matrix times `scale`."""
    model = LanguageModelConfig.model_validate({"cell": "simple_rnn", "units": 24, **options})
    network = untrained(language_network(model, vocabulary_size=VOCABULARY), seed=3)
    weights = {
        name: weight * scale if "recurrent_kernel" in name else weight
        for name, weight in network.weights.items()
    }
    return build_network(language_network(model, vocabulary_size=VOCABULARY), weights)


@pytest.mark.parametrize("scale", [0.5, 0.9, 1.0, 1.25, 2.0])
def test_a_linear_recurrence_multiplies_by_its_scale(scale: float) -> None:
    (state,) = profile(linear(scale)).states
    wanted = state.norms[0] * scale ** np.arange(31)
    np.testing.assert_allclose(state.norms, wanted, rtol=1e-9)
    assert state.factor == pytest.approx(scale, rel=1e-9)
    assert state.ratio == pytest.approx(scale**30, rel=1e-9)


@pytest.mark.parametrize(
    ("scale", "trend"),
    [(0.5, "vanishes"), (0.9, "fades"), (1.0, "lasts"), (1.05, "grows"), (2.0, "explodes")],
)
def test_its_trend_is_named(scale: float, trend: str) -> None:
    assert profile(linear(scale)).states[0].trend == trend


def test_a_simple_rnn_vanishes_at_least_as_fast_as_its_matrix_shrinks() -> None:
    """The slope of tanh is below 1, so the norm is below 0.5 to the power of the distance."""
    (state,) = profile(fresh(0.5)).states
    bound = state.norms[0] * 0.5 ** np.arange(31)
    assert (state.norms <= bound * (1 + 1e-12)).all()
    assert state.trend == "vanishes"
    assert state.norms[10] < 1e-3 * state.norms[0]


def test_a_simple_rnn_explodes_with_a_large_matrix() -> None:
    (state,) = profile(fresh(4.0)).states
    assert state.trend == "explodes"
    assert state.norms[30] > 1e3 * state.norms[0]
    (tame,) = profile(fresh(1.0)).states
    assert 0.3 < tame.ratio < 1.0


def test_an_orthogonal_matrix_carries_further_than_fresh_gates() -> None:
    """What `--compare cells` shows, and why it says that training is what counts."""
    (simple,) = profile(fresh(1.0)).states
    gated = {cell: profile(fresh(1.0, cell=cell)).states for cell in ("lstm", "gru")}
    assert [state.kind for state in gated["lstm"]] == ["hidden", "cell"]
    for states in gated.values():
        assert states[0].ratio < 1e-2 * simple.ratio


def test_each_layer_has_a_curve() -> None:
    first, second = profile(linear(0.5, layers=2)).states
    assert (first.layer, second.layer) == ("recurrent_0", "recurrent_1")
    # With two layers there is a path for each step at which one may change levels.
    steps = np.arange(31)
    np.testing.assert_allclose(second.norms, second.norms[0] * 0.5**steps, rtol=1e-9)
    assert (first.norms[5:] > first.norms[0] * 0.5 ** steps[5:]).all()


def test_numbers_beyond_all_range_are_said_to_explode() -> None:
    (state,) = profile(linear(1e30), distance=30).states
    assert not math.isfinite(state.ratio)
    assert state.trend == "explodes"


def test_a_gradient_that_is_zero_everywhere_has_no_factor() -> None:
    assert math.isnan(StateProfile("r", "hidden", np.zeros(4)).factor)
    with_gap = StateProfile("r", "hidden", np.array([1.0, 0.5, 0.25, 0.0]))
    assert with_gap.factor == pytest.approx(0.5)
    assert with_gap.trend == "vanishes"


def test_windows_begin_where_the_text_allows() -> None:
    found = profile(fresh(1.0), windows=1000, distance=30)
    assert found.windows == 400 - (31 + 31 + 1) + 1  # one at every place, after a warm-up
    assert found.warm_up == 31
    assert profile(fresh(1.0), context=31).warm_up == 0
    with pytest.raises(DataError, match="reach 9 steps back"):
        profile(fresh(1.0), context=10)
    with pytest.raises(DataError, match="needs 501"):
        profile(fresh(1.0), distance=499)


def test_norms_further_apart_than_floats_reach_are_shown() -> None:
    """The ratio of the smallest and the largest norm is zero in float64."""
    state = StateProfile("r", "hidden", np.array([1e300, 1e-30, 0.0, np.inf, np.nan]))
    study = GradientStudy((Profile("n", "gru", "", 1, 0, (state,)),), None, "text", ())
    assert "█▁▁██" in terminal.render(show_gradients(study))


@pytest.mark.parametrize(
    ("context", "tokens", "wanted"), [(None, 400, 50), (None, 20, 18), (10, 400, 9), (3, 4, 2)]
)
def test_the_usual_distance_fits(context: int | None, tokens: int, wanted: int) -> None:
    assert usual_distance(context, tokens) == wanted


# ------------------------------------------------------------------------------------- clipping


def clipping(**options: Any) -> Any:
    training = TRAINING.model_copy(update=options.pop("training", {}))
    chosen = {"context": None, "length": 10, "clip_norm": None, **options}
    return clipping_of(fresh(1.0), IDS, training, **chosen)


def test_without_a_limit_nothing_changes() -> None:
    found = clipping()
    assert found.before == found.after
    assert found.norm_before == pytest.approx(np.sqrt(sum(n**2 for n in found.before.values())))
    assert (found.windows, found.steps) == (8, 10)


def test_clip_norm_scales_everything_alike() -> None:
    found = clipping(clip_norm=0.01)
    assert found.norm_after == pytest.approx(0.01)
    ratios = {found.after[name] / norm for name, norm in found.before.items()}
    assert max(ratios) == pytest.approx(min(ratios))
    assert clipping(clip_norm=1e6).after == pytest.approx(found.before)


def test_clip_value_comes_first_and_turns_the_gradient() -> None:
    found = clipping(training={"clip_value": 1e-3})
    ratios = [found.after[name] / norm for name, norm in found.before.items()]
    assert max(ratios) > 1.5 * min(ratios)
    both = clipping(training={"clip_value": 1e-3}, clip_norm=found.norm_after / 2)
    assert both.norm_after == pytest.approx(found.norm_after / 2)


def test_frozen_weights_have_no_gradient() -> None:
    assert "embedding/embeddings" in clipping().before
    assert "embedding/embeddings" not in clipping(frozen=("embedding/embeddings",)).before


@pytest.mark.parametrize("context", [None, 10])
def test_the_gradient_is_the_one_that_training_reports(context: int | None) -> None:
    from rnnkit.data.batches import Batch
    from rnnkit.network.keras import build_training_model
    from rnnkit.training.execution import choose_execution
    from rnnkit.training.objective import cross_entropy
    from rnnkit.training.step import Learner

    network = fresh(1.0)
    model = LanguageModelConfig(cell="simple_rnn", units=24)
    built = build_training_model(
        language_network(model, vocabulary_size=VOCABULARY, every_step=context is None)
    )
    for layer in built.layers:
        for weight in layer.weights:
            weight.assign(network.weights[f"{layer.name}/{weight.name}"])
    learner = Learner(
        built,
        TRAINING,
        cross_entropy(),
        execution=choose_execution(batch_size=1),
        state_sizes=[state.units for state in language_network(model).states],
    )
    starts = np.unique(np.linspace(0, len(IDS) - 11, 8).astype(int))
    rows = np.stack([IDS[start : start + 11] for start in starts]).astype(np.int32)
    targets = rows[:, 1:] if context is None else rows[:, -1:]
    batch = Batch(rows[:, :-1], targets, np.ones(targets.shape, np.float32), starts_stream=True)
    learner.update(batch, learner.zero_states(8), 0.0)
    found = clipping(context=context)
    assert found.norm_before == pytest.approx(learner.means().gradient_norm, rel=1e-4)
