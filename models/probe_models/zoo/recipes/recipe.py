"""What a recipe says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from probe_models.datasets import Reader, reader
from probe_models.training.settings import Settings

if TYPE_CHECKING:
    from probe_models.datasets.own import Own


@dataclass(frozen=True, kw_only=True)
class Begin:
    """The trained model that a network begins with, and which weights are new, by glob; see `zoo.transfer`."""

    model: str
    replaced: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """An architecture, the data that it learns from, how it is trained, and how good it must become."""

    architecture: str
    kwargs: Mapping[str, Any]
    data: str  # the data set that it is trained on
    own: Own | None = None  # the user's data, whose name is then `data`
    audited: str = ""  # the data set that it is evaluated and audited on; the test split of `data` unless named
    begin: Begin | None = None
    settings: Settings
    preprocessing: str
    # What is measured on the test split beside accuracy, by name in `probe_models.zoo.measures`.
    measures: tuple[str, ...] = ()
    # What a bundled checkpoint must reach, and not pass, by metric: the latter a distance, or what only a leak can do.
    at_least: Mapping[str, float] = field(default_factory=dict)
    at_most: Mapping[str, float] = field(default_factory=dict)

    @property
    def judged_on(self) -> str:
        """The data set whose test split says how good the model is."""
        return self.audited or self.data

    @property
    def reader(self) -> Reader:
        """What reads the rows that it is trained on."""
        return self.own or reader(self.data)

    @property
    def judge(self) -> Reader:
        """What reads the rows that say how good it is."""
        return self.own or reader(self.judged_on)

    @property
    def judged_by(self) -> tuple[str, ...]:
        """The metrics that say how good it is."""
        return tuple(dict.fromkeys((*self.at_least, *self.at_most))) or ("accuracy",)
