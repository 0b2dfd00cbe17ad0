"""How well a linear model does on the same sentences."""

from functools import cache
from itertools import pairwise

from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline

from probe import Dataset, Model
from probe_models.datasets import reviews
from probe_models.zoo.measures.lead import lead

# Of 1, 2, 4, 8, 16 and 32 the best in 5-fold cross-validation on the training sentences.
INVERSE_PENALTY = 16.0


def linear_baseline(model: Model, data: Dataset) -> dict[str, float]:
    """The accuracy of logistic regression on TF-IDF of words and pairs of neighbours, and how far ahead the model is.

    It learns from the training split of the reviews. Unlike the model it sees every word, also rare ones and those
    beyond the last place of a row. Both have 95 % intervals: Wilson's, and of the paired
    difference a bootstrap's.
    """
    labels = data.labels.numpy()
    ours = model.predict(data.inputs).cpu().numpy() == labels
    return lead("linear_baseline", ours, _linear().predict(reviews.sentences(data)) == labels)


@cache
def _linear() -> Pipeline:
    """The same for every model that it is measured beside."""
    train = reviews.read("train")
    linear = make_pipeline(TfidfVectorizer(analyzer=_phrases), LogisticRegression(C=INVERSE_PENALTY, max_iter=1000))
    return linear.fit(reviews.sentences(train), train.labels.numpy())


def _phrases(words: list[str]) -> list[str]:
    return [*words, *map(" ".join, pairwise(words))]
