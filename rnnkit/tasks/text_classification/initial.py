"""Weights that training of a classifier starts from: pretrained word vectors, another run.

NumPy alone: what does not fit is said before TensorFlow is loaded.
"""

from collections.abc import Iterator, Mapping
from itertools import product
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from rnnkit.config.base import layer_sizes
from rnnkit.errors import ConfigError, RunError
from rnnkit.network.initializers import EMBEDDING_LIMIT
from rnnkit.runs.checkpoint import read_weights
from rnnkit.runs.directory import RunDirectory, verify_files
from rnnkit.runs.files import read_document
from rnnkit.tasks.task import Config, load_config
from rnnkit.tasks.text_classification.config import (
    ClassificationConfig,
    LearnedEmbedding,
    PretrainedEmbedding,
)
from rnnkit.tasks.text_classification.data import PreparedTexts, prepare_texts
from rnnkit.tasks.text_classification.network import classifier_network
from rnnkit.text.encoder import TextEncoder
from rnnkit.text.stored import read_vocabulary
from rnnkit.training.task import Learning, TrainingData

if TYPE_CHECKING:  # loads TensorFlow
    from rnnkit.training.execution import Execution

_TABLE = "embedding/embeddings"
_SALT = 0x12A710
"""Keeps these draws apart from others of the same seed."""


def prepare_training(config: ClassificationConfig, *, is_new: bool) -> TrainingData:
    """Prepare the texts, and check everything that can be checked without TensorFlow.

    Raises:
        DataError: the texts cannot be used.
        ConfigError: `training.init_from` is a run of another architecture.
        RunError: it is not a run, or a file of it is damaged.
    """
    prepared = prepare_texts(config)
    initial = initial_weights(config, prepared) if is_new else InitialWeights()

    network = classifier_network(
        config.model,
        vocabulary_size=prepared.encoder.size,
        classes=len(prepared.classes),
        vector_size=None if prepared.vectors is None else prepared.vectors.shape[1],
    )

    def build(execution: "Execution") -> Learning:
        from rnnkit.tasks.text_classification.objective import Classification

        return Classification(config, prepared, execution=execution, weights=initial.weights)

    return TrainingData(
        fingerprint=prepared.fingerprint,
        notes=(*prepared.notes, *initial.notes),
        vocabulary={"encoder": prepared.encoder.to_dict(), "classes": list(prepared.classes)},
        summary=prepared.summary,
        classes=prepared.classes,
        parameters=network.parameters(),
        token_unit=config.data.tokens.kind,
        build=build,
    )


class InitialWeights(NamedTuple):
    """Arrays by name (`recurrent_0/kernel`), and where they come from."""

    weights: Mapping[str, np.ndarray] = MappingProxyType({})
    notes: tuple[str, ...] = ()


def initial_weights(config: ClassificationConfig, prepared: PreparedTexts) -> InitialWeights:
    """Return what replaces random initial values; empty where nothing is configured.

    The rows of an embedding are matched by the text of their tokens. Rows of tokens that the
    other run does not know keep the mean of those it does, so that they begin as common tokens.

    Raises:
        ConfigError: `training.init_from` is a run of another architecture.
        RunError: it is not a run, or a file of it is damaged.
    """
    if config.training.init_from is not None:
        return _from_run(config, prepared, RunDirectory(Path(config.training.init_from)))
    if prepared.vectors is not None:
        return InitialWeights({_TABLE: prepared.vectors})
    embedding = config.model.embedding
    if not isinstance(embedding, LearnedEmbedding) or embedding.class_ratios == 0.0:
        return InitialWeights()
    ratios = embedding.class_ratios * class_ratios(prepared)
    draw = np.random.default_rng((config.seed, _SALT))
    table = draw.uniform(-EMBEDDING_LIMIT, EMBEDDING_LIMIT, (len(ratios), embedding.size))
    columns = min(embedding.size, ratios.shape[1])
    table[:, :columns] = ratios[:, :columns]
    return InitialWeights({_TABLE: table.astype(np.float32)})


def class_ratios(prepared: PreparedTexts) -> np.ndarray:
    """Return log ratios: how much more often texts with a token are of a class than of the others.

    A count is the number of training texts of a class with the token, plus one; a ratio compares
    its fraction of the counts in the class with that in the other classes (Wang and Manning 2012).
    Returns float64[vocabulary, columns]: one column for two classes, otherwise one for each.
    Padding and tokens that no text has are 0.
    """
    texts, classes = prepared.split("train"), len(prepared.classes)
    row_of = np.repeat(np.arange(len(texts)), texts.lengths)
    pairs = np.unique(row_of * prepared.encoder.size + texts.ids)  # every token once a text
    tokens, labels = pairs % prepared.encoder.size, texts.labels[pairs // prepared.encoder.size]
    counts = np.zeros((prepared.encoder.size, classes))
    np.add.at(counts, (tokens, labels), 1.0)
    inside = counts + 1.0
    outside = counts.sum(axis=1, keepdims=True) - counts + 1.0
    ratios = np.log(inside / inside.sum(axis=0)) - np.log(outside / outside.sum(axis=0))
    ratios[counts.sum(axis=1) == 0.0] = 0.0
    return ratios[:, 1:] if classes == 2 else ratios


def _from_run(
    config: ClassificationConfig, prepared: PreparedTexts, run: RunDirectory
) -> InitialWeights:
    if not run.manifest.is_file():
        raise RunError(f"training.init_from: {run.path}: not a run directory of rnnkit")
    verify_files(run, run.config)
    source = load_config(run.config)
    arrays = read_weights(run)
    weights = dict(_recurrent(config, source, arrays, run))
    recurrent = sum(name.endswith("/recurrent_kernel") for name in weights)
    note = f"training.init_from: {recurrent} recurrent layers of {run.path}"
    if prepared.vectors is not None:
        weights[_TABLE] = prepared.vectors
    else:
        weights[_TABLE], known = _embedding(config, prepared.encoder, arrays, run)
        note += (
            f"; and the vectors of {known:,} of {len(prepared.encoder.vocabulary.tokens):,} "
            "tokens; the others begin with their mean"
        )
    return InitialWeights(weights, (f"{note}.",))


def _recurrent(
    config: ClassificationConfig,
    source: Config,
    arrays: Mapping[str, np.ndarray],
    run: RunDirectory,
) -> Iterator[tuple[str, np.ndarray]]:
    """Yield the weights of the layers that both networks have, from the first on.

    A language model reads forward only: a bidirectional network takes its first layer for that
    direction.
    """
    model, other = config.model, source.model
    if model.cell != other.cell or model.activation != other.activation:
        raise ConfigError(
            f"training.init_from: {run.path} has cell {other.cell}, this configuration "
            f"{model.cell}; make model.cell (and model.activation) equal"
        )
    is_bidirectional = isinstance(source, ClassificationConfig) and source.model.bidirectional
    there = ("_forward", "_backward") if is_bidirectional else ("",)
    here = ("_forward", "_backward") if model.bidirectional else ("",)
    ours, theirs = layer_sizes(model), layer_sizes(other)
    for index, (units, wanted) in enumerate(zip(theirs, ours, strict=False)):
        if units != wanted:
            raise ConfigError(
                f"training.init_from: {run.path} has layers of {list(theirs)} units, this "
                f"configuration {list(ours)}; make model.units equal"
            )
        for (old, new), name in product(
            zip(there, here, strict=False), ("kernel", "recurrent_kernel", "bias")
        ):
            key = f"recurrent_{index}{old}/{name}"
            if key not in arrays:
                raise RunError(f"{run.best_checkpoint}: has no weight {key}; damaged?")
            yield f"recurrent_{index}{new}/{name}", arrays[key]
        if there != here:
            return  # the layers above read inputs of another width


def _embedding(
    config: ClassificationConfig,
    encoder: TextEncoder,
    arrays: Mapping[str, np.ndarray],
    run: RunDirectory,
) -> tuple[np.ndarray, int]:
    """Return float32[vocabulary, size], and how many tokens of it the other run knows."""
    table = arrays.get(_TABLE)
    if table is None:
        raise ConfigError(
            f"training.init_from: {run.path} has no embedding to begin with; train it with "
            "model.input: {kind: embedding}"
        )
    assert not isinstance(config.model.embedding, PretrainedEmbedding)
    if table.shape[1] != config.model.embedding.size:
        raise ConfigError(
            f"training.init_from: the vectors of {run.path} have {table.shape[1]} numbers; set "
            f"model.embedding.size (now {config.model.embedding.size}) to that"
        )
    content = read_document(run.vocabulary, "vocabulary")
    try:
        if "encoder" in content:
            other = TextEncoder.from_dict(content["encoder"]).vocabulary
        else:
            other = read_vocabulary(content)
    except ValueError as error:
        raise RunError(f"{run.vocabulary}: damaged: {error}") from error
    known = set(other.tokens)
    found = [token for token in encoder.vocabulary.tokens if token in known]
    if not found:
        raise ConfigError(
            f"training.init_from: {run.path} shares no token with these texts; choose the same "
            "data.tokens"
        )
    values = table[[other.id_of(token) for token in found]]
    ours = np.tile(values.mean(axis=0), (encoder.size, 1)).astype(np.float32)
    ours[[encoder.vocabulary.id_of(token) for token in found]] = values
    return ours, len(found)
