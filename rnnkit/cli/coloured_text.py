"""Texts with colours behind their tokens: see `rnnkit.views.terminal`."""

from rnnkit.cli.answer import has_colour

__all__ = ["coloured", "has_colour"]


def coloured(text: str, strength: float) -> str:
    """Return `text` on a colour, from -1 (strong blue) over 0 (none) to 1 (strong orange)."""
    from rnnkit.views import terminal

    return terminal.coloured(text, strength)
