"""A language model as inspection sees it: the network in NumPy, and what it reads.

Without TensorFlow and ONNX Runtime: the weights come from the best checkpoint.
"""

from dataclasses import dataclass
from pathlib import Path

from rnnkit.errors import RunError
from rnnkit.network.initializers import untrained
from rnnkit.network.reference import Network
from rnnkit.network.spec import check_given_weights
from rnnkit.runs.checkpoint import read_weights
from rnnkit.runs.directory import RunDirectory
from rnnkit.runs.files import read_document
from rnnkit.tasks.language_model.config import LanguageConfig
from rnnkit.tasks.language_model.data import prepare, windows_of
from rnnkit.tasks.language_model.network import language_network
from rnnkit.tasks.weights import TRAINED, trained_network, vector_size
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


def trained_subject(run: RunDirectory, config: LanguageConfig) -> LanguageSubject:
    """Open the trained network of a run.

    Raises:
        RunError: a file is missing, damaged, foreign, or does not belong to the others.
    """
    weights = read_weights(run)
    try:
        vocabulary = read_vocabulary(read_document(run.vocabulary, "vocabulary"))
    except ValueError as error:
        raise RunError(f"{run.vocabulary}: damaged: {error}") from error
    context = windows_of(config).context
    spec = language_network(
        config.model,
        vocabulary_size=vocabulary.size,
        vector_size=vector_size(weights),
        every_step=context is None,
    )
    network = trained_network(run, spec, weights)
    return LanguageSubject(str(run.path), run, config, network, vocabulary, context, TRAINED)


def untrained_subject(path: Path, config: LanguageConfig) -> LanguageSubject:
    """Build the network of a configuration file before any training; reads the data.

    Raises:
        ConfigError: the given weights do not fit the vocabulary.
        DataError: the data cannot be read.
    """
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
