"""rnnkit: a command-line toolkit for recurrent networks."""

__version__ = "0.1.0"
