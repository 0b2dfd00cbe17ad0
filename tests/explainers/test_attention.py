import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.testing import assert_close

from probe import Model, Space
from probe.errors import Unsupported
from probe.explainers import AttentionRollout, GradientAttention
from tests.explainers.test_deep_lift import filled

both = pytest.mark.parametrize("method", [AttentionRollout(), GradientAttention()], ids=str)


class SelfAttention(nn.Module):
    def __init__(self, written):
        super().__init__()
        self.project, self.written = nn.Linear(4, 12), written

    def forward(self, tokens):
        # Two heads of width 2.
        queries, keys, values = self.project(tokens).unflatten(-1, (3, 2, 2)).permute(2, 0, 3, 1, 4)
        if self.written:
            mixed = (queries @ keys.mT / 2**0.5).softmax(dim=-1) @ values
        else:
            mixed = F.scaled_dot_product_attention(queries, keys, values)
        return tokens + mixed.transpose(1, 2).flatten(2)


class Patches(nn.Module):
    """Patches of 2x2 pixels, with a summary token first if wanted."""

    def __init__(self, summary=False, written=False):
        super().__init__()
        self.summary = nn.Parameter(torch.zeros(1, 1, 4)) if summary else None
        self.one, self.two, self.head = SelfAttention(written), SelfAttention(written), nn.Linear(4, 3)

    def tokens(self, x):
        tokens = F.unfold(x, 2, stride=2).mT
        return tokens if self.summary is None else torch.cat([self.summary.expand(len(x), -1, -1), tokens], 1)

    def forward(self, x):
        tokens = self.two(self.one(self.tokens(x)))
        return self.head(tokens.mean(1) if self.summary is None else tokens[:, 0])


def model(**kinds):
    return Model(forward=filled(Patches(**kinds)), space=Space())


def images():
    return torch.rand(3, 1, 4, 6, generator=torch.Generator().manual_seed(1)).double()


def replica(module, x, target, gradient):
    """Both methods by hand, one image at a time."""
    tokens = module.tokens(x[None])
    kept = []
    for layer in (module.one, module.two):
        queries, keys, values = layer.project(tokens).unflatten(-1, (3, 2, 2)).permute(2, 0, 3, 1, 4)
        kept.append((queries @ keys.mT / 2**0.5).softmax(-1))
        tokens = tokens + (kept[-1] @ values).transpose(1, 2).flatten(2)
    rows = slice(None) if module.summary is None else slice(0, 1)
    slopes = torch.autograd.grad(module.head(tokens[:, rows].mean(1))[0, target], kept)
    eye = torch.eye(tokens.shape[1]).double()
    total = eye
    for weights, slope in zip(kept, slopes, strict=True):
        step = (weights * slope).clamp(min=0).mean(1)[0] if gradient else weights.mean(1)[0]
        total = total + step @ total if gradient else (eye + step) / 2 @ total
    found = ((total - eye) if gradient else total)[rows].mean(0).detach()
    return found if module.summary is None else found[1:]


@both
@pytest.mark.parametrize("kinds", [{}, {"summary": True}, {"written": True}], ids=str)
def test_a_slow_replica_agrees_for_each_way_to_write_attention(method, kinds):
    network, x, targets = model(**kinds), images(), torch.tensor([0, 2, 1])
    found = method(network, x, targets).values
    for row in range(3):
        expected = replica(network.forward, x[row], targets[row], isinstance(method, GradientAttention))
        grid = F.interpolate(expected.view(1, 1, 2, 3), size=(4, 6), mode="bilinear", align_corners=False)
        assert_close(found[row], grid[0] * expected.sum() / grid.sum())
    assert (found >= 0).all()


def test_shares_of_a_rollout_sum_to_1_and_are_the_same_for_each_class():
    network, x = model(), images()
    found = AttentionRollout()(network, x, torch.tensor([0, 2, 1])).values
    assert_close(found.flatten(1).sum(1), torch.ones(3).double())
    assert_close(AttentionRollout()(network, x, torch.tensor([1, 1, 1])).values, found)
    other = GradientAttention()(network, x, torch.tensor([1, 1, 1])).values
    assert not torch.equal(GradientAttention()(network, x, torch.tensor([0, 2, 1])).values, other)


class Words(nn.Module):
    def __init__(self):
        super().__init__()
        self.attention, self.head = SelfAttention(written=False), nn.Linear(4, 2)

    def forward(self, embedded):
        return self.head(self.attention(embedded).mean(1))


@both
def test_words_have_a_value_each(method):
    table = torch.randn(9, 4, generator=torch.Generator().manual_seed(0)).double()
    words = Model(forward=filled(Words()), embed=lambda ids: table[ids], space=Space(bounds=(0, 8)))
    found = method(words, torch.tensor([[1, 5, 2, 0, 7], [3, 3, 3, 3, 3]]))
    assert found.values.shape == (2, 5)
    assert_close(found.values[1], found.values[1, :1].expand(5))


class CausalAttention(nn.Module):
    """One layer of attention from left to right, which answers from some tokens."""

    def __init__(self, read):
        super().__init__()
        self.ask, self.head, self.read = nn.Linear(4, 8), nn.Linear(4, 2), read

    def forward(self, embedded):
        query, key = self.ask(embedded).chunk(2, -1)
        found = embedded + F.scaled_dot_product_attention(query, key, embedded, is_causal=True)
        return self.head(found[:, self.read].mean(1))


@pytest.mark.parametrize("read", [slice(3, 4), slice(0, 4), slice(1, 3)], ids=str)
def test_a_rollout_is_that_of_the_tokens_which_the_answer_reads(read):
    table = torch.randn(9, 4, generator=torch.Generator().manual_seed(0)).double()
    network = filled(nn.Sequential(CausalAttention(read)))
    words = Model(forward=network, embed=lambda ids: table[ids], space=Space(bounds=(0, 8)))
    ids = torch.tensor([[1, 5, 2, 7], [3, 0, 8, 8]])
    query, key = network[0].ask(table[ids]).chunk(2, -1)
    scores = (query @ key.mT / 2).masked_fill(~torch.ones(4, 4, dtype=torch.bool).tril(), -torch.inf)
    rollout = (torch.eye(4) + scores.softmax(-1)) / 2
    found = AttentionRollout()(words, ids, torch.tensor([0, 1])).values.double()
    assert_close(found, rollout[:, read].mean(1).detach(), rtol=0, atol=1e-6)


class Both(nn.Module):
    def __init__(self):
        super().__init__()
        self.attention, self.head = nn.MultiheadAttention(4, 2, batch_first=True), nn.Linear(4, 2)

    def forward(self, x):
        tokens = F.unfold(x, 2, stride=2).mT
        return self.head(self.attention(tokens, tokens, tokens)[0].mean(1))


class Table(nn.Module):
    def __init__(self):
        super().__init__()
        self.attention = SelfAttention(written=False)

    def forward(self, x):
        return self.attention(x[:, :, None] * torch.ones(4)).flatten(1)


@both
def test_what_has_no_such_attention_is_refused(method):
    with pytest.raises(Unsupported, match="has torch's MultiheadAttention; use IntegratedGradients"):
        method(Model(forward=Both().eval()), images().float())
    with pytest.raises(Unsupported, match="reads attention, and model has no layer of it"):
        method(Model(forward=nn.Sequential(nn.Flatten(), nn.Linear(24, 2)).eval()), images().float())
    with pytest.raises(Unsupported, match="laid over words, images and series, and inputs of model are none of them"):
        method(Model(forward=Table().eval(), space=Space(form="table")), torch.rand(2, 3))


class AttentionPool(nn.Module):
    """One query, a weight of the network, that takes from all patches."""

    def __init__(self, written):
        super().__init__()
        self.query, self.head, self.written = nn.Parameter(torch.zeros(1, 1, 4)), nn.Linear(4, 3), written

    def weights(self, tokens):
        return (self.query @ tokens.mT / 2).softmax(-1)

    def forward(self, x):
        tokens = F.unfold(x, 2, stride=2).mT
        query = self.query.expand(len(x), -1, -1)
        mixed = self.weights(tokens) @ tokens if self.written else F.scaled_dot_product_attention(query, tokens, tokens)
        return self.head(mixed[:, 0])


@pytest.mark.parametrize("written", [True, False])
def test_a_query_that_is_no_token_holds_nothing_of_its_own(written):
    module, x = filled(AttentionPool(written)), images()
    pooled, targets = Model(forward=nn.Sequential(module).eval(), space=Space()), torch.tensor([0, 1, 2])
    tokens = F.unfold(x, 2, stride=2).mT
    weights = module.weights(tokens).detach()[:, 0]
    slopes = (tokens @ module.head.weight[targets][:, :, None]).detach()[:, :, 0]
    for method, each in ((AttentionRollout(), weights), (GradientAttention(), (weights * slopes).clamp(min=0))):
        found = method(pooled, x, targets).values
        assert_close(found.sum((1, 2, 3)), each.sum(1))
        # Corners are laid without their neighbours.
        corners, part = found[:, 0, ::3, ::5].flatten(1), each[:, [0, 2, 3, 5]]
        assert_close(corners * part.sum(1, keepdim=True), part * corners.sum(1, keepdim=True))
