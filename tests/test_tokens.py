"""What every method must honour on a model of tokens. A new method is tested here without touching this file."""

from dataclasses import replace

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from probe import Model, Space, load
from probe.contracts import Attack
from probe.metrics import Completeness, Deletion, Insertion, RobustAccuracy
from tests.light import explainers_of_any_row, own_attacks

WORDS = ("", "?", *(f"word{i}" for i in range(2, 20)))
PLACES = 7
# Maps of layers are laid over images and series, and refuse texts.
EXPLAINERS = explainers_of_any_row()
ATTACKS = {name: kind for name, kind in own_attacks().items() if kind().threat.moves == "tokens"}


def each(family):
    return pytest.mark.parametrize("method", [kind() for kind in family.values()], ids=list(family))


class Reader(nn.Module):
    """A small convolutional network over embeddings, where an absent word is a vector of zeros."""

    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(len(WORDS), 5, padding_idx=0)
        self.phrases, self.head = nn.Conv1d(5, 6, 2), nn.Linear(6, 3)
        source = torch.Generator().manual_seed(0)
        with torch.no_grad():
            for parameter in self.parameters():
                parameter.copy_(torch.randn(parameter.shape, generator=source) * 0.7)
            self.words.weight[0] = 0

    def forward(self, embedded):
        return self.head(self.phrases(embedded.mT).relu().amax(2))


@pytest.fixture(scope="module")
def reader() -> Model:
    module = Reader().eval()
    space = Space(words=WORDS, bounds=(0, len(WORDS) - 1), reference=torch.zeros(1, PLACES, dtype=torch.long))
    return Model(forward=module, embed=module.words, space=space, classes=("a", "b", "c"))


@pytest.fixture
def texts():
    ids = torch.randint(1, len(WORDS), (6, PLACES), generator=torch.Generator().manual_seed(1))
    ids[2, 4:], ids[5, 1:] = 0, 0
    return ids


@each(EXPLAINERS | ATTACKS)
def test_each_text_is_explained_and_attacked_independently(method, reader, texts):
    labels = reader.predict(texts)
    together = method(reader, texts, labels)
    alone = [method(reader, x[None], y[None]) for x, y in zip(texts, labels, strict=True)]
    tensor = "perturbed" if isinstance(method, Attack) else "values"
    found = torch.cat([getattr(one, tensor) for one in alone])
    assert_close(getattr(together, tensor), found, atol=1e-5, rtol=1e-4)


@each(EXPLAINERS)
def test_an_absent_word_gets_no_attribution(method, reader, texts):
    values = method(reader, texts).values
    assert values.shape == texts.shape
    assert values.is_floating_point()
    if method.name() not in ("saliency", "smooth_grad", "var_grad", "guided_backprop"):  # a slope is no contribution
        assert (values[texts == 0] == 0).all()
    assert (values[texts > 1] != 0).float().mean() > 0.5


@each({name: kind for name, kind in EXPLAINERS.items() if kind.completeness})
@pytest.mark.parametrize("output", ["logit", "probability"])
def test_attributions_of_a_text_sum_to_the_change_from_the_empty_text(method, output, reader, texts):
    method = replace(method, output=output)
    result = method(reader, texts)
    empty = reader.target_outputs(torch.zeros_like(texts), result.targets, output)
    assert_close(
        result.values.sum(1), reader.target_outputs(texts, result.targets, output) - empty, atol=2e-3, rtol=2e-2
    )
    residual, promised = Completeness()(reader, result).evidence.T
    assert (residual <= 0.01 * promised + 1e-4).all()


@pytest.mark.parametrize("metric", [Deletion(), Insertion()])
def test_metrics_of_a_text_do_not_depend_on_its_padding(metric, reader, texts):
    """A method must not beat a random order by knowing which places are empty."""
    ids = torch.cat([texts[:, :4].clamp(min=2), torch.zeros(6, 3, dtype=torch.long)], 1)
    longer = torch.cat([ids, torch.zeros(6, 30, dtype=torch.long)], 1)
    values = torch.randn(6, 4, generator=torch.Generator().manual_seed(2))
    evidence = []
    for padded in (ids, longer):
        space = replace(reader.space, reference=torch.zeros(1, padded.shape[1], dtype=torch.long))
        model = replace(reader, space=space)
        result = EXPLAINERS["saliency"]()(model, padded)
        shown = torch.zeros(padded.shape)
        shown[:, :4] = values
        evidence.append(metric(model, replace(result, values=shown)).evidence[:, 0])
    assert_close(*evidence, atol=1e-6, rtol=1e-5)


@each(ATTACKS)
def test_success_of_an_attack_follows_from_the_models_predictions(method, reader, texts):
    labels = reader.predict(texts)
    result = replace(method, eps=3)(reader, texts, labels)
    assert torch.equal(result.success, reader.predict(result.perturbed) != labels)
    assert result.success.any() == result.method.could_move(reader.space, texts).any(), "where there are synonyms"
    assert RobustAccuracy()(reader, result).value == 1 - result.success.float().mean()


@each(EXPLAINERS | ATTACKS)
def test_methods_leave_no_hooks_gradients_or_random_state_behind(method, reader, texts):
    module, labels, kept = reader.forward, reader.predict(texts), texts.clone()
    before = {k: v.clone() for k, v in module.state_dict().items()}
    state = torch.get_rng_state()
    first, again = method(reader, texts, labels), method(reader, texts, labels)
    tensor = "perturbed" if isinstance(method, Attack) else "values"
    assert torch.equal(getattr(first, tensor), getattr(again, tensor))
    assert torch.equal(texts, kept)
    assert all(torch.equal(v, before[k]) for k, v in module.state_dict().items())
    assert all(p.grad is None and p.requires_grad for p in module.parameters())
    assert torch.equal(torch.get_rng_state(), state)
    assert first.cost == again.cost
    assert first.cost.forward > 0


@each(EXPLAINERS | ATTACKS)
def test_a_saved_result_of_texts_keeps_its_words(method, reader, texts, tmp_path):
    result = method(reader, texts, reader.predict(texts))
    result.save(tmp_path / "r")
    again = load(tmp_path / "r")
    assert torch.equal(again.inputs, texts)
    assert again.inputs.dtype == torch.long
    assert again.to_frame().equals(result.to_frame())
    assert again.space.describe(again.inputs) == reader.space.describe(texts)


@each(EXPLAINERS | ATTACKS)
def test_a_result_of_texts_is_shown_with_its_words_in_a_notebook(method, reader, texts):
    result = method(reader, texts, reader.predict(texts))
    page = result._repr_html_()
    assert page.count("line-height:1.35") == 3  # a line for each text
    assert all(word in page for word in reader.space.describe(texts[:3])[2] if word != "?")
    assert "<script" not in page
    written = " ".join(label.get_text() for label in result.plot(0).get_yticklabels())
    assert WORDS[int(texts[0, 0])] in written


@each(EXPLAINERS | ATTACKS)
def test_invalid_token_ids_are_refused_in_one_sentence(method, reader):
    for ids, message in [
        (torch.zeros(0, PLACES, dtype=torch.long), "at least one row"),
        (torch.full((1, PLACES), 99), r"99 at coordinate 0, outside the bounds \[0, 19\]"),
        (torch.zeros(1, PLACES), r"reads token ids; write inputs.long\(\)"),
    ]:
        with pytest.raises(ValueError, match=message):
            method(reader, ids, torch.zeros(len(ids), dtype=torch.long))
