"""Names for the tensors that travel through the networks. An example has a row in each of them."""

from jaxtyping import Float, Int, Shaped
from torch import Tensor

Examples = Shaped[Tensor, "rows *shape"]  # as they are in a data set
Inputs = Float[Tensor, "rows *shape"]  # in the user's units
Images = Float[Tensor, "rows channels height width"]  # one channel is grey, three are red, green and blue
Table = Float[Tensor, "rows coordinates"]  # numbers first, then the one-hot coordinates of categories
Graphs = Float[Tensor, "rows nodes nodes_and_features"]  # the adjacency, then what is known of each node
Ids = Int[Tensor, "rows tokens"]  # of words
Tokens = Float[Tensor, "rows tokens width"]  # a vector for each word, patch or feature
Edges = Float[Tensor, "rows nodes nodes"]
Signals = Float[Tensor, "rows channels length"]
Codes = Float[Tensor, "rows code"]
Logits = Float[Tensor, "rows classes"]
PlaceLogits = Float[Tensor, "rows tokens classes"]
PerRow = Float[Tensor, " rows"]
