"""The data of a headline: successes and trials of the groups, for each of its rates."""

from collections.abc import Sequence
from dataclasses import dataclass

from probe.bias.counts import Table
from probe.bias.proportions import divide
from probe.bias.rates import RATES, Rate
from probe.bias.validation import Floats, Ints
from probe.finding import Direction
from probe.formatting import Unit


@dataclass(frozen=True)
class Metric:
    """A headline gap: its rates, and the passing side of its threshold."""

    label: str
    rates: tuple[str, ...]
    direction: Direction
    of_numbers: bool = False  # whether it compares means, in the unit of the outcome

    @property
    def unit(self) -> Unit:
        """The unit of its estimates."""
        return "number" if self.ratio or self.of_numbers else "points"

    @property
    def gap(self) -> str:
        """The word for the gap between two groups."""
        return "ratio" if self.ratio else "gap"

    @property
    def equal(self) -> str:
        """The words for no gap."""
        return "equal means" if self.of_numbers else "equal rates"

    @property
    def ratio(self) -> bool:
        """Whether it is the ratio of the lowest to the highest rate instead of a difference."""
        return self.direction == "at least"


METRICS = {
    "demographic_parity_difference": Metric("demographic parity difference", ("selection_rate",), "at most"),
    "demographic_parity_ratio": Metric("demographic parity ratio", ("selection_rate",), "at least"),
    "equalized_odds_difference": Metric("equalized odds difference", ("tpr", "fpr"), "at most"),
    "mean_answer_difference": Metric("difference of mean answers", ("mean_answer",), "at most", of_numbers=True),
    "mean_error_difference": Metric("difference of mean errors", ("mean_error",), "at most", of_numbers=True),
    "mean_absolute_error_difference": Metric(
        "difference of mean absolute errors", ("mean_absolute_error",), "at most", of_numbers=True
    ),
}


def unit_of(metric: str) -> Unit:
    """What the estimates of a headline are written in, by its name."""
    return METRICS[metric].unit if metric in METRICS else "number"


# The headline difference that a rate belongs to.
GAP_OF = {rate: name for name, metric in METRICS.items() if not metric.ratio for rate in metric.rates}


def metrics_of(table: Table) -> dict[str, Metric]:
    """The headline gaps that the table allows: those of errors need labels."""
    rates = {name: metric for name, metric in METRICS.items() if not metric.of_numbers}
    return {name: m for name, m in rates.items() if table.labelled or m.rates == ("selection_rate",)}


@dataclass(frozen=True, eq=False)
class Stratum:
    """Successes and trials of the groups that one rate compares."""

    rate: Rate
    names: Sequence[str]
    successes: Ints
    trials: Ints

    def with_at_least(self, min_group_size: int) -> "Stratum":
        """Only the groups with this many trials or more."""
        large = self.trials >= min_group_size
        names = [name for name, keep in zip(self.names, large, strict=True) if keep]
        return Stratum(self.rate, names, self.successes[large], self.trials[large])

    @property
    def counts(self) -> tuple[Ints, Ints]:
        return self.successes, self.trials

    @property
    def shares(self) -> Floats:
        """The rate of each group."""
        return divide(self.successes, self.trials)


def strata_of(table: Table, rates: Sequence[str]) -> list[Stratum]:
    """One stratum per rate, with all groups."""
    read = [RATES[name] for name in rates]
    return [Stratum(r, table.names, r.successes(table.counts), r.trials(table.counts)) for r in read]
