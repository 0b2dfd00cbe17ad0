"""How a network is trained."""

import math
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import MISSING, asdict, dataclass, field, fields, is_dataclass
from numbers import Integral, Real
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

from probe.errors import PlanError, RangeError
from probe_models.training.augmentations import check, nearest

Mix = str | Mapping[str, float]
Weights = tuple[float, ...] | None


@dataclass(frozen=True, kw_only=True)
class Adversary:
    """How inputs are made hard while training; see `probe_models.training.adversary`."""

    method: Literal["fgsm", "pgd", "trades"]
    eps: float  # radius of the ball, in the unit of the space's scale, by the largest change of a coordinate
    steps: int = 7  # gradient steps of pgd and trades
    beta: float = 6.0  # trades: how much the distance of the answers counts

    def __post_init__(self) -> None:
        check_types(self)
        for name in ("steps", "beta"):
            check_number(self, name, lambda value: 0 < value < math.inf, "above 0")
        check_number(self, "eps", lambda value: 0 <= value < math.inf, "0 or more")


@dataclass(frozen=True, kw_only=True)
class Balance:
    """Which groups training treats evenly, and how; see `probe_models.training.groups`."""

    method: Literal["reweight", "group dro"]
    groups: tuple[str, ...]  # columns of the data's groups, which the label joins
    step: float = 0.01  # group dro: how fast the weights of groups follow their losses

    def __post_init__(self) -> None:
        check_types(self)
        check_number(self, "step", lambda value: 0 < value < math.inf, "above 0")
        if not self.groups:
            raise PlanError("Balance.groups is empty; name columns of the data's groups")


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Every choice that training makes; the card records them. A 0 leaves out what says so.

    In TOML, where nothing cannot be said, "none" leaves out what is None here.
    """

    epochs: int
    batch: int = 256  # rows a step
    validation: float = 0.1  # part of the training rows that choose the best epoch and are never trained on
    patience: int = 10  # epochs without a lower validation loss before it stops

    optimiser: Literal["sgd", "momentum", "nesterov", "adagrad", "rmsprop", "adam", "adamw"] = "adamw"
    momentum: float = 0.9  # part of the last step in the next one; for adam and adamw of the mean gradient
    rate: float = 1e-3  # the highest learning rate
    schedule: Literal["constant", "step", "cosine", "one-cycle", "plateau"] = "cosine"
    warmup: float = 0.2  # part of all steps in which the rate climbs, 0 for none
    drop: float = 0.1  # what a fall multiplies the rate by, for step and plateau
    drops: int = 3  # falls after the climb, for step
    wait: int = 3  # epochs without a lower validation loss before the rate falls, for plateau

    loss: Literal["cross-entropy", "mse", "bce", "reconstruction", "elbo", "game"] = "cross-entropy"
    smoothing: float = 0.0  # part of each label that is spread over all classes
    class_weights: Weights = None  # how much a row of each class counts
    weight_decay: float = 0.01  # adamw: times the rate, off each weight; else the factor of half the squared weights
    l1: float = 0.0  # times the rate: how far each weight moves towards 0 at a step, and stops there
    clip: float = 1.0  # the longest gradient (arXiv:1211.5063), 0 for any length
    ema: float = 0.0  # part of the old in the moving average of the weights that is judged and kept, 0 for none
    # The part grows from .1 to `ema`, so that what was drawn is soon forgotten; see `probe_models.training.average`.
    ema_warmup: bool = True

    initialiser: Literal["uniform", "he", "xavier", "orthogonal", "truncated normal"] = "uniform"
    augment: Mix = "none"  # a ready mix, or names with strengths: {"flip": 0.5, "shift": 2}, applied in that order
    mixup: float = 0.0  # alpha of the Beta distribution that the coefficient is drawn from, 0 for none
    precision: Literal["float32", "bfloat16"] = "float32"  # of products and convolutions; weights stay float32
    execution: Literal["eager", "compiled"] = "eager"  # compiled: torch.compile, after a wait at the first step
    layout: Literal["channels last", "channels first"] = "channels last"  # of the weights of convolutions in memory
    parallel: Literal["replicated", "sharded"] = "replicated"  # among processes: DDP, or FSDP2 that divides the weights

    adversary: Adversary | None = None  # moves inputs against the network
    balance: Balance | None = None  # treats groups evenly
    # Weights that are held still, by glob, and up to which part of all steps; 1 never lets go.
    freeze: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_types(self)
        for name in ("epochs", "batch", "rate", "patience", "drops", "wait"):
            self._check(name, lambda value: 0 < value < math.inf, "above 0")
        for name in ("validation", "momentum"):
            self._check(name, lambda value: 0 < value < 1, "a part of a whole, between 0 and 1")
        for name in ("warmup", "ema", "smoothing"):
            self._check(name, lambda value: 0 <= value < 1, "a part of a whole, from 0 to below 1")
        for name in ("weight_decay", "l1", "clip", "mixup"):
            self._check(name, lambda value: 0 <= value < math.inf, "0 or more")
        self._check("drop", lambda value: 0 < value <= 1, "above 0 and at most 1")
        if self.class_weights is not None and not all(0 < weight < math.inf for weight in self.class_weights):
            raise RangeError(f"Settings.class_weights must be above 0; got {list(self.class_weights)}")
        for pattern, until in self.freeze.items():
            if not 0 < until <= 1:
                raise RangeError(f"Settings.freeze: {pattern!r} takes a part of all steps, above 0 to 1; got {until}")
        if self.parallel == "sharded" and self.layout == "channels last":
            raise PlanError('Settings.parallel = "sharded" divides contiguous weights; set layout = "channels first"')
        if self.parallel == "sharded" and self.adversary:
            raise PlanError('Settings.parallel = "sharded" goes without an adversary, which needs all weights at once')
        if self.loss == "game" and self.execution == "compiled":
            raise PlanError(
                'Settings.loss = "game" has slopes of slopes, which torch.compile lacks; leave execution eager'
            )
        if self.mixup and self.balance:
            raise PlanError(
                "Settings.mixup mixes rows of all groups, which Settings.balance tells apart; leave one out"
            )
        check(self.augment)

    def _check(self, name: str, admits: Callable[[float], bool], what: str) -> None:
        check_number(self, name, admits, what)

    @classmethod
    def from_toml(cls, source: str | Path | Mapping[str, Any]) -> "Settings":
        """The settings in a TOML file, or in a table that was read from one.

        Raises:
            PlanError: if it cannot be read, or a key is unknown (with the nearest that exists) or of the wrong type.
            RangeError: if a number lies outside its range.
        """
        return cls(**_strict(cls, _table(source)))

    def changed(self, source: str | Path | Mapping[str, Any]) -> "Settings":
        """These settings, but for those that a TOML file or a table names; for the errors see `from_toml`.

        Of a table in a table, such as `adversary`, the settings that it leaves out stay too.
        """
        kept = {key: value for key, value in asdict(self).items() if value is not None}
        changes = dict(_table(source))
        for key, value in changes.items():
            if isinstance(value, Mapping) and is_dataclass(getattr(self, key, None)):
                changes[key] = kept[key] | value
        return self.from_toml(kept | changes)


def check_types(settings: Any) -> None:
    """Refuse values of a type that their field does not have; give the others the type that they are kept in."""
    kind = type(settings)
    for name, hint in get_type_hints(kind).items():
        object.__setattr__(settings, name, _typed(f"{kind.__name__}.{name}", getattr(settings, name), hint))


def check_number(settings: Any, name: str, admits: Callable[[float], bool], what: str) -> None:
    """Refuse a number that makes no sense."""
    if not admits(getattr(settings, name)):
        raise RangeError(f"{type(settings).__name__}.{name} must be {what}; got {getattr(settings, name)}")


def _strict(kind: type[Any], table: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a table, once each key is known and has its type."""
    hints = get_type_hints(kind)
    for key in table:
        if key not in hints:
            raise PlanError(f"{kind.__name__} has no {key!r}{nearest(key, hints)}")
    for known in fields(kind):
        if known.default is MISSING and known.default_factory is MISSING and known.name not in table:
            raise PlanError(f"{kind.__name__} lacks {known.name!r}")
    return {key: _value(kind, key, value, hints[key]) for key, value in table.items()}


def _table(source: str | Path | Mapping[str, Any]) -> Mapping[str, Any]:
    if isinstance(source, Mapping):
        return source
    path = Path(source)
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise PlanError(f"cannot read the settings {path}: {error.strerror or error}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise PlanError(f"{path.name} is not TOML: {error}") from None


def _value(kind: type[Any], key: str, value: Any, hint: Any) -> Any:
    if isinstance(value, str) and value == "none" and type(None) in get_args(hint):
        return None
    nested = _nested(hint)
    if nested:
        if not isinstance(value, Mapping):
            raise PlanError(f'{kind.__name__}.{key} is {value!r}, expected a table of settings, or "none"')
        return nested[0](**_strict(nested[0], value))
    return _typed(f"{kind.__name__}.{key}", value, hint)


def _typed(what: str, value: Any, hint: Any) -> Any:
    if value is None and type(None) in get_args(hint):
        return None
    if get_origin(hint) is Literal:
        if not isinstance(value, str):
            raise PlanError(f"{what} is {_short(value)}, expected a name; there are {', '.join(get_args(hint))}")
        if value not in get_args(hint):
            raise PlanError(f"{what} is {_short(value)}{nearest(value, get_args(hint))}")
        return value
    if nested := _nested(hint):
        if not isinstance(value, nested[0]):
            raise PlanError(f"{what} is {_short(value)}, expected {nested[0].__name__}(...) or None")
        return value
    expected, admits, keep = KINDS[hint]
    if not admits(value):
        raise PlanError(f"{what} is {_short(value)}, expected {expected}")
    return keep(value)


def _nested(hint: Any) -> list[Any]:
    return [part for part in get_args(hint) if is_dataclass(part)]


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."


def _whole(value: Any) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool)


def _number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)


def _numbers(value: Any) -> bool:
    return isinstance(value, Mapping) and all(isinstance(k, str) and _number(v) for k, v in value.items())


def _floats(value: Mapping[str, Any]) -> dict[str, float]:
    # A whole number of pixels stays one.
    return {name: int(number) if _whole(number) else float(number) for name, number in value.items()}


LONGEST = 80  # characters of a value in an error
Kind = tuple[str, Callable[[Any], bool], Callable[[Any], Any]]
# By type: how it is named, which values are of it, and as what they are kept.
KINDS: dict[Any, Kind] = {
    int: ("a whole number", _whole, int),
    float: ("a number", _number, float),
    bool: ("true or false", lambda value: isinstance(value, bool), bool),
    Weights: (
        "a list of numbers",
        lambda value: isinstance(value, list | tuple) and all(map(_number, value)),
        lambda value: tuple(map(float, value)),
    ),
    tuple[str, ...]: (
        "a list of names",
        lambda value: isinstance(value, list | tuple) and all(isinstance(name, str) for name in value),
        tuple,
    ),
    Mapping[str, float]: ("a table of numbers", _numbers, _floats),
    Mix: (
        "a name or a table of numbers",
        lambda value: isinstance(value, str) or _numbers(value),
        lambda value: value if isinstance(value, str) else _floats(value),
    ),
}
