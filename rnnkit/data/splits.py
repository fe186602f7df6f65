"""The contiguous split of a text into training, validation and test part."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

SplitName = Literal["train", "validation", "test"]


@dataclass(frozen=True)
class Splits:
    """Token positions of the three parts, which follow each other without gap or overlap."""

    train: range
    validation: range
    test: range


def split_contiguous(tokens: int, *, validation_fraction: float, test_fraction: float) -> Splits:
    """The first tokens train, then come validation and test.

    10 % of 1,115,394 tokens leave 1,003,854 for training. Fractions are taken as the decimal
    numbers they are written as: `1 - 0.3 - 0.3` of 10 tokens is 4 and not 3.
    """
    validation_share = Decimal(repr(validation_fraction))
    test_share = Decimal(repr(test_fraction))
    train_end = max(0, int(tokens * (1 - validation_share - test_share)))
    validation_end = max(train_end, int(tokens * (1 - test_share)))
    return Splits(
        train=range(0, train_end),
        validation=range(train_end, validation_end),
        test=range(validation_end, tokens),
    )
