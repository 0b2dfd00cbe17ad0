"""What attacks climb."""

import torch
from torch.nn.functional import one_hot

from probe.shapes import Labels, Logits, PerExample
from probe.tensors import wide


def error_log_odds(logits: Logits, labels: Labels) -> PerExample:
    """The log-odds of an error, log sum_(k != y) exp z_k - z_y.

    It grows with the cross-entropy, so its gradient points the same way, but it does not vanish where the model is so
    sure that the cross-entropy rounds to zero. Of half precision it is reckoned in float32.
    """
    logits = wide(logits)
    own = one_hot(labels, logits.shape[-1]).bool()
    return logits.masked_fill(own, -torch.inf).logsumexp(-1) - logits[own]
