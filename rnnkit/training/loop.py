"""The training loop: prepared text and a fresh or interrupted run directory -> a finished one.

A loop of our own on Keras parts instead of `Model.fit`, which can neither carry the recurrent
state from window to window nor restore the middle of an epoch.

Every random draw and every decision depends on the checkpointed state alone, never on the clock
(`max_minutes` aside), and a checkpoint is written at fixed steps. So a run that was killed and
resumed repeats the steps after its last checkpoint exactly and ends with the same weights.
"""

import datetime
import math
import shlex
from collections.abc import Callable, Mapping
from typing import Any

from rnnkit.errors import DataError, InterruptedTrainingError, RunError, TrainingDivergedError
from rnnkit.network.keras import weights_by_name
from rnnkit.runs.checkpoint import (
    digest,
    read_checkpoint,
    read_last_checkpoint,
    write_checkpoint,
)
from rnnkit.runs.directory import RunDirectory
from rnnkit.runs.files import write_atomically, write_document
from rnnkit.runs.records import encode_metrics, read_metrics
from rnnkit.tasks.task import Config
from rnnkit.training.clock import Clock
from rnnkit.training.course import Course, planned_steps
from rnnkit.training.environment import (
    describe_device,
    describe_environment,
    describe_kernel,
)
from rnnkit.training.events import Evaluated, Exporting, Observer, Recovered, Started, Stepped
from rnnkit.training.step import set_up
from rnnkit.training.task import Learning, TrainingData

RECOVERIES = 3
"""How often a diverged run goes back to its last checkpoint before it gives up."""

_SECONDS_BETWEEN_REPORTS = 0.25


def train(
    config: Config,
    data: TrainingData,
    run: RunDirectory,
    *,
    observe: Observer,
    should_stop: Callable[[int], bool],
) -> dict[str, Any]:
    """Train in `run`, from its last checkpoint if there is one, and return its summary.

    Args:
        config: what `run.config` holds.
        data: the data of `config`.
        run: made by `create_run`, and locked by the caller.
        observe: is told what happens.
        should_stop: asked after every step, with the number of updates made; True saves
            everything and raises.

    Raises:
        InterruptedTrainingError: `should_stop` said so; the run can be resumed.
        TrainingDivergedError: the loss became NaN or infinite once too often.
        RunError: a file of the run is damaged, of another text, or cannot be written.
    """
    set_up(config.seed)
    return _Training(config, data, run, observe).run_to_the_end(should_stop)


class _Training:
    """The living state of one run."""

    def __init__(
        self, config: Config, data: TrainingData, run: RunDirectory, observe: Observer
    ) -> None:
        self._config, self._training, self._data = config, config.training, data
        self._subject: Learning = data.build()
        self._learner = self._subject.learner
        self._run, self._observe = run, observe
        self._total_steps = planned_steps(
            config.training, batches_per_epoch=self._subject.batches_per_epoch
        )
        self._course = Course()
        self._records: list[dict[str, Any]] = []
        self._clock = Clock()
        self._started_at = _now()
        self._reported_at = 0.0

    # ------------------------------------------------------------------------------ the loop

    def run_to_the_end(self, should_stop: Callable[[int], bool]) -> dict[str, Any]:
        kernel = describe_kernel(self._learner)
        if self._run.last_checkpoint.exists():
            self._restore()
        elif self._run.metrics.exists():
            raise RunError(f"{self._run.last_checkpoint}: missing; this run cannot be resumed")
        else:
            environment = describe_environment(self._config.seed, kernel=kernel)
            write_document(self._run.environment, "environment", environment)
            self._subject.start()
            if self._data.summary is not None:
                write_document(self._run.data_summary, "data", self._data.summary)
            self._save()
        self._observe(
            Started(
                device=describe_device(),
                kernel=kernel,
                parameters=self._learner.model.count_params(),
                step=self._course.step,
                total_steps=self._total_steps,
                steps_per_epoch=self._subject.batches_per_epoch,
            )
        )
        self._clock.start(self._course.seconds)
        while True:
            reason = self._limit()
            if reason and self._is_evaluated:
                return self._finish(reason)
            if reason:
                self._evaluate()
            elif should_stop(self._course.step):
                self._stop_early()
            else:
                self._after_update(ended_epoch=self._update())

    @property
    def _is_evaluated(self) -> bool:
        return bool(self._records) and self._records[-1]["step"] == self._course.step

    def _limit(self) -> str | None:
        return self._course.stopped_by(
            self._training, seconds=self._clock.seconds, is_evaluated=self._is_evaluated
        )

    def _update(self) -> bool:
        """One weight update; True when it ended an epoch."""
        rate = self._course.learning_rate(self._training, total_steps=self._total_steps)
        self._clock.begin_update()
        tokens = self._subject.update(self._course.epoch, self._course.index, rate)
        self._clock.end_update(tokens)
        return self._course.advance(batches_per_epoch=self._subject.batches_per_epoch)

    def _after_update(self, *, ended_epoch: bool) -> None:
        """Evaluate, write a checkpoint or report, where that is due."""
        every = self._training.evaluate_every_steps
        if ended_epoch if every is None else self._course.step % every == 0:
            self._evaluate()
        elif self._course.step % self._training.checkpoint_every_steps == 0:
            if self._is_healthy():
                self._save()
        elif self._clock.seconds - self._reported_at > _SECONDS_BETWEEN_REPORTS:
            if self._is_healthy():
                self._report()

    def _report(self) -> None:
        totals = self._learner.totals()
        done, total = self._course.step, self._total_steps
        seconds, limit = self._clock.seconds, self._training.max_minutes
        left = []
        if total is not None and self._clock.updates > 1:
            left.append((total - done) * self._clock.seconds_per_update)
        if limit is not None:
            left.append(max(0.0, limit * 60.0 - seconds))
        self._reported_at = seconds
        self._observe(
            Stepped(
                step=done,
                total_steps=total,
                epoch=self._course.epoch,
                train_loss=totals.loss,
                train_accuracy=totals.accuracy,
                bits_per_character=self._subject.describe(totals.loss).get("bits_per_character"),
                gradient_norm=totals.gradient_norm,
                tokens_per_second=self._clock.tokens_per_second,
                seconds=seconds,
                seconds_left=min(left, default=None),
            )
        )

    # ---------------------------------------------------------------------------- evaluation

    def _evaluate(self) -> None:
        """Score the model, write the line of metrics, the best weights and a checkpoint; go back
        instead when the loss is not finite."""
        if not self._is_healthy():
            return
        totals = self._learner.totals()
        record: dict[str, Any] = {
            "step": self._course.step,
            "epoch": round(self._course.step / self._subject.batches_per_epoch, 4),
            "seconds": round(self._clock.seconds, 3),
            "learning_rate": self._course.learning_rate(
                self._training, total_steps=self._total_steps
            ),
            "train_loss": totals.loss,
            "train_accuracy": totals.accuracy,
            "tokens_per_second": round(self._clock.tokens_per_second, 1),
            "gradient_norm": totals.gradient_norm,
        }
        with self._learner.averaged_weights():
            held_out = self._subject.score()
            scores = held_out or {"loss": totals.loss, "accuracy": totals.accuracy}
            finite = math.isfinite(scores["loss"])
            record |= {f"validation_{name}": value for name, value in held_out.items()}
            record |= self._subject.describe(scores["loss"])
            weights = weights_by_name(self._learner.model)
            if finite:
                record |= self._subject.show(self._course.step)
        if not finite:
            self._recover()
            return
        is_best = self._course.note_score(self._monitored(scores), self._training)
        if is_best:
            write_checkpoint(self._run.best_checkpoint, weights, {"step": self._course.step})
        self._learner.reset_totals()
        self._records.append(record)
        write_atomically(self._run.metrics, encode_metrics(self._records))
        self._save()
        self._observe(Evaluated(record=record, is_best=is_best))
        self._clock.reset()

    def _monitored(self, scores: Mapping[str, float]) -> float:
        """The score that decides which weights are the best: the lower the better."""
        monitor = self._training.monitor
        if monitor == "loss":
            return scores["loss"]
        if monitor not in scores:
            raise DataError(
                f"training.monitor: {monitor} cannot be computed: the validation part lacks texts "
                "of some class. Raise data.validation_fraction, or monitor the accuracy"
            )
        return -scores[monitor]

    # --------------------------------------------------------------------------- checkpoints

    def _save(self) -> None:
        self._course.seconds = self._clock.seconds
        facts = {
            "course": self._course.to_dict(),
            "corpus": self._data.fingerprint,
            "metrics": digest(_without_times(self._records)),
        }
        write_checkpoint(
            self._run.last_checkpoint,
            self._learner.arrays() | self._subject.recurrent_state(),
            facts,
        )

    def _restore(self) -> None:
        path = self._run.last_checkpoint
        arrays, facts = read_last_checkpoint(self._run, self._config, corpus=self._data.fingerprint)
        try:
            self._course = Course.from_dict(facts["course"])
            self._learner.restore(arrays)
            self._subject.restore_recurrent_state(arrays)
        except (KeyError, TypeError, ValueError) as error:
            raise RunError(f"{path}: does not fit {self._run.config}: {error}") from error
        records = read_metrics(self._run)[: self._course.evaluations]
        if digest(_without_times(records)) != facts.get("metrics"):
            raise RunError(
                f"{self._run.metrics}: is not what {path.name} was written with; it was changed"
            )
        self._records = records

    # -------------------------------------------------------------------- trouble and the end

    def _is_healthy(self) -> bool:
        """True when every loss since the last evaluation was finite; otherwise goes back."""
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
        diverged_at, divergences = self._course.step, self._course.divergences + 1
        if divergences > RECOVERIES:
            raise TrainingDivergedError(
                f"{self._run.path}: the loss became NaN or infinite again at step {diverged_at}, "
                f"after {RECOVERIES} attempts with half the learning rate each. The checkpoint "
                f"of step {self._saved_step()} is intact. Lower training.optimizer.learning_rate "
                "or set training.clip_norm: 1.0"
            )
        self._restore()
        self._course.divergences = divergences
        self._observe(
            Recovered(
                diverged_at_step=diverged_at,
                back_to_step=self._course.step,
                learning_rate_scale=0.5**divergences,
            )
        )

    def _saved_step(self) -> int:
        return int(read_checkpoint(self._run.last_checkpoint)[1]["course"]["step"])

    def _stop_early(self) -> None:
        saved = "everything is saved"
        if self._learner.is_finite():
            self._save()
        else:
            saved = f"its loss was not finite, so the checkpoint of step {self._saved_step()} stays"
        if self._course.evaluations:
            # What has been learned so far can be tried at once.
            self._subject.export(self._run)
        raise InterruptedTrainingError(
            f"Stopped after step {self._course.step}; {saved}. Go on with:\n"
            f"rnnkit train --resume {shlex.quote(str(self._run.path))}"
        )

    def _finish(self, reason: str) -> dict[str, Any]:
        self._observe(Exporting(best_step=self._course.best_step))
        best_step = self._subject.export(self._run)
        best = next(record for record in self._records if record["step"] == best_step)
        model = self._config.model
        summary = {
            "run": str(self._run.path),
            "task": self._config.task,
            "started_at": self._started_at,
            "finished_at": _now(),
            "seconds": round(self._course.seconds, 3),
            "steps": self._course.step,
            "epochs": round(self._course.step / self._subject.batches_per_epoch, 4),
            "best_step": best_step,
            "stopped_by": reason,
            "metrics": {key: value for key, value in best.items() if _is_metric(key)},
            "corpus_fingerprint": self._data.fingerprint,
            "parameters": self._learner.model.count_params(),
            "cell": model.cell,
            "units": model.units if isinstance(model.units, int) else list(model.units),
            "layers": model.layers,
        }
        if self._data.classes:
            summary["classes"] = list(self._data.classes)
        write_document(self._run.summary, "summary", summary)
        return summary


def _is_metric(key: str) -> bool:
    return key.endswith(
        ("_loss", "_accuracy", "_f1", "_auc", "_norm", "_per_character", "_per_second")
    )


def _without_times(records: list[dict[str, Any]]) -> bytes:
    """The part of the metrics that a repeated run repeats."""
    timed = ("seconds", "tokens_per_second")
    return encode_metrics([{k: v for k, v in r.items() if k not in timed} for r in records])


def _now() -> str:
    return datetime.datetime.now().astimezone().isoformat(timespec="seconds")
