"""A classifier as inspection sees it: the network in NumPy, and what it reads.

Without TensorFlow and ONNX Runtime: the weights come from the best checkpoint.
"""

from dataclasses import dataclass
from pathlib import Path

from rnnkit.errors import RunError
from rnnkit.inference.decision import read_decision
from rnnkit.network.initializers import untrained
from rnnkit.network.reference import Network
from rnnkit.runs.checkpoint import read_weights
from rnnkit.runs.directory import RunDirectory
from rnnkit.runs.files import read_document
from rnnkit.tasks.text_classification.config import ClassificationConfig
from rnnkit.tasks.text_classification.data import prepare_texts
from rnnkit.tasks.text_classification.network import classifier_network
from rnnkit.tasks.weights import TRAINED, trained_network, vector_size
from rnnkit.text.encoder import TextEncoder


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


def trained_subject(run: RunDirectory, config: ClassificationConfig) -> ClassifierSubject:
    """Open the trained network of a run.

    Raises:
        RunError: a file is missing, damaged, foreign, or does not belong to the others.
    """
    weights = read_weights(run)
    # As classifier.py reads it, which would bring ONNX Runtime along.
    content = read_document(run.vocabulary, "vocabulary")
    try:
        encoder, classes = TextEncoder.from_dict(content["encoder"]), tuple(content["classes"])
    except (ValueError, KeyError, TypeError) as error:
        raise RunError(f"{run.vocabulary}: damaged: {error}") from error
    spec = classifier_network(
        config.model,
        vocabulary_size=encoder.size,
        classes=len(classes),
        vector_size=vector_size(weights),
    )
    network = trained_network(run, spec, weights)
    return ClassifierSubject(
        name=str(run.path),
        run=run,
        config=config,
        network=network,
        encoder=encoder,
        classes=classes,
        temperature=read_decision(run, classes).temperature,
        origin=TRAINED,
    )


def untrained_subject(path: Path, config: ClassificationConfig) -> ClassifierSubject:
    """Build the network of a configuration file before any training; reads the data.

    Raises:
        DataError: the data cannot be read.
    """
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
