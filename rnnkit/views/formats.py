"""How numbers, values and texts are written, the same on terminals and pages."""

import json
import re
from typing import Any

MISSING = "-"
"""What is written where nothing is known."""

_CONTROLS = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069"
    "\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]"
)


def visible(text: str) -> str:
    r"""Return the text with visible symbols for what would move a cursor or break a page.

    Control characters become their pictures (`\x1b` -> `␛`); controls of the writing direction,
    lone surrogates and non-characters become `\ufffd`. Line breaks and tabs stay.
    """
    return _CONTROLS.sub(_visible, text.replace("\r\n", "\n"))


def _visible(found: re.Match[str]) -> str:
    code = ord(found.group())
    if code < 0x20:
        return chr(0x2400 + code)  # the Unicode pictures of control characters
    return "\u2421" if code == 0x7F else "\ufffd"


def one_line(text: str) -> str:
    """Return the text with a space for every line break, tab and character without a glyph.

    Characters that change the direction of writing (U+202E) are among them.
    """
    return text if text.isprintable() else "".join(c if c.isprintable() else " " for c in text)


def number(value: float | None, digits: int = 0) -> str:
    """Return `12,345` or `1.5891`."""
    return MISSING if value is None else f"{value:,.{digits}f}"


def signed(value: float, digits: int = 4) -> str:
    """Return `+0.1357`; what rounds to zero is `+0.0000` on either side of it."""
    return f"{round(value, digits) + 0.0:+.{digits}f}"


def percent(fraction: float | None, digits: int = 1) -> str:
    """Return `91.3 %` for a fraction of 0.913."""
    return MISSING if fraction is None else f"{100 * fraction:.{digits}f} %"


def compact(value: float) -> str:
    """Return a number of any size in four digits: `0.0004`, `3e-05`."""
    return f"{value:.4g}"


def duration(seconds: float | None) -> str:
    """Return `14 s`, `3 min 20 s`, `2 h 5 min`."""
    if seconds is None:
        return MISSING
    whole = round(seconds)
    if whole < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def memory(size: int) -> str:
    """Return bytes as `960 B`, `1.5 KiB`, `64.0 MiB`."""
    value, units = float(size), ["B", "KiB", "MiB", "GiB", "TiB"]
    while value >= 1024.0 and len(units) > 1:
        value /= 1024.0
        units.pop(0)
    return f"{size} B" if units[0] == "B" else f"{value:,.1f} {units[0]}"


def setting(value: Any) -> str:
    """Return a value in the notation of YAML and JSON; text without quotes."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def count(value: int, noun: str, plural: str | None = None) -> str:
    """Return `1 row`, `1,200 rows`."""
    return f"{value:,} {noun if value == 1 else plural or noun + 's'}"


def clip(text: str, most: int) -> str:
    """Return the first `most` characters, and how many there are if that is not everything."""
    return text if len(text) <= most else f"{text[:most].rstrip()}… ({len(text):,} characters)"


def shorten(text: str, most: int = 24) -> str:
    """Return at most `most` characters, the last one an ellipsis if some are left out."""
    return text if len(text) <= most else f"{text[: most - 1].rstrip()}…"


def thin(values: Any, most: int) -> Any:
    """Return `most` of the items, evenly spread, the first and the last among them."""
    if len(values) <= most:
        return list(values)
    return [values[round(i * (len(values) - 1) / (most - 1))] for i in range(most)]
