"""The best weights of a run -> model.keras and model.onnx."""

import tempfile
from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np

from rnnkit.data.windows import context_length
from rnnkit.errors import RunError
from rnnkit.network.keras import build_saved_model, weights_by_name
from rnnkit.network.keras_classifier import build_saved_classifier
from rnnkit.network.onnx import InferenceFacts, export_onnx
from rnnkit.network.onnx_classifier import export_classifier
from rnnkit.runs.checkpoint import read_checkpoint
from rnnkit.runs.directory import RunDirectory, write_manifest
from rnnkit.runs.files import write_atomically
from rnnkit.tasks.language_model.config import LanguageConfig
from rnnkit.tasks.text_classification.config import ClassificationConfig


def export_language_model(
    config: LanguageConfig, run: RunDirectory, *, vocabulary_size: int, vector_size: int | None
) -> int:
    """Write both models of a language model from the best checkpoint and seal them.

    Returns the best step.

    Raises:
        RunError: the best checkpoint does not fit the configuration, or a file cannot be written.
    """
    context = context_length(config.data.windows)
    model = build_saved_model(
        config.model,
        vocabulary_size=vocabulary_size,
        every_step=context is None,
        vector_size=vector_size,
    )
    weights, step = _load_best(run, model)
    inference = InferenceFacts(
        task=config.task, context=context, generation=config.generation.model_dump(mode="json")
    )
    onnx_bytes = export_onnx(
        weights, model=config.model, vocabulary_size=vocabulary_size, facts=inference
    )
    _write(run, model, onnx_bytes)
    return step


def export_classification_model(
    config: ClassificationConfig,
    run: RunDirectory,
    *,
    vocabulary_size: int,
    classes: Sequence[str],
    embedding_size: int,
) -> int:
    """The same for a classifier."""
    model = build_saved_classifier(
        config.model,
        vocabulary_size=vocabulary_size,
        classes=len(classes),
        embedding_size=embedding_size,
    )
    weights, step = _load_best(run, model)
    onnx_bytes = export_classifier(
        weights,
        model=config.model,
        vocabulary_size=vocabulary_size,
        classes=classes,
        embedding_size=embedding_size,
    )
    _write(run, model, onnx_bytes)
    return step


def _load_best(run: RunDirectory, model: keras.Model) -> tuple[dict[str, np.ndarray], int]:
    """Give `model` the weights of the best checkpoint; returns them and their step."""
    weights, facts = read_checkpoint(run.best_checkpoint)
    if {name: w.shape for name, w in weights_by_name(model).items()} != {
        name: w.shape for name, w in weights.items()
    }:
        raise RunError(f"{run.best_checkpoint}: its weights are not those of {run.config}")
    for layer in model.layers:
        layer.set_weights([weights[f"{layer.name}/{weight.name}"] for weight in layer.weights])
    return weights, int(facts["step"])


def _write(run: RunDirectory, model: keras.Model, onnx_bytes: bytes) -> None:
    write_atomically(run.keras_model, _keras_bytes(model))
    write_atomically(run.onnx_model, onnx_bytes)
    write_manifest(run, [run.config, run.keras_model, run.onnx_model])


def _keras_bytes(model: keras.Model) -> bytes:
    # Keras saves to a path only.
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.keras"
        model.save(path)
        return path.read_bytes()
