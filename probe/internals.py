"""Layers of a network by name: their activations, and edits of them.

Everything uses forward hooks, which are placed for each call of the model and removed before it returns. Layers have
their names in `nn.Module.named_modules`. A layer that is called several times in a forward, such as a shared ReLU, is
addressed by its name and the index of the call: "relu#0" is the first. What a layer is given, rather than what it
gives, is addressed by "@input": "relu@input", or "relu#0@input".
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass, field
from difflib import get_close_matches
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from probe.errors import ContractError, ProbeError, RangeError, ShapeError, Unsupported
from probe.names import a_kind

if TYPE_CHECKING:
    # From a layer's output to its replacement: a tensor, or a tuple of tensors.
    Edit = Callable[[Any], Any]
    Named = Mapping[str, Edit]
else:
    Edit = Named = Any  # at run time anything; `Edits.of` checks it

CALL, GIVEN = "#", "@input"


def layers(network: object, name: str) -> Mapping[str, nn.Module]:
    """The modules inside a network by name, in order of registration.

    A module with two names is listed twice. Compiled or scripted modules and their contents are left out.

    Raises:
        Unsupported: if the network is a function, is compiled or scripted as a whole, or has no modules inside.
    """
    if not isinstance(network, nn.Module):
        raise Unsupported(
            f"{name} is a function to torch (a black box), so it has no layers; give Model the nn.Module itself"
        )
    if sealed := sealed_as(network):
        raise Unsupported(
            f"{name} is {sealed}, so its layers cannot be reached; give Model the module as it was before"
        )
    found = dict(_inside(network, "", frozenset({id(network)})))
    if not found:
        raise Unsupported(
            f"{name} ({type(network).__name__}) has no layers that torch can see; a module that is itself a single "
            "layer goes into nn.Sequential(...), and what runs outside torch has none"
        )
    return MappingProxyType(found)


def attention(inside: Mapping[str, nn.Module]) -> tuple[str, ...]:
    """The names of attention layers, by the names of their classes."""
    return tuple(name for name, layer in inside.items() if "attention" in type(layer).__name__.lower())


def outline(network: object, name: str) -> tuple[str, ...]:
    """The parts that a network is made of, in order of registration: layers with weights, such as "blocks.2".

    Containers are opened, and so is a part that holds most of all weights.

    Raises:
        Unsupported: where `layers` does.
    """
    inside = layers(network, name)
    children: dict[str, list[str]] = {}
    for each in inside:
        children.setdefault(each.rpartition(".")[0], []).append(each)
    total = sum(_weights(inside[each]) for each in children[""])

    def opened(address: str) -> Iterator[str]:
        part = inside[address]
        held = _weights(part)
        holds = isinstance(part, nn.Sequential | nn.ModuleList | nn.ModuleDict) or held > total / 2
        if holds and address in children:
            for each in children[address]:
                yield from opened(each)
        elif held:
            yield address

    return tuple(found for each in children[""] for found in opened(each)) or tuple(children[""])


def _weights(part: nn.Module) -> int:
    return sum(parameter.numel() for parameter in part.parameters())


class Place(NamedTuple):
    """Where an edit works: at what a layer gives, or is given."""

    layer: nn.Module
    call: int | None  # of its calls in one forward; None where it has one
    given: bool
    edit: Edit


@dataclass(frozen=True, eq=False)
class Edits:
    """Edits of the layers of one network, in effect while `placed`."""

    name: str  # of the model
    places: Mapping[str, Place]  # by address
    state: dict[str, Any] = field(default_factory=lambda: {"ended": False, "reached": set(), "calls": Counter()})

    @classmethod
    def of(cls, network: object, name: str, edits: Named) -> "Edits":
        """Edits by the address of a layer, after checking that each layer exists."""
        known = layers(network, name)
        if not isinstance(edits, Mapping):
            raise ContractError(
                f"edits are {a_kind(edits)}, expected a mapping from names of layers to functions; write "
                f"{{{next(iter(known))!r}: lambda output: ...}}"
            )
        for address, edit in edits.items():
            if not callable(edit):
                raise ContractError(
                    f"the edit of {address!r} is {a_kind(edit)}, expected a function of the layer's output; "
                    "write lambda output: ..."
                )
        for address in edits:
            _check_open(network, str(address), name)
        return cls(name, {address: Place(*_place(known, address, name), edit) for address, edit in edits.items()})

    @contextmanager
    def placed(self) -> Iterator[None]:
        """A context in which each edit replaces the output of its layer."""
        if self.state["ended"]:
            raise ProbeError(
                f"the edits of {self.name} are removed where their block ends; use the edited model inside "
                "`with model.edited(...) as other:`"
            )
        calls: Counter[int] = Counter()
        self.state["calls"] = calls
        handles = []
        try:
            for module in {id(place.layer): place.layer for place in self.places.values()}.values():
                handles.append(module.register_forward_pre_hook(self._before(calls)))
                handles.append(module.register_forward_hook(self._hook(calls)))
            yield
        finally:
            for handle in handles:
                handle.remove()

    def check(self) -> None:
        """Raise Unsupported if a forward did not call the layer of an edit."""
        if missed := [address for address in self.places if address not in self.state["reached"]]:
            layer = self.places[missed[0]].layer
            if times := self.state["calls"][id(layer)]:
                outer = missed[0].rpartition(CALL)[0]
                raise Unsupported(
                    f"{self.name} has no call {missed[0]!r}: it calls the layer {outer!r} {_times(times)} in one "
                    f"forward; the last call is '{outer}{CALL}{times - 1}'"
                )
            raise Unsupported(
                f"{self.name} never calls the layer {missed[0]!r}, so its output cannot be read or edited; "
                "choose one that is called, such as a layer inside it or after it"
            )

    def end(self) -> None:
        """Make the edited model unusable."""
        self.state["ended"] = True

    def _before(self, calls: Counter[int]) -> Callable[[nn.Module, Any], Any]:
        def hook(module: nn.Module, given: tuple[Any, ...]) -> Any:
            for address, place in self._at(module, calls[id(module)], given=True):
                if not given:
                    raise Unsupported(
                        f"{self.name} calls the layer {address.removesuffix(GIVEN)!r} with named arguments alone, so "
                        "that its input cannot be read or edited; choose the output of the layer before it"
                    )
                given = (_edited(place.edit, given[0], address), *given[1:])
            return given

        return hook

    def _hook(self, calls: Counter[int]) -> Callable[[nn.Module, Any, Any], Any]:
        def hook(module: nn.Module, _: Any, output: Any) -> Any:
            number = calls[id(module)]
            calls[id(module)] += 1
            for address, place in self._at(module, number, given=False):
                output = _edited(place.edit, output, address)
            return output

        return hook

    def _at(self, module: nn.Module, number: int, *, given: bool) -> Iterator[tuple[str, Place]]:
        """The edits of one call of a layer, of its input or of its output."""
        for address, place in self.places.items():
            if place.layer is not module or place.given != given or place.call not in (None, number):
                continue
            if place.call is None and number:
                first = f"{address.removesuffix(GIVEN)}{CALL}0{GIVEN * given}"
                raise Unsupported(
                    f"{self.name} calls the layer {address!r} several times in one forward; "
                    f"name one of the calls, such as {first!r} for the first"
                )
            self.state["reached"].add(address)
            yield address, place


def keep(into: dict[str, Any], address: str) -> Edit:
    """An edit that changes nothing and records the output of the layer."""

    def edit(output: Any) -> Any:
        # A later layer may work in place.
        into[address] = mapped(lambda tensor: tensor.detach().clone(), output)
        return output

    return edit


def joined(parts: Sequence[Any], one: Any, two: Any, address: str) -> Any:
    """Join the outputs of a layer from several passes.

    The outputs for `one` row and for `two` tell which dimension holds the rows: the state of an LSTM has them in its
    second dimension, and a layer that works on every pixel has many per input.
    """

    def join(few: Tensor, more: Tensor, *tensors: Tensor) -> Tensor:
        rows = [at for at, (a, b) in enumerate(zip(few.shape, more.shape, strict=True)) if a != b]
        if len(rows) > 1:
            raise Unsupported(
                f"the layer {address!r} gives {tuple(more.shape)} for two rows, so it mixes rows; ask for few "
                "enough rows for one pass through the model"
            )
        return torch.cat(tensors, rows[0]) if rows else tensors[0]

    if isinstance(one, PackedSequence):
        raise Unsupported(
            f"the layer {address!r} gives a packed sequence, whose batches cannot be joined; ask for few enough "
            "rows for one pass through the model"
        )
    return mapped(join, one, two, *parts)


def mapped(function: Callable[..., Tensor], output: Any, *others: Any) -> Any:
    """The same structure of tuples, lists and mappings with a function of its tensors; what is no tensor is kept."""
    if isinstance(output, Tensor):
        return function(output, *others)
    if isinstance(output, tuple | list):
        parts = [mapped(function, *each) for each in zip(output, *others, strict=True)]
        return type(output)(*parts) if hasattr(output, "_fields") else type(output)(parts)
    if isinstance(output, dict):
        made = copy(output)
        for key in output:
            made[key] = mapped(function, output[key], *(other[key] for other in others))
        return made
    return output


def _edited(edit: Edit, output: Any, address: str) -> Any:
    # Cloned: the output of a layer, such as Dropout, may be its input, which others use.
    found = edit(mapped(torch.clone, output))
    if found is None and output is not None:
        raise ShapeError(f"the edit of {address!r} returned nothing, expected the layer's output; end it with `return`")
    if (was := _form(output)) != (becomes := _form(found)):
        raise ShapeError(
            f"the edit of {address!r} returned {becomes} where the layer gave {was}; return a value of the same type "
            "and shape; if the edit is for certain rows, pass them in one batch (batch_size)"
        )
    return found


def _times(count: int) -> str:
    return {1: "once", 2: "twice"}.get(count, f"{count} times")


def _form(output: Any) -> str:
    """The shapes of an output in words."""
    if isinstance(output, Tensor):
        return f"{tuple(output.shape)}"
    if isinstance(output, tuple | list):
        return f"{type(output).__name__} of {', '.join(map(_form, output)) or 'nothing'}"
    if isinstance(output, dict):
        return ", ".join(f"{key}: {_form(value)}" for key, value in output.items())
    return type(output).__name__


def _place(known: Mapping[str, nn.Module], address: str, name: str) -> tuple[nn.Module, int | None, bool]:
    if address in known:
        return known[address], None, False
    if str(address).endswith(GIVEN):
        return *_place(known, address.removesuffix(GIVEN), name)[:2], True
    layer, mark, call = str(address).rpartition(CALL)
    if mark and layer in known:
        if not (call.isascii() and call.isdecimal() and len(call) < 10):
            raise RangeError(f"{address!r} names no call of {layer!r}; the first is '{layer}{CALL}0'")
        return known[layer], int(call), False
    near = get_close_matches(str(address), known, n=1)
    hint = f" (did you mean {near[0]!r}?)" if near else ""
    some = ", ".join(list(known)[:8]) + (f" and {len(known) - 8} more" if len(known) > 8 else "")
    raise RangeError(f"{name} has no layer {address!r}{hint}; it has {some}")


def _check_open(network: object, address: str, name: str) -> None:
    """Raise Unsupported for the address of a layer that is compiled or scripted, or inside of one that is."""
    module: Any = network
    parts = address.removesuffix(GIVEN).partition(CALL)[0].split(".")
    for at, part in enumerate(parts, start=1):
        module = getattr(module, "_modules", {}).get(part)
        if module is None:
            return
        if sealed := sealed_as(module):
            outer = ".".join(parts[:at])
            raise Unsupported(
                f"the layer {outer!r} of {name} is {sealed}, so it cannot be reached, nor what is inside; give Model "
                "the module as it was before"
            )


def _inside(module: nn.Module, prefix: str, above: frozenset[int]) -> Iterator[tuple[str, nn.Module]]:
    for name, child in module._modules.items():
        # Modules may contain each other.
        if child is not None and id(child) not in above and not sealed_as(child):
            yield f"{prefix}{name}", child
            if child._modules:
                yield from _inside(child, f"{prefix}{name}.", above | {id(child)})


def sealed_as(module: nn.Module) -> str:
    """Why hooks inside a module would not be called; empty if they would."""
    if isinstance(module, torch.jit.ScriptModule):
        return "scripted"
    compiled = type(module).__module__.startswith("torch._dynamo")
    return "compiled" if compiled or getattr(module, "_compiled_call_impl", None) is not None else ""
