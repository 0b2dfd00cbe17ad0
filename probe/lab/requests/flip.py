"""Flips of a protected attribute, alone and with its proxies."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from probe.declared import param, required
from probe.errors import DataError, RangeError, Unsupported
from probe.forms import Table
from probe.lab.dependence import MEASURED, dependences
from probe.lab.edits import check_whole, choices, encoded, places_of
from probe.lab.opened import Asked, Opened
from probe.lab.requests.request import Reply, Request
from probe.lab.rows import Chosen, Row
from probe.lab.telling import answered, changes, differences, joined, plain, shown
from probe.names import nearest
from probe.restored import decode
from probe.space import Space
from probe.tensors import to_numpy

MOST = 12  # other values that are tried unless one is named


@dataclass(frozen=True, kw_only=True)
class Flip(Request):
    """Flip a protected attribute of an input, without and with its proxies, and predict.

    Proxies are the features that depend most on the attribute in the data. Their new values come from the row with the
    new attribute value that is nearest in all other features, so that they are consistent.
    """

    row: Row = required("the input")
    attribute: str = required("a feature that is a category, or a group of the data")
    to: str = param("", "the new value; every other one unless named")
    proxies: int = param(3, "how many features change with it", low=0, high=100)

    def answer(self, asked: Asked) -> Reply:
        chosen, opened = self.row.chosen(asked), asked.opened
        space = chosen.model.space
        column, value = self._column(opened, chosen)
        others = [each for each in sorted(column.dropna().unique()) if each != value]
        if self.to and self.to not in others:
            raise RangeError(
                f"{self.attribute} cannot become {self.to!r:.60}{nearest(self.to, others)}; in the data there are "
                f"{', '.join(others)} besides {value}"
            )
        table = decode(to_numpy(opened.data.inputs.flatten(1)), opened.data.space)
        found = dependences(column, table.drop(columns=[self.attribute], errors="ignore"))
        proxies = [each.name for each in found[: self.proxies]]
        input_, arrays = shown(chosen)
        before, of_before = answered(chosen.model.task, chosen.model.logits(chosen.inputs), chosen.label, "before_")
        flips, more = [], []
        for to in (self.to,) if self.to else others[:MOST]:
            rows = torch.from_numpy((column == to).to_numpy().nonzero()[0])
            for named in ([], proxies) if proxies else ([],):
                inputs, whose = _flipped(opened, chosen, self.attribute, to, (named, rows))
                record, of_each = answered(chosen.model.task, chosen.model.logits(inputs), None)
                flips.append(
                    {
                        "to": to,
                        "proxies": named,
                        "from_row": whose,
                        **changes(space, chosen.inputs, inputs),
                        "changed": differences(space, chosen.inputs, inputs),
                        **record,
                    }
                )
                more.append({"edited": to_numpy(inputs), **of_each})
        record = {
            "input": input_,
            "before": before,
            "attribute": self.attribute,
            "value": value,
            "is_feature": self.attribute in space.names,
            "dependence": [plain(each._asdict()) for each in found],
            "measured": MEASURED,
            "flips": flips,
        }
        return Reply(record, arrays | of_before | joined(more))

    def _column(self, opened: Opened, chosen: Chosen) -> tuple["pd.Series[str]", str]:
        """The attribute of all rows of the data, and of the input."""
        space, data, groups = opened.model.space, opened.data, opened.data.groups
        if not isinstance(space.form_of(data.inputs), Table) or not space.names or data.inputs.ndim != 2:
            raise Unsupported("only attributes of tables with named columns are flipped")
        if self.attribute in space.names:
            at = space.names.index(self.attribute)
            if not space.kinds or space.kinds[at] != "category":
                raise Unsupported(
                    f"{self.attribute} is a number; edit it, as flipping is between the values of a category"
                )
            words, places = choices(space, data.inputs, at), places_of(space, data.inputs, at)
            listed = np.array([*words, *["missing"] * (len(places) - len(words))], dtype=object)
            column = pd.Series(listed[to_numpy(data.inputs[:, places].argmax(1))])
            return column, str(listed[int(chosen.inputs[0, places].argmax())])
        if groups is not None and self.attribute in groups:
            column = groups[self.attribute].astype("object")
            if chosen.data is None or chosen.data.groups is None:
                raise DataError(
                    f"{self.attribute} is a group of the data and no feature, and a row of your own has none"
                )
            return column, str(chosen.data.groups[self.attribute].iloc[0])
        known = [*space.names, *(() if groups is None else map(str, groups.columns))]
        raise DataError(
            f"{self.attribute!r:.60} is no feature and no group{nearest(self.attribute, known)}; "
            f"there are {', '.join(dict.fromkeys(known))}"
        )


def _flipped(
    opened: Opened, chosen: Chosen, attribute: str, to: str, with_: tuple[list[str], Tensor]
) -> tuple[Tensor, int | None]:
    """The input with another value of the attribute and the proxies of a row, and the index of that row."""
    space, inputs = chosen.model.space, chosen.inputs.clone()
    proxies, rows = with_
    if attribute in space.names:
        at = space.names.index(attribute)
        inputs[0, places_of(space, inputs, at)] = encoded(space, inputs, at, to).to(inputs)
    whose = None
    if proxies:
        whose = _nearest(space, chosen.inputs, opened.data.inputs, {*proxies, attribute}, rows)
        for name in proxies:
            places = places_of(space, inputs, space.names.index(name))
            inputs[0, places] = opened.data.inputs[whose, places].to(inputs)
    check_whole(space, inputs)
    return chosen.model.check(inputs), whose


def _nearest(space: Space, inputs: Tensor, data: Tensor, left_out: set[str], rows: Tensor) -> int:
    """The row that is nearest to the input, ignoring some features."""
    counted = torch.ones(inputs.shape[1], dtype=torch.bool)
    for name in left_out & set(space.names):
        counted[places_of(space, inputs, space.names.index(name))] = False
    origin = inputs.cpu()
    moved = space.scaled_change(data[rows], origin.expand(len(rows), -1))[:, counted].nan_to_num(1.0)
    return int(rows[moved.abs().sum(1).argmin()])
