"""Where in a network its answer arises."""

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch

from probe.contracts import Need, Survey
from probe.contracts.common import passes
from probe.errors import Unsupported
from probe.formatting import Unit
from probe.internals import GIVEN, outline
from probe.method import param
from probe.model import Model
from probe.shapes import Evidence, Inputs, Labels
from probe.surveys.sites import Site, given, tensor_of
from probe.tensors import wide


@dataclass(frozen=True, kw_only=True)
class LogitLens(Survey):
    """The answer as it would be if the network ended after each of its layers (nostalgebraist 2020, arXiv:2303.08112).

    What a layer gives is put in place of what the last of them gives, and the rest of the network, such as a
    transformer's last norm and its head, reads it. The evidence of an example is the probability of the final answer,
    or of `answer`, read there, in [0, 1], or its logit: where it rises, the answer arises. Of the last layer it is the
    model's own. What a layer holds in a form that the head does not read is not seen.

    Layers are those of one kind that hold the most weights, such as the blocks of a transformer, unless named in order;
    before them is the input of the first, where it has their shape.

    Raises:
        RangeError: if there is no such layer or answer.
        Unsupported: if layers give tensors of different shapes, or the forward calls one several times.

    Example:
        >>> from probe import zoo
        >>> from probe.surveys import LogitLens
        >>> LogitLens()(zoo.load("repeats-gpt"), zoo.data("repeats")[:50]).to_frame()["value"].round(1).tolist()
        [0.1, 0.0, 1.0]
    """

    needs: ClassVar[frozenset[Need]] = frozenset({"layers"})
    unit: ClassVar[Unit] = "number"
    item: ClassVar[str] = "layer"
    asks: ClassVar[str] = "output for the final answer, as read after the layer"

    layers: tuple[str, ...] = param((), "the layers in order; default: the largest parts of one kind")
    answer: str = param("", "name of the class or output; by default the one that is decided for")
    output: Literal["logit", "probability"] = param("probability", "the output: logit or probability")

    def along(self) -> str:
        return "layer"

    def items(self, model: Model, inputs: Inputs) -> tuple[str, ...]:
        return tuple(
            f"before {name.removesuffix(GIVEN)}" if name.endswith(GIVEN) else name
            for name in self._addresses(model, inputs)
        )

    def examine(self, model: Model, inputs: Inputs, labels: Labels) -> Evidence:
        names = self._addresses(model, inputs)
        targets = model.check_targets(self.answer, inputs) if self.answer else model.targets(inputs)
        return torch.cat([self._read(model, names, inputs[rows], targets[rows]) for rows in passes(model, inputs)])

    def _read(self, model: Model, names: tuple[str, ...], inputs: Inputs, targets: Labels) -> Evidence:
        seen = model.activations(inputs, at=names)
        last = Site(names[-1], names[-1], 0, None)
        found = []
        for name in names:
            with model.edited({last.address: last.put(tensor_of(seen[name]))}) as ended:
                found.append(wide(ended.target_outputs(inputs, targets, self.output)))
        return torch.stack(found, 1)

    def _addresses(self, model: Model, inputs: Inputs) -> tuple[str, ...]:
        """What is read, in order, and of one shape.

        Raises:
            Unsupported: if shapes differ.
        """
        names = self.layers or _blocks(model)
        shapes = [given(model, inputs, name).shape for name in names]
        for name, shape in zip(names, shapes, strict=True):
            if shape != shapes[-1]:
                raise Unsupported(
                    f"{self.name()} puts what layers give in place of each other, and of {model.name} {name!r} gives "
                    f"{tuple(shape[1:])} and {names[-1]!r} {tuple(shapes[-1][1:])} for each row; set layers to some of "
                    "one shape, such as the blocks of a transformer"
                )
        try:
            start = given(model, inputs, f"{names[0]}{GIVEN}").shape
        except Unsupported:
            return names
        return (f"{names[0]}{GIVEN}", *names) if start == shapes[0] else names


def _blocks(model: Model) -> tuple[str, ...]:
    """Parts of one kind within one container, of which there are the most weights."""
    known, kinds = model.layers(), dict[tuple[Any, ...], list[str]]()
    for name in outline(model.forward, model.name):
        kinds.setdefault((name.rpartition(".")[0], type(known[name])), []).append(name)
    weights = {
        kind: sum(p.numel() for name in names for p in known[name].parameters()) for kind, names in kinds.items()
    }
    repeated = {kind: count for kind, count in weights.items() if len(kinds[kind]) > 1} or weights
    return tuple(kinds[max(repeated, key=lambda kind: repeated[kind])])
