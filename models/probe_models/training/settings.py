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
from probe.names import a_kind
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
    """Adversarial training: the attack on the training rows; see `probe_models.training.adversary`."""

    method: Literal["fgsm", "pgd", "trades"] = required("the attack")
    eps: float = required("L-infinity radius, in units of the space's scale", low=0)
    steps: int = param(7, "gradient steps of pgd and trades", above=0)
    beta: float = param(6.0, "trades: weight of the divergence between clean and adversarial outputs", above=0)


@dataclass(frozen=True, kw_only=True)
class Certify(Declared):
    """Certified training by interval bounds; see `probe_models.training.objectives.certified`."""

    eps: float = required("L-infinity radius to certify, in units of the space's scale", above=0)
    warmup: float = param(0.1, "fraction of all steps before the radius begins to grow from 0", low=0, below=1)
    ramp: float = param(0.6, "fraction of all steps at which it has grown to eps", above=0, high=1)
    clean: float = param(0.5, "weight of the loss on clean inputs from then on", low=0, below=1)


@dataclass(frozen=True, kw_only=True)
class Balance(Declared):
    """Training that balances groups; see `probe_models.training.groups`."""

    method: Literal["reweight", "group dro"] = required("reweight rows, or weight groups by their loss")
    groups: tuple[str, ...] = required("group columns of the data; groups are crossed with the label")
    step: float = param(0.01, "group dro: step size of the group weights", above=0)

    def __post_init__(self) -> None:
        if not self.groups:
            raise PlanError("Balance.groups is empty; name columns of the data's groups")


@dataclass(frozen=True, kw_only=True)
class Settings(Declared):
    """All hyperparameters of training, which the card of a network records. Some options are turned off by 0.

    TOML has no null: write "none" for a setting that is None here.

    >>> settings = Settings(epochs=5, learning_rate=1e-2)
    >>> settings.batch_size, settings.changed({"schedule": "constant"}).schedule
    (256, 'constant')
    """

    epochs: int = required("maximum number of epochs", above=0)
    batch_size: int = param(256, "rows per step", above=0)
    validation: float = param(0.1, "fraction of the training rows held out to choose the best epoch", above=0, below=1)
    patience: int = param(10, "early stopping: epochs without a lower validation loss", above=0)

    optimiser: Literal["sgd", "momentum", "nesterov", "adagrad", "rmsprop", "adam", "adamw"] = param(
        "adamw", "the optimiser"
    )
    momentum: float = param(0.9, "momentum; the first beta of adam and adamw", above=0, below=1)
    learning_rate: float = param(1e-3, "peak learning rate", above=0)
    schedule: Literal["constant", "step", "cosine", "one-cycle", "plateau"] = param(
        "cosine", "how the learning rate decays"
    )
    warmup: float = param(0.2, "fraction of all steps used for the linear warm-up, 0 for none", low=0, below=1)
    gamma: float = param(0.1, "factor of each decay of the learning rate, for step and plateau", above=0, high=1)
    milestones: int = param(3, "number of decays after the warm-up, evenly spaced, for step", above=0)
    plateau_patience: int = param(3, "epochs without a lower validation loss before a decay, for plateau", above=0)

    loss: Literal[
        "cross-entropy",
        "mse",
        "bce",
        "next word",
        "squared error",
        "absolute error",
        "reconstruction",
        "elbo",
        "game",
    ] = param("cross-entropy", "the loss; squared and absolute error are for regression, mse is for classes")
    label_smoothing: float = param(0.0, "fraction of each label spread over all classes", low=0, below=1)
    class_weights: Weights = param(None, "weight of each class in the loss", above=0)
    weight_decay: float = param(0.01, "weight decay, decoupled in adamw, an L2 penalty in the other optimisers", low=0)
    l1: float = param(0.0, "L1 penalty: each step moves weights towards 0 by this times the learning rate", low=0)
    clip: float = param(1.0, "maximum gradient norm (arXiv:1211.5063), 0 for no clipping", low=0)
    ema: float = param(
        0.0,
        "decay of the exponential moving average of the weights, which is evaluated and kept; 0 for none",
        low=0,
        below=1,
    )
    ema_warmup: bool = param(
        True, "whether that decay grows from .1, so that the initial weights are soon forgotten; see `training.average`"
    )

    initialiser: Literal["uniform", "he", "xavier", "orthogonal", "truncated normal"] = param(
        "uniform", "distribution of the initial weights"
    )
    augment: Mix = param("none", 'a preset, or names with strengths: {"flip": 0.5, "shift": 2}, applied in that order')
    mixup: float = param(
        0.0, "alpha of the Beta distribution of the mixing coefficient (arXiv:1710.09412), 0 for none", low=0
    )
    precision: Literal["float32", "bfloat16"] = param(
        "float32", "of matrix products and convolutions; weights stay float32"
    )
    execution: Literal["eager", "compiled"] = param(
        "eager", "compiled: torch.compile, which takes a while at the first step"
    )
    recurrent: Literal["built in", "written out"] = param(
        "built in",
        "built in: lstm and gru train by torch's own layers on a CPU too, where eager in float32; written out: "
        "slower, with the rounding of the zoo's networks",
    )
    layout: Literal["channels last", "channels first"] = param("channels last", "memory format of convolution weights")
    parallel: Literal["replicated", "sharded"] = param(
        "replicated", "with several processes: DDP, or FSDP2, which shards the weights"
    )

    adversary: Adversary | None = param(None, "adversarial training")
    certified: Certify | None = param(None, "certified training")
    balance: Balance | None = param(None, "balanced groups")
    freeze: Mapping[str, float] = param(
        {}, "frozen weights, by glob, and until which fraction of all steps; 1 freezes them for good", above=0, high=1
    )

    def __post_init__(self) -> None:
        if self.parallel == "sharded" and self.layout == "channels last":
            raise PlanError('Settings.parallel = "sharded" shards contiguous weights; set layout = "channels first"')
        if self.parallel == "sharded" and self.adversary:
            raise PlanError(
                'Settings.parallel = "sharded" does not work with an adversary, which needs all weights at once'
            )
        if self.loss == "game" and self.execution == "compiled":
            raise PlanError(
                'Settings.loss = "game" needs second derivatives, which torch.compile lacks; leave execution eager'
            )
        if self.certified and (self.adversary or self.mixup or self.balance or self.loss != "cross-entropy"):
            raise PlanError(
                "Settings.certified trains on the worst case for the label itself, by cross-entropy; leave adversary, "
                "mixup, balance and loss out"
            )
        if self.mixup and self.balance:
            raise PlanError(
                "Settings.mixup mixes rows of all groups, which Settings.balance keeps apart; leave one out"
            )
        check(self.augment)

    @classmethod
    def from_toml(cls, source: str | Path | Mapping[str, Any]) -> "Settings":
        """Read settings from a TOML file, or from a table that was read from one.

        Raises:
            PlanError: if it cannot be read, a key is unknown (the message names the nearest), or a value has the wrong
                type or is outside its limits.
        """
        optional = {f.name for f in fields(cls) if f.default is None}
        table = {key: None if value == "none" and key in optional else value for key, value in _table(source).items()}
        return cls.read(table, "Settings")

    def changed(self, source: str | Path | Mapping[str, Any]) -> "Settings":
        """A copy of these settings with those that a TOML file or a table names; for the errors see `from_toml`.

        Settings that a nested table such as `adversary` leaves out are kept too.
        """
        kept = {key: value for key, value in asdict(self).items() if value is not None}
        changes = dict(_table(source))
        for key, value in changes.items():
            if isinstance(value, Mapping) and is_dataclass(getattr(self, key, None)):
                changes[key] = kept[key] | value
        return self.from_toml(kept | changes)


def settings_of(given: Any) -> Settings:
    """The settings, or PlanError with the way to make them of what was given."""
    if isinstance(given, Settings):
        return given
    how = "from_toml(settings)" if isinstance(given, Mapping | str | Path) else "(epochs=5)"
    raise PlanError(
        f"settings are {a_kind(given)}, expected Settings; write Settings{'.' * (how[0] == 'f')}{how}, with "
        "Settings from probe_models.training.settings"
    )


def _table(source: str | Path | Mapping[str, Any]) -> Mapping[str, Any]:
    if isinstance(source, Mapping):
        return source
    path = Path(source)
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise PlanError(f"cannot read the settings {path}: {error.strerror or error}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise PlanError(f"{path.name} is not TOML: {error}") from None
