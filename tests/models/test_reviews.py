import gzip
import io

import pandas as pd
import pytest
import torch
from probe_models.datasets import BUNDLED, reviews, tokens
from probe_models.zoo.recipes.texts import RECIPES

from probe import zoo
from probe.errors import IntegrityError, PlanError


@pytest.fixture(scope="module")
def train():
    return zoo.data("reviews", "train")


@pytest.fixture(scope="module")
def test():
    return zoo.data("reviews", "test")


@pytest.fixture(scope="module")
def file():
    return pd.read_csv(io.BytesIO(gzip.decompress((BUNDLED / "movie_reviews.csv.gz").read_bytes())))


def words_of(data):
    return [" ".join(sentence).strip() for sentence in data.space.describe(data.inputs)]


def test_the_reviews_hold_each_rated_sentence_once(train, test, file):
    assert (file["sentiment"] == 0).sum() == 37
    assert len(train) + len(test) == len(file) - 37 - 2 == 10_566
    assert (len(train), len(test)) == (8_453, 2_113)
    assert (train.classes, zoo.favourable("reviews")) == (("negative", "positive"), "")


def test_labels_are_the_signs_of_the_ratings(train, test, file):
    for data in (train, test):
        ratings = file["sentiment"].iloc[data.rows.numpy()]
        assert data.labels.tolist() == (ratings > 0).astype(int).tolist()


def test_the_splits_share_no_sentence(train, test):
    trained, tested = ({tuple(words) for words in reviews.sentences(data)} for data in (train, test))
    assert not trained & tested
    assert not torch.isin(train.rows, test.rows).any()


def test_both_splits_have_the_same_share_of_labels(train, test):
    assert train.labels.double().mean().item() == pytest.approx(test.labels.double().mean().item(), abs=1e-3)


def test_token_ids_of_a_review_decode_to_its_words(train, test, file):
    data = next(data for data in (train, test) if 3 in data.rows)
    assert file["text"][3].startswith("If you sometimes like to go to the movies to have fun, Wasabi is")
    [words] = words_of(data[data.rows == 3])
    assert words == "if you sometimes like to go to the movies to have fun (unknown) is a good place to start"


def test_ids_are_whole_and_an_absent_word_is_0(train):
    assert train.inputs.dtype == torch.long
    assert train.inputs.shape[1:] == train.space.reference.shape[1:] == (reviews.TOKENS,)
    assert bool((train.space.reference == tokens.ABSENT).all())
    # Words are absent at the end only, and no sentence is empty.
    absent = train.inputs == tokens.ABSENT
    assert bool((absent[:, 1:] >= absent[:, :-1]).all())
    assert not absent[:, 0].any()


def test_the_vocabulary_holds_the_most_frequent_training_words(train, test):
    said = [word for words in reviews.sentences(train) for word in words]
    counts = pd.Series(said).value_counts()
    words = train.space.words[len(tokens.SPECIAL) :]
    assert len(train.space.words) == len(set(train.space.words)) == reviews.WORDS
    assert counts.loc[list(words)].is_monotonic_decreasing
    assert counts.loc[words[-1]] >= counts.drop(list(words)).max()
    assert train.space is test.space


def test_a_word_of_the_test_split_only_is_unknown(train, test):
    trained = {word for words in reviews.sentences(train) for word in words}
    found = 0
    for ids, words in zip(test.inputs.tolist(), reviews.sentences(test), strict=True):
        for number, word in zip(ids, words, strict=False):
            if word not in trained:
                found += 1
                assert number == tokens.UNKNOWN
    assert found > 1000


def test_words_keep_apostrophes_numbers_and_marks_in_lower_case():
    found = tokens.split("It's 'Doesn\u2019t-care' 10 out of 10, rock'n'roll?! (Amélie's... \"Crème\" & co.)")
    assert found == [
        *("it's", "doesn't", "care", "10", "out", "of", "10", "rock'n'roll", "?", "!"),
        *("amélie's", "crème", "co"),
    ]


def test_a_vocabulary_ranks_words_and_leaves_out_the_rest():
    assert tokens.vocabulary([["b", "a"], ["c", "b"]], 4) == ("", "(unknown)", "b", "a")


def test_sentences_are_cut_or_end_in_absent_words():
    ids = tokens.encode([["a"], ["b", "a", "c", "a"]], ("", "(unknown)", "a", "b"), 3)
    assert ids.tolist() == [[2, 0, 0], [3, 2, 1]]


def test_a_changed_file_is_refused(monkeypatch):
    monkeypatch.setattr(reviews, "SHA256", "0" * 64)
    with pytest.raises(IntegrityError, match="it was changed"):
        reviews._table.__wrapped__()


def test_an_unknown_split_is_named():
    with pytest.raises(PlanError, match=r"reviews has the splits train, test; got 'dev'"):
        zoo.data("reviews", "dev")


@pytest.mark.parametrize("name", RECIPES)
def test_text_networks_have_an_embedding_per_word_and_a_position_per_token(name):
    kwargs, space = RECIPES[name].kwargs, RECIPES[name].reader.space()
    assert kwargs["words"] == len(space.words)
    assert kwargs.get("tokens", reviews.TOKENS) == space.reference.shape[1]
