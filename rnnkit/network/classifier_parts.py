"""The parts of a classifier, their names and sizes: what the trained network, the saved one and
`model.onnx` agree on. Neither TensorFlow nor ONNX."""

from typing import NamedTuple

from rnnkit.tasks.text_classification.config import ClassifierConfig, DenseActivation, Pooling

FAR_BELOW = -1e30
"""Stands in for what padding may not win: below any score and any output, yet finite."""


class DenseLayer(NamedTuple):
    """One of the layers between the pooling and the logits."""

    name: str
    units: int
    activation: DenseActivation


def recurrent_names(model: ClassifierConfig, index: int) -> tuple[str, ...]:
    """The recurrent layer at `index`, or its two: `recurrent_0_forward`, `recurrent_0_backward`."""
    name = f"recurrent_{index}"
    return (f"{name}_forward", f"{name}_backward") if model.bidirectional else (name,)


def poolings(model: ClassifierConfig) -> tuple[Pooling, ...]:
    """What is joined to the vector of a text, in this order."""
    return (model.pooling,) if isinstance(model.pooling, str) else model.pooling


def dense_layers(model: ClassifierConfig) -> tuple[DenseLayer, ...]:
    """The layers between the pooling and the logits, `dense_0` first."""
    activations = model.dense_activation
    if isinstance(activations, str):
        activations = (activations,) * len(model.dense)
    pairs = enumerate(zip(model.dense, activations, strict=True))
    return tuple(DenseLayer(f"dense_{index}", *pair) for index, pair in pairs)


def logit_units(model: ClassifierConfig, classes: int) -> int:
    """Units of the layer `logits`: a sigmoid has one, for the second class."""
    return 1 if model.output == "sigmoid" else classes
