"""What became of the findings of one audit in another: another status, new, gone, or as before."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

from probe.audit.families import JUDGED
from probe.finding import Finding
from probe.formatting import DASH
from probe.statuses import urgency

Known = dict[tuple[str, str, str], list[Finding]]


@dataclass(frozen=True)
class Change:
    """One check in two audits; None in the audit that does not make it."""

    first: Finding | None
    second: Finding | None

    @property
    def there(self) -> Finding:
        """The finding, as the later audit has it."""
        found = self.second or self.first
        assert found is not None
        return found

    @property
    def note(self) -> str:
        """What else differs than what was measured: the threshold, or how it was measured."""
        if self.first is None or self.second is None:
            return ""
        told = []
        asked = [finding.written().threshold or DASH for finding in (self.first, self.second)]
        if asked[0] != asked[1]:
            told.append(f"the threshold changed from {asked[0]} to {asked[1]}")
        if self.first.method != self.second.method:
            told.append("it was measured with other settings")
        return "; ".join(told)

    def to_json(self) -> dict[str, Any]:
        """The check with its outcome in both."""
        return {
            "aspect": self.there.aspect,
            "check": self.there.check,
            "first": None if self.first is None else self.first.status,
            "second": None if self.second is None else self.second.status,
            "note": self.note,
        }


class Changes(NamedTuple):
    """The findings of two audits, those first that a reader needs most."""

    changed: tuple[Change, ...] = ()
    new: tuple[Change, ...] = ()
    gone: tuple[Change, ...] = ()
    same: tuple[Change, ...] = ()  # their status is, not their numbers


def changes(first: Iterable[Finding], second: Iterable[Finding], *, norms: tuple[str, str] = ("", "")) -> Changes:
    """Pair the findings of two audits by aspect and check, and tell those whose status changed from the others.

    Where the attacks of each are of one norm only, `norms` names them: radii of two norms do not compare.
    """
    paired = [Change(*sides) for sides in _paired(by_check(first, norms[0]), by_check(second, norms[1]))]
    both = [change for change in paired if change.first and change.second]
    return Changes(
        changed=_sorted(c for c in both if _statuses(c)[0] != _statuses(c)[1]),
        new=_sorted(c for c in paired if c.first is None),
        gone=_sorted(c for c in paired if c.second is None),
        same=_sorted(c for c in both if _statuses(c)[0] == _statuses(c)[1]),
    )


def by_check(findings: Iterable[Finding], norm: str = "") -> Known:
    """Findings by aspect and check, and those of attacks by their norm too."""
    known: Known = {}
    for finding in findings:
        of = norm if finding.metric in JUDGED else ""
        known.setdefault((finding.aspect, finding.check, of), []).append(finding)
    return known


def _statuses(change: Change) -> list[str]:
    return [finding.status for finding in (change.first, change.second) if finding is not None]


def _sorted(found: Iterable[Change]) -> tuple[Change, ...]:
    """What is most urgent in the later audit first, and of those what was best before."""
    return tuple(sorted(found, key=lambda c: (urgency(_statuses(c)[-1]), -urgency(_statuses(c)[0]))))


def _paired(first: Known, second: Known) -> Iterable[tuple[Finding | None, Finding | None]]:
    for key in dict.fromkeys((*first, *second)):
        one, other = first.get(key, []), second.get(key, [])
        for at in range(max(len(one), len(other))):
            yield (one[at] if at < len(one) else None), (other[at] if at < len(other) else None)
