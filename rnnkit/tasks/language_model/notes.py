"""Notes about a corpus for the user, one sentence or two each."""

from rnnkit.data.counting import CorpusStats, SplitStats
from rnnkit.text.vocabulary import Vocabulary

_LITTLE_KNOWN = 0.8


def describe_corpus(stats: CorpusStats) -> list[str]:
    """Return notes about newlines, rare characters or words, and damaged ones."""
    notes = []
    if with_bom := sum(file.has_bom for file in stats.files):
        notes.append(f"{_files(with_bom, 'begins', 'begin')} with a byte order mark, not read.")
    styles = {
        "CRLF": sum(file.crlf > 0 for file in stats.files),
        "CR": sum(file.cr > 0 for file in stats.files),
        "LF": sum(file.lf > 0 for file in stats.files),
    }
    if styles["CRLF"] or styles["CR"]:
        found = ", ".join(f"{style} in {_files(n)}" for style, n in styles.items() if n)
        kept = stats.vocabulary.cleaning.newlines == "keep"
        notes.append(f"Newlines: {found}; {'kept as they are' if kept else 'all read as LF'}.")
    if stats.vocabulary.kind == "words":
        notes += _about_words(stats, stats.vocabulary)
    elif stats.rare:
        notes.append(
            f"{stats.rare:,} rare characters ({stats.rare_occurrences:,} of "
            f"{stats.characters:,}) became <unk>."
        )
    if stats.damaged_characters:
        notes.append(
            f"The text holds U+FFFD {stats.damaged_characters:,} times: an earlier conversion "
            "replaced what it could not read."
        )
    return notes


def _files(number: int, one: str = "", more: str = "") -> str:
    return f"1 file {one}".rstrip() if number == 1 else f"{number:,} files {more}".rstrip()


def _about_words(stats: CorpusStats, vocabulary: Vocabulary) -> list[str]:
    training = stats.splits[0]
    shares = [
        f"{_known(split)} of the {name} tokens"
        for name, split in zip(("training", "validation", "test"), stats.splits, strict=True)
        if split.tokens
    ]
    words = vocabulary.words
    line = (
        f"Vocabulary: {len(words):,} of the {len(words) + stats.rare:,} different words of the "
        f"training split; it covers {', '.join(shares)}."
    )
    if any(_known_fraction(split) < _LITTLE_KNOWN for split in stats.splits if split.tokens):
        line += " A larger vocabulary or subwords would cover more."
    notes = [line]
    unknown = sum(split.unknown for split in stats.splits[1:])
    if unknown and not training.unknown:
        notes.append(
            f"{unknown:,} held-out words are unknown, and the training split has no <unk> to learn "
            "from, since every word of it is kept: the score counts each as next to impossible. "
            "data.minimum_count: 2 reads words that occur once as <unk>."
        )
    return notes


def _known_fraction(split: SplitStats) -> float:
    return 1.0 - split.unknown / split.tokens


def _known(split: SplitStats) -> str:
    if not split.unknown:
        return "all"
    return f"{min(100 * _known_fraction(split), 99.9):.1f} %"
