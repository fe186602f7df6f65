"""Names of `formats` that pages of the first edition use."""

from rnnkit.network.cells import cell_title
from rnnkit.views.formats import MISSING as DASH
from rnnkit.views.formats import (
    clip,
    count,
    duration,
    number,
    setting,
    signed,
)
from rnnkit.views.formats import compact as small
from rnnkit.views.formats import percent as share
from rnnkit.views.formats import shorten as short

__all__ = [
    "DASH",
    "cell",
    "clip",
    "count",
    "duration",
    "number",
    "setting",
    "share",
    "short",
    "signed",
    "small",
]


def cell(name: str | None) -> str:
    """The name of a recurrent cell as people write it."""
    return cell_title(name) or DASH
