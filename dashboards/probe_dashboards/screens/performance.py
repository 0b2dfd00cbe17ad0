"""How often is the model right, and is its confidence calibrated?"""

from probe.audit import reading
from probe.audit.reading import CALIBRATED, CHAPTERS
from probe.text import visible
from probe_dashboards import widgets
from probe_dashboards.views import performance, robustness
from probe_dashboards.views.runs import Opened

CHAPTER = CHAPTERS["performance"]
LIMITS = CHAPTER.limits
CAPTION = (
    "Accuracy against confidence, with 95 % Wilson intervals; a larger dot holds more rows. Below the dashed line "
    f"the model is overconfident; above it, underconfident. {CALIBRATED}"
)


def draw(opened: Opened) -> None:
    """Draw the page."""
    bundle = opened.bundle
    widgets.heading(CHAPTER.title, reading.performance(bundle.manifest).asks)
    if not performance.present(bundle):
        widgets.not_run("Performance", robustness.reason(bundle, "performance"))
        return
    widgets.table(performance.measures(bundle), "Performance on all rows, with 95 % intervals")
    for label in reading.reliability(bundle):
        asked = "Is its confidence calibrated?"
        widgets.section(f"{visible(label)}: is its confidence calibrated?" if label else asked)
        widgets.figure(opened, "reliability", CAPTION, *([label] if label else []), width=480)
        widgets.data_expander(performance.bins(bundle, label), "Data behind the figure")
