"""The best weights of a run -> model.keras and model.onnx."""

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np

from rnnkit.errors import RunError
from rnnkit.network.keras import build_saved_model, weights_by_name
from rnnkit.network.onnx import export_onnx
from rnnkit.network.spec import NetworkSpec
from rnnkit.runs.checkpoint import read_checkpoint
from rnnkit.runs.directory import RunDirectory, write_manifest
from rnnkit.runs.files import write_atomically


def export_models(run: RunDirectory, spec: NetworkSpec, metadata: Mapping[str, Any]) -> int:
    """Write model.keras and model.onnx from the best checkpoint and seal them.

    Args:
        run: holds the checkpoint.
        spec: its network.
        metadata: JSON values of the task that inference needs.

    Returns the best step.

    Raises:
        RunError: the best checkpoint does not fit the network, or a file cannot be written.
    """
    model = build_saved_model(spec)
    weights, step = _load_best(run, model)
    write_atomically(run.keras_model, _keras_bytes(model))
    write_atomically(run.onnx_model, export_onnx(weights, spec, metadata=metadata))
    write_manifest(run, [run.config, run.keras_model, run.onnx_model])
    return step


def _load_best(run: RunDirectory, model: keras.Model) -> tuple[dict[str, np.ndarray], int]:
    """Give `model` the weights of the best checkpoint; returns them and their step."""
    weights, values = read_checkpoint(run.best_checkpoint)
    if {name: w.shape for name, w in weights_by_name(model).items()} != {
        name: w.shape for name, w in weights.items()
    }:
        raise RunError(f"{run.best_checkpoint}: its weights are not those of {run.config}")
    for layer in model.layers:
        layer.set_weights([weights[f"{layer.name}/{weight.name}"] for weight in layer.weights])
    return weights, int(values["step"])


def _keras_bytes(model: keras.Model) -> bytes:
    # Keras saves to a path only.
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.keras"
        model.save(path)
        return path.read_bytes()
