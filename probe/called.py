"""Somebody's forward as it is called: token ids embedded, layers edited, what fails told in one sentence."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from probe import internals
from probe.answers import ends_linear, opened
from probe.errors import ForwardError, ProbeError
from probe.forward import ask, device_of, digest_of, dtype_of, refuse_gradients
from probe.inputs import check_points, embedded
from probe.keywords import Named
from probe.recurrent import REFUSED, REMEDY
from probe.shapes import Inputs

C = TypeVar("C", bound="Called")


@dataclass(frozen=True, eq=False, kw_only=True)
class Called(metaclass=Named):
    """A network as it is called, whatever its inputs and outputs mean."""

    forward: Callable[[Tensor], Tensor]
    embed: Callable[[Tensor], Tensor] | None = None
    name: str = "model"
    part: str | int | None = (
        None  # of what `forward` returns the attribute, key or place of the outputs, such as "logits"
    )
    edits: tuple[internals.Edits, ...] = field(default=(), repr=False)  # of its layers, made by `edited`

    def points(self, inputs: Inputs) -> Tensor:
        """What `forward` reads, without gradients: inputs, or the embeddings (batch, tokens, width) of token ids."""
        if self.embed is None:
            return inputs
        with self._edited():
            points = self._embed(inputs).detach()
        check_points(points, inputs)
        return points

    def cast(self, inputs: Inputs) -> Inputs:
        """The inputs in the floating type of the weights, rounded where that is a narrower one."""
        weights = dtype_of(self.forward)
        return inputs if self.embed is not None or weights is None else inputs.to(weights)

    def layers(self) -> Mapping[str, nn.Module]:
        """The modules inside the network by name, such as "blocks.2"; see `probe.internals`.

        Raises:
            Unsupported: for a function, a compiled or scripted module, and what runs outside torch.
        """
        return internals.layers(self.forward, self.name)

    @contextmanager
    def edited(self: C, edits: internals.Named) -> Iterator[C]:
        """This model with edits of its layers: each is a function from what a layer gave to what takes its place.

        Inside the block, this model itself answers as before. An edit gets its own copy of what the layer gave, and
        the edits of a model that is edited already are made first.

        >>> with model.edited({"conv1": lambda output: output * 0}) as other:  # doctest: +SKIP
        ...     other.predict(inputs)

        Raises:
            RangeError: if there is no such layer.
            Unsupported: where the forward, when it is asked, does not call the layer, or several times.
            ShapeError: where an edit returns another shape than it got.
        """
        made = internals.Edits.of(self.forward, self.name, edits)
        try:
            yield replace(self, edits=(*self.edits, made))
        finally:
            made.end()

    @contextmanager
    def backward(self) -> Iterator[None]:
        """Around whatever takes gradients of this model: what fails on the way back is one sentence.

        Raises:
            ForwardError: for whatever is raised inside.
            Unsupported: where the answers do not depend on the inputs, to torch's knowledge.
        """
        try:
            yield
        except ProbeError:
            raise
        except Exception as error:
            if "not have been used in the graph" in str(error):
                raise refuse_gradients(self.name) from error
            if REFUSED in str(error):
                raise ForwardError(f"no gradient of {self.name}: {REMEDY}") from error
            raise ForwardError(
                f"no gradient of {self.name}: {type(error).__name__}: {error}; methods such as KernelShap or Lime need "
                "no gradients"
            ) from error

    @property
    def device(self) -> torch.device:
        """Where the module's weights lie; the CPU for any other function."""
        return device_of(self.forward)

    def digest(self) -> str | None:
        """SHA-256 of the weights; None where `forward` is not a module, or edited, as its weights cannot be seen.

        Raises:
            ProbeError: if the module is a lazy one that has not seen an input, so that it has no weights yet.
        """
        # Edits are functions, and cannot be seen.
        return None if self.edits else digest_of(self.forward, self.name)

    def _answer(self, inputs: Tensor) -> Any:
        """The outputs of the forward, with its edits."""
        with self._edited():
            answer = ask(self.forward, inputs if self.embed is None else self._embed(inputs), self.name)
        for edits in self.edits:
            edits.check()
        return answer if self.part is None else opened(answer, self.part)

    @contextmanager
    def _edited(self) -> Iterator[None]:
        with ExitStack() as stack:
            for edits in self.edits:
                stack.enter_context(edits.placed())
            yield

    def _embed(self, ids: Tensor) -> Tensor:
        assert self.embed is not None, "only models of token ids embed"
        return embedded(self.embed, ids, self.forward, self.name)

    def _ends_linear(self, row: Inputs) -> bool:
        """Whether the last step is a linear layer, so that it is no sigmoid; False where torch cannot see it."""
        with torch.enable_grad():
            points = self.points(row).detach()
            answer = ask(self.forward, points.requires_grad_() if points.is_floating_point() else points, self.name)
        return ends_linear(answer)
