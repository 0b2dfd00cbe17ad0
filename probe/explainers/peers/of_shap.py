"""Explainers of the package shap."""

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from probe.contracts import Need
from probe.errors import Unsupported
from probe.explainers.coalitions import to_coordinates
from probe.explainers.peers.bridge import Game, Peer, Player
from probe.forms import Form, Table
from probe.method import param
from probe.model import Model
from probe.shapes import Inputs, Labels
from probe.tensors import exact, to_numpy


@dataclass(frozen=True, kw_only=True)
class ShapKernel(Player):
    """KernelExplainer of the package shap, asked about the features of probe (arXiv:1705.07874).

    Its players are features, such as a one-hot column or a square of pixels. Absent ones take the values of the space's
    reference rows, over which the output is averaged; one that equals its reference gets exactly 0. All features are
    kept: shap by itself keeps ten and sets the others to 0.

    Values are in output units and sum to output(input) - mean output(references). `KernelShap` is closer to the Shapley
    values with as many coalitions, and has standard errors.

    Raises:
        ProbeError: if shap is not installed.
        Unsupported: if the space has no reference, or shap fails.

    >>> import torch
    >>> from probe import Model, Space
    >>> from probe.explainers import ShapKernel
    >>> forward = lambda x: torch.stack([4 * x[:, 0] * x[:, 1], torch.zeros(len(x))], 1)
    >>> model = Model(forward=forward, space=Space(reference=torch.zeros(1, 2)))
    >>> ShapKernel()(model, torch.tensor([[1.0, 0.5]]), torch.tensor([0])).values.round(decimals=4)
    tensor([[1., 1.]])
    """

    package: ClassVar[str] = "shap"
    needs: ClassVar[frozenset[Need]] = frozenset({"reference"})
    completeness: ClassVar[Literal["baseline", "references"] | None] = "references"
    sums_by_construction: ClassVar[bool] = True

    samples: int = param(0, "coalitions evaluated; 0: those of shap, 2048 and two per feature", low=0, high=10**7)

    def play(self, package: Any, game: Game) -> NDArray[np.float64]:
        explainer = package.KernelExplainer(game, np.zeros((1, game.size)))
        budget = self.samples or "auto"
        return np.asarray(explainer.shap_values(game.everyone(), nsamples=budget, l1_reg=False, silent=True))


@dataclass(frozen=True, kw_only=True)
class ShapPartition(Player):
    """PartitionExplainer of the package shap: Owen values over a tree of features (doi:10.1007/978-3-642-45494-3_7).

    Features are joined to a tree by how near they are: by place in an image, a series or a text, by order elsewhere.
    Features that are apart appear and disappear together, so that far fewer coalitions are asked about than there are.
    Absent ones take the values of the space's reference rows, over which the output is averaged.

    Values are in output units and sum to output(input) - mean output(references). They are those of the tree, which
    equal Shapley values where features that are apart do not interact.

    Raises:
        ProbeError: if shap is not installed.
        Unsupported: if the space has no reference, or shap fails.

    >>> import torch
    >>> from probe import Model, Space
    >>> from probe.explainers import ShapPartition
    >>> forward = lambda x: torch.stack([4 * x[:, 0] * x[:, 1], torch.zeros(len(x))], 1)
    >>> model = Model(forward=forward, space=Space(reference=torch.zeros(1, 2)))
    >>> ShapPartition()(model, torch.tensor([[1.0, 0.5]]), torch.tensor([0])).values  # doctest: +SKIP
    tensor([[1., 1.]])
    """

    package: ClassVar[str] = "shap"
    needs: ClassVar[frozenset[Need]] = frozenset({"reference"})
    completeness: ClassVar[Literal["baseline", "references"] | None] = "references"
    sums_by_construction: ClassVar[bool] = True

    samples: int = param(500, "coalitions evaluated, at most", low=4, high=10**7)

    def play(self, package: Any, game: Game) -> NDArray[np.float64]:
        if game.size == 1:
            return np.diff(game(np.array([[0.0], [1.0]])))
        masker = package.maskers.Partition(np.zeros((1, game.size)), clustering=_tree(game))
        explainer = package.PartitionExplainer(game, masker)
        return np.asarray(explainer(game.everyone(), max_evals=self.samples, silent=True).values)


@dataclass(frozen=True, kw_only=True)
class ShapTree(Peer):
    """TreeExplainer of the package shap: exact Shapley values of trees, with the reference rows as background.

    For models that `from_estimator` made of trees, such as forests and boosted trees of scikit-learn, XGBoost and
    LightGBM (doi:10.1038/s42256-019-0138-9). All reference rows are used: shap by itself keeps a hundred. Each number
    that the trees take is a player, so that the levels of a one-hot category are players of their own.

    Values are in units of the output, a probability, or with output="logit" the number of a regression, and sum to
    output(input) - mean output(references); that they do is checked for each row. Of boosted trees, whose trees add up
    to log-odds, they are the Shapley values of those, rescaled by shap for each reference row.

    Raises:
        ProbeError: if shap is not installed.
        Unsupported: if the model is not of trees or shap does not read them, for the logit of a class, whose sums no
            trees make, or if values do not add up.

    >>> import numpy as np
    >>> import torch
    >>> from sklearn.tree import DecisionTreeRegressor
    >>> from probe import Space, from_estimator
    >>> from probe.explainers import ShapTree
    >>> rows = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    >>> fitted = DecisionTreeRegressor().fit(rows, 80.0 * rows[:, 0] * rows[:, 1])
    >>> model = from_estimator(fitted, Space(bounds=(0, 1), reference=torch.from_numpy(rows)))
    >>> ShapTree(output="logit")(model, torch.tensor([[1.0, 1.0]], dtype=torch.float64)).values.round(decimals=4)
    tensor([[30., 30.]], dtype=torch.float64)
    """

    package: ClassVar[str] = "shap"
    only: ClassVar[tuple[type[Form], ...]] = (Table,)
    needs: ClassVar[frozenset[Need]] = frozenset({"reference"})
    completeness: ClassVar[Literal["baseline", "references"] | None] = "references"

    output: Literal["logit", "probability"] = param(
        "probability", "the output to explain: a probability, or the number of a regression"
    )

    def explain(self, package: Any, model: Model, row: Inputs, target: Labels) -> Inputs:
        held: Any = getattr(getattr(model.forward, "__wrapped__", None), "__self__", None)
        estimator, numbers = getattr(held, "estimator", None), model.task.kind == "regression"
        if estimator is None:
            raise Unsupported(
                f"{self.name()} explains trees that from_estimator was given, and {model.name} is another model; "
                "use KernelShap"
            )
        if model.task.kind == "multilabel" or numbers == (self.output == "probability"):
            right = "logit" if numbers else "probability"
            raise Unsupported(
                f"{self.name()} explains the probability of a class, or the number of a regression as output='logit', "
                f"and this is another output; set output={right!r}, or use KernelShap"
            )
        given, known = (np.asarray(held.given(to_numpy(rows))) for rows in (row, model.space.references(row)))
        masker = package.maskers.Independent(known, max_samples=len(known))
        explainer = package.TreeExplainer(
            estimator, masker, feature_perturbation="interventional", model_output="raw" if numbers else "probability"
        )
        found = np.asarray(explainer.shap_values(given, check_additivity=False))[0]
        at = int(target[0])
        if not numbers:
            at = held.order[at]
        values = found[:, at] if found.ndim == 2 else found * (1 if numbers or at == 1 else -1)
        self._check(model, row, target, float(values.sum()))
        told = torch.from_numpy(values)[None]
        if values.size == row[0].numel():
            return told.view(row.shape).to(row)
        return to_coordinates(told.to(exact(row.device)), model.space, row)

    def _check(self, model: Model, row: Inputs, target: Labels, total: float) -> None:
        known = model.space.references(row)
        both = torch.cat([row, known])
        answers = model.target_outputs(both, target.expand(len(both), *target.shape[1:]), self.output).double()
        expected = float(answers[0] - answers[1:].mean())
        if abs(total - expected) > 1e-3 * max(1.0, float(answers.abs().max())):
            raise Unsupported(
                f"the values of {self.name()} of {model.name} sum to {total:.4g}, and should to {expected:.4g}: "
                "its output is not what its trees give; use KernelShap"
            )


def _tree(game: Game) -> NDArray[np.float64]:
    """A tree of the players, in scipy's form, by the distances between the middles of features."""
    from scipy.cluster.hierarchy import linkage

    shape = game.row.shape[1:]
    near = game.model.space.form_of(game.row).near
    axes = [torch.arange(size, dtype=torch.float64) for size in shape]
    places = torch.stack(torch.meshgrid(*axes, indexing="ij")) if near else torch.arange(shape.numel()).view(1, *shape)
    space = game.model.space
    ones = torch.ones(1, *shape, dtype=torch.float64)
    sizes = space.by_feature(ones)[0, game.active].clamp(min=1)
    middles = torch.stack([space.by_feature(axis[None].to(ones))[0, game.active] / sizes for axis in places], 1)
    return np.asarray(linkage(middles.numpy(), method="average"))
