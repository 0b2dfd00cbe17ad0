"""A user's text as the token ids that a model reads."""

from collections.abc import Callable, Sequence
from functools import partial

from torch import Tensor

from probe import adapters
from probe.audit.plan import Plan
from probe.dataset import Dataset
from probe.errors import Unsupported


def encoder(plan: Plan, data: Dataset) -> Callable[[Sequence[str]], Tensor]:
    """What turns texts into ids (texts, tokens), as it did for the data of a plan.

    Raises:
        Unsupported: if it is not known how texts become ids.
    """
    if plan.model.transformers:
        return partial(adapters.token_ids, plan.model.transformers)
    words, tokens = data.space.words, data.inputs.shape[1]
    if not words or not plan.model.zoo:
        raise Unsupported(f"the tokenizer of {plan.name} is not known; give the token ids as an array")
    from probe_models.datasets.tokens import encode, split

    return lambda texts: encode([split(text) for text in texts], words, tokens)
