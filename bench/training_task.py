"""What is trained in `training.py`: a network, the size of its batches, and the same text in the
same order for every side."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bench.commands import REPOSITORY

if TYPE_CHECKING:
    from rnnkit.config.schema import CharGenerationConfig
    from rnnkit.data.batches import Batch

LENGTH = 64
EMBEDDING = 64
LEARNING_RATE, WEIGHT_DECAY, CLIP_NORM = 5e-4, 0.01, 1.0
EPSILON = 1e-10
"""Of AdamW: so small that it does not matter that PyTorch adds it in another place."""

Weights = Mapping[str, NDArray[np.float32]]
"""`layer/weight` of Keras -> values, as `weights_by_name` has them, in the order of the model."""


class Turn(NamedTuple):
    """Some updates."""

    seconds: float
    loss: float
    """Mean training loss of them, in nats per character."""


class Started(NamedTuple):
    """A model that has made one update."""

    seconds: float
    """What building, tracing and compiling took, the update included."""
    parameters: int
    weights: Weights
    """Before the update."""


class Trainer(NamedTuple):
    """What a side builds for a task."""

    started: Callable[[], Started]
    run: Callable[[int], Turn]
    """Makes that many updates."""


@dataclass(frozen=True)
class Task:
    """A model and the size of its batches."""

    cell: str
    units: int
    layers: int
    batch: int

    def config(self, *, precision: str = "float32") -> "CharGenerationConfig":
        """As rnnkit has it; everything that is not named is off by default.

        Raises:
            ConfigError: rnnkit knows no such precision.
        """
        from rnnkit.config.load import parse_config
        from rnnkit.config.schema import CharGenerationConfig

        optimizer = {"name": "adamw", "weight_decay": WEIGHT_DECAY, "epsilon": EPSILON}
        sections = {
            "version": 1,
            "task": "char_generation",
            "data": {
                "path": "data/tinyshakespeare.txt",
                "windows": {"kind": "stream", "length": LENGTH},
            },
            "model": {
                "cell": self.cell,
                "units": self.units,
                "layers": self.layers,
                "input": {"kind": "embedding", "size": EMBEDDING},
            },
            "training": {
                "batch_size": self.batch,
                "max_epochs": 1,
                "precision": precision,
                "optimizer": optimizer,
                "clip_norm": CLIP_NORM,
            },
        }
        config = parse_config(json.dumps(sections), source=__file__, base=REPOSITORY)
        assert isinstance(config, CharGenerationConfig)
        return config


@dataclass(frozen=True)
class Text:
    """The batches of a task, all full, in order."""

    batches: tuple["Batch", ...]
    vocabulary_size: int

    @classmethod
    def of(cls, task: Task) -> "Text":
        """One pass over the training part."""
        from rnnkit.data.batches import BatchPlan
        from rnnkit.tasks.language_model.data import prepare

        config = task.config()
        prepared = prepare(config)
        ids = prepared.split("train")
        plan = BatchPlan(config.data.windows, len(ids), task.batch, 0)
        batches = (plan.batch(ids, 0, index) for index in range(plan.batches_per_epoch - 1))
        return cls(tuple(batches), prepared.vocabulary.size)
