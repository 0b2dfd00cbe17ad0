"""How often is the model right, and is its confidence calibrated?"""

from probe.audit.reading import CHAPTERS
from probe_dashboards import widgets
from probe_dashboards.views import performance, robustness
from probe_dashboards.views.runs import Opened

CHAPTER = CHAPTERS["performance"]
LIMITS = CHAPTER.limits
CAPTION = (
    "Accuracy against confidence, with 95 % Wilson intervals; a larger dot holds more rows. Below the dashed line "
    "the model is overconfident; above it, underconfident."
)


def draw(opened: Opened) -> None:
    """Draw the page."""
    bundle = opened.bundle
    widgets.heading(CHAPTER.title, CHAPTER.asks)
    if not performance.present(bundle):
        widgets.not_run("Performance", robustness.reason(bundle, "performance"))
        return
    widgets.table(performance.measures(bundle), "Performance on all rows, with 95 % intervals")
    if bundle.has("tables/reliability.csv"):
        widgets.section("Is its confidence calibrated?")
        widgets.figure(opened, "reliability", CAPTION, width=480)
        widgets.data_expander(performance.bins(bundle), "Data behind the figure")
