"""Networks with several inputs as a Model with one input, their concatenation."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import torch
from torch import Tensor, nn

from probe.errors import DataError, ShapeError, Unsupported
from probe.forms import Table
from probe.model import Model
from probe.names import a_kind
from probe.space import Space
from probe.task import Task


def from_parts(
    net: Callable[..., Any],
    spaces: Sequence[Space] | Mapping[str, Space],
    classes: tuple[str, ...] = (),
    name: str = "model",
    *,
    task: Task | None = None,
    part: str | int | None = None,
) -> Model:
    """A Model of a network with several input tensors, such as an image and a row of a table.

    Its inputs are (rows, numbers): the concatenated parts of a row. Each part keeps the bounds, features, reference,
    mutable mask and scale of its own Space. `model.forward.joined(...)` concatenates parts, and
    `model.forward.split(...)` separates rows, or attributions of them.

    Args:
        net: a module in eval mode, or a function. It is called as net(one, two) for a list of spaces, and as
            net(image=one, row=two) for a mapping.
        spaces: one per part, with a shape from `reference`, `features`, or bounds per coordinate.
        classes: the names of the classes; short for `task=Classification(classes)`.
        name: of the model.
        task: what its outputs mean; by default classes.
        part: if it returns more than the outputs, their attribute, key or index.

    Raises:
        ShapeError: if a space has no shape.
        DataError: if only some spaces have a reference, or with different numbers of rows.
        Unsupported: for token ids, which must be embedded first.

    >>> import torch
    >>> from probe import Space, from_parts
    >>> net = lambda image, row: image.flatten(1)[:, :2] + row
    >>> spaces = {"image": Space(reference=torch.zeros(1, 1, 4, 4)), "row": Space(reference=torch.zeros(1, 2))}
    >>> model = from_parts(net, spaces, ("no", "yes"))
    >>> rows = model.forward.joined({"image": torch.rand(3, 1, 4, 4), "row": torch.rand(3, 2)})
    >>> tuple(rows.shape), tuple(model.logits(rows).shape)
    ((3, 18), (3, 2))
    """
    named = dict(spaces) if isinstance(spaces, Mapping) else {f"input {at}": s for at, s in enumerate(spaces, 1)}
    if len(named) < 2:
        raise DataError(f"{len(named)} spaces, expected one for each of several inputs; one is Model(forward=, space=)")
    shapes = {key: _shape(key, space) for key, space in named.items()}
    layout = Layout(shapes, by_name=isinstance(spaces, Mapping))
    forward: Any = JoinedModule(net, layout) if isinstance(net, nn.Module) else JoinedFunction(net, layout)
    said: dict[str, Any] = {} if task is None else {"task": task}
    said |= {"classes": classes} if classes else {}
    return Model(forward=forward, space=_space(named, shapes), name=name, part=part, **said)


@dataclass(frozen=True)
class Layout:
    """The shapes of the parts, in their order in a row."""

    shapes: Mapping[str, tuple[int, ...]]
    by_name: bool

    def split(self, rows: Tensor) -> Any:
        """Split rows (rows, numbers) into parts (rows, *shape): a list, or by name."""
        sizes = [prod(shape) for shape in self.shapes.values()]
        if rows.ndim != 2 or rows.shape[1] != sum(sizes):
            raise ShapeError(f"rows have shape {tuple(rows.shape)}, expected (rows, {sum(sizes)}): all parts of each")
        parts = [
            part.reshape(len(rows), *shape).contiguous()
            for part, shape in zip(torch.split(rows, sizes, dim=1), self.shapes.values(), strict=True)
        ]
        return dict(zip(self.shapes, parts, strict=True)) if self.by_name else parts

    def joined(self, parts: Any) -> Tensor:
        """Concatenate parts (rows, *shape) to rows (rows, numbers)."""
        if self.by_name != isinstance(parts, Mapping) or len(parts) != len(self.shapes):
            wanted = (
                f"a mapping of {', '.join(self.shapes)}" if self.by_name else f"a list of {len(self.shapes)} tensors"
            )
            raise DataError(f"parts are {a_kind(parts)} of {len(parts)}, expected {wanted}")
        if self.by_name and (missing := [key for key in self.shapes if key not in parts]):
            raise DataError(f"parts have no {missing[0]!r}; they have {', '.join(map(str, parts))}")
        given = [parts[key] for key in self.shapes] if self.by_name else list(parts)
        for (key, shape), part in zip(self.shapes.items(), given, strict=True):
            if tuple(part.shape[1:]) != shape:
                raise ShapeError(f"{key} has shape {tuple(part.shape)}, expected (rows, {', '.join(map(str, shape))})")
        return torch.cat([part.flatten(1) for part in given], 1)

    def call(self, net: Callable[..., Any], rows: Tensor) -> Any:
        """Call the network on rows."""
        parts = self.split(rows)
        return net(**parts) if self.by_name else net(*parts)


class JoinedModule(nn.Module):
    """A module with one input instead of several parts."""

    def __init__(self, net: nn.Module, layout: Layout) -> None:
        super().__init__()
        self.net, self.layout, self.training = net, layout, net.training
        self.split, self.joined = layout.split, layout.joined

    def forward(self, rows: Tensor) -> Any:
        return self.layout.call(self.net, rows)


class JoinedFunction:
    """A function with one input instead of several parts."""

    def __init__(self, net: Callable[..., Any], layout: Layout) -> None:
        self.net, self.layout = net, layout
        self.split, self.joined = layout.split, layout.joined

    def __call__(self, rows: Tensor) -> Any:
        return self.layout.call(self.net, rows)


def _shape(key: str, space: Space) -> tuple[int, ...]:
    """The shape of an example of a part, from its space."""
    if space.form.moves == "tokens":
        raise Unsupported(
            f"{key} is token ids, which have no numbers between them; give their embeddings, and embed the ids before"
        )
    if isinstance(space.reference, Tensor):
        return tuple(space.reference.shape[1:])
    for said in (space.features, space.mutable, space.scale, *space.bounds):
        if isinstance(said, Tensor) and said.ndim:
            return tuple(said.shape)
    raise ShapeError(f"the space of {key} has no shape; give Space(reference=rows), such as torch.zeros(1, 3, 8, 8)")


def _space(spaces: Mapping[str, Space], shapes: Mapping[str, tuple[int, ...]]) -> Space:
    """The spaces of all parts as one."""
    likes = {key: torch.zeros(1, *shape) for key, shape in shapes.items()}
    counts = {key: spaces[key].feature_count(like) for key, like in likes.items()}
    names = [f"{key}: {name}" for key, like in likes.items() for name in spaces[key].feature_names(like)]
    features, before = [], 0
    for key, like in likes.items():
        own = spaces[key].features
        features.append((torch.arange(like.numel()) if own is None else own.flatten()) + before)
        before += counts[key]
    kinds = [kind for key, space in spaces.items() for kind in space.kinds or ("continuous",) * counts[key]]
    missing = [may for key, space in spaces.items() for may in space.missing or (False,) * counts[key]]
    levels = [level for key, space in spaces.items() for level in space.levels or ("",) * likes[key].numel()]
    form = Table(
        names=tuple(names),
        kinds=tuple(kinds),
        missing=tuple(missing) if any(missing) else (),
        levels=tuple(levels) if any(levels) else (),
    )
    return Space(
        bounds=(_each(spaces, likes, lambda s: s.bounds[0]), _each(spaces, likes, lambda s: s.bounds[1])),
        scale=_each(spaces, likes, lambda s: s.scale),
        mutable=_each(spaces, likes, lambda s: 1 if s.mutable is None else s.mutable).bool(),
        features=torch.cat(features),
        reference=_references(spaces),
        form=form,
    )


def _each(spaces: Mapping[str, Space], likes: Mapping[str, Tensor], said: Callable[[Space], Any]) -> Tensor:
    """One number per coordinate of all parts."""
    return torch.cat(
        [torch.as_tensor(said(spaces[key])).expand(like.shape[1:]).flatten() for key, like in likes.items()]
    )


def _references(spaces: Mapping[str, Space]) -> Tensor | None:
    """The reference rows; a part with a single row is repeated."""
    found = {key: space.reference for key, space in spaces.items() if isinstance(space.reference, Tensor)}
    if not found:
        return None
    if lacking := [key for key in spaces if key not in found]:
        raise DataError(
            f"the space of {lacking[0]} has no reference, and that of {next(iter(found))} has; give it one too"
        )
    counts = {key: len(rows) for key, rows in found.items()}
    most = max(counts.values())
    if odd := [key for key, count in counts.items() if count not in (1, most)]:
        raise DataError(
            f"the references have {', '.join(f'{count} rows of {key}' for key, count in counts.items())}; "
            f"give one row of {odd[0]}, or {most}: those of the same examples"
        )
    return torch.cat([rows.flatten(1).expand(most, -1) for rows in found.values()], 1)
