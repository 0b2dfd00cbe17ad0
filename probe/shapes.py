"""Names for the tensors that travel through probe."""

from jaxtyping import Bool, Float, Int, Shaped
from torch import Tensor

Inputs = Shaped[Tensor, "batch *shape"]  # one example per row, in the model's input units (token ids where it embeds)
References = Shaped[Tensor, "rows *shape"]  # what an absent feature looks like
Labels = Int[Tensor, " batch"]  # class indices
Logits = Float[Tensor, "batch classes"]
PerExample = Float[Tensor, " batch"]
PerFeature = Float[Tensor, "batch features"]
Presence = Bool[Tensor, "coalitions features"]  # which features each coalition keeps
Evidence = Float[Tensor, "batch *evidence"]  # what a metric saw in each example
