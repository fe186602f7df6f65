"""A trained model as a Python value, and what it returns: texts, predictions, scores, pages."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from rnnkit.errors import UsageError
from rnnkit.runs.directory import RunDirectory, verify_files
from rnnkit.runs.records import Summary, read_summary
from rnnkit.tasks import task as tasks
from rnnkit.tasks.base import Evaluation
from rnnkit.tasks.task import Config

if TYPE_CHECKING:  # heavy, loaded where they are used
    import pandas as pd

    from rnnkit.views.view import View

Split = Literal["train", "validation", "test"]


@dataclass(frozen=True)
class Predictions:
    """Classes of texts, with their probabilities in the order of `classes`."""

    texts: tuple[str, ...]
    classes: tuple[str, ...]
    labels: tuple[str, ...]
    """The class of each text, by the decision that the run stores."""
    probabilities: tuple[tuple[float, ...], ...]
    """Between 0 and 1, one row for each text."""

    def __len__(self) -> int:
        return len(self.texts)

    def to_frame(self) -> "pd.DataFrame":
        """Return a table with the columns text, label and one for each class."""
        import pandas as pd

        frame = pd.DataFrame({"text": self.texts, "label": self.labels})
        for index, name in enumerate(self.classes):
            frame[f"probability_{name}"] = [row[index] for row in self.probabilities]
        return frame

    def _repr_html_(self) -> str:
        return str(self.to_frame().to_html())


@dataclass(frozen=True)
class GeneratedText:
    """A text that a language model wrote after a prompt."""

    prompt: str
    text: str
    """Without the prompt."""
    temperature: float | None
    """None of a beam search."""

    def __str__(self) -> str:
        return self.prompt + self.text

    def _repr_html_(self) -> str:
        return f"<pre><b>{escape(self.prompt)}</b>{escape(self.text)}</pre>"


@dataclass(frozen=True)
class WordSuggestion:
    """A word that may come next, and its probability between 0 and 1."""

    word: str
    probability: float


@dataclass(frozen=True)
class Model:
    """A trained model: the run directory that holds it, and what can be done with it.

    Language models have `generate`, `stream` and `suggest`, classifiers `predict` and
    `inspect_attributions`, both `evaluate`, the other inspections and `report`.
    """

    directory: RunDirectory

    @property
    def path(self) -> Path:
        """The run directory."""
        return self.directory.path

    @cached_property
    def config(self) -> Config:
        """The configuration that the model was trained with, complete."""
        verify_files(self.directory, self.directory.config)
        return tasks.load_config(self.directory.config)

    @property
    def summary(self) -> Summary:
        """Steps, seconds, metrics and sizes of the finished training."""
        return read_summary(self.directory)

    @property
    def metrics(self) -> "pd.DataFrame":
        """The lines of metrics.jsonl: losses and other metrics by step."""
        import pandas as pd

        from rnnkit.runs.records import read_metrics

        lines = [
            {k: v for k, v in r.items() if k != "samples"} for r in read_metrics(self.directory)
        ]
        return pd.DataFrame(lines)

    def __repr__(self) -> str:
        return f"rnnkit.load({str(self.path)!r})"

    # -------------------------------------------------------------------- language models

    def generate(
        self, prompt: str = "", *, samples: int | None = None, **options: Any
    ) -> "GeneratedText | list[GeneratedText]":
        """Write a text after `prompt`, or with `samples` a list of texts.

        Args:
            prompt: the beginning; empty for a new text.
            samples: number of texts.
            options: fields of `rnnkit.tasks.language_model.generate.GenerationOptions`: length (in
                tokens), temperatures, top_k, top_p, min_p, typical_p, repetition_penalty, stop,
                random_seed, beams, length_penalty, unseen.

        Raises:
            DataError: the prompt has characters or words that the model has never seen.
            UsageError: the run is no language model, or there is no such option.
        """
        from rnnkit.tasks.language_model.generate import complete

        generation = self._generation(prompt, options | {"samples": samples or 1})
        completions, _ = complete(generation)
        texts = [
            GeneratedText(prompt, one.text, generation.temperature_of(number))
            for number, one in enumerate(completions)
        ]
        return texts if samples is not None else texts[0]

    def stream(self, prompt: str = "", **options: Any) -> Iterator[str]:
        """Yield a text after `prompt` piece by piece, as it is generated; see `generate`."""
        from rnnkit.inference.decoding import Piece

        for event in self._generation(prompt, options | {"samples": 1}).events():
            if isinstance(event, Piece):
                yield event.text

    def suggest(self, text: str, *, count: int = 5) -> tuple[WordSuggestion, ...]:
        """Return the most probable words after `text`, or completions of its last word.

        Raises:
            UsageError: the run is no language model.
        """
        from rnnkit.tasks.language_model.suggest import suggest

        found = suggest(self._language_model, text, count=count)
        return tuple(WordSuggestion(one.word, one.probability) for one in found.words)

    @cached_property
    def _language_model(self) -> Any:
        self._check_task("language_model")
        from rnnkit.tasks.language_model.model import load_language_model

        return load_language_model(self.directory)

    def _generation(self, prompt: str, options: Mapping[str, Any]) -> Any:
        from rnnkit.tasks.language_model.generate import GenerationOptions, prepare_generation

        model = self._language_model
        options = dict(options)
        if "temperature" in options:
            options["temperatures"] = (options.pop("temperature"),)
        try:
            checked = GenerationOptions(**options)
        except TypeError as error:
            raise UsageError(f"generate: {error}") from error
        return prepare_generation(model, prompt, checked)

    # ------------------------------------------------------------------------ classifiers

    def predict(self, texts: str | Sequence[str]) -> Predictions:
        """Return the classes of texts.

        Raises:
            UsageError: the run is no classifier.
        """
        from rnnkit.tasks.text_classification.predict import predict

        classifier = self._classifier
        given = [texts] if isinstance(texts, str) else list(texts)
        found = predict(classifier, given)
        return Predictions(
            texts=tuple(given),
            classes=tuple(classifier.classes),
            labels=tuple(classifier.classes[int(label)] for label in found.labels),
            probabilities=tuple(tuple(map(float, row)) for row in found.probabilities),
        )

    @cached_property
    def _classifier(self) -> Any:
        self._check_task("text_classification")
        from rnnkit.tasks.text_classification.classifier import load_classifier

        return load_classifier(self.directory)

    # ------------------------------------------------------------------------- both tasks

    def evaluate(
        self, *, split: Split | None = None, data: Sequence[str | Path] = ()
    ) -> "Evaluation":
        """Score the model: `.metrics` by name with 95 % intervals.

        Args:
            split: of the run's own data; test, or where it is empty validation or training.
            data: other files or glob patterns instead.

        Raises:
            DataError: the data are missing or have changed, or the split is empty.
            RunError: the run has not finished, or a file is damaged.
        """
        evaluate = tasks.task_of(self.config).evaluate
        files = [str(file) for file in data]
        return evaluate(
            self.directory,
            split=split,
            data=files,
            encoding=None,
            progress=lambda done, total: None,
        )

    def report(self, *, split: Split | None = None) -> "View":
        """Return the report of the run, which notebooks show as a page."""
        from rnnkit.report import report

        return report(self.directory, split=split)

    def inspect_summary(self) -> "View":
        """Return layers, shapes, parameters, memory and arithmetic."""
        from rnnkit.inspection.subject import open_run
        from rnnkit.inspection.summary import summary_view

        return summary_view(open_run(self.directory))

    def inspect_forward(self, text: str, *, units: int = 8, steps: int = 5) -> "View":
        """Return every number on the way from a text to a prediction.

        Args:
            text: what the network reads.
            units: numbers of every vector that are shown.
            steps: tokens whose arithmetic is shown.
        """
        from rnnkit.inspection.forward import forward_view
        from rnnkit.inspection.subject import open_run

        return forward_view(open_run(self.directory), text, units=units, steps=steps)

    def inspect_gradients(self, text: str | None = None, *, cells: bool = False) -> "View":
        """Return how far gradients reach back in time.

        Args:
            text: what is read; the run's own text when not given.
            cells: whether fresh networks with each of the cells are compared.
        """
        from rnnkit.inspection.gradient_study import networks_to_compare
        from rnnkit.inspection.gradients import gradients_view
        from rnnkit.inspection.subject import open_run

        subjects = networks_to_compare(open_run(self.directory), cells=cells)
        return gradients_view(subjects, text=text)

    def inspect_states(self, text: str) -> "View":
        """Return what the units of the network do while it reads a text."""
        from rnnkit.inspection.state_study import StateChoice
        from rnnkit.inspection.states import states_view

        return states_view(self.directory, text, choice=StateChoice())

    def inspect_attributions(self, texts: str | Sequence[str]) -> "View":
        """Return which words of texts made the decision, as Shapley values.

        Raises:
            UsageError: the run is no classifier.
        """
        from rnnkit.inspection.attribution_study import Shapley
        from rnnkit.inspection.attributions import attributions_view

        return attributions_view(
            self._classifier,
            [texts] if isinstance(texts, str) else list(texts),
            run=str(self.path),
            method=Shapley(),
            is_bidirectional=bool(getattr(self.config.model, "bidirectional", False)),
        )

    def _check_task(self, wanted: str) -> None:
        found = tasks.task_of(self.config).name
        if found != wanted:
            names = {"language_model": "language models", "text_classification": "classifiers"}
            raise UsageError(
                f"{self.path}: this is for {names[wanted]}, and the run has task {self.config.task}"
            )
