"""What every method must honour. A new method is tested here without touching this file."""

import json
from contextlib import suppress
from dataclasses import MISSING, fields, replace
from typing import get_args

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from probe import Dataset, Model, MultiLabel, Prediction, Regression, Space, load
from probe.attacks import Recolor
from probe.contracts import (
    Attack,
    Certificate,
    Explainer,
    Metric,
    Proportion,
    Survey,
    answers_as_before,
    first_answers,
)
from probe.counterfactuals import NearestReference
from probe.errors import (
    ContractError,
    DataError,
    ExistsError,
    ProbeError,
    RangeError,
    ShapeError,
    UnknownMethod,
    Unsupported,
)
from probe.goals import Shift
from probe.outcomes import Certification
from probe.reductions import reduction
from probe.registry import FAMILIES, build, discover, methods
from probe.results import Attribution, Counterfactuals, Perturbation
from probe.threats import Ball, Patch
from tests.light import light, own_attacks, own_explainers

EXPLAINERS, EVERY_ATTACK, METRICS = own_explainers(), own_attacks(), discover("metric")
CERTIFICATES, SURVEYS = discover("certificate"), discover("survey")
ATTACKS = {
    name: kind
    for name, kind in EVERY_ATTACK.items()
    if not any(f.default is MISSING for f in fields(kind)) and kind().threat.moves == "numbers"
}  # of tokens: test_tokens.py


def of_size(method, amount):
    """An attack at a budget; at its own where it counts changes, and the budget is not a whole number."""
    counts = method.budget and (method.threat.counted or isinstance(getattr(method, method.budget), int))
    return method if counts and amount % 1 else method.at(amount)


def each(family, change=lambda method: method):
    """The methods of a family with their defaults, changed; one with a setting that must be given has none."""
    made = {name: kind() for name, kind in family.items() if not any(f.default is MISSING for f in fields(kind))}
    return pytest.mark.parametrize("method", list(map(change, made.values())), ids=list(made))


class SelfAttention(nn.Module):
    """Each pixel takes a mean of the others, by how alike they are."""

    def forward(self, x):
        tokens = x.flatten(2)
        return ((tokens.mT @ tokens).softmax(-1) @ tokens.mT).mT.view_as(x)


def asked_of(request):
    """The method that a test is about, if it is about one."""
    return getattr(request.node, "callspec", None) and request.node.callspec.params.get("method")


def channels_of(request):
    """One; three for an attack on colours, which refuses grey images."""
    return 3 if isinstance(asked_of(request), Recolor) else 1


@pytest.fixture
def network(request) -> Model:
    """A small convolutional network with features that are squares of pixels, and whatever the method needs."""
    method, channels = asked_of(request), channels_of(request)
    attends = "attention" in getattr(method, "needs", ())
    middle = SelfAttention() if attends else nn.ReLU()
    layers = nn.Sequential(nn.Conv2d(channels, 4, 3, padding=1), middle, nn.Flatten(), nn.Linear(64, 3))
    source = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in layers.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=source) * 0.3)
    features = torch.arange(4).repeat_interleave(2).repeat(2, 1)[:, :4].repeat(2, 1)
    space = Space(
        features=(features * 0 + torch.tensor([[0, 0, 1, 1]] * 2 + [[2, 2, 3, 3]] * 2)).expand(channels, 4, 4),
        reference=torch.zeros(2, channels, 4, 4),
    )
    rows = torch.rand(8, channels, 4, 4, generator=source), torch.arange(8) % 3
    return Model(forward=layers.eval(), space=space, classes=("a", "b", "c"), training=rows)


@pytest.fixture
def images(request):
    return torch.rand(6, channels_of(request), 4, 4, generator=torch.Generator().manual_seed(1))


def explained(metric: Metric, model: Model, inputs: torch.Tensor) -> Attribution:
    """By a method that draws nothing, or one that does where the metric is of those."""
    found = (EXPLAINERS[name]()(model, inputs) for name in ("integrated_gradients", "smooth_grad"))
    first = next(found)
    return first if metric.suits(first.planted(inputs[0] >= 0)) else next(found)


@pytest.fixture(scope="module")
def results():
    """What each method gave, for those tests that only read it: it is the same for each `network`."""
    return {}


@pytest.fixture
def result(method, network, images, results):
    """What the method gives for the images."""
    if method not in results:
        results[method] = method(network, images, network.predict(images))
    return results[method]


def result_for(metric: Metric, model: Model, inputs: torch.Tensor):
    y = model.predict(inputs)
    # A number that was predicted is neither right nor wrong.
    goal = {"goal": Shift(by=0.1)} if isinstance(model.task, Regression) else {}
    kinds = {
        Prediction: lambda: Prediction(model.logits(inputs), y, task=model.task),
        Attribution: lambda: explained(metric, model, inputs).planted(inputs[0] >= inputs[0].median()),
        Perturbation: lambda: ATTACKS["pgd"](eps=0.1, steps=5, **goal)(model, inputs, y),
        Counterfactuals: lambda: NearestReference()(model, inputs),
        Certification: lambda: discover("certificate")["randomized_smoothing"](draws=50)(model, inputs, y),
    }
    wanted = metric.result_type()
    return kinds[next(iter(get_args(wanted)), wanted)]()


def suited(metric: Metric, model: Model, inputs: torch.Tensor) -> Model:
    """The network, or one of two classes where the metric is of two, or of a number, or of several labels."""
    number = Model(forward=lambda x: x.flatten(1).sum(1), space=model.space, task=Regression(("price",)))
    labels = Model(forward=model.forward, space=model.space, task=MultiLabel())
    for other in (model, number, labels):
        if metric.suits(result_for(metric, other, inputs)):
            return other
    layers = nn.Sequential(nn.Flatten(), nn.Linear(16, 2, bias=False))
    with torch.no_grad():
        layers[1].weight.copy_(torch.stack([torch.arange(16.0) - 7.5, 7.5 - torch.arange(16.0)]))
    return Model(forward=layers.eval(), space=model.space, classes=("a", "b"))


@each(methods())
def test_methods_with_equal_settings_are_equal_and_are_built_from_their_settings(method):
    assert "__dataclass_fields__" in vars(type(method)), "forgotten @dataclass(frozen=True, kw_only=True)"
    assert method == type(method)()
    assert hash(method) == hash(type(method)())
    assert type(method).summary().endswith((".", ").")) or type(method).summary()
    assert all(f.metadata.get("help") for f in fields(method) if not isinstance(f.default, tuple(methods().values())))
    assert build(methods(), json.loads(json.dumps(method.config()))) == method


@pytest.mark.parametrize("family", FAMILIES)
def test_families_export_their_methods(family):
    from importlib import import_module

    home = import_module(FAMILIES[family])
    own = {kind.__name__ for kind in discover(family).values() if kind.__module__.startswith("probe.")}
    assert own <= set(home.__all__)


# Of those that read no layers the same, closer, and for passes too: tests/explainers/test_promises.py.
@each({name: kind for name, kind in EXPLAINERS.items() if "layers" in kind.needs}, light)
def test_explanations_do_not_depend_on_the_batch(method, network, images):
    together = method(network, images).values
    alone = torch.cat([method(network, x[None]).values for x in images])
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=1e-4)


@each(ATTACKS, light)
def test_attacks_lower_the_margin_and_do_not_depend_on_the_batch(method, network, images):
    labels = network.predict(images)
    method = of_size(method, 0.05)
    result, row = method(network, images, labels), [4]
    loss = nn.functional.cross_entropy
    assert loss(result.attacked.logits, labels) > loss(result.clean.logits, labels)
    alone = method(network, images[row], labels[row]).perturbed
    torch.testing.assert_close(result.perturbed[row], alone, atol=1e-5, rtol=1e-4)


def in_each_norm(attacks):
    """Each attack with its defaults, and also in L2 where it has the choice."""
    for name, kind in attacks.items():
        for norm in ("linf", "l2") if "norm" in kind().config() else (None,):
            yield pytest.param(light(replace(kind(), norm=norm) if norm else kind()), id=f"{name}-{norm}")


@pytest.mark.parametrize("method", list(in_each_norm(ATTACKS)))
def test_attacks_stay_in_their_ball_and_success_follows_from_the_models_answers(method, network, images):
    """Each example in a ball of its own: of no radius, a small one, and one that holds most of the images."""
    labels = network.predict(images)
    eps = torch.tensor([of_size(method, amount).amount() for amount in (0.0, 0.03, 1.0)] * 2) if method.budget else None
    result = method(network, images, labels, eps=None if eps is None else eps.tolist())
    if eps is not None:
        length = method.threat.length(network.space, result.perturbed, images)
        assert bool(((length <= eps + 1e-6) | length.isnan()).all()), "what cannot be measured is NaN"
        assert torch.equal(result.perturbed[eps == 0], images[eps == 0])
    assert 0 <= result.perturbed.min() <= result.perturbed.max() <= 1
    assert torch.equal(result.success, network.predict(result.perturbed) != labels)


@each(METRICS)
def test_metric_gives_a_value_within_its_interval(method, network, images):
    network = suited(method, network, images)
    scores = method(network, result_for(method, network, images))
    low, high = scores.interval()
    if not np.isnan([low, scores.value, high]).all():  # as of null players where there is none
        assert low <= scores.value + 1e-9
        assert scores.value <= high + 1e-9
    assert len(scores.evidence) == len(images)
    groups = scores.by(np.array(["x", "y", "x", "y", "x", "y"]))
    assert groups.n.tolist() == [3, 3]


@each(METRICS)
def test_metrics_refuse_results_of_another_kind(method, network, images):
    other = METRICS["sparseness" if method.result_type() is Prediction else "accuracy"]
    with pytest.raises(TypeError, match="reads"):
        method(network, result_for(other(), network, images))


@each(METRICS)
def test_a_metric_declares_how_an_audit_shows_it(method):
    chapters = {Prediction: "performance", Attribution: "explanation", Counterfactuals: "explanation"}
    assert method.aspect == chapters.get(method.result_type(), "robustness")
    assert method.direction == ("at least" if method.better == "higher" else "at most")
    assert reduction(method.reduction, method.config()).value is not None
    assert method.better in type(method).__doc__
    kind = type(method)
    with pytest.raises(ContractError, match=r"unit = 'percent', expected one of share, points"):
        type("Odd", (kind,), {"unit": "percent", "__module__": __name__})()


def test_a_metric_with_an_unknown_reduction_is_refused_with_the_known_ones():
    with pytest.raises(
        UnknownMethod, match=r"no reduction named 'middle'; there are mean, root of the mean, proportion"
    ):
        reduction("middle")


@each(EXPLAINERS | ATTACKS, light)
def test_methods_leave_no_hooks_gradients_or_random_state_behind(method, network, images, results):
    """Weights, gradients, hooks, training mode and global random state are as before; same seed, same bits."""
    module, labels = network.forward, network.predict(images)
    before = (
        {k: v.clone() for k, v in module.state_dict().items()},
        torch.get_rng_state(),
        np.random.get_state()[1].copy(),  # noqa: NPY002  # the global state itself is under test
    )  # the global state itself is under test
    arguments = (images, labels) if isinstance(method, Attack) else (images,)
    kept = images.clone()
    first, again = (method(network, *arguments) for _ in range(2))
    results[method] = first
    tensor = "perturbed" if isinstance(method, Attack) else "values"
    assert torch.equal(getattr(first, tensor), getattr(again, tensor))
    assert torch.equal(images, kept)
    assert all(torch.equal(v, before[0][k]) for k, v in module.state_dict().items())
    assert all(p.grad is None and p.requires_grad for p in module.parameters())
    assert not any(m._forward_hooks or m._backward_hooks or m.training for m in module.modules())
    assert torch.equal(torch.get_rng_state(), before[1])
    assert np.array_equal(np.random.get_state()[1], before[2])  # noqa: NPY002
    assert first.cost == again.cost
    assert first.cost.forward > 0


@each(EXPLAINERS | ATTACKS, light)
def test_results_are_saved_and_loaded_unchanged(method, result, tmp_path):
    result.save(tmp_path / "r")
    again = load(tmp_path / "r")
    assert again.method == method
    assert type(again) is type(result)
    torch.testing.assert_close(again.inputs, result.inputs)
    assert again.to_frame().equals(result.to_frame())


def one_of_each_look():
    """Results of explainers look alike, but for errors; those of attacks that have the same kind of threat do."""
    looks = {}
    for name, kind in (EXPLAINERS | ATTACKS).items():
        threat = getattr(kind, "threat", None)
        errors = "until_top" in {f.name for f in fields(kind)}
        looks.setdefault((type(threat), getattr(threat, "unit", ""), not getattr(kind, "budget", "eps"), errors), name)
    return {name: (EXPLAINERS | ATTACKS)[name] for name in looks.values()}


@each(one_of_each_look(), light)
def test_result_is_shown_in_a_notebook_without_scripts(method, result):
    page = result[:1]._repr_html_()
    assert page.count("<img") == 1
    assert "<table" in page
    assert "<script" not in page
    assert len(page) < 70_000


@pytest.mark.slow
@pytest.mark.parametrize("method", [EXPLAINERS["saliency"](), ATTACKS["fgsm"]()], ids=["explainer", "attack"])
def test_a_notebook_shows_three_examples_and_the_numbers_of_all(method, network, images):
    page = method(network, images, network.predict(images))._repr_html_()
    assert page.count("<img") == 3
    assert len(page) < 200_000


INVALID_INPUTS = [
    (torch.full((1, 1, 4, 4), torch.nan), RangeError, "NaN or infinity, first in row 0"),
    (torch.full((1, 1, 4, 4), 1.5), RangeError, r"outside the bounds \[0, 1\]"),
    (torch.zeros(0, 1, 4, 4), ShapeError, "at least one row"),
    (torch.zeros(4), ShapeError, "at least one row"),
    (torch.zeros(2, 1, 3, 3), ShapeError, "describes"),
    (torch.zeros(2, 1, 4, 4, dtype=torch.long), ShapeError, "floating"),
]
INVALID_LABELS = [
    (torch.tensor([0, 1, 2, 3, 0, 0]), DataError, "span 0 to 3, expected 0 to 2"),
    (torch.tensor([0, -1, 2, 0, 0, 0]), DataError, "span -1"),
    (torch.zeros(6), DataError, "integers"),
    (torch.zeros(3, dtype=torch.long), ShapeError, "one class index for each of 6"),
]


@each(EXPLAINERS | ATTACKS)
def test_invalid_inputs_and_labels_are_refused_in_one_sentence(method, network, images):
    for inputs, error, message in INVALID_INPUTS:
        inputs = inputs.expand(-1, images.shape[1], -1, -1) if inputs.ndim == 4 else inputs
        with pytest.raises(error, match=message):
            method(network, inputs, torch.zeros(len(inputs), dtype=torch.long))
    for labels, error, message in INVALID_LABELS if isinstance(method, Attack) else ():
        with pytest.raises(error, match=message):
            method(network, images, labels)


def test_a_black_box_refuses_what_needs_gradients_by_name():
    from probe import from_predict_proba

    box = from_predict_proba(lambda x: np.full((len(x), 2), 0.5), Space(reference=torch.zeros(1, 3)), ("a", "b"))
    x = torch.rand(2, 3)
    for method in (ATTACKS["pgd"](), EXPLAINERS["integrated_gradients"]()):
        with pytest.raises(Unsupported, match="black box"):
            method(box, x, torch.zeros(2, dtype=torch.long))
    assert EXPLAINERS["kernel_shap"]()(box, x).values.abs().max() < 1e-6


@pytest.mark.parametrize(
    ("need", "message"),
    [
        ("layers", "nosy reads a network's layers, and bare is a function to torch"),
        ("attention", "nosy reads a network's layers, and bare is a function to torch"),
        ("reference", "nosy replaces absent features by a reference, and bare has none"),
        ("training data", "nosy needs training rows, and bare has none"),
        ("gradients", "needs gradients, and bare has none"),
    ],
)
@pytest.mark.parametrize("kind", [Explainer, Attack])
def test_what_a_method_needs_and_a_model_lacks_is_refused_by_name(kind, need, message, network, images):
    def ask(self, model, inputs, labels):
        if "gradients" in self.needs:
            model.gradient(inputs, lambda logits: logits[:, 0])
        return inputs

    body = {"needs": frozenset({need}), "attribute": ask, "perturb": ask, "threat": Ball(2.0), "budget": ""}
    nosy = type("Nosy", (kind,), body)()
    weight = torch.ones(16, 3)
    bare = Model(forward=lambda x: (x.flatten(1) @ weight).detach(), name="bare")
    with pytest.raises(Unsupported, match=message):
        nosy(bare, images, torch.zeros(6, dtype=torch.long))
    if need == "attention":
        with pytest.raises(Unsupported, match="nosy reads attention, and model has no layer of it"):
            nosy(network, images, network.predict(images))
        return
    assert len(nosy(network, images, network.predict(images))) == 6


def test_an_unknown_need_is_an_error_of_the_method(network, images):
    nosy = type("Nosy", (Explainer,), {"needs": frozenset({"luck"}), "attribute": lambda *_: images})()
    with pytest.raises(ContractError, match="nosy needs 'luck', which is not one of gradients, layers"):
        nosy(network, images)


def test_an_attack_that_leaves_its_ball_is_refused(network, images):
    class Cheat(type(ATTACKS["fgsm"]())):
        def perturb(self, model, inputs, labels):
            return (inputs + 0.5).clamp(0, 1)

    class Broken(type(ATTACKS["fgsm"]())):
        def perturb(self, model, inputs, labels):
            return inputs * torch.nan

    labels = network.predict(images)
    with pytest.raises(ContractError, match="left its ball"):
        Cheat()(network, images, labels)
    with pytest.raises(ContractError, match="NaN"):
        Broken()(network, images, labels)


def test_settings_are_read_and_checked_at_once():
    assert ATTACKS["pgd"](eps="8/255").eps == 8 / 255
    with pytest.raises(RangeError, match=r"PGD.steps = 0"):
        ATTACKS["pgd"](steps=0)
    with pytest.raises(RangeError, match=r"PGD.steps = 2.5, expected a whole number"):
        ATTACKS["pgd"](steps=2.5)
    with pytest.raises(RangeError, match=r"PGD.eps = 'big', expected a number"):
        ATTACKS["pgd"](eps="big")
    with pytest.raises(RangeError, match=r"PGD.eps = nan"):
        ATTACKS["pgd"](eps=float("nan"))
    with pytest.raises(RangeError, match="linf, l2, l1"):
        ATTACKS["pgd"](norm="l7")


def test_build_suggests_the_nearest_name():
    with pytest.raises(UnknownMethod, match="did you mean 'pgd'"):
        build(ATTACKS, {"method": "gpd"})
    with pytest.raises(UnknownMethod, match="did you mean 'steps'"):
        build(ATTACKS, {"method": "pgd", "step_s": 3})


def test_groups_of_another_length_are_refused_and_unknown_ones_counted(network, images):
    scores = METRICS["accuracy"]()(network, Prediction(network.logits(images), network.predict(images)))
    with pytest.raises(ShapeError, match="groups have 2 rows for 6"):
        scores.by(pd.Series(["a", "b"]))
    assert scores.by(pd.Series(["a", "a", "b", "b", "b", None])).n.tolist() == [2, 3, 1]


def test_a_saved_result_is_never_overwritten(network, images, tmp_path):
    maps = EXPLAINERS["saliency"]()(network, images)
    maps.save(tmp_path / "v1.5")
    assert (tmp_path / "v1.5.npz").exists()
    with pytest.raises(ExistsError, match="left as it is"):
        maps.save(tmp_path / "v1.5")


def certifiable(method: Certificate, network: Model, images: torch.Tensor) -> Model:
    """A network that the certificate knows: the usual one, or one of the plainest layers."""
    plain = nn.Sequential(nn.Flatten(), nn.Linear(16, 5), nn.ReLU(), nn.Linear(5, 3)).eval()
    for model in (network, replace(network, forward=plain)):
        with suppress(Unsupported):
            method(model, images[:1], network.predict(images[:1]))
            return model
    pytest.skip(f"{method} certifies neither of these networks")


@each(CERTIFICATES)
def test_no_attack_succeeds_within_a_certified_radius(method, network, images):
    network = certifiable(method, network, images)
    proof = method(network, images, network.predict(images))
    assert proof.radius.shape == (6,)
    assert bool((proof.radius >= 0).all())
    assert 0.5 < proof.level <= 1
    if method.certifies:  # of another decision than the model's own, which the model's attacks do not speak of
        return
    rows = proof.radius > 0
    if rows.any():
        some, labels, eps = images[rows], network.predict(images[rows]), 0.999 * proof.radius[rows]
        if isinstance(method.threat, Patch):
            assert not ATTACKS["patch_attack"]()(network, some, labels, eps=eps.floor()).success.any()
            return
        norm = {1.0: "l1", 2.0: "l2", float("inf"): "linf"}[method.threat.p]
        assert not ATTACKS["pgd"](norm=norm)(network, some, labels, eps=eps).success.any()


@each(CERTIFICATES)
def test_certificates_do_not_depend_on_the_batch(method, network, images):
    network = certifiable(method, network, images)
    labels = network.predict(images)
    together = method(network, images, labels)
    for row in ([1], [4]):
        alone = method(network, images[row], labels[row])
        torch.testing.assert_close(together.radius[row], alone.radius, atol=1e-5, rtol=1e-4)
        assert torch.equal(together.predicted[row], alone.predicted)


@pytest.mark.slow
@each(SURVEYS, light)
def test_survey_gives_a_row_for_each_item_within_its_interval(method, network, images):
    found = method(network, Dataset(images, torch.tensor([0, 1, 2, 0, 1, 2]), space=network.space))
    frame = found.to_frame()
    assert frame["item"].tolist() == list(found.items)
    assert (frame["low"] - 1e-9 <= frame["value"]).all()
    assert (frame["value"] <= frame["high"] + 1e-9).all()
    assert set(frame["n"]) == {6}
    assert found[2:4].evidence.shape[:2] == (2, len(found.items))
    assert type(method).asks


@pytest.mark.slow
@each(CERTIFICATES | SURVEYS, light)
def test_certificates_and_surveys_change_no_state_and_are_saved_and_loaded(method, network, images, tmp_path):
    network = certifiable(method, network, images) if isinstance(method, Certificate) else network
    labels, kept, state = network.predict(images), images.clone(), torch.get_rng_state()
    data = Dataset(images, labels, space=network.space)
    first, again = (
        method(network, images, labels) if isinstance(method, Certificate) else method(network, data) for _ in range(2)
    )
    assert torch.equal(images, kept)
    assert torch.equal(torch.get_rng_state(), state)
    assert not any(m._forward_hooks or m._backward_hooks or m.training for m in network.forward.modules())
    assert first.cost == again.cost
    assert first.cost.forward > 0
    assert first.to_frame().equals(again.to_frame())
    first.save(tmp_path / "r")
    read = load(tmp_path / "r")
    assert type(read) is type(first)
    assert read.method == method
    assert read.to_frame().equals(first.to_frame())
    assert repr(read) == repr(first)
    assert "<table" in read._repr_html_()


def certify_with(network, images, answer, **declared):
    kind = type("Sure", (Certificate,), {"certify": lambda self, model, inputs: answer(model, inputs), **declared})
    return kind()(network, images, network.predict(images))


@pytest.mark.parametrize(
    ("answer", "error", "message"),
    [
        (lambda m, x: (m.predict(x), torch.full((len(x),), -1.0)), ContractError, "radii that are negative"),
        (lambda m, x: (m.predict(x), torch.full((len(x),), torch.nan)), ContractError, "radii that are negative, NaN"),
        (lambda m, x: (m.predict(x) * 0 - 1, torch.ones(len(x))), ContractError, "above 0 where it abstains"),
        (lambda m, x: (m.predict(x) * 0 - 2, torch.zeros(len(x))), ContractError, "neither a class nor -1"),
        (
            lambda m, x: ((m.predict(x) + 1) % 3, torch.ones(len(x))),
            ContractError,
            "a decision that is not that of model",
        ),
        (
            lambda m, x: (m.predict(x)[:1], torch.ones(len(x))),
            ShapeError,
            r"returned decisions \(1,\) and radii \(6,\)",
        ),
    ],
)
def test_invalid_results_of_a_certificate_are_refused(network, images, answer, error, message):
    with pytest.raises(error, match=message):
        certify_with(network, images, answer)


def test_a_certificate_of_another_decision_names_it(network, images):
    proof = certify_with(network, images, lambda m, x: ((m.predict(x) + 1) % 3, torch.ones(len(x))), certifies="a vote")
    assert not proof.certified().any()


@pytest.mark.parametrize(
    ("evidence", "error", "message"),
    [
        (lambda x: torch.zeros(len(x), 2), ShapeError, r"returned \(6, 2\) for 6 examples and 4 items"),
        (lambda x: torch.full((len(x), 4), torch.inf), ContractError, "NaN or infinity"),
    ],
)
def test_invalid_evidence_of_a_survey_is_refused(network, images, evidence, error, message):
    kind = type(
        "Vague", (Survey,), {"aspect": "explanation", "examine": lambda self, model, inputs, labels: evidence(inputs)}
    )
    with pytest.raises(error, match=message):
        kind()(network, Dataset(images, network.predict(images), space=network.space))


def test_each_contract_has_one_abstract_function():
    assert Certificate.__abstractmethods__ == {"certify"}
    assert Survey.__abstractmethods__ == {"examine"}
    assert Explainer.__abstractmethods__ == {"attribute"}
    assert Metric.__abstractmethods__ == {"measure"} == Proportion.__abstractmethods__
    assert issubclass(ProbeError, Exception)


@each(discover("counterfactual"))
def test_counterfactuals_are_valid_inputs_with_the_recorded_answers(method, network, images, tmp_path):
    kept, state = images.clone(), torch.get_rng_state()
    found = method(network, images)
    assert torch.equal(images, kept)
    assert torch.equal(torch.get_rng_state(), state)
    assert found.candidates.shape == (6, found.reached.shape[1], *images.shape[1:])
    for at in range(found.reached.shape[1]):
        network.check(found.candidates[:, at])
        assert torch.equal(found.answers[:, at], network.predict(found.candidates[:, at]))
        assert torch.equal(found.reached[:, at], found.answers[:, at] != network.predict(images))
    for row in ([1], [4]):
        torch.testing.assert_close(found.candidates[row], method(network, images[row]).candidates)
    found.save(tmp_path / "r")
    read = load(tmp_path / "r")
    assert (read.method, repr(read)) == (method, repr(found))
    assert read.to_frame().equals(found.to_frame())
    assert found.cost.forward > 0
    assert "<table" in read._repr_html_()


def test_a_model_answers_as_before_only_with_the_same_logits_of_the_same_shape():
    space = Space(bounds=(0.0, 1.0))
    x = torch.rand(9, 3, generator=torch.Generator().manual_seed(0))
    weights = torch.tensor([[1.0, -1.0], [0.5, 0.0], [0.0, 2.0]])
    model = Model(forward=lambda x: x @ weights, space=space, classes=("no", "yes"))
    other = Model(forward=lambda x: x @ weights * 1.01, space=space, classes=("no", "yes"))
    data = Dataset(x, model.predict(x), space=space, classes=("no", "yes"))
    before = first_answers(model, data)
    assert answers_as_before(model, data, before)
    assert answers_as_before(model, data, before + 1e-9)
    assert not answers_as_before(other, data, before)
    assert not answers_as_before(model, data, before[:, :1])
