"""What is inspected: the network of a run, or the one that a configuration describes.

Without TensorFlow and ONNX Runtime: the weights come from the best checkpoint.
"""

from dataclasses import dataclass
from pathlib import Path

from rnnkit.errors import RunError
from rnnkit.inference.decision import read_decision
from rnnkit.network.initializers import untrained
from rnnkit.network.reference import Network, Weights, build_network
from rnnkit.network.spec import EmbeddingInput, NetworkSpec, check_given_weights
from rnnkit.runs.checkpoint import read_weights
from rnnkit.runs.directory import RunDirectory, verify_files
from rnnkit.runs.files import read_document
from rnnkit.tasks.language_model.config import LanguageConfig
from rnnkit.tasks.language_model.data import windows_of
from rnnkit.tasks.language_model.network import language_network
from rnnkit.tasks.task import load_config
from rnnkit.tasks.text_classification.config import ClassificationConfig
from rnnkit.tasks.text_classification.network import classifier_network
from rnnkit.text.encoder import TextEncoder
from rnnkit.text.stored import read_vocabulary
from rnnkit.text.vocabulary import Vocabulary


@dataclass(frozen=True, eq=False)
class LanguageSubject:
    """A language model.

    `name` is the run or the configuration file, `run` None for the latter. `context` is the
    number of tokens that a prediction sees, None where the state is carried without end.
    `origin` says where the weights come from.
    """

    name: str
    run: RunDirectory | None
    config: LanguageConfig
    network: Network
    vocabulary: Vocabulary
    context: int | None
    origin: str


@dataclass(frozen=True, eq=False)
class ClassifierSubject:
    """A classifier. `temperature` divides its logits; `classes` are in their order."""

    name: str
    run: RunDirectory | None
    config: ClassificationConfig
    network: Network
    encoder: TextEncoder
    classes: tuple[str, ...]
    temperature: float
    origin: str


Subject = LanguageSubject | ClassifierSubject

_TRAINED = "trained; its best weights"


def open_run(run: RunDirectory) -> Subject:
    """Open the trained network of a run.

    Raises:
        RunError: a file is missing, damaged, foreign, or does not belong to the others.
    """
    verify_files(run, run.config)
    config = load_config(run.config)
    weights = read_weights(run)
    if isinstance(config, ClassificationConfig):
        return _trained_classifier(run, config, weights)
    try:
        vocabulary = read_vocabulary(read_document(run.vocabulary, "vocabulary"))
    except ValueError as error:
        raise RunError(f"{run.vocabulary}: damaged: {error}") from error
    context = windows_of(config).context
    spec = language_network(
        config.model,
        vocabulary_size=vocabulary.size,
        vector_size=_vector_size(weights),
        every_step=context is None,
    )
    network = _trained(run, spec, weights)
    return LanguageSubject(str(run.path), run, config, network, vocabulary, context, _TRAINED)


def _trained_classifier(
    run: RunDirectory, config: ClassificationConfig, weights: Weights
) -> ClassifierSubject:
    # As inference.classifier reads it, which would bring ONNX Runtime along.
    content = read_document(run.vocabulary, "vocabulary")
    try:
        encoder, classes = TextEncoder.from_dict(content["encoder"]), tuple(content["classes"])
    except (ValueError, KeyError, TypeError) as error:
        raise RunError(f"{run.vocabulary}: damaged: {error}") from error
    spec = classifier_network(
        config.model,
        vocabulary_size=encoder.size,
        classes=len(classes),
        vector_size=_vector_size(weights),
    )
    network = _trained(run, spec, weights)
    return ClassifierSubject(
        name=str(run.path),
        run=run,
        config=config,
        network=network,
        encoder=encoder,
        classes=classes,
        temperature=read_decision(run, classes).temperature,
        origin=_TRAINED,
    )


def _vector_size(weights: Weights) -> int | None:
    """Length of the vectors of an embedding; the file they came from is not read again."""
    table = weights.get("embedding/embeddings")
    return None if table is None else table.shape[-1]


def _trained(run: RunDirectory, spec: NetworkSpec, weights: Weights) -> Network:
    try:
        return build_network(spec, weights)
    except ValueError as error:
        raise RunError(
            f"{run.best_checkpoint}: does not belong to {run.config.name} and "
            f"{run.vocabulary.name}: {error}"
        ) from error


def open_config(path: Path) -> Subject:
    """Build the network that a configuration describes, before any training.

    Reads the data, on which the vocabulary depends.

    Raises:
        ConfigError: the configuration is wrong, or its weights do not fit the vocabulary.
        DataError: the data cannot be read.
    """
    config = load_config(path)
    if isinstance(config, ClassificationConfig):
        return _untrained_classifier(path, config)
    from rnnkit.tasks.language_model.data import prepare

    prepared = prepare(config)
    vocabulary = prepared.vocabulary
    context, vectors = windows_of(config).context, prepared.vectors
    spec = language_network(
        config.model,
        vocabulary_size=vocabulary.size,
        vector_size=None if vectors is None else vectors.shape[1],
        every_step=context is None,
    )
    given = config.model.initial_weights or {}
    check_given_weights(spec, given)
    network = untrained(spec, seed=config.seed, vectors=vectors, given=given)
    match len(given), len(network.weights) - len(given):
        case 0, _:
            origin = f"untrained; random weights (seed {config.seed})"
        case _, 0:
            origin = "untrained; all weights given by the configuration"
        case _, random:
            origin = f"untrained; {len(given)} given, {random} random (seed {config.seed})"
    return LanguageSubject(str(path), None, config, network, vocabulary, context, origin)


def has_frozen_embeddings(subject: Subject) -> bool:
    """Return whether training leaves the vectors of the tokens as they are."""
    match subject.network.spec.input:
        case EmbeddingInput(trainable=trainable):
            return not trainable
        case _:
            return False


def _untrained_classifier(path: Path, config: ClassificationConfig) -> ClassifierSubject:
    from rnnkit.tasks.text_classification.data import prepare_texts

    prepared = prepare_texts(config)
    vectors = prepared.vectors
    spec = classifier_network(
        config.model,
        vocabulary_size=prepared.encoder.size,
        classes=len(prepared.classes),
        vector_size=None if vectors is None else vectors.shape[1],
    )
    network = untrained(spec, seed=config.seed, vectors=vectors)
    return ClassifierSubject(
        name=str(path),
        run=None,
        config=config,
        network=network,
        encoder=prepared.encoder,
        classes=prepared.classes,
        temperature=1.0,
        origin=f"untrained; random weights (seed {config.seed})",
    )
