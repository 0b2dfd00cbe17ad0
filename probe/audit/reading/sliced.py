"""How right the answers to parts of the table are, and how far off numbers are."""

from collections.abc import Iterator
from itertools import combinations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from probe import special
from probe.audit.bundle import Bundle
from probe.audit.reading.answers import right
from probe.audit.reading.decided import decided, labels
from probe.errors import RangeError
from probe.names import nearest
from probe.statistics import Estimate, proportion

BINS = 20
SLICES = ("attribute", "group", "n", "value", "low", "high", "small")


def outputs(bundle: Bundle) -> list[str]:
    """The names of the numbers that are answered."""
    return list(bundle.manifest.task.names)


def errors(bundle: Bundle, output: str = "") -> pd.DataFrame:
    """Of each row the label, the answer and the error, answer minus label, of one number; the first unless named.

    Raises:
        RangeError: if there is no such number.
    """
    stored, names = bundle.arrays("predictions"), outputs(bundle)
    if output and output not in names:
        raise RangeError(f"{output!r:.60} is not an output{nearest(output, names)}; there are {', '.join(names[:20])}")
    at = names.index(output) if output else 0
    answer = stored["logits"][:, at].astype(float)
    label = stored["labels"].reshape(len(answer), -1)[:, at].astype(float)
    return pd.DataFrame({"label": label, "answer": answer, "error": answer - label})


def distribution(bundle: Bundle, output: str = "") -> pd.DataFrame:
    """How many errors lie in each of equally wide bins."""
    found = errors(bundle, output)["error"].to_numpy()
    counts, edges = np.histogram(found, BINS)
    return pd.DataFrame({"from": edges[:-1], "to": edges[1:], "n": counts})


def predicted(bundle: Bundle, output: str = "") -> pd.DataFrame:
    """The mean answer and the mean absolute error in tenths of the rows, ordered by label, with 95 % t intervals."""
    found = errors(bundle, output)
    order = np.argsort(found["label"].to_numpy(), kind="stable")
    parts = [found.iloc[rows] for rows in np.array_split(order, 10) if len(rows)]
    lines = []
    for part in parts:
        answer, off = mean_of(part["answer"].to_numpy()), mean_of(part["error"].abs().to_numpy(), least=0.0)
        lines.append((part["label"].min(), part["label"].max(), *answer[:3], *off[:3], len(part)))
    names = ["label_from", "label_to", "answer", "answer_low", "answer_high", "off", "off_low", "off_high", "n"]
    return pd.DataFrame(lines, columns=names)


def slices(bundle: Bundle, name: str = "") -> pd.DataFrame:
    """Each group, and each pair of groups of two attributes: the share of right answers with its Wilson interval.

    Of numbers it is the mean absolute error, with a t interval. `name` is that of a label or of a number.
    """
    smallest = bundle.manifest.plan.bias.min_group_size
    seen = measured_by_row(bundle, name)
    if not bundle.has("tables/groups.csv") or seen is None:
        return pd.DataFrame(columns=list(SLICES))
    share = seen.dtype == bool
    lines = []
    for attribute, group, rows in _groups(bundle.groups()):
        estimate = proportion(seen[rows]) if share else mean_of(seen[rows], least=0.0)
        lines.append((attribute, group, estimate.n, *estimate[:3], estimate.n < smallest))
    return pd.DataFrame(lines, columns=list(SLICES))


def measured_by_row(bundle: Bundle, name: str) -> NDArray[np.generic] | None:
    """Of each row whether it is right, or by how much it is off; None where nothing tells."""
    task = bundle.manifest.task
    if task.kind == "regression":
        return np.asarray(errors(bundle, name)["error"].abs())
    if labels(bundle) and name:
        found = decided(bundle, name)
        return np.asarray(found.truth == found.answer)
    return right(bundle)


def _groups(table: pd.DataFrame) -> Iterator[tuple[tuple[str, ...], tuple[str, ...], NDArray[np.int64]]]:
    """The attributes and the groups of each slice, and its rows; rows whose group is not known are in none."""
    for size in (1, 2):
        for chosen in combinations(table.columns, size):
            for group, rows in table.groupby(list(chosen), sort=True).indices.items():
                names = group if isinstance(group, tuple) else (group,)
                yield tuple(map(str, chosen)), tuple(map(str, names)), np.asarray(rows)


def mean_of(values: NDArray[np.generic], least: float = -np.inf) -> Estimate:
    """The mean with a t interval, none of fewer than two rows; `least` is the smallest that a value can be."""
    numbers = np.asarray(values, dtype=float)
    n, value = len(numbers), float(numbers.mean())
    if n < 2:
        return Estimate(value, float("nan"), float("nan"), n)
    half = float(special.stdtrit(n - 1, 0.975)) * float(numbers.std(ddof=1)) / n**0.5
    return Estimate(value, max(least, value - half), value + half, n)
