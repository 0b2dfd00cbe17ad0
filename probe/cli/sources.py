"""Open the model and the data that a plan or an argument names. Only here does probe look at the zoo."""

from dataclasses import replace
from pathlib import Path

import models
from probe import adapters
from probe.audit.plan import DataSource, ModelSource, Plan, plan_from, read_plan
from probe.cli.app import tell
from probe.dataset import Dataset
from probe.errors import ProbeError
from probe.model import Model
from probe.study import check_fit
from probe.tables import from_csv

REFERENCES = 50  # rows of a table that show an absent feature, where the user names none


def plan_of(name: str) -> Plan:
    """The default plan of a network of the zoo, or of a folder that `probe train` wrote."""
    data = str(models.card(name)["data"]["name"])
    return plan_from(
        {
            "name": Path(name).name,
            "model": {"zoo": name},
            "bias": {"positive": models.favourable(data)},
        }
    )


def plan_in(path: Path) -> Plan:
    """The plan in a TOML file."""
    return read_plan(path)


def open_both(plan: Plan) -> tuple[Model, Dataset]:
    """The model and the data of a plan."""
    data = _data(plan.data, plan.model, plan.seed)
    model = _model(plan.model, data, plan.name)
    if model.classes and data.classes and model.classes != data.classes:
        raise ProbeError(
            f"the model tells apart {', '.join(model.classes)}, the data {', '.join(data.classes)}; "
            "name data.classes in the model's order"
        )
    check_fit(model, data)
    return model, data


def _data(source: DataSource, model: ModelSource, seed: int) -> Dataset:
    if not source.csv:
        return models.data(source.zoo or models.card(model.zoo)["data"]["name"], split=source.split)
    data = from_csv(
        source.csv,
        label=source.label,
        groups=source.groups,
        features=source.features or None,
        classes=source.classes or None,
        categories=source.categories,
    )
    reference = data.inputs[data.draw(REFERENCES, seed)]
    return replace(data, space=replace(data.space, reference=reference))


def _model(source: ModelSource, data: Dataset, name: str) -> Model:
    if source.zoo:
        return models.load(source.zoo)
    tell(f"probe: importing {source.factory}, which runs its code")
    module = adapters.from_factory(source.factory, source.weights or None)
    return adapters.from_module(module, data.space, data.classes, name)
