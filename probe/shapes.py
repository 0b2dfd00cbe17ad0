"""Named types of tensors."""

from jaxtyping import Bool, Float, Int, Shaped
from torch import Tensor

Inputs = Shaped[Tensor, "batch *shape"]  # one example per row, in the model's input units (token ids where it embeds)
Candidates = Shaped[Tensor, "batch candidates *shape"]  # several candidates per input
References = Shaped[Tensor, "rows *shape"]  # what an absent feature looks like
Labels = Shaped[Tensor, "batch *each"]  # class indices; for several answers per row or numbers, as in the task
Targets = Int[Tensor, " batch"]  # index of the explained output
Logits = Float[Tensor, "batch *outputs"]
PerExample = Float[Tensor, " batch"]
PerFeature = Float[Tensor, "batch features"]
Presence = Bool[Tensor, "coalitions features"]  # which features each coalition keeps
Evidence = Float[Tensor, "batch *evidence"]  # evidence of a metric per example
