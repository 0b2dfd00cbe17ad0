"""Synonyms: the list, what may be replaced, and the worst texts of a model that adds up words."""

from itertools import product

import pytest
import torch

from probe import Model, Space
from probe.attacks import Synonyms
from probe.attacks.synonym_words import GROUPS
from probe.errors import Unsupported

WORDS = ("", "?", "dull", "boring", "tedious", "Film", "movie", "plot", "gag")
GIVEN = ("dull boring tedious", "film movie flick", "gag")
SPACE = Space(form="tokens", words=WORDS, special=(0, 1), bounds=(0, 8))
WEIGHT = torch.tensor([0.0, 0.0, -1.0, -2.0, 1.5, 0.3, 0.7, 2.0, -1.0])[:, None]
TEXTS = torch.tensor([[5, 2, 7, 0], [3, 3, 6, 5], [7, 8, 1, 0], [2, 1, 4, 6]])
NONE = torch.zeros(4, dtype=torch.int64)


def model(offset=9.0):
    def forward(points):
        return torch.cat([offset - points.sum(1), points.sum(1) - offset], 1)

    return Model(forward=forward, embed=lambda ids: WEIGHT[ids], space=SPACE, classes=("bad", "good"))


def test_the_bundled_groups_are_of_several_words_each_once():
    assert len(GROUPS) == len({frozenset(group.split()) for group in GROUPS}) > 190
    for group in GROUPS:
        words = group.split()
        assert 2 <= len(set(words)) == len(words), group
        assert group == group.lower()


@pytest.mark.parametrize("eps", [0, 1, 2, 4])
def test_the_worst_text_of_synonyms_is_found_where_words_add_up(eps):
    found = Synonyms(eps=eps, groups=GIVEN)(model(), TEXTS, NONE)
    allowed = {2: [2, 3, 4], 3: [3, 2, 4], 4: [4, 2, 3], 5: [5, 6], 6: [6, 5]}
    for text, best in zip(TEXTS.tolist(), found.perturbed.tolist(), strict=True):
        every = [list(other) for other in product(*(allowed.get(word, [word]) for word in text))]
        near = [other for other in every if sum(a != b for a, b in zip(text, other, strict=True)) <= eps]
        highest = max(float(WEIGHT[other].sum()) for other in near)
        assert best in near
        assert float(WEIGHT[best].sum()) == pytest.approx(highest)


def test_texts_without_a_synonym_stay_and_what_has_reached_the_goal_is_asked_no_further():
    attack = Synonyms(eps=3, groups=GIVEN)
    assert attack.could_move(SPACE, TEXTS).tolist() == [True, True, False, True]
    near = attack(model(-2.3), TEXTS[1:3], torch.tensor([0, 1]))
    assert near.success.tolist() == [True, False]
    assert near.length.tolist() == [1.0, 0.0]
    assert near.queries.tolist() == [1 + 2 + 2 + 1 + 1, 1]
    each = attack(model(), TEXTS, NONE, eps=torch.tensor([0, 1, 2, 1]))
    assert each.length.tolist() == [0.0, 1.0, 0.0, 1.0]
    alone = attack.at(1)(model(), TEXTS[1:2], NONE[:1])
    assert torch.equal(each.perturbed[1:2], alone.perturbed)


def test_a_space_without_words_is_refused():
    bare = Space(form="tokens", special=(0, 1), bounds=(0, 8))
    unnamed = Model(forward=model().forward, embed=lambda ids: WEIGHT[ids], space=bare, classes=("bad", "good"))
    with pytest.raises(Unsupported, match="choose hot_flip"):
        Synonyms()(unnamed, TEXTS, NONE)
