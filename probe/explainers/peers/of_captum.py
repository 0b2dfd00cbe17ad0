"""Explainers of the package captum, by name."""

from dataclasses import dataclass
from inspect import Parameter, isclass, signature
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from probe.contracts import Need
from probe.errors import RangeError, Unsupported
from probe.explainers.peers.bridge import Peer
from probe.internals import layers
from probe.method import param, required
from probe.model import Model
from probe.names import nearest
from probe.shapes import Inputs, Labels

_GIVEN = {"inputs", "baselines", "target", "feature_mask"}  # what is known of a row


@dataclass(frozen=True, kw_only=True)
class Captum(Peer):
    """Any explainer of the package captum that gives values for inputs, by its name there, with captum's own settings.

    Where it fills in what is absent, it gets the mean reference row, or all of them where it asks for several. Where it
    asks about groups of coordinates, these are the features of the space, and a feature's value is what captum gives
    for the group. Random numbers start at `seed` for each row.

    What values mean, and whether they sum to the output, is as captum says of the method named; `Saliency` there has
    absolute values. Of a method that probe has too, probe's is faster and checked more.

    Raises:
        ProbeError: if captum is not installed.
        RangeError: if captum has no such explainer, or the network no such layer.
        Unsupported: if its values are not those of inputs, it needs what is not known here, or it fails on the model.

    >>> import torch
    >>> from probe import Model, Space
    >>> from probe.explainers import Captum
    >>> network = torch.nn.Linear(2, 2, bias=False).eval()
    >>> _ = torch.nn.init.eye_(network.weight)
    >>> model = Model(forward=network, space=Space(reference=torch.zeros(1, 2)))
    >>> Captum(explainer="FeatureAblation")(model, torch.tensor([[0.5, 0.25]]), torch.tensor([0])).values
    tensor([[0.5000, 0.0000]])
    """

    package: ClassVar[str] = "captum.attr"
    needs: ClassVar[frozenset[Need]] = frozenset({"gradients"})
    reads_as: ClassVar[str] = "What a sign says is as captum says of this method."

    explainer: str = required('the name of its class in captum.attr, such as "ShapleyValueSampling"')
    layer: str = param("", "the layer that it looks at, where it asks for one, such as GuidedGradCam")

    def explain(self, package: Any, model: Model, row: Inputs, target: Labels) -> Inputs:
        kind = self._kind(package)
        network = _Network(model, self.output)
        asked = signature(kind.attribute).parameters
        given: dict[str, Any] = {"target": target}
        if "baselines" in asked:
            several = asked["baselines"].default is Parameter.empty
            given["baselines"] = model.space.references(row) if several else model.space.baseline(row)
        grouped = "feature_mask" in asked
        if grouped and model.space.features is not None:
            given["feature_mask"] = torch.as_tensor(model.space.features).to(row.device).expand(row.shape)
        built = kind(network, self._layer(model)) if "layer" in signature(kind).parameters else kind(network)
        with torch.enable_grad():
            values: Tensor = built.attribute(row.detach().clone().requires_grad_(), **given).detach()
        if grouped and model.space.features is not None:
            sizes = model.space.by_feature(torch.ones_like(row))
            values = model.space.by_coordinate(model.space.by_feature(values) / sizes.clamp(min=1), row)
        return values.to(row.dtype)

    def _kind(self, package: Any) -> Any:
        """The class of that name, if it explains inputs and nothing else need be known."""
        base = package.Attribution
        known = {name: kind for name, kind in vars(package).items() if isclass(kind) and issubclass(kind, base)}
        fits = sorted(name for name, kind in known.items() if not _amiss(kind))
        if self.explainer not in known:
            raise RangeError(
                f"captum.attr has no explainer {self.explainer!r}{nearest(self.explainer, known)}; "
                f"there are {', '.join(fits)}"
            )
        if why := _amiss(known[self.explainer]):
            raise Unsupported(f"captum's {self.explainer} {why}; choose one of {', '.join(fits)}")
        return known[self.explainer]

    def _layer(self, model: Model) -> nn.Module:
        known = layers(model.forward, model.name)
        if self.layer not in known:
            raise RangeError(
                f"captum's {self.explainer} looks at a layer, and {model.name} has no layer {self.layer!r}; "
                f"set layer to one of {', '.join(list(known)[:20])}"
            )
        return known[self.layer]


class _Network(nn.Module):
    """A model as captum takes it: a network whose outputs are those to explain, one column each."""

    def __init__(self, model: Model, output: str) -> None:
        super().__init__()
        self.model, self.output = model, output
        if isinstance(model.forward, nn.Module):
            self.network = model.forward  # where captum looks for layers
        self.training = False

    def forward(self, rows: Tensor) -> Tensor:
        return self.model.task.explained(self.model(rows), self.output).flatten(1)


def _amiss(kind: Any) -> str:
    """Why a class of captum does not explain inputs as it is; empty if it does."""
    name = kind.__name__
    if name in (
        "Attribution",
        "GradientAttribution",
        "PerturbationAttribution",
        "LayerAttribution",
        "NeuronAttribution",
    ):
        return "is what others inherit from"
    if any(base.__name__ == "LayerAttribution" for base in kind.__mro__):
        return "gives values for a layer, not for inputs"
    if name == "FeaturePermutation":
        return "shuffles rows among each other, and each row is explained by itself here"
    both = (signature(kind).parameters.values(), signature(kind.attribute).parameters.values())
    variable = (Parameter.VAR_KEYWORD, Parameter.VAR_POSITIONAL)
    made, asked = (
        [each.name for each in one if each.default is Parameter.empty and each.kind not in variable] for one in both
    )
    open_ = [each for each in made if each not in ("model", "forward_func", "layer")]
    open_ += [each for each in asked if each not in (*_GIVEN, "self")]
    return f"needs {' and '.join(open_)}, which is not known here" if open_ else ""
