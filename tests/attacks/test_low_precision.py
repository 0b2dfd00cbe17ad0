"""An attack that searches in half precision: what it finds is confirmed, and what is not is counted."""

import pytest
import torch
from torch import nn

from probe import Model
from probe.attacks import DDN, PGD, ColumnSearch, LowPrecision, Square
from probe.errors import Unsupported

with torch.random.fork_rng():
    torch.manual_seed(0)
    NET = nn.Sequential(nn.Linear(12, 24), nn.ReLU(), nn.Linear(24, 3)).eval().requires_grad_(False)
X = torch.rand(80, 12, generator=torch.Generator().manual_seed(1))
Y = Model(forward=NET).predict(X)


class Told(nn.Module):
    """A network that says in which precision its first layer computed."""

    def __init__(self) -> None:
        super().__init__()
        self.net, self.seen = NET, list[torch.dtype]()

    def forward(self, x):
        self.seen.append(self.net[0](x).dtype)
        return self.net(x)


@pytest.mark.parametrize(
    ("attack", "dtype"), [(PGD(steps=6), "bfloat16"), (Square(max_queries=40), "float16")], ids=str
)
def test_the_search_is_in_half_precision_and_the_answers_are_the_networks_own(attack, dtype):
    net = Told().eval()
    found = LowPrecision(attack=attack, eps=0.1, dtype=dtype)(Model(forward=net), X, Y)
    assert net.seen.count(getattr(torch, dtype)) > 3
    assert net.seen[-1] == torch.float32
    assert torch.equal(found.success, NET(found.perturbed).argmax(1) != Y)
    plain = attack.at(0.1)(Model(forward=NET), X, Y)
    assert abs(int(found.success.sum()) - int(plain.success.sum())) <= 3
    assert {each.dtype for each in NET.parameters()} == {torch.float32}


def test_what_only_half_precision_got_wrong_is_counted_told_and_attacked_again():
    one, zero = X[:1].clamp(0.3, 0.7), torch.tensor([0])

    class Coarse(nn.Module):  # in bfloat16 all are wrong from 0.01 away on, in float32 only from 0.2 on
        def forward(self, x):
            near = (x - one).mean(1, keepdim=True)
            width = 0.2 if (x[:1] @ x[:1].T).dtype == torch.float32 else 0.01
            return torch.cat([width - near, near - width], 1) * 8

    model, slow = Model(forward=Coarse().eval()), PGD(step=0.2)  # its first point is 0.05 away
    once = LowPrecision(attack=slow, eps=0.25, again=False)(model, one, zero)
    assert (once.success.tolist(), once.unconfirmed.tolist()) == ([False], [True])
    assert "1 reached it in half precision only" in repr(once)
    assert once[:0].unconfirmed.shape == (0,)
    twice = LowPrecision(attack=slow, eps=0.25)(model, one, zero)
    assert (twice.success.tolist(), twice.unconfirmed.tolist()) == ([True], [True])
    assert slow.at(0.25)(model, one, zero).unconfirmed is None


def test_what_it_cannot_search_is_refused():
    for attack in (DDN(), ColumnSearch()):  # without a budget, and with one that is no radius
        with pytest.raises(Unsupported, match=r"write LowPrecision\(attack=PGD\(\)\)"):
            LowPrecision(attack=attack)(Model(forward=NET), X, Y)
    with pytest.raises(Unsupported, match="inputs of float64"):
        LowPrecision()(Model(forward=nn.Linear(12, 2).double().eval()), X.double(), Y.clamp(max=1))
    with pytest.raises(Unsupported, match="attack it by pgd itself"):
        LowPrecision()(Model(forward=lambda x: NET(x)), X, Y)
