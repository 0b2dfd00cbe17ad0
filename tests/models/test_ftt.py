from itertools import pairwise

import pytest
import torch
from probe_models.datasets import adult
from probe_models.networks import build, start
from probe_models.networks.attention import Attention
from probe_models.training.optimisers import groups
from probe_models.zoo.recipes import RECIPES

from probe.errors import DataError

LEVELS = [3, 2]


@pytest.fixture
def rows():
    random = torch.Generator().manual_seed(1)
    numbers = torch.randint(-5, 40, (60, 2), generator=random).float()
    onehots = [torch.eye(count)[torch.randint(count, (60,), generator=random)] for count in LEVELS]
    return torch.cat((numbers, *onehots), 1)


@pytest.fixture
def network(rows):
    built = build("ftt", {"numbers": 2, "levels": LEVELS, "bins": 6, "width": 8, "layers": 2, "heads": 2})
    start(built, rows, torch.Generator().manual_seed(0))
    return built.eval()


def test_the_token_of_a_category_is_the_embedding_of_its_level(network, rows):
    tokens = network.tokens(rows)
    first, second = network.embeddings[:3], network.embeddings[3:]
    for i, row in enumerate(rows):
        torch.testing.assert_close(tokens[i, 2], first[row[2:5].argmax()] + network.biases[2])
        torch.testing.assert_close(tokens[i, 3], second[row[5:].argmax()] + network.biases[3])


def test_the_token_of_a_number_adds_up_the_bins_below_it(network, rows):
    tokens = network.tokens(rows)
    for i, row in enumerate(rows[:5]):
        for n in range(2):
            expected, edges = network.biases[n].clone(), network.bins.edges[n].tolist()
            for b, (low, high) in enumerate(pairwise(edges)):
                part = min(max((float(row[n]) - low) / (high - low), 0.0), 1.0)
                expected += part * network.slopes[n, b]
            torch.testing.assert_close(tokens[i, n], expected, rtol=1e-4, atol=1e-5)


def test_a_changed_feature_changes_its_own_token_only(network, rows):
    changed = rows.clone()
    changed[:, 5:] = rows[:, 5:].flip(1)
    moved = (network.tokens(changed) - network.tokens(rows)).abs().amax((0, 2)) > 0
    assert moved.tolist() == [False, False, False, True]


def test_logits_are_those_of_the_equations(network, rows):
    """Row by row and head by head."""
    for row, logits in zip(rows[:4], network(rows), strict=False):
        tokens = torch.cat((network.question[None], network.tokens(row[None])[0]))
        for layer in network.layers:
            (norm, attention, _), (second, up, gelu, down, _) = layer.attend, layer.think
            tokens = tokens + attend(attention, norm(tokens))
            tokens = tokens + down(gelu(up(second(tokens))))
        torch.testing.assert_close(network.head(network.norm(tokens[0])), logits, rtol=1e-4, atol=1e-5)


def attend(attention: Attention, tokens):
    queries, keys, values = attention.project(tokens).split(8, 1)
    heads = []
    for part in (slice(0, 4), slice(4, 8)):
        weights = (queries[:, part] @ keys[:, part].T / 4**0.5).exp()
        heads.append(weights / weights.sum(1, keepdim=True) @ values[:, part])
    return attention.merge(torch.cat(heads, 1))


def test_weight_decay_leaves_norms_biases_and_embeddings_alone(network):
    decayed, free = groups(network, 0.1)
    names = {id(p): name for name, p in network.named_parameters()}
    assert {names[id(p)].split(".")[-2] for p in decayed["params"]} == {"project", "merge", "1", "3", "head"}
    assert {"slopes", "embeddings", "biases", "question", "norm.weight"} <= {names[id(p)] for p in free["params"]}


def test_heads_that_cannot_share_the_width_are_refused():
    with pytest.raises(DataError, match="3 heads cannot share a width of 8"):
        build("ftt", {"numbers": 1, "levels": [2], "bins": 2, "width": 8, "heads": 3})


def test_the_recipe_knows_the_levels_of_its_data():
    kwargs = RECIPES["adult-ftt"].kwargs
    assert kwargs["levels"] == [len(values) for values in adult.TABLE.levels().values()]
    assert kwargs["numbers"] == len(adult.TABLE.numbers)
