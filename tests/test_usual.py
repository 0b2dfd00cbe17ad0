"""What runs by default, read from source, is what a plan that names nothing runs."""

import pytest

from probe import forms, usual
from probe.audit import plan_from


@pytest.mark.parametrize("form", usual.methods())
def test_the_methods_of_a_form_are_those_that_its_plan_resolves_to(form):
    plan = plan_from({"name": "x", "model": {"zoo": "any"}}).resolve(form=form)
    assert usual.methods()[form] == tuple(str(m["method"]) for m in (*plan.explain.methods, *plan.attack.methods))


def test_every_form_of_probe_that_has_defaults_of_its_own_is_told():
    base = forms.Form.defaults
    own = {
        name for name, kind in forms.known().items() if kind.defaults != base and kind.__module__.startswith("probe.")
    }
    assert own <= set(usual.methods())


def test_the_metrics_are_those_that_a_plan_takes_unless_told():
    plan = plan_from({"name": "x", "model": {"zoo": "any"}}).resolve(form="image")
    sections = (plan.predict, plan.explain, plan.attack, plan.certify, plan.search)
    assert usual.metrics() == {str(m["method"]) for section in sections for m in section.metrics}


def test_the_attacks_on_models_without_gradients_are_those_that_their_plan_resolves_to():
    import numpy as np
    import torch

    from probe import Dataset, Space, from_predict_proba

    box = from_predict_proba(lambda x: np.full((len(x), 2), 0.5), Space(), ("a", "b"))
    data = Dataset(torch.rand(3, 2), torch.zeros(3, dtype=torch.int64), space=Space(), classes=("a", "b"))
    plan = plan_from({"name": "x", "model": {"zoo": "any"}})
    assert (
        usual.without_gradients() == {str(m["method"]) for m in plan.resolved(box, data).attack.methods} == {"square"}
    )
    assert box.usage.forward == 0
    named = plan_from({"name": "x", "model": {"zoo": "any"}, "attack": {"methods": ["fgsm"]}})
    assert [m["method"] for m in named.resolved(box, data).attack.methods] == ["fgsm"]


def test_of_a_model_that_reads_words_no_gradients_are_asked_and_its_attack_says_what_it_lacks():
    import torch

    from probe import Model, Space
    from probe.contracts import usual_attacks

    ids, space = torch.ones(2, 3, dtype=torch.int64), Space(form="tokens")
    box = Model(forward=lambda x: torch.zeros(len(x), 2), space=space, classes=("a", "b"))
    assert [each["method"] for each in usual_attacks(box, ids)] == ["hot_flip"]
