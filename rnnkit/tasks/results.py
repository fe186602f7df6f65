"""How the results of every task are shown."""

from collections.abc import Mapping

from rnnkit.runs.records import Estimate
from rnnkit.views.formats import number
from rnnkit.views.view import Section, table


def scores_section(heading: str, metrics: Mapping[str, Estimate]) -> Section:
    """Return a section with scores and the ends of their intervals, one in a row."""
    rows = [
        (name, *(number(value, 4) for value in (score.value, score.low, score.high)))
        for name, score in metrics.items()
    ]
    scores = table(("metric", "value", "low", "high"), rows, left=("metric",))
    return Section(heading, (scores,), spaced=True)
