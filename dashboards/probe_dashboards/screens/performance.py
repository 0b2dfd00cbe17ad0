"""How often is the model right, and does it know?"""

from probe_dashboards import draw as parts
from probe_dashboards.views import performance, robustness
from probe_dashboards.views.runs import Opened

LIMITS = (
    "Rows that were drawn otherwise, later or elsewhere may be answered less well.",
    "Labels are taken to be true; where they are wrong or slanted, so is every number here.",
    "A calibrated model can be wrong about a group of rows: calibration is an average over all of them.",
)
CAPTION = (
    "Accuracy against confidence, with 95 % Wilson intervals; a larger dot holds more rows. Below the dashed line "
    "answers are less often right than the model is sure; above it, more often."
)


def draw(opened: Opened) -> None:
    """Draw the page."""
    bundle = opened.bundle
    parts.heading("Performance", "How often is the model right, and does it know?")
    if not performance.present(bundle):
        parts.absent("Performance", robustness.reason(bundle, "performance"))
        return
    parts.table(performance.measures(bundle), "Performance on all rows, with 95 % intervals")
    if bundle.has("tables/reliability.csv"):
        parts.section("Is it as often right as it is sure?")
        parts.figure(opened, "reliability", CAPTION, width=480)
        parts.data(performance.bins(bundle), "Data behind the figure")
