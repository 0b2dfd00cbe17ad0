"""Which training rows helped or harmed an answer while the network was trained."""

from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, ClassVar, Literal, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap

from probe.answers import opened
from probe.arrays import Given, Wanted
from probe.checkpoint import Checkpoint
from probe.contracts import Need, Survey
from probe.contracts.common import beyond, learned, without_training
from probe.contracts.trainer import trained
from probe.dataset import Dataset
from probe.errors import DataError, RangeError, Unsupported
from probe.method import param
from probe.model import Model
from probe.recurrent import differentiable
from probe.shapes import Evidence, Inputs, Labels
from probe.task import Task
from probe.tensors import exact, generator, spans

CPU = torch.device("cpu")
ENTRIES = 2**24  # of gradients that are held together, 64 MiB
AT_ONCE = 256  # rows whose gradients are taken together

Influences = Float[Tensor, "rows trained"]
Gradients = Float[Tensor, "rows weights"]
Weights = Mapping[str, Tensor]


class Retraining(NamedTuple):
    """How well influences agree with trainings without single rows."""

    rank_correlation: float  # Spearman's, over all pairs of a row and a training row left out
    n: int  # training rows left out


@dataclass(frozen=True, kw_only=True)
class TracIn(Survey):
    """How much each training row lowered a row's loss while the network learned from it (arXiv:2002.08484).

    A step of gradient descent against the gradient of a training row's loss changes the loss of another row by the
    product of both gradients, to first order. The influence of a training row is the sum of these products over the
    checkpoints of a training (`Model(checkpoints=)`), each times its `rate`: above 0 it helped, below 0 it harmed.
    Losses are cross-entropy in nats, and squared error. With other optimisers than gradient descent, few checkpoints or
    large steps the sum is no more than a ranking. Without checkpoints the model's own weights are the only one, at the
    rate 1: then rows that are learned well, whose gradients are small, have little influence.

    `by="trainer"` trains a network like the model again, by `model.trainer` on its training rows, and takes the
    checkpoints of that; networks of the zoo keep them (`zoo.trainer`). The evidence of an example are the influences of
    the `count` rows that help it most, and of those that harm it most, in units of the loss.

    `method.influences(model, inputs, labels)` gives those of all training rows, in the order of `method.rows(model)`;
    `method.self_influences(model)` those of training rows on themselves, which are high where a row was hard to learn,
    as with a wrong label; `method.retrained(model, inputs, labels)` trains without single rows and says how well both
    agree.

    Raises:
        DataError: if a checkpoint does not have the network's weights.
        RangeError: if there are fewer training rows than `count`, or no weights of that pattern.
        Unsupported: if the model has no training rows, is a function to torch, or a row has several answers.

    Example:
        >>> import torch
        >>> from dataclasses import replace
        >>> from probe import Checkpoint, Model, Regression, Space
        >>> from probe.surveys import TracIn
        >>> x, y = torch.tensor([[1.0], [2.0], [3.0]]), torch.tensor([1.0, 2.0, -9.0])
        >>> network = torch.nn.Linear(1, 1, bias=False).eval()
        >>> before = Checkpoint({"weight": torch.zeros(1, 1)}, rate=0.01)
        >>> model = Model(forward=network, space=Space(bounds=(-9.0, 9.0)), task=Regression(), training=(x, y))
        >>> model = replace(model, checkpoints=(before,))
        >>> TracIn().influences(model, x[:1], y[:1]).tolist()  # the third row is off, and harms the first
        [[0.04, 0.16, -1.08]]
    """

    needs: ClassVar[frozenset[Need]] = frozenset({"training data"})
    item: ClassVar[str] = "training row"
    asks: ClassVar[str] = "fall of the loss by the training row"

    by: Literal["model", "trainer"] = param(
        "model", "model: its own checkpoints; trainer: those of one that `model.trainer` trains again"
    )
    weights: str = param("*", 'whose gradients count, by a pattern of their names, such as "head.*"')
    count: int = param(3, "training rows that help each input most, and that harm it most", low=1, high=1000)
    most: int = param(2000, "training rows that are asked about, drawn where there are more", low=1, high=10**6)
    seed: int = param(0, "seed of that draw, and of training", low=0)

    def items(self, model: Model, inputs: Inputs) -> tuple[str, ...]:
        return tuple(f"most {kind} {at + 1}" for kind in ("helpful", "harmful") for at in range(self.count))

    def examine(self, model: Model, inputs: Inputs, labels: Labels) -> Evidence:
        found = self.influences(model, inputs, labels).sort(dim=1, descending=True).values
        if found.shape[1] < self.count:
            raise RangeError(
                f"{type(self).__name__}.count = {self.count}, and {model.name} has {found.shape[1]} training rows; "
                "set it to that at most"
            )
        return torch.cat([found[:, : self.count], found.flip(1)[:, : self.count]], 1).float()

    def rows(self, model: Model) -> Tensor:
        """The numbers of the training rows that are asked about, among those of the model."""
        if model.training is None:
            raise without_training(self.name(), model)
        chosen = torch.randperm(len(model.training[0]), generator=generator(self.seed, CPU))[: self.most]
        return chosen.sort().values

    def influences(self, model: Model, inputs: Given, labels: Wanted) -> Influences:
        """How much each training row lowered the loss of each row, in the order of `rows`."""
        inputs = model.check(inputs)
        return self._summed(model, inputs, model.check_labels(labels, inputs))

    def self_influences(self, model: Model) -> Float[Tensor, " trained"]:
        """How much each training row lowered its own loss, in the order of `rows`."""
        return self._summed(model, None, None)[0]

    def retrained(self, model: Model, inputs: Given, labels: Wanted, *, leave: int = 20) -> Retraining:
        """Train without each of some training rows, by `model.trainer`, and compare how losses grow with influences."""
        inputs = model.check(inputs)
        wanted = model.check_labels(labels, inputs)
        found = self._summed(model, inputs, wanted)
        order = found.abs().amax(0).argsort(descending=True)
        chosen = order[torch.linspace(0, len(order) - 1, min(leave, len(order))).long().unique()]  # type: ignore[no-untyped-call]  # torch leaves it untyped
        data, numbers = self._learned_from(model), self.rows(model)

        def losses(kept: Tensor) -> Tensor:
            other = trained(self._trainer(model), data[kept.nonzero()[:, 0]], self.seed)
            return _loss(model.task, beyond(other, inputs).logits(other.cast(inputs)).double(), wanted).cpu()

        everything = torch.ones(len(data), dtype=torch.bool)
        before, grown = losses(everything), []
        for at in chosen.tolist():
            kept = everything.clone()
            kept[numbers[at]] = False
            grown.append(losses(kept) - before)
        both = torch.stack(grown, 1).flatten(), found[:, chosen].cpu().flatten()
        ranks = torch.stack([each.argsort().argsort().double() for each in both])
        return Retraining(float(torch.corrcoef(ranks)[0, 1]), len(chosen))

    def _summed(self, model: Model, inputs: Inputs | None, wanted: Labels | None) -> Influences:
        """Influences on some rows, summed over checkpoints; without rows those of training rows on themselves."""
        chosen, known = self.rows(model), learned(model)
        assert model.training is not None, "asked with the rows"
        there = known[chosen.to(known.device)]
        answers = model.check_labels(torch.as_tensor(model.training[1])[chosen], there)
        if model.task.kind not in ("classification", "regression") or answers.ndim > 1:
            raise Unsupported(
                f"{self.name()} takes the loss of one answer for each row, and {model.name} gives "
                f"{model.task.units[1]}; take one: model.only(0) and data.only(0)"
            )
        taken, home = _Taken(model, self.weights), exact(model.device)
        found = torch.zeros(1 if inputs is None else len(inputs), len(there), dtype=torch.float64, device=home)
        for checkpoint in self._checkpoints(model, taken.state):
            rate = torch.as_tensor(checkpoint.rate, dtype=torch.float64)
            if rate.ndim and len(rate) != len(known):
                raise DataError(
                    f"Checkpoint.rate has {len(rate)} numbers, and {model.name} has {len(known)} training rows; give "
                    "one number, or one for each row"
                )
            rate = (rate[chosen] if rate.ndim else rate.expand(len(chosen))).to(home)
            at = taken.at(checkpoint)
            # Where gradients of all rows do not fit, those of training rows are taken again for each lot of rows.
            for lot in spans(len(found), max(1, ENTRIES // taken.size)):
                own = None if inputs is None or wanted is None else at(inputs[lot], wanted[lot])
                for part in spans(len(there), min(AT_ONCE, max(1, ENTRIES // taken.size))):
                    theirs = at(there[part], answers[part])
                    products = (theirs**2).sum(1)[None] if own is None else own @ theirs.T
                    found[lot, part] += products.to(home) * rate[part]
        return found

    def _checkpoints(self, model: Model, own: Weights) -> Sequence[Checkpoint]:
        if self.by == "model":
            return model.checkpoints or (Checkpoint(own),)
        other = trained(self._trainer(model), self._learned_from(model), self.seed)
        if not other.checkpoints:
            raise Unsupported(
                f"{self.name()} needs checkpoints, and the trainer of {model.name} returns a model without; have it "
                "return replace(model, checkpoints=...), or set by to model"
            )
        return other.checkpoints

    def _trainer(self, model: Model) -> Callable[..., Any]:
        if model.trainer is None:
            raise Unsupported(
                f"{self.name()} trains again, and {model.name} has no trainer; give one: Model(trainer=), in a plan "
                '[model] trainer = "my_package.train:again", or set by to model'
            )
        return model.trainer

    def _learned_from(self, model: Model) -> Dataset:
        """The training rows of a model, which need not lie within its bounds."""
        assert model.training is not None, "asked with the rows"
        known = learned(model).cpu()
        answers = model.check_labels(torch.as_tensor(model.training[1]), known.to(model.device)).cpu()
        space = beyond(model, known).space
        return Dataset(
            known, answers, space=space, classes=model.classes, name=f"training rows of {model.name}", role="train"
        )


class _Taken:
    """Gradients of rows' losses by some weights of a network, of which a copy is asked."""

    def __init__(self, model: Model, pattern: str) -> None:
        if not isinstance(model.forward, nn.Module):
            raise Unsupported(
                f"{TracIn.name()} takes gradients by weights, and {model.name} is a function to torch; give Model the "
                "nn.Module itself"
            )
        # Together, as the embedding may be a part of the network.
        forward, embed = deepcopy((model.forward, model.embed))
        self.model, self.network = model, _Whole(forward, embed)
        self.state = {name: tensor.detach() for name, tensor in forward.state_dict().items()}
        known = [name for name, tensor in forward.named_parameters() if tensor.is_floating_point()]
        self.names = [name for name in known if fnmatchcase(name, pattern)]
        if not self.names:
            raise RangeError(
                f"TracIn.weights = {pattern!r} fits no weights of {model.name}; there are {', '.join(known[:12])}"
                f"{', ...' * (len(known) > 12)}"
            )
        self.size = sum(self.state[name].numel() for name in self.names)

    def at(self, checkpoint: Checkpoint) -> Callable[[Inputs, Labels], Gradients]:
        """What takes the gradients at a checkpoint.

        Raises:
            DataError: if it does not have the network's weights.
        """
        given, parameters = checkpoint.weights, dict(self.network.forward_of.named_parameters())
        for name, tensor in self.state.items():
            if name in parameters and name not in given:
                raise DataError(
                    f"a checkpoint of {self.model.name} lacks {name!r}; keep copies of the tensors of "
                    "model.forward.state_dict()"
                )
            if name in given and given[name].shape != tensor.shape:
                raise DataError(
                    f"{name!r} of a checkpoint has the shape {tuple(given[name].shape)}, and {self.model.name} has "
                    f"{tuple(tensor.shape)}; give checkpoints of this network"
                )
        # Copies, as a forward may write into its buffers.
        state = {name: given.get(name, tensor).detach().to(tensor).clone() for name, tensor in self.state.items()}
        moved = {name: state.pop(name) for name in self.names}

        def loss(some: Weights, row: Tensor, label: Tensor) -> Tensor:
            weights = {f"forward_of.{name}": tensor for name, tensor in (*state.items(), *some.items())}
            answer = functional_call(self.network, weights, (row[None].clone(),))
            answer = answer if self.model.part is None else opened(answer, self.model.part)
            return _loss(self.model.task, self.model.task.logits(answer), label[None])[0]

        def gradients(rows: Inputs, labels: Labels) -> Gradients:
            self.model.usage.forward += len(rows)
            self.model.usage.backward += len(rows)
            with self.model.backward(), differentiable(self.network), torch.enable_grad():
                found = _by_row(loss, moved, rows, labels)
            return torch.cat([found[name].flatten(1) for name in self.names], 1)

        return gradients


class _Whole(nn.Module):
    """A network together with its embedding."""

    def __init__(self, forward_of: nn.Module, embed: Callable[[Tensor], Tensor] | None) -> None:
        super().__init__()
        self.forward_of, self.embedded = forward_of, embed

    def forward(self, rows: Tensor) -> Any:
        """What the network answers."""
        return self.forward_of(rows if self.embedded is None else self.embedded(rows))


def _by_row(loss: Callable[..., Tensor], weights: Weights, rows: Inputs, labels: Labels) -> Weights:
    """The gradient of each row's loss, by name, (rows, *weight)."""
    try:
        found: Weights = vmap(grad(loss), in_dims=(None, 0, 0))(weights, rows, labels)
        return found
    except (RuntimeError, NotImplementedError, ValueError, TypeError):
        pass  # what torch cannot batch, such as recurrent layers or a forward that looks at numbers
    given = {name: tensor.clone().requires_grad_() for name, tensor in weights.items()}
    each = [
        torch.autograd.grad(loss(given, row, label), list(given.values()), allow_unused=True, materialize_grads=True)
        for row, label in zip(rows, labels, strict=True)
    ]
    return {name: torch.stack([one[at] for one in each]) for at, name in enumerate(given)}


def _loss(task: Task, logits: Tensor, labels: Tensor) -> Float[Tensor, " rows"]:
    """Cross-entropy, which follows from the log-odds of an error, or squared error."""
    if task.kind == "regression":
        return (logits - labels.reshape(logits.shape)).square().sum(1)
    odds: Tensor = task.loss(logits, labels)
    return nn.functional.softplus(odds, threshold=40)
