"""Methods that examine a model on a whole dataset."""

from probe.surveys.permutation import PermutationImportance

__all__ = ["PermutationImportance"]
