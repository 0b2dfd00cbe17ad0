"""Explanations against a named baseline: black, each input's mean, a blurred copy of it, or random values."""

from dataclasses import dataclass, replace
from typing import ClassVar, Literal

import torch

from probe.baselines import Baseline
from probe.contracts import Explainer, Need, Sampled
from probe.contracts.common import refuse_missing, refuse_unmet
from probe.errors import RangeError, Unsupported
from probe.explainers.gradient import IntegratedGradients
from probe.method import param
from probe.model import Model
from probe.numbers import Number
from probe.shapes import Inputs, Labels, References


@dataclass(frozen=True, kw_only=True)
class AgainstBaseline(Explainer):
    """What an explainer gives where absent features have the values of a named baseline, not of the space's reference.

    An explanation says what an input has that its baseline lacks: against black, a black shoe is worth nothing
    (doi:10.23915/distill.00022). `black` is the lower bound everywhere; `mean` the mean of each channel of the input
    over its places; `blur` the input after a Gaussian filter, whose edges are repeated; `random` rows that are uniform
    within the bounds, and that all inputs share. Channels stay apart. With `mean` and `blur`, inputs are explained one
    by one, as each has its own baseline.

    Values are those of the explainer inside, in its units and with its standard errors. Where that promises a sum, they
    sum to output(input) - output(baseline), or minus the mean output of the random rows.

    Raises:
        RangeError: if the explainer inside is set to explain the probability and this one the logit.
        Unsupported: if inputs are neither images nor series, the explainer inside replaces no features, or `black` and
            `random` are asked of a space without finite bounds.

    >>> import torch
    >>> from probe import Model
    >>> from probe.explainers import AgainstBaseline
    >>> model = Model(forward=lambda x: torch.stack([x.flatten(1).sum(1), x.flatten(1).sum(1) - 2], 1))
    >>> AgainstBaseline(baseline="mean")(model, torch.tensor([[[[0.0, 1.0]]]]), torch.tensor([0])).values
    tensor([[[[-0.5000,  0.5000]]]])
    """

    needs: ClassVar[frozenset[Need]] = frozenset()
    reads_as: ClassVar[str] = (
        "Red is what raises the {output} of the answer compared with the baseline, blue what lowers it, "
        "as the explainer inside has it."
    )

    explainer: Explainer = param(IntegratedGradients(), "the explainer that is asked, one that replaces features")
    baseline: Literal["black", "mean", "blur", "random"] = param("blur", "what absent features look like")
    sigma: Number = param(4.0, "of blur: standard deviation in pixels or measurements", above=0.0, high=1000.0)
    draws: int = param(10, "of random: rows that are drawn", low=1, high=10**4)
    seed: int = param(0, "seed of the random rows", low=0)

    def attribute(self, model: Model, inputs: Inputs, targets: Labels) -> Inputs | Sampled:
        baseline = Baseline(self.baseline, self.sigma, self.draws, self.seed)
        instead = f"give Space(reference=rows) and ask {self.explainer.name()} itself"
        behind = baseline.rows(model.space, inputs, self.name(), instead)
        inside = self._inside()
        if not baseline.own:
            return self._asked(inside, model, inputs, targets, behind)
        each = [
            self._asked(inside, model, inputs[at : at + 1], targets[at : at + 1], behind[at : at + 1])
            for at in range(len(inputs))
        ]
        found = [one if isinstance(one, Sampled) else Sampled(one) for one in each]
        told = [
            torch.cat([one for one in kind if one is not None]) if all(one is not None for one in kind) else None
            for kind in zip(*((s.values, s.errors, s.pairs, s.pair_errors, s.fidelity) for s in found), strict=True)
        ]
        return Sampled(found[0].values if told[0] is None else told[0], *told[1:])

    def _inside(self) -> Explainer:
        if "reference" not in self.explainer.needs:
            raise Unsupported(
                f"{self.name()} sets what absent features look like, and {self.explainer.name()} replaces none; set "
                "explainer to one that does, such as IntegratedGradients() or KernelShap()"
            )
        if self.explainer.output not in ("logit", self.output):
            raise RangeError(
                f"{type(self).__name__}.output = {self.output!r} and explainer.output = {self.explainer.output!r}; "
                f"set output={self.explainer.output!r} of both"
            )
        return replace(self.explainer, output=self.output)

    def _asked(
        self, inside: Explainer, model: Model, inputs: Inputs, targets: Labels, behind: References
    ) -> Inputs | Sampled:
        """What the explainer gives of inputs that share the reference rows `behind`."""
        there = replace(model, space=replace(model.space, reference=behind), recall=None)
        refuse_unmet(inside, inside.needs, there)
        if "gradients" in inside.needs:
            refuse_missing(inside, inputs)
        return inside.attribute(there, inputs, targets)
