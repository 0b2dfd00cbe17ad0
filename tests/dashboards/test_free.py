"""A slice that a reader names, against all other rows."""

import numpy as np
import pytest
from probe_dashboards.views import free
from probe_dashboards.views.examples import ANY

from probe.audit import Bundle, reading
from probe.audit.reading.free import _welch
from probe.bias.proportions import fisher_p
from probe.errors import RangeError
from tests.dashboards.test_pages import opened, tables, text


def test_groups_choose_among_all_rows_and_the_rest_is_all_others(bundles):
    people, right = bundles.table.groups(), reading.right(bundles.table)
    found = reading.part(bundles.table, {"sex": "Female", "race": "Black"})
    inside = ((people["sex"] == "Female") & (people["race"] == "Black")).to_numpy()
    assert found.rows.tolist() == np.flatnonzero(inside).tolist()
    assert found.inside.value == right[inside].mean()
    assert found.outside.value == right[~inside].mean()
    assert (found.inside.n, found.among) == (inside.sum(), 200)
    assert found.difference.low < found.difference.value < found.difference.high
    whole = reading.slices(bundles.table).set_index("group").loc[[("Female",)]].iloc[0]
    one = reading.part(bundles.table, {"sex": "Female"})
    assert one.inside[:3] == (whole["value"], whole["low"], whole["high"])


def test_features_choose_among_the_explained_rows_alone(bundles):
    stored, right = bundles.table.arrays("instances"), reading.right(bundles.table)
    said = stored["described"][:, 0].astype(float)
    low, high = np.sort(said)[[2, 5]]
    found = reading.part(bundles.table, features={"age": (low, high)})
    assert found.rows.tolist() == stored["rows"][(said >= low) & (said <= high)].tolist()
    assert found.among == 8
    assert found.inside.value == right[found.rows].mean()
    k = [
        np.array([each])
        for each in (right[found.rows].sum(), 4, right[stored["rows"]].sum() - right[found.rows].sum(), 4)
    ]
    assert found.p == fisher_p(*k)[0]
    assert reading.asked_features(bundles.table)["age"] == (said.min(), said.max())
    both = reading.part(bundles.table, {"sex": "Male"}, {"age": (low, high)})
    assert set(both.rows) == {row for row in found.rows if bundles.table.groups()["sex"][row] == "Male"}
    assert both.among == 8, "rows of another group whose features are not known are in neither part"
    with pytest.raises(RangeError, match="'agee' is no feature whose values the bundle keeps"):
        reading.part(bundles.table, features={"agee": (0, 1)})
    with pytest.raises(RangeError, match="'sexx' is no attribute"):
        reading.part(bundles.table, {"sexx": "Male"})
    assert not reading.asked_features(bundles.image)
    assert not free.features(bundles.prose)


class Worded(Bundle):
    """The same audit, of which one feature is a category."""

    def arrays(self, name):
        stored = dict(super().arrays(name))
        if name == "instances":
            words = stored["described"].astype(object)
            words[:, 3] = np.array(["no", "yes"])[np.arange(len(words)) % 2]
            stored["described"] = words.astype(str)
        return stored


def test_a_category_is_chosen_by_its_word_and_has_no_range(bundles):
    bundle = Worded(bundles.table.folder, bundles.table.manifest)
    assert reading.asked_features(bundle)["sex"] == ("no", "yes")
    found = reading.part(bundle, features={"sex": "yes"})
    assert found.rows.tolist() == bundle.arrays("instances")["rows"][1::2].tolist()
    assert free.values(bundle, "sex") == {"no": "no", "yes": "yes"}
    with pytest.raises(RangeError, match="a range is of numbers"):
        reading.part(bundle, features={"sex": (0, 1)})


def test_means_are_compared_by_welch():
    from scipy.stats import ttest_ind

    rng = np.random.default_rng(0)
    one, other = rng.normal(0, 1, 12), rng.normal(1, 3, 40)
    known = ttest_ind(one, other, equal_var=False)
    low, high, p = _welch(one, other)
    assert p == pytest.approx(known.pvalue)
    assert (low, high) == pytest.approx(tuple(known.confidence_interval(0.95)))


def test_the_p_value_is_corrected_for_the_slices_that_were_looked_at(bundles):
    named = free.Named({"race": "Black"})
    p = reading.part(bundles.table, {"race": "Black"}).p
    assert "Corrected" not in free.said(bundles.table, ANY, named, 1)
    assert free.said(bundles.table, ANY, named, 3).count(f"= {min(1.0, 3 * p):.3f}") == 1
    assert "no row is in the slice" in free.said(bundles.table, ANY, free.Named({"race": "Nobody"}), 1)


@pytest.mark.slow
def test_a_slice_lies_in_the_address_and_those_looked_at_are_counted(bundles, arguments):
    arguments(bundles.table.folder.parent)
    app = opened(bundles.table.folder.parent, "performance", **{"is-sex": "female", "f1": "age", "f1-age-from": "0.2"})
    said = text(app)
    assert "Corrected" not in said
    high = reading.asked_features(bundles.table)["age"][1]
    assert f"reading.part(bundle, {{'sex': 'Female'}}, {{'age': (0.2, {high})}})" in said
    app.selectbox(key="f1").set_value("any").run()
    assert app.query_params["is-sex"] == "female"
    said = text(app)
    assert "Corrected for the 2 slices looked at here" in said
    assert "in-sex=female" in "".join(tables(app))
    assert text(app.run()) == said
