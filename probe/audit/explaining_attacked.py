"""What the explainers of an audit say of the inputs that an attack broke."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from probe.audit.bundle import Arrays
from probe.audit.measuring import padded
from probe.audit.readings import explained_by, values_by
from probe.contracts import Explainer, of_examples
from probe.contracts.blame import blamed
from probe.dataset import Dataset
from probe.errors import ProbeError, is_out_of_memory
from probe.model import Model
from probe.shapes import Inputs
from probe.study.batches import whole
from probe.tensors import to_numpy

EXPLAINED = 10  # examples explained at a time


@dataclass(frozen=True)
class Explained:
    """What an audit explains: which rows, by which explainers, and of which class, if the plan names one."""

    rows: Tensor
    explainers: Mapping[str, Explainer]  # by the id of their step
    target: int | None = None

    def of_attacked(self, model: Model, data: Dataset, rows: Tensor, points: Inputs, broken: Tensor) -> Arrays:
        """The values of each explainer for the attacked inputs `points` of those of `rows` that were `broken`.

        Only rows that are explained without an attack too are explained again, of the same class and with the same
        settings and seed, so that the two can be compared. An explainer that refuses these inputs is left out.
        """
        chosen = (torch.isin(rows, self.rows) & broken).nonzero()[:, 0]
        if not len(chosen):
            return {}
        few, moved = data[rows[chosen]], points[chosen]
        whose = of_examples(model, few)
        clean = whose.check(few.inputs)
        targets = whose.targets(clean) if self.target is None else torch.full_like(rows[chosen], self.target)
        arrays: Arrays = {}
        for name, explainer in self.explainers.items():
            try:
                with blamed(explainer):
                    values = _values(explainer, model, few, moved.to(clean), targets.to(model.device))
            except ProbeError as error:
                if is_out_of_memory(error):
                    raise
                continue
            arrays[explained_by(name)] = to_numpy(padded(whose.space.by_feature(values.float()), model.space))
            arrays[values_by(name)] = to_numpy(values.float())
        return arrays | {"explained": to_numpy(rows[chosen])} if arrays else {}


def _values(explainer: Explainer, model: Model, few: Dataset, moved: Inputs, targets: Tensor) -> Tensor:
    found = whole(
        lambda part: explainer(of_examples(model, few[part]), moved[part], targets[part]),
        len(few),
        EXPLAINED,
        lambda _: None,
    )
    values: Tensor = found.values
    return values
