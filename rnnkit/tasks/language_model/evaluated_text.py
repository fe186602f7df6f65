"""Which text a run is scored on: a part of its own, or files that it has never seen."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from rnnkit.data.corpus import EncodedText, encode_files
from rnnkit.data.splits import SplitName
from rnnkit.errors import DataError
from rnnkit.runs.directory import RunDirectory
from rnnkit.runs.files import read_document
from rnnkit.tasks.language_model.config import LanguageConfig
from rnnkit.tasks.language_model.data import prepare
from rnnkit.text.vocabulary import Vocabulary

Unseen = Literal["error", "skip", "unk"]

_NAMED_AT_MOST = 10


@dataclass(frozen=True, eq=False)
class EvaluatedText:
    """Token ids to score, unsigned[tokens], possibly memory-mapped.

    `split` is the part of the run's own text, None for files.
    """

    ids: np.ndarray
    split: SplitName | None
    notes: tuple[str, ...]


def text_of_run(
    run: RunDirectory, config: LanguageConfig, *, split: SplitName | None
) -> EvaluatedText:
    """A part of the text that the run was trained on.

    Without `split` the validation part, or the test or the training part where there is none
    before it.

    Raises:
        DataError: the text is missing or is no longer what it was, or that part is empty.
        RunError: the run has no summary, or a damaged one.
    """
    trained_on = read_document(run.summary, "summary").get("corpus_fingerprint")
    prepared = prepare(config)
    if prepared.fingerprint != trained_on:
        path = (
            config.data.path if isinstance(config.data.path, str) else ", ".join(config.data.path)
        )
        raise DataError(
            f"{path}: the text has changed since this run was trained, so its parts are no longer "
            "the same. Restore the text, or score another one with --data FILE."
        )
    notes: list[str] = []
    if split is None:
        split = next(name for name in ("validation", "test", "train") if len(prepared.split(name)))
        if split == "train":
            notes.append(
                "This run holds no text out, so its training text is scored: the numbers say how "
                "well it was learnt by heart."
            )
    ids = prepared.split(split)
    if not len(ids):
        available = [name for name in get_args(SplitName) if len(prepared.split(name))]
        raise DataError(
            f"This run has no {split} part (data.{split}_fraction is 0); there is: "
            f"{', '.join(available)}."
        )
    return EvaluatedText(ids=ids, split=split, notes=tuple(notes))


def text_of_files(
    files: Sequence[str], vocabulary: Vocabulary, *, encoding: str, unseen: Unseen | None
) -> EvaluatedText:
    """Other text in the run's vocabulary.

    Characters or words that the vocabulary lacks are refused, left out, or scored as `<unk>`,
    which is the default where the vocabulary has it.

    Raises:
        DataError: the files cannot be read or hold too little, or unseen characters are refused.
    """
    text = encode_files(files, vocabulary, encoding)
    if not text.unseen:
        return EvaluatedText(ids=text.ids, split=None, notes=())
    found = _describe(text, vocabulary)
    choice = unseen or ("unk" if vocabulary.has_unknown else "error")
    match choice:
        case "skip":
            ids = text.ids
            if vocabulary.has_unknown:
                # <unk> is what unseen characters became, and nothing else in a text that was
                # not part of the training.
                ids = ids[ids != vocabulary.unknown_id]
                if len(ids) < 2:
                    raise DataError(f"{found} Without them there is nothing left to score.")
            note = f"{found} They are left out, so their neighbours are scored as neighbours."
            return EvaluatedText(ids=ids, split=None, notes=(note,))
        case "unk" if vocabulary.has_unknown:
            note = f"{found} They are scored as <unk>."
            return EvaluatedText(ids=text.ids, split=None, notes=(note,))
        case "unk":
            raise DataError(
                f"{found} They cannot be scored as <unk>, because this vocabulary has no <unk>; "
                "use --unseen skip, or train with data.minimum_count above 1."
            )
        case "error":
            raise DataError(
                f"{found} Remove them, or choose --unseen skip (leave them out)"
                + (" or --unseen unk (score them as <unk>)." if vocabulary.has_unknown else ".")
            )


def _describe(text: EncodedText, vocabulary: Vocabulary) -> str:
    """`3 of 200 characters are unknown to the model: 'é' (U+00E9) 2 times, ...`."""
    commonest = sorted(text.unseen.items(), key=lambda item: (-item[1], item[0]))
    named = ", ".join(
        f"{vocabulary.name_unit(unit)} {count:,} time{'s' if count > 1 else ''}"
        for unit, count in commonest[:_NAMED_AT_MOST]
    )
    more = len(commonest) - _NAMED_AT_MOST
    return (
        f"{sum(text.unseen.values()):,} of {text.units:,} {vocabulary.unit} are unknown to the "
        f"model: {named}{f' and {more:,} more' if more > 0 else ''}."
    )
