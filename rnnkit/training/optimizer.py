"""Weight update rules, and the learning rate as a pure function of the step."""

import math
from typing import assert_never

import keras

from rnnkit.config.training import (
    AdamConfig,
    AdamWConfig,
    ConstantSchedule,
    CosineSchedule,
    LinearSchedule,
    Optimizer,
    PlateauSchedule,
    RMSpropConfig,
    Schedule,
    SGDConfig,
    StepSchedule,
)


def build_optimizer(optimizer: Optimizer) -> keras.optimizers.Optimizer:
    """The Keras optimizer; the learning rate is assigned anew before every step."""
    match optimizer:
        case AdamConfig():
            return keras.optimizers.Adam(
                optimizer.learning_rate,
                beta_1=optimizer.beta_1,
                beta_2=optimizer.beta_2,
                epsilon=optimizer.epsilon,
            )
        case AdamWConfig():
            adamw = keras.optimizers.AdamW(
                optimizer.learning_rate,
                weight_decay=optimizer.weight_decay,
                beta_1=optimizer.beta_1,
                beta_2=optimizer.beta_2,
                epsilon=optimizer.epsilon,
            )
            adamw.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
            return adamw
        case RMSpropConfig():
            return keras.optimizers.RMSprop(
                optimizer.learning_rate,
                rho=optimizer.rho,
                momentum=optimizer.momentum,
                epsilon=optimizer.epsilon,
            )
        case SGDConfig():
            return keras.optimizers.SGD(
                optimizer.learning_rate, momentum=optimizer.momentum, nesterov=optimizer.nesterov
            )
        case _:
            assert_never(optimizer)


def learning_rate_at(
    step: int, *, highest: float, schedule: Schedule, total_steps: int | None, reductions: int
) -> float:
    """Learning rate of the update number `step`, counted from 0.

    Args:
        step: updates already made.
        highest: the learning rate after warm-up.
        schedule: its form over time.
        total_steps: length of the run; known whenever the schedule is linear or cosine.
        reductions: how often a plateau has been met so far.
    """
    if step < schedule.warmup_steps:
        return highest * (step + 1) / schedule.warmup_steps
    match schedule:
        case ConstantSchedule():
            return highest
        case LinearSchedule(final_fraction=final):
            return highest * (1.0 - (1.0 - final) * _progress(step, schedule, total_steps))
        case CosineSchedule(final_fraction=final):
            falling = 0.5 * (1.0 + math.cos(math.pi * _progress(step, schedule, total_steps)))
            return highest * (final + (1.0 - final) * falling)
        case StepSchedule(every_steps=every_steps, factor=factor):
            return highest * factor ** (step // every_steps)
        case PlateauSchedule(factor=factor):
            return highest * factor**reductions
        case _:
            assert_never(schedule)


def _progress(
    step: int, schedule: LinearSchedule | CosineSchedule, total_steps: int | None
) -> float:
    """Fraction of the run after warm-up that lies behind, from 0 to 1."""
    if total_steps is None:
        raise ValueError("a linear or cosine schedule needs the length of the run")
    return min(1.0, (step - schedule.warmup_steps) / max(1, total_steps - schedule.warmup_steps))
