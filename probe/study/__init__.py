"""Studies: methods x settings x seeds over a dataset, saved as they finish, as one tidy table.

>>> from probe import Dataset, Model, study
>>> from probe.attacks import FGSM
>>> import torch
>>> net = torch.nn.Linear(2, 2).eval()
>>> data = Dataset(torch.rand(20, 2), torch.zeros(20, dtype=torch.long))
>>> found = study.run([FGSM()], Model(forward=net), data, eps=[0.1, 0.2], progress=None)
>>> found[["method", "eps", "metric", "n"]].values.tolist()
[['fgsm', 0.1, 'robust_accuracy', 20], ['fgsm', 0.2, 'robust_accuracy', 20]]
"""

from probe.study.deciding import Decision, until_decided
from probe.study.floor import floor
from probe.study.optimality import optimality
from probe.study.progress import Standing, to_stderr
from probe.study.queries import by_queries
from probe.study.retraining import permuted_labels
from probe.study.running import read, run
from probe.study.stored import asked_again

__all__ = [
    "Decision",
    "Standing",
    "asked_again",
    "by_queries",
    "floor",
    "optimality",
    "permuted_labels",
    "read",
    "run",
    "to_stderr",
    "until_decided",
]
