"""What a plan says about groups reaches the tables and findings of its audit."""

from dataclasses import replace

import pytest

from probe.audit import run, verify
from probe.audit.reading import ASSUMED
from probe.errors import PlanError
from probe.report import render
from tests.audit.conftest import small_plan, table

NOTHING_ELSE = {"explain": {"methods": []}, "attack": {"methods": [], "eps": []}}


def audited(folder, groups=None, **settings):
    model, data = table()
    data = data if groups is None else replace(data, groups=groups(data.groups))
    return run(small_plan("p", bias=settings, **NOTHING_ELSE), model, data, folder / "p")


def about(bundle):
    return [f for f in bundle.manifest.findings if f.aspect == "bias"]


@pytest.mark.slow
def test_a_favourable_class_is_assumed_only_if_none_is_named(tmp_path):
    assumed = audited(tmp_path / "assumed")
    assert set(assumed.table("bias_groups")["favourable"]) == {"yes (assumed)"}
    assert "no favourable outcome was named; yes is assumed" in about(assumed)[0].note
    assert f"yes: {ASSUMED}" in render(assumed)
    named = audited(tmp_path / "named", positive="no")
    assert set(named.table("bias_disparities")["favourable"]) == {"no"}
    assert not any("assumed" in f.note + f.method for f in about(named))
    assert ASSUMED not in render(named)


@pytest.mark.slow
@pytest.mark.parametrize(("order", "tables"), [(1, ["sex", "race"]), (2, ["sex", "race", "sex x race"])])
def test_a_plan_sets_the_order_of_intersections(tmp_path, order, tables):
    bundle = audited(tmp_path, order=order)
    assert bundle.table("bias_row_accounting")["attribute"].tolist() == tables
    verify(bundle.folder)


@pytest.mark.slow
def test_different_spellings_of_a_group_are_refused_with_the_option_to_merge_them(tmp_path):
    def misspelt(groups):
        return groups.assign(sex=["f " if at % 7 == 0 and sex == "F" else sex for at, sex in enumerate(groups["sex"])])

    (finding,) = about(audited(tmp_path / "refused", misspelt))
    assert finding.status == "error"
    assert "bias.merge_spellings = true in a plan" in finding.note
    merged = audited(tmp_path / "merged", misspelt, merge_spellings=True)
    groups = merged.table("bias_groups").query("attribute == 'sex'")["group"]
    assert groups.tolist() == ["F", "M"]
    assert "merged as" in render(merged)
    verify(merged.folder)


@pytest.mark.parametrize("value", ["true", 1, None])
def test_a_switch_in_the_bias_section_is_true_or_false(value):
    with pytest.raises(PlanError, match="expected true or false"):
        small_plan("p", bias={"merge_spellings": value})
