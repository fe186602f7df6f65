"""Time in the training loop and the speed of its updates."""

import contextlib
import time
from collections.abc import Iterator


class Clock:
    """Time in the loop, and the speed of updates since the last evaluation.

    The first update of a process traces and compiles the step; it counts as time, not as speed.
    """

    def __init__(self) -> None:
        self._origin = time.perf_counter()
        self._offset = 0.0
        self._is_warm = False
        self.reset()

    def start(self, seconds: float) -> None:
        """Begin to count, from the seconds that earlier processes have spent."""
        self._origin, self._offset = time.perf_counter(), seconds

    @property
    def seconds(self) -> float:
        """Time in the training loop, over all resumes."""
        return self._offset + time.perf_counter() - self._origin

    def reset(self) -> None:
        """Forget the speed."""
        self._updates, self._update_seconds, self._tokens = 0, 0.0, 0

    def begin_update(self) -> None:
        """Note the time right before an update."""
        self._began = time.perf_counter()

    def end_update(self, tokens: int) -> None:
        """Count an update of `tokens` tokens that has just ended."""
        if self._is_warm:
            self._update_seconds += time.perf_counter() - self._began
            self._updates += 1
            self._tokens += tokens
        self._is_warm = True

    @contextlib.contextmanager
    def waiting_for_updates(self) -> Iterator[None]:
        """Count the time inside the `with` as time of the updates made so far."""
        began = time.perf_counter()
        yield
        if self._updates:
            self._update_seconds += time.perf_counter() - began

    @property
    def tokens_per_second(self) -> float:
        """Trained tokens per second of updating; 0 when nothing has been timed."""
        return self._tokens / self._update_seconds if self._update_seconds else 0.0

    def seconds_left(self, *, steps: int | None, minutes: float | None) -> float | None:
        """Return the seconds until `steps` more updates are made or the loop has taken `minutes`,
        whichever comes first; None where neither is known."""
        left = []
        if steps is not None and self._updates > 1:
            left.append(steps * self._update_seconds / self._updates)
        if minutes is not None:
            left.append(max(0.0, minutes * 60.0 - self.seconds))
        return min(left, default=None)
