"""What people write into a setting, and what a class may declare as one."""

import copy
import inspect
import json
import pickle
import pydoc
import time
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Literal

import pytest
import torch

from probe import Attack, Method, registry
from probe.attacks import FGSM, PGD, GradArgmax, HotFlip
from probe.audit.plan import plan_from
from probe.errors import ContractError, PlanError, ProbeError, RangeError, SettingError, UnknownSetting
from probe.explainers import IntegratedGradients, KernelShap, Saliency
from probe.method import param, required
from probe.metrics import Accuracy
from probe.numbers import Number, as_written
from probe.registry import build, methods


def test_a_setting_prints_as_it_was_written_and_counts_as_its_number():
    attack = PGD(eps="4/255", step="1/4")
    assert repr(attack) == "PGD(eps='4/255', norm='linf', steps=40, restarts=1, step='1/4', seed=0)"
    assert eval(repr(attack)) == attack
    assert attack.eps == 4 / 255
    assert attack == PGD(eps=4 / 255, step=0.25)
    assert hash(attack) == hash(PGD(eps=4 / 255, step=0.25))
    for other in (replace(attack, steps=3), copy.deepcopy(attack), pickle.loads(pickle.dumps(attack))):
        assert "eps='4/255'" in repr(other)
    assert repr(FGSM()) == "FGSM(eps='8/255', norm='linf')"
    assert repr(PGD(eps="0.25").eps) == "0.25"


def test_settings_travel_as_numbers_or_as_they_were_written():
    attack = PGD(eps="4/255")
    assert json.loads(json.dumps(attack.config()))["eps"] == 4 / 255
    kept = json.loads(json.dumps(as_written(attack.config())))
    assert kept["eps"] == "4/255"
    assert repr(build(methods(), kept)) == repr(attack)


def test_whole_numbers_never_pass_through_a_float():
    for seed in (2**53 + 1, 2**63 - 1):
        assert KernelShap(seed=seed).seed == seed
        assert KernelShap(seed=str(seed)).seed == seed
        torch.Generator().manual_seed(seed)
    assert PGD(steps=3.0).steps == 3
    assert PGD(steps="6/2").steps == 3
    assert PGD(steps=torch.tensor(3)).steps == 3


@pytest.mark.parametrize(
    ("setting", "value", "message"),
    [
        ("steps", 10**30, "expected a whole number from 1 to 9223372036854775807"),
        ("steps", 2**63, "expected a whole number from 1 to"),
        ("seed", 2**64, "expected a whole number from 0 to"),
        ("steps", 1 << 16609, "a whole number of 16610 bits, expected a number such as 40"),
        ("steps", "9" * 5000, r"9\.\.\., expected a number such as 40"),
        ("steps", "5/2", "expected a whole number of at least 1"),
        ("steps", True, "PGD.steps = True, expected a number"),
        ("steps", torch.tensor(True), "expected a number"),
        ("steps", torch.tensor(3, device="meta"), "expected a number"),
        ("eps", True, "PGD.eps = True, expected a number such as 8/255"),
        ("eps", False, "expected a number"),
        ("eps", b"1", "expected a number"),
        ("eps", None, "expected a number"),
        ("eps", [0.1] * 1000, r"\.\.\., expected a number"),
        ("eps", torch.ones(3), "expected a number"),
        ("eps", 1 + 2j, "expected a number"),
        ("eps", float("inf"), "PGD.eps = inf, expected a number"),
        ("eps", "1/0", "expected a number"),
        ("eps", "1e400", "expected a number"),
        ("eps", "1e400000000", "expected a number"),
        ("eps", "1e4_00000000", "expected a number"),
        ("eps", "1e-400000000", "expected a number"),
        ("eps", "1" * 5000 + "/7", "expected a number"),
        ("eps", 10**400, "expected a number"),
        ("step", 2.5, r"expected a number from 0.0 to 2.0"),
        ("norm", 2, "expected one of linf, l2, l1"),
        ("norm", ["linf"], "expected one of linf, l2, l1"),
    ],
    ids=lambda value: "" if isinstance(value, int) else None,  # Python prints no number of 4,300 digits
)
def test_a_hostile_or_invalid_value_is_refused_at_once_in_one_short_sentence(setting, value, message):
    started = time.perf_counter()
    with pytest.raises(RangeError, match=message) as caught:
        PGD(**{setting: value})
    assert len(str(caught.value)) < 200
    assert "\n" not in str(caught.value)
    assert time.perf_counter() - started < 1


def test_a_plan_with_a_hostile_radius_is_refused_at_once():
    for eps in ("1e400", "1e100000000", "1e400000000", "9" * 5000, "1/0"):
        started = time.perf_counter()
        with pytest.raises(PlanError, match="expected radii such as"):
            plan_from({"name": "a", "model": {"zoo": "adult-mlp"}, "attack": {"eps": [eps]}})
        assert time.perf_counter() - started < 1


def test_a_setting_without_name_or_misspelt_is_refused_with_the_right_name():
    for wrong, message in (
        (lambda: PGD(0.1), r"PGD takes its settings by name; write PGD\(eps=0.1\)"),
        (lambda: IntegratedGradients(0.1), r"write IntegratedGradients\(tolerance=0.1\)"),
        (lambda: PGD(epsilon=0.1), r"PGD has no setting 'epsilon' \(did you mean 'eps'\?\); it has goal, eps, norm"),
        (lambda: Accuracy(1), "Accuracy takes its settings by name, and has none"),
        (lambda: replace(PGD(), step_s=1), "did you mean 'steps'"),
    ):
        with pytest.raises(UnknownSetting, match=message) as caught:
            wrong()
        assert isinstance(caught.value, TypeError)
        assert isinstance(caught.value, ProbeError)


def declared(annotation, default):
    body = {"__annotations__": {"x": annotation}, "x": default, "__module__": __name__}
    return dataclass(frozen=True, kw_only=True)(type(Method)("Mine", (Method,), body))


@pytest.mark.parametrize(
    ("annotation", "default", "message"),
    [
        (float, param(-5.0, "", low=0.0), r"the default of Mine.x = -5.0, expected a number of at least 0.0"),
        (Literal["a", "b"], param("zzz", ""), "the default of Mine.x = 'zzz', expected one of a, b"),
        (int, param(1.5, ""), "the default of Mine.x = 1.5, expected a whole number"),
        (float, param(float("nan"), ""), "the default of Mine.x = nan"),
        (bool, param("maybe", ""), "expected true or false"),
        (float, "wide", "the default of Mine.x = 'wide'"),
        (
            tuple,
            param((), ""),
            "Mine.x is of type tuple, which cannot be a setting; a setting is int, float, str, bool,",
        ),
        (tuple[int, int], param((1, 2), ""), r"type tuple\[int, int\], which cannot be a setting"),
        (object, param(None, ""), "type object, which cannot be a setting"),
        ("Elsewhere", param(None, ""), "Mine.x is of type Elsewhere, which is not known when the class is made"),
        (int | None, param("many", ""), "the default of Mine.x = 'many', expected a whole number, or none"),
        (tuple[int, ...], param((1, 2.5), ""), "the default of Mine.x holds 2.5, expected whole numbers"),
        (Callable[[int], int], param(3, ""), "the default of Mine.x = 3, expected a function"),
        (Attack, param(5, ""), "the default of Mine.x = 5, expected a method of the kind Attack"),
        (Saliency, param(PGD(), ""), "expected a method of the kind Saliency"),
    ],
)
def test_a_method_with_an_invalid_setting_type_cannot_be_defined(annotation, default, message):
    with pytest.raises(ContractError, match=message):
        declared(annotation, default)


@dataclass(frozen=True, kw_only=True)
class Every(Method):
    """A method with a setting of each type."""

    layer: str = required("where")
    classes: tuple[int, ...] = param((), "which")
    most: int | None = param(None, "how many", low=1)
    radius: Number | None = param(None, "how far", above=0)
    norm: Literal["linf", "l2"] = param("l2", "how it is measured")
    channels: Literal[1, 3] = param(3, "how many colours")
    judge: Callable[[int], bool] = param(bool, "what decides")


def test_a_setting_of_each_type_takes_values_and_what_the_command_line_writes():
    made = Every(layer="blocks.2", classes=[1, 2], most=3, radius="8/255", norm="linf", channels=1)
    assert (made.classes, made.most, made.norm, made.channels) == ((1, 2), 3, "linf", 1)
    assert repr(made.radius) == "'8/255'"
    assert made.judge(3)
    said = Every(layer="blocks.2", classes="1, 2", most="3", radius="none", channels="1")
    assert (said.classes, said.most, said.radius, said.channels) == ((1, 2), 3, None, 1)
    assert replace(made, most=None).most is None
    again = build({"every": Every}, {**json.loads(json.dumps(made.config())), "judge": bool})
    assert again == made


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"classes": 3}, "Every.classes = 3, expected a list of whole numbers"),
        ({"classes": (1, True)}, "Every.classes holds True, expected whole numbers"),
        ({"most": 0}, "Every.most = 0, expected a whole number of at least 1, or none"),
        ({"most": "many"}, "Every.most = 'many', expected a whole number of at least 1, or none"),
        ({"radius": 0}, "Every.radius = 0, expected a number above 0, or none"),
        ({"norm": "linff"}, r"Every.norm = 'linff', expected one of linf, l2 \(did you mean 'linf'\?\)"),
        ({"channels": True}, "Every.channels = True, expected one of 1, 3"),
        ({"channels": 2}, "Every.channels = 2, expected one of 1, 3"),
        ({"judge": "bool"}, "Every.judge = 'bool', expected a function"),
    ],
)
def test_a_value_that_a_settings_type_does_not_take_is_refused_in_a_sentence(settings, message):
    with pytest.raises(RangeError, match=message):
        Every(layer="", **settings)


def test_a_setting_without_a_default_must_be_given():
    with pytest.raises(UnknownSetting, match=r"Every lacks 'layer', where; give Every.layer"):
        Every()
    assert Every(layer="blocks.2").layer == "blocks.2"


def test_a_method_that_is_not_a_dataclass_or_lacks_a_type_is_refused():
    class Forgotten(Method):
        steps: int = param(3, "how many")

    with pytest.raises(
        ContractError, match=r"Forgotten is not a dataclass; write @dataclass\(frozen=True, kw_only=True\)"
    ):
        Forgotten(steps=4)
    with pytest.raises(ContractError, match=r"Strong.steps is set without its type; write steps: TYPE = param"):
        type(PGD)("Strong", (PGD,), {"steps": 100, "__module__": __name__})


def test_the_signature_and_the_help_of_a_method_tell_every_setting():
    signature = inspect.signature(PGD)
    assert list(signature.parameters) == ["goal", "eps", "norm", "steps", "restarts", "step", "seed"]
    assert str(signature.parameters["eps"]) == "eps: float = '8/255'"
    assert str(signature.parameters["norm"]) == "norm: Literal['linf', 'l2', 'l1'] = 'linf'"
    assert inspect.signature(Every).parameters["layer"].default is inspect.Parameter.empty
    shown = pydoc.render_doc(PGD, renderer=pydoc.plaintext)
    assert (
        "PGD(*, goal: probe.goals.Goal = Untargeted(), eps: float = '8/255', "
        "norm: Literal['linf', 'l2', 'l1'] = 'linf', " in shown
    )
    for f in fields(PGD):
        assert f.metadata["help"] in shown
    assert "layer (str, required): where" in inspect.getdoc(Every)
    assert "radius (float | None, default None): how far" in inspect.getdoc(Every)


@dataclass(frozen=True, kw_only=True)
class Wrapped(Method):
    """A method around an attack."""

    inner: Attack = param(PGD(), "what is run")
    layer: str = param("", "where")
    quick: bool = param(False, "whether")
    width: float = param(2, "how wide")


def test_a_setting_is_a_number_a_text_a_switch_or_a_method_and_is_checked_as_such():
    assert (Wrapped().layer, Wrapped().quick, Wrapped().width) == ("", False, 2.0)
    assert isinstance(Wrapped().width, float)
    assert Wrapped(width=0.5).width == 0.5
    assert Wrapped(inner=FGSM(), layer="blocks.2", quick="true").quick is True
    for settings, message in (
        ({"inner": 5}, "Wrapped.inner = 5, expected a method of the kind Attack"),
        ({"inner": "rubbish"}, "expected a method of the kind Attack"),
        ({"inner": Saliency()}, "expected a method of the kind Attack"),
        ({"layer": 3}, "Wrapped.layer = 3, expected a text"),
        ({"quick": 1}, "Wrapped.quick = 1, expected true or false"),
    ):
        with pytest.raises(RangeError, match=message):
            Wrapped(**settings)
    assert build({"wrapped": Wrapped}, json.loads(json.dumps(Wrapped(quick=True).config()))) == Wrapped(quick=True)


def test_two_methods_of_one_name_are_refused_by_the_registry(monkeypatch):
    namesake = type(Accuracy)("PGD", (Accuracy,), {"__module__": "elsewhere"})
    monkeypatch.setattr(registry, "_defined", lambda: iter([PGD, namesake]))
    with pytest.raises(
        ContractError, match=r"two methods are named 'pgd': probe.attacks.gradient.PGD and elsewhere.*rename"
    ):
        methods.__wrapped__()


@pytest.mark.parametrize("attack", [HotFlip(eps=10**18), GradArgmax(eps=10**18)])
def test_an_attack_with_a_budget_above_all_features_ends(attack):
    from probe import Model, Space

    table = torch.tensor([[0.0], [0.0], [1.0], [2.0]])
    words = Model(
        forward=lambda e: torch.stack([9 + 0 * e.sum((1, 2)), e.sum((1, 2))], 1),
        embed=lambda ids: table[ids],
        space=Space(bounds=(0, 3)),
    )
    edges = Model(
        forward=lambda x: torch.stack([9 + 0 * x.sum((1, 2)), x.sum((1, 2))], 1),
        space=Space(form="graph", reference=torch.zeros(1, 3, 3)),
    )
    model, x = (words, torch.tensor([[2, 2]])) if isinstance(attack, HotFlip) else (edges, torch.zeros(1, 3, 3))
    assert not attack(model, x, torch.tensor([0])).success


def test_what_is_no_goal_is_refused_with_the_goals():
    known = "such as Both, Custom, Flip, LeastLikely, Margin, Shift, Targeted, TopK, Untargeted"
    for given in ("pgd", 3, PGD()):
        with pytest.raises(SettingError, match=rf"PGD.goal = .*, expected a method of the kind Goal, {known}"):
            PGD(goal=given)
    with pytest.raises(SettingError, match=r"PGD.goal = 'least_likely', .*; write LeastLikely\(...\)"):
        PGD(goal="least_likely")
