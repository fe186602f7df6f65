"""Evaluate a language model: scores of a split of its own text or of other files."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Literal, get_args

import numpy as np

from rnnkit.data.corpus import EncodedText, encode_files
from rnnkit.data.splits import SplitName, choose_split
from rnnkit.errors import DataError
from rnnkit.runs.directory import RunDirectory, check_finished
from rnnkit.runs.files import Document
from rnnkit.runs.records import Estimate, check_same_data
from rnnkit.tasks.language_model.config import LanguageConfig
from rnnkit.tasks.language_model.data import prepare
from rnnkit.tasks.language_model.model import load_language_model
from rnnkit.tasks.language_model.scoring import Progress, score_text
from rnnkit.tasks.results import scores_section
from rnnkit.text.vocabulary import Vocabulary
from rnnkit.views.formats import count
from rnnkit.views.view import View

Unseen = Literal["error", "skip", "unk"]

_NAMED_AT_MOST = 10


@dataclass(frozen=True, eq=False)
class EvaluatedText:
    """Token ids to score, unsigned[tokens], possibly memory-mapped.

    `split` is that of the run's own text, None for files.
    """

    ids: np.ndarray
    split: SplitName | None
    notes: tuple[str, ...]


def text_of_run(
    run: RunDirectory, config: LanguageConfig, *, split: SplitName | None
) -> EvaluatedText:
    """Return a split of the text that the run was trained on.

    Without `split` the test split, or where it is empty validation or training, with a note.

    Raises:
        DataError: the text is missing or has changed, or that split is empty.
        RunError: the run has not finished, or its summary is damaged.
    """
    check_finished(run)
    prepared = prepare(config)
    path = config.data.path
    files = (path,) if isinstance(path, str) else path
    check_same_data(run, prepared.fingerprint, files=files)
    names: tuple[SplitName, ...] = get_args(SplitName)
    split, notes = choose_split({name: len(prepared.split(name)) for name in names}, split)
    return EvaluatedText(ids=prepared.split(split), split=split, notes=notes)


def text_of_files(
    files: Sequence[str], vocabulary: Vocabulary, *, encoding: str, unseen: Unseen | None
) -> EvaluatedText:
    """Return other text in the run's vocabulary.

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
    if choice == "error":
        raise DataError(
            f"{found} Remove them, or choose --unseen skip (leave them out)"
            + (" or --unseen unk (score them as <unk>)." if vocabulary.has_unknown else ".")
        )
    if choice == "unk" and not vocabulary.has_unknown:
        raise DataError(
            f"{found} They cannot be scored as <unk>, because this vocabulary has no <unk>; "
            "use --unseen skip, or train with data.minimum_count above 1."
        )
    ids, note = text.ids, f"{found} They are scored as <unk>."
    if choice == "skip":
        note = f"{found} They are left out, so their neighbours are scored as neighbours."
        if vocabulary.has_unknown:
            # Unseen characters became <unk>, and nothing else in a text that was not part of
            # the training did.
            ids = ids[ids != vocabulary.unknown_id]
            if len(ids) < 2:
                raise DataError(f"{found} Without them there is nothing left to score.")
    return EvaluatedText(ids=ids, split=None, notes=(note,))


def _describe(text: EncodedText, vocabulary: Vocabulary) -> str:
    """Return `3 of 200 characters are unknown to the model: 'é' (U+00E9) 2 times, ...`."""
    commonest = sorted(text.unseen.items(), key=lambda item: (-item[1], item[0]))
    named = ", ".join(
        f"{vocabulary.name_unit(unit)} {count(times, 'time')}"
        for unit, times in commonest[:_NAMED_AT_MOST]
    )
    more = len(commonest) - _NAMED_AT_MOST
    return (
        f"{sum(text.unseen.values()):,} of {text.units:,} {vocabulary.unit} are unknown to the "
        f"model: {named}{f' and {more:,} more' if more > 0 else ''}."
    )


# ----------------------------------------------------------------------------------- evaluate


@dataclass(frozen=True)
class LanguageEvaluation:
    """The scores of a language model on one split of its own text or on other files."""

    run: str
    split: SplitName | None
    data: tuple[str, ...]
    """Other files than those of the run, as they were named."""
    tokens: int
    """Predictions that were scored."""
    metrics: dict[str, Estimate]
    """Scores with their 95 % intervals."""
    notes: tuple[str, ...]

    def to_json(self) -> Document:
        """Return the document of `rnnkit evaluate --json`."""
        return {
            "run": self.run,
            "split": self.split,
            "data": list(self.data) or None,
            "tokens": self.tokens,
            "metrics": {name: asdict(score) for name, score in self.metrics.items()},
            "notes": list(self.notes),
        }

    def view(self) -> View:
        """Return the view of the evaluation."""
        subject = f"{self.split} text" if self.split else ", ".join(self.data)
        heading = f"{self.run} on {subject}, {self.tokens:,} predictions"
        return View(
            title="Evaluation",
            subject=self.run,
            command="evaluate",
            sections=(scores_section(heading, self.metrics),),
            document=self.to_json(),
            notes=self.notes,
        )


def evaluate(
    run: RunDirectory,
    config: LanguageConfig,
    *,
    split: SplitName | None = None,
    data: Sequence[str] = (),
    encoding: str | None = None,
    unseen: Unseen | None = None,
    progress: Progress = lambda done, total: None,
) -> LanguageEvaluation:
    """Score the language model of a run.

    Args:
        run: a finished run, or with `data` a stopped one that has a model.
        config: that of the run.
        split: of the run's own text; test, or where it is empty validation or training.
        data: other files or glob patterns.
        encoding: of `data`; that of the run's own text when not given.
        unseen: how characters or words of `data` that the vocabulary lacks are treated.
        progress: is called with tokens.

    Raises:
        DataError: the text is missing, has changed or is too short, or the split is empty.
        RunError: the run has not finished, or a file is missing or damaged.
    """
    if not data:
        check_finished(run)
    session = load_language_model(run)
    text = (
        text_of_files(
            data, session.vocabulary, encoding=encoding or config.data.encoding, unseen=unseen
        )
        if data
        else text_of_run(run, config, split=split)
    )
    scores = score_text(
        session,
        text.ids,
        context_windows=config.evaluation.context_windows,
        stride=getattr(config.data.windows, "stride", 1),
        resamples=config.evaluation.bootstrap_samples,
        seed=config.seed,
        progress=progress,
    )
    return LanguageEvaluation(
        run=str(run.path),
        split=text.split,
        data=tuple(data),
        tokens=scores.tokens,
        metrics=scores.metrics,
        notes=(*text.notes, *scores.notes),
    )
