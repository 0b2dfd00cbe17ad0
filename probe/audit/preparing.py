"""Plan, model and rows as the steps of an audit take them."""

from probe.audit.naming import check_names
from probe.audit.plan import Plan
from probe.contracts import of_examples, suited
from probe.dataset import Dataset
from probe.images import in_segments
from probe.model import Model


def prepared(plan: Plan, model: Model, data: Dataset) -> tuple[Plan, Model, Dataset]:
    """The plan with its defaults, the model and the rows as the steps of an audit take them."""
    Model.require(model)
    Dataset.require(data)
    plan, data = plan.resolved(model, data), suited(model, data)
    check_names(plan, model, data)
    data = data.sample(plan.data.sample or None, plan.seed)
    model, data = in_segments(model, data, plan.data.segments)
    return plan, of_examples(model, data), data
