"""Results as inline figures; matplotlib is imported at the first one."""

from base64 import b64encode
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from torch import Tensor

from probe.results.base import whole
from probe.shapes import Inputs
from probe.space import Space
from probe.tensors import to_numpy

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from probe.plots import Drawer, Example


@runtime_checkable
class Drawable(Protocol):
    """A result that can be plotted."""

    @property
    def space(self) -> Space: ...
    @property
    def inputs(self) -> Inputs: ...
    def __len__(self) -> int: ...
    def plot(self, index: int = 0, ax: "Axes | None" = None) -> "Axes": ...
    def text(self, index: int) -> str: ...


def drawn(result: Drawable, most: int = 3) -> str:
    """The first few examples as inline images or text: no external files, no scripts."""
    from probe import plots

    parts = []
    for index in range(min(most, len(result))):
        text = result.text(index)
        png = "" if text else b64encode(plots.to_png(result.plot(index), dpi=72)).decode()
        parts.append(text or f'<img alt="example {index}" src="data:image/png;base64,{png}">')
    return f"<div>{''.join(parts)}</div>"


def drawer(result: Drawable) -> "Drawer":
    """The drawer for the form of this result."""
    from probe import plots

    return plots.drawer_of(result.space.form_of(result.inputs).record())


def example(space: Space, inputs: Inputs, truth: Inputs | None = None) -> "Example":
    """The first input as an Example for plots, with where its truth was planted."""
    from probe.plots import Example

    names = [whole(name) for name in space.feature_names(inputs)]
    words = space.describe(inputs)[0] if space.form_of(inputs).told else ()
    held = space.features if isinstance(space.features, Tensor) else None
    features = None if held is None else to_numpy(held[0] if space.differs(inputs) else held)
    return Example(to_numpy(inputs[0]), names, words, features, None if truth is None else to_numpy(truth[0]))
