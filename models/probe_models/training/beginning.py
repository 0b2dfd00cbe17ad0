"""The initial weights of training: drawn, or those of the network."""

from dataclasses import replace

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from probe import Dataset
from probe.errors import DataError, PlanError
from probe.names import a_kind
from probe.task import Classification, MultiLabel
from probe_models.networks.columns import TableNetwork, check_columns
from probe_models.networks.drawing import blank, device_of, left, start, undone_by_errors
from probe_models.networks.network import Network, logits_of
from probe_models.randomness import fixed
from probe_models.training.answers import check_answers, task_of
from probe_models.training.randomness import number, source
from probe_models.training.run_state import Weights
from probe_models.training.settings import Settings

# Errors that a user's forward may raise for unfitting rows.
ERRORS = (ArithmeticError, AssertionError, AttributeError, LookupError, RuntimeError, TypeError, ValueError)


def begin(  # noqa: PLR0913  # the arguments of `fit` that decide the first weights
    network: nn.Module,
    data: Dataset,
    settings: Settings,
    seed: int,
    weights: Weights | None,
    *,
    initialise: bool | None,
    objective: object = None,
    validation: Dataset | None = None,
) -> None:
    """Initialise a network, and check that it fits the rows, and those of validation.

    Raises:
        PlanError: if `initialise` is not given for a network that has weights, or the seed cannot decide them.
        DataError: if the network cannot take the rows. After any error the network is unchanged.
    """
    check_kind(network)
    given, empty = dict(weights or {}), left(network)
    kind = type(network).__name__
    if unknown := sorted(given.keys() - network.state_dict().keys()):
        raise PlanError(f"weights holds {unknown[0]!r}, which {kind} does not have; leave it out")
    everything = given.keys() >= network.state_dict().keys()
    if initialise is None and not everything and not blank(network):
        raise PlanError(
            f"{kind} has weights already; give initialise=True to draw new ones from the seed, or "
            "initialise=False to start from them"
        )
    if initialise is False and (missing := sorted(empty.keys() - given.keys())):
        raise PlanError(
            f"{missing[0]} of {kind} is not filled in, so initialise=False has nothing to start from; "
            "load weights, or leave initialise out to draw them"
        )
    with undone_by_errors(network):
        if initialise or (initialise is None and empty):
            start(network, data.inputs, source(seed, "weights"), settings.initialiser)
            if isinstance(network, Network):
                network.adapt_answers(data.labels)
        network.load_state_dict(dict(network.state_dict()) | given)
        _check(network, data, settings, objective)
        if validation is not None:
            _check_validation(network, data, validation, settings, objective)


def check_kind(network: nn.Module) -> None:
    """Refuse a network that cannot be trained on any rows."""
    kind = type(network).__name__
    if not isinstance(network, nn.Module):
        raise PlanError(f"fit trains an nn.Module; got {kind}")
    if any(map(is_lazy, [*network.parameters(), *network.buffers()])):
        raise PlanError(f"{kind} has lazy layers, which have no weights yet; call it once on a few rows first")
    if not any(True for _ in network.parameters()):
        raise PlanError(f"{kind} has no parameters, so there is nothing to train")
    if not any(parameter.requires_grad for parameter in network.parameters()):
        raise PlanError(f"every parameter of {kind} has requires_grad=False; set it to True for those to train")
    if strange := [name for name, value in network.state_dict().items() if not isinstance(value, Tensor)]:
        raise PlanError(
            f"{strange[0]} in the state dict of {kind} is not a tensor, so it cannot be saved with a "
            "run; make it a tensor"
        )
    if infinite := [name for name, p in network.named_parameters() if p.dtype.is_complex]:
        raise PlanError(f"{infinite[0]} of {kind} is complex, which training cannot handle; use two real parameters")


def _check_validation(
    network: nn.Module, data: Dataset, validation: Dataset, settings: Settings, objective: object
) -> None:
    """Refuse validation rows that a network of the training rows cannot take."""
    if validation.classes and data.classes and validation.classes != data.classes:
        raise DataError(
            f"validation has the classes {', '.join(validation.classes)[:60]}, and {data.name} has "
            f"{', '.join(data.classes)[:60]}; give both the same, in one order"
        )
    data.space.form.check_names(validation.space.form, "validation", mine=data.name)
    try:
        _check(network, replace(validation, name="validation"), settings, objective)
    except DataError:
        there, here = tuple(data.inputs.shape[1:]), tuple(validation.inputs.shape[1:])
        if there == here:
            raise
        raise DataError(
            f"the rows of validation are {here}, and those of {data.name} {there}; give validation rows of that shape"
        ) from None


def _check(network: nn.Module, data: Dataset, settings: Settings, objective: object) -> None:
    """Refuse a network that does not fit the rows, before training starts."""
    if isinstance(network, TableNetwork) and data.inputs.ndim == 2:  # rows and coordinates
        check_columns(network, data.space, data.inputs.shape[1], data.name)
    # The lowest and the highest of each coordinate: among token ids the highest is the one that may be too high.
    ends = torch.stack([data.inputs.amin(0), data.inputs.amax(0)]).to(device_of(network))
    kind = type(network).__name__
    modes = [(module, module.training) for module in network.modules()]
    try:
        with torch.no_grad(), fixed(number(0, "check"), device_of(network)):
            outputs = logits_of(network.eval(), ends)
    except ERRORS as error:
        shape = tuple(data.inputs.shape[1:])
        raise DataError(
            f"{kind} cannot take the rows of {data.name} {shape}: {error}; "
            f"change its arguments, or the rows, which are {data.inputs.dtype}"
        ) from None
    finally:
        for module, mode in modes:
            module.training = mode
    if not isinstance(outputs, Tensor):
        raise DataError(f"{kind} returns {a_kind(outputs)}, expected a tensor of logits (rows, classes)")
    task = task_of(settings, objective)
    if objective is not None:
        if isinstance(task, Classification | MultiLabel):  # Places too
            task.check(outputs)
            check_answers(data, task, tuple(task.logits(outputs).shape[1:]), kind)
        return
    if outputs.ndim != 2 or len(outputs) != len(ends) or not outputs.is_floating_point():  # rows, classes
        raise DataError(
            f"{kind} returns {tuple(outputs.shape)} {outputs.dtype} for {len(ends)} rows, expected "
            f"logits ({len(ends)}, classes)"
        )
    if data.inputs.is_floating_point() and bool(data.inputs.isnan().any()) and bool(outputs.isnan().any()):
        raise DataError(
            f"{data.name} has missing values, for which {kind} returns nan; fill them in, or leave their rows out"
        )
    if task is None:
        return
    count = outputs.shape[1]
    if data.classes and count != len(data.classes):
        raise DataError(f"{kind} has {count} outputs, {data.name} has {len(data.classes)} classes; make them equal")
    check_answers(data, task, (count,), kind)
