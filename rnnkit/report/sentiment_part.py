"""The parts of a report that only a classifier has."""

from collections.abc import Iterator

from rnnkit.report.gather import SentimentDetails
from rnnkit.report.markup import Part


def result_parts(sentiment: SentimentDetails) -> Iterator[Part | None]:
    """Scores, curves and errors."""
    yield None


def data_parts(sentiment: SentimentDetails) -> Iterator[Part | None]:
    """What was learned from."""
    yield None
