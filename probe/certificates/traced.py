"""The steps by which a network computes its logits, recorded while it runs, for bounds of what it computes."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from probe.certificates.calls import Call, step_of
from probe.certificates.nodes import Node, Traced
from probe.certificates.steps import Input, Late, Refused, Step
from probe.certificates.undone import undone
from probe.errors import Unsupported
from probe.forward import Forward
from probe.model import Model
from probe.results.base import dtype_name
from probe.shapes import Inputs, Logits
from probe.tensors import generator

# What tells Python of numbers, or gives shapes that depend on them.
DECIDES = frozenset({
    "_local_scalar_dense", "is_nonzero", "equal", "nonzero", "masked_select", "_unique2", "unique_dim",
    "unique_consecutive",
})  # fmt: skip
NEAR = 8  # points around the first input at which the recorded steps are compared with the model too
TRACED = 2  # rows that the network runs on while it is recorded: with one, a step that mixes rows would look like none


def _plainly(forward: Forward, points: Tensor) -> Tensor:
    answer: Tensor = forward(points)
    return answer


def traced(model: Model, inputs: Inputs) -> Traced:
    """The steps from inputs to logits.

    Raises:
        Unsupported: if there is a step that cannot be bounded; it is named, with its layer.
    """
    if inputs.dtype in (torch.float16, torch.bfloat16):
        raise Unsupported(
            f"{model.name} computes in {dtype_name(inputs)}, and bounds leave out its rounding; give the network "
            "and its inputs in float32: network.float()"
        )
    points = inputs[:1].expand(TRACED, *inputs.shape[1:]).clone()
    try:
        found = recorded(
            model.forward,
            points,
            model.name,
            lambda watched, x: replace(model, forward=watched)(x),
            lambda found: _check_same(found, model, inputs),
        )
    except Unsupported as error:
        raise Unsupported(
            f"{error}; a certificate of the vote under noise, RandomizedSmoothing, asks for answers alone"
        ) from None
    return found


def recorded(
    forward: Forward,
    points: Tensor,
    name: str,
    ask: Callable[[Forward, Tensor], Tensor] = _plainly,
    check: Callable[[Traced], None] = lambda found: None,
) -> Traced:
    """The steps from a few points to the logits that `ask` makes of a forward; for the errors see `traced`.

    `check` is called with all steps, before those that turn logits into probabilities and back are left out.
    """
    inside = _Inside()
    with inside.named(forward), _Recorder(points, inside, name) as record:
        logits = ask(partial(inside.run, forward), points)
    found = record.of(logits)
    if found is None:
        raise Unsupported(f"the answers of {name} do not depend on the inputs, as far as torch can see")
    nodes = _needed(record.nodes, found)
    _refuse(nodes, Refused, name)
    check(Traced(nodes))
    nodes = undone(nodes)
    _refuse(nodes, Late, name)
    return Traced(nodes)


def _refuse(nodes: Sequence[Node], kind: type[Refused | Late], name: str) -> None:
    for node in nodes:
        if isinstance(node.step, kind):
            raise Unsupported(f"{name} computes {node.step.told}, which has no bounds here")


def _check_same(found: Traced, model: Model, inputs: Inputs) -> None:
    """Raise Unsupported unless the recorded steps give the model's logits, for the inputs and around the first."""
    away = torch.rand(NEAR, *inputs.shape[1:], generator=generator(0, torch.device("cpu"))).to(inputs) * 2 - 1
    first = inputs[:1].expand(NEAR, *inputs.shape[1:])
    # A number that leaves torch, as by tolist(), is not seen where it is used: it is that of the first input.
    around = model.space.project(first + away * model.space.scale_of(first), first)
    for points in (inputs, *(around[at : at + 1] for at in range(NEAR))):
        wanted: Logits = model.logits(points)
        with torch.no_grad():
            given = found.values(points)[-1]
        size = wanted.abs().amax().clamp(min=1.0)
        if given.shape != wanted.shape or not bool(((given - wanted).abs() <= 1e-3 * size).all()):
            raise Unsupported(
                f"{model.name} computes other steps for other inputs than for the first, so they cannot be bounded "
                "together"
            )


def _needed(nodes: Sequence[Node], last: int) -> tuple[Node, ...]:
    """The nodes that one depends on, renumbered."""
    wanted, queue = {0, last}, [last]
    while queue:
        for parent in nodes[queue.pop()].parents:
            if parent not in wanted:
                wanted.add(parent)
                queue.append(parent)
    order = {old: new for new, old in enumerate(sorted(wanted))}
    return tuple(replace(nodes[old], parents=tuple(order[at] for at in nodes[old].parents)) for old in order)


@dataclass
class _Inside:
    """The layers that are being computed, from the outermost inwards, while the network's own code runs."""

    running: bool = False
    layers: list[str] = field(default_factory=list)

    def run(self, forward: Callable[[Tensor], Any], inputs: Tensor) -> Any:
        self.running = True
        try:
            return forward(inputs)
        finally:
            self.running = False

    @contextmanager
    def named(self, network: object) -> Iterator[None]:
        """A context in which the layers are known; hooks are gone at its end."""
        handles = []
        try:
            for name, module in network.named_modules() if isinstance(network, nn.Module) else ():
                if name and not isinstance(module, torch.jit.ScriptModule):
                    called = f"the layer {name!r} ({type(module).__name__})"
                    handles.append(module.register_forward_pre_hook(partial(self._enter, called)))
                    handles.append(module.register_forward_hook(self._leave, always_call=True))
            yield
        finally:
            for handle in handles:
                handle.remove()

    def _enter(self, name: str, *_: object) -> None:
        self.layers.append(name)

    def _leave(self, *_: object) -> None:
        self.layers.pop()


class _Recorder(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch leaves it untyped
    """Records each operation of torch on a tensor that depends on the inputs.

    Tensors are known by where their numbers lie, as a view may come back as another object; all are kept until the end,
    so that no place is used twice.
    """

    def __init__(self, inputs: Tensor, inside: _Inside, name: str) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        self.inside, self.name = inside, name
        self.nodes = [Node(Input(), (), tuple(inputs.shape[1:]))]
        self.places = {_place(inputs): 0}
        self.spoiled: dict[int, int] = {}  # by storage: the node that says who wrote into it
        self.kept: list[Tensor] = [inputs]

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        # Otherwise torch imports its compiler first, which takes seconds.
        return False

    def of(self, tensor: Tensor) -> int | None:
        """The number of the node that gave a tensor; None where it does not depend on the inputs."""
        found = self.places.get(_place(tensor))
        return self.spoiled.get(tensor.untyped_storage().data_ptr()) if found is None else found

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        parents = [at for each in _tensors((*args, *kwargs.values())) if (at := self.of(each)) is not None]
        if not parents:
            return func(*args, **kwargs)
        name = func._schema.name.partition("::")[2]
        if self.inside.running and name in DECIDES:
            raise Unsupported(
                f"{self.name} decides by the numbers of its inputs how it computes ({name}{self._where()}), so its "
                "steps cannot be bounded"
            )
        inputs = [each for each in _tensors((*args, *kwargs.values())) if self.of(each) is not None]
        shapes = [tuple(each.shape) for each in inputs]
        outputs = func(*args, **kwargs)
        written = [each for each in args if isinstance(each, Tensor)][:1] if func._schema.is_mutable else []
        made = list(_tensors([outputs]))
        step = step_of(Call(func, args, kwargs, inputs, shapes, made, self._where()))
        for each in written:
            if self.of(each) is None:
                step = Refused(f"{name}{self._where()} in place")
            self._spoil(each)
        for at, each in enumerate(made):
            # Of several results only the first is one that is bounded.
            self._note(each, step if at == 0 else Refused(f"result {at} of {name}{self._where()}"), parents)
        return outputs

    def _where(self) -> str:
        return f" in {self.inside.layers[-1]}" if self.inside.layers else ""

    def _note(self, tensor: Tensor, step: Step, parents: Sequence[int]) -> None:
        self.nodes.append(Node(step, tuple(parents), tuple(tensor.shape[1:])))
        self.places[_place(tensor)] = len(self.nodes) - 1
        self.kept.append(tensor)

    def _spoil(self, tensor: Tensor) -> None:
        """Refuse whatever else lies in the storage of a tensor that was written into."""
        storage = tensor.untyped_storage().data_ptr()
        self.places = {place: at for place, at in self.places.items() if place[0] != storage}
        self.nodes.append(Node(Refused(f"with numbers that were overwritten{self._where()}"), (0,), ()))
        self.spoiled[storage] = len(self.nodes) - 1
        self.kept.append(tensor)


def _place(tensor: Tensor) -> tuple[Any, ...]:
    where = tensor.untyped_storage().data_ptr(), tensor.data_ptr()
    return (*where, tuple(tensor.shape), tensor.stride(), tensor.dtype)


def _tensors(values: Sequence[Any]) -> Iterator[Tensor]:
    for each in values:
        if isinstance(each, Tensor):
            yield each
        elif isinstance(each, tuple | list):
            yield from _tensors(each)
