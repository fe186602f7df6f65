"""What the user should know about a text, one sentence or two each."""

from rnnkit.data.encode import CorpusFacts, PartFacts
from rnnkit.text.vocabulary import Vocabulary

_LITTLE_KNOWN = 0.8


def describe_corpus(facts: CorpusFacts) -> list[str]:
    """Notes about what cleaning and counting met."""
    notes = []
    if with_bom := sum(file.has_bom for file in facts.files):
        notes.append(f"{_files(with_bom, 'begins', 'begin')} with a byte order mark, not read.")
    styles = {
        "CRLF": sum(file.crlf > 0 for file in facts.files),
        "CR": sum(file.cr > 0 for file in facts.files),
        "LF": sum(file.lf > 0 for file in facts.files),
    }
    if styles["CRLF"] or styles["CR"]:
        found = ", ".join(f"{style} in {_files(n)}" for style, n in styles.items() if n)
        kept = facts.vocabulary.cleaning.newlines == "keep"
        notes.append(f"Newlines: {found}; {'kept as they are' if kept else 'all read as LF'}.")
    if facts.vocabulary.kind == "words":
        notes += _about_words(facts, facts.vocabulary)
    elif facts.rare:
        notes.append(
            f"{facts.rare:,} rare characters ({facts.rare_occurrences:,} of "
            f"{facts.characters:,}) became <unk>."
        )
    if facts.damaged_characters:
        notes.append(
            f"The text holds U+FFFD {facts.damaged_characters:,} times: an earlier conversion "
            "replaced what it could not read."
        )
    return notes


def _files(number: int, one: str = "", more: str = "") -> str:
    return f"1 file {one}".rstrip() if number == 1 else f"{number:,} files {more}".rstrip()


def _about_words(facts: CorpusFacts, vocabulary: Vocabulary) -> list[str]:
    training = facts.parts[0]
    shares = [
        f"{_known(part)} of the {name} tokens"
        for name, part in zip(("training", "validation", "test"), facts.parts, strict=True)
        if part.tokens
    ]
    words = vocabulary.words
    line = (
        f"Vocabulary: {len(words):,} of the {len(words) + facts.rare:,} different words of the "
        f"training part; it covers {', '.join(shares)}."
    )
    if any(_known_share(part) < _LITTLE_KNOWN for part in facts.parts if part.tokens):
        line += " A larger vocabulary or subwords would cover more."
    notes = [line]
    unknown = sum(part.unknown for part in facts.parts[1:])
    if unknown and not training.unknown:
        notes.append(
            f"{unknown:,} held-out words are unknown, and the training part has no <unk> to learn "
            "from, since every word of it is kept: the score counts each as next to impossible. "
            "data.minimum_count: 2 reads words that occur once as <unk>."
        )
    return notes


def _known_share(part: PartFacts) -> float:
    return 1.0 - part.unknown / part.tokens


def _known(part: PartFacts) -> str:
    if not part.unknown:
        return "all"
    return f"{min(100 * _known_share(part), 99.9):.1f} %"
