"""The model under study: a function from inputs to logits, and a count of what it was asked."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from math import prod
from typing import Any

import torch
from torch import Tensor

from probe import internals
from probe.answers import LateCheck, check_answer, check_finite, check_values
from probe.arrays import Given, Wanted
from probe.called import Called
from probe.checkpoint import Checkpoint
from probe.forms import ByShape, Tokens
from probe.forward import check_batch_norms, check_eval_mode, dtype_of, refuse_gradients
from probe.inputs import checked_inputs
from probe.labels import check_labels, check_targets
from probe.metering import Meter, Usage
from probe.model_arguments import check_arguments, training_rows
from probe.names import Passed, require
from probe.recall import Recall
from probe.shapes import Inputs, Labels, Logits, PerExample, Targets
from probe.space import Space
from probe.task import Classification, Places, Task
from probe.tensors import even_spans, rows_per_pass, spans

WRITE = "Model(forward=network.eval(), space=Space(bounds=(0.0, 1.0)), classes=('no', 'yes'))"
_UNSET: Any = object()  # stands for a setting that was left out, where None is a value


@dataclass(frozen=True, eq=False, init=False)
class Model(Called):
    """A network under study: a function from inputs to outputs, whose `task` says what the outputs mean.

    `forward` maps inputs (batch, *shape) to logits (batch, classes). Normalisation belongs inside it, so that bounds
    and attack radii are in the user's units. With `embed`, inputs are token ids and `forward` takes `embed(ids)`.
    `classes` and `threshold` are the short way of `task=Classification(classes, threshold)`: with a threshold, the
    second of two classes is decided for where its probability is at least that; probabilities stay the model's own.
    A Model never changes the module that it holds, nor its gradients, nor any global random state. A forward that works
    in place is handed a copy.

    Calls of single methods take answers as they come. Whether they are the same when asked again, and of a row alone as
    among others, is what `probe.check_model` asks, and every audit before it begins.

    >>> import torch
    >>> from probe import Model, Space
    >>> net = torch.nn.Sequential(torch.nn.Linear(3, 8), torch.nn.ReLU(), torch.nn.Linear(8, 2)).eval()
    >>> model = Model(forward=net, space=Space(bounds=(0.0, 1.0)), classes=("no", "yes"), name="mine")
    >>> inputs = torch.rand(5, 3)
    >>> model.logits(inputs).shape, model.predict(inputs).shape
    (torch.Size([5, 2]), torch.Size([5]))
    >>> list(model.layers())
    ['0', '1', '2']
    >>> model.usage
    Usage(forward=10, backward=0)
    """

    space: Space = field(default_factory=Space)
    task: Task = field(default_factory=Classification)
    batch_size: int | None = None  # rows that go through `forward` together; None: what suits the processor
    notices: tuple[str, ...] = ()  # sentences: what was assumed of it, and with what it was compared
    training: tuple[Given, Given] | None = None  # rows that it was trained on, and their labels, where they are known
    trainer: Callable[..., Any] | None = None  # trains models like it, from a Dataset and a seed (`probe.Trainer`)
    checkpoints: tuple[Checkpoint, ...] = ()  # of its training, in order, where they were kept
    usage: Usage = field(default_factory=Usage)
    meter: Meter | None = field(default=None, repr=False)  # counts for each example, made by `metered`
    late: LateCheck | None = field(default=None, repr=False)  # of its answers, made by `checked_late`
    recall: Recall | None = field(default=None, repr=False)  # of what methods of one audit ask about the same examples
    _cleared: set[str] = field(default_factory=set, init=False)  # of what its answers could have been mistaken for

    def __init__(  # noqa: PLR0913  the fields, and the short way of two
        self,
        *,
        forward: Passed[Callable[[Tensor], Tensor]],
        space: Passed[Space | None] = None,
        task: Passed[Task | None] = None,
        classes: Passed[Sequence[str] | None] = None,
        threshold: float | None = _UNSET,
        embed: Passed[Callable[[Tensor], Tensor] | None] = None,
        name: Passed[str] = "model",
        part: Passed[str | int | None] = None,
        batch_size: Passed[int | None] = None,
        notices: Passed[tuple[str, ...]] = (),
        training: Passed[tuple[Given, Given] | None] = None,
        trainer: Passed[Callable[..., Any] | None] = None,
        checkpoints: Passed[tuple[Checkpoint, ...]] = (),
        usage: Passed[Usage | None] = None,
        edits: Passed[tuple[internals.Edits, ...]] = (),
        meter: Passed[Meter | None] = None,
        late: Passed[LateCheck | None] = None,
        recall: Passed[Recall | None] = None,
    ) -> None:
        short: dict[str, Any] = {} if classes is None else {"classes": classes}
        short |= {} if threshold is _UNSET else {"threshold": threshold}
        task = Classification() if task is None else task
        space = Space() if space is None else space
        fields = {"forward": forward, "space": space, "task": task, "embed": embed, "name": name, "part": part}
        fields |= {"batch_size": batch_size, "notices": notices, "training": training, "edits": edits, "meter": meter}
        fields |= {"trainer": trainer, "checkpoints": checkpoints}
        fields |= {"usage": Usage() if usage is None else usage, "late": late, "recall": recall}
        check_arguments(fields)
        task = task.short(**short) if short else task
        fields |= {"task": task, "training": training_rows(training, space, task), "_cleared": set()}
        for field_name, value in fields.items():
            object.__setattr__(self, field_name, value)
        check_eval_mode(self.forward)
        check_batch_norms(self.forward)
        if self.embed is not None and isinstance(self.space.form, ByShape):
            object.__setattr__(self, "space", replace(self.space, form=self.space.form.turned(Tokens)))

    @staticmethod
    def require(given: object) -> None:
        """Raise DataError unless it is a Model: a network by itself does not say what its inputs and outputs mean."""
        require(given, Model, "model", WRITE)

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes; empty if they were not named or the task has none."""
        return self.task.classes if isinstance(self.task, Classification) else ()

    @property
    def threshold(self) -> float | None:
        """Of two classes the probability from which the second is decided for; None where the most likely one is."""
        return self.task.threshold if isinstance(self.task, Classification) else None

    def __call__(self, inputs: Tensor, *, rows: Labels | None = None) -> Logits:
        """Logits of the inputs, counted, and checked for what cannot be logits.

        The forward gets a copy and so does the caller: one that works in place, or uses its output again, spoils
        nothing. Of a metered model, `rows` says which example each input belongs to.
        """
        if self.meter is not None:
            self.meter.count_forward(len(inputs), rows)
        answer = self._answer(inputs)
        self.usage.forward += len(inputs)
        outputs = check_answer(answer, len(inputs), self.task, self.part)
        late = self.late if self.late is not None and self.late.open else None
        (late.note if late else check_finite)(outputs.detach(), inputs)
        check_values(outputs.detach(), self.task, self._cleared, lambda: self._ends_linear(inputs[:1]))
        logits: Logits = self.task.logits(outputs).clone()
        if logits.requires_grad:
            logits.register_hook(partial(self._count_backward, rows))  # type: ignore[no-untyped-call]  # torch leaves it untyped
        elif inputs.requires_grad and torch.is_grad_enabled():
            raise refuse_gradients(self.name)
        return logits

    @torch.no_grad()
    def logits(self, inputs: Given, *, rows: Labels | None = None) -> Logits:
        """Logits without gradients, in passes that fit in memory; for `rows` see `metered`."""
        if not isinstance(inputs, Tensor):
            inputs = self.check(inputs)
        parts = self.passes(inputs)
        return torch.cat([self(inputs[part], rows=None if rows is None else rows[part]) for part in parts])

    @contextmanager
    def metered(self, rows: int, *, most: int | None = None) -> Iterator["Model"]:
        """This model with a count of its passes for each of some examples, and at most so many forward ones of each.

        What is asked says which examples it belongs to, as in `logits(inputs, rows=torch.tensor([0, 3]))`. The counts
        are `meter.forward` and `meter.backward` of the model that is given; `meter.left` is what is left to each.

        >>> with model.metered(10, most=100) as metered:  # doctest: +SKIP
        ...     metered.logits(inputs[active], rows=active)

        Raises:
            ContractError: where an example is asked more often than it may be.
        """
        yield replace(self, meter=Meter(rows, most, self.device))

    @contextmanager
    def checked_late(self) -> Iterator["Model"]:
        """This model, whose answers are checked for NaN when the block ends, where each look would wait for a device.

        Raises:
            ProbeError: at the end of the block, or in place of an error in it, if an answer was no number.
        """
        if self.device.type == "cpu" or (self.late is not None and self.late.open):
            yield self
            return
        late = LateCheck()
        try:
            yield replace(self, late=late)
        except Exception:
            late.end()  # what it was may come of such an answer
            raise
        late.end()

    def rows_per_pass(self, inputs: Inputs) -> int:
        """How many rows go through the model together: `batch_size`, or what suits the processor."""
        return self.batch_size or rows_per_pass(inputs)

    def passes(self, inputs: Inputs) -> list[slice]:
        """Slices of these rows that go through the model together: `batch_size` at most, or about what suits."""
        return self.slices(len(inputs), inputs)

    def slices(self, rows: int, like: Inputs, times: int = 1) -> list[slice]:
        """Slices of so many rows like these, each of at most so many passes, or about."""
        return list((even_spans if self.batch_size is None else spans)(rows, times * self.rows_per_pass(like)))

    def predict(self, inputs: Given) -> Labels:
        """The class that is decided for: the most likely one, or by the threshold."""
        return self.decide(self.logits(self.check(inputs)))

    def decide(self, logits: Logits) -> Labels:
        """The class that each row of this model's logits stands for."""
        return self.task.predict(logits)

    def output_fn(self, kind: str) -> Callable[[Tensor], Tensor]:
        """The function that an explainer explains: this model's logits, or its probabilities."""
        return self if kind == "logit" else lambda inputs: self.task.explained(self(inputs), kind)

    def target_outputs(self, inputs: Inputs, targets: Labels, kind: str) -> PerExample:
        """Each example's output for its own target, without gradients, in passes that fit in memory."""
        return self.task.pick(self.task.explained(self.logits(inputs), kind), targets)

    def gradient(
        self, inputs: Inputs, objective: Callable[[Logits], Tensor], *, rows: Labels | None = None
    ) -> tuple[Logits, Inputs]:
        """Logits, and the gradient by the inputs of each example's own objective; for `rows` see `metered`."""
        x = inputs.detach().requires_grad_()
        with torch.enable_grad(), self.backward():
            logits = self(x, rows=rows)
            # Summed, not averaged: an example's gradient must not depend on its batch.
            (gradient,) = torch.autograd.grad(objective(logits).sum(), x)
        return logits.detach(), gradient

    def check(self, inputs: Given) -> Inputs:
        """The inputs on the model's device, after checking that they lie in its space.

        They are given the type of the model's weights where that loses nothing, as from float32 to float64.
        """
        ids_of = "" if self.embed is None else self.name
        return checked_inputs(inputs, self.space, self.forward, self.dtype, ids_of)

    def check_labels(self, labels: Wanted, inputs: Inputs, what: str = "labels") -> Labels:
        """The labels on the model's device, after checking that each is a decision of the model's task.

        `what` is what messages call them; targets of an attack may be names of classes.
        """
        return check_labels(labels, self.task, (len(inputs), *self._outputs(inputs)), what).to(self.device)

    def check_targets(self, targets: Wanted, inputs: Inputs) -> Targets:
        """The outputs that are explained on the model's device, by index or name, after checking that each is one."""
        return check_targets(targets, len(inputs), prod(self._outputs(inputs)), self.task).to(self.device)

    def targets(self, inputs: Inputs) -> Targets:
        """The default output to explain for each of the checked inputs."""
        return self.task.target(self.logits(inputs))

    def only(self, answer: int | str) -> "Model":
        """This model with one of the several answers that it gives to each row: a label, or the class at a place.

        It is a classifier, with the same weights, costs and layers, of which everything can be asked that is asked of
        one. Its labels are the column of that answer, as `data.only(answer)` takes it.

        >>> model.only("smiling").classes  # doctest: +SKIP
        ('not smiling', 'smiling')

        Raises:
            RangeError: if there is no such answer.
            Unsupported: where a row has one answer alone.
        """
        return replace(self, task=self.task.only(answer), name=f"{self.name}, {answer}", trainer=None)

    def over_embeddings(self) -> "Model":
        """The same model over embeddings (batch, tokens, width), for methods that need continuous inputs."""
        if self.embed is None:
            return self
        reference = None if self.space.reference is None else self.points(self.space.reference.to(self.device).long())
        space = Space(bounds=(-torch.inf, torch.inf), reference=reference)
        return replace(self, embed=None, space=space)

    @torch.no_grad()
    def activations(self, inputs: Given, at: str | Sequence[str]) -> dict[str, Any]:
        """What layers give for these inputs, by name: a tensor, or where a layer gives a tuple, a tuple of them.

        Inputs go through the model in passes that fit in memory.

        Raises:
            RangeError: if there is no such layer.
            Unsupported: if the forward does not call it, or calls it several times and no call is named ("relu#0").
        """
        names = (at,) if isinstance(at, str) or not isinstance(at, Iterable) else tuple(at)
        inputs = self.check(inputs)
        parts = [self._watched(inputs[rows], names) for rows in spans(len(inputs), self.rows_per_pass(inputs))]
        if len(parts) == 1:
            return parts[0]
        one, two = (self._watched(inputs[:rows], names) for rows in (1, 2))
        return {name: internals.joined([part[name] for part in parts], one[name], two[name], name) for name in names}

    @property
    def dtype(self) -> torch.dtype:
        """The floating type of the module's weights; that of the reference, or the default, for any other function."""
        reference = self.space.reference
        return dtype_of(self.forward) or (torch.get_default_dtype() if reference is None else reference.dtype)

    def __repr__(self) -> str:
        """Its name, what it tells apart, and the space, in a few lines."""
        names, (_, many) = self.task.names, self.task.units
        weights = dtype_of(self.forward) or "no visible weights"
        lines = [f"Model({self.name}: {type(self.forward).__name__}, {weights}"]
        listed = f"{len(names)}, {', '.join(names[:8])}" + ", ..." * (len(names) > 8) if names else "not named"
        lines.append(f"  {many}: {listed}")
        if decided := self.task.in_words():
            lines.append(f"  decides for {decided}")
        return ",\n".join([*lines, f"  {self.space!r})".replace("\n", "\n  ")])

    def _outputs(self, inputs: Inputs) -> tuple[int, ...]:
        """The shape of the logits of one input."""
        named = len(self.task.names)
        return (named,) if named and not isinstance(self.task, Places) else tuple(self.logits(inputs[:1]).shape[1:])

    def _watched(self, inputs: Inputs, names: Sequence[str]) -> dict[str, Any]:
        kept: dict[str, Any] = {}
        with self.edited({name: internals.keep(kept, name) for name in names}) as watched:
            watched(inputs)
        return {name: kept[name] for name in names}

    def _count_backward(self, rows: Labels | None, gradient: Tensor) -> None:
        self.usage.backward += len(gradient)
        if self.meter is not None:
            self.meter.count_backward(len(gradient), rows)
