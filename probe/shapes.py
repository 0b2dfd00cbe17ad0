"""Names for the tensors that travel through probe."""

from jaxtyping import Bool, Float, Int, Shaped
from torch import Tensor

Inputs = Shaped[Tensor, "batch *shape"]  # one example per row, in the model's input units (token ids where it embeds)
Candidates = Shaped[Tensor, "batch candidates *shape"]  # several inputs in the place of each
References = Shaped[Tensor, "rows *shape"]  # what an absent feature looks like
Labels = Shaped[
    Tensor, "batch *each"
]  # class indices; of several decisions for each row, or of numbers, as the task has
Targets = Int[Tensor, " batch"]  # the output that is explained
Logits = Float[Tensor, "batch *outputs"]
PerExample = Float[Tensor, " batch"]
PerFeature = Float[Tensor, "batch features"]
Presence = Bool[Tensor, "coalitions features"]  # which features each coalition keeps
Evidence = Float[Tensor, "batch *evidence"]  # what a metric saw in each example
