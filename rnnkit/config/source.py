"""Strict YAML: text -> plain values, and for every path the place it came from.

PyYAML's resolver follows YAML 1.1, in which `no` is false, `010` is eight, `1:30` is ninety and
`1e-3` is a text. Here the node graph is walked by our own rules, close to YAML 1.2: what could
mean two things is refused with the line and the two ways to write it unmistakably.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field

import yaml

from rnnkit.errors import ConfigError

KeyPath = tuple[str | int, ...]

MAXIMUM_VALUES = 10_000
"""More values than any configuration has; stops aliases that multiply."""
MAXIMUM_DEPTH = 30
"""Levels of sections and lists inside each other."""
MAXIMUM_DIGITS = 18
"""Whole numbers up to here fit 64 bits."""

_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_WHOLE_NUMBER = re.compile(r"[-+]?(0|[1-9][0-9]*)")
_NUMBER = re.compile(r"[-+]?(\.[0-9]+|(0|[1-9][0-9]*)(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_LEADING_ZERO = re.compile(r"[-+]?0[0-9_]+(\.[0-9]*)?([eE][-+]?[0-9]+)?")
_OTHER_BASE = re.compile(r"[-+]?0([oO][0-7_]+|[xX][0-9a-fA-F_]+|[bB][01_]+)")
_UNDERSCORES = re.compile(r"[-+]?[0-9][0-9_]*(\.[0-9_]*)?([eE][-+]?[0-9]+)?")
_SEXAGESIMAL = re.compile(r"[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?")
_NOT_FINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")


@dataclass(frozen=True)
class Origin:
    """A place in a file (`line` counts from 1), or a `--set` (`line` is None)."""

    source: str
    line: int | None = None

    def __str__(self) -> str:
        return self.source if self.line is None else f"{self.source}:{self.line}"


@dataclass(frozen=True)
class Problem:
    """One line of an error message: where, which key (`()` is the whole), what about it."""

    origin: Origin
    path: KeyPath
    message: str

    def __str__(self) -> str:
        return ": ".join(filter(None, (str(self.origin), render_path(self.path), self.message)))


@dataclass(frozen=True)
class Document:
    """What was read: `value` of dict, list, str, int, float, bool and None, the origin of every
    path in it, and what is wrong with single values."""

    value: object
    origins: dict[KeyPath, Origin]
    problems: tuple[Problem, ...]


def render_path(path: KeyPath) -> str:
    """`("model", "units", 1)` -> `model.units[1]`; keys that are no plain words are quoted."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            word = part if re.fullmatch(r"[\w-]{1,60}", part) else shorten(repr(part))
            text += f".{word}" if text else word
    return text


def shorten(text: str, limit: int = 60) -> str:
    """Cut a text for display, without line breaks."""
    text = " ".join(text.split())
    return text if len(text) <= limit else text[: limit - 3] + "..."


def read_scalar(text: str) -> str | int | float | bool | None:
    """The value of an unquoted scalar; ValueError with the advice when it is ambiguous.

    >>> read_scalar("1e-3"), read_scalar("no"), read_scalar("2024-01-31")
    (0.001, 'no', '2024-01-31')
    """
    if text in _NULLS:
        return None
    if text in ("true", "false"):
        return text == "true"
    if text[0] not in "+-.0123456789":
        return text
    if _WHOLE_NUMBER.fullmatch(text):
        if len(text) > MAXIMUM_DIGITS:
            raise ValueError(f"{shorten(text)} has more than {MAXIMUM_DIGITS} digits")
        return int(text)
    if _NUMBER.fullmatch(text):
        number = float(text)
        if number in (float("inf"), float("-inf")):
            raise ValueError(f"{shorten(text)} is larger than any number the computer can hold")
        return number
    shown = shorten(text)
    if _LEADING_ZERO.fullmatch(text):
        sign, digits = ("-", text[1:]) if text[0] == "-" else ("", text.lstrip("+"))
        digits = digits.replace("_", "").lstrip("0")
        digits = digits if digits[:1].isdigit() else f"0{digits}"
        raise ValueError(
            f"{shown} can mean an octal number; write {shorten(sign + digits)} for the number, "
            f'"{shown}" for the text'
        )
    if _OTHER_BASE.fullmatch(text):
        raise ValueError(f'{shown}: numbers are written in decimal; "{shown}" is the text')
    if _UNDERSCORES.fullmatch(text):
        plain = shorten(text.replace("_", ""))
        raise ValueError(f'{shown}: write {plain} for the number, "{shown}" for the text')
    if _SEXAGESIMAL.fullmatch(text):
        raise ValueError(
            f'{shown} can mean a number in base 60; write "{shown}" for the text, '
            "or the number in decimal"
        )
    if _NOT_FINITE.fullmatch(text):
        raise ValueError(f'{shown}: a finite number is needed; "{shown}" is the text')
    return text


def read_yaml(text: str, *, source: str) -> Document:
    """Read the one document in `text`; `source` is the file's name for the messages.

    Raises ConfigError, with the line, when the text is no YAML at all. What is wrong with single
    values (a duplicate key, `010`) is returned in `problems`, so that it can be reported together
    with everything else.
    """
    return _read(text, lambda line: Origin(source, line), whole_text=False)


def read_override(text: str, *, source: str) -> Document:
    """Read the VALUE of a `--set KEY=VALUE`: a scalar or YAML's flow form (`[256, 128]`).

    What YAML would drop silently (a comment, a line break) is refused.
    """
    return _read(text, lambda line: Origin(source), whole_text=True)


class _Loader(yaml.SafeLoader):
    """PyYAML's composer, which also notes the tags that the author wrote (`!!python/...`)."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.written_tags: dict[int, str] = {}

    def compose_node(self, parent: yaml.Node | None, index: object) -> yaml.Node | None:
        tag = getattr(self.peek_event(), "tag", None)
        node = super().compose_node(parent, index)  # type: ignore[arg-type]
        if tag is not None:
            self.written_tags[id(node)] = tag
        return node


@dataclass
class _Walk:
    """The state of one walk over the node graph."""

    locate: Callable[[int], Origin]
    written_tags: dict[int, str]
    origins: dict[KeyPath, Origin] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    open_nodes: set[int] = field(default_factory=set)
    values: int = 0

    def refuse(self, node: yaml.Node, path: KeyPath, message: str) -> None:
        self.problems.append(Problem(self.locate(_line(node)), path, message))

    def read(self, node: yaml.Node, path: KeyPath) -> object:
        """Return the plain value of a node; a refused one is replaced by its text or None."""
        self.origins.setdefault(path, self.locate(_line(node)))
        self.values += 1
        if self.values > MAXIMUM_VALUES:
            raise ConfigError(
                f"{self.locate(_line(node))}: more than {MAXIMUM_VALUES} values; "
                "aliases (*name) that multiply?"
            )
        if len(path) > MAXIMUM_DEPTH:
            raise ConfigError(f"{self.locate(_line(node))}: nested too deeply")
        if id(node) in self.open_nodes:
            self.refuse(node, path, "an alias that contains itself")
            return None
        if (tag := self.written_tags.get(id(node))) is not None:
            self.refuse(node, path, f"the tag {shorten(tag)}: tags are not read, remove it")
            return None
        self.open_nodes.add(id(node))
        try:
            if isinstance(node, yaml.MappingNode):
                return self.read_mapping(node, path)
            if isinstance(node, yaml.SequenceNode):
                return [self.read(item, (*path, i)) for i, item in enumerate(node.value)]
            return self.read_scalar(node, path)
        finally:
            self.open_nodes.discard(id(node))

    def read_scalar(self, node: yaml.Node, path: KeyPath) -> object:
        text = node.value
        if any("\ud800" <= character <= "\udfff" for character in text):
            # JSON writes "\ud83d\ude00" for one character; PyYAML leaves the two halves.
            try:
                text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le")
            except UnicodeDecodeError:
                self.refuse(node, path, "half of a surrogate pair, which is not a character")
                return None
        if node.style is not None:  # type: ignore[attr-defined]
            return text
        try:
            return read_scalar(text)
        except ValueError as error:
            self.refuse(node, path, str(error))
            return text

    def read_mapping(self, node: yaml.MappingNode, path: KeyPath) -> dict[str, object]:
        mapping: dict[str, object] = {}
        for key_node, value_node in node.value:
            key = self.read_key(key_node, path)
            if key is None:
                continue
            line = self.locate(_line(key_node))
            if key in mapping:
                first = self.origins[*path, key]
                seen = f", first in line {first.line}" if first.line is not None else ""
                self.problems.append(Problem(line, (*path, key), f"this key is there twice{seen}"))
                continue
            self.origins[*path, key] = line
            mapping[key] = self.read(value_node, (*path, key))
        return mapping

    def read_key(self, node: yaml.Node, path: KeyPath) -> str | None:
        if not isinstance(node, yaml.ScalarNode):
            self.refuse(node, path, "a key has to be a word, found a list or a section")
            return None
        if node.style is None and node.value == "<<":
            self.refuse(node, path, "merge keys (<<) are not read; write the keys out")
            return None
        before = len(self.problems)
        key = self.read_scalar(node, path)
        if id(node) in self.written_tags:
            self.refuse(node, path, "a key with a tag: tags are not read, remove it")
        elif key is None and len(self.problems) == before:
            self.refuse(node, path, f"a key has to be a word, found {node.value or 'none'}")
        if len(self.problems) > before:
            return None
        # The labels of a data set are keys too: `0: negative` means the text "0".
        return key if isinstance(key, str) else node.value


def _read(text: str, locate: Callable[[int], Origin], *, whole_text: bool) -> Document:
    node, written_tags = _compose(text, locate)
    if node is None:
        hidden = Problem(locate(1), (), "only a comment; put it in quotes")
        return Document(None, {(): locate(1)}, (hidden,) if whole_text else ())
    walk = _Walk(locate, written_tags)
    value = walk.read(node, ())
    plain = isinstance(node, yaml.ScalarNode) and node.style is None
    if whole_text and plain and node.value != text.strip():
        walk.refuse(node, (), f"only {shorten(node.value)!r} would be read; put it in quotes")
    return Document(value, walk.origins, tuple(walk.problems))


def _compose(text: str, locate: Callable[[int], Origin]) -> tuple[yaml.Node | None, dict[int, str]]:
    """Return the node graph of the document and the tags in it. Raises ConfigError."""
    line = 1
    try:
        loader = _Loader(text)
        try:
            return loader.get_single_node(), loader.written_tags
        finally:
            line = loader.line + 1
            loader.dispose()
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        code = error.character if isinstance(error.character, int) else ord(error.character[:1])
        raise ConfigError(
            f"{locate(line)}: the character U+{code:04X} cannot stand in YAML; "
            'in "quotes" it can be written as an escape'
        ) from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise ConfigError(f"{locate(mark.line + 1 if mark else 1)}: {_explain(error)}") from None
    except RecursionError:
        raise ConfigError(f"{locate(line)}: nested too deeply") from None
    except (ValueError, OverflowError):  # chr() and int() inside PyYAML's scanner
        raise ConfigError(
            f"{locate(line)}: not valid YAML: a number or an escape (\\U...) that is too large"
        ) from None


def _line(node: yaml.Node) -> int:
    return node.start_mark.line + 1


def _explain(error: yaml.MarkedYAMLError) -> str:
    """Return the message of PyYAML, reworded for users where it is a frequent one."""
    problem, context = error.problem or "", error.context or ""
    if "'\\t'" in problem:
        return "a tab; YAML is indented and spaced with spaces"
    if problem.startswith("but found another document"):
        return "a second document (---); one file describes one experiment"
    if problem.startswith("mapping values are not allowed"):
        return 'a ":" where none can stand: check the indentation, put texts with ": " in quotes'
    if "cannot start any token" in problem or "an alias" in context or "an anchor" in context:
        return f'not valid YAML: {problem}; texts that begin with * & ! % @ ` need "quotes"'
    return f"not valid YAML: {problem}" + (f" ({context})" if context else "")
