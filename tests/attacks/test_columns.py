"""The attack that changes columns of a table: categories too, within types, ranges, directions and costs."""

from itertools import combinations, product

import pytest
import torch

from probe import Model, Space
from probe.attacks import ColumnSearch
from probe.attacks.columns import Columns
from probe.errors import ContractError, RangeError, Unsupported

NAMES = ("age", "pay", "job", "sex", "home")
OWNER = torch.tensor([0, 1, 2, 2, 2, 3, 3, 4, 4, 4, 4])
HIGH = torch.tensor([90.0, 5.0, *[1.0] * 9])
FIXED = OWNER != 3  # sex stays


def drawn(count, seed=0):
    source = torch.Generator().manual_seed(seed)
    ages, pay = torch.randint(18, 91, (count, 1), generator=source), torch.rand(count, 1, generator=source) * 5
    levels = [torch.eye(n)[torch.randint(n, (count,), generator=source)] for n in (3, 2, 4)]
    return torch.cat([ages.float(), pay, *levels], 1)


ROWS = drawn(40)
TABLE = Space(
    names=NAMES, kinds=("integer", "continuous", "category", "category", "category"), features=OWNER, mutable=FIXED,
    levels=("", "", "a", "b", "c", "f", "m", "k", "l", "m", "n"), bounds=(torch.zeros(11), HIGH),
    reference=drawn(50, 9),
)  # fmt: skip
WEIGHT = torch.randn(11, generator=torch.Generator().manual_seed(3)) / torch.tensor([40.0, 2.0, *[1.0] * 9])


def model(offset=-9.0):
    """One that adds up columns; every row is right at first, and none is ever wrong unless the offset is near 0."""
    return Model(
        forward=lambda x: torch.stack([-(x @ WEIGHT) - offset, x @ WEIGHT + offset], 1),
        space=TABLE,
        classes=("no", "yes"),
    )


def options(row, rules):
    """Every value that each column may take, as whole rows with that column alone changed."""
    quantiles = TABLE.reference[:, :2].quantile(torch.linspace(0, 1, 9), 0, interpolation="nearest")
    found = {0: [(0, v) for v in quantiles[:, 0].round()], 1: [(1, v) for v in quantiles[:, 1]]}
    found |= {at: [(place, 1.0) for place in (at == OWNER).nonzero()[:, 0]] for at in (2, 4)}
    for at, each in found.items():
        for place, value in each:
            changed = row.clone()
            changed[at == OWNER] = 0
            changed[place] = value
            if not torch.equal(changed, row) and not (at == 0 and rules.get("rising") and value < row[0]):
                yield at, changed


@pytest.mark.parametrize("rules", [{}, {"rising": ("age",)}])
def test_of_a_model_that_adds_up_columns_it_finds_the_best_row(rules):
    labels = torch.zeros(len(ROWS), dtype=torch.long)
    found = ColumnSearch(eps=2, **rules)(model(), ROWS, labels).perturbed
    for row, best in zip(ROWS[:12], found, strict=False):
        alone = list(options(row, rules))
        pairs = [float((one + other - row) @ WEIGHT) for (at, one), (to, other) in combinations(alone, 2) if at != to]
        assert float(best @ WEIGHT) == pytest.approx(max([float(row @ WEIGHT), *pairs]), abs=1e-5)


def test_categories_move_and_what_is_fixed_stays():
    labels = torch.zeros(len(ROWS), dtype=torch.long)
    method = ColumnSearch(eps=3, falling=("pay",), fixed=("age",))
    found = method(model(offset=-0.5), ROWS, labels)
    before, after = TABLE.describe(ROWS), TABLE.describe(found.perturbed)
    moved = {
        name
        for one, other in zip(before, after, strict=True)
        for name, a, b in zip(NAMES, one, other, strict=True)
        if a != b
    }
    assert {"job", "home"} <= moved <= {"pay", "job", "home"}
    assert bool((found.perturbed[:, 1] <= ROWS[:, 1]).all())
    assert bool(found.success.any())
    assert torch.equal(found.length, found.length.round())
    assert float(found.length.max()) <= 3


def test_what_a_change_costs_decides_what_is_changed():
    labels = torch.zeros(len(ROWS), dtype=torch.long)
    dear = ColumnSearch(eps=2, costs=(9.0, 0.5, 9.0, 1.0, 1.5))(model(), ROWS, labels)
    changed = dear.perturbed != ROWS
    assert not bool(changed[:, OWNER == 0].any() or changed[:, OWNER == 2].any())
    both = changed[:, 1] & changed[:, OWNER == 4].any(1)
    assert bool(both.any())
    assert dear.length[both].tolist() == [2.0] * int(both.sum())
    each = ColumnSearch()(model(), ROWS, labels, eps=torch.arange(len(ROWS)) % 3)
    assert bool((each.length <= torch.arange(len(ROWS)) % 3).all())


def test_the_threat_refuses_what_is_no_row_of_the_table():
    threat, one = Columns(rising=("age",)), ROWS[:1]
    for place, value, said in (
        (2, 0.5, "type"),
        (0, one[0, 0] - 1, "wrong way"),
        (5, 1 - one[0, 5], "fixed"),
        (0, one[0, 0] + 0.5, "type"),
    ):
        moved = one.clone()
        moved[0, place] = value
        with pytest.raises(ContractError, match=said):
            threat.check("mine", TABLE, moved, one, 4)
    moved = torch.cat([one[:, :2] + torch.tensor([0.0, 0.1]), drawn(1, 5)[:, 2:5], one[:, 5:7], drawn(1, 6)[:, 7:]], 1)
    with pytest.raises(ContractError, match="exceeded its budget: changes cost"):
        threat.check("mine", TABLE, moved, one, 1)
    for most, way in product((0, 1, 3), (0.0, 1.0)):
        kept = threat.project(TABLE, drawn(40, 7) + way, ROWS, most)
        threat.check("mine", TABLE, kept, ROWS, most)
    assert threat.could_move(TABLE, ROWS, 0.5).tolist() == [False] * 40


@pytest.mark.parametrize(("settings", "error", "said"), [
    ({"rising": ("agee",)}, RangeError, "which is no column .did you mean 'age'"),
    ({"falling": ("job",)}, RangeError, "whose levels have no order"),
    ({"costs": (1.0, 2.0)}, RangeError, "of 2 columns, expected one for each of 5"),
    ({"costs": (0.0,)}, RangeError, "expected numbers above 0"),
])  # fmt: skip
def test_rules_that_do_not_fit_are_refused(settings, error, said):
    with pytest.raises(error, match=said):
        ColumnSearch(**settings)(model(), ROWS, torch.zeros(40, dtype=torch.long))


def test_examples_with_features_of_their_own_are_refused():
    own = Space(features=torch.tensor([[0, 0, 1], [0, 1, 1]]))
    with pytest.raises(Unsupported, match="features of its own"):
        ColumnSearch()(Model(forward=lambda x: x, space=own), torch.rand(2, 3), torch.zeros(2, dtype=torch.long))


def test_no_column_is_changed_twice():
    """Its new value stays, though another would be better once a second column has changed."""
    own = Space(names=("a", "b"), kinds=("integer", "integer"), bounds=(0.0, 2.0))

    def forward(x):  # alone, a = 1 raises the score most; beside b = 2, a = 2 would
        score = 3.0 * (x[:, 0] == 1) + 2 * (x[:, 1] == 2) + 4 * ((x[:, 0] == 2) & (x[:, 1] == 2))
        return torch.stack([9 - score, score - 9], 1)

    found = ColumnSearch(eps=4, values=3)(Model(forward=forward, space=own), torch.zeros(1, 2), torch.tensor([0]))
    assert found.perturbed.tolist() == [[1.0, 2.0]]
    assert found.queries.tolist() == [1 + 4 + 2], "the row itself, two values of each column, and two of the other"
