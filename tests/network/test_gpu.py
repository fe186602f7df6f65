"""What runs on a GPU, shown without one.

Two stand-ins for cuDNN. The graph of a training step, built as if there were a GPU, holds
TensorFlow's real operators and their gradients: they are counted. And an emulation of the operator
takes its parameter vector apart as cuDNN's documentation lays it out and computes with it: what
trains through it has to be what trains on a CPU.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from rnnkit.data.batches import Batch
from rnnkit.network import gpu as cudnn
from rnnkit.network.keras import build_training_model, weights_by_name
from rnnkit.network.kernels import fused as kernel
from rnnkit.network.layers import HostSeeds, describe_gpu_routes, keep_seeds_on_host
from rnnkit.tasks.language_model.config import LanguageModelConfig, LanguageTrainingConfig
from rnnkit.tasks.language_model.network import language_network
from rnnkit.tasks.text_classification.config import ClassifierConfig, LearnedEmbedding
from rnnkit.tasks.text_classification.network import classifier_network
from rnnkit.training.execution import choose_execution, has_gpu
from rnnkit.training.objective import cross_entropy
from rnnkit.training.step import Learner

VOCABULARY = 11
CELLS = ("simple_rnn", "lstm", "gru")
MODES = {"simple_rnn": "rnn_tanh", "lstm": "lstm", "gru": "gru"}
HAS_GPU = has_gpu()
DROPOUTS: dict[str, Any] = {"dropout": 0.3, "recurrent_dropout": 0.4}


@pytest.fixture(autouse=True)
def _nothing_tried_before() -> Iterator[None]:
    cudnn.choose_route.cache_clear()
    yield
    cudnn.choose_route.cache_clear()


def with_gpu(listed: Callable[..., list[Any]]) -> Callable[..., list[Any]]:
    """A list of devices that begins with a GPU."""

    def devices(kind: str | None = None) -> list[Any]:
        return ["GPU:0"] * (kind in (None, "GPU")) + listed(kind)

    return devices


@pytest.fixture
def pretend_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every question for a GPU is answered with yes."""
    for name in ("list_physical_devices", "list_logical_devices"):
        monkeypatch.setattr(tf.config, name, with_gpu(getattr(tf.config, name)))
    build = {"is_cuda_build": True, "is_rocm_build": False}
    monkeypatch.setattr(tf.sysconfig, "get_build_info", lambda: build)
    monkeypatch.setattr("rnnkit.training.execution.describe_device", lambda: "GPU")


@pytest.fixture
def emulated(pretend_gpu: None, monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """An emulated cuDNN; counts the calls of every mode."""
    calls: Counter[str] = Counter()

    def operator(**arguments: Any) -> Any:
        calls[arguments["rnn_mode"]] += 1
        return emulated_cudnn(**arguments)

    monkeypatch.setattr(tf.raw_ops, "CudnnRNNV3", operator)
    return calls


def emulated_cudnn(
    *,
    input: Any,
    input_h: Any,
    input_c: Any,
    params: Any,
    sequence_lengths: Any,
    rnn_mode: str,
    is_training: bool,
    time_major: bool,
    input_mode: str = "linear_input",
    direction: str = "unidirectional",
) -> tuple[Any, ...]:
    """One layer in one direction, from the equations and the layout of `cudnnRNNMode_t` and
    `cudnnGetRNNWeightParams` in NVIDIA's reference."""
    assert is_training, "TensorFlow refuses the gradient otherwise"
    assert (input_mode, direction) == ("linear_input", "unidirectional")
    assert {value.dtype for value in (input, input_h, params)} == {tf.float32}
    if not time_major:
        input, input_h = tf.transpose(input, [1, 0, 2]), tf.transpose(input_h, [1, 0, 2])
    units, features = input_h.shape[-1], input.shape[-1]
    gates = {"rnn_tanh": 1, "rnn_relu": 1, "gru": 3, "lstm": 4}[rnn_mode]
    sizes = [units * features] * gates + [units * units] * gates + [units] * (2 * gates)
    assert params.shape.rank == 1
    tf.debugging.assert_equal(tf.size(params), sum(sizes))
    tf.debugging.assert_equal(sequence_lengths, tf.fill([tf.shape(input)[1]], tf.shape(input)[0]))
    parts = tf.split(params, sizes)
    w = [tf.reshape(part, [units, features]) for part in parts[:gates]]
    r = [tf.reshape(part, [units, units]) for part in parts[gates : 2 * gates]]
    b = parts[2 * gates : 3 * gates]
    c = parts[3 * gates :]

    def of_input(gate: int, x: Any) -> Any:
        return tf.matmul(x, w[gate], transpose_b=True) + b[gate]

    def of_hidden(gate: int, h: Any) -> Any:
        return tf.matmul(h, r[gate], transpose_b=True) + c[gate]

    def pre(gate: int, x: Any, h: Any) -> Any:
        return of_input(gate, x) + of_hidden(gate, h)

    def step(before: Any, x: Any) -> Any:
        h, cell = before
        match rnn_mode:
            case "rnn_tanh":
                return tf.tanh(pre(0, x, h)), cell
            case "rnn_relu":
                return tf.nn.relu(pre(0, x, h)), cell
            case "gru":
                reset, update = tf.sigmoid(pre(0, x, h)), tf.sigmoid(pre(1, x, h))
                new = tf.tanh(of_input(2, x) + reset * of_hidden(2, h))
                return (1.0 - update) * new + update * h, cell
            case "lstm":
                take, keep = tf.sigmoid(pre(0, x, h)), tf.sigmoid(pre(1, x, h))
                cell = keep * cell + take * tf.tanh(pre(2, x, h))
                return tf.sigmoid(pre(3, x, h)) * tf.tanh(cell), cell
            case _:
                raise AssertionError(rnn_mode)

    cell = tf.zeros_like(input_h[0])
    if rnn_mode == "lstm":
        cell = input_c[0] if time_major else tf.transpose(input_c, [1, 0, 2])[0]
    hidden, cells = tf.scan(step, input, (input_h[0], cell))
    last, last_cell = hidden[-1][tf.newaxis], cells[-1][tf.newaxis]
    if not time_major:
        hidden, last, last_cell = (
            tf.transpose(value, [1, 0, 2]) for value in (hidden, last, last_cell)
        )
    return hidden, last, last_cell, None, None


# ------------------------------------------------------------------- Elman's layer in cuDNN


def arguments(
    *, time: int = 6, batch: int = 3, features: int = 5, units: int = 4
) -> tuple[Any, Any, list[Any]]:
    """Inputs, state and weights, small enough that ReLU does not grow from step to step."""
    generator = np.random.default_rng(3)
    shapes = [
        (time, batch, features),
        (batch, units),
        (features, units),
        (units, units),
        (units,),
    ]
    inputs, state, *weights = (
        tf.Variable(generator.normal(0.0, 0.4, shape), dtype=tf.float32) for shape in shapes
    )
    return inputs, state, weights


def results(run: cudnn.Run, activation: kernel.Activation, given: Any) -> list[np.ndarray]:
    """Hidden states, and the gradients of all that is given."""
    inputs, state, weights = given
    with tf.GradientTape() as tape:
        hidden = run(inputs, state, weights, activation)
        loss = tf.reduce_sum(tf.sin(1.3 * hidden) * tf.cos(hidden))
    found = [hidden, *tape.gradient(loss, [inputs, state, *weights])]
    return [np.asarray(value) for value in found]


@pytest.mark.parametrize("activation", ["tanh", "relu"])
@pytest.mark.parametrize(
    "sizes", [{}, {"time": 1}, {"batch": 1}, {"features": 1}, {"units": 1}, {"units": 5}], ids=str
)
def test_elmans_layer_in_cudnn_is_that_of_the_cpu(
    emulated: Counter[str], activation: Any, sizes: dict[str, int]
) -> None:
    given = arguments(**sizes)
    expected = results(kernel.simple_rnn, activation, given)
    found = results(cudnn.simple_rnn, activation, given)
    assert emulated == {f"rnn_{activation}": 1}
    for left, right in zip(found, expected, strict=True):
        np.testing.assert_allclose(left, right, rtol=1e-4, atol=1e-5)


@pytest.mark.usefixtures("emulated")
def test_cudnn_computes_in_float32_whatever_comes_in() -> None:
    """The emulation refuses any other: in bfloat16 the operator's gradients are wrong."""
    inputs, state, weights = arguments()
    rounded = [tf.cast(value, tf.bfloat16) for value in (inputs, state, *weights)]
    hidden = cudnn.simple_rnn(rounded[0], rounded[1], rounded[2:])
    assert hidden.dtype == tf.float32
    widened = [tf.cast(value, tf.float32) for value in rounded]
    expected = kernel.simple_rnn(widened[0], widened[1], widened[2:])
    np.testing.assert_allclose(hidden, expected, atol=1e-5)


# -------------------------------------------------------------------------------- the trial


@pytest.mark.parametrize("activation", ["tanh", "relu"])
@pytest.mark.parametrize(("features", "units"), [(1, 1), (1, 64), (7, 2), (64, 64), (200, 128)])
def test_a_correct_cudnn_is_chosen(
    emulated: Counter[str], activation: Any, features: int, units: int
) -> None:
    route = cudnn.choose_route(features=features, units=units, activation=activation)
    assert (str(route), route.run) == ("cuDNN", cudnn.simple_rnn)
    before = emulated.total()
    assert cudnn.choose_route(features=features, units=units, activation=activation) is route
    assert emulated.total() == before, "tried once"


def flat(*parts: Any) -> Any:
    return tf.concat([tf.reshape(part, [-1]) for part in parts], axis=0)


MISTAKES: dict[str, Callable[[Any, Any, Any], Any]] = {
    "kernel not transposed": lambda k, r, b: flat(k, tf.transpose(r), 0 * b, b),
    "recurrent kernel not transposed": lambda k, r, b: flat(tf.transpose(k), r, 0 * b, b),
    "matrices exchanged": lambda k, r, b: flat(tf.transpose(r), tf.transpose(k), 0 * b, b),
    "biases first": lambda k, r, b: flat(0 * b, b, tf.transpose(k), tf.transpose(r)),
    "bias twice": lambda k, r, b: flat(tf.transpose(k), tf.transpose(r), b, b),
    "no bias": lambda k, r, b: flat(tf.transpose(k), tf.transpose(r), 0 * b, 0 * b),
    "shifted by one": lambda k, r, b: tf.roll(flat(tf.transpose(k), tf.transpose(r), b, b), 1, 0),
    "one bias missing": lambda k, r, b: flat(tf.transpose(k), tf.transpose(r), b),
    "no gradient of the recurrent kernel": lambda k, r, b: flat(
        tf.transpose(k), tf.stop_gradient(tf.transpose(r)), 0 * b, b
    ),
    "not a number": lambda k, r, b: flat(tf.transpose(k), tf.transpose(r), 0 * b, b) * np.nan,
}


@pytest.mark.usefixtures("emulated")
@pytest.mark.parametrize("activation", ["tanh", "relu"])
@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_wrong_cudnn_is_found_out(
    monkeypatch: pytest.MonkeyPatch, mistake: str, activation: Any
) -> None:
    monkeypatch.setattr(cudnn, "parameter_vector", MISTAKES[mistake])
    fault = cudnn.find_fault(cudnn.simple_rnn, features=32, units=32, activation=activation)
    assert fault is not None


def test_rounded_factors_are_no_fault() -> None:
    """Tensor cores round to 11 bits; bfloat16 to 8, which is more than they do."""

    def rounded(inputs: Any, state: Any, weights: Any, activation: Any) -> Any:
        def cut(value: Any) -> Any:
            return tf.cast(tf.cast(value, tf.bfloat16), tf.float32)

        kernel_, recurrent, bias = weights
        return kernel.simple_rnn(
            cut(inputs), cut(state), [cut(kernel_), cut(recurrent), bias], activation
        )

    for activation in ("tanh", "relu"):
        for size in (8, 512):
            assert (
                cudnn.find_fault(rounded, features=size, units=size, activation=activation) is None
            )


@pytest.mark.skipif(not HAS_GPU, reason="needs a GPU")
@pytest.mark.parametrize("activation", ["tanh", "relu"])
@pytest.mark.parametrize(("features", "units"), [(1, 1), (3, 5), (65, 128), (512, 512)])
def test_on_a_gpu_both_routes_are_right(activation: Any, features: int, units: int) -> None:
    size: dict[str, Any] = {"features": features, "units": units, "activation": activation}
    assert cudnn.find_fault(cudnn.simple_rnn, **size) is None
    assert cudnn.find_fault(cudnn.compiled_simple_rnn, **size) is None


@pytest.mark.skipif(HAS_GPU, reason="needs a machine without a GPU")
@pytest.mark.parametrize("activation", ["tanh", "relu"])
def test_without_cudnn_the_loop_is_compiled(activation: Any) -> None:
    """Here the operator has no kernel, as on a machine whose driver does not fit."""
    route = cudnn.choose_route(features=5, units=4, activation=activation)
    assert (route.name, route.run) == ("XLA", cudnn.compiled_simple_rnn)
    assert len(route.faults) == 1
    assert "CudnnRNNV3" in str(route)


def test_without_either_the_loop_runs_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*arguments: Any) -> Any:
        raise tf.errors.InternalError(None, None, "libdevice not found\nat all")

    monkeypatch.setattr(cudnn, "simple_rnn", broken)
    monkeypatch.setattr(cudnn, "compiled_simple_rnn", broken)
    route = cudnn.choose_route(features=5, units=4, activation="tanh")
    assert (route.name, route.run) == ("TensorFlow", kernel.simple_rnn)
    assert str(route) == "TensorFlow (cuDNN: libdevice not found; XLA: libdevice not found)"


@pytest.mark.skipif(HAS_GPU, reason="needs a machine without a GPU")
def test_the_trial_leaves_a_graph_under_construction_alone() -> None:
    names: list[str] = []

    def build() -> Any:
        names.append(cudnn.choose_route(features=5, units=4, activation="tanh").name)
        return tf.constant(1.0)

    operators = tf.function(build).get_concrete_function().graph.get_operations()
    assert names == ["XLA"]
    assert {operator.type for operator in operators} == {"Const", "Identity"}


@pytest.mark.parametrize("activation", ["tanh", "relu"])
@pytest.mark.parametrize("time", [1, 16, 17, 40])
def test_the_compiled_loop_is_the_loop(activation: Any, time: int) -> None:
    given = arguments(time=time)
    compiled = tf.function(
        lambda x, h, *weights: cudnn.compiled_simple_rnn(x, h, weights, activation),
        input_signature=[
            tf.TensorSpec([None, None, 5]),
            tf.TensorSpec([None, 4]),
            *(tf.TensorSpec(weight.shape) for weight in given[2]),
        ],
    )

    def run(inputs: Any, state: Any, weights: Sequence[Any], _: Any) -> Any:
        return compiled(inputs, state, *map(tf.convert_to_tensor, weights))

    expected = results(kernel.simple_rnn, activation, given)
    for left, right in zip(results(run, activation, given), expected, strict=True):
        np.testing.assert_allclose(left, right, rtol=1e-3, atol=1e-4)


# ------------------------------------------------------------------------- whole networks


def language_learner(cell: Any, **options: Any) -> Learner:
    keras.utils.set_random_seed(5)
    model = LanguageModelConfig(cell=cell, units=6, layers=2, **DROPOUTS, **options)
    return Learner(
        build_training_model(language_network(model, vocabulary_size=VOCABULARY)),
        LanguageTrainingConfig(max_steps=3, clip_norm=1.0),
        cross_entropy(),
        execution=choose_execution(batch_size=4),
        state_sizes=[state.units for state in language_network(model).states],
    )


def classification_learner(cell: Any) -> Learner:
    keras.utils.set_random_seed(5)
    model = ClassifierConfig(
        cell=cell,
        units=6,
        layers=2,
        bidirectional=True,
        embedding_dropout=0.1,
        embedding=LearnedEmbedding(size=5),
        **DROPOUTS,
    )
    return Learner(
        build_training_model(classifier_network(model, vocabulary_size=VOCABULARY, classes=3)),
        LanguageTrainingConfig(max_steps=3),
        cross_entropy(),
        execution=choose_execution(batch_size=4),
    )


def token_batch(seed: int) -> Batch:
    generator = np.random.default_rng(seed)
    inputs, targets = generator.integers(0, VOCABULARY, (2, 4, 7), np.int32)
    return Batch(inputs, targets, np.ones((4, 7), np.float32), starts_stream=seed == 0)


def text_batch(seed: int) -> Batch:
    """Texts of different lengths, padded on the right with 0."""
    generator = np.random.default_rng(seed)
    inputs = generator.integers(1, VOCABULARY, (4, 7), np.int32)
    inputs[np.arange(7) >= np.array([[7], [1], [4], [6]])] = 0
    targets = generator.integers(0, 3, (4, 1), np.int32)
    return Batch(inputs, targets, np.ones((4, 1), np.float32), starts_stream=False)


TASKS: dict[str, tuple[Callable[..., Learner], Callable[[int], Batch], int]] = {
    "language": (language_learner, token_batch, 2),
    "classification": (classification_learner, text_batch, 4),  # two layers, two directions
}


def operators(function: Any) -> Counter[str]:
    """How often the graph of a compiled step has each of cuDNN's operators."""
    graph = function.get_concrete_function().graph
    kinds = (operator.type for operator in graph.get_operations())
    return Counter(kind for kind in kinds if "Cudnn" in kind)


@pytest.mark.usefixtures("pretend_gpu")
@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("task", TASKS)
def test_every_step_is_built_with_cudnn(
    task: str, cell: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Dropout, DropConnect and texts of different lengths included: for the update with its
    gradient, for evaluation, and for sampling."""
    monkeypatch.setattr(cudnn, "find_fault", lambda run, **size: None)
    build, _, layers = TASKS[task]
    learner = build(cell)
    assert operators(learner._update) == {"CudnnRNNV3": layers, "CudnnRNNBackpropV3": layers}
    assert operators(learner._score) == {"CudnnRNNV3": layers}
    assert operators(learner._predict) == {"CudnnRNNV3": layers}
    says = describe_gpu_routes(learner.model)
    assert says == ("rnnkit, cuDNN" if cell == "simple_rnn" else "keras, cuDNN")


def trained(build: Callable[..., Learner], batch: Callable[[int], Batch], cell: str) -> Any:
    """What three updates make of the weights, and what is evaluated and predicted after them."""
    learner = build(cell)
    states: Sequence[Any] = learner.zero_states(4)
    for seed in range(3):
        states = learner.update(batch(seed), states, 0.05)
    scores, after = learner.score(batch(3), states)
    logits, _ = learner.predict(batch(4).inputs, states)
    arrays = {name: np.array(value) for name, value in weights_by_name(learner.model).items()}
    arrays |= {f"state {i}": np.asarray(state) for i, state in enumerate([*states, *after])}
    return {**arrays, "scores": np.asarray(scores), "logits": logits}


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize(
    "task", ["language", pytest.param("classification", marks=pytest.mark.slow)]
)
def test_training_through_cudnn_is_training_on_a_cpu(
    task: str, cell: str, request: pytest.FixtureRequest
) -> None:
    """Weights after some updates are equal, so the masked recurrent matrix went in, and its
    gradient came back to the variable."""
    build, batch, layers = TASKS[task]
    expected = trained(build, batch, cell)
    calls = request.getfixturevalue("emulated")
    found = trained(build, batch, cell)
    assert calls[MODES[cell]] >= 3 * layers
    assert set(calls) == {MODES[cell]}
    for name, value in expected.items():
        np.testing.assert_allclose(found[name], value, rtol=2e-3, atol=2e-4, err_msg=name)


@pytest.mark.usefixtures("emulated")
def test_a_mask_of_drop_connect_is_in_the_parameter_vector(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The same masked matrix that a CPU would use: some of its weights are exactly zero, and
    those get no gradient."""
    seen: list[Any] = []
    emulation = tf.raw_ops.CudnnRNNV3

    def spy(**arguments: Any) -> Any:
        seen.append(arguments["params"])
        return emulation(**arguments)

    learner = language_learner("lstm")
    layer = learner.model.get_layer("recurrent_0")
    monkeypatch.setattr(tf.raw_ops, "CudnnRNNV3", spy)
    variable = layer.cell.recurrent_kernel.value
    features = layer.cell.kernel.shape[0]
    x = tf.random.stateless_normal([4, 7, features], (1, 2))
    with tf.GradientTape() as tape:
        outputs, *_ = layer(x, initial_state=[tf.ones([4, 6])] * 2, training=True)
        loss = tf.reduce_sum(outputs**2)
    gradient = np.asarray(tape.gradient(loss, variable))
    start = 4 * 6 * features
    (params,) = seen
    blocks = np.asarray(params)[start : start + 4 * 6 * 6].reshape(4, 6, 6)
    in_use = np.concatenate([block.T for block in blocks], axis=1)
    dropped = in_use == 0.0
    assert 0.2 < dropped.mean() < 0.6
    np.testing.assert_allclose(in_use[~dropped], np.asarray(variable)[~dropped] / 0.6, rtol=1e-6)
    np.testing.assert_array_equal(gradient == 0.0, dropped)


# --------------------------------------------------------------------------------- seeds


def masked(rate: float = 0.5) -> keras.Model:
    keras.utils.set_random_seed(3)
    ids = keras.Input((None, 4))
    x = keras.layers.Dropout(rate, name="first")(ids)
    x = keras.layers.SpatialDropout1D(0.3, name="second")(x)
    return keras.Model(ids, keras.layers.Dropout(0.0, name="none")(x))


def test_seeds_on_the_host_draw_the_masks_of_keras() -> None:
    stock, ours = masked(), masked()
    keep_seeds_on_host(ours)
    assert len(ours.variables) == len(stock.variables) == 2
    x = tf.ones((2, 5, 4))
    functions = [
        tf.function(lambda x, model=model: model(x, training=True)) for model in (stock, ours)
    ]
    drawn = [[np.asarray(function(x)) for _ in range(3)] for function in functions]
    np.testing.assert_array_equal(drawn[0], drawn[1])
    assert not np.array_equal(drawn[0][0], drawn[0][1])
    for left, right in zip(stock.variables, ours.variables, strict=True):
        np.testing.assert_array_equal(left.numpy(), right.numpy())


def test_drop_connect_takes_the_seed_that_is_next() -> None:
    seeds = HostSeeds(seed=2**40 + 7)
    for _ in range(3):
        current = np.asarray(seeds.current())
        assert current.dtype == np.int32
        np.testing.assert_array_equal(current, seeds.current())
        np.testing.assert_array_equal(current, seeds.next())


@pytest.mark.usefixtures("pretend_gpu")
@pytest.mark.parametrize("task", TASKS)
def test_no_mask_waits_for_the_gpu(task: str) -> None:
    """Whatever a random operator reads as its seed is computed on the host."""
    build, _, _ = TASKS[task]
    graph = build("lstm")._update.get_concrete_function().graph
    draws = [op for op in graph.get_operations() if op.type == "StatelessRandomGetKeyCounter"]
    assert len(draws) >= 4
    for draw in draws:
        operator = draw.inputs[0].op
        while operator.type != "ReadVariableOp":
            assert operator.device.endswith("CPU:0"), operator.name
            operator = operator.inputs[0].op
