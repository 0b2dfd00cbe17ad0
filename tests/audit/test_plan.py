from dataclasses import dataclass

import pytest

from probe.attacks import FGSM
from probe.audit import plan_from, read_plan
from probe.errors import PlanError, RangeError, UnknownMethod, UnknownSetting
from probe.method import required
from probe.metrics import Accuracy
from probe.numbers import Number
from probe.registry import discover

ZOO = {"name": "x", "model": {"zoo": "adult-mlp"}}


def test_a_plan_survives_writing_and_reading():
    plan = plan_from(ZOO | {"attack": {"eps": ["1/255"], "methods": [{"method": "pgd", "steps": 3}]}}).resolve(
        form="image"
    )
    assert plan_from(plan.to_json()) == plan
    assert plan.attacks()[0].steps == 3
    assert plan.checks.robust_eps == "1/255"


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"sede": 1}, PlanError, r"the plan has no setting 'sede' \(did you mean 'seed'\?\)"),
        ({"checks": {"acuracy": 1}}, PlanError, r"\[checks\] has no 'acuracy' \(did you mean 'accuracy'\?\)"),
        ({"seed": "one"}, PlanError, "seed = 'one', expected a number such as 0"),
        ({"seed": -1}, PlanError, "seed = -1, expected a whole number of at least 0"),
        ({"data": {"groups": "sex"}}, PlanError, "data.groups = 'sex', expected a list"),
        ({"explain": {"methods": [{"method": "salency"}]}}, UnknownMethod, "did you mean 'saliency'"),
        ({"explain": {"methods": [5]}}, PlanError, "expected a table such as"),
        ({"attack": {"methods": [{"method": "pgd", "steps": 0}]}}, RangeError, "PGD.steps = 0"),
        ({"model": {}}, PlanError, "needs either zoo"),
        ({"model": {"zoo": "a", "factory": "b:c"}}, PlanError, "needs either zoo"),
        ({"model": {"factory": "b:c"}}, PlanError, r"\[data\] needs csv"),
        ({"data": {"csv": "x.csv"}}, PlanError, "name the column to predict"),
        ({"attack": {"methods": [{"method": "pgd"}, "pgd"]}}, PlanError, "names pgd twice"),
        (
            {"attack": {"methods": [{"method": "fgsm"}, {"method": "pgd", "norm": "l2"}]}},
            PlanError,
            r'mixes norms: the radii of fgsm and pgd cannot be compared; .*\{method = "pgd", eps = \["0.5", "1"\]\}',
        ),
        (
            {"attack": {"methods": [{"method": "fgsm"}, {"method": "pgd", "eps": ["1"]}]}},
            PlanError,
            "gives fgsm and pgd the same norm and different radii",
        ),
        (
            {"attack": {"methods": [{"method": "pgd", "norm": "l2", "eps": ["1", "a"]}]}},
            PlanError,
            r"eps of pgd in attack.methods = \['1', 'a'\], expected radii",
        ),
        (
            {"attack": {"methods": [{"method": "pgd", "eps": 1}]}},
            PlanError,
            r"sets eps = 1 of pgd, expected its own radii",
        ),
        ({"attack": {"eps": ["big"]}}, PlanError, "expected radii such as"),
        ({"attack": {"eps": ["1/0"]}}, PlanError, "expected radii such as"),
        ({"attack": {"eps": ["0.1", "1/10"]}}, PlanError, "different radii above 0"),
        ({"checks": {"accuracy": 80.0}}, PlanError, r"checks\.accuracy = 80\.0, expected a number from 0 to 1"),
        ({"seed": 10**30}, PlanError, "expected a whole number from 0 to 9223372036854775807"),
        ({"data": {"categories": {"job": 5}}}, PlanError, "data.categories holds 5, expected lists of names"),
        ({"name": "../up"}, PlanError, "becomes a folder"),
        ({"name": ""}, PlanError, "becomes a folder"),
        ({"name": "\u00e9" * 101}, PlanError, "becomes a folder; give it at most 200 bytes"),
        ({"attack": 3}, PlanError, "expected a table of settings"),
    ],
)
def test_a_plan_with_errors_is_refused_in_one_sentence(change, error, message):
    with pytest.raises(error, match=message):
        plan_from(ZOO | change)


def test_the_plans_seed_reaches_the_methods_that_take_one():
    plan = plan_from(
        ZOO | {"seed": 7, "explain": {"methods": [{"method": "lime"}, {"method": "kernel_shap", "seed": 1}]}}
    )
    assert [method.seed for method in plan.explainers()] == [7, 1]


@dataclass(frozen=True, kw_only=True)
class Sized(FGSM):
    """FGSM, whose radius has no default."""

    eps: Number = required("radius")


def test_an_attack_whose_budget_has_no_default_has_that_of_the_plan(monkeypatch):
    known = discover("attack") | {"sized": Sized}
    monkeypatch.setattr("probe.audit.plan.discover", lambda family: known if family == "attack" else discover(family))
    plan = plan_from(ZOO | {"attack": {"eps": ["1/255", "2/255"], "methods": [{"method": "sized"}]}})
    assert [attack.eps for attack in plan.attacks()] == [1 / 255]
    with pytest.raises(UnknownSetting, match="Sized lacks 'eps', radius"):
        plan_from(ZOO | {"attack": {"eps": [], "methods": [{"method": "sized"}]}})


def test_a_check_at_a_radius_that_is_not_attacked_is_refused():
    with pytest.raises(PlanError, match=r"checks\.robust_eps = '9' is not among"):
        plan_from(ZOO | {"checks": {"robust_eps": "9"}}).resolve(form="image")


def test_a_plan_takes_defaults_of_the_form_for_what_it_leaves_out():
    plan = plan_from(ZOO)
    table, image, graph = (plan.resolve(form=form) for form in ("table", "image", "graph"))
    assert (table.data.sample, image.data.sample) == (0, 1000)
    assert [m["method"] for m in table.attack.methods] == ["fgsm", "pgd"]
    assert (image.checks.robust_eps, graph.checks.robust_eps) == ("4/255", "3")
    named = plan_from(ZOO | {"data": {"sample": 7}, "attack": {"methods": [], "eps": ["0.1"]}}).resolve(form="image")
    assert (named.data.sample, named.attack.methods, named.attack.eps) == (7, (), ("0.1",))


def test_texts_are_attacked_by_whole_words():
    texts = plan_from(ZOO).resolve(form="tokens")
    assert ([attack.name() for attack in texts.attacks()], texts.checks.robust_eps) == (["hot_flip"], "3")
    with pytest.raises(RangeError, match=r"HotFlip.eps = '0.1', expected a whole number"):
        plan_from(ZOO | {"attack": {"eps": ["0.1"]}}).resolve(form="tokens")
    with pytest.raises(PlanError, match="mixes norms"):
        plan_from(ZOO | {"attack": {"methods": [{"method": "pgd"}, {"method": "hot_flip"}]}})


def test_files_are_relative_to_the_plan(tmp_path):
    (tmp_path / "p.toml").write_text(
        '[model]\nfactory="a:b"\nweights="w.safetensors"\n[data]\ncsv="d.csv"\nlabel="y"\n'
    )
    plan = read_plan(tmp_path / "p.toml")
    assert plan.name == "p"
    assert plan.data.csv == str(tmp_path / "d.csv")
    assert plan.model.weights == str(tmp_path / "w.safetensors")


def test_a_plan_may_begin_with_a_byte_order_mark_and_is_saved_as_utf_8(tmp_path):
    path = tmp_path / "p.toml"
    path.write_bytes(b'\xef\xbb\xbf[model]\nzoo = "adult-mlp"\n')
    assert read_plan(path).model.zoo == "adult-mlp"
    path.write_bytes('[model]\nzoo = "adult-mlp"\n'.encode("utf-16"))
    with pytest.raises(PlanError, match=r"p\.toml is not TOML, which is text in UTF-8: .*; save it as UTF-8"):
        read_plan(path)


@pytest.mark.parametrize("content", [b"= 3", b"\xff\xfe", None])
def test_an_invalid_plan_is_refused_in_one_sentence(tmp_path, content):
    if content is not None:
        (tmp_path / "p.toml").write_bytes(content)
    with pytest.raises(PlanError, match=r"is not TOML|cannot read the plan"):
        read_plan(tmp_path / "p.toml")


def test_a_check_of_a_metric_with_a_required_setting_says_where_to_give_it(monkeypatch):
    @dataclass(frozen=True, kw_only=True)
    class Above(Accuracy):
        "Accuracy, with a setting that has no default."

        cut: float = required("a cut")

    known = discover("metric") | {"above": Above}
    for module in ("asked", "plan"):
        monkeypatch.setattr(f"probe.audit.{module}.discover", lambda f: known if f == "metric" else discover(f))
    with pytest.raises(PlanError, match=r"checks.above needs .*'cut'.*\[predict\] metrics = \[(.*)\]"):
        plan_from(ZOO | {"checks": {"above": 0.5}}).resolve(form="table")
    named = {"checks": {"above": 0.5}, "predict": {"metrics": [{"method": "above", "cut": 0.1}]}}
    assert plan_from(ZOO | named).resolve(form="table").threshold(Above(cut=0.1)) == 0.5
