"""The viewer of a regression: answers are numbers, right within a tolerance."""

from probe_dashboards.views import examples, instance

from probe.formatting import number
from tests.dashboards.test_pages import show
from tests.test_regression import SLOPES, X, Y, audited

__all__ = ["audited", "show"]


def test_the_viewer_calls_an_answer_right_within_the_tolerance_and_asks_for_no_classes(audited, show):
    bundle = audited[1]
    right = (X @ SLOPES - Y).abs() <= 0.3
    assert 0 < right.sum() < len(X)
    assert examples.right(bundle).tolist() == right.tolist()
    for row in (int(right.int().argmax()), int(right.int().argmin())):
        app = show(bundle.folder, "instance", of="all", row=str(row))
        said = next(each.value for each in app.markdown if each.value.startswith("Predicted"))
        assert ("Right" in said, "Wrong" in said) == (bool(right[row]), not right[row])
        assert "undefined" not in said
        assert not {"Answer", "Label", "Probability of the answer"} & {box.label for box in app.selectbox}
        assert instance.ranking(bundle, row)["Truth"].tolist() == [number(float(Y[row]))]
