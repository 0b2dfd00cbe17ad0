"""The nearest rows of one on the page of an instance."""

from dataclasses import replace

import numpy as np
import pytest
from probe_dashboards.views import instance, near

from probe.audit import Bundle, reading
from tests.dashboards.test_pages import opened, tables, text


@pytest.mark.slow
def test_the_nearest_rows_are_apart_by_their_answer_and_each_opens_its_page(bundles):
    bundle = bundles.table
    row = int(bundle.arrays("instances")["rows"][0])
    found, answers = near.found(bundle, row), reading.decisions(bundle)
    assert found is not None
    assert len(found.same) == len(found.other) == 5
    assert {answers[each.row] for each in found.same} == {answers[row]}
    assert answers[row] not in {answers[each.row] for each in found.other}
    for side in (found.same, found.other):
        far = [each.distance for each in side]
        assert far == sorted(far)
    app = opened(bundle.folder.parent, "instance", row=str(row))
    said = text(app)
    assert "Among all 199 other rows" in said
    assert f"reading.near(bundle, {row})" in said
    shown = "".join(tables(app))
    for each in (*found.same, *found.other):
        assert f"row={each.row}" in shown


class Older(Bundle):
    """A bundle of a version that kept no neighbours."""

    def arrays(self, name):
        return {key: each for key, each in super().arrays(name).items() if not key.startswith("near")}


def test_without_neighbours_the_page_says_why(bundles):
    bundle = Older(bundles.table.folder, bundles.table.manifest)
    row = int(bundle.arrays("instances")["rows"][0])
    assert near.found(bundle, row) is None
    assert "older version" in near.why_none(bundle, row)
    other = next(at for at in range(200) if at not in bundle.arrays("instances")["rows"])
    assert "explained examples alone" in near.why_none(bundle, other)
    plan = replace(bundle.manifest.plan, bundle=replace(bundle.manifest.plan.bundle, inputs="none"))
    assert "As its plan says" in near.why_none(replace(bundle, manifest=replace(bundle.manifest, plan=plan)), row)


def test_a_side_without_rows_is_said_to_have_none_and_how_far_that_is_known(bundles):
    found = reading.Near((), (reading.Neighbour(3, 0.5),), within=0.75, among=199)
    farther = replace(found, other=(reading.Neighbour(3, 0.8),))
    assert near.said(bundles.table, farther).endswith(
        "Beyond a distance of 0.75 one may be missing: the nearest rows of each label are kept."
    )
    assert near.said(bundles.table, found).endswith("There is none with the same answer up to a distance of 0.75.")
    nowhere = replace(found, within=np.inf)
    assert near.said(bundles.table, nowhere).endswith("There is none with the same answer.")


class Planted(Bundle):
    """The same audit of data that say where the truth lies: at the third of four features, or the middle of images."""

    def arrays(self, name):
        stored = dict(super().arrays(name))
        if name == "instances":
            truth = np.zeros(stored["inputs"].shape, dtype=bool)
            truth[..., 2] = True
            stored["truth"] = truth
        return stored


def test_a_planted_truth_is_bordered_in_maps_and_named_elsewhere(bundles):
    for known, said in ((bundles.table, "label of this example: education."), (bundles.image, "Green border")):
        row = int(known.arrays("instances")["rows"][1])
        bundle = Planted(known.folder, known.manifest)
        assert said in instance.planted(bundle, row)
        assert instance.example(bundle, row).truth.shape == tuple(known.manifest.data.shape)
        assert not instance.planted(known, row)
        assert instance.example(known, row).truth is None
