"""Where the windows of a text lie, and whether there are any."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, assert_never

import numpy as np
from numpy.typing import NDArray

from rnnkit.errors import DataError

if TYPE_CHECKING:
    from rnnkit.data.splits import Splits
    from rnnkit.tasks.language_model.config import Windows


@dataclass(frozen=True)
class StreamLayout:
    """How `tokens` lie in `batch_size` streams that are read side by side.

    Ten tokens have nine targets; in two streams they are read as (target positions)

        stream 0: 1 2 3 4 5        starts [0, 5], shortest 4, longer 1, longest 5
        stream 1: 6 7 8 9
    """

    starts: NDArray[np.int64]
    """int64[batch]: position of each stream's first input token."""
    shortest: int
    """Targets in the shorter streams."""
    longer: int
    """Number of streams with one target more; they are the first ones."""

    @property
    def longest(self) -> int:
        """Targets in the longest stream."""
        return self.shortest + (self.longer > 0)


def context_length(windows: "Windows") -> int | None:
    """Tokens that a prediction sees: the length of sliding windows, None where the state is
    carried without end."""
    return windows.length if windows.kind == "sliding" else None


def lay_streams(tokens: int, batch_size: int) -> StreamLayout:
    """Divide the `tokens - 1` targets among `batch_size` contiguous streams.

    Raises DataError when there are fewer targets than streams.
    """
    if tokens - 1 < batch_size:
        raise DataError(
            f"A text of {_count(tokens, 'token')} has {max(tokens - 1, 0):,} to predict, too few "
            f"for {_count(batch_size, 'stream')}. Lower training.batch_size or use a longer text."
        )
    shortest, longer = divmod(tokens - 1, batch_size)
    streams = np.arange(batch_size, dtype=np.int64)
    return StreamLayout(streams * shortest + np.minimum(streams, longer), shortest, longer)


def count_sliding(tokens: int, *, length: int, stride: int) -> int:
    """Number of windows `start .. start+length-1` with a token after them, `start` a multiple
    of `stride`. Raises DataError when there is none."""
    if tokens <= length:
        raise DataError(
            f"A text of {_count(tokens, 'token')} holds no window of {length:,} with a token "
            "after it. Lower data.windows.length or use a longer text."
        )
    return (tokens - 1 - length) // stride + 1


def check_splits(
    splits: "Splits",
    *,
    windows: "Windows",
    batch_size: int,
    validation_fraction: float | None,
    test_fraction: float | None,
) -> None:
    """Raise DataError when a split is too short for what will be done with it. A fraction is None
    where the part has files of its own."""
    train = len(splits.train)
    total = train + len(splits.validation) + len(splits.test)
    held_out = "" if train == total else f" (of {_count(total, 'token')} in all)"
    if train <= windows.length:
        raise DataError(
            f"The training text has {_count(train, 'token')}{held_out}, but a window of "
            f"data.windows.length {windows.length:,} and the token after it need "
            f"{windows.length + 1:,}. Lower data.windows.length"
            f"{_or_hold_out_less(held_out)} or use a longer text."
        )
    match windows.kind:
        case "stream":
            if train - 1 < batch_size:
                raise DataError(
                    f"The training text has {_count(train, 'token')}{held_out}, too few for "
                    f"training.batch_size {batch_size:,} streams, which need at least "
                    f"{batch_size + 1:,}. Lower training.batch_size"
                    f"{_or_hold_out_less(held_out)} or use a longer text."
                )
            needed = 2
        case "sliding":
            needed = windows.length + 1
        case _:
            assert_never(windows.kind)
    for name, fraction, length in (
        ("validation", validation_fraction, len(splits.validation)),
        ("test", test_fraction, len(splits.test)),
    ):
        if fraction is None and length < needed:
            raise DataError(
                f"The {name} text (data.{name}_path) has {_count(length, 'token')}, but at least "
                f"{needed:,} are needed. Use a longer one."
            )
        if fraction and length < needed:
            raise DataError(
                f"The {name} text has {_count(length, 'token')} (data.{name}_fraction "
                f"{fraction:g} of {total:,}), but at least {needed:,} are needed. Raise "
                f"data.{name}_fraction, set it to 0 for none, or use a longer text."
            )


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _or_hold_out_less(held_out: str) -> str:
    return ", hold out less (data.validation_fraction, data.test_fraction)" if held_out else ""
