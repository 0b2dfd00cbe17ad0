"""TracIn: products of gradients by hand, falls of the loss to first order, wrong labels, trainings without rows."""

from dataclasses import replace

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from probe import Checkpoint, Dataset, Model, MultiLabel, Regression, Space, zoo
from probe.errors import DataError, RangeError, Unsupported
from probe.statistics import area_under_roc, area_under_roc_interval
from probe.surveys import LastLayerInfluence, TracIn
from probe.tensors import sha256

SPACE = Space(bounds=(-99.0, 99.0))
ROWS = 60


def copied(network):
    return {name: tensor.clone() for name, tensor in network.state_dict().items()}


def seeded(module, seed):
    source = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=source) * 0.5)
    return module.eval()


def rows(count=ROWS + 8, seed=4):
    x = torch.randn(count, 4, generator=torch.Generator().manual_seed(seed))
    return x, x[:, :3].max(1).indices


def learner(steps=40, rate=0.5, inner=None, classes=3, every=1):
    """Trains by plain gradient descent on all rows at once, and keeps checkpoints."""

    def train(data, seed=0):
        network = seeded(inner or nn.Sequential(nn.Linear(4, classes)), seed).train()
        kept = []
        for step in range(steps):
            if step % every == 0:
                kept.append(Checkpoint(copied(network), rate=every * rate / len(data.inputs)))
            found = network(data.inputs)
            numbers = data.labels.is_floating_point()
            right = data.labels[:, None] if numbers else data.labels
            loss = (nn.functional.mse_loss if numbers else nn.functional.cross_entropy)(found, right)
            with torch.no_grad():
                for weight, slope in zip(
                    network.parameters(), torch.autograd.grad(loss, list(network.parameters())), strict=True
                ):
                    weight -= rate * slope
        task = Regression(("price",)) if data.labels.is_floating_point() else None
        return Model(forward=network.eval(), space=SPACE, task=task, checkpoints=tuple(kept))

    return train


def trained(seed=0, labels=None, **settings):
    x, y = rows()
    y = y if labels is None else labels
    train = learner(**settings)
    model = train(Dataset(x[:ROWS], y[:ROWS], space=SPACE), seed)
    return replace(model, training=(x[:ROWS], y[:ROWS]), trainer=train), x[ROWS:], y[ROWS:]


def losses(model, network, x, y):
    found = network(x).detach()
    return nn.functional.cross_entropy(found, y, reduction="none") if y.dtype == torch.long else (found[:, 0] - y) ** 2


def by_hand(model, x, y, names=None):
    """Sums of products of gradients, one row after the other."""
    known, wanted = model.training
    total = torch.zeros(len(x), len(known), dtype=torch.float64)
    for checkpoint in model.checkpoints:
        network = type(model.forward)(*model.forward) if isinstance(model.forward, nn.Sequential) else model.forward
        network.load_state_dict(dict(checkpoint.weights))

        def slopes(row, label, network=network):
            found = network(row[None])
            loss = nn.functional.cross_entropy(found, label[None]) if label.dtype == torch.long else None
            loss = ((found[0, 0] - label) ** 2) if loss is None else loss
            chosen = [p for n, p in network.named_parameters() if names is None or n in names]
            return torch.cat([part.flatten() for part in torch.autograd.grad(loss, chosen)])

        own = torch.stack([slopes(*each) for each in zip(x, y, strict=True)]).double()
        theirs = torch.stack([slopes(*each) for each in zip(known, wanted, strict=True)]).double()
        total += own @ theirs.T * torch.as_tensor(checkpoint.rate)
    return total


@pytest.mark.slow
def test_influences_are_products_of_gradients_summed_over_checkpoints(monkeypatch):
    inner = nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 3))
    model, x, y = trained(steps=5, inner=inner)
    found = TracIn().influences(model, x, y)
    last = TracIn(weights="2.*").influences(model, x, y)
    assert_close(found, by_hand(model, x, y), rtol=1e-4, atol=1e-8)
    assert_close(last, by_hand(model, x, y, {"2.weight", "2.bias"}), rtol=1e-4, atol=1e-8)
    assert float((found - last).abs().max()) > 1e-3
    monkeypatch.setattr("probe.surveys.tracin.ENTRIES", 3 * 43)  # 43 weights: three rows at a time
    assert_close(TracIn().influences(model, x, y), found, rtol=1e-5, atol=1e-8)
    monkeypatch.setattr("probe.surveys.tracin.vmap", no_batch)
    assert_close(TracIn().influences(model, x, y), found, rtol=1e-5, atol=1e-8)


def no_batch(*given, **named):
    raise RuntimeError("torch cannot batch this")


@pytest.mark.slow
def test_their_sum_is_the_fall_of_the_loss_to_first_order():
    off = []
    for rate, steps in ((0.4, 20), (0.04, 200)):
        model, x, y = trained(steps=steps, rate=rate)
        fell = losses(model, start(model), x, y) - losses(model, model.forward, x, y)
        told = TracIn().influences(model, x, y).sum(1)
        off.append(float((told - fell).abs().max() / fell.abs().max()))
    assert off[1] < 0.02
    assert off[1] < off[0] / 5  # what is left is of second order


def start(model):
    network = nn.Sequential(nn.Linear(4, model.forward[0].out_features))
    network.load_state_dict(dict(model.checkpoints[0].weights))
    return network


def test_of_a_regression_the_loss_is_the_squared_error():
    x, _ = rows()
    model, x, y = trained(steps=200, rate=0.004, classes=1, labels=x @ torch.tensor([1.0, -2.0, 0.5, 0.0]))
    fell = losses(model, start(model), x, y) - losses(model, model.forward, x, y)
    told = TracIn().influences(model, x, y)
    assert_close(told.sum(1).float(), fell, rtol=0.05, atol=0.05)
    few = replace(model, checkpoints=model.checkpoints[::100])
    assert_close(TracIn().influences(few, x, y), by_hand(few, x, y), rtol=1e-4, atol=1e-6)


def test_rows_with_wrong_labels_have_the_most_influence_on_themselves():
    x, y = rows(408)
    wrong = torch.zeros(408, dtype=torch.bool)
    wrong[torch.randperm(400, generator=torch.Generator().manual_seed(1))[:40]] = True
    y[wrong] = (y[wrong] + 1) % 3
    model = replace(learner(steps=60, every=6)(Dataset(x, y, space=SPACE)), training=(x[:400], y[:400]))
    own = TracIn().self_influences(model)
    assert_close(own, TracIn().influences(model, x[:400], y[:400]).diagonal(), rtol=1e-5, atol=1e-9)
    both = own.numpy(), wrong[:400].numpy()
    assert area_under_roc(*both) > 0.9
    assert area_under_roc_interval(*both)[0] > 0.85


@pytest.mark.slow
def test_influences_agree_with_trainings_without_single_rows_and_with_the_last_layer():
    model, x, y = trained(steps=60)
    method = TracIn()
    said = method.retrained(model, x, y)
    assert said.rank_correlation > 0.8
    assert said.n == 20
    assert method.retrained(replace(model, checkpoints=model.checkpoints[:1]), x, y).rank_correlation < said[0]
    # The same question, of a layer that is fitted until nothing changes.
    sequential = replace(model, forward=nn.Sequential(nn.Identity(), model.forward[0]).eval(), checkpoints=())
    layer = LastLayerInfluence().influences(sequential, x, y)
    found = method.influences(model, x, y)
    ranks = torch.stack([each.flatten().argsort().argsort().double() for each in (found, layer)])
    assert float(torch.corrcoef(ranks)[0, 1]) > 0.6


def test_its_evidence_are_the_rows_that_help_and_harm_most():
    model, x, y = trained()
    found = TracIn(count=2)(model, Dataset(x, y, space=SPACE))
    order = TracIn().influences(model, x, y).sort(dim=1, descending=True).values
    assert found.items == ("most helpful 1", "most helpful 2", "most harmful 1", "most harmful 2")
    assert torch.equal(found.evidence, order[:, [0, 1, -1, -2]].float())
    assert found.cost.forward >= found.cost.backward == len(model.checkpoints) * (ROWS + 8)
    few = TracIn(most=10)
    chosen = few.rows(model)
    assert len(chosen) == 10
    assert_close(few.influences(model, x, y), TracIn().influences(model, x, y)[:, chosen])


def test_a_rate_of_each_row_counts_for_that_row_and_no_checkpoints_mean_the_weights_themselves():
    model, x, y = trained(steps=1)
    rates = torch.linspace(0, 1, ROWS)
    once = replace(model, checkpoints=(Checkpoint(model.checkpoints[0].weights),))
    each = replace(model, checkpoints=(Checkpoint(model.checkpoints[0].weights, rates),))
    assert_close(TracIn().influences(each, x, y), TracIn().influences(once, x, y) * rates.double())
    few = TracIn(most=7)
    assert_close(few.influences(each, x, y), TracIn().influences(each, x, y)[:, few.rows(each)], rtol=1e-5, atol=1e-6)
    none, own = replace(model, checkpoints=()), Checkpoint(model.forward.state_dict())
    assert_close(TracIn().influences(none, x, y), TracIn().influences(replace(model, checkpoints=(own,)), x, y))


def test_a_trainer_is_asked_for_the_checkpoints_of_the_training_rows():
    model, x, y = trained(seed=5)
    again = TracIn(by="trainer", seed=5)
    assert_close(again.influences(replace(model, checkpoints=()), x, y), TracIn().influences(model, x, y))
    with pytest.raises(Unsupported, match="trains again, and model has no trainer; give one: Model"):
        again.influences(replace(model, trainer=None), x, y)
    silent = replace(model, trainer=lambda data, seed: replace(model, checkpoints=()))
    with pytest.raises(Unsupported, match="the trainer of model returns a model without; have it return"):
        again.influences(silent, x, y)


class Reader(nn.Module):
    """Recurrent, which torch cannot batch by rows, over embeddings that it learns too."""

    def __init__(self):
        super().__init__()
        self.vectors, self.inside, self.head = nn.Embedding(7, 3), nn.GRU(3, 4, batch_first=True), nn.Linear(4, 2)

    def embed(self, ids):
        return self.vectors(ids)

    def forward(self, points):
        return self.head(self.inside(points)[0][:, -1])


def test_a_recurrent_network_of_texts_has_gradients_of_its_embedding_too():
    network = seeded(Reader(), 0)
    source = torch.Generator().manual_seed(3)
    ids, labels = torch.randint(0, 7, (6, 5), generator=source), torch.tensor([0, 1, 1, 0, 1, 0])
    space = Space(words=tuple("-abcdef"), bounds=(0, 6))
    model = Model(forward=network, embed=network.embed, space=space, training=(ids, labels))
    before = sha256(network.state_dict())
    found = TracIn().influences(model, ids[:2], labels[:2])
    weights = list(network.parameters())

    def slopes(row, label):
        loss = nn.functional.cross_entropy(network(network.embed(row[None])), label[None])
        return torch.cat([part.flatten() for part in torch.autograd.grad(loss, weights)]).double()

    all_of = torch.stack([slopes(*each) for each in zip(ids, labels, strict=True)])
    assert_close(found, all_of[:2] @ all_of.T, rtol=1e-4, atol=1e-7)
    assert sha256(network.state_dict()) == before
    assert all(weight.grad is None and weight.requires_grad for weight in weights)


def test_what_has_no_gradients_of_weights_or_other_weights_is_refused():
    model, x, y = trained(steps=2)
    data = Dataset(x, y, space=SPACE)
    with pytest.raises(RangeError, match=r"TracIn.count = 61, and model has 60 training rows; set it to that at most"):
        TracIn(count=61)(model, data)
    with pytest.raises(Unsupported, match="needs training rows, and model has none"):
        TracIn()(replace(model, training=None), data)
    with pytest.raises(
        Unsupported,
        match=r"trac_in takes gradients by weights, and model is a function to torch; give Model the nn.Module itself",
    ):
        TracIn()(replace(model, forward=lambda x: model.forward(x)), data)
    with pytest.raises(RangeError, match=r"TracIn.weights = 'head.\*' fits no weights of model; there are 0.weight"):
        TracIn(weights="head.*")(model, data)
    for kept, message in (
        ({"1.weight": torch.zeros(2)}, "a checkpoint of model lacks '0.weight'; keep copies"),
        ({"0.weight": torch.zeros(2, 2), "0.bias": torch.zeros(3)}, r"has the shape \(2, 2\), and model has \(3, 4\)"),
    ):
        with pytest.raises(DataError, match=message):
            TracIn()(replace(model, checkpoints=(Checkpoint(kept),)), data)
    short = Checkpoint(model.checkpoints[0].weights, torch.ones(3))
    with pytest.raises(DataError, match=r"Checkpoint.rate has 3 numbers, and model has 60 training rows"):
        TracIn()(replace(model, checkpoints=(short,)), data)
    several = Model(forward=model.forward, space=SPACE, task=MultiLabel(tuple("abc")))
    flags = torch.zeros(8, 3, dtype=torch.long)
    with pytest.raises(Unsupported, match=r"takes the loss of one answer for each row, and model gives labels; take"):
        TracIn()(replace(several, training=(x, flags)), Dataset(x, flags, space=SPACE))


def test_a_checkpoint_says_what_it_must_be():
    network = nn.Linear(2, 1)
    for given, error, message in (
        (lambda: Checkpoint(network), DataError, "Checkpoint.weights is a Linear, expected tensors by name; write"),
        (lambda: Checkpoint({}), DataError, "expected tensors by name"),
        (lambda: Checkpoint(network.state_dict(), "fast"), DataError, "Checkpoint.rate is a str, expected a number"),
        (lambda: Checkpoint(network.state_dict(), -1.0), RangeError, "a finite number of at least 0"),
        (lambda: Checkpoint(network.state_dict(), torch.tensor([1.0, torch.nan])), RangeError, "a finite number"),
        (
            lambda: Model(forward=len, checkpoints=(3,)),
            DataError,
            r"Model.checkpoints\[0\] is an int, expected a Check",
        ),
        (lambda: Model(forward=len, checkpoints=3), DataError, "Model.checkpoints are an int, 3; expected a tuple"),
    ):
        with pytest.raises(error, match=message):
            given()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "data", "rate"), [("german-mlp", "german", 0.02), ("adult-hours-mlp", "adult-hours", 0.005)]
)
def test_checkpoints_of_the_zoo_tell_the_fall_of_the_loss_of_training(name, data, rate):
    from probe_models.training.settings import Settings

    train, test = zoo.data(data, "train")[:600], zoo.data(data)[:40]
    plain = {"optimiser": "sgd", "schedule": "constant", "warmup": 0.0, "weight_decay": 0.0, "clip": 0.0}
    loss = {"loss": "squared error"} if train.labels.is_floating_point() else {}
    settings = Settings(epochs=40, batch_size=600, learning_rate=rate, validation=0.25, **plain, **loss)
    model = zoo.trainer(name, settings=settings)(train, 1)
    assert len(model.checkpoints) <= 16
    found = TracIn().influences(model, test.inputs, test.labels)
    learned = torch.as_tensor(model.checkpoints[0].rate) > 0
    assert int(learned.sum()) == 450  # the others chose the best epoch
    assert float(found[:, ~learned].abs().max()) == 0
    first = replace(model, forward=type(model.forward)(**zoo.card(name)["architecture"]["kwargs"]).eval())
    first.forward.load_state_dict(dict(model.checkpoints[0].weights))
    before, after = (loss_of(each, test) for each in (first, model))
    fell = float((before - after).sum())
    assert fell > 0
    assert float(found.sum()) == pytest.approx(fell, rel=0.15)


def test_the_zoo_keeps_few_checkpoints_each_with_the_learning_rates_until_the_next():
    from probe_models.zoo.trainer import _Path

    path = _Path(nn.Linear(1, 1), [0.0])
    for epoch in range(40):
        path.keep({"next_learning_rate": epoch + 1.0})
    found = path.until(35, torch.ones(2))
    assert len(found) == 12  # every third of 35
    assert found[0].rate.tolist() == [0.5 + 1.5 + 2.5] * 2
    assert found[-1].rate.tolist() == [33.5 + 34.5] * 2


def loss_of(model, data):
    found = model.logits(model.check(data.inputs))
    if data.labels.is_floating_point():
        return (found[:, 0] - data.labels) ** 2
    return nn.functional.cross_entropy(found, data.labels, reduction="none")
