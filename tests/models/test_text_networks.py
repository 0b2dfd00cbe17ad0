"""The networks that read words, against slow replicas; and what an absent word is to them."""

import pytest
import torch
from probe_models.networks import build, start
from probe_models.networks.recurrent import GRU, LSTM
from probe_models.training.loop import fit
from probe_models.training.settings import Settings
from probe_models.zoo.recipes import RECIPES
from torch import nn

from probe import Dataset, zoo

CPU = torch.device("cpu")
WORDS, TOKENS, WIDTH = 50, 12, 8
SMALL = {
    "text-cnn": {"words": WORDS, "width": WIDTH, "lengths": [2, 3], "filters": 6},
    "lstm": {"words": WORDS, "width": WIDTH, "hidden": 6},
    "gru": {"words": WORDS, "width": WIDTH, "hidden": 6},
    "text-transformer": {"words": WORDS, "tokens": TOKENS, "width": WIDTH, "layers": 2, "heads": 2},
    "gpt": {"words": WORDS, "tokens": TOKENS, "width": WIDTH, "layers": 2, "heads": 2},
}


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def sentences(count=7):
    """Random words, after the last of which words are absent."""
    ids = torch.randint(1, WORDS, (count, TOKENS), generator=generator(1))
    lengths = torch.randint(1, TOKENS, (count, 1), generator=generator(2))
    return ids * (torch.arange(TOKENS) < lengths)


def made(architecture, **kwargs):
    network = build(architecture, SMALL[architecture] | kwargs)
    start(network, sentences(), generator())
    return network.eval()


@pytest.fixture(params=SMALL)
def architecture(request):
    return request.param


@pytest.fixture
def network(architecture):
    return made(architecture)


@pytest.fixture
def easy():
    """Sentences that are positive where word 2 is said, and negative where word 3 is."""
    labels = torch.randint(2, (300,), generator=generator(3))
    ids = torch.randint(4, WORDS, (300, TOKENS), generator=generator(4))
    places = torch.randint(TOKENS - 3, (300, 1), generator=generator(5))
    ids.scatter_(1, places, (3 - labels)[:, None])
    ids[:, -2:] = 0
    return Dataset(ids, labels, space=zoo.data("reviews").space, classes=("negative", "positive"), name="easy")


def refined(unit):
    """The unit of torch with the same weights."""
    theirs = {LSTM: nn.LSTM, GRU: nn.GRU}[type(unit)](WIDTH, 6, batch_first=True)
    theirs.load_state_dict(
        {
            "weight_ih_l0": unit.read.weight,
            "weight_hh_l0": unit.recall.weight,
            "bias_ih_l0": unit.read.bias,
            "bias_hh_l0": unit.recall.bias,
        }
    )
    return theirs


@pytest.mark.parametrize("architecture", ["lstm", "gru"])
def test_a_recurrent_network_equals_torchs_bidirectional_layer(architecture):
    network = made(architecture)
    for unit in (network.forwards, network.backwards):
        # Training begins with biases of 0, which would hide where they are added.
        for layer in (unit.read, unit.recall):
            nn.init.normal_(layer.bias, generator=generator(6))
    words = network.embed(sentences())
    forwards, _ = refined(network.forwards)(words)
    backwards, _ = refined(network.backwards)(words.flip(1))
    largest = torch.cat((forwards.amax(1), backwards.amax(1)), 1)
    torch.testing.assert_close(network(words), network.head(largest))


def test_a_text_cnn_slides_each_filter_along_the_sentence():
    network = made("text-cnn")
    ids = sentences()
    logits = network.logits(ids)
    for row, sentence in enumerate(ids):
        words = [network.words.weight[word] for word in sentence]
        found = []
        for phrase in network.phrases:
            for w, b in zip(phrase.weight, phrase.bias, strict=True):
                length = w.shape[1]
                windows = (torch.stack(words[i : i + length], 1) for i in range(TOKENS - length + 1))
                found.append(max((w * window).sum() + b for window in windows).clamp(min=0))
        torch.testing.assert_close(logits[row], network.head(torch.stack([*found, *sum(words)])))


def test_each_word_of_a_text_transformer_attends_to_all():
    network = made("text-transformer", layers=1)
    [layer] = network.layers
    norm, attention, _ = layer.attend
    ids = sentences()
    logits = network.logits(ids)
    for row, sentence in enumerate(ids):
        x = network.words.weight[sentence] + network.positions
        queries, keys, values = attention.project(norm(x)).chunk(3, 1)
        heads = []
        for part in torch.arange(WIDTH).chunk(attention.heads):
            looks = (queries[:, part] @ keys[:, part].T / len(part) ** 0.5).exp()
            heads.append(looks / looks.sum(1, keepdim=True) @ values[:, part])
        x = x + attention.merge(torch.cat(heads, 1))
        x = x + layer.think(x)
        torch.testing.assert_close(logits[row], network.head(network.norm(x).mean(0)))


def test_logits_of_a_sentence_do_not_depend_on_its_batch(network):
    ids = sentences()
    together = network.logits(ids)
    assert together.shape == (7, 2)
    torch.testing.assert_close(torch.cat([network.logits(row[None]) for row in ids]), together)


def test_the_answer_has_a_gradient_by_the_vectors_of_the_words(network):
    # Of vectors that differ: among absent words there is no single largest, and the slope depends on the side.
    words, step = torch.randn(2, 7, TOKENS, WIDTH, generator=generator(9), dtype=torch.double)
    (gradient,) = torch.autograd.grad(network.double()(words.requires_grad_())[:, 1].sum(), words)
    slope = (network(words + 1e-6 * step) - network(words - 1e-6 * step))[:, 1] / 2e-6
    torch.testing.assert_close((gradient * step).flatten(1).sum(1), slope, rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize("architecture", ["lstm", "gru"])
def test_recurrent_networks_have_a_second_gradient(architecture):
    words = torch.randn(1, 4, WIDTH, generator=generator(10), dtype=torch.double, requires_grad=True)
    assert torch.autograd.gradgradcheck(made(architecture).double(), words)


@pytest.mark.parametrize("architecture", ["lstm", "gru"])
@pytest.mark.parametrize(("changed", "fast"), [
    ({}, True), ({"recurrent": "written out"}, False), ({"precision": "bfloat16"}, False),
])  # fmt: skip
def test_recurrent_networks_train_by_torchs_own_layers_or_round_as_the_bundled_do(easy, monkeypatch, architecture, changed, fast):  # fmt: skip  # noqa: E501
    called = []
    for kind in (LSTM, GRU):
        monkeypatch.setattr(kind, "built_in", lambda self, words: called.append(self) or self.written(words))
    network = build(architecture, SMALL[architecture])
    fit(network, easy, Settings(epochs=1, batch_size=20, **changed), device=CPU, progress=lambda line: None)
    assert bool(called) is fast
    called.clear()
    network.logits(easy.inputs[:2])
    assert not called  # in eval mode, whatever it trained by


def test_the_bundled_recurrent_networks_are_made_again_with_the_same_bits():
    recurrent = [name for name, recipe in RECIPES.items() if recipe.architecture in ("lstm", "gru", "series-gru")]
    assert {RECIPES[name].settings.recurrent for name in recurrent} == {"written out"}


def test_leaving_a_word_out_is_multiplying_its_vector_by_0(network):
    ids = sentences()
    kept = torch.rand(ids.shape, generator=generator(7)) < 0.5
    torch.testing.assert_close(network.logits(ids * kept), network(network.embed(ids) * kept[:, :, None]))


def test_absent_words_stay_vectors_of_0_whatever_training_does(architecture, easy):
    network = build(architecture, SMALL[architecture] | {"dropout": 0.2})
    before = network.embed(torch.zeros(1, 3, dtype=torch.long))
    settings = Settings(
        epochs=2, batch_size=20, learning_rate=1e-2, weight_decay=0.5, l1=0.01, ema=0.9, augment={"omit": 0.3}
    )
    fit(network, easy, settings, device=CPU, progress=lambda line: None)
    assert before.shape == (1, 3, WIDTH)
    assert not network.embed(torch.zeros(1, 3, dtype=torch.long)).any()
    assert network.embed(torch.tensor([[1]])).all()


@pytest.mark.slow
def test_text_networks_learn_an_easy_language(architecture, easy):
    network = build(architecture, SMALL[architecture])
    settings = Settings(epochs=6, batch_size=20, learning_rate=2e-2, augment={"omit": 0.1})
    trained = fit(network, easy, settings, device=CPU, progress=lambda line: None)
    assert trained.best.accuracy > 0.9


def test_padding_does_not_change_the_logits_of_a_text_cnn():
    network = made("text-cnn")
    ids = sentences()
    # As many as a filter is long are there already, so that all filters saw none but absent words.
    ids[:, -3:] = 0
    longer = torch.cat((ids, torch.zeros(7, 5, dtype=torch.long)), 1)
    torch.testing.assert_close(network.logits(longer), network.logits(ids))


@pytest.mark.parametrize("architecture", ["lstm", "gru"])
def test_a_recurrent_state_does_not_depend_on_later_words(architecture):
    unit, words = made(architecture).forwards, made(architecture).embed(sentences())
    changed = words.clone()
    changed[:, 5:] = 0
    torch.testing.assert_close(unit(words)[:, :5], unit(changed)[:, :5])
    assert not torch.allclose(unit(words)[:, 5:], unit(changed)[:, 5:])


def test_a_text_transformer_without_positions_ignores_word_order():
    network = made("text-transformer")
    ids = sentences()
    order = torch.randperm(TOKENS, generator=generator(8))
    assert not torch.allclose(network.logits(ids[:, order]), network.logits(ids))
    nn.init.zeros_(network.positions)
    torch.testing.assert_close(network.logits(ids[:, order]), network.logits(ids))


def test_starting_and_training_leave_global_randomness_alone(architecture, easy):
    before = torch.get_rng_state()
    network = build(architecture, SMALL[architecture] | {"dropout": 0.5})
    fit(network, easy, Settings(epochs=1, augment={"omit": 0.3}), device=CPU, progress=lambda line: None)
    assert torch.equal(torch.get_rng_state(), before)


def test_dropout_changes_training_and_nothing_else(architecture):
    network, with_dropout = made(architecture), made(architecture, dropout=0.5)
    words = network.embed(sentences())
    torch.testing.assert_close(with_dropout(words), network(words))
    assert not torch.allclose(with_dropout.train()(words), network(words))
