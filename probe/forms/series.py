"""Time series with one or several channels."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil, isfinite, isnan, log10
from numbers import Real
from typing import Any, ClassVar

from probe.errors import RangeError, ShapeError
from probe.forms.form import Coordinates, Defaults, Form, Owner, written
from probe.names import Passed


@dataclass(frozen=True, kw_only=True, repr=False)
class Series(Form):
    """A time series (channels, length), channels first, such as the leads of an electrocardiogram.

    `names` are those of the channels; features are named by channel and time.

    >>> Series(names=("lead I",), sampling_rate=100.0).record()
    {'name': 'series', 'names': ['lead I'], 'rate': 100.0}

    Raises:
        RangeError: if the sampling rate is not a finite number of at least 0.
    """

    name: ClassVar[str] = "series"
    read_as: ClassVar[str] = "series as arrays"
    told: ClassVar[bool] = True
    near: ClassVar[int] = 1
    one_per: ClassVar[Mapping[str, str]] = {**Form.one_per, "names": "channels"}
    defaults: ClassVar[Defaults] = Defaults(explainers=("saliency", *Defaults().explainers), sample=1000)

    sampling_rate: Passed[float] = 0.0  # measurements per second; 0: unknown, and time is counted in measurements

    def __post_init__(self) -> None:
        super().__post_init__()
        rate = self.sampling_rate
        if not isinstance(rate, Real) or not (isfinite(rate) and rate >= 0):
            raise RangeError(
                f"Series.sampling_rate = {rate!r:.60}, expected the number of measurements per second, such as "
                "100.0, or 0 if it is unknown"
            )

    def record(self) -> Mapping[str, Any]:
        return {"name": self.name, "names": list(self.names), "rate": float(self.sampling_rate)}  # the key in bundles

    def check_shape(self, shape: Sequence[int]) -> None:
        if len(shape) != 2:
            raise ShapeError(
                f"each example has shape {tuple(shape)}, expected a series (channels, length)"
                + ("; write inputs[:, None] where there is one channel" if len(shape) == 1 else "")
            )

    def feature_names(self, count: int, like: Coordinates, owner: Owner) -> tuple[str, ...]:
        """The channel and the time span of each feature.

        Features that differ between rows have only their index, as their times differ too.
        """
        if len(owner) > 1:
            return tuple(f"stretch {at}" for at in range(count))
        channels, length = like.shape[1:]
        places: list[list[int]] = [[] for _ in range(count)]
        for at, feature in enumerate(owner[0].tolist()):
            places[feature].append(at)
        return tuple(self._called(each, channels, length) for each in places)

    def describe(self, row: Sequence[float], feature: int, places: Sequence[int]) -> str:
        """The mean and range of a time span; for a single measurement, its value."""
        known = [row[at] for at in places if not isnan(row[at])]
        if len(known) < 2:
            return written(known[0]) if known else "missing"
        mean, low, high = (f"{value:.3g}" for value in (sum(known) / len(known), min(known), max(known)))
        return f"mean {mean}, {low} to {high}"

    def _called(self, places: Sequence[int], channels: int, length: int) -> str:
        own = sorted({at // length for at in places})
        times = sorted({at % length for at in places})
        when = self._time(times[0]) if len(times) == 1 else f"{self._time(times[0])} to {self._time(times[-1])}"
        when = f"{when} s" if self.sampling_rate else f"step {when}" if len(times) == 1 else f"steps {when}"
        if channels == 1 or len(own) == channels:
            return when
        named = [self.names[at] if self.names else f"channel {at}" for at in own]
        return f"{', '.join(named)}, {when}"

    def _time(self, at: int) -> str:
        """The time of a measurement, with enough digits to tell neighbours apart."""
        rate = self.sampling_rate
        return f"{at / rate:.{max(0, ceil(log10(rate)))}f}" if rate else str(at)
