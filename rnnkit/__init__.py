"""Recurrent networks from one YAML file, on the command line and in Python.

Train a model; `progress=print` shows every event, and without it nothing is printed:

    import rnnkit

    model = rnnkit.train("configs/hello.yaml", name="hello")    # makes the directory runs/hello
    print(model.generate("hell", length=10, temperature=0.5))

Open it again, in another program or notebook:

    model = rnnkit.load("hello")                  # a run directory, or its name in runs/
    model.metrics                                 # losses by step, a pandas frame
    model.evaluate().metrics["bits_per_character"]  # a score with a 95 % interval
    model.report()                                # a page, shown in notebooks

A classifier has `model.predict(["a lovely film"])` instead of `generate`.

Functions: `train`, `resume`, `check`, `crossvalidate`, `load`, `load_config`. All return values; a
run is opened as a `Model`, whose methods are described by `help(rnnkit.Model)`. Errors of use are
`RnnkitError`s, whose messages say what to do. The guide is docs/guides/python.md.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rnnkit.api import Model, check, crossvalidate, load, load_config, resume, train
    from rnnkit.errors import RnnkitError

__version__ = "0.1.0"

__all__ = [
    "Model",
    "RnnkitError",
    "__version__",
    "check",
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
