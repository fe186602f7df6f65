"""The best weights of a run and the network that they belong to."""

from rnnkit.errors import RunError
from rnnkit.network.reference import Network, Weights, build_network
from rnnkit.network.spec import NetworkSpec
from rnnkit.runs.directory import RunDirectory

TRAINED = "trained; its best weights"
"""Origin of the weights of a run."""


def vector_size(weights: Weights) -> int | None:
    """Return the length of the vectors of an embedding, whose file is not read again."""
    table = weights.get("embedding/embeddings")
    return None if table is None else table.shape[-1]


def trained_network(run: RunDirectory, spec: NetworkSpec, weights: Weights) -> Network:
    """Return the network of a run with its best weights.

    Raises:
        RunError: the weights do not belong to its configuration and vocabulary.
    """
    try:
        return build_network(spec, weights)
    except ValueError as error:
        raise RunError(
            f"{run.best_checkpoint}: does not belong to {run.config.name} and "
            f"{run.vocabulary.name}: {error}"
        ) from error
