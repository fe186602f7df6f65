"""rnnkit: recurrent networks from one YAML file, on the command line and in Python."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rnnkit.api import load_config, train

__version__ = "0.1.0"

__all__ = ["__version__", "load_config", "train"]


def __getattr__(name: str) -> Any:
    """Load the Python API when a name of it is asked for; `import rnnkit` loads nothing else."""
    if name in __all__:
        from rnnkit import api

        return getattr(api, name)
    raise AttributeError(f"module 'rnnkit' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
