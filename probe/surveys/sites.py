"""Sites inside a network that a survey changes: whole layers, units along an axis of them, or heads of attention."""

from abc import ABC
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, NamedTuple

import torch
from torch import Tensor, nn

from probe.contracts import Need, Survey
from probe.errors import RangeError, Unsupported
from probe.internals import GIVEN, Edit, attention, outline
from probe.method import param
from probe.model import Model
from probe.shapes import Inputs, Labels

SPLITS = {"layer": "", "unit": ", unit ", "head": ", head "}  # between a layer and its part, by `part`
HEADS = ("heads", "num_heads", "n_head", "n_heads", "num_attention_heads")  # what layers call their number of heads


class Site(NamedTuple):
    """A part of what one layer gives, or is given."""

    name: str
    address: str  # as `model.activations` takes it
    axis: int
    span: slice | None  # along the axis; None for everything

    def put(self, other: Tensor) -> Edit:
        """An edit that puts this part of another output of the layer in place of its own."""

        def edit(output: Any) -> Any:
            own = tensor_of(output)
            if self.span is None:
                found = other.to(own).expand_as(own)
            else:
                found, from_there = own.movedim(self.axis, 0), other.to(own).expand_as(own).movedim(self.axis, 0)
                found = torch.cat([found[: self.span.start], from_there[self.span], found[self.span.stop :]])
                found = found.movedim(0, self.axis)
            return found if output is own else type(output)((found, *output[1:]))

        return edit


def tensor_of(output: Any) -> Tensor:
    """The tensor that a layer gives: the first of several."""
    found: Tensor = output[0] if isinstance(output, tuple | list) and output else output
    return found


@dataclass(frozen=True, kw_only=True)
class OfSites(Survey, ABC):
    """A survey whose items are sites inside a network."""

    needs: ClassVar[frozenset[Need]] = frozenset({"layers"})
    item: ClassVar[str] = "site"

    layers: tuple[str, ...] = param(
        (), "the layers, as `model.layers()` names them; default: the parts of the network, or its attention"
    )
    part: Literal["layer", "unit", "head"] = param(
        "layer", "what is changed together: a layer, all at one index of `axis`, or a head of attention"
    )
    axis: int = param(1, "the axis that units lie along, such as the tokens of (batch, tokens, width)", low=-1)
    heads: int | None = param(None, "heads of each attention layer; none: as many as the layer says", low=1)

    @property
    def split(self) -> str:  # type: ignore[override]  # what divides an item depends on the part that is chosen
        """What stands between a layer and its part."""
        return SPLITS[self.part]

    def items(self, model: Model, inputs: Inputs) -> tuple[str, ...]:
        return tuple(site.name for site in self.sites(model, inputs))

    def sites(self, model: Model, inputs: Inputs) -> tuple[Site, ...]:
        """The sites, by layer and index.

        Raises:
            RangeError: if there is no such layer, axis or head.
            Unsupported: if a layer gives no tensor with a row for each input.
        """
        if self.part == "head":
            return tuple(site for layer in self._attending(model) for site in self._heads(model, inputs, layer))
        found = tuple(site for layer in self._parts(model) for site in self._units(model, inputs, layer))
        if not found:
            raise Unsupported(
                f"no part of {model.name} gives a tensor with a row for each input; name layers, of "
                f"{', '.join(list(model.layers())[:20])}"
            )
        return found

    def _parts(self, model: Model) -> tuple[str, ...]:
        return self.layers or outline(model.forward, model.name)

    def _units(self, model: Model, inputs: Inputs, layer: str) -> Iterator[Site]:
        """A layer, or its units; nothing where nobody named it and it gives no tensor."""
        try:
            found = given(model, inputs, layer)
        except Unsupported:
            if self.layers:
                raise
            return
        if self.part == "layer":
            yield Site(layer, layer, 0, None)
            return
        if self.axis == 0 or self.axis >= found.ndim:
            raise RangeError(
                f"{type(self).__name__}.axis = {self.axis}, and the layer {layer!r} gives {tuple(found.shape)}, "
                f"whose first axis is the rows; set it to one of 1 to {found.ndim - 1}, or -1"
            )
        for at in range(found.shape[self.axis]):
            yield Site(f"{layer}{self.split}{at}", layer, self.axis, slice(at, at + 1))

    def _attending(self, model: Model) -> tuple[str, ...]:
        """The attention layers, of some within each other the outermost."""
        known = model.layers()
        found = self.layers or attention(known)
        if not found:
            raise Unsupported(f"{model.name} has no layer of attention, so no heads; set part to layer or unit")
        return tuple(each for each in found if not any(each.startswith(f"{other}.") for other in found))

    def _heads(self, model: Model, inputs: Inputs, layer: str) -> Iterator[Site]:
        known = model.layers()
        if layer not in known:
            model.activations(inputs[:1], at=layer)  # which says what there is
        inside = {name: part for name, part in known.items() if name == layer or name.startswith(f"{layer}.")}
        merges = [name for name, part in inside.items() if getattr(getattr(part, "weight", None), "ndim", 0) == 2]
        if not merges:
            raise Unsupported(
                f"the layer {layer!r} of {model.name} has no linear layer that joins heads; name one of its attention "
                "layers, or set part to layer or unit"
            )
        address = f"{merges[-1]}{GIVEN}"
        width = given(model, inputs, address).shape[-1]
        heads = self.heads or _said(inside.values())
        if not heads or width % heads:
            raise RangeError(
                f"{type(self).__name__}.heads = {self.heads}, and {merges[-1]!r} of {model.name} joins {width} numbers "
                "of each token; set it to the number of heads, of which that is a multiple"
            )
        for at in range(heads):
            span = slice(at * width // heads, (at + 1) * width // heads)
            yield Site(f"{layer}{self.split}{at}", address, -1, span)


def given(model: Model, inputs: Inputs, address: str) -> Tensor:
    """What one row gets at an address.

    Raises:
        Unsupported: if it is no tensor with a row for each input.
    """
    rows = inputs[:2]
    found = tensor_of(model.activations(rows, at=address)[address])
    if not isinstance(found, Tensor) or not found.is_floating_point() or found.ndim < 2 or len(found) != len(rows):
        raise Unsupported(
            f"the layer {address!r} of {model.name} does not give a tensor of numbers with a row for each input; "
            f"name another of {', '.join(list(model.layers())[:20])}"
        )
    return found


def slopes_at(model: Model, layer: str, inputs: Inputs, targets: Labels) -> tuple[Tensor, Tensor]:
    """What a layer gives for inputs in one pass, and the gradient of each row's output with respect to it.

    Raises:
        Unsupported: if it does not give a row for each input.
    """
    kept: list[Tensor] = []

    def watch(output: Tensor) -> Tensor:
        if not isinstance(output, Tensor) or len(output) != len(inputs):
            raise Unsupported(f"the layer {layer!r} of {model.name} does not give a row for each input")
        kept.append(output.detach().requires_grad_())
        return kept[0].clone()  # the next layer may work in place

    edits: dict[str, Edit] = {layer: watch}
    with model.edited(edits) as watched, torch.enable_grad(), watched.backward():
        outputs = watched.task.pick(watched(inputs), targets)
        (slopes,) = torch.autograd.grad(outputs.sum(), kept[0])
    return kept[0].detach(), slopes


def _said(parts: Any) -> int:
    """The number of heads that the first of some layers says."""
    for part in parts:
        for name in HEADS:
            if isinstance(number := getattr(part, name, None), int) and not isinstance(part, nn.ModuleList):
                return number
    return 0
