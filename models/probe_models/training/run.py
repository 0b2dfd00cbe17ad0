"""One run of training: epochs of steps, each judged on the validation rows, from a state to the end."""

import math
import signal
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from probe import Dataset
from probe.errors import ProbeError
from probe_models.randomness import fixed
from probe_models.training import randomness, reading
from probe_models.training.loaders import Divided
from probe_models.training.metrics import Metrics
from probe_models.training.randomness import number, source
from probe_models.training.rows import batches, placed, rows_of
from probe_models.training.run_state import Epoch, RunState, Trained, Weights
from probe_models.training.signals import Stop, asked_to_stop
from probe_models.training.state import States
from probe_models.training.stepper import Stepper

Progress = Callable[[str], None]
OnEpoch = Callable[[dict[str, Any]], object]


class Judged(NamedTuple):
    """An evaluation whose numbers are known: a loss, and an accuracy if there is one."""

    loss: float
    accuracy: float | None


class Heard(NamedTuple):
    """Who hears how a run goes: by a line of text, and by the numbers of each epoch."""

    progress: Progress
    on_epoch: OnEpoch


class Run:
    """One run of training, from where its state was to its end."""

    def __init__(  # the parts of a run, made by `fit` alone
        self,
        stepper: Stepper,
        divided: Divided,
        min_batch: int,
        heard: Heard,
        metrics: Metrics,
        states: States | None,
    ) -> None:
        self.stepper, self.settings, self.workers = stepper, stepper.settings, stepper.workers
        self.validation, self.min_batch = placed(divided.validation, stepper.device), min_batch
        self.rows = rows_of(divided.training, stepper.objective, stepper.device)
        # As many training rows as there are validation rows, so that both losses are as sure.
        self.sample = placed(divided.known[: len(divided.validation)], stepper.device)
        heard = heard if self.workers.leads else Heard(lambda line: None, lambda line: None)
        self.progress, self.on_epoch = heard
        self.states = states
        self.run = self._restored() or RunState(_copy(stepper.whole), self._evaluate(self.validation)[0][0].loss)
        self.metrics = metrics
        metrics.begin(self.run.lines)
        self.started = time.perf_counter() - self.run.seconds

    def to_the_end(self) -> Trained:
        """Train epoch by epoch; leave the best weights in the network."""
        run, network = self.run, self.stepper.whole
        # Among several processes none stops by itself, or the others would wait for it.
        numbers = (signal.SIGINT, signal.SIGTERM) if self.states and self.workers.count == 1 else ()
        try:
            with asked_to_stop(numbers) as stop:
                while not self._over():
                    self._epoch(run.epoch, stop)
                if stop.asked:
                    self.progress("stopped after the last step; the same call continues from there")
                    stop.end()
        except KeyboardInterrupt:
            if self.states and not stop.asked:
                every = self.states.every
                self.progress(f"interrupted; the same call goes on from the last state, at most {every:.0f} s ago")
            if run.best is None or self.states:
                raise
            self.progress("interrupted")
        finally:
            network.load_state_dict(run.weights)
            for name, parameter in network.named_parameters():
                parameter.requires_grad_(name not in self.stepper.held)
            network.eval()
        if run.best is None:
            raise ProbeError("training ended before its first epoch did")
        self.stepper.objective.finalize(network, self.validation)
        self.progress(f"keeping epoch {run.best.number}")
        rows = len(self.rows), len(self.validation)
        return Trained(run.best, run.untrained, len(run.lines), *rows, self._seconds(), tuple(run.lines))

    def _over(self) -> bool:
        """Whether no epoch is left, or no point in one."""
        run, settings = self.run, self.settings
        if run.best and len(run.lines) - run.best.number >= settings.patience:
            self.progress(f"no better for {settings.patience} epochs")
            return True
        if self.stepper.objective.catastrophic_overfitting(run.lines):
            self.progress("accuracy under attack fell by more than 10 points below its best: catastrophic overfitting")
            return True
        return run.epoch > settings.epochs

    def _epoch(self, number: int, stop: Stop) -> None:
        run, stepper = self.run, self.stepper
        self._train(number, stop)
        stepper.network.eval()
        (training, validation), loss = self._evaluate(self.sample, self.validation, losses=run.losses)
        for found, kind in ((validation.loss, "validation"), (training.loss, "training")):
            if not math.isfinite(found):
                raise self._broken(
                    f"the loss is {found} on the {kind} rows after epoch {number}, step {stepper.taken} in total"
                )
        stepper.observe(validation.loss)
        if run.best is None or validation.loss < run.best.loss:
            run.best, run.weights = Epoch(number, validation.loss, validation.accuracy), _copy(stepper.evaluated)
        seconds = self._seconds()
        line = _line(number, loss, training, validation) | {
            "next_learning_rate": stepper.learning_rate,
            "seconds": round(seconds, 3),
        }
        run.lines.append(line)
        run.epoch, run.step, run.losses = number + 1, 0, []
        self.metrics.add(line)
        if self.states:
            self._save()
        self.on_epoch(dict(line))
        accuracy = "" if validation.accuracy is None else f" and accuracy {validation.accuracy:.4f}"
        self.progress(
            f"epoch {number}/{self.settings.epochs}: loss {loss:.4f}, on validation rows {validation.loss:.4f}"
            f"{accuracy}; {seconds / number * (self.settings.epochs - number):.0f} s left"
        )

    def _train(self, number: int, stop: Stop) -> None:
        """The steps of an epoch that are still to be done."""
        run, stepper = self.run, self.stepper
        stepper.network.train()
        order = torch.randperm(len(self.rows), generator=source(stepper.seed, "order", number))
        order = order.to(stepper.device)
        wanted = [order[rows] for rows in batches(len(order), self.settings.batch_size, self.min_batch)[run.step :]]
        seeds = [randomness.number(stepper.seed, "read", stepper.taken + at) for at in range(len(wanted))]
        # Closed even where a step fails: then no process reads on.
        with closing(reading.read(self.rows, wanted, seeds)) as found:
            for batch in found:
                run.losses.append(stepper.step(batch))
                del batch  # before the next one is read
                run.step += 1
                if stop.asked:
                    self._save()
                    self.progress(f"stopped after step {stepper.taken} in total; the same call continues from there")
                    stop.end()
                if self.states and self.states.due and self.workers.leads:
                    self._save()

    def _evaluate(self, *parts: Dataset, losses: Sequence[Tensor] = ()) -> tuple[list[Judged], float]:
        """How the network does on each of some rows, and the mean of the losses of steps, by one look at the device."""
        stepper, found = self.stepper, []
        try:
            for data in parts:
                with fixed(number(0, "judge"), stepper.device):
                    found.append(stepper.objective.evaluate(stepper.evaluated.eval(), data))
        except Exception:
            self._mean(losses)  # of a network whose loss is no number anything may come
            raise
        numbers = [number for each in found for number in (each.loss, 0.0 if each.accuracy is None else each.accuracy)]
        here = [torch.as_tensor(number, dtype=torch.float64, device=stepper.device) for number in numbers]
        steps = _seen(losses) if losses else []
        told = self.workers.agree(torch.stack([*here, *steps])).tolist()
        mean = self._checked(told[len(here) :]) if losses else 0.0
        pairs = zip(told[: len(here) : 2], told[1 : len(here) : 2], found, strict=True)
        return [Judged(loss, None if each.accuracy is None else right) for loss, right, each in pairs], mean

    def _save(self) -> None:
        if not self.states or not self.workers.leads:
            return
        run = self.run
        run.seconds = self._seconds()
        if run.losses:
            self._mean(run.losses)
        (tensors, numbers), (where, counts) = self.stepper.state(), run.state()
        # The loss of a step is that before it: what came of it shows in the weights first.
        whole = torch.stack([tensor.isfinite().all().to(self.stepper.device) for tensor in tensors.values()]).tolist()
        if broken := [name for name, finite in zip(tensors, whole, strict=True) if not finite]:
            raise self._broken(f"{broken[0]} is no longer a number after step {self.stepper.taken} in total")
        self.states.write(tensors | where, numbers | counts)

    def _restored(self) -> RunState | None:
        found = self.states and self.states.read()
        if not found:
            if self.states and States.left(self.states.folder):
                self.progress(f"the state in {self.states.folder} is damaged; starting from the beginning")
            return None
        tensors, numbers = found
        self.stepper.restore(tensors, numbers)
        run = RunState.restored(tensors, numbers, self.stepper.device)
        self.progress(f"continuing in epoch {run.epoch}, after {self.stepper.taken} steps in total")
        return run

    def _seconds(self) -> float:
        return time.perf_counter() - self.started

    def _mean(self, losses: Sequence[Tensor]) -> float:
        return self._checked(torch.stack(_seen(losses)).tolist()) if losses else 0.0

    def _checked(self, seen: list[float]) -> float:
        mean, strange, first, loss = seen
        if strange:
            raise self._broken(f"the loss is {loss} in epoch {self.run.epoch}, step {int(first) + 1}")
        return mean

    def _broken(self, what: str) -> ProbeError:
        folder = self.states and self.states.folder
        kept = f"; the last good state is kept in {folder}" if folder and States.left(folder) else ""
        return ProbeError(f"{what}; lower Settings.learning_rate, which is {self.settings.learning_rate}{kept}")


def _seen(losses: Sequence[Tensor]) -> list[Tensor]:
    """The mean of losses, and whether one is no number, which is the first, and what it is."""
    # Looked at once an epoch: looking at every step would make an accelerator wait for it.
    together = torch.stack(list(losses))
    strange = ~together.isfinite()
    first = strange.int().argmax()
    return [each.double() for each in (together.mean(), strange.any(), first, together.gather(0, first[None])[0])]


def _line(number: int, loss: float, training: Judged, validation: Judged) -> dict[str, Any]:
    line = {"epoch": number, "loss": loss, "training_loss": training.loss, "validation_loss": validation.loss}
    if training.accuracy is not None and validation.accuracy is not None:
        line |= {"training_accuracy": training.accuracy, "validation_accuracy": validation.accuracy}
    return line


def _copy(network: nn.Module) -> Weights:
    return {name: tensor.detach().clone() for name, tensor in network.state_dict().items()}
