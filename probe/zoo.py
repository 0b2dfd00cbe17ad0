"""The trained networks that come with probe, and the data they learned from.

>>> from probe import zoo
>>> model, test = zoo.load("adult-mlp"), zoo.data("adult")
"""

from probe_models import adapt, card, data, favourable, load, names, task, trainer

__all__ = ["adapt", "card", "data", "favourable", "load", "names", "task", "trainer"]
