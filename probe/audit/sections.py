"""The sections of a plan: tables of settings, in which a name may also be a number."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypeVar

from probe.conversion import Kind
from probe.declared import Declared, param

S = TypeVar("S", bound="Section")


@dataclass(frozen=True, kw_only=True)
class Section(Declared):
    """A table of a plan."""

    @classmethod
    def read(cls: type[S], table: Any, where: str = "", whole: str = "") -> S:
        return super().read(table, where, whole or f"[{where}]")


def _name(value: Any, where: str) -> str:
    if not isinstance(value, str | int | float) or isinstance(value, bool):
        raise ValueError
    return str(value)


def _config(value: Any, where: str) -> dict[str, Any]:
    if isinstance(value, str):
        return {"method": value}
    if not isinstance(value, Mapping) or "method" not in value:
        raise ValueError
    return dict(value)


def _attack(value: Any, where: str) -> dict[str, Any]:
    config = _config(value, where)
    if isinstance(config.get("eps"), list | tuple):
        config["eps"] = [_name(each, where) for each in config["eps"]]
    return config


Name = Annotated[str, Kind("a name", 'names, such as ["a", "b"]', _name)]
Budget = Annotated[str, Kind("a budget", 'budgets, such as ["8/255"]', _name)]
Config = Annotated[
    dict[str, Any],
    Kind(
        'a table such as {method = "pgd", steps = 40}',
        'a table such as {method = "pgd", steps = 40} for each, or its name',
        _config,
    ),
]

AttackConfig = Annotated[
    dict[str, Any],
    Kind(
        'a table such as {method = "pgd", steps = 40}',
        'a table such as {method = "pgd", norm = "l2", eps = ["0.5", "1"]} for each, or its name',
        _attack,
    ),
]


@dataclass(frozen=True, kw_only=True)
class PredictPlan(Section):
    """The metrics of the answers to all rows."""

    metrics: tuple[Config, ...] | None = param(None, "as the methods of [explain]; default: the usual metrics")


@dataclass(frozen=True, kw_only=True)
class ExplainPlan(Section):
    """The explainers, and the number of examples to explain."""

    sample: int = param(100, "examples", low=0)
    target: str = param("", "the class, label or output to explain; default: the answer of each example")
    methods: tuple[Config, ...] | None = param(
        None, 'each "name" or {method = "name", setting = value}; default: by form'
    )
    metrics: tuple[Config, ...] | None = param(None, "the same for metrics; default: the usual metrics")


@dataclass(frozen=True, kw_only=True)
class AttackPlan(Section):
    """The attacks, and their radii."""

    sample: int = param(1000, "examples", low=0)
    methods: tuple[AttackConfig, ...] | None = param(
        None, "as those of [explain]; one of another norm has its own radii, eps = [...]; default: by form"
    )
    metrics: tuple[Config, ...] | None = param(None, "as those of [explain]; default: the usual metrics")
    labels: tuple[Name, ...] = param((), "with several labels: those that are also attacked alone")
    eps: tuple[Budget, ...] | None = param(None, "radii in the unit of the space's scale, or words; default: by form")
    until_decided: int = param(
        0, "rows between two looks: one attack ends once its share at checks.robust_eps is decided; 0: all rows", low=0
    )


@dataclass(frozen=True, kw_only=True)
class SearchPlan(Section):
    """The searches for counterfactuals, and their number of examples."""

    sample: int = param(100, "examples", low=0)
    methods: tuple[Config, ...] = param((), "as those of [explain]")
    metrics: tuple[Config, ...] | None = param(None, "as those of [explain]; default: the usual metrics")


@dataclass(frozen=True, kw_only=True)
class CertifyPlan(Section):
    """The certificates, and their radii."""

    sample: int = param(100, "examples", low=0)
    methods: tuple[Config, ...] = param((), "as those of [explain]")
    metrics: tuple[Config, ...] | None = param(None, "as those of [explain]; default: the usual metrics")
    eps: tuple[Budget, ...] = param(("0.1", "0.25"), "radii in the unit of the certificate's threat")


@dataclass(frozen=True, kw_only=True)
class SurveyPlan(Section):
    """The surveys of the data."""

    sample: int = param(1000, "examples", low=0)
    methods: tuple[Config, ...] = param((), "as those of [explain]")


@dataclass(frozen=True, kw_only=True)
class BiasPlan(Section):
    """The comparison of groups."""

    groups: tuple[Name, ...] | None = param(None, "columns of the data's groups; default: all")
    positive: str = param("", "the class that is the favourable outcome; default: the last of two classes")
    min_group_size: int = param(
        30, "rows behind a rate; groups with fewer are reported apart (an engineering threshold)", low=0
    )
    order: int = param(2, "the largest number of attributes in an intersection", low=0)
    merge_spellings: bool = param(False, "whether names that differ by case, spaces or encoding are one group")


@dataclass(frozen=True, kw_only=True)
class AboutPlan(Section):
    """What the model is for, in words for the report; the audit does not check them."""

    use: str = param("", "what the model is meant to be used for")
    users: str = param("", "who works with its answers")
    people: str = param("", "whom its answers are about, or affect")
    out_of_scope: str = param("", "uses that it is not meant for")
    responsible: str = param("", "who answers for the model")


@dataclass(frozen=True, kw_only=True)
class BundlePlan(Section):
    """Whether people's rows may be kept."""

    inputs: Literal["shown", "none"] = param(
        "shown", "shown: the bundle holds the rows that it explains and attacks; none: no cell or pixel of any row"
    )
