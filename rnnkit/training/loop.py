"""The training loop: prepared data and a fresh or interrupted run directory -> a finished run.

A loop of our own on Keras parts instead of `Model.fit`, which can neither pass the recurrent
state from window to window nor restore the middle of an epoch.

Every random draw and every decision depends on the checkpointed state alone, never on the clock
(`max_minutes` aside), and a checkpoint is written at fixed steps. So a run that was killed and
resumed repeats the steps after its last checkpoint exactly and ends with the same weights.
"""

import dataclasses
import datetime
import math
import shlex
from collections.abc import Callable, Mapping
from typing import NoReturn

from rnnkit.config.training import Experiment
from rnnkit.errors import InterruptedTrainingError, RunError, TrainingDivergedError
from rnnkit.network.keras import weights_by_name
from rnnkit.runs.checkpoint import (
    Checkpoint,
    has_checkpoint,
    read_last_checkpoint,
    write_checkpoint,
)
from rnnkit.runs.directory import RunDirectory
from rnnkit.runs.files import write_atomically, write_document
from rnnkit.runs.records import MetricsLine, Summary, encode_lines, read_lines, write_summary
from rnnkit.training.clock import Clock
from rnnkit.training.events import Evaluated, Exporting, Observer, Recovered, Started, Stepped
from rnnkit.training.execution import choose_execution, describe_environment, set_up
from rnnkit.training.state import (
    TrainingState,
    digest_lines,
    is_recorded,
    monitored_score,
    planned_steps,
)
from rnnkit.training.step import Means
from rnnkit.training.task import Learning, TrainingData

RECOVERIES = 3
"""How often a diverged run goes back to its last checkpoint before it gives up."""

ABSURD = 100.0
"""A held-out loss of this many times that of guessing is a divergence, though it is finite."""

_SECONDS_BETWEEN_REPORTS = 0.25
_SECONDS_BETWEEN_LINES = 5.0

ShouldStop = Callable[[int], bool]


def train(
    config: Experiment,
    data: TrainingData,
    run: RunDirectory,
    *,
    observe: Observer,
    should_stop: ShouldStop,
    checkpoint: Checkpoint | None = None,
) -> Summary:
    """Train in `run`, from its last checkpoint if there is one, and return its summary.

    Args:
        config: what `run.config` holds.
        data: the data of `config`.
        run: made by `create_run`, and locked by the caller.
        observe: receives the events.
        should_stop: asked after every step and every evaluated batch, with the number of updates
            made; True saves everything and raises.
        checkpoint: the last one of `run` where the caller has read it already.

    Raises:
        InterruptedTrainingError: `should_stop` said so; the run can be resumed.
        TrainingDivergedError: the loss diverged once too often.
        RunError: a file of the run is damaged, of other data, or cannot be written.
    """
    execution = choose_execution(
        precision=config.training.precision,
        batch_size=config.training.batch_size,
        whole_batches=config.model.normalization == "batch",
    )
    set_up(config.seed, execution)
    learning = data.build(execution)
    training = _Training(config, data, learning, run, observe=observe, should_stop=should_stop)
    return training.run_to_the_end(checkpoint)


class _Stopped(Exception):
    """`should_stop` said so during an evaluation."""


class _Training:
    """One run while it trains."""

    def __init__(
        self,
        config: Experiment,
        data: TrainingData,
        learning: Learning,
        run: RunDirectory,
        *,
        observe: Observer,
        should_stop: ShouldStop,
    ) -> None:
        self._config, self._training, self._data = config, config.training, data
        self._learning, self._learner = learning, learning.learner
        self._run, self._observe, self._should_stop = run, observe, should_stop
        self._total_steps = planned_steps(config.training, learning.batches_per_epoch)
        self._state = TrainingState()
        self._lines: list[MetricsLine] = []
        self._clock = Clock()
        self._started_at = _now()
        self._reported_at = self._written_at = 0.0

    # ------------------------------------------------------------------------------ the loop

    def run_to_the_end(self, checkpoint: Checkpoint | None) -> Summary:
        execution = self._learner.execution
        kernel = execution.describe_kernel(
            self._learner.model, has_cudnn=execution.on_gpu and self._learner.has_cudnn()
        )
        if checkpoint is not None or has_checkpoint(self._run):
            self._restore(checkpoint or self._last_checkpoint())
        elif self._run.metrics.exists():
            raise RunError(f"{self._run.last_checkpoint}: missing; this run cannot be resumed")
        else:
            self._begin(kernel)
        self._observe(
            Started(
                device=execution.device,
                kernel=kernel,
                parameters=self._learner.model.count_params(),
                step=self._state.step,
                total_steps=self._total_steps,
                steps_per_epoch=self._learning.batches_per_epoch,
                token_unit=self._data.token_unit,
            )
        )
        self._clock.start(self._state.seconds)
        while True:
            reason = self._state.stopped_by(
                self._training, seconds=self._clock.seconds, is_evaluated=self._is_evaluated
            )
            if reason and self._is_evaluated:
                return self._finish(reason)
            if self._should_stop(self._state.step):
                self._stop_early()
            if reason or self._evaluation_is_due:
                self._evaluate()
            else:
                self._update()
                self._after_update()

    def _begin(self, kernel: str) -> None:
        """Write the files of a fresh run, and the checkpoint of step 0."""
        environment = describe_environment(
            self._config.seed, device=self._learner.execution.device, kernel=kernel
        )
        write_document(self._run.environment, "environment", environment)
        self._learning.start()
        if self._data.summary is not None:
            write_document(self._run.data_summary, "data", self._data.summary)
        self._save()

    @property
    def _is_evaluated(self) -> bool:
        return (
            bool(self._lines)
            and self._lines[-1].is_evaluation
            and self._lines[-1].step == self._state.step
        )

    @property
    def _evaluation_is_due(self) -> bool:
        """Whether the evaluation of this step is still to be made."""
        if self._state.step == 0 or self._is_evaluated:
            return False
        every = self._training.evaluate_every_steps
        return self._state.index == 0 if every is None else self._state.step % every == 0

    def _update(self) -> None:
        rate = self._state.learning_rate(self._training, total_steps=self._total_steps)
        self._clock.begin_update()
        tokens = self._learning.update(self._state.epoch, self._state.index, rate)
        self._clock.end_update(tokens)
        self._state.advance(batches_per_epoch=self._learning.batches_per_epoch)

    def _after_update(self) -> None:
        """Record the training loss, write a checkpoint or report, where that is due."""
        if self._evaluation_is_due:
            return
        saves = self._state.step % self._training.checkpoint_every_steps == 0
        records = is_recorded(self._state.step)
        reports = self._clock.seconds - self._reported_at > _SECONDS_BETWEEN_REPORTS
        if not (saves or records or reports) or not self._is_healthy():
            return
        if records:
            self._record(self._line(self._learner.means(self._state.recorded)))
        if saves:
            self._save()
        elif reports:
            self._report()

    def _line(self, means: Means, others: Mapping[str, float] | None = None) -> MetricsLine:
        """The present step as a line of metrics.jsonl: means of the training split and others."""
        rate = self._state.learning_rate(self._training, total_steps=self._total_steps)
        return MetricsLine(
            step=self._state.step,
            epoch=round(self._state.step / self._learning.batches_per_epoch, 4),
            seconds=round(self._clock.seconds, 3),
            learning_rate=rate,
            metrics={
                "train_loss": means.loss,
                **{f"train_{name}": value for name, value in means.metrics.items()},
                "tokens_per_second": round(self._clock.tokens_per_second, 1),
                "gradient_norm": means.gradient_norm,
                **(others or {}),
            },
            is_evaluation=False,
        )

    def _record(self, line: MetricsLine) -> None:
        self._lines.append(line)
        self._state.lines = len(self._lines)
        self._state.recorded = self._learner.totals()
        if self._clock.seconds - self._written_at > _SECONDS_BETWEEN_LINES:
            self._write_lines()  # for those who watch; a checkpoint writes them anyway

    def _write_lines(self) -> None:
        self._written_at = self._clock.seconds
        if self._lines:
            write_atomically(self._run.metrics, encode_lines(self._lines))

    def _report(self) -> None:
        means, total = self._learner.means(), self._total_steps
        self._reported_at = self._clock.seconds
        line = self._line(means, self._learning.describe(means.loss))
        left = self._clock.seconds_left(
            steps=None if total is None else total - self._state.step,
            minutes=self._training.max_minutes,
        )
        self._observe(Stepped(line, total, left))

    # ---------------------------------------------------------------------------- evaluation

    def _evaluate(self) -> None:
        """Score the model, write the line of metrics, the best weights and a checkpoint; go back
        instead when the loss has diverged."""
        if not self._is_healthy():
            return
        means = self._learner.means()
        line = self._line(means)
        try:
            with self._learner.averages.in_place():
                held_out = self._learning.score(self._check_for_stop)
                scores = held_out or {"loss": means.loss, **means.metrics}
                loss = scores["loss"]
                is_sound = math.isfinite(loss) and loss <= ABSURD * self._learning.chance_loss
                weights = weights_by_name(self._learner.model)
                samples = self._learning.samples(self._state.step) if is_sound else ()
        except _Stopped:
            self._stop_early()  # the weights are those of before: a resumed run evaluates them
        if not is_sound:
            self._recover()
            return
        validation = {f"validation_{name}": value for name, value in held_out.items()}
        metrics = {**line.metrics, **validation, **self._learning.describe(loss)}
        line = dataclasses.replace(
            line, metrics=metrics, samples=tuple(samples), is_evaluation=True
        )
        is_best = self._state.note_score(monitored_score(scores, self._training), self._training)
        if is_best:
            write_checkpoint(self._run.best_checkpoint, weights, {"step": self._state.step})
        self._learner.reset_totals()
        self._record(line)
        self._save()
        self._observe(Evaluated(line, is_best=is_best))
        self._clock.reset()

    def _check_for_stop(self) -> None:
        if self._should_stop(self._state.step):
            raise _Stopped

    # --------------------------------------------------------------------------- checkpoints

    def _save(self) -> None:
        """Write metrics.jsonl, then the checkpoint that counts its lines."""
        self._state.seconds = self._clock.seconds
        self._write_lines()
        contents = {
            "state": self._state.to_dict(),
            "corpus": self._data.fingerprint,
            "metrics": digest_lines(self._lines),
        }
        write_checkpoint(
            self._run.last_checkpoint,
            self._learner.arrays() | self._learning.recurrent_state(),
            contents,
            keep_as=self._run.previous_checkpoint,
        )

    def _last_checkpoint(self) -> Checkpoint:
        return read_last_checkpoint(self._run, corpus=self._data.fingerprint)

    def _restore(self, checkpoint: Checkpoint) -> None:
        path, values = checkpoint.path, checkpoint.values
        try:
            self._state = TrainingState.from_dict(values["state"])
            self._learner.restore(checkpoint.arrays)
            self._learning.restore_recurrent_state(checkpoint.arrays)
        except (KeyError, TypeError, ValueError) as error:
            raise RunError(f"{path}: does not fit {self._run.config}: {error}") from error
        lines = read_lines(self._run)[: self._state.lines]
        if digest_lines(lines) != values.get("metrics"):
            raise RunError(
                f"{self._run.metrics}: is not what {path.name} was written with; it was changed"
            )
        self._lines = lines

    # -------------------------------------------------------------------- trouble and the end

    def _is_healthy(self) -> bool:
        """Whether every loss since the last evaluation was finite; if not, go back."""
        # On a GPU the updates so far end only here.
        with self._clock.waiting_for_updates():
            finite = self._learner.is_finite()
        if finite:
            return True
        self._recover()
        return False

    def _recover(self) -> None:
        """Go back to the last checkpoint with half the learning rate.

        Raises:
            TrainingDivergedError: that has been done `RECOVERIES` times.
        """
        diverged_at, divergences = self._state.step, self._state.divergences + 1
        if divergences > RECOVERIES:
            raise TrainingDivergedError(
                f"{self._run.path}: the loss diverged again at step {diverged_at}, "
                f"after {RECOVERIES} attempts with half the learning rate each. The checkpoint "
                f"of step {self._saved_step()} is intact. Lower training.optimizer.learning_rate "
                "or set training.clip_norm: 1.0"
            )
        self._restore(self._last_checkpoint())
        self._state.divergences = divergences
        self._observe(Recovered(diverged_at, self._state.step, 0.5**divergences))

    def _saved_step(self) -> int:
        return int(self._last_checkpoint().values["state"]["step"])

    def _stop_early(self) -> NoReturn:
        if self._learner.is_finite():
            self._save()
            saved = "everything is saved"
        else:
            saved = f"its loss was not finite, so the checkpoint of step {self._saved_step()} stays"
        if self._state.evaluations:
            # What has been learned so far can be tried at once.
            self._learning.export(self._run)
        raise InterruptedTrainingError(
            f"Stopped after step {self._state.step}; {saved}. Go on with:\n"
            f"rnnkit train --resume {shlex.quote(str(self._run.path))}"
        )

    def _finish(self, reason: str) -> Summary:
        self._observe(Exporting(best_step=self._state.best_step))
        best_step = self._learning.export(self._run)
        best = next(line for line in self._lines if line.step == best_step and line.is_evaluation)
        model = self._config.model
        summary = Summary(
            run=str(self._run.path),
            task=self._config.task,
            started_at=self._started_at,
            finished_at=_now(),
            seconds=round(self._state.seconds, 3),
            steps=self._state.step,
            epochs=round(self._state.step / self._learning.batches_per_epoch, 4),
            best_step=best_step,
            stopped_by=reason,
            metrics=best.metrics,
            corpus_fingerprint=self._data.fingerprint,
            parameters=self._learner.model.count_params(),
            cell=model.cell,
            units=model.units,
            layers=model.layers,
            classes=self._data.classes,
        )
        write_summary(self._run, summary)
        return summary


def _now() -> str:
    return datetime.datetime.now().astimezone().isoformat(timespec="seconds")
