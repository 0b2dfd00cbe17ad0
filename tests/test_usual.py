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
