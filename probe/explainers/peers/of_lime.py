"""Explainers of the package lime."""

from contextlib import redirect_stderr
from dataclasses import dataclass
from io import StringIO
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from probe.contracts import Need
from probe.contracts.common import refuse_missing
from probe.errors import Unsupported
from probe.explainers.coalitions import to_coordinates
from probe.explainers.peers.bridge import Game, Peer, Player
from probe.forms import Form, Image, Table, Tokens
from probe.method import param
from probe.model import Model
from probe.shapes import Inputs, Labels
from probe.tensors import exact, to_numpy

_ALL: Any = {"feature_selection": "none"}  # lime by itself keeps some features and leaves the others out


@dataclass(frozen=True, kw_only=True)
class LimeImage(Player):
    """LimeImageExplainer of the package lime, asked about the features of probe (arXiv:1602.04938).

    Its segments are the features of the space, such as squares of pixels or superpixels. Absent ones take the values of
    the space's reference rows, over which the output is averaged; one that equals its reference gets exactly 0. All
    features are kept.

    Values are in output units per feature. They do not sum to the output. `Lime` computes the same faster, for inputs
    of any form, with standard errors.

    Raises:
        ProbeError: if lime is not installed.
        Unsupported: if inputs are no images, the space has no reference, or lime fails.

    >>> import torch
    >>> from probe import Model, Space
    >>> from probe.explainers import LimeImage
    >>> space = Space(reference=torch.zeros(1, 1, 1, 2))
    >>> model = Model(forward=lambda x: torch.stack([2 * x[:, 0, 0, 0], x[:, 0, 0, 1]], 1), space=space)
    >>> found = LimeImage()(model, torch.tensor([[[[1.0, 1.0]]]]), torch.tensor([0]))
    >>> found.values.flatten().round(decimals=1).abs()
    tensor([2., 0.])
    """

    package: ClassVar[str] = "lime.lime_image"
    only: ClassVar[tuple[type[Form], ...]] = (Image,)
    needs: ClassVar[frozenset[Need]] = frozenset({"reference"})

    samples: int = param(1000, "coalitions evaluated", low=2, high=10**7)

    def play(self, package: Any, game: Game) -> NDArray[np.float64]:
        # An image with one pixel for each feature, white where it is present.
        segments, shown = np.arange(game.size)[None], np.ones((1, game.size, 3))
        with redirect_stderr(StringIO()):  # where it draws a bar that nobody can switch off
            found = package.LimeImageExplainer(random_state=self.seed, **_ALL).explain_instance(
                shown, lambda images: game(np.stack(images)[:, 0, :, 0])[:, None], labels=(0,), top_labels=None,
                hide_color=0, num_samples=self.samples, batch_size=self.samples, segmentation_fn=lambda _: segments,
            )  # fmt: skip
        return _weights(found.local_exp[0], game.size)


@dataclass(frozen=True, kw_only=True)
class LimeText(Player):
    """LimeTextExplainer of the package lime, each place of a text a word of its own (arXiv:1602.04938).

    Words are taken out as `Space.reference` says, which for the networks of probe is the absent word. All words are
    kept.

    Values are in output units per word. They do not sum to the output.

    Raises:
        ProbeError: if lime is not installed.
        Unsupported: if inputs are no texts, the space has no reference, or lime fails.

    >>> import torch
    >>> from probe import Model, Space
    >>> from probe.explainers import LimeText
    >>> space = Space(words=("", "?", "good", "film"), bounds=(0, 3), reference=torch.zeros(1, 2, dtype=torch.long))
    >>> model = Model(forward=lambda x: torch.stack([-x.sum((1, 2)), x.sum((1, 2))], 1), space=space,
    ...               embed=lambda ids: (ids == 2).float()[..., None])
    >>> found = LimeText()(model, torch.tensor([[3, 2]]), torch.tensor([1])).values[0]
    >>> bool(found[1] > abs(found[0]))
    True
    """

    package: ClassVar[str] = "lime.lime_text"
    only: ClassVar[tuple[type[Form], ...]] = (Tokens,)
    needs: ClassVar[frozenset[Need]] = frozenset({"reference"})

    samples: int = param(5000, "texts asked about", low=2, high=10**7)

    def play(self, package: Any, game: Game) -> NDArray[np.float64]:
        words = [f"word{at}" for at in range(game.size)]

        def ask(texts: list[str]) -> NDArray[np.float64]:
            left = [set(text.split()) for text in texts]
            return game(np.array([[word in some for word in words] for some in left]))[:, None]

        explainer = package.LimeTextExplainer(bow=False, mask_string="gone", random_state=self.seed, **_ALL)
        found = explainer.explain_instance(
            " ".join(words), ask, labels=(0,), num_features=game.size, num_samples=self.samples
        )
        return _weights(found.local_exp[0], game.size)


@dataclass(frozen=True, kw_only=True)
class LimeTabular(Peer):
    """LimeTabularExplainer of the package lime, with the space's reference rows as its training data.

    Numbers are cut at the quartiles of the reference rows; a value says how much more the output is where a number
    stays in its quarter, or a category the same (arXiv:1602.04938). Samples are drawn around the reference rows, not
    the input, rounded where a feature is an integer, and cut off at the bounds of the space. All features are kept.

    Values are in output units per feature. They do not sum to the output.

    Raises:
        ProbeError: if lime is not installed.
        Unsupported: if inputs are no rows of a table, a feature is neither one number nor a category, values are
            missing, the space has no reference, or lime fails.

    >>> import torch
    >>> from probe import Model, Space
    >>> from probe.explainers import LimeTabular
    >>> rows = torch.linspace(-1, 1, 40)[:, None] * torch.tensor([[1.0, -1.0]])
    >>> space = Space(reference=rows, bounds=(-1.0, 1.0))
    >>> model = Model(forward=lambda x: torch.stack([x[:, 0], -x[:, 0]], 1), space=space)
    >>> found = LimeTabular()(model, torch.tensor([[0.9, 0.9]]), torch.tensor([0])).values[0]
    >>> bool(found[0] > 10 * abs(found[1]))
    True
    """

    package: ClassVar[str] = "lime.lime_tabular"
    only: ClassVar[tuple[type[Form], ...]] = (Table,)
    needs: ClassVar[frozenset[Need]] = frozenset({"reference"})

    samples: int = param(5000, "rows asked about", low=2, high=10**7)

    def explain(self, package: Any, model: Model, row: Inputs, target: Labels) -> Inputs:
        refuse_missing(self, row)
        known = model.space.references(row)
        refuse_missing(self, known)
        places = self._places(model, row)
        whole = np.array([kind == "integer" for kind in model.space.kinds or ("continuous",) * len(places)])
        categories = [at for at, own in enumerate(places) if len(own) > 1]
        explainer = package.LimeTabularExplainer(
            _columns(known, places), mode="regression", categorical_features=categories, random_state=self.seed, **_ALL
        )

        def ask(columns: NDArray[np.float64]) -> NDArray[np.float64]:
            told = np.where(whole, np.rint(columns), columns)
            asked = model.space.clip(_coordinates(told, places, row))
            answers = model.target_outputs(asked, target.repeat(len(asked), *[1] * (target.ndim - 1)), self.output)
            return to_numpy(answers).astype(np.float64)

        found = explainer.explain_instance(
            _columns(row, places)[0], ask, num_features=len(places), num_samples=self.samples
        )
        values = torch.from_numpy(_weights(found.local_exp[1], len(places)))[None]
        return to_coordinates(values.to(exact(row.device)), model.space, row)

    def _places(self, model: Model, row: Inputs) -> list[Tensor]:
        """The coordinates of each feature."""
        names, kinds = model.space.feature_names(row), model.space.kinds
        masks = torch.eye(len(names), dtype=torch.bool, device=row.device)
        like = row[:1].expand(len(names), *row.shape[1:])
        places = [mask.nonzero()[:, 0] for mask in model.space.coordinate_mask(masks, like).flatten(1)]
        for name, own, kind in zip(names, places, kinds or ("continuous",) * len(names), strict=True):
            if len(own) > 1 and kind != "category":
                raise Unsupported(
                    f"{self.name()} reads numbers and categories, and {name} is {len(own)} numbers; use ShapKernel"
                )
        return places


def _columns(rows: Tensor, places: list[Tensor]) -> NDArray[np.float64]:
    """One number for each feature: its own, or the number of its level."""
    columns = [rows[:, own[0]] if len(own) == 1 else rows[:, own].max(1).indices for own in places]
    return np.stack([to_numpy(column).astype(np.float64) for column in columns], 1)


def _coordinates(columns: NDArray[np.float64], places: list[Tensor], like: Tensor) -> Tensor:
    """The inverse of `_columns`."""
    rows = torch.zeros(len(columns), like.shape[1], dtype=like.dtype, device=like.device)
    for at, own in enumerate(places):
        told = torch.from_numpy(columns[:, at]).to(rows)
        rows[:, own] = told[:, None] if len(own) == 1 else (told[:, None] == torch.arange(len(own)).to(rows)).to(rows)
    return rows


def _weights(found: Any, features: int) -> NDArray[np.float64]:
    """The weight of each feature from pairs of its number and its weight."""
    values = np.zeros(features)
    for feature, weight in found:
        values[feature] = weight
    return values
