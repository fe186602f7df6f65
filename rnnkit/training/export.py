"""The best weights of a run -> model.keras and model.onnx."""

import tempfile
from pathlib import Path

import keras

from rnnkit.config.schema import Config, SlidingWindows
from rnnkit.errors import RunError
from rnnkit.model.build import build_saved_model, weights_by_name
from rnnkit.model.export_onnx import InferenceFacts, export_onnx
from rnnkit.run import RunDirectory, write_atomically, write_manifest
from rnnkit.training.checkpoint import read_checkpoint


def context_length(config: Config) -> int | None:
    """Tokens that a prediction sees: the length of sliding windows, None where the state is
    carried without end."""
    windows = config.data.windows
    return windows.length if isinstance(windows, SlidingWindows) else None


def export_models(config: Config, run: RunDirectory, *, vocabulary_size: int) -> int:
    """Write both models from the best checkpoint and seal them; returns the best step.

    Raises:
        RunError: the best checkpoint does not fit the configuration, or a file cannot be written.
    """
    weights, facts = read_checkpoint(run.best_checkpoint)
    model = build_saved_model(
        config.model, vocabulary_size=vocabulary_size, every_step=context_length(config) is None
    )
    if {name: w.shape for name, w in weights_by_name(model).items()} != {
        name: w.shape for name, w in weights.items()
    }:
        raise RunError(f"{run.best_checkpoint}: its weights are not those of {run.config}")
    for layer in model.layers:
        layer.set_weights([weights[f"{layer.name}/{weight.name}"] for weight in layer.weights])
    write_atomically(run.keras_model, _keras_bytes(model))
    inference = InferenceFacts(
        task=config.task,
        context=context_length(config),
        generation=config.generation.model_dump(mode="json"),
    )
    onnx_bytes = export_onnx(
        weights, model=config.model, vocabulary_size=vocabulary_size, facts=inference
    )
    write_atomically(run.onnx_model, onnx_bytes)
    write_manifest(run, [run.config, run.keras_model, run.onnx_model])
    return int(facts["step"])


def _keras_bytes(model: keras.Model) -> bytes:
    # Keras saves to a path only.
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.keras"
        model.save(path)
        return path.read_bytes()
