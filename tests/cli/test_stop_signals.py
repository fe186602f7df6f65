"""Signals that stop a training: what the terminal shows of them."""

import io
import os
import signal
import sys

import pytest

from rnnkit.cli.display import stop_signals


class Terminal(io.StringIO):
    """A standard error that is a terminal."""

    def isatty(self) -> bool:
        return True


def test_the_message_takes_the_place_of_the_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    with stop_signals() as should_stop:
        assert not should_stop(0)
        os.kill(os.getpid(), signal.SIGINT)
        assert should_stop(1)
    assert terminal.getvalue().startswith("\r\x1b[2KStopping after this step")
