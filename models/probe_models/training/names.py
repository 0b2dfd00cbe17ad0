"""Selection of weights by glob."""

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase

from probe.errors import PlanError
from probe_models.training.augmentations import nearest


def matched(option: str, patterns: Iterable[str], names: Sequence[str]) -> set[str]:
    """The names that match any of the globs.

    Raises:
        PlanError: if a glob matches no name, as it would silently have no effect.
    """
    found: set[str] = set()
    for pattern in patterns:
        those = {name for name in names if fnmatchcase(name, pattern)}
        if not those:
            parts = dict.fromkeys(f"{name.partition('.')[0]}.*" for name in names)
            raise PlanError(f"{option}: {pattern!r} matches no weight{nearest(pattern, parts)}")
        found |= those
    return found
