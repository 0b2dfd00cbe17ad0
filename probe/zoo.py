"""The trained networks that come with probe, and the data they learned from.

>>> from probe import zoo
>>> model, test = zoo.load("fashion-cnn"), zoo.data("fashion-mnist")
"""

from probe_models import adapt, card, data, favourable, load, names, task

__all__ = ["adapt", "card", "data", "favourable", "load", "names", "task"]
