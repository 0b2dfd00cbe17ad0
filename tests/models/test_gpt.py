"""The language model: what it may see, what it learns from, and the heads by which it copies."""

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from probe_models.datasets import repeats
from probe_models.networks import build, start
from probe_models.training.objectives import objective_of
from probe_models.training.settings import Settings

from probe import Dataset, zoo
from probe.errors import PlanError
from probe.surveys import Ablation, LogitLens

DIGESTS = {
    "train": "f4e4271dfe344703e348e255d8adab894b50c11d6376894a03c4d1267ba0cac4",
    "test": "59e73391c4461165674ae77a52effcde1db8a9d166a0f9ed26fa88cc4a2f4290",
}
COPY = "layers.1.attend.1"  # the attention whose heads copy


@pytest.fixture(scope="module")
def gpt():
    return zoo.load("repeats-gpt"), zoo.data("repeats")[:100]


def test_rows_repeat_their_first_letters_and_the_next_one_is_the_label():
    data = repeats.read("test")
    assert data.digest() == DIGESTS["test"]
    assert repeats.read("train").digest() == DIGESTS["train"]
    for row, label in zip(data.inputs[:50].tolist(), data.labels[:50].tolist(), strict=True):
        period = row[1:].index(row[0]) + 1
        assert 4 <= period <= 11
        assert len(set(row[:period])) == period
        assert all(row[at] == row[at - period] for at in range(period, 24))
        assert label + 2 == row[24 - period]
    with pytest.raises(PlanError, match="repeats has the splits train, test; got 'valid'"):
        repeats.read("valid")


def tiny(**given):
    network = build("gpt", {"words": 9, "tokens": 5, "width": 8, "heads": 2, "classes": 7})
    ids = torch.tensor([[2, 3, 4, 5, 8], [8, 0, 1, 2, 2]])
    start(network, ids, torch.Generator().manual_seed(0))
    data = Dataset(ids, torch.tensor([6, 0]), space=replace(repeats.space(), bounds=(0, 8)))
    return network.eval(), data, Settings(epochs=1, loss="next word", **given)


@torch.no_grad()
def test_a_place_sees_no_later_word_and_the_answer_is_that_of_the_last():
    network, data, _ = tiny()
    before = network.at_places(network.embed(data.inputs))
    other = data.inputs.clone()
    other[:, 3:] = 7
    after = network.at_places(network.embed(other))
    assert torch.equal(before[:, :3], after[:, :3])
    assert not torch.allclose(before[:, 3], after[:, 3])
    assert torch.equal(network.logits(data.inputs), before[:, -1])


@torch.no_grad()
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_the_loss_is_that_of_the_next_word_at_each_place_where_one_is_told(smoothing):
    network, data, settings = tiny(label_smoothing=smoothing)
    objective = objective_of(network, settings, data)
    logits = network.at_places(network.embed(data.inputs))

    def each(row, places, following):
        return F.cross_entropy(logits[row, places], torch.tensor(following), label_smoothing=smoothing)

    # Words 0 and 1 are no classes, and word w is class w - 2.
    expected = torch.stack([each(0, [0, 1, 2, 3, 4], [1, 2, 3, 6, 6]), each(1, [2, 3, 4], [0, 0, 0])])
    torch.testing.assert_close(objective(objective.rows(data)), expected)


def test_other_networks_and_settings_without_an_effect_are_refused():
    network, data, settings = tiny(class_weights=(1.0,) * 7)
    with pytest.raises(PlanError, match=r"class_weights does nothing for the loss 'next word'"):
        objective_of(network, settings, data)
    with pytest.raises(PlanError, match=r"'next word', which trains GPT; Linear takes another loss"):
        objective_of(torch.nn.Linear(2, 2), replace(settings, class_weights=None), data)


@torch.no_grad()
def test_the_heads_of_its_second_layer_look_at_what_followed_the_last_letter_before(gpt):
    model, data = gpt
    projected = model.activations(data.inputs, at=f"{COPY}.project")[f"{COPY}.project"]
    queries, keys, _ = projected.view(100, 24, 3, 4, 8).permute(2, 0, 3, 1, 4)
    weights = (queries[:, :, -1:] @ keys.mT / 8**0.5).softmax(-1)[:, :, 0]  # of the last letter, which sees all
    follows = F.pad(data.inputs[:, :-1] == data.inputs[:, -1:], (1, 0))
    looked = (weights * follows[:, None]).sum(2).mean(0)
    assert float(follows.float().mean()) < 0.15  # of attention that is spread evenly
    assert float(looked.min()) > 0.6


def test_without_those_heads_nothing_is_copied_and_a_single_one_is_made_up_for(gpt):
    model, data = gpt
    with model.edited({f"{COPY}.merge@input": lambda given: given * 0}) as without:
        assert float((without.predict(data.inputs) == data.labels).float().mean()) < 0.2
    assert float((model.predict(data.inputs) == data.labels).float().mean()) > 0.98
    lost = Ablation(layers=(COPY, "layers.1.think.3"), output="probability")(model, data).to_frame()["value"]
    assert lost[0] > 0.8
    assert lost[1] < 0.25
    heads = Ablation(layers=(COPY,), part="head", output="probability")(model, data).to_frame()["value"]
    assert heads.max() < 0.3


def test_the_answer_arises_in_the_layer_of_those_heads(gpt):
    model, data = gpt
    found = LogitLens()(model, data)
    assert found.items == ("before layers.0", "layers.0", "layers.1")
    values = found.to_frame()["value"]
    assert values[0] < 0.1
    assert values[1] < 0.2
    own = model.target_outputs(data.inputs, model.targets(data.inputs), "probability")
    torch.testing.assert_close(found.evidence[:, 2], own)
