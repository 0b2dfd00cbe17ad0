"""Loading of saved results."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from probe import store
from probe.errors import DataError, ProbeError, UnknownMethod
from probe.forms import ByShape
from probe.forms import known as known_forms
from probe.labels import check_stored
from probe.metering import Usage
from probe.method import Method
from probe.names import a_kind
from probe.outcomes import Certification, Examination
from probe.registry import build, methods
from probe.results import Attribution, Counterfactuals, Perturbation, Prediction, Result, Scores
from probe.space import Space
from probe.task import KINDS

Saved = Result | Scores | Certification | Counterfactuals | Examination
RESULTS = (Attribution, Certification, Counterfactuals, Examination, Perturbation, Prediction, Scores)


def load(stem: str | Path, known: Sequence[type[Method]] = ()) -> Saved:
    """Read what `save(STEM)` of a result wrote. Nothing in the files is executed.

    `known` are classes of your own methods that may have made the result.

    Raises:
        DataError: if the files are damaged, or not a result.
        UnknownMethod: if its method is neither of probe, of an installed package, nor in `known`.

    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> import torch
    >>> from probe import Model, load
    >>> from probe.explainers import Saliency
    >>> found = Saliency()(Model(forward=lambda x: 4 * torch.cat([x, 1 - x], 1)), torch.tensor([[0.9]]))
    >>> with TemporaryDirectory() as folder:
    ...     found.save(Path(folder, "mine"))
    ...     again = load(Path(folder, "mine"))
    >>> again.method, again.values
    (Saliency(output='logit'), tensor([[4.]]))
    """
    every = {**methods(), **{kind.name(): kind for kind in known}}

    def make(config: Mapping[str, Any]) -> Method:
        if not isinstance(name := config["method"], str):
            raise ValueError(f"its method is named {name!r:.40}")
        if name not in every:
            raise UnknownMethod(
                f"{stem} was made by {name!r:.80}, which is no method of probe or of an installed package; install the "
                f"package that brings it, or import its class, and write probe.load({str(stem)!r}, known=[TheClass])"
            )
        return build(every, config)

    kinds: tuple[type, ...] = (*RESULTS, *KINDS.values(), Space, Usage, ByShape, *known_forms().values())
    result = store.read(stem, _Kinds({kind.__name__: kind for kind in kinds}), make)
    try:
        _check_agreement(result)
    except ProbeError as error:
        raise DataError(f"{stem} is not a saved result: {error}") from None
    return cast(Saved, result)


class _Kinds(dict[str, type]):
    """The classes that a file may hold, by name."""

    def __missing__(self, name: Any) -> type:
        raise ValueError(
            f"it holds a {name!r:.40}, which neither probe nor an installed package has; where another package brings "
            "it, such as a form of input, install that"
        )


def _check_agreement(result: Any) -> None:
    """Raise DataError, or an error of the space, if the fields of a result do not fit together."""
    if not isinstance(result, RESULTS):
        raise DataError(f"it holds {a_kind(result)}")
    if isinstance(result, Attribution | Perturbation):
        moved = result.values if isinstance(result, Attribution) else result.perturbed
        result.space.check(result.inputs)
        if moved.shape != result.inputs.shape or not bool(moved.isfinite().all()):
            raise DataError(f"{tuple(moved.shape)} numbers for inputs {tuple(result.inputs.shape)}, or not finite ones")
    if isinstance(result, Attribution) and result.errors is not None:
        errors = result.errors
        if errors.shape != result.values.shape or not bool((errors.isfinite() & (errors >= 0)).all()):
            raise DataError("its standard errors are not shaped as its values, or not finite numbers from 0")
    if isinstance(result, Attribution) and len(result) and int(result.targets.min()) < 0:
        raise DataError("targets name classes that are not there")
    if isinstance(result, Certification | Counterfactuals | Examination):
        result.check()
    for answers in (result.clean, result.attacked) if isinstance(result, Perturbation) else (result,):
        if isinstance(answers, Prediction):
            check_stored(answers.task, answers.logits, answers.labels)
    held = [getattr(part, name) for part in _parts(result) for name in part.per_row]
    lengths = {len(each) for each in held if each is not None}
    if len(lengths) > 1:
        raise DataError(f"its parts have {' and '.join(map(str, sorted(lengths)))} examples")


def _parts(result: Any) -> Iterator[Any]:
    yield result
    if isinstance(result, Perturbation):
        yield from (result.clean, result.attacked)
