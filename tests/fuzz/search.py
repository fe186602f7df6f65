"""Random search with a bounded time, whose every case can be repeated.

FUZZ_SECONDS=600 make fuzz                       a fresh seed, printed
FUZZ_SEED=7 FUZZ_CASE=options:31 make fuzz       one case again
"""

import contextlib
import os
import random
import resource
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass

SECONDS = float(os.environ.get("FUZZ_SECONDS", "600"))
SEED = int(os.environ.get("FUZZ_SEED") or random.SystemRandom().randrange(2**32))
ONLY = os.environ.get("FUZZ_CASE", "")

CASE_SECONDS = 20
"""After this time a case is interrupted as by Ctrl-C: long computations are no defect."""

MEMORY_BYTES = 24 * 2**30
"""Address space of the search, so that a case that asks for everything fails alone."""


@dataclass(frozen=True)
class Case:
    """One try: its name for FUZZ_CASE, and the random numbers that decide it."""

    name: str
    random: random.Random


def cases(search: str, *, fraction: float) -> Iterator[Case]:
    """Yield cases until this fraction of FUZZ_SECONDS is over; at least one.

    Only FUZZ_CASE, if it is set and belongs to this search.
    """
    if ONLY:
        if ONLY.partition(":")[0] == search:
            yield _case(ONLY)
        return
    end = time.monotonic() + fraction * SECONDS
    number = 0
    while number == 0 or time.monotonic() < end:
        yield _case(f"{search}:{number}")
        number += 1
    print(f"{search}: {number} cases, seed {SEED}")  # noqa: T201


def _case(name: str) -> Case:
    return Case(name, random.Random(f"{SEED}/{name}"))


@contextlib.contextmanager
def reported(case: Case, tried: object) -> Iterator[None]:
    """Run one try; an error tells how to repeat it.

    Raises:
        AssertionError: any error, with the seed, the case and `tried`.
    """
    before = signal.signal(signal.SIGALRM, _interrupt)
    signal.alarm(CASE_SECONDS)
    try:
        yield
    except (KeyboardInterrupt, Exception) as error:
        raise AssertionError(
            f"FUZZ_SEED={SEED} FUZZ_CASE={case.name} make fuzz\ntried: {tried!r}\n"
            f"{type(error).__name__}: {error}"
        ) from error
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def _interrupt(number: int, frame: object) -> None:
    raise KeyboardInterrupt


@contextlib.contextmanager
def bounded_memory() -> Iterator[None]:
    """Bound the address space of this process and of those it starts."""
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
