"""Signs that an attack was misled: each planted defence is named, an honest network is not."""

from dataclasses import dataclass

import pytest
import torch
from torch import nn

from probe import Dataset, Model, Space
from probe.attacks import APGD, FGSM, PGD, DeepFool, Square
from probe.attacks.ascent import GradientAttack
from probe.audit import plan_from, reading, run, verify
from probe.contracts import Aim
from probe.errors import Unsupported
from probe.goals import Shift
from probe.method import param
from probe.report.html import render
from probe.results import Prediction
from probe.surveys import AttackChecks
from probe.surveys.signs import SIGNS, Asked
from probe.task import Regression
from tests.figures import figures_unwritten  # noqa: F401  a fixture

IMAGES = Space(bounds=(0.0, 1.0), reference=torch.zeros(1, 1, 6, 6))
N = 60


def network(seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Flatten(), nn.Linear(36, 24), nn.ReLU(), nn.Linear(24, 3)).eval().requires_grad_(False)


NET, OTHER = network(), network(seed=9)
PIXELS = (torch.rand(N, 1, 6, 6, generator=torch.Generator().manual_seed(1)) * 255).round() / 255


def answered(forward, inputs=PIXELS, space=IMAGES, **settings):
    model = Model(forward=forward, space=space, **settings)
    return model, Dataset(inputs, model.predict(inputs), space=space)


def signs(forward, attack=None, **settings):
    """The signs whose interval is above the threshold, and the value of each sign."""
    attack = attack or PGD(eps="16/255", steps=8)
    found = (
        AttackChecks(attack=attack, queries=50, draws=20)(*answered(forward, **settings)).to_frame().set_index("item")
    )
    return set(found.index[found["low"] > AttackChecks.threshold]), found["value"]


class Noisy:
    """Noise from a generator of its own: honest on average."""

    def __init__(self):
        self.source = torch.Generator().manual_seed(0)

    def __call__(self, x):
        return NET(x) + 0.05 * torch.randn(len(x), 3, generator=self.source)


def shattered(x):
    return NET((x * 12).round() / 12)


def rippled(x):
    return NET(x) + 2e-3 * torch.sin(4e4 * x).flatten(1)[:, :3] * 5


def saturated(x):
    return (1e4 * NET(x)).tanh() * 3


def rounded(x):
    return (NET(x) * 8).round()


def leaning(x):
    """The gradient of another network, behind answers of this one."""
    other = OTHER(x)
    return NET(x).detach() + other - other.detach()


def half(x):
    """The gradient of every second pixel."""
    seen = torch.arange(36).view(6, 6) % 2
    return NET(x * seen + (x * (1 - seen)).detach())


def hashed(x):
    """Noise that is the same each time: that of the pixels."""
    noise = (1e6 * x.flatten(1).double().sum(1)).sin()[:, None]
    return NET(x) + 0.1 * noise.to(x) * torch.tensor([1.0, -1.0, 1.0])


def clipped(x):
    """Logarithms of probabilities of which the small ones are all the same."""
    return (400 * NET(x)).softmax(1).clamp(1e-8).log()


def stairs(x):
    """Steps of 1/16 that are so steep that between them the gradient is almost nothing."""
    place = 16 * x - (16 * x).floor()
    return NET(((16 * x).floor() + (50 * (place - 0.5)).sigmoid()) / 16)


def crowded(x):
    return NET(x) + (x.mean() if len(x) > 40 else 0) * torch.tensor([1.0, 0.0, 0.0])


PLANTED = {
    "a shattered gradient": (shattered, {"the gradient is zero", "a planted answer is not found"}),
    "ripples": (rippled, {"finite differences disagree"}),
    "rounded outputs": (rounded, {"the gradient is zero"}),
    "saturated outputs": (saturated, {"the loss does not move"}),
    "another gradient": (leaning, {"finite differences disagree", "a planted answer is not found"}),
    "half a gradient": (half, {"finite differences disagree"}),
    "noise of the pixels": (hashed, {"finite differences disagree"}),
    "clipped logarithms": (clipped, {"the loss does not move"}),
    "steep stairs": (stairs, {"the gradient jumps"}),
    "the rest of the batch": (crowded, {"outputs depend on the batch"}),
}


@pytest.mark.parametrize("norm", ["linf", "l2", "l1"])
def test_an_honest_network_has_no_sign(norm):
    eps = {"linf": "16/255", "l2": 0.4, "l1": 2.0}[norm]
    found, values = signs(NET, PGD(eps=eps, norm=norm, steps=8))
    assert found == set()
    assert len(values) == len(SIGNS) - (norm != "linf")


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_defence_is_named(name):
    forward, expected = PLANTED[name]
    found, values = signs(forward)
    assert expected <= found, values


def test_a_network_with_a_kink_at_its_inputs_is_honest():
    """The slope of relu(x - 1/2) at x = 1/2 is that of one side, and a central difference is half of the other."""
    model = Model(forward=lambda x: NET(x) + 9 * (x[:, 0, 0, :1] - 0.5).relu() * torch.eye(3)[:1], space=IMAGES)
    images = PIXELS.clone()
    images[:, 0, 0, 0] = 0.5
    inputs, labels = model.check(images), model.predict(images)
    attack = PGD(eps="16/255", steps=1)
    aim = Aim.of(attack, model, Prediction.of(model, inputs, labels), None, attack.budgets(None, inputs))
    loss, met, slope = aim.slope(inputs)
    asked = Asked(attack, model, aim, inputs, labels, loss, slope, ~met, inputs, ~met, 1, 1, 0)
    assert not SIGNS["finite differences disagree"].ask(asked).any()


@pytest.mark.slow
def test_answers_by_chance_are_named():
    model = Model(forward=Noisy(), space=IMAGES)
    data = Dataset(PIXELS, Model(forward=NET, space=IMAGES).predict(PIXELS), space=IMAGES)
    values = AttackChecks(queries=20, draws=5)(model, data).to_frame().set_index("item")["value"]
    assert values["outputs vary"] > 0.5


@pytest.mark.slow
def test_a_model_that_no_change_moves_is_named():
    labels = torch.zeros(N, dtype=torch.long)
    model = Model(forward=lambda x: NET(x) * 1e-9 + torch.tensor([1.0, 0.0, 0.0]), space=IMAGES)
    found = AttackChecks(queries=5, draws=2)(model, Dataset(PIXELS, labels, space=IMAGES)).to_frame()
    assert found.set_index("item")["value"]["any change is not enough"] == 1


def test_changes_of_less_than_a_level_do_not_survive_a_file():
    """One pixel must be brighter than its neighbour by .3 levels, and is as bright in every second image."""

    def compared(x):
        score = 255 * (x[:, 0, 0, 0] - x[:, 0, 0, 1]) - 0.3
        return torch.stack([-score, score], 1)

    images = PIXELS.clone()
    images[::2, 0, 0, 0] = images[::2, 0, 0, 1] = 0.2
    _, values = signs(compared, PGD(eps="4/2550", steps=8), inputs=images)
    assert values["rounding to 8 bits undoes it"] == 0.5


@dataclass(frozen=True, kw_only=True)
class Backwards(GradientAttack):
    """Steps away from the goal, apart from the first."""

    steps: int = param(2, "steps", low=1)

    def perturb(self, model, inputs, aim):
        step = 16 / 255 * aim.slope(inputs)[2].sign()
        return self.threat.project(model.space, inputs + (step if self.steps == 1 else -step), inputs, aim.budget)


def test_an_attack_that_one_step_beats_is_named():
    found, values = signs(NET, Backwards(eps="16/255"))
    model, data = answered(NET)
    success = FGSM(eps="16/255")(model, data.inputs, data.labels).success
    assert values["one step finds more"] == pytest.approx(success.float().mean().item())
    expected = {"one step finds more", "noise finds more", "queries alone find more", "a planted answer is not found"}
    assert expected <= found
    assert values["twice the steps find more"] == 0


def test_an_attack_with_too_few_steps_is_named():
    _, values = signs(NET, PGD(eps="64/255", steps=2, step=0.05))
    assert values["twice the steps find more"] > 0.02


@pytest.mark.parametrize("attack", [DeepFool(), Square()])
def test_an_attack_without_a_radius_or_gradients_is_refused(attack):
    with pytest.raises(Unsupported, match=r'write for example AttackChecks\(attack=PGD\(eps="8/255"\)\)'):
        AttackChecks(attack=attack)(*answered(NET))


def test_a_regression_is_asked_about_the_goal_of_its_attack():
    x = torch.rand(30, 4, generator=torch.Generator().manual_seed(3))
    space = Space(bounds=(0.0, 1.0), kinds=("continuous", "continuous", "continuous", "integer"), names=tuple("abcd"))
    space_x = torch.cat([x[:, :3], x[:, 3:].round()], 1)
    model = Model(forward=lambda x: 4 * x.sum(1, keepdim=True), space=space, task=Regression(("pay",)))
    data = Dataset(space_x, 4 * space_x.sum(1), space=space)
    method = AttackChecks(attack=PGD(eps=0.2, steps=8, goal=Shift(by=1.0)), queries=30, draws=10)
    found = method(model, data).to_frame()
    assert not found["item"].str.contains("near|8 bits|any change").any()
    assert (found["value"] <= 0.05).all(), found


def test_rows_that_no_attack_could_move_have_no_sign():
    still = Space(bounds=(0.0, 1.0), reference=IMAGES.reference, mutable=torch.zeros(1, 6, 6, dtype=torch.bool))
    model, data = answered(NET, space=still)
    assert not AttackChecks(queries=5, draws=2)(model, data).evidence.any()


def asked_of(attacks, **sections):
    plan = {"name": "x", "seed": 3, "model": {"zoo": "any"}, "attack": {"methods": attacks, "eps": ["0.1", "0.2"]}}
    return [survey.attack for survey in plan_from({**plan, **sections}).resolve(form="table").surveys()]


def test_a_plan_checks_each_of_its_attacks_at_each_radius():
    apart = {"method": "apgd", "norm": "l2", "steps": 9, "eps": ["0.7"]}
    found = asked_of(["fgsm", {"method": "pgd", "steps": 8}, "square", apart], checks={"attack_checks": 0.1})
    assert found == [
        *(PGD(steps=8, seed=3, eps=eps) for eps in ("0.1", "0.2")), APGD(norm="l2", steps=9, seed=3, eps="0.7")
    ]  # fmt: skip  # PGD finds what FGSM does, and Square takes no gradients
    named = {"methods": [{"method": "attack_checks", "attack": {"method": "pgd", "eps": "0.3"}}]}
    assert asked_of(["fgsm"], survey=named) == [PGD(eps="0.3")]
    assert asked_of(["square"], survey={"methods": ["attack_checks"]}) == [None]


@pytest.fixture(scope="module")
def audited(tmp_path_factory):
    def audit(forward):
        model, data = answered(forward, classes=("a", "b", "c"))
        plan = {
            "name": "signs",
            "explain": {"methods": []},
            "attack": {"methods": [{"method": "pgd", "steps": 8}], "eps": ["2/255"]},
            "survey": {"methods": [{"method": "attack_checks", "queries": 20, "draws": 10}]},
            "checks": {"robust_accuracy": 0.1},
        }
        return run(plan_from(plan, sources=False), model, data, tmp_path_factory.mktemp("signs") / "a")

    return audit


@pytest.mark.slow
def test_a_figure_of_an_attack_that_was_misled_names_the_signs_and_is_no_pass(audited):
    bundle = audited(shattered)
    told = {finding.check: finding for finding in bundle.manifest.findings}
    sign = told[f"attack_checks: {AttackChecks.asks}: the gradient is zero"]
    assert (sign.aspect, sign.about, sign.status, sign.estimate) == ("robustness", "attack", "fail", 1.0)
    figure = told["withstands PGD at eps 2/255"]
    assert (figure.estimate, figure.status) == (1.0, "inconclusive")
    assert "in doubt, as checks of the attacks failed: the gradient is zero, " in figure.note
    assert told["accuracy"].status == "pass"
    assert "That is in doubt" in reading.verdict(bundle)[0]
    assert "the gradient is zero" in render(bundle)
    verify(bundle.folder)


@pytest.mark.slow
def test_a_figure_of_an_honest_network_stays(audited):
    bundle = audited(NET)
    figure = next(f for f in bundle.manifest.findings if f.check == "withstands PGD at eps 2/255")
    assert figure.status == "pass"
    assert "doubt" not in figure.note + reading.verdict(bundle)[0]


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
@pytest.mark.parametrize("count", [1, 3])
def test_one_row_or_three_of_any_precision_are_asked(dtype, count):
    model, images = Model(forward=network().to(dtype), space=IMAGES), PIXELS[:count].to(dtype)
    data = Dataset(images, model.predict(images), space=IMAGES)
    found = AttackChecks(attack=PGD(eps="4/255", steps=3), queries=5, draws=2)(model, data)
    assert found.evidence.shape == (count, len(SIGNS))
    assert not found.evidence.any()
