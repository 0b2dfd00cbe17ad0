"""What is known of robust accuracy at each radius: at least what is certified, at most what the attacks left."""

from dataclasses import dataclass

from probe.audit.budgets import reach_of
from probe.audit.bundle import Bundle
from probe.audit.reading.attacked import Attacks, Curve, Point, attacks

CERTIFIED = "certified"


@dataclass(frozen=True, kw_only=True)
class Bracket:
    """Robust accuracy at one radius lies between two shares of the same rows, each with its interval."""

    certified: Point
    withstood: Point

    @property
    def sentence(self) -> str:
        """The bracket in a sentence."""
        low, high = (f"{end.written.value} [{end.written.ends}]" for end in (self.certified, self.withstood))
        return (
            f"Robust accuracy at {self.certified.at}: at least {low}, certified; at most {high}, under these attacks."
        )


def brackets(bundle: Bundle) -> list[Bracket]:
    """The bracket of each norm at each radius; none where no certificate is of the model and these changes."""
    return [each for some in attacks(bundle) for each in brackets_of(some)]


def brackets_of(some: Attacks) -> list[Bracket]:
    """The bracket at each radius of these attacks."""
    if not some.family.judges or not some.bundle.has("tables/bracket.csv"):
        return []
    found, step = [], some.family.steps[0]
    for row in some.bundle.table("bracket").to_dict("records"):
        if row["norm"] != some.family.key[0]:
            continue
        eps, at = float(row["eps"]), reach_of(some.bundle.manifest, step, float(row["eps"]))
        certified, withstood = (
            Point(eps=eps, at=at, value=float(value), low=float(low), high=float(high), n=int(row["n"]))
            for value, low, high in (
                (row["certified"], row["certified_low"], row["certified_high"]),
                (row["withstood"], row["low"], row["high"]),
            )
        )
        found.append(Bracket(certified=certified, withstood=withstood))
    return found


def bracketed(some: Attacks) -> list[Curve]:
    """The curves of attacks, and that of what is certified from below."""
    known = brackets_of(some)
    return [*some.curves, Curve(CERTIFIED, [each.certified for each in known])] if known else some.curves
