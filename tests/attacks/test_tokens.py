"""On a bag of embeddings every replacement's effect is known, so the best ones can be listed."""

from itertools import combinations, product

import pytest
import torch
from torch import Tensor, nn

from probe import Model, Space
from probe.attacks import FGSM, HotFlip
from probe.errors import ContractError, RangeError, ShapeError, Unsupported

WORDS = ("", "?", *(f"w{i}" for i in range(10)))
PLACES = 5


def space(**fields) -> Space:
    return Space(words=WORDS, bounds=(0, len(WORDS) - 1), reference=torch.zeros(1, PLACES, dtype=torch.long), **fields)


def table(seed: int = 0, width: int = 4) -> Tensor:
    vectors = torch.randn(len(WORDS), width, generator=torch.Generator().manual_seed(seed))
    vectors[0] = 0
    return vectors


def bag(lean: float = 0.0, **fields) -> Model:
    """Logits are a linear function of the sum of the embeddings, and lean towards the first class."""
    vectors, weight = table(), torch.randn(4, 2, generator=torch.Generator().manual_seed(1))
    shift = torch.tensor([lean, 0.0])
    return Model(forward=lambda e: e.sum(1) @ weight + shift, embed=lambda ids: vectors[ids], space=space(**fields))


def network(classes: int = 3) -> Model:
    """A curved function of the embeddings and of their places."""
    torch_random = torch.Generator().manual_seed(2)
    vectors, places = table(), torch.randn(PLACES, 4, generator=torch_random)
    first, second = (
        torch.randn(PLACES * 4, 16, generator=torch_random),
        torch.randn(16, classes, generator=torch_random),
    )
    return Model(
        forward=lambda e: torch.tanh((e + places).flatten(1) @ first / 2) @ second,
        embed=lambda ids: vectors[ids],
        space=space(),
    )


def texts(rows: int = 12) -> Tensor:
    ids = torch.randint(1, len(WORDS), (rows, PLACES), generator=torch.Generator().manual_seed(3))
    ids[::3, 3:] = 0
    return ids


def log_odds(model: Model, ids: Tensor, labels: Tensor) -> Tensor:
    logits = model.logits(ids)
    others = logits.clone().scatter_(1, labels[:, None], -torch.inf)
    return others.logsumexp(1) - logits.gather(1, labels[:, None])[:, 0]


def every_text(text: Tensor, changes: int) -> Tensor:
    """All texts with at most that many words replaced, special words apart."""
    places = [i for i, word in enumerate(text.tolist()) if word > 1]
    found = [text]
    for chosen in combinations(places, min(changes, len(places))):
        for words in product(range(2, len(WORDS)), repeat=len(chosen)):
            other = text.clone()
            other[list(chosen)] = torch.tensor(words)
            found.append(other)
    return torch.stack(found)


@pytest.mark.parametrize(("eps", "lean"), [(1, 2.0), (2, 7.0)])
def test_hotflip_is_optimal_on_a_bag_of_embeddings(eps, lean):
    model, ids = bag(lean), texts()
    labels = model.predict(ids)
    result = HotFlip(eps=eps, candidates=1)(model, ids, labels)
    fell = 0
    for row, label, found in zip(ids, labels, result.perturbed, strict=True):
        others = every_text(row, eps)
        highest = log_odds(model, others, label.expand(len(others))).max()
        reached = log_odds(model, found[None], label[None])[0]
        # What falls sooner is left where it fell.
        assert reached > 0 if highest > 0 else torch.isclose(reached, highest, atol=1e-4)
        fell += int(highest > 0)
    assert 0 < fell < len(ids)
    assert int(result.success.sum()) == fell


def test_hotflip_with_all_candidates_succeeds_where_any_single_word_does():
    model, ids = network(), texts(30)
    labels = model.predict(ids)
    result = HotFlip(eps=1, candidates=1000)(model, ids, labels)
    fooled = [bool((model.predict(every_text(row, 1)) != label).any()) for row, label in zip(ids, labels, strict=True)]
    assert result.success.tolist() == fooled
    assert 0 < sum(fooled) < len(ids)
    assert sum(HotFlip(eps=1, candidates=1)(model, ids, labels).success) < sum(fooled)


@pytest.mark.parametrize("eps", [0, 1, 3, 50])
def test_no_more_words_than_allowed_are_replaced_and_special_ones_are_left_alone(eps):
    model, ids = network(), texts(30)
    result = HotFlip(eps=eps)(model, ids, model.predict(ids))
    changed = result.perturbed != ids
    assert int(changed.sum(1).max()) <= eps
    assert (result.distance(0) == changed.sum(1)).all()
    assert not changed[ids <= 1].any()
    assert (result.perturbed[changed] > 1).all()
    assert changed.any() == (eps > 0)
    assert result.to_frame()["words"].tolist() == changed.sum(1).tolist()


def test_the_loss_never_decreases_and_more_words_break_at_least_as_many_texts():
    model, ids = network(), texts(40)
    labels = model.predict(ids)
    results = [HotFlip(eps=eps, candidates=2)(model, ids, labels) for eps in (1, 2, 4)]
    for result in results:
        assert (log_odds(model, result.perturbed, labels) >= log_odds(model, ids, labels)).all()
    broken = [int(result.success.sum()) for result in results]
    assert broken == sorted(broken)
    assert broken[0] < broken[-1]


def test_a_result_depends_neither_on_the_batch_nor_on_the_pass(monkeypatch):
    model, ids = network(), texts()
    labels = model.predict(ids)
    together = HotFlip(eps=3)(model, ids, labels).perturbed
    apart = [HotFlip(eps=3)(model, x[None], y[None]).perturbed for x, y in zip(ids, labels, strict=True)]
    assert torch.equal(together, torch.cat(apart))
    monkeypatch.setattr("probe.attacks.tokens._ENTRIES", PLACES * len(WORDS) * 2)
    assert torch.equal(HotFlip(eps=3)(model, ids, labels).perturbed, together)


def test_hotflip_keeps_immutable_positions():
    mutable = torch.tensor([True, False, True, False, True])
    model, ids = bag(mutable=mutable), texts()
    changed = HotFlip(eps=5)(model, ids, model.predict(ids)).perturbed != ids
    assert changed.any()
    assert not changed[:, ~mutable].any()


def test_a_text_without_words_is_left_as_it_is():
    model, ids = bag(), torch.zeros(1, PLACES, dtype=torch.long)
    result = HotFlip(eps=2)(model, ids, model.predict(ids))
    assert torch.equal(result.perturbed, ids)
    assert not result.success.any()


def test_positional_embeddings_do_not_change_the_choice_of_words():
    vectors, places = table(), 3 * torch.randn(PLACES, 4, generator=torch.Generator().manual_seed(9))
    weight = torch.randn(4, 2, generator=torch.Generator().manual_seed(1))
    moved = Model(
        forward=lambda e: (e - places).sum(1) @ weight,
        embed=lambda ids: vectors[ids] + places[: ids.shape[1]],
        space=space(),
    )
    ids = texts()
    labels = bag().predict(ids)
    plain, shifted = (HotFlip(candidates=1, eps=2)(model, ids, labels).perturbed for model in (bag(), moved))
    assert torch.equal(plain, shifted)


def test_global_state_and_the_model_are_left_alone():
    embedding, head = nn.Embedding(len(WORDS), 4), nn.Linear(4, 2)
    net = nn.Sequential(embedding, head).eval()
    model = Model(forward=lambda e: head(e.sum(1)), embed=embedding, space=space())
    before, state, ids = {k: v.clone() for k, v in net.state_dict().items()}, torch.get_rng_state(), texts()
    HotFlip(eps=2)(model, ids, model.predict(ids))
    assert torch.equal(torch.get_rng_state(), state)
    assert all(p.grad is None for p in net.parameters())
    assert all(torch.equal(v, before[k]) for k, v in net.state_dict().items())


def test_hotflip_and_fgsm_refuse_inputs_of_another_form(linear, inputs, labels):
    ids = texts()
    with pytest.raises(Unsupported, match=r"hot_flip moves tokens, and model reads numbers; choose an attack that"):
        HotFlip()(linear, inputs, labels)
    with pytest.raises(Unsupported, match=r"fgsm moves numbers, and model reads tokens; choose an attack that moves"):
        FGSM()(bag(), ids, torch.zeros(len(ids), dtype=torch.long))
    with pytest.raises(ShapeError, match=r"model reads token ids; write inputs.long\(\)"):
        HotFlip()(bag(), ids.float(), torch.zeros(len(ids), dtype=torch.long))
    with pytest.raises(RangeError, match=r"HotFlip.eps = '0.1', expected a whole number"):
        HotFlip(eps="0.1")


@pytest.mark.parametrize(("place", "word"), [(0, 0), (0, 1), (4, 5)])
def test_an_attack_that_replaces_special_words_is_refused(place, word):
    class Cheat(HotFlip):
        def perturb(self, model, inputs, labels):
            inputs = inputs.clone()
            inputs[:, place] = word
            return inputs

    ids = torch.tensor([[2, 3, 4, 5, 0]])
    with pytest.raises(ContractError, match="special tokens"):
        Cheat()(bag(), ids, bag().predict(ids))


def test_an_attack_that_exceeds_its_word_budget_is_refused():
    class Cheat(HotFlip):
        def perturb(self, model, inputs, labels):
            return torch.full_like(inputs, 2)

    ids = torch.tensor([[3, 3, 3, 3, 3]])
    with pytest.raises(ContractError, match="changed 5 words, 2 allowed"):
        Cheat(eps=2)(bag(), ids, bag().predict(ids))
