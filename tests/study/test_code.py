"""A study computes again what was computed by other code."""

from dataclasses import dataclass

import pytest
import torch

from probe import Dataset, Model, MultiLabel, Regression, Space, study
from probe.attacks import FGSM
from probe.contracts import Explainer
from probe.explainers import Saliency
from probe.goals import Shift, Targeted
from probe.metrics import GoalReached, Sparseness
from probe.study.code import coded
from tests.processes import start

SPACE = Space(reference=torch.zeros(1, 2))
MODEL = Model(forward=lambda x: 4 * x, space=SPACE)
DATA = Dataset(torch.tensor([[0.9, 0.1], [0.2, 0.6]]), torch.tensor([0, 1]), space=SPACE, classes=("a", "b"))
WANTED = torch.ones(2, 2, dtype=torch.long)


NAMED = """
from dataclasses import dataclass
from probe.contracts import Explainer
POWER = 1
class Scale: factor = 1
def helper(x):
    return x
@dataclass(frozen=True, kw_only=True)
class Named(Explainer):
    def attribute(self, model, inputs, targets):
        return [helper(x) for x in inputs**POWER * Scale.factor]
"""


def brightness(power):
    """A method, as a notebook defines it again with another body."""

    @dataclass(frozen=True, kw_only=True)
    class Brightness(Explainer):
        """The inputs."""

        if power == 1:

            def attribute(self, model, inputs, targets):
                return inputs

        else:

            def attribute(self, model, inputs, targets):
                return inputs**3

    return Brightness()


def test_an_edited_method_is_computed_again_and_an_unchanged_one_is_not(tmp_path):
    first = study.run([brightness(1)], MODEL, DATA, metrics=[Sparseness()], out=tmp_path, progress=None)
    again = study.run([brightness(1)], MODEL, DATA, metrics=[Sparseness()], out=tmp_path, progress=None)
    assert again["seconds"].tolist() == first["seconds"].tolist()
    edited = study.run([brightness(3)], MODEL, DATA, metrics=[Sparseness()], out=tmp_path, progress=None)
    alone = study.run([brightness(3)], MODEL, DATA, metrics=[Sparseness()], progress=None)
    assert edited["value"].tolist() == alone["value"].tolist() != first["value"].tolist()


@pytest.mark.slow
def test_the_digest_of_code_is_that_of_other_processes_and_probes_own_methods_have_none(tmp_path):
    told = "import sys; from tests.study.test_code import *; print(coded(brightness(1))[0], file=sys.stderr)"
    start(told, said=tmp_path / "said").join()  # its hashes of strings are others
    assert ((tmp_path / "said").read_text().strip(),) == coded(brightness(1)) != coded(brightness(3))
    assert coded(Saliency()) == coded(FGSM(goal=Targeted())) == ()


@pytest.mark.parametrize(("before", "after"), [
    ("POWER = 1", "POWER = 3"),
    ("return x", "return x**3"),
    ("class Scale: factor = 1", "class Scale: factor = 2"),
])  # fmt: skip
def test_the_digest_covers_what_a_method_names_in_its_package(before, after):
    def digest(source):
        given = {"__name__": "notebook"}
        exec(source, given)
        return coded(given["Named"]())

    assert digest(NAMED) == digest(NAMED)
    assert digest(NAMED) != digest(NAMED.replace(before, after))


def test_the_digest_covers_what_a_method_encloses():
    def made(power):
        @dataclass(frozen=True, kw_only=True)
        class Enclosing(Explainer):
            """The inputs to a power."""

            def attribute(self, model, inputs, targets):
                return inputs**power

        return Enclosing()

    assert coded(made(1)) == coded(made(1)) != coded(made(2))


def test_targets_of_attacks_may_be_several_labels_and_what_reaches_them_is_counted():
    model = Model(forward=lambda x: 4 * x - 2, space=SPACE, task=MultiLabel(("tall", "wide")))
    data = Dataset(DATA.inputs, torch.tensor([[1, 0], [0, 1]]), space=SPACE)
    attack = FGSM(goal=Targeted(), eps=0.35)
    found = study.run([attack], model, data, metrics=[GoalReached()], targets=WANTED, progress=None)
    rows = found.set_index("metric")["value"]
    reached = attack(model, data.inputs, data.labels, targets=WANTED)
    assert rows["goal_reached"] == GoalReached()(model, reached).value == 0.5


def test_a_shift_of_a_regression_without_a_tolerance_has_a_row_of_its_own_in_a_study():
    model = Model(forward=lambda x: x.sum(1), space=SPACE, task=Regression(("price",)))
    data = Dataset(DATA.inputs, torch.zeros(2), space=SPACE)
    found = study.run([FGSM(goal=Shift(by=0.28), eps=0.15)], model, data, progress=None)
    assert found[["metric", "value", "n"]].values.tolist() == [["goal_reached", 0.5, 2]]
