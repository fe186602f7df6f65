"""Numbers, values and sentences as a report writes them."""

import json
from typing import Any

DASH = "–"
"""What stands where nothing is known."""


def number(value: float | None, digits: int = 0) -> str:
    """`12,345` or `1.5891`."""
    return DASH if value is None else f"{value:,.{digits}f}"


def signed(value: float, digits: int = 4) -> str:
    """`+0.1357`; what rounds to nothing is `+0.0000`, whichever side it is on."""
    return f"{round(value, digits) + 0.0:+.{digits}f}"


def share(value: float | None, digits: int = 1) -> str:
    """`91.3 %`."""
    return DASH if value is None else f"{100 * value:.{digits}f} %"


def small(value: float) -> str:
    """A number of any size, to four digits: `0.0004`, `3e-05`."""
    return f"{value:.4g}"


def duration(seconds: float | None) -> str:
    """`14 s`, `3 min 20 s`, `2 h 5 min`."""
    if seconds is None:
        return DASH
    whole = round(seconds)
    if whole < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def setting(value: Any) -> str:
    """A value in the notation of YAML and JSON; text without quotes."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def count(value: int, noun: str, plural: str | None = None) -> str:
    """`1 row`, `1,200 rows`."""
    return f"{value:,} {noun if value == 1 else plural or noun + 's'}"


def cell(name: str | None) -> str:
    """The name of a recurrent cell as people write it."""
    return {"gru": "GRU", "lstm": "LSTM", "simple_rnn": "simple RNN"}.get(name or "", name or DASH)


def clip(text: str, most: int) -> str:
    """The first `most` characters, and how many there are in all when that is not everything."""
    return text if len(text) <= most else f"{text[:most].rstrip()}… ({len(text):,} characters)"


def short(name: str) -> str:
    """A class name for a legend."""
    return name if len(name) <= 24 else f"{name[:23]}…"
