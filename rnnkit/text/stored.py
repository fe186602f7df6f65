"""Reading a vocabulary from the JSON values that `Vocabulary.to_dict` returned."""

from collections.abc import Mapping
from itertools import pairwise
from typing import Any, Literal, TypeVar, assert_never, get_args, get_origin, get_type_hints

from rnnkit.text.cleaning import TextRules
from rnnkit.text.spacing import Layout
from rnnkit.text.subwords import HALF_SURROGATE_PAIR, Subwords
from rnnkit.text.vocabulary import (
    MARKS,
    PADDING,
    UNKNOWN,
    CaseRules,
    Kind,
    Vocabulary,
    classifier_rules,
)

_T = TypeVar("_T")


def read_vocabulary(content: object) -> Vocabulary:
    """Read a stored vocabulary; raises ValueError saying what is wrong."""
    if not isinstance(content, dict):
        raise ValueError("the vocabulary is not an object")
    kind: Kind = read_choice(content.get("kind"), get_args(Kind), "kind")
    if {"tokens", "subwords"} <= set(content):
        return _classifier_vocabulary(content, kind)
    match kind:
        case "characters" | "bytes":
            return _characters_vocabulary(content, kind)
        case "words":
            return _words_vocabulary(content)
        case "subwords":
            stored = read_mapping(content, {"kind", "subwords", "rules"}, "the vocabulary")
            return subword_vocabulary(read_rules(stored["rules"], TextRules), stored["subwords"])
        case _:
            assert_never(kind)


def subword_vocabulary(rules: TextRules | CaseRules, subwords: str) -> Vocabulary:
    """Make the vocabulary of a tokenizer's JSON; raises ValueError saying what is wrong with it."""
    if not isinstance(subwords, str):
        raise ValueError("subwords is not a text")
    tokenizer = Subwords.from_json(subwords)
    if isinstance(rules, TextRules) and b"\n" not in tokenizer.contents:
        raise ValueError("the subwords lack bytes")
    has_unknown = not isinstance(rules, TextRules)
    return Vocabulary(rules, "subwords", tokenizer.tokens, has_unknown, subwords=subwords)


def read_mapping(value: object, keys: set[str], name: str) -> Mapping[str, Any]:
    """Return `value` as a mapping with exactly these keys; raises ValueError otherwise."""
    if not isinstance(value, dict) or set(value) != keys:
        raise ValueError(f"{name} is not an object with exactly {', '.join(sorted(keys))}")
    return value


def read_choice(value: object, allowed: tuple[str, ...], name: str) -> Any:
    """Return `value` as one of `allowed`; raises ValueError otherwise."""
    if not isinstance(value, str) or value not in allowed:
        raise ValueError(f"{name} is {value!r} and not one of {', '.join(allowed)}")
    return value


def read_rules(content: object, rules: type[_T]) -> _T:
    """Read the fields of rules, each a choice or true or false; raises ValueError otherwise."""
    allowed = get_type_hints(rules)
    values = read_mapping(content, set(allowed), "rules")
    for name, kind in allowed.items():
        if get_origin(kind) is Literal:
            read_choice(values[name], get_args(kind), f"rules: {name}")
        elif not isinstance(values[name], bool):
            raise ValueError(f"rules: {name} is {values[name]!r} and not true or false")
    return rules(**values)


def _classifier_vocabulary(content: dict[str, Any], kind: Kind) -> Vocabulary:
    stored = read_mapping(content, {"kind", "rules", "tokens", "subwords"}, "the vocabulary")
    tokens, subwords, form = stored["tokens"], stored["subwords"], classifier_rules(kind)
    if kind == "subwords":
        if not isinstance(subwords, str) or tokens != []:
            raise ValueError("the subwords are not a text, or tokens are listed beside them")
        return subword_vocabulary(read_rules(stored["rules"], CaseRules), subwords)
    if subwords != "":
        raise ValueError(f"subwords are listed in a vocabulary of {kind}")
    is_token = _is_character if kind == "characters" else _is_word
    if not isinstance(tokens, list) or not all(map(is_token, tokens)) or PADDING in tokens:
        raise ValueError(f"tokens is not a list of {kind}")
    _check_distinct(tokens)
    return Vocabulary(read_rules(stored["rules"], form), kind, tuple(tokens), has_unknown=True)


def _characters_vocabulary(
    content: dict[str, Any], kind: Literal["characters", "bytes"]
) -> Vocabulary:
    stored = read_mapping(content, {"kind", "tokens", "has_unknown", "rules"}, "the vocabulary")
    tokens, has_unknown = stored["tokens"], stored["has_unknown"]
    if not isinstance(tokens, list) or not all(map(_is_character, tokens)):
        raise ValueError("tokens is not a list of single characters")
    if any(a >= b for a, b in pairwise(tokens)):
        raise ValueError("tokens are not in strictly rising order")
    if not isinstance(has_unknown, bool):
        raise ValueError(f"has_unknown is {has_unknown!r} and not true or false")
    if kind == "bytes" and (tokens or has_unknown):
        raise ValueError("a vocabulary of bytes lists no tokens and has no <unk>")
    if kind == "characters" and not tokens:
        raise ValueError("tokens is empty")
    return Vocabulary(read_rules(stored["rules"], TextRules), kind, tuple(tokens), has_unknown)


def _words_vocabulary(content: dict[str, Any]) -> Vocabulary:
    stored = read_mapping(content, {"kind", "layout", "tokens", "rules"}, "the vocabulary")
    layout: Layout = read_choice(stored["layout"], get_args(Layout), "layout")
    tokens, marks = stored["tokens"], MARKS[layout]
    if not isinstance(tokens, list) or not all(map(_is_word, tokens)):
        raise ValueError("tokens is not a list of words")
    _check_distinct(tokens)
    if tuple(tokens[: len(marks)]) != marks or len(tokens) == len(marks):
        raise ValueError("tokens do not begin with the marks of the layout and a word")
    rules = read_rules(stored["rules"], TextRules)
    return Vocabulary(rules, "words", tuple(tokens), has_unknown=True, layout=layout)


def _check_distinct(tokens: list[str]) -> None:
    if len(set(tokens)) != len(tokens):
        raise ValueError("a token occurs twice")


def _is_word(value: object) -> bool:
    is_text = isinstance(value, str) and bool(value) and value != UNKNOWN
    return is_text and not HALF_SURROGATE_PAIR.search(str(value))


def _is_character(value: object) -> bool:
    return _is_word(value) and len(str(value)) == 1
