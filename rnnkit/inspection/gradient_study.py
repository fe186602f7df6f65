"""From runs or configurations and a text to profiles of their gradients."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar, assert_never

import numpy as np

from rnnkit.errors import DataError, UsageError
from rnnkit.inspection.profiles import (
    Clipping,
    Profile,
    Progress,
    Reach,
    StateProfile,
    classifier_profile_of,
    clipping_of,
    profile_of,
    usual_distance,
)
from rnnkit.inspection.subject import (
    ClassifierSubject,
    LanguageSubject,
    Subject,
    has_frozen_embeddings,
)
from rnnkit.network.cells import CELLS, CellSpec
from rnnkit.network.initializers import untrained, with_cell
from rnnkit.network.reference import build_network
from rnnkit.tasks.language_model.data import windows_of

Item = TypeVar("Item")

_USUAL_DISTANCE = 50


@dataclass(frozen=True)
class GradientOptions:
    """What is wanted.

    Without `text` and `files` the run's own held-out text is taken. Without `distance`, up to 50
    steps. `clip_norm` takes the place of the configured one.
    """

    text: str | None = None
    files: tuple[str, ...] = ()
    distance: int | None = None
    windows: int = 128
    recurrent_scale: float = 1.0
    clip_norm: float | None = None


@dataclass(frozen=True, eq=False)
class GradientStudy:
    """Profiles side by side, and what clipping does to the gradient of the first network."""

    profiles: tuple[Profile, ...]
    clipping: Clipping | None
    source: str
    notes: tuple[str, ...]

    @property
    def states(self) -> tuple[tuple[Profile, StateProfile], ...]:
        """All curves, each with the profile it belongs to."""
        return tuple((profile, state) for profile in self.profiles for state in profile.states)


def study_gradients(
    subject: Subject,
    compared: Sequence[Subject],
    *,
    cells: bool,
    options: GradientOptions,
    progress: Progress = lambda done, total: None,
) -> GradientStudy:
    """Look at the gradients of `subject`, of other runs, and, where `cells`, of fresh networks of
    the same size with each of the cells. `progress(done, total)` is called with pieces of
    text, for each network from the first on.

    Raises:
        DataError: the text cannot be read, has changed, or is too short.
        UsageError: options that do not go with these networks.
    """
    if any(type(other) is not type(subject) for other in compared):
        raise UsageError("A language model and a classifier cannot be compared; name runs alike.")
    subjects = [subject, *compared]
    if cells:
        # One that is untrained would be among the three again.
        subjects = ([] if subject.run is None else subjects) + [
            fresh(subject, cell) for cell in CELLS.values()
        ]
    scaled = [_scaled(one, options.recurrent_scale) for one in subjects]
    match subject:
        case LanguageSubject():
            languages = [one for one in scaled if isinstance(one, LanguageSubject)]
            return _language_view(languages, options, progress)
        case ClassifierSubject():
            classifiers = [one for one in scaled if isinstance(one, ClassifierSubject)]
            return _classifier_view(classifiers, options, progress)
        case _:
            assert_never(subject)


def fresh(subject: Subject, cell: CellSpec) -> Subject:
    """Build the network of `subject` with this cell, untrained but for pretrained vectors."""
    seed, network = subject.config.seed, subject.network
    changed = untrained(
        with_cell(network.spec, cell),
        seed=seed,
        vectors=network.embeddings if _is_pretrained(subject) else None,
    )
    origin = f"untrained; random weights (seed {seed})"
    return replace(subject, name=f"fresh {cell.name}", network=changed, origin=origin)


def _is_pretrained(subject: Subject) -> bool:
    match subject:
        case LanguageSubject(config=config):
            return config.model.input.kind == "pretrained"
        case ClassifierSubject(config=config):
            return config.model.embedding.kind == "pretrained"
        case _:
            assert_never(subject)


def _scaled(subject: Subject, scale: float) -> Subject:
    """Return the subject with every recurrent matrix multiplied by `scale`."""
    if scale == 1.0:
        return subject
    weights = {
        name: weight * scale if name.endswith("/recurrent_kernel") else weight
        for name, weight in subject.network.weights.items()
    }
    network = build_network(subject.network.spec, weights)
    origin = f"{subject.origin}; recurrent matrix times {scale:g}"
    return replace(subject, network=network, origin=origin)


# ---------------------------------------------------------------------------- language models


def _language_view(
    subjects: list[LanguageSubject], options: GradientOptions, progress: Progress
) -> GradientStudy:
    first = subjects[0]
    texts = [_language_text(subject, options) for subject in subjects]
    distance = options.distance or min(
        usual_distance(subject.context, len(text.ids))
        for subject, text in zip(subjects, texts, strict=True)
    )
    profiles = tuple(
        profile_of(
            subject.network,
            text.ids,
            Reach(distance, options.windows, subject.context),
            name=subject.name,
            cell=subject.network.spec.top.cell.name,
            origin=subject.origin,
            progress=progress,
        )
        for subject, text in zip(subjects, texts, strict=True)
    )
    training, windows = first.config.training, windows_of(first.config)
    clipping = clipping_of(
        first.network,
        texts[0].ids,
        training,
        context=windows.context,
        length=windows.length,
        clip_norm=training.clip_norm if options.clip_norm is None else options.clip_norm,
        frozen=("embedding/embeddings",) if has_frozen_embeddings(first) else (),
    )
    notes = tuple(dict.fromkeys(note for text in texts for note in text.notes))
    return GradientStudy(profiles, clipping, texts[0].source, notes)


@dataclass(frozen=True, eq=False)
class _Text:
    """Token ids, unsigned[tokens], and where they come from."""

    ids: np.ndarray
    source: str
    notes: tuple[str, ...] = ()


def _language_text(subject: LanguageSubject, options: GradientOptions) -> _Text:
    from rnnkit.tasks.language_model.data import prepare
    from rnnkit.tasks.language_model.evaluation import text_of_files, text_of_run

    if options.text is not None:
        return _Text(np.array(subject.vocabulary.encode(options.text), np.int64), "--text")
    if options.files:
        text = text_of_files(
            options.files,
            subject.vocabulary,
            encoding=subject.config.data.encoding,
            unseen="unk" if subject.vocabulary.unknown_id is not None else "skip",
        )
        return _Text(text.ids, ", ".join(options.files), text.notes)
    if subject.run is not None:
        text = text_of_run(subject.run, subject.config, split=None)
        return _Text(text.ids, f"the {text.split} part of its text")
    prepared = prepare(subject.config)
    split = "validation" if len(prepared.split("validation")) > 1 else "train"
    return _Text(prepared.split(split), f"the {split} part of its text")


# -------------------------------------------------------------------------------- classifiers


def _classifier_view(
    subjects: list[ClassifierSubject], options: GradientOptions, progress: Progress
) -> GradientStudy:
    if options.clip_norm is not None:
        raise UsageError("--clip-norm is for language models; this is a classifier.")
    read = [_classified_texts(subject, options) for subject in subjects]
    profiles = tuple(
        classifier_profile_of(
            subject.network,
            texts,
            distance=options.distance or _USUAL_DISTANCE,
            name=subject.name,
            cell=subject.network.spec.top.cell.name,
            origin=subject.origin,
            progress=progress,
        )
        for subject, (texts, _) in zip(subjects, read, strict=True)
    )
    shortest = min(profile.states[0].distance for profile in profiles)
    profiles = tuple(
        replace(
            profile,
            states=tuple(
                replace(state, norms=state.norms[: shortest + 1]) for state in profile.states
            ),
        )
        for profile in profiles
    )
    notes = []
    if any(subject.network.spec.poolings != ("last",) for subject in subjects):
        notes.append(
            "The pooling hands the gradient to every step, not to the last alone, so at a distance "
            "there is what came back through time and what came directly."
        )
    return GradientStudy(profiles, None, read[0][1], tuple(notes))


def _classified_texts(
    subject: ClassifierSubject, options: GradientOptions
) -> tuple[list[np.ndarray], str]:
    """Ids of texts, and where they come from."""
    if options.text is not None:
        return [np.array(subject.encoder.encode(options.text))], "--text"
    if options.files:
        lines = [line for name in options.files for line in _lines(Path(name)) if line.strip()]
        rows = subject.encoder.encode_many(_spread(lines, options.windows))
        return [np.array(row) for row in rows], ", ".join(options.files)
    from rnnkit.tasks.text_classification.data import prepare_texts

    if subject.run is not None:
        from rnnkit.tasks.text_classification.classified import prepared_texts

        prepared = prepared_texts(subject.run, subject.config)
    else:
        prepared = prepare_texts(subject.config)
    split = "validation" if len(prepared.validation) else "train"
    texts = prepared.split(split)
    places = _spread(range(len(texts)), options.windows)
    return [np.array(texts.row(place)) for place in places], f"the {split} texts"


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8-sig").splitlines()
    except OSError as error:
        raise DataError(f"--file {path}: cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise DataError(
            f"--file {path}: byte {error.start} is not UTF-8; convert the file to UTF-8"
        ) from error


def _spread(items: Sequence[Item], most: int) -> list[Item]:
    """Return at most `most` of the items, evenly spread."""
    places = np.linspace(0, len(items) - 1, min(most, len(items))).astype(np.int64)
    return [items[int(place)] for place in np.unique(places)]
