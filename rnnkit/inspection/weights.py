"""`model.keras` of a run -> weights by name, without TensorFlow.

The file is a zip of `config.json`, which lists the layers, and `model.weights.h5`, in which every
layer has a group with its variables numbered in the order in which Keras made them.
"""

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from rnnkit.errors import RunError
from rnnkit.runs.directory import RunDirectory, verify_files

_CELL = ("cell/vars", ("kernel", "recurrent_kernel", "bias"))
_VARIABLES: dict[str, tuple[str, tuple[str, ...]]] = {
    "Embedding": ("vars", ("embeddings",)),
    "ReversibleEmbedding": ("vars", ("embeddings",)),
    "SimpleRNN": _CELL,
    "LSTM": _CELL,
    "GRU": _CELL,
    "LayerNormalization": ("vars", ("gamma", "beta")),
    "BatchNormalization": ("vars", ("gamma", "beta", "moving_mean", "moving_variance")),
    "Dense": ("vars", ("kernel", "bias")),
}
"""Classes of Keras with weights: where these are in the layer's group, and their names in order."""


def read_weights(run: RunDirectory) -> dict[str, np.ndarray]:
    """Every weight of a run's `model.keras` as `layer/weight`, float32.

    Raises:
        RunError: the file is missing, damaged, or holds something else than layers of rnnkit.
    """
    verify_files(run, run.keras_model)
    return weights_of_file(run.keras_model)


def weights_of_file(path: Path) -> dict[str, np.ndarray]:
    """The same of a file anywhere.

    Raises:
        RunError: it cannot be read.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            layers = json.loads(archive.read("config.json"))["config"]["layers"]
            content = io.BytesIO(archive.read("model.weights.h5"))
        with h5py.File(content, "r") as file:
            return _weights(layers, file)
    except OSError as error:  # h5py's too
        raise RunError(f"{path}: cannot be read: {error}") from error
    except (zipfile.BadZipFile, zipfile.LargeZipFile, KeyError, TypeError, ValueError) as error:
        raise RunError(
            f"{path}: damaged, or not a model of rnnkit: {str(error).strip() or type(error)}"
        ) from error
    except (AttributeError, IndexError, EOFError, NotImplementedError, RuntimeError) as error:
        raise RunError(f"{path}: damaged, or not a model of rnnkit: {error}") from error


def _weights(layers: list[dict[str, Any]], file: Any) -> dict[str, np.ndarray]:
    groups = {
        _text(group["vars"].attrs["name"]): group
        for group in file["layers"].values()
        if "name" in group["vars"].attrs
    }
    weights = {}
    for layer in layers:
        kind, name = layer["class_name"], layer["config"]["name"]
        if kind not in _VARIABLES:
            continue
        place, names = _VARIABLES[kind]
        variables = groups[name][place]
        # A Dense without bias has fewer.
        for number, weight in enumerate(names[: len(variables)]):
            weights[f"{name}/{weight}"] = np.asarray(variables[str(number)], np.float32)
    return weights


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
