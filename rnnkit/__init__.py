"""Recurrent networks from one YAML file, on the command line and in Python.

    import rnnkit

    model = rnnkit.train("configs/hello.yaml", name="hello")
    print(model.generate("hell", length=10))

    model = rnnkit.load("hello")             # a run directory, or its name in runs/
    model.evaluate().metrics                 # scores with 95 % intervals
    model.report()                           # a page, shown in notebooks

Functions: `load_config`, `train`, `resume`, `crossvalidate`, `load`; `Model` is what a run is
opened as. Errors are `RnnkitError`s, whose messages say what to do. The guide is
docs/guides/python.md.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rnnkit.api import Model, crossvalidate, load, load_config, resume, train
    from rnnkit.errors import RnnkitError

__version__ = "0.1.0"

__all__ = [
    "Model",
    "RnnkitError",
    "__version__",
    "crossvalidate",
    "load",
    "load_config",
    "resume",
    "train",
]


def __getattr__(name: str) -> Any:
    """Load the Python API when a name of it is asked for; `import rnnkit` loads nothing else."""
    if name == "RnnkitError":
        from rnnkit.errors import RnnkitError

        return RnnkitError
    if name in __all__:
        from rnnkit import api

        return getattr(api, name)
    raise AttributeError(f"module 'rnnkit' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
