"""Membership: a null, rows known by heart, and losses whose distributions are known."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.stats import norm

from probe import Dataset, Model, Space
from probe.audit import plan_from, run, verify
from probe.audit.estimate import estimate
from probe.errors import RangeError, Unsupported
from probe.surveys import MembershipAUROC, MembershipTPR
from probe.surveys.membership import CALIBRATED, LIRA, LOSS

WIDE = Space(bounds=(-9999.0, 9999.0))
ROWS, GAIN = 400, 1.0
HARD = torch.randn(2 * ROWS, generator=torch.Generator().manual_seed(0))  # how hard each row is, whoever learns it


def learner(data, seed=0):
    """Trains a model that is sure by how easy a row is, by a gain where it was trained on it, and by some luck."""
    known = torch.zeros(2 * ROWS)
    known[data.inputs[:, 0].long()] = GAIN
    luck = 0.25 * torch.randn(2 * ROWS, generator=torch.Generator().manual_seed(seed + 5))

    def forward(rows):
        at = rows[:, 0].long()
        sure = HARD[at] + known[at] + luck[at]
        return torch.stack([-sure / 2, sure / 2], 1)

    return Model(forward=forward, space=WIDE, classes=("no", "yes"))


def made(seed=77):
    ids, labels = torch.arange(2.0 * ROWS)[:, None], torch.ones(ROWS, dtype=torch.long)
    known, other = (Dataset(part, labels, space=WIDE, classes=("no", "yes")) for part in (ids[:ROWS], ids[ROWS:]))
    return replace(learner(known, seed), training=(known.inputs, known.labels)), other


def by_item(method, *given):
    found = method.shadowed(*given) if len(given) > 2 else method(*given)
    return found.to_frame().set_index("item")


def test_of_a_model_that_never_saw_its_training_rows_nothing_can_be_told():
    source = torch.Generator().manual_seed(0)
    model = Model(forward=lambda x: torch.stack([-x[:, 0], x[:, 0]], 1), space=WIDE)
    rows, labels = torch.randn(2 * ROWS, 2, generator=source), torch.randint(2, (2 * ROWS,), generator=source)
    model = replace(model, training=(rows[:ROWS], labels[:ROWS]))
    data = Dataset(rows[ROWS:], labels[ROWS:], space=WIDE)
    for method, chance in ((MembershipAUROC(), 0.5), (MembershipTPR(), 0.01), (MembershipTPR(rate=0.1), 0.1)):
        found = by_item(method, model, data)
        assert found.loc[LOSS, "low"] <= chance <= found.loc[LOSS, "high"]
        assert found.loc[LOSS, "high"] - found.loc[LOSS, "low"] < 0.2


def test_the_loss_tells_as_much_as_two_normal_distributions_overlap():
    model, other = made()
    spread = (1 + 0.25**2) ** 0.5
    area = by_item(MembershipAUROC(), model, other).loc[LOSS]
    assert area["low"] < norm.cdf(GAIN / spread / np.sqrt(2)) < area["high"]
    share = by_item(MembershipTPR(rate=0.1), model, other).loc[LOSS]
    assert share["low"] < norm.cdf(GAIN / spread - norm.ppf(0.9)) < share["high"]


def test_shadow_models_take_away_how_hard_a_row_is():
    model, other = made()
    seen = MembershipAUROC(shadows=16).shadowed(model, other, learner)
    # Beside models that were not trained on it, a row that the model was trained on is surer by the gain.
    torch.testing.assert_close(seen.evidence[:, 1].mean(0), torch.tensor([0.0, GAIN]).double(), atol=0.1, rtol=0)
    area = seen.to_frame().set_index("item")
    assert area.index.tolist() == [LOSS, CALIBRATED, LIRA]
    # What is left is the luck of the model, and a little of that of the mean of eight others.
    expected = norm.cdf(GAIN / (0.25 * np.sqrt(1 + 1 / 8)) / np.sqrt(2))
    assert (area.loc[[CALIBRATED, LIRA], "low"] - 0.005 < expected).all()
    assert (area.loc[[CALIBRATED, LIRA], "high"] + 0.005 > expected).all()
    found = by_item(MembershipTPR(shadows=16, rate=0.05), model, other, learner)
    assert found.loc[LIRA, "low"] > 0.7 > 0.4 > found.loc[LOSS, "high"]


def test_each_row_is_in_half_of_the_trainings_and_halves_follow_from_the_seed():
    method = MembershipAUROC(shadows=6)
    halves = method._halves(10)
    assert torch.stack([half for half, _ in halves]).sum(0).tolist() == [3] * 10
    assert sorted({seed for _, seed in halves}) == list(range(6))
    assert all(torch.equal(a, b) for (a, _), (b, _) in zip(halves, method._halves(10), strict=True))
    assert not torch.equal(halves[0][0], replace(method, seed=1)._halves(10)[0][0])


def test_many_shadow_models_give_each_row_a_deviation_of_its_own(monkeypatch):
    model, other = made()
    few = MembershipAUROC(shadows=8).shadowed(model, other, learner).evidence
    monkeypatch.setattr("probe.surveys.membership.MANY", 8)
    many = MembershipAUROC(shadows=8).shadowed(model, other, learner).evidence
    assert torch.equal(few[:, :2], many[:, :2])
    assert not torch.allclose(few[:, 2], many[:, 2])


def test_too_few_training_rows_or_an_odd_number_of_shadows_are_refused():
    model, other = made()
    few = replace(model, training=(model.training[0][:9], model.training[1][:9]))
    with pytest.raises(RangeError, match=r"compares 400 rows with as many training rows, and model has 9; give 9 rows"):
        MembershipAUROC()(few, other)
    assert len(MembershipAUROC()(few, other[:9])) == 9
    with pytest.raises(RangeError, match=r"MembershipTPR.shadows = 3, expected an even number"):
        MembershipTPR(shadows=3).shadowed(model, other, learner)
    for ask in (
        lambda bare: MembershipAUROC()(bare, other),
        lambda bare: MembershipAUROC().shadowed(bare, other, learner),
    ):
        with pytest.raises(Unsupported, match=r"needs training rows, and model has none"):
            ask(replace(model, training=None))


def test_a_model_with_a_trainer_is_attacked_by_shadow_models_as_a_survey():
    model, other = made()
    for method in (MembershipAUROC(by="shadows", shadows=4), MembershipTPR(by="shadows", shadows=4)):
        found = method(replace(model, trainer=learner), other)
        assert found.items == (LOSS, CALIBRATED, LIRA)
        assert torch.equal(found.evidence, method.shadowed(model, other, learner).evidence)
        with pytest.raises(Unsupported, match=r"model has no trainer; give one: Model\(trainer=\)"):
            method(model, other)
    cheaper, times = method.pilot()
    assert (cheaper.shadows, times) == (2, 2.0)
    assert replace(method, by="loss").pilot() == (replace(method, by="loss"), 1.0)


def test_a_plan_asks_for_shadow_models_and_its_bundle_is_verified(tmp_path):
    model, other = made()
    wanted = [{"method": "membership_auroc", "by": "shadows", "shadows": 4}]
    none = {name: {"sample": 0} for name in ("explain", "attack", "search", "certify")}
    plan = plan_from({"name": "shadows", "survey": {"methods": wanted}, **none}, sources=False)
    bundle = run(plan, replace(model, trainer=learner), other, tmp_path / "out")
    stored = bundle.arrays("survey-membership_auroc")
    assert list(stored["items"]) == [LOSS, CALIBRATED, LIRA]
    method = MembershipAUROC(by="shadows", shadows=4)
    seen = method.shadowed(model, other, learner).evidence.numpy()
    assert np.allclose(stored["measured-membership_auroc"], seen)
    assert verify(bundle.folder).status == "complete"
    assert estimate(plan, replace(model, trainer=learner), other) > 0
