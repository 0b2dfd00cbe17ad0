"""The radii of the attacks of a plan: which are whose, and what is refused."""

from collections.abc import Mapping, Sequence
from typing import Any

from probe.audit.sections import AttackPlan
from probe.contracts import Attack
from probe.errors import PlanError
from probe.numbers import BelowLevel, fraction


def own_radii(config: Mapping[str, Any]) -> tuple[str, ...]:
    """The radii that a plan gives to an attack alone; empty if it has those of all."""
    found = config.get("eps")
    return tuple(found) if isinstance(found, list | tuple) else ()


def check_radii(where: str, radii: Sequence[str]) -> None:
    """Raise PlanError if radii are not different numbers above 0; `where` is the key of the plan."""
    try:
        numbers = [float(fraction(eps)) for eps in radii]
    except BelowLevel as error:
        raise PlanError(f"{where} = {list(radii)!s:.80}, expected {error}") from None
    except (ValueError, OverflowError):
        raise PlanError(f'{where} = {list(radii)!s:.80}, expected radii such as "8/255" or "0.1"') from None
    if any(eps <= 0 for eps in numbers) or len(set(numbers)) < len(numbers):
        raise PlanError(f'{where} = {list(radii)!s:.80}, expected different radii above 0, such as "0.1"')


def check_attacks(attack_plan: AttackPlan, attacks: Sequence[Attack]) -> None:
    """Raise PlanError if the attacks of a plan cannot run at its radii; `attacks` are its methods, built."""
    _check_looks(attack_plan, attacks)
    named = list(zip(attacks, attack_plan.methods or (), strict=True))
    for attack, config in named:
        if not attack.threat.unit:
            raise PlanError(
                f"attack.methods names {attack.name()}, whose changes have no size, and a plan attacks at the budgets "
                f"attack.eps; run it with `probe attack`"
            )
        if attack.budget and attack.budget in config and not own_radii(config):
            raise PlanError(
                f"attack.methods sets {attack.budget} = {config[attack.budget]!r:.60} of {attack.name()}, expected its "
                f'own radii, as in {{method = "{attack.name()}", eps = ["0.1", "0.2"]}}; without, they are attack.eps'
            )
    _check_norms(attack_plan, attacks)
    check_radii("attack.eps", attack_plan.eps or ())
    for attack, config in named:
        radii = own_radii(config)
        check_radii(f"eps of {attack.name()} in attack.methods", radii)
        for eps in radii or attack_plan.eps or ():
            attack.at(eps)  # some count in whole numbers


def _check_looks(attack_plan: AttackPlan, attacks: Sequence[Any]) -> None:
    """Raise PlanError if it is not one share that ends the attacks."""
    if not attack_plan.until_decided:
        return
    if len(attacks) > 1:
        raise PlanError(
            f"attack.until_decided ends one attack when its share is decided, and attack.methods names {len(attacks)}; "
            f'name one, such as methods = ["{attacks[-1].name()}"], or cascade, which is several in one'
        )
    if attack_plan.labels:
        raise PlanError(
            "attack.until_decided is about the whole answer, and attack.labels names labels to attack alone; "
            "leave one of the two out"
        )


def _check_norms(attack_plan: AttackPlan, attacks: Sequence[Any]) -> None:
    """Raise PlanError if attacks of two norms have radii in common, or two of one norm have different ones."""
    norms: dict[Any, tuple[Any, tuple[str, ...]]] = {}  # the first attack of each norm, with its own radii
    for attack, config in zip(attacks, attack_plan.methods or (), strict=True):
        own = own_radii(config)
        first, its = norms.setdefault(attack.threat, (attack, own))
        if set(its) != set(own):
            raise PlanError(
                f"attack.methods gives {first.name()} and {attack.name()} the same norm and different radii; give both "
                "the same eps = [...], or none: then they are attack.eps"
            )
    shared = [attack for attack, own in norms.values() if not own]
    if len(shared) > 1:
        raise PlanError(
            f"attack.methods mixes norms: the radii of {shared[0].name()} and {shared[1].name()} cannot be compared; "
            f'give one its own, as in {{method = "{shared[1].name()}", eps = ["0.5", "1"]}}'
        )
