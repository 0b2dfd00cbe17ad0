"""An attack on rows of tables that changes whole columns: categories too, within types, ranges and what may change."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from probe.contracts import Aim, Attack
from probe.errors import ContractError, RangeError, Unsupported
from probe.method import param
from probe.model import Model
from probe.names import nearest
from probe.norms import Radius
from probe.numbers import Number
from probe.shapes import Inputs, PerExample
from probe.space import Space
from probe.tensors import column, parted, spans, unequal
from probe.threats import Threat

_ENTRIES = 2**24  # of rows that are tried together, 64 MiB


@dataclass(frozen=True)
class Columns(Threat):
    """Changes of whole columns of a table, each at a cost; the budget is their sum.

    A number stays within its bounds and whole where its column is; a category takes another of its levels. Columns that
    `Space.mutable` keeps fixed, and those in `fixed`, stay; those in `rising` and `falling` go one way.
    """

    costs: tuple[float, ...] = ()  # one per column; all 1 unless given
    rising: tuple[str, ...] = ()
    falling: tuple[str, ...] = ()
    fixed: tuple[str, ...] = ()

    @property
    def counted(self) -> bool:  # type: ignore[override]  # of other threats it is the same for all
        return not self.costs

    @property
    def unit(self) -> str:
        return "column" if self.counted else "cost"

    @property
    def axis(self) -> str:
        return "columns changed" if self.counted else "cost of the columns changed"

    def length(self, space: Space, moved: Inputs, origin: Inputs) -> PerExample:
        """The cost of the changed columns; infinity where one went the wrong way, or is no value of its type."""
        rules, moved, origin = self.rules(space, origin), moved.flatten(1), origin.flatten(1)
        changed, rise = rules.changed(moved, origin), (moved - origin).nan_to_num() @ rules.owner.T
        wrong = changed & ((rules.rising & (rise < 0)) | (rules.falling & (rise > 0)))
        between = ((moved != 0) & (moved != 1)).to(moved)
        wrong |= changed & rules.category & ((moved.nan_to_num() @ rules.owner.T != 1) | (between @ rules.owner.T > 0))
        uneven = rules.whole & (moved != moved.round()) & unequal(moved, origin)
        wrong = wrong.any(1) | uneven.any(1)
        return torch.where(wrong, torch.inf, changed.to(rules.costs) @ rules.costs)

    def project(self, space: Space, moved: Inputs, origin: Inputs, amount: Radius) -> Inputs:
        """The changed columns that are allowed, in their order, as long as the budget lasts."""
        rules = self.rules(space, origin)
        low, high = (torch.as_tensor(bound).to(origin) for bound in space.bounds)
        whole = rules.whole.view(origin.shape[1:])
        moved = torch.where(whole, origin + (moved - origin).trunc(), moved).clamp(low, high)
        kept = torch.zeros(len(origin), len(rules.owner), dtype=torch.bool, device=origin.device)
        spent, most = torch.zeros(len(origin)).to(rules.costs), torch.as_tensor(amount).to(rules.costs)
        for at, own in enumerate(rules.owner.bool()):
            alone = torch.where(own.view(origin.shape[1:]), moved, origin)
            cost = self.length(space, alone, origin).to(rules.costs)
            kept[:, at] = ~rules.fixed[at] & (cost > 0) & (spent + cost <= most)
            spent = spent + torch.where(kept[:, at], cost, 0)
        return torch.where(((kept.to(origin) @ rules.owner) > 0).view_as(origin), moved, origin)

    def could_move(self, space: Space, inputs: Inputs, amount: Radius) -> Tensor:
        rules = self.rules(space, inputs)
        cheapest = rules.costs.masked_fill(rules.fixed, torch.inf).min()
        most = torch.as_tensor(amount, device=inputs.device).expand(len(inputs))
        return (most > 0) & (cheapest <= most)

    def tolerance(self, space: Space, origin: Inputs, amount: Tensor) -> Tensor:
        return 1e-6 * amount

    def check(self, name: str, space: Space, moved: Inputs, origin: Inputs, amount: Radius) -> None:
        rules = self.rules(space, origin)
        space.check(moved)
        if bool((rules.changed(moved, origin) & rules.fixed).any()):
            raise ContractError(f"{name} changed a column that is fixed")
        length, most = self.length(space, moved, origin), torch.as_tensor(amount, device=origin.device)
        if bool(length.isinf().any()):
            raise ContractError(f"{name} moved a column the wrong way, or to a value that its type does not have")
        most = most.to(length).expand(len(length))
        if bool((length > most + self.tolerance(space, origin, most)).any()):
            raise ContractError(f"{name} exceeded its budget: changes cost {float(length.max()):.6g}")

    def rules(self, space: Space, inputs: Inputs) -> "Rules":
        """What may change, column by column.

        Raises:
            RangeError: if a name is no column, a category is to rise or fall, or there is not one cost for each.
        """
        names, kinds = space.feature_names(inputs), space.kinds or ("continuous",) * space.feature_count(inputs)
        flags = {}
        for setting in ("rising", "falling", "fixed"):
            for name in getattr(self, setting):
                if name not in names:
                    raise RangeError(
                        f"{setting} names {name!r:.60}, which is no column{nearest(name, names)}; there are "
                        f"{', '.join(names[:20])}"
                    )
                if setting != "fixed" and kinds[names.index(name)] == "category":
                    raise RangeError(f"{setting} names {name!r:.60}, whose levels have no order; name it in fixed")
            flags[setting] = _flags([name in getattr(self, setting) for name in names], inputs)
        if self.costs and len(self.costs) != len(names):
            raise RangeError(f"costs are of {len(self.costs)} columns, expected one for each of {len(names)}")
        exact = torch.float32 if inputs.device.type == "mps" else torch.float64
        costs, count = torch.tensor(self.costs or (1.0,) * len(names), dtype=exact), len(names)
        each = torch.eye(count, dtype=torch.bool, device=inputs.device)
        like = inputs[:1].expand(count, *inputs.shape[1:])
        owner = space.coordinate_mask(each, like).flatten(1)
        held = torch.zeros(()) if space.mutable is None else ~torch.as_tensor(space.mutable).bool()
        still = (owner & held.bool().to(inputs.device).expand(inputs.shape[1:]).flatten()).any(1)
        whole = _flags([kind == "integer" for kind in kinds], inputs)
        return Rules(
            owner=owner.to(inputs.dtype),
            category=_flags([kind == "category" for kind in kinds], inputs),
            whole=(owner & whole[:, None]).any(0),
            costs=costs.to(inputs.device),
            rising=flags["rising"],
            falling=flags["falling"],
            fixed=flags["fixed"] | still,
        )


class Rules(NamedTuple):
    """What may change, column by column; `owner` and `whole` say of each coordinate what column it is of."""

    owner: Tensor  # (columns, coordinates), 1 where a coordinate is of a column
    category: Tensor  # (columns,), as those below
    whole: Tensor  # (coordinates,), whether it is a whole number
    costs: Tensor
    rising: Tensor
    falling: Tensor
    fixed: Tensor

    def changed(self, moved: Inputs, origin: Inputs) -> Tensor:
        """Which columns of each row changed, (batch, columns)."""
        return (unequal(moved, origin).flatten(1).to(self.owner) @ self.owner.T) > 0


class _Moves(NamedTuple):
    """The values that columns may take: of each the column, where it writes, and what."""

    of: Tensor  # (moves,)
    at: Tensor  # (moves, coordinates)
    to: Tensor  # (moves, coordinates)


@dataclass(frozen=True, kw_only=True)
class ColumnSearch(Attack):
    """Change the columns of a table that raise the loss most for their cost, one after another.

    It is the greedy form of searches over what an adversary can do to a row at which cost (Kulynych et al. 2018,
    arXiv:1810.10939). A category may take each other level; a number takes quantiles of the reference rows, or evenly
    spaced values of its bounds where there are none. Each step asks the model about every value of every column that is
    still affordable, and keeps the one with the most gain of loss for its cost, even if that is a loss, as a later
    change may need it. No column is changed twice, and the best row found is the result. It needs no gradients, and
    draws no random numbers. Of a model that adds up columns of equal cost it finds the best row.

    Columns that `Space.mutable` keeps fixed are never changed, nor those in `fixed`; others can be told to go one way.

    Raises:
        Unsupported: if each example has features of its own.
        RangeError: if a name is no column, or there are other than one cost for each.

    >>> import torch
    >>> from probe import Model, Space
    >>> from probe.attacks import ColumnSearch
    >>> rows = torch.tensor([[30.0, 1.0, 0.0], [50.0, 0.0, 1.0]])  # age, and a job as two columns
    >>> table = Space(
    ...     names=("age", "job"), kinds=("integer", "category"), features=torch.tensor([0, 1, 1]), reference=rows,
    ...     levels=("", "clerk", "nurse"), bounds=(torch.tensor([0.0, 0.0, 0.0]), torch.tensor([99.0, 1.0, 1.0])),
    ... )
    >>> score = lambda x: (x[:, 0] - 45) / 10 + x[:, 2]
    >>> model = Model(forward=lambda x: torch.stack([-score(x), score(x)], 1), space=table, classes=("no", "yes"))
    >>> found = ColumnSearch(eps=1)(model, rows[:1], torch.tensor([0]))
    >>> table.describe(found.perturbed), found.success
    ([['50', 'clerk']], tensor([True]))
    >>> ColumnSearch(eps=2, falling=("age",))(model, rows[:1], torch.tensor([0])).success
    tensor([False])
    """

    eps: Number = param(1, "columns that may be changed, or what their changes may cost together", low=0.0)
    costs: tuple[float, ...] = param((), "cost of a change of each column, in their order; all 1 unless given")
    rising: tuple[str, ...] = param((), "columns of numbers that may only grow, such as age")
    falling: tuple[str, ...] = param((), "columns of numbers that may only shrink")
    fixed: tuple[str, ...] = param((), "columns that stay, besides those that the space keeps")
    values: int = param(9, "values of a number that are tried: quantiles of the reference rows", low=2, high=1000)

    def __post_init__(self) -> None:
        if wrong := [cost for cost in self.costs if not 0 < cost < float("inf")]:
            raise RangeError(f"costs hold {wrong[0]}, expected numbers above 0; name columns that stay in fixed")

    @property
    def threat(self) -> Columns:
        return Columns(self.costs, self.rising, self.falling, self.fixed)

    def check_threat(self, model: Model, inputs: Inputs) -> None:
        super().check_threat(model, inputs)
        if model.space.differs(inputs):
            raise Unsupported(
                f"{self.name()} changes the same columns of each row, and each example has features of its own; choose "
                "an attack such as square"
            )
        self.threat.rules(model.space, inputs)

    def perturb(self, model: Model, inputs: Inputs, aim: Aim) -> Inputs:
        rules = self.threat.rules(model.space, inputs)
        moves = self._moves(model.space, inputs, rules)
        if not len(moves.of):
            return inputs
        size = max(1, _ENTRIES // moves.to.numel())
        found = [_searched(inputs[rows], aim[rows], rules, moves) for rows in spans(len(inputs), size)]
        return torch.cat(found)

    def _moves(self, space: Space, inputs: Inputs, rules: Rules) -> _Moves:
        of, to = list[int](), list[Tensor]()
        for at, own in enumerate(rules.owner.bool()):
            if bool(rules.fixed[at]):
                continue
            places = own.nonzero()[:, 0]
            levels = torch.eye(len(places)).to(inputs)
            each = (
                levels
                if bool(rules.category[at])
                else self._numbers(space, inputs, places, bool(rules.whole[places[0]]))
            )
            of += [at] * len(each)
            to += list(torch.zeros(len(each), inputs[0].numel()).to(inputs).index_copy(1, places, each))
        chosen = torch.tensor(of, dtype=torch.int64, device=inputs.device)
        return _Moves(chosen, rules.owner.bool()[chosen], torch.stack(to) if to else inputs[:0].flatten(1))

    def _numbers(self, space: Space, inputs: Inputs, places: Tensor, whole: bool) -> Tensor:  # noqa: FBT001
        """Values of a column of numbers, (values, coordinates)."""
        low, high = (
            torch.as_tensor(bound).to(inputs).expand(inputs.shape[1:]).flatten()[places] for bound in space.bounds
        )
        shares = torch.linspace(0, 1, self.values).to(inputs)
        if space.reference is not None:
            rows = space.references(inputs).flatten(1)[:, places]
            rows = rows[~rows.isnan().any(1)].to(torch.promote_types(rows.dtype, torch.float32))
            found = rows.quantile(shares.to(rows), 0, interpolation="nearest") if len(rows) else rows
        elif bool((low.isfinite() & high.isfinite()).all()):
            found = low + shares[:, None] * (high - low)
        else:
            found = inputs[:0].flatten(1)[:, places]
        found = (found.round() if whole else found).clamp(low, high)
        return torch.unique(found.to(inputs), dim=0)


def _searched(inputs: Inputs, aim: Aim, rules: Rules, moves: _Moves) -> Inputs:
    """The best rows found within the budget, by one change after another."""
    (highest, _), shape, inputs = aim.ask(inputs), inputs.shape, inputs.flatten(1)
    best, current, level = inputs.clone(), inputs.clone(), highest.clone()
    left = aim.budget.to(rules.costs).clone()
    remaining = torch.arange(len(inputs), device=inputs.device)
    while len(remaining):
        rows, part = current[remaining], aim[remaining]
        tried, costs = torch.where(moves.at, moves.to, rows[:, None]), rules.costs[moves.of]
        allowed = _allowed(tried, inputs[remaining], rows, rules, moves) & (costs <= left[remaining, None])
        row, move = allowed.nonzero(as_tuple=True)
        if not len(row):
            break
        loss, reached = part[row].ask(tried[row, move].view(-1, *shape[1:]))
        cost, gain = costs[move].to(loss), loss - level[remaining][row]
        worth = torch.where(gain > 0, gain / cost, gain * cost)
        # What reaches the goal comes first, the cheapest of it.
        most = torch.finfo(loss.dtype).max
        worth = torch.where(reached, most / (1 + cost), worth.clamp(min=-most))
        every = torch.full(allowed.shape, -torch.inf, dtype=loss.dtype, device=loss.device)
        every[row, move] = worth
        losses, hits = every.clone(), torch.zeros_like(allowed)
        losses[row, move], hits[row, move] = loss, reached
        some = parted(allowed.any(1))[1]
        chosen = every[some].max(1).indices
        remaining, found, loss, hit = remaining[some], tried[some, chosen], losses[some, chosen], hits[some, chosen]
        current[remaining], level[remaining] = found, loss
        left[remaining] -= costs[chosen]
        better = hit | (loss > highest[remaining])
        best[remaining] = torch.where(column(better, found), found, best[remaining])
        highest[remaining] = torch.where(better, loss, highest[remaining])
        remaining = remaining[parted(~hit)[1]]
    return best.view(shape)


def _allowed(tried: Tensor, origin: Inputs, rows: Inputs, rules: Rules, moves: _Moves) -> Tensor:
    """Which values may be tried: another one, of a column that is as it was, and in the direction of its column."""
    still = ~rules.changed(rows, origin)[:, moves.of]
    apart = unequal(tried, origin[:, None])
    rise = ((tried - origin[:, None]) * moves.at).sum(2)
    wrong = (rules.rising[moves.of] & ~(rise > 0)) | (rules.falling[moves.of] & ~(rise < 0))
    return still & (apart & moves.at).any(2) & ~wrong


def _flags(each: Sequence[bool], inputs: Inputs) -> Tensor:
    return torch.tensor(each, dtype=torch.bool, device=inputs.device)
