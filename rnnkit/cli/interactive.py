"""`rnnkit generate --interactive`: write a text together with a model, line by line.

Everything is said on standard error and typed on standard input, without moving the cursor, so
that it works in any terminal. Only the finished text goes to standard output.
"""

import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from rnnkit.cli.text_arguments import standard_input
from rnnkit.errors import DataError, UsageError

if TYPE_CHECKING:
    from rnnkit.tasks.language_model.composition import Candidate, Composition

HELP = """\
  3          take candidate 3
  Enter      let the model draw one token
  go, go 50  let the model write as many tokens as --length says, or 50; Ctrl-C stops it
  +TEXT      write TEXT yourself; \\n is a newline, \\\\ a backslash
  u, u 3     undo the last change, or the last 3
  t 0.8      temperature (0: always the most probable)
  k 20       only the 20 most probable tokens (0: all)
  p 0.9      only the fewest tokens that hold 0.9 of the probability (1: all)
  n 20       show 20 candidates
  s          show the whole text
  q          end, and write the text to standard output; so does Ctrl-D
  ?          this help"""

_SHORT_HELP = "number: take it   Enter: draw   go N: write N   +TEXT: your own   u: undo   ?: help"
_CANDIDATES = 8
_TAIL = 72
"""Columns of the text that are shown."""
_BAR = 20


class _EndError(Exception):
    """The user ends the dialogue."""


def converse(composition: "Composition", *, length: int) -> None:
    """Ask for commands until the end; writes the text to standard output.

    Args:
        composition: the text to continue.
        length: tokens that `go` writes when no number is given.

    Raises:
        UsageError: standard input is closed.
        RunError: the model's output is not finite.
        KeyboardInterrupt: Ctrl-C at the prompt, after the text was written.
    """
    standard_input()
    dialogue = _Dialogue(composition, length)
    _say(_SHORT_HELP)
    try:
        while True:
            candidates = dialogue.show()
            while not dialogue.obey(_ask(), candidates):
                pass
    except _EndError:
        pass
    finally:
        click.echo(composition.text)


class _Dialogue:
    """Settings of the dialogue: the number of candidates shown and of tokens written."""

    def __init__(self, composition: "Composition", length: int) -> None:
        self._composition = composition
        self._length = length
        self._shown = _CANDIDATES

    def show(self) -> "list[Candidate]":
        """Show the end of the text and the candidates; return these."""
        from rnnkit.views.terminal import display_width

        composition = self._composition
        options = composition.options
        tokens = len(composition.ids)
        settings = "1 token" if tokens == 1 else f"{tokens} tokens"
        settings += f", temperature {options.temperature:g}"
        if options.top_k is not None:
            settings += f", top-k {options.top_k}"
        if options.top_p is not None and options.top_p < 1.0:
            settings += f", top-p {options.top_p:g}"
        _say(f"\n{tail(composition.text)}▏  ({settings})")
        candidates = composition.candidates(self._shown)
        width = max(display_width(candidate.label) for candidate in candidates)
        for number, candidate in enumerate(candidates, start=1):
            padding = " " * (width - display_width(candidate.label))
            percent = f"{100 * candidate.probability:.1f}"
            percent = "< 0.1" if percent == "0.0" else percent
            bar = "█" * round(_BAR * candidate.probability)
            _say(f"{number:>3}  {candidate.label}{padding}  {percent:>5} %  {bar}".rstrip())
        return candidates

    def obey(self, line: str, candidates: "list[Candidate]") -> bool:
        """Carry out a command, or say what is wrong with it; returns whether to show the text."""
        try:
            match line.strip():
                case "s":
                    _say(self._composition.text)
                case "?":
                    _say(HELP)
                case "q":
                    raise _EndError
                case _:
                    self._change(line, candidates)
                    return True
        except (DataError, UsageError) as error:
            _say(str(error))
        return False

    def _change(self, line: str, candidates: "list[Candidate]") -> None:
        composition = self._composition
        if line.startswith("+"):
            composition.write(unescape(line[1:]))
            return
        word, _, value = line.strip().partition(" ")
        value = value.strip()
        match word:
            case "":
                self._run(1)
            case "go":
                self._run(_whole(word, value, least=1) if value else self._length)
            case "u":
                self._undo(_whole(word, value, least=1) if value else 1)
            case "t":
                temperature = _number(word, value, least=0.0)
                composition.options = replace(composition.options, temperature=temperature)
            case "k":
                top_k = _whole(word, value, least=0) or None
                composition.options = replace(composition.options, top_k=top_k)
            case "p":
                top_p = _number(word, value, least=0.0, most=1.0)
                if not top_p:
                    raise UsageError("p: expected a number above 0 and up to 1, such as p 0.9")
                composition.options = replace(composition.options, top_p=top_p)
            case "n":
                self._shown = _whole(word, value, least=1)
            case _ if word.isdecimal() and not value:
                if not 1 <= int(word) <= len(candidates):
                    raise UsageError(
                        f"There is no candidate {word}; expected 1 to {len(candidates)}. "
                        f"To write it yourself: +{word}"
                    )
                composition.take(candidates[int(word) - 1])
            case _:
                raise UsageError(
                    f"{line!r} is not a command. To write it yourself: +{line}   ?: help"
                )

    def _run(self, tokens: int) -> None:
        try:
            for text in self._composition.run(tokens):
                if tokens > 1:
                    click.echo(text, nl=False, err=True)
        except KeyboardInterrupt:
            _say("\nstopped")
        else:
            if tokens > 1:
                _say("")

    def _undo(self, changes: int) -> None:
        for done in range(changes):
            if not self._composition.undo():
                raise UsageError(
                    "There is nothing to undo."
                    if not done
                    else "There are no more changes to undo."
                )


def tail(text: str) -> str:
    r"""Return the end of a text in one line, newlines as ⏎: `"...\nand so"` -> `...⏎and so`."""
    from rnnkit.views.terminal import display_width

    shown = "".join("⏎" if c == "\n" else c if c.isprintable() else " " for c in text)
    if display_width(shown) <= _TAIL:
        return shown
    while display_width(shown) > _TAIL - 1:
        shown = shown[max(1, (display_width(shown) - _TAIL) // 2) :]
    return f"…{shown}"


def unescape(text: str) -> str:
    r"""Replace escapes: `\n` is a newline, `\t` a tab, `\\` a backslash."""
    meant = {"n": "\n", "t": "\t", "\\": "\\"}
    result, rest = "", text
    while "\\" in rest:
        before, _, rest = rest.partition("\\")
        result += before + meant.get(rest[:1], "\\" + rest[:1])
        rest = rest[1:]
    return result + rest


def _ask() -> str:
    """Return the next line that is typed. Raises _EndError at the end of the input."""
    click.echo("> ", nl=False, err=True)
    line = standard_input().readline()
    if not line:
        _say("")
        raise _EndError
    return line.decode(sys.stdin.encoding or "utf-8", errors="replace").rstrip("\r\n")


def _whole(word: str, value: str, *, least: int) -> int:
    if not value.isdecimal() or int(value) < least:
        raise UsageError(f"{word}: expected a whole number of at least {least}, found {value!r}")
    return int(value)


def _number(word: str, value: str, *, least: float, most: float = float("inf")) -> float:
    try:
        number = float(value)
    except ValueError:
        number = float("nan")
    if not least <= number <= most or number == float("inf"):
        expected = (
            f"from {least:g} to {most:g}" if most < float("inf") else f"of at least {least:g}"
        )
        raise UsageError(f"{word}: expected a number {expected}, found {value!r}")
    return number


def _say(text: str) -> None:
    click.echo(text, err=True)
