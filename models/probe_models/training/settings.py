"""How a network is trained."""

import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, is_dataclass
from numbers import Real
from pathlib import Path
from typing import Annotated, Any, Literal

from probe.conversion import Kind
from probe.declared import Declared, param, required
from probe.errors import PlanError
from probe.numbers import exact
from probe_models.training.augmentations import check

Weights = tuple[float, ...] | None


def _mix(value: Any, where: str) -> str | dict[str, float]:
    if isinstance(value, str):
        return value
    if not isinstance(value, Mapping) or not all(isinstance(name, str) for name in value):
        raise ValueError
    if not all(isinstance(number, Real) for number in value.values()):
        raise ValueError
    numbers = {name: exact(number) for name, number in value.items()}
    # A whole number of pixels stays one.
    return {name: number if isinstance(number, int) else float(number) for name, number in numbers.items()}


Mix = Annotated[str | Mapping[str, float], Kind("a name or a table of numbers", "names or tables of numbers", _mix)]


@dataclass(frozen=True, kw_only=True)
class Adversary(Declared):
    """How inputs are made hard while training; see `probe_models.training.adversary`."""

    method: Literal["fgsm", "pgd", "trades"] = required("how they are moved")
    eps: float = required(
        "radius of the ball, in the unit of the space's scale, by the largest change of a coordinate", low=0
    )
    steps: int = param(7, "gradient steps of pgd and trades", above=0)
    beta: float = param(6.0, "trades: how much the distance of the answers counts", above=0)


@dataclass(frozen=True, kw_only=True)
class Balance(Declared):
    """Which groups training treats evenly, and how; see `probe_models.training.groups`."""

    method: Literal["reweight", "group dro"] = required("by which")
    groups: tuple[str, ...] = required("columns of the data's groups, which the label joins")
    step: float = param(0.01, "group dro: how fast the weights of groups follow their losses", above=0)

    def __post_init__(self) -> None:
        if not self.groups:
            raise PlanError("Balance.groups is empty; name columns of the data's groups")


@dataclass(frozen=True, kw_only=True)
class Settings(Declared):
    """Every choice that training makes; the card records them. A 0 leaves out what says so.

    In TOML, where nothing cannot be said, "none" leaves out what is None here.
    """

    epochs: int = required("passes over the training rows, at most", above=0)
    batch: int = param(256, "rows a step", above=0)
    validation: float = param(
        0.1, "part of the training rows that choose the best epoch and are never trained on", above=0, below=1
    )
    patience: int = param(10, "epochs without a lower validation loss before it stops", above=0)

    optimiser: Literal["sgd", "momentum", "nesterov", "adagrad", "rmsprop", "adam", "adamw"] = param(
        "adamw", "how a step follows from the gradient"
    )
    momentum: float = param(
        0.9, "part of the last step in the next one; for adam and adamw of the mean gradient", above=0, below=1
    )
    rate: float = param(1e-3, "the highest learning rate", above=0)
    schedule: Literal["constant", "step", "cosine", "one-cycle", "plateau"] = param("cosine", "how the rate falls")
    warmup: float = param(0.2, "part of all steps in which the rate climbs, 0 for none", low=0, below=1)
    drop: float = param(0.1, "what a fall multiplies the rate by, for step and plateau", above=0, high=1)
    drops: int = param(3, "falls after the climb, for step", above=0)
    wait: int = param(3, "epochs without a lower validation loss before the rate falls, for plateau", above=0)

    loss: Literal[
        "cross-entropy", "mse", "bce", "squared error", "absolute error", "reconstruction", "elbo", "game"
    ] = param("cross-entropy", "what is made small; squared and absolute error are of numbers, mse of classes")
    smoothing: float = param(0.0, "part of each label that is spread over all classes", low=0, below=1)
    class_weights: Weights = param(None, "how much a row of each class counts", above=0)
    weight_decay: float = param(
        0.01, "adamw: times the rate, off each weight; else the factor of half the squared weights", low=0
    )
    l1: float = param(0.0, "times the rate: how far each weight moves towards 0 at a step, and stops there", low=0)
    clip: float = param(1.0, "the longest gradient (arXiv:1211.5063), 0 for any length", low=0)
    ema: float = param(
        0.0, "part of the old in the moving average of the weights that is judged and kept, 0 for none", low=0, below=1
    )
    ema_warmup: bool = param(
        True, "whether that part grows from .1, so that what was drawn is soon forgotten; see `training.average`"
    )

    initialiser: Literal["uniform", "he", "xavier", "orthogonal", "truncated normal"] = param(
        "uniform", "how weights are drawn"
    )
    augment: Mix = param(
        "none", 'a ready mix, or names with strengths: {"flip": 0.5, "shift": 2}, applied in that order'
    )
    mixup: float = param(
        0.0, "alpha of the Beta distribution that the coefficient of mixed rows is drawn from, 0 for none", low=0
    )
    precision: Literal["float32", "bfloat16"] = param("float32", "of products and convolutions; weights stay float32")
    execution: Literal["eager", "compiled"] = param("eager", "compiled: torch.compile, after a wait at the first step")
    recurrent: Literal["built in", "written out"] = param(
        "built in",
        "whether lstm and gru train by torch's own layers on a CPU, too, where eager in float32; written out they are "
        "slower, and round as those of the zoo",
    )
    layout: Literal["channels last", "channels first"] = param(
        "channels last", "of the weights of convolutions in memory"
    )
    parallel: Literal["replicated", "sharded"] = param(
        "replicated", "among processes: DDP, or FSDP2 that divides the weights"
    )

    adversary: Adversary | None = param(None, "moves inputs against the network")
    balance: Balance | None = param(None, "treats groups evenly")
    freeze: Mapping[str, float] = param(
        {}, "weights that are held still, by glob, and up to which part of all steps; 1 never lets go", above=0, high=1
    )

    def __post_init__(self) -> None:
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

    @classmethod
    def from_toml(cls, source: str | Path | Mapping[str, Any]) -> "Settings":
        """The settings in a TOML file, or in a table that was read from one.

        Raises:
            PlanError: if it cannot be read, or a key is unknown (with the nearest that exists), or a value is of the
                wrong type or outside its limits.
        """
        optional = {f.name for f in fields(cls) if f.default is None}
        table = {key: None if value == "none" and key in optional else value for key, value in _table(source).items()}
        return cls.read(table, "Settings")

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
