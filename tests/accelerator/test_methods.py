"""Every method that there is gives the CPU's numbers on another device. A new one is tested here by itself."""

from dataclasses import MISSING, fields
from itertools import chain, cycle

import numpy as np
import pytest

from probe import Dataset, Prediction, load
from probe.attacks import PGD
from probe.certificates import RandomizedSmoothing
from probe.explainers import IntegratedGradients
from probe.outcomes import Certification
from probe.registry import discover
from probe.results import Attribution, Perturbation
from tests.accelerator.comparing import assert_same, outcome
from tests.accelerator.models import CASES
from tests.light import own_attacks, own_explainers
from tests.test_guest import METHODS as GUESTS
from tests.test_guest import installed, site

__all__ = ["installed", "site"]  # fixtures
pytestmark = pytest.mark.usefixtures("installed")
SMALL = {
    "steps": 5,
    "samples": 40,
    "draws": 30,
    "chosen": 10,
    "halvings": 4,
    "queries": 30,
    "max_queries": 30,
    "candidates": 4,
    "angles": 5,
    "shifts": 3,
    "rounds": 2,
}
GIVEN = {
    "flip": {"of": 1},
    "shift": {"by": 0.1},
    "top_k": {"k": 2},
    "partial_dependence": {"feature": "job"},
    "accumulated_effects": {"feature": "age"},
    "layer_activation": {"layer": "head"},
    "layer_conductance": {"layer": "head"},
    "tcav": {"layers": ("1",), "feature": "age", "least": 0.0, "repeats": 3},
    "last_layer_influence": {"count": 2},
    "nearest_cases": {"layer": "1", "count": 2},
    "outlier_auroc": {"layer": "1"},
    "agreement": {"other": IntegratedGradients(steps=4)},
    "attack_checks": {"attack": PGD(steps=3, eps=0.3)},
    "custom": {"score": lambda logits, labels, targets: logits[:, -1] - 0.2},
}


def named(family):
    """The methods of a family, and that of a package outside of probe."""
    known = {"explainer": own_explainers, "attack": own_attacks}.get(family, lambda: discover(family))()
    return pytest.mark.parametrize("name", sorted({*known, *filter(None, [GUESTS.get(family)])}))


def made(family, name, **settings):
    """A method with settings that make it quick."""
    kind = discover(family)[name]
    settings = {key: value for key, value in (SMALL | settings).items() if key in {f.name for f in fields(kind)}}
    settings |= GIVEN.get(name, {})
    needed = [f.name for f in fields(kind) if f.default is MISSING and f.name not in settings]
    assert not needed, f"say in GIVEN what {name}.{needed[0]} is tried with"
    return kind(**settings)


def compared(device, method, *asks, stays=True):
    """Ask models of the cases on both devices; how many gave an answer, on the device if it `stays`, no refusal.

    A method is asked about a case that depends on its name, and on until one is answered. Of several questions each is
    asked of a case of its own.
    """
    placed = device if stays else None
    answered, first = 0, sum(method.encode())
    cases = chain(*([*CASES.items()][(first + at) % 4 :: 4] for at in range(4)))
    for at, ((name, build), ask) in enumerate(zip(cases, cycle(asks), strict=False)):
        if answered and at >= len(asks):
            break
        case = build()
        expected, found = (
            outcome(lambda model=m, case=case, ask=ask: ask(model, case)) for m in (case.model, case.on(device))
        )
        assert_same(found, expected, placed, name)
        answered += not isinstance(expected, tuple)
    return answered


@pytest.mark.slow
@named("explainer")
def test_explainer_gives_the_numbers_of_the_cpu(device, name, tmp_path):
    outputs = ("logit", "probability") if len(name) % 2 else ("probability", "logit")
    methods = [made("explainer", name, output=output) for output in outputs]
    assert compared(device, name, *(lambda model, case, m=method: m(model, case.inputs) for method in methods)) >= 1
    cases = [CASES[each]() for each in ("attention", "image")]  # some have no rule for attention, some need it
    found = [outcome(lambda case=case: methods[0](case.on(device), case.inputs.to(device))) for case in cases]
    result = next(each for each in found if not isinstance(each, tuple))
    result.save(tmp_path / "r")
    assert load(tmp_path / "r").to_frame().equals(result.to_frame())
    assert "<img" in result[:1]._repr_html_()


@pytest.mark.slow
@named("attack")
def test_attack_with_a_budget_for_each_example_gives_the_numbers_of_the_cpu(device, name):
    method = made("attack", name)
    each = (0.0, 0.2, 0.3, 0.1, 0.3) if method.threat.unit == "radius" else (0, 1, 2, 1, 2)

    def attack(model, case):
        return method(model, case.inputs, case.labels, eps=each[: len(case.inputs)])

    assert compared(device, name, attack) >= 1


@pytest.mark.slow
@named("goal")
def test_goal_gives_the_numbers_of_the_cpu(device, name):
    goal = made("goal", name)
    attack = PGD(goal=goal, eps=0.3, steps=2, norm="l2")
    assert compared(device, name, lambda model, case: attack(model, case.inputs, case.labels)) >= (name != "targeted")
    targets = CASES["image"]().labels.roll(1)
    if goal.aimed:
        case = CASES["image"]()
        assert_same(
            attack(case.on(device), case.inputs, case.labels, targets=targets),
            attack(case.model, case.inputs, case.labels, targets=targets),
            device,
        )


@pytest.mark.slow
@named("certificate")
def test_certificate_gives_the_numbers_of_the_cpu(device, name):
    method = made("certificate", name)
    assert compared(device, name, lambda model, case: method(model, case.inputs, case.labels)) >= 1


@pytest.mark.slow
@named("survey")
def test_survey_gives_the_numbers_of_the_cpu(device, name):
    method = made("survey", name)

    def examine(model, case):
        return method(model, Dataset(case.inputs, case.labels, space=case.model.space))

    assert compared(device, name, examine) >= 1


def results(model, case, kind):
    """What a metric of that kind of result reads, if there is one."""
    asks = {
        Prediction: lambda: Prediction.of(
            model, model.check(case.inputs), model.check_labels(case.labels, case.inputs)
        ),
        Attribution: lambda: IntegratedGradients(steps=4)(model, case.inputs),
        Perturbation: lambda: PGD(steps=3, eps=0.3)(model, case.inputs, case.labels),
        Certification: lambda: RandomizedSmoothing(draws=30)(model, case.inputs, case.labels),
    }
    found = [outcome(ask) for each, ask in asks.items() if issubclass(each, kind)]
    return [result for result in found if not isinstance(result, tuple)]


@pytest.mark.slow
@named("metric")
def test_metric_gives_the_numbers_of_the_cpu(device, name):
    method = made("metric", name)

    def measured(model, case):
        given = [r for r in results(model, case, method.result_type()) if method.suits(r)]
        scores = [method(model, result) for result in given]
        return [(s.evidence, np.array(s.interval()).round(4).tolist(), s.cost) for s in scores]

    assert compared(device, name, measured, stays=False) >= 1
